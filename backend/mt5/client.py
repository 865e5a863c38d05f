"""MT5Client: the desk's words for what a terminal says.

The one place where server time becomes UTC, a broker's symbol a canonical one, and a failed call an
error: None, False and zero prices never pass as data.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

import numpy as np

from backend.core.bars import Bars, empty_bars
from backend.core.errors import Invalid, Unavailable
from backend.core.instruments import Instrument
from backend.core.quotes import Quote
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.mt5.account import Account, Position, TerminalStatus
from backend.mt5.api import Mt5Api
from backend.mt5.asking import Asker
from backend.mt5.mapping import (
    account_of,
    digits_price,
    instrument_of,
    position_of,
    status_of,
)
from backend.mt5.offset import ServerOffset, check_offset
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import RATES_DTYPE, Records, SymbolInfo, Tick

CLOSED_AFTER_SECONDS = 10  # without a newer tick, a bar is closed so long after its end
_CHUNK_BARS = 20_000  # of one request, so that no call holds the terminal long


class SymbolNames(Protocol):
    """What the client needs of the symbol map."""

    def broker_symbol(self, canonical: str) -> str:
        """The broker's name; `NotFound` if unknown."""

    def canonical(self, broker_symbol: str) -> str | None:
        """The desk's name; None if unknown."""


