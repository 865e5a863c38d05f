"""A terminal that says what the test tells it to: bars, ticks, failures, all in server time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backend.core.timeframes import Timeframe, open_of
from backend.mt5 import constants as mt5
from backend.mt5.api import CallFailed
from backend.mt5.checked import CheckedApi
from backend.mt5.structures import (
    RATES_DTYPE,
    AccountInfo,
    Records,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradePosition,
)

NOT_CONNECTED = (mt5.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
TIMEFRAMES = {mt5.CONSTANTS[f"TIMEFRAME_{timeframe}"]: timeframe for timeframe in Timeframe}


def structure(kind: Any, **values: Any) -> Any:
    """One of the terminal's structures; fields that are not given are 0, 0.0, False or empty."""
    empty = {int: 0, float: 0.0, bool: False, str: ""}
    missing = {name: empty[of] for name, of in kind.__annotations__.items() if name not in values}
    return kind(**missing, **values)


def symbol_info(name: str = "EURUSD", **changes: Any) -> SymbolInfo:
    """A typical specification of EURUSD."""
    typical: dict[str, Any] = {
        "name": name,
        "description": "Euro vs US Dollar",
        "digits": 5,
        "point": 1e-05,
        "bid": 1.1,
        "ask": 1.1001,
        "trade_tick_size": 1e-05,
        "trade_tick_value": 1.0,
        "trade_tick_value_profit": 1.0,
        "trade_tick_value_loss": 1.0,
        "trade_contract_size": 100_000.0,
        "volume_min": 0.01,
        "volume_step": 0.01,
        "volume_max": 100.0,
        "currency_base": "EUR",
        "currency_profit": "USD",
        "currency_margin": "EUR",
        "trade_mode": 4,
        "swap_mode": 1,
        "swap_long": -7.35,
        "swap_short": 2.1,
        "swap_rollover3days": 3,
    }
    info: SymbolInfo = structure(SymbolInfo, **(typical | changes))
    return info


class FakeTerminal(CheckedApi):
    """Answers from what was put into it, and counts what it was asked.

    Attributes:
        infos: Specifications by broker symbol.
        ticks: Latest tick by broker symbol.
        rates: All bars it has, forming one included, by broker symbol and timeframe.
        down: The error that every call gives while it is set.
        hidden: Symbols that answer nothing until they are selected.
        calls: Function and arguments of each call, in order.
        connected: Whether initialize() has been called.
    """

    def __init__(self, *, connected: bool = True) -> None:
        super().__init__()
        self.infos: dict[str, SymbolInfo] = {}
        self.ticks: dict[str, Tick] = {}
        self.rates: dict[tuple[str, Timeframe], Records] = {}
        self.positions: tuple[TradePosition, ...] = ()
        self.down: tuple[int, str] | None = None
        self.hidden: set[str] = set()
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.connected = connected
        self.during: Callable[[str], None] = lambda _function: None
        self.server = "Fake-Server"

    def put_bars(
        self, name: str, timeframe: Timeframe, opens: Sequence[int], closes: Sequence[float] | None = None
    ) -> None:
        """Let it have bars with these server opens, of 10 ticks and a spread of 3 points each."""
        rates = np.zeros(len(opens), dtype=RATES_DTYPE)
        rates["time"] = opens
        close = np.asarray(closes if closes is not None else [1.1 + 0.0001 * i for i in range(len(opens))])
        rates["open"], rates["close"] = close - 0.00005, close
        rates["high"], rates["low"] = close + 0.0002, close - 0.0002
        rates["tick_volume"], rates["spread"] = 10, 3
        self.rates[name, timeframe] = rates

    def put_tick(self, name: str, server_ms: int, bid: float = 1.1, ask: float = 1.1001) -> None:
        """Let this be its latest tick."""
        self.ticks[name] = structure(Tick, time=server_ms // 1000, time_msc=server_ms, bid=bid, ask=ask)

    def asked(self, function: str) -> int:
        """How often a function was called."""
        return sum(1 for name, _ in self.calls if name == function)

    def _call(self, function: str, *args: Any, **given: Any) -> Any:
        self.calls.append((function, args))
        self.during(function)
        if self.down is not None:
            raise CallFailed(*self.down)
        if function == "initialize":
            self.connected = True
            return True
        if not self.connected:
            raise CallFailed(*NOT_CONNECTED)
        return getattr(self, f"_{function}")(*args, **given)

    def _known(self, name: str) -> str:
        if name not in self.infos or name in self.hidden:
            raise CallFailed(mt5.RES_E_NOT_FOUND, "Terminal: Not found")
        return name

    def _shutdown(self) -> None:
        self.connected = False

    def _version(self) -> tuple[int, int, str]:
        return (500, 6231, "01 Jan 2026")

    def _terminal_info(self) -> TerminalInfo:
        info: TerminalInfo = structure(
            TerminalInfo, connected=True, name="Fake", company="Fakes", maxbars=100_000, ping_last=1500
        )
        return info

    def _account_info(self) -> AccountInfo:
        info: AccountInfo = structure(
            AccountInfo,
            login=7,
            server=self.server,
            currency="USD",
            leverage=100,
            balance=1000.0,
            equity=1010.0,
            margin_mode=mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
        )
        return info

    def _symbols_total(self) -> int:
        return len(self.infos)

    def _symbols_get(self, group: str = "*") -> tuple[SymbolInfo, ...]:
        return tuple(self.infos.values())

    def _symbol_info(self, name: str) -> SymbolInfo:
        return self.infos[self._known(name)]

    def _symbol_info_tick(self, name: str) -> Tick:
        if self._known(name) not in self.ticks:
            raise CallFailed(mt5.RES_E_NOT_FOUND, "Terminal: Not found")
        return self.ticks[name]

    def _symbol_select(self, name: str, enable: bool = True) -> bool:
        self.hidden.discard(name)
        return self._known(name) == name

    def _positions_get(self, **_given: Any) -> tuple[TradePosition, ...]:
        return self.positions

    def _positions_total(self) -> int:
        return len(self.positions)

    def _bars(self, name: str, code: int) -> Records:
        return self.rates.get((self._known(name), TIMEFRAMES[code]), np.zeros(0, dtype=RATES_DTYPE))

    def _copy_rates_from_pos(self, name: str, code: int, position: int, count: int) -> Records:
        bars = self._bars(name, code)
        end = len(bars) - position
        return bars[max(0, end - count) : max(0, end)].copy()

    def _copy_rates_from(self, name: str, code: int, date: int, count: int) -> Records:
        bars = self._bars(name, code)
        return bars[bars["time"] <= date][-count:].copy()

    def _copy_rates_range(self, name: str, code: int, first: int, last: int) -> Records:
        bars = self._bars(name, code)
        opens = open_of(TIMEFRAMES[code], bars["time"])
        inside: Records = bars[(opens >= first) & (opens <= last)].copy()
        return inside
