"""MT5Client: the desk's words for what a terminal says.

The one place where server time becomes UTC, a broker's symbol a canonical one, and a failed call an
error: None, False and zero prices never pass as data.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import numpy as np

from backend.core.bars import Bars, empty_bars
from backend.core.clock import from_epoch, require_utc
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.core.instruments import Instrument
from backend.core.quotes import Quote
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.mt5 import constants
from backend.mt5.account import (
    Account,
    OffsetVerdict,
    Position,
    ServerOffset,
    TerminalStatus,
)
from backend.mt5.api import Mt5Api
from backend.mt5.mapping import (
    account_of,
    digits_price,
    instrument_of,
    position_of,
    status_of,
)
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import Records, SymbolInfo, Tick

CLOSED_AFTER_SECONDS = 10  # without a newer tick, a bar is closed so long after its end
UNREACHABLE = frozenset(
    {
        constants.RES_E_INTERNAL_FAIL,
        constants.RES_E_INTERNAL_FAIL_SEND,
        constants.RES_E_INTERNAL_FAIL_RECEIVE,
        constants.RES_E_INTERNAL_FAIL_INIT,
        constants.RES_E_INTERNAL_FAIL_CONNECT,
        constants.RES_E_INTERNAL_FAIL_TIMEOUT,
    }
)
_CODES = {
    constants.RES_E_AUTH_FAILED: "terminal_authorization",
    constants.RES_E_INVALID_VERSION: "terminal_version",
    constants.RES_E_AUTO_TRADING_DISABLED: "terminal_trading_disabled",
}
_NOT_INITIALIZED = (constants.RES_E_INTERNAL_FAIL_CONNECT,)
_CHUNK_BARS = 20_000  # of one request, so that no call holds the terminal long
_DAY = 86_400
_QUARTER = 900
_FRESH_SECONDS = 60
_LOOKS = 4  # for a tick to advance
_LOOK_PAUSE = 0.5

T = TypeVar("T")


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
        self._api = api
        self._symbols = symbols
        self._server_clock = server_clock
        self._pause = pause
        self._digits: dict[str, int] = {}

    @property
    def api(self) -> Mt5Api:
        """The terminal itself."""
        return self._api

    # Symbols and prices

    def instrument(self, symbol: str) -> Instrument:
        """The symbol's specification as the broker states it now."""
        return instrument_of(self._symbol_info(symbol), symbol)

    def instruments(self, symbols: Iterable[str]) -> list[Instrument]:
        """The specifications of several symbols."""
        return [self.instrument(symbol) for symbol in symbols]

    def broker_symbols(self) -> tuple[str, ...]:
        """Names of all symbols that the broker has."""
        infos = self._ask("symbols_get", self._api.symbols_get)
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
            self._select(name)
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
            bars = self._rates(name, Timeframe.M1, lambda *key: self._api.copy_rates_from_pos(*key, 0, 1))
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
        name = self._symbols.broker_symbol(symbol)
        if since is not None:
            records = self._since(name, timeframe, since, before if before is not None else now)
        elif before is not None:
            start = self._server_clock.server_epoch(before)
            records = self._rates(
                name, timeframe, lambda *key: self._api.copy_rates_from(*key, start, int(count or 0))
            )
        else:
            records = self._rates(  # two more: the forming bar, and one that just ended without a newer tick
                name, timeframe, lambda *key: self._api.copy_rates_from_pos(*key, 0, int(count or 0) + 2)
            )
        records = records[: self._closed(name, timeframe, records, now)]
        bars = self._bars(symbol, timeframe, records)
        return bars if count is None or len(bars) <= count else bars[len(bars) - count :]

    # Account and terminal

    def account(self) -> Account:
        """The account."""
        return account_of(self._ask("account_info", self._api.account_info))

    def positions(self) -> tuple[Position, ...]:
        """All open positions, ours and others'."""
        found = self._ask("positions_get", self._api.positions_get)
        return tuple(position_of(one, self._symbols.canonical(one.symbol), self._utc_ms) for one in found)

    def terminal(self) -> TerminalStatus:
        """The terminal and what it lets programs do."""
        return status_of(self._ask("terminal_info", self._api.terminal_info))

    def source(self) -> str:
        """Names where bars come from: two terminals with the same name have the same history."""
        terminal = self._ask("terminal_info", self._api.terminal_info)
        account = self._ask("account_info", self._api.account_info)
        return f"{terminal.company} | {terminal.name} | {account.server} | {self._server_clock.rule}"

    def check_server_clock(self, symbols: Iterable[str], *, now: datetime) -> ServerOffset:
        """Measure the broker's clock from its ticks and compare it with the rule.

        Only a tick that keeps the rule to the minute, or one seen to advance while looking, is evidence:
        at the weekend the answer is "unknown", never an offset from an old tick.
        """
        names = [self._symbols.broker_symbol(symbol) for symbol in symbols]
        utc = require_utc(now).timestamp()
        expected = int(self._server_clock.offset_at_utc(int(utc)))
        first = newest = self._newest_tick(names)
        if newest and abs(newest / 1000 - utc - expected) <= _FRESH_SECONDS:
            return self._verdict(
                OffsetVerdict.AGREES, expected, expected, newest, "fresh ticks keep the rule"
            )
        for _ in range(_LOOKS):
            if newest > first or not names:
                break
            self._pause(_LOOK_PAUSE)
            newest = self._newest_tick(names)
        if not newest or newest == first:
            return self._verdict(
                OffsetVerdict.UNKNOWN,
                expected,
                None,
                newest,
                "no fresh tick to measure from: the market is closed or quiet",
            )
        measured = round((newest / 1000 - utc) / _QUARTER) * _QUARTER
        verdict = OffsetVerdict.AGREES if measured == expected else OffsetVerdict.DIFFERS
        reason = (
            "fresh ticks keep the rule"
            if measured == expected
            else f"fresh ticks say server = UTC{measured / 3600:+g} h, the rule says {expected / 3600:+g} h; "
            "correct MT5UI_SERVER_CLOCK or this computer's clock"
        )
        return self._verdict(verdict, expected, measured, newest, reason)

    # Inside

    def _ask(self, function: str, call: Callable[[], T | None]) -> T:
        """The answer of a call; a terminal that was not connected yet is connected once."""
        answer = self._try(function, call)
        if answer is None and self._api.last_error()[0] in _NOT_INITIALIZED and self._api.initialize():
            answer = self._try(function, call)
        if answer is None:
            raise failure(function, self._api.last_error())
        return answer

    @staticmethod
    def _try(function: str, call: Callable[[], T | None]) -> T | None:
        try:
            return call()
        except SystemError as error:
            raise Invalid(
                "terminal_arguments", f"{function}: the terminal could not read its arguments: {error}"
            ) from error

    def _symbol_info(self, symbol: str) -> SymbolInfo:
        name = self._symbols.broker_symbol(symbol)
        info = self._try("symbol_info", lambda: self._api.symbol_info(name))
        if info is None or info.bid <= 0:
            self._select(name)
            info = self._ask_symbol("symbol_info", symbol, name, lambda: self._api.symbol_info(name))
        self._digits[symbol] = info.digits
        return info

    def _tick(self, symbol: str, name: str) -> Tick:
        tick = self._try("symbol_info_tick", lambda: self._api.symbol_info_tick(name))
        if tick is None:
            self._select(name)
            tick = self._ask_symbol(
                "symbol_info_tick", symbol, name, lambda: self._api.symbol_info_tick(name)
            )
        return tick

    def _ask_symbol(self, function: str, symbol: str, name: str, call: Callable[[], T | None]) -> T:
        try:
            return self._ask(function, call)
        except Unavailable as error:
            if error.details.get("terminal_code") == constants.RES_E_NOT_FOUND:
                raise NotFound(
                    "unknown_symbol",
                    f"{symbol}: the broker has no symbol {name!r}; correct its broker_symbol in the symbol map",
                    symbol=symbol,
                    broker_symbol=name,
                ) from error
            raise

    def _select(self, name: str) -> None:
        self._try("symbol_select", lambda: self._api.symbol_select(name, True))  # what it says next decides

    def _rates(self, name: str, timeframe: Timeframe, call: Callable[[str, int], Records | None]) -> Records:
        number = constants.CONSTANTS[f"TIMEFRAME_{timeframe}"]
        return self._ask_symbol("copy_rates", name, name, lambda: call(name, number))

    def _since(self, name: str, timeframe: Timeframe, since: datetime, until: datetime) -> Records:
        """Bars from `since` on, in pieces; each piece ends before the next one's first open."""
        first = max(self._server_clock.server_epoch(since), 1)
        last = self._server_clock.server_epoch(until) + 1
        step = _CHUNK_BARS * timeframe.seconds
        pieces = []
        for start in range(first, last, step):
            end = min(start + step, last) - 1
            pieces.append(
                self._rates(
                    name,
                    timeframe,
                    lambda *key, a=start, b=end: self._api.copy_rates_range(*key, a, b),  # type: ignore[misc]
                )
            )
        if not pieces:
            return np.empty(0, dtype=[("time", "<i8")])
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def _closed(self, name: str, timeframe: Timeframe, records: Records, now: datetime) -> int:
        """How many of the records, from the first on, are closed."""
        server_now = self._server_clock.server_epoch(now)
        # All that opened before the bar which holds this instant have ended.
        ended = int(np.searchsorted(records["time"], open_of(timeframe, server_now)))
        if not ended:
            return 0
        end = int(close_of(timeframe, records["time"][ended - 1]))
        if ended < len(records) or server_now >= end + CLOSED_AFTER_SECONDS:
            return ended  # a newer bar is a newer tick
        tick = self._ask_symbol("symbol_info_tick", name, name, lambda: self._api.symbol_info_tick(name))
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

    def _newest_tick(self, names: list[str]) -> int:
        """Server time of the newest tick in milliseconds; 0 if there is none."""
        newest = 0
        for name in names:
            tick = self._try("symbol_info_tick", lambda name=name: self._api.symbol_info_tick(name))  # type: ignore[misc]
            if tick is not None:
                newest = max(newest, tick.time_msc or tick.time * 1000)
        if not newest:
            self._ask("terminal_info", self._api.terminal_info)  # a terminal that is down is no quiet market
        return newest

    def _verdict(
        self, verdict: OffsetVerdict, expected: int, measured: int | None, newest: int, reason: str
    ) -> ServerOffset:
        return ServerOffset(
            verdict=verdict,
            rule=self._server_clock.rule,
            expected_seconds=expected,
            measured_seconds=measured,
            tick_time=self._utc_ms(newest) if newest else None,
            reason=reason,
        )

    def _utc_ms(self, server_ms: int) -> datetime:
        milliseconds = self._server_clock.to_utc_ms(int(server_ms))
        return from_epoch(milliseconds // 1000) + timedelta(milliseconds=milliseconds % 1000)


def failure(function: str, error: tuple[int, str]) -> Unavailable:
    """The error of a call that gave None or False."""
    code, text = error
    name = "terminal_unreachable" if code in UNREACHABLE else _CODES.get(code, "terminal_error")
    return Unavailable(
        name,
        f"the terminal failed in {function}: {text} ({code})",
        terminal_code=code,
        terminal_message=text,
        function=function,
    )
