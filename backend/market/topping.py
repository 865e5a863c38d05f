"""Topping up a stored series from the terminal: only what is missing, never mixing two sources."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from backend.core.bars import Bars, plausible_prices
from backend.core.clock import Clock, day, from_epoch, iso
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.market.merging import differing_times, where
from backend.market.store import MarketStore
from backend.mt5.client import CLOSED_AFTER_SECONDS, MT5Client
from backend.mt5.server_time import ServerClock

_SOURCE_SECONDS = 30.0
PIECE_BARS = 10_000
"""Bars' lengths that one piece of a long fetch spans."""
_EMPTY_PIECES = 2
_CHECKED_BARS = 50  # compared when the last stored bar differs from the terminal's

_Series = tuple[str, Timeframe]


def toward(since: datetime, told: Callable[[int, int, str], None]) -> Callable[[datetime], None]:
    """Tells how far back a fill is, in seconds of all the way to `since`."""
    begun: list[datetime] = []

    def tell(reached: datetime) -> None:
        begun.append(reached)
        whole = max(1, int((begun[0] - since).total_seconds()))
        told(int((begun[0] - reached).total_seconds()), whole, f"back to {reached:%Y-%m-%d}")

    return tell


class TopUp:
    """Brings series up to date; remembers, within this process, when a new bar can next exist.

    Args:
        client: The terminal.
        store: Where bars are kept.
        clock: Desk time decides what has closed; wall time how long the source's name is believed.
        server_clock: Rule of the broker's clock.
    """

    def __init__(
        self, client: MT5Client, store: MarketStore, clock: Clock, server_clock: ServerClock
    ) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._server_clock = server_clock
        self._asked: dict[_Series, tuple[datetime, datetime]] = {}
        self._sourced: dict[_Series, str] = {}
        self._source: tuple[datetime, str] | None = None
        self._whole: set[_Series] = set()
        self._guard = threading.Lock()

    def up_to_date(
        self, symbol: str, timeframe: Timeframe, *, count: int | None = None, since: datetime | None = None
    ) -> None:
        """See to it that all bars closed by now are stored, and as far back as asked and there.

        Raises:
            Unavailable: The terminal failed.
        """
        try:
            self._refresh(symbol, timeframe, count, since)
        except Invalid as error:
            if error.code != "corrupt_file":
                raise
            # It stands aside now and is noted; what it held is fetched again.
            self._whole.discard((symbol, timeframe))
            self._asked.pop((symbol, timeframe), None)
            self._refresh(symbol, timeframe, count, since)

    def _refresh(self, symbol: str, timeframe: Timeframe, count: int | None, since: datetime | None) -> None:
        now = self._clock.now()
        key = symbol, timeframe
        self._use_source(key)
        if key not in self._whole:
            self._fill_holes(key, now)
        last = self._store.bars(symbol, timeframe, count=1)
        if not len(last):
            if self._may_ask(key, now):
                wanted: dict[str, Any] = {"since": since} if since is not None else {"count": count or 1}
                self._append(self._client.closed_bars(symbol, timeframe, now=now, **wanted), now)
                self._note_asked(key, now)
            return
        if self._can_be_newer(last, now) and self._may_ask(key, now):
            self._tail(key, last, now)
        self._front(key, count, since, now)

    def fill(
        self, symbol: str, timeframe: Timeframe, *, since: datetime, progress: Callable[[datetime], None]
    ) -> int:
        """Fetch older bars, from the oldest that is stored back to `since`; returns how many are new.

        Each piece is stored before the next is asked for, so a run that was cut off goes on where it
        stopped. Two pieces in a row without a bar are the beginning of the terminal's history.

        Args:
            symbol: Canonical symbol.
            timeframe: Of the bars.
            since: How far back.
            progress: Told down to when the bars are fetched.

        Raises:
            Unavailable: The terminal failed; what was fetched by then is stored.
        """
        before = self._count(symbol, timeframe)
        self.up_to_date(symbol, timeframe, count=1)
        reached = self._store.first_time(symbol, timeframe)
        piece, empty = timedelta(seconds=PIECE_BARS * timeframe.seconds), 0
        while reached is not None and reached > since and empty < _EMPTY_PIECES:
            start = max(since, reached - piece)
            now = self._clock.now()
            offered = self._client.closed_bars(symbol, timeframe, since=start, before=reached, now=now)
            offered = offered[: int(np.searchsorted(offered.time, int(reached.timestamp())))]
            self._append(offered, now)
            empty = 0 if len(offered) else empty + 1
            reached = start
            progress(reached)
        return self._count(symbol, timeframe) - before

    def _count(self, symbol: str, timeframe: Timeframe) -> int:
        return len(self._store.bars(symbol, timeframe))

    def source(self) -> str:
        """Name of the market that the terminal shows, believed for half a minute.

        Raises:
            Unavailable: The terminal failed.
        """
        wall = self._clock.wall()
        with self._guard:
            known = self._source
        if known is None or (wall - known[0]).total_seconds() > _SOURCE_SECONDS:
            known = (wall, self._client.source())
            with self._guard:
                self._source = known
        return known[1]

    # The newest end

    def _can_be_newer(self, last: Bars, now: datetime) -> bool:
        following = close_of(last.timeframe, last.server_time[-1])
        return int(close_of(last.timeframe, following)) <= self._server_clock.server_epoch(now)

    def _may_ask(self, key: _Series, now: datetime) -> bool:
        asked = self._asked.get(key)
        return asked is None or not asked[0] <= now < asked[1]

    def _note_asked(self, key: _Series, now: datetime) -> None:
        """After an answer: when the next bar can be there. A bar that has just ended can be at any time."""
        symbol, timeframe = key
        server_now = self._server_clock.server_epoch(now)
        forming = int(open_of(timeframe, server_now))
        last = self._store.bars(symbol, timeframe, count=1)
        newest = int(close_of(timeframe, last.server_time[-1])) if len(last) else 0
        if newest < forming and server_now < forming + CLOSED_AFTER_SECONDS:
            self._asked.pop(key, None)
            return
        self._asked[key] = (now, self._server_clock.utc_datetime(int(close_of(timeframe, forming))))

    def _tail(self, key: _Series, last: Bars, now: datetime) -> None:
        symbol, timeframe = key
        offered = self._client.closed_bars(symbol, timeframe, since=last.opened(0), now=now)
        if len(offered) and int(offered.time[0]) != int(last.time[0]):
            self._store.note(
                symbol,
                timeframe,
                "no_overlap",
                stored_until=iso(last.opened(0)),
                offered_from=iso(offered.opened(0)),
            )
        if differing_times(last, offered):
            self._reconcile(key, now)
        else:
            self._append(offered, now)
        self._note_asked(key, now)

    def _reconcile(self, key: _Series, now: datetime) -> None:
        """The last stored bar is not the terminal's: a late revision, or data of another market."""
        symbol, timeframe = key
        stored = self._store.bars(symbol, timeframe, count=_CHECKED_BARS)
        offered = self._client.closed_bars(symbol, timeframe, since=stored.opened(0), now=now)
        differing = differing_times(stored, offered)
        if differing == [int(stored.time[-1])]:
            self._append(offered, now, revise=True)
            return
        parked = self._store.park(symbol, timeframe)
        self._store.remember(symbol, timeframe, source=self._sourced.get(key))
        self._store.note(
            symbol,
            timeframe,
            "other_data",
            checked=len(stored),
            differing=len(differing),
            parked=parked.name,
            first=iso(from_epoch(differing[0])) if differing else None,
        )
        self._append(offered, now)

    # The oldest end

    def _front(self, key: _Series, count: int | None, since: datetime | None, now: datetime) -> None:
        symbol, timeframe = key
        missing = 0
        if count is not None:
            missing = count - len(self._store.bars(symbol, timeframe, until=now, count=count))
        if missing <= 0 and since is None:
            return
        first = self._store.first_time(symbol, timeframe)
        if first is None or (since is not None and first <= since):
            return
        mark = {"day": day(now), "first": iso(first)}
        if self._store.facts(symbol, timeframe).get("exhausted") == mark:
            return  # the terminal had nothing older today
        if since is not None:
            offered = self._client.closed_bars(symbol, timeframe, since=since, before=first, now=now)
        else:
            offered = self._client.closed_bars(symbol, timeframe, count=missing + 1, before=first, now=now)
        self._append(offered, now)
        reached = self._store.first_time(symbol, timeframe) or first
        short = since is not None or len(offered) <= missing
        if short and (since is None or reached > since):
            self._store.remember(symbol, timeframe, exhausted={"day": day(now), "first": iso(reached)})

    # Inside

    def _append(self, bars: Bars, now: datetime, *, revise: bool = False) -> None:
        good = plausible_prices(bars)
        if not good.all():
            bad = where(bars, ~good)
            self._store.note(
                bars.symbol,
                bars.timeframe,
                "bad_bars",
                count=len(bad),
                first=iso(bad.opened(0)),
                reason="impossible prices; not stored",
            )
            bars = where(bars, good)
        if len(bars):
            self._store.append(bars, until=now, revise=revise)

    def _fill_holes(self, key: _Series, now: datetime) -> None:
        symbol, timeframe = key
        for name, first, last in self._store.holes(symbol, timeframe):
            if first < now:
                filled = self._client.closed_bars(
                    symbol, timeframe, since=first, before=min(last, now), now=now
                )
                self._append(filled, now)
            self._store.close_hole(symbol, timeframe, name)
        self._whole.add(key)

    def _use_source(self, key: _Series) -> None:
        source = self.source()
        if self._sourced.get(key) != source:
            if self._store.use_source(*key, source):
                self._asked.pop(key, None)
                self._whole.discard(key)
            self._sourced[key] = source
