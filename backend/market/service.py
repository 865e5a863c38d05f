"""MarketService: prices, bars and specifications for the rest of the desk."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.core.bars import Bars
from backend.core.clock import Clock, iso
from backend.core.errors import DeskError, Unavailable
from backend.core.instruments import Instrument
from backend.core.quotes import Quote
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.market.gaps import Gap
from backend.market.resample import divides, resample
from backend.market.specifications import DatedInstrument, Specifications
from backend.market.store import MarketStore
from backend.market.symbols import Symbols
from backend.market.topping import TopUp
from backend.market.watchlist import keep_row, row_of
from backend.mt5.client import MT5Client
from backend.mt5.offset import ServerOffset
from backend.storage.files import FileStorage

MOST_SHORT_BARS = 1_000_000
_LONGEST_MONTH = 31 * DAY_SECONDS

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedBar:
    """The newest closed bar of a series.

    Attributes:
        symbol: Canonical symbol.
        timeframe: Of the bar.
        opened: When it opened, aware UTC.
        closed: When it ended, aware UTC.
    """

    symbol: str
    timeframe: Timeframe
    opened: datetime
    closed: datetime


class MarketService:
    """What the market says, from the terminal and from the store.

    Args:
        client: The terminal.
        store: Closed bars on disk.
        storage: Files under the desk's data folder.
        symbols: The symbol map.
        clock: Desk time and wall time.
    """

    def __init__(
        self,
        client: MT5Client,
        store: MarketStore,
        storage: FileStorage,
        symbols: Symbols,
        clock: Clock,
    ) -> None:
        self._client = client
        self._store = store
        self._storage = storage
        self._symbols = symbols
        self._clock = clock
        self._specifications = Specifications(storage)
        self._topping = TopUp(client, store, clock, client.server_clock)

    @property
    def store(self) -> MarketStore:
        """Closed bars on disk."""
        return self._store

    @property
    def symbols(self) -> Symbols:
        """The symbol map."""
        return self._symbols

    # Bars

    def top_up(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        min_bars: int | None = None,
        since: datetime | None = None,
    ) -> Bars:
        """Closed bars up to desk time, after asking the terminal for what is missing.

        The terminal is only asked when a new bar can exist, or older ones are wanted than are stored.

        Args:
            symbol: Canonical symbol.
            timeframe: Of the bars.
            min_bars: So many of the latest; fewer if the terminal has no more.
            since: Or all that opened then or later.

        Raises:
            Unavailable: The terminal failed and had to be asked.
            NotFound: The broker or the map has no such symbol.
        """
        self._topping.up_to_date(symbol, timeframe, count=min_bars, since=since)
        return self._store.bars(symbol, timeframe, until=self._clock.now(), count=min_bars, since=since)

    def fill(
        self, symbol: str, timeframe: Timeframe, *, since: datetime, progress: Callable[[datetime], None]
    ) -> int:
        """Fetch the terminal's bars back to `since`, piece by piece; returns how many are new.

        Raises:
            Unavailable: The terminal failed; what was fetched by then is stored, and the next run goes on.
            NotFound: The broker or the map has no such symbol.
        """
        return self._topping.fill(symbol, timeframe, since=since, progress=progress)

    def filled(
        self, symbol: str, timeframe: Timeframe, *, since: datetime, progress: Callable[[datetime], None]
    ) -> dict[str, Any]:
        """As `fill`, told as JSON values: symbol, timeframe, added, and the first and last bar there is."""
        added = self.fill(symbol, timeframe, since=since, progress=progress)
        first, last = self._store.first_time(symbol, timeframe), self._store.last_time(symbol, timeframe)
        ends = {name: None if at is None else iso(at) for name, at in (("first", first), ("last", last))}
        return {"symbol": symbol, "timeframe": str(timeframe), "added": added} | ends

    def source(self) -> str:
        """Name of the market that the terminal shows; bars and decisions of two markets are never mixed.

        Raises:
            Unavailable: The terminal failed.
        """
        return self._topping.source()

    def bars(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        count: int | None = None,
        until: datetime | None = None,
        since: datetime | None = None,
    ) -> Bars:
        """Stored bars that had closed by `until` (desk time if not given), without asking the terminal."""
        now = self._clock.now()
        end = now if until is None else min(until, now)
        return self._store.bars(symbol, timeframe, until=end, count=count, since=since)

    def chart(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        count: int,
        until: datetime | None = None,
        since: datetime | None = None,
    ) -> tuple[Bars, Timeframe]:
        """Stored bars as `bars`; where none is, bars made of the longest shorter series that is stored.

        Of shorter bars at most `MOST_SHORT_BARS` are read, so that a page of them may have fewer than
        `count` although there are more before it.

        Returns:
            The bars, and the timeframe of what they are made of.
        """
        stored = self.bars(symbol, timeframe, count=count, until=until, since=since)
        shorter = [] if len(stored) else [frame for name, frame in self._store.series() if name == symbol]
        source = max(
            (frame for frame in shorter if divides(frame, timeframe)),
            key=lambda frame: frame.seconds,
            default=timeframe,
        )
        if source is timeframe:
            return stored, timeframe
        length = _LONGEST_MONTH if timeframe is Timeframe.MN1 else timeframe.seconds
        each = length // source.seconds
        now = self._clock.now()
        end = now if until is None else min(until, now)
        # One more: the first of them may begin before what was read.
        wanted = min((count + 1) * each, MOST_SHORT_BARS)
        short = self._store.bars(symbol, source, until=end, count=wanted, since=since)
        made = resample(short, timeframe, self._client.server_clock, until=end)
        return made[max(0, len(made) - count) :], source

    def history(self, symbol: str, timeframe: Timeframe, days: float) -> Bars:
        """All closed bars of the last so many days; with the terminal down, those that are stored.

        Raises:
            Unavailable: The terminal is down and nothing is stored.
        """
        since = self._clock.now() - timedelta(days=days)
        try:
            return self.top_up(symbol, timeframe, since=since)
        except Unavailable as error:
            stored = self.bars(symbol, timeframe, since=since)
            if not len(stored):
                raise
            log.warning("%s %s: stored bars only: %s", symbol, timeframe, error.message)
            return stored

    def closed_since(
        self, symbols: Iterable[str], timeframes: Iterable[Timeframe], *, since: datetime | None = None
    ) -> list[ClosedBar]:
        """The newest closed bar of each series, topped up, of those that ended after `since`.

        Series without any bar are left out. A symbol that fails does not keep the others from being told.

        Raises:
            Unavailable: Every symbol failed; the first one's error.
        """
        wanted = [(symbol, timeframe) for symbol in symbols for timeframe in timeframes]
        found: list[ClosedBar] = []
        failed: list[DeskError] = []
        for symbol, timeframe in wanted:
            try:
                bars = self.top_up(symbol, timeframe, min_bars=1)
            except DeskError as error:
                log.warning("%s %s: %s", symbol, timeframe, error.message)
                failed.append(error)
                continue
            if not len(bars):
                continue
            end = int(close_of(timeframe, bars.server_time[-1]))
            closed = self._client.server_clock.utc_datetime(end)
            if since is None or closed > since:
                found.append(
                    ClosedBar(symbol=symbol, timeframe=timeframe, opened=bars.opened(-1), closed=closed)
                )
        if failed and len(failed) == len(wanted):
            raise failed[0]
        return found

    def asks(self, symbol: str, bars: Bars) -> None:
        """None: MetaTrader's history holds bids and a spread."""

    def gaps(self, symbol: str, timeframe: Timeframe) -> list[Gap]:
        """Missing bars inside the hours at which the symbol usually trades."""
        return self._store.gaps(symbol, timeframe)

    def coverage(self) -> list[dict[str, Any]]:
        """What is stored and what is missing, a series a row, as JSON values."""
        return self._store.coverage()

    # Prices and specifications

    def quote(self, symbol: str) -> Quote:
        """The latest tick.

        Raises:
            Unavailable: The terminal failed, or has no price.
        """
        return self._client.quote(symbol)

    def instrument(self, symbol: str) -> Instrument:
        """The specification as the terminal states it now, or the stored one while it is down."""
        return self.dated_instrument(symbol).instrument

    def dated_instrument(self, symbol: str) -> DatedInstrument:
        """The specification with its date, and whether the terminal was asked just now.

        Raises:
            Unavailable: The terminal is down and none is stored.
            NotFound: The broker or the map has no such symbol.
        """
        try:
            now = self._clock.now()
            return DatedInstrument(instrument=self._client.instrument(symbol), as_of=now, live=True)
        except Unavailable:
            stored = self._specifications.last(symbol)
            if stored is None:
                raise
            return stored

    def currencies(self) -> dict[str, frozenset[str]]:
        """Base and profit currency of each enabled symbol: of the stored specification, else the terminal's.

        Symbols of which neither is known are left out; a terminal that is down is asked once.
        """
        found: dict[str, frozenset[str]] = {}
        is_down = False
        for symbol in self._symbols.enabled():
            try:
                stored = self._specifications.last(symbol)
                if stored is None and is_down:
                    continue
                instrument = self._client.instrument(symbol) if stored is None else stored.instrument
            except DeskError as error:
                is_down = is_down or isinstance(error, Unavailable)
                continue
            found[symbol] = frozenset({instrument.currency_base, instrument.currency_profit})
        return found

    # Tasks

    def collect_quotes(self) -> dict[str, Any]:
        """Write the present quote of every enabled symbol to ``cache/market_data/``.

        Returns:
            `collected` (new ticks), `unchanged` (the tick was already there), `closed` (symbols whose last
            tick is old, with its time and age), `failed` (symbol → error).

        Raises:
            Unavailable: Every symbol failed; with the first one's terminal code, and all of them in details.
        """
        collected = unchanged = 0
        closed: dict[str, Any] = {}
        failed: dict[str, DeskError] = {}
        now = self._clock.now()
        for symbol in self._symbols.enabled():
            try:
                quote = self._client.quote(symbol, with_volume=True)
                now = self._clock.now()
                row = row_of(quote, self.instrument(symbol), now)
                added = keep_row(self._storage, symbol, row, now)
            except DeskError as error:
                failed[symbol] = error
                continue
            collected += added
            unchanged += not added
            if row["market"] == "closed":
                closed[symbol] = {key: row[key] for key in ("tick_time", "tick_age_seconds")}
        for reason in dict.fromkeys(error.message for error in failed.values()):
            without = [symbol for symbol, error in failed.items() if error.message == reason]
            log.warning("no quote of %s: %s", ", ".join(without), reason)
        _raise_if_all(failed, len(self._symbols.enabled()), "no_quotes", "no symbol has a quote")
        return {
            "at": iso(now),
            "symbols": len(self._symbols.enabled()),
            "collected": collected,
            "unchanged": unchanged,
            "closed": closed,
            "failed": {symbol: error.as_dict() for symbol, error in failed.items()},
            "problems": list(self._symbols.problems),
        }

    def update_symbols(self) -> dict[str, Any]:
        """Write the specification of every enabled symbol to ``symbols/``.

        Returns:
            `updated`, `changed` (symbols whose specification differs from the one before), `failed`.

        Raises:
            Unavailable: Every symbol failed.
        """
        updated: list[str] = []
        changed: list[str] = []
        failed: dict[str, DeskError] = {}
        now = self._clock.now()
        for symbol in self._symbols.enabled():
            try:
                if self._specifications.keep(self._client.instrument(symbol), now):
                    changed.append(symbol)
                updated.append(symbol)
            except DeskError as error:
                log.warning("no specification of %s: %s", symbol, error.message)
                failed[symbol] = error
        _raise_if_all(failed, len(self._symbols.enabled()), "no_specifications", "no symbol has been updated")
        return {
            "at": iso(now),
            "updated": len(updated),
            "changed": changed,
            "failed": {symbol: error.as_dict() for symbol, error in failed.items()},
            "problems": list(self._symbols.problems),
        }

    def check_server_clock(self) -> ServerOffset:
        """Whether the broker's clock keeps its rule, measured from the watchlist's ticks."""
        return self._client.check_server_clock(self._symbols.enabled(), now=self._clock.now())


def _raise_if_all(failed: dict[str, DeskError], wanted: int, code: str, message: str) -> None:
    if not failed or len(failed) < wanted:
        return
    first = next(iter(failed.values()))
    raise Unavailable(
        first.code if isinstance(first, Unavailable) else code,
        f"{message}: {first.message}",
        **first.details,
        failed={symbol: error.as_dict() for symbol, error in failed.items()},
    )