class MT5Client:
    """Asks a terminal and answers in UTC, canonical symbols and exact numbers.

    Every method raises `Unavailable` with `terminal_code` and `terminal_message` when the terminal fails
    (codes ``terminal_unreachable``, ``terminal_error``, ``terminal_authorization`` …), and `NotFound`
    (``unknown_symbol``) for a symbol that the map or the broker does not have.

    Args:
        api: Any terminal.
        symbols: The symbol map.
        server_clock: Rule of the broker's clock.
        pause: Waits so many seconds; only the check of the broker's clock does.
    """

    def __init__(
        self,
        api: Mt5Api,
        symbols: SymbolNames,
        server_clock: ServerClock,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._asker = Asker(api)
        self._symbols = symbols
        self._server_clock = server_clock
        self._pause = pause
        self._digits: dict[str, int] = {}

    @property
    def api(self) -> Mt5Api:
        """The terminal itself."""
        return self._asker.api

    @property
    def server_clock(self) -> ServerClock:
        """Rule of the broker's clock."""
        return self._server_clock

    # Symbols and prices

    def instrument(self, symbol: str) -> Instrument:
        """The symbol's specification as the broker states it now."""
        return instrument_of(self._symbol_info(symbol), symbol)

    def instruments(self, symbols: Iterable[str]) -> list[Instrument]:
        """The specifications of several symbols."""
        return [self.instrument(symbol) for symbol in symbols]

    def broker_symbols(self) -> tuple[str, ...]:
        """Names of all symbols that the broker has."""
        infos = self._asker.answer("symbols_get", self.api.symbols_get)
        return tuple(info.name for info in infos)

    def quote(self, symbol: str, *, with_volume: bool = False) -> Quote:
        """The latest tick.

        Args:
            symbol: Canonical symbol.
            with_volume: Also ask for the tick volume of the current minute.

        Raises:
            Unavailable: Also with code ``no_price`` if the broker has none for it.
        """
        name = self._symbols.broker_symbol(symbol)
        tick = self._tick(symbol, name)
        if tick.bid <= 0 or tick.ask <= 0:
            self._asker.select(name)
            tick = self._tick(symbol, name)
        if tick.bid <= 0 or tick.ask <= 0:
            raise Unavailable(
                "no_price", f"{symbol}: the terminal has no price for {name} yet", symbol=symbol
            )
        digits = self._digits.get(symbol)
        if digits is None:
            digits = self._symbol_info(symbol).digits
        volume = None
        if with_volume:
            bars = self._rates("copy_rates_from_pos", symbol, Timeframe.M1, 0, 1)
            volume = int(bars["tick_volume"][-1]) if len(bars) else None
        return Quote(
            symbol=symbol,
            time=self._utc_ms(tick.time_msc or tick.time * 1000),
            bid=digits_price(tick.bid, digits),
            ask=digits_price(tick.ask, digits),
            volume=volume,
        )

    def closed_bars(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        since: datetime | None = None,
        count: int | None = None,
        before: datetime | None = None,
        now: datetime,
    ) -> Bars:
        """Bars that have closed by `now`, ascending; the forming bar is never among them.

        A bar is closed when the server's clock is past its end and a newer tick exists, or 10 s after
        its end.

        Args:
            symbol: Canonical symbol.
            timeframe: Of the bars.
            since: Bars that opened then or later; asked in pieces.
            count: Or so many of the latest.
            before: With `count`: so many that opened at this time or earlier, instead of the latest. With
                `since`: none that opened later.
            now: Desk time.

        Raises:
            Invalid: If neither or both of `since` and `count` are given.
        """
        if (since is None) == (count is None):
            raise Invalid("bad_request", "closed_bars takes either since or count")
        if since is not None:
            records = self._since(symbol, timeframe, since, before if before is not None else now)
        elif before is not None:
            start = self._server_clock.server_epoch(before)
            records = self._rates("copy_rates_from", symbol, timeframe, start, int(count or 0))
        else:  # two more: the forming bar, and one that just ended without a newer tick
            records = self._rates("copy_rates_from_pos", symbol, timeframe, 0, int(count or 0) + 2)
        records = records[: self._closed(symbol, timeframe, records, now)]
        bars = self._bars(symbol, timeframe, records)
        return bars if count is None or len(bars) <= count else bars[len(bars) - count :]

    # Account and terminal

    def account(self) -> Account:
        """The account."""
        return account_of(self._asker.answer("account_info", self.api.account_info))

    def positions(self) -> tuple[Position, ...]:
        """All open positions, ours and others'."""
        found = self._asker.answer("positions_get", self.api.positions_get)
        return tuple(position_of(one, self._symbols.canonical(one.symbol), self._utc_ms) for one in found)

    def position(self, ticket: int) -> Position | None:
        """The open position of a ticket; None if there is none."""
        found = self._asker.answer("positions_get", lambda: self.api.positions_get(ticket=ticket))
        rows = [position_of(one, self._symbols.canonical(one.symbol), self._utc_ms) for one in found]
        return rows[0] if rows else None

    def terminal(self) -> TerminalStatus:
        """The terminal and what it lets programs do."""
        return status_of(self._asker.answer("terminal_info", self.api.terminal_info))

    def common_folder(self) -> str:
        """The folder that all terminals of the machine share, in the words of the terminal's own system."""
        found: str = self._asker.answer("terminal_info", self.api.terminal_info).commondata_path
        return found

    def source(self) -> str:
        """Names where bars come from: two terminals with the same name have the same history."""
        terminal = self._asker.answer("terminal_info", self.api.terminal_info)
        account = self._asker.answer("account_info", self.api.account_info)
        return f"{terminal.company} | {terminal.name} | {account.server} | {self._server_clock.rule}"

    def check_server_clock(self, symbols: Iterable[str], *, now: datetime) -> ServerOffset:
        """Measure the broker's clock from its ticks and compare it with the rule.

        Only a tick that keeps the rule to the minute, or one seen to advance while looking, is evidence:
        at the weekend the answer is "unknown", never an offset from an old tick.
        """
        names = [self._symbols.broker_symbol(symbol) for symbol in symbols]
        return check_offset(self._asker, names, self._server_clock, now, self._pause)

    # Inside

    def _symbol_info(self, symbol: str) -> SymbolInfo:
        name = self._symbols.broker_symbol(symbol)
        api = self._asker.api
        info = self._asker.answer_symbol("symbol_info", symbol, name, lambda: api.symbol_info(name))
        if info.bid <= 0:
            self._asker.select(name)
            info = self._asker.answer_symbol("symbol_info", symbol, name, lambda: api.symbol_info(name))
        self._digits[symbol] = info.digits
        return info

    def _tick(self, symbol: str, name: str) -> Tick:
        return self._asker.answer_symbol(
            "symbol_info_tick", symbol, name, lambda: self._asker.api.symbol_info_tick(name)
        )

    def _rates(self, function: str, symbol: str, timeframe: Timeframe, *rest: int) -> Records:
        name = self._symbols.broker_symbol(symbol)
        return self._asker.rates(function, symbol, name, timeframe, *rest)

    def _since(self, symbol: str, timeframe: Timeframe, since: datetime, until: datetime) -> Records:
        """Bars from `since` on, in pieces; each piece ends before the next one's first open."""
        first = max(self._server_clock.server_epoch(since), 1)
        last = self._server_clock.server_epoch(until) + 1
        step = _CHUNK_BARS * timeframe.seconds
        pieces = [
            self._rates("copy_rates_range", symbol, timeframe, start, min(start + step, last) - 1)
            for start in range(first, last, step)
        ]
        if not pieces:
            return np.empty(0, dtype=RATES_DTYPE)
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def _closed(self, symbol: str, timeframe: Timeframe, records: Records, now: datetime) -> int:
        """How many of the records, from the first on, are closed."""
        server_now = self._server_clock.server_epoch(now)
        # All that opened before the bar which holds this instant have ended.
        ended = int(np.searchsorted(records["time"], open_of(timeframe, server_now)))
        if not ended:
            return 0
        end = int(close_of(timeframe, records["time"][ended - 1]))
        if ended < len(records) or server_now >= end + CLOSED_AFTER_SECONDS:
            return ended  # a newer bar is a newer tick
        tick = self._tick(symbol, self._symbols.broker_symbol(symbol))
        return ended if tick.time >= end else ended - 1

    def _bars(self, symbol: str, timeframe: Timeframe, records: Records) -> Bars:
        if not len(records):
            return empty_bars(symbol, timeframe)
        server = records["time"].astype(np.int64)
        return Bars(
            symbol=symbol,
            timeframe=timeframe,
            time=self._server_clock.to_utc(server),
            server_time=server,
            open=records["open"].astype(np.float64),
            high=records["high"].astype(np.float64),
            low=records["low"].astype(np.float64),
            close=records["close"].astype(np.float64),
            volume=records["tick_volume"].astype(np.int64),
            spread=records["spread"].astype(np.int64),
        )

    def _utc_ms(self, server_ms: int) -> datetime:
        return self._server_clock.utc_datetime_ms(server_ms)
