"""The simulated terminal: MetaTrader 5's interface over a market that is made up or played from files."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from backend.core.clock import require_utc
from backend.mt5 import constants as mt5
from backend.mt5.api import CallFailed
from backend.mt5.arguments import invalid
from backend.mt5.checked import CheckedApi
from backend.mt5.groups import in_group
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import (
    AccountInfo,
    OrderCheckResult,
    OrderSendResult,
    Records,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeRequest,
)
from backend.simulator import copying, quoting
from backend.simulator.account import SimulatedAccount
from backend.simulator.checking import refusal
from backend.simulator.copying import read_count, read_timeframe
from backend.simulator.ports import Market
from backend.simulator.symbols import SymbolSpec
from backend.trading.sides import Side

VERSION = (500, 6231, "01 Jan 2026")
NOT_FOUND = "Terminal: Not found"
_WITHOUT_CONNECTION = frozenset({"initialize", "shutdown"})
_NO_TRADING = (mt5.TRADE_RETCODE_TRADE_DISABLED, "Trade disabled: the simulated broker does not deal yet")


class SimulatedTerminal(CheckedApi):
    """All 32 functions. What it reads is complete; it deals nothing and says so (retcode 10017).

    Times in answers and arguments are server epochs, as from the real terminal. Calls are for one
    thread at a time; the connector sees to that.

    Args:
        market: Where prices come from.
        server_clock: The broker's clock.
        now: The present, aware; nothing later is ever shown.
        name: What the terminal calls itself; two markets have two names.
        account: The account to be signed in to.
    """

    def __init__(
        self,
        market: Market,
        *,
        server_clock: ServerClock,
        now: Callable[[], datetime],
        name: str = "MT5UI simulated terminal",
        account: SimulatedAccount | None = None,
    ) -> None:
        super().__init__()
        self._name = name
        self.market = market
        self.server_clock = server_clock
        self._now = now
        self._account = account or SimulatedAccount()
        self._specs = {spec.name: spec for spec in market.symbols()}
        self._selected = set(self._specs)
        self._connected = False
        self._requests = 0

    def _call(self, function: str, *args: Any, **given: Any) -> Any:
        if not self._connected and function not in _WITHOUT_CONNECTION:
            raise CallFailed(mt5.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
        return getattr(self, f"_do_{function}")(*args, **given)

    def _at_ms(self) -> int:
        """The present on the server's clock, in milliseconds."""
        moment = require_utc(self._now())
        return self.server_clock.to_server_ms(int(moment.timestamp() * 1000))

    def _spec(self, symbol: str) -> SymbolSpec:
        try:
            return self._specs[symbol]
        except KeyError:
            raise CallFailed(mt5.RES_E_NOT_FOUND, NOT_FOUND) from None

    # The session.

    def _do_initialize(self, _path: str = "", **given: Any) -> bool:
        self._connected = False
        if given.get("login"):
            self._sign_in(given["login"], given.get("server", ""))
        self._connected = True
        return True

    def _do_login(self, login: int, **given: Any) -> bool:
        self._sign_in(login, given.get("server", ""))
        return True

    def _sign_in(self, login: int, server: str) -> None:
        if login != self._account.login or server not in {"", self._account.server}:
            raise CallFailed(mt5.RES_E_AUTH_FAILED, "Terminal: Authorization failed")

    def _do_shutdown(self) -> None:
        self._connected = False

    def _do_version(self) -> tuple[int, int, str]:
        return VERSION

    def _do_terminal_info(self) -> TerminalInfo:
        return TerminalInfo(
            community_account=False,
            community_connection=False,
            connected=True,
            dlls_allowed=False,
            trade_allowed=True,
            tradeapi_disabled=False,
            email_enabled=False,
            ftp_enabled=False,
            notifications_enabled=False,
            mqid=False,
            build=VERSION[1],
            maxbars=copying.MAX_BARS,
            codepage=0,
            ping_last=0,
            community_balance=0.0,
            retransmission=0.0,
            company=self._account.company,
            name=self._name,
            language="English",
            path="",
            data_path="",
            commondata_path="",
        )

    def _do_account_info(self) -> AccountInfo:
        account = self._account
        return AccountInfo(
            login=account.login,
            trade_mode=mt5.ACCOUNT_TRADE_MODE_DEMO,
            leverage=account.leverage,
            limit_orders=200,
            margin_so_mode=mt5.ACCOUNT_STOPOUT_MODE_PERCENT,
            trade_allowed=False,
            trade_expert=False,
            margin_mode=mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
            currency_digits=2,
            fifo_close=False,
            balance=account.balance,
            credit=0.0,
            profit=0.0,
            equity=account.balance,
            margin=0.0,
            margin_free=account.balance,
            margin_level=0.0,
            margin_so_call=account.margin_call,
            margin_so_so=account.stop_out,
            margin_initial=0.0,
            margin_maintenance=0.0,
            assets=0.0,
            liabilities=0.0,
            commission_blocked=0.0,
            name=account.name,
            server=account.server,
            currency=account.currency,
            company=account.company,
        )

    # Symbols and prices.

    def _do_symbols_total(self) -> int:
        return len(self._specs)

    def _do_symbols_get(self, group: str = "*") -> tuple[SymbolInfo, ...]:
        at_ms = self._at_ms()
        return tuple(self._info(spec, at_ms) for spec in self._specs.values() if in_group(spec.name, group))

    def _do_symbol_info(self, symbol: str) -> SymbolInfo:
        return self._info(self._spec(symbol), self._at_ms())

    def _info(self, spec: SymbolSpec, at_ms: int) -> SymbolInfo:
        selected = spec.name in self._selected
        return quoting.symbol_info(self.market, spec, self._account.currency, at_ms, selected=selected)

    def _do_symbol_info_tick(self, symbol: str) -> Tick:
        tick = quoting.last_tick(self.market, self._spec(symbol), self._at_ms())
        if tick is None:
            raise CallFailed(mt5.RES_E_NOT_FOUND, NOT_FOUND)
        return tick

    def _do_symbol_select(self, symbol: str, enable: bool = True) -> bool:  # noqa: FBT001, FBT002 - the module's shape
        name = self._spec(symbol).name
        if enable:
            self._selected.add(name)
        else:
            self._selected.discard(name)
        return True

    def _no_depth(self, symbol: str) -> Any:
        self._spec(symbol)
        raise CallFailed(mt5.RES_E_FAIL, "Terminal: Call failed")  # foreign exchange shows no depth

    _do_market_book_add = _do_market_book_get = _do_market_book_release = _no_depth

    # History of prices.

    def _do_copy_rates_from(self, symbol: str, code: int, until: int, count: int) -> Records:
        spec, timeframe = self._spec(symbol), read_timeframe(code)
        bars = copying.rates_back(self.market, spec.name, timeframe, until, read_count(count), self._at_ms())
        return bars.records()

    def _do_copy_rates_from_pos(self, symbol: str, code: int, position: int, count: int) -> Records:
        spec, timeframe = self._spec(symbol), read_timeframe(code)
        bars = copying.rates_from_pos(
            self.market, spec.name, timeframe, position, read_count(count), self._at_ms()
        )
        return bars.records()

    def _do_copy_rates_range(self, symbol: str, code: int, first: int, last: int) -> Records:
        spec, timeframe = self._spec(symbol), read_timeframe(code)
        return copying.rates_between(self.market, spec.name, timeframe, first, last, self._at_ms()).records()

    def _do_copy_ticks_from(self, symbol: str, first: int, count: int, flags: int) -> Records:
        spec = self._spec(symbol)
        return copying.ticks_from(self.market, spec.name, first, read_count(count), flags, self._at_ms())

    def _do_copy_ticks_range(self, symbol: str, first: int, last: int, flags: int) -> Records:
        return copying.ticks_between(self.market, self._spec(symbol).name, first, last, flags, self._at_ms())

    # Trading: nothing is dealt yet, so there is nothing to list.

    def _none_there(self, *_args: Any, **_given: Any) -> int:
        return 0

    def _nothing_there(self, *_args: Any, **_given: Any) -> tuple[Any, ...]:
        return ()

    _do_orders_total = _do_positions_total = _do_history_orders_total = _do_history_deals_total = _none_there
    _do_orders_get = _do_positions_get = _do_history_orders_get = _do_history_deals_get = _nothing_there

    def _do_order_calc_margin(self, action: int, symbol: str, volume: float, price: float) -> float:
        spec = self._spec(symbol)
        if not mt5.ORDER_TYPE_BUY <= action <= mt5.ORDER_TYPE_SELL_STOP_LIMIT or not _above_zero(
            volume, price
        ):
            raise invalid("Terminal: Invalid params")
        account = self._account
        return quoting.margin_of(
            self.market, spec, volume, price, account.leverage, account.currency, self._at_ms()
        )

    def _do_order_calc_profit(
        self, action: int, symbol: str, volume: float, opened: float, closed: float
    ) -> float:
        spec = self._spec(symbol)
        sides = {mt5.ORDER_TYPE_BUY: Side.BUY, mt5.ORDER_TYPE_SELL: Side.SELL}
        if action not in sides or not _above_zero(volume, opened, closed):
            raise invalid("Terminal: Invalid params")
        currency, at_ms = self._account.currency, self._at_ms()
        return quoting.profit_of(self.market, spec, sides[action], volume, (opened, closed), currency, at_ms)

    def _verdict(self, request: TradeRequest) -> tuple[int, str, Tick | None]:
        at_ms = self._at_ms()
        spec = self._specs.get(request.symbol)
        tick = quoting.last_tick(self.market, spec, at_ms) if spec else None
        code, comment = refusal(request, spec, tick, at_ms // 1000) or _NO_TRADING
        return code, comment, tick

    def _do_order_check(self, request: TradeRequest) -> OrderCheckResult:
        code, comment, _ = self._verdict(request)
        balance = self._account.balance
        return OrderCheckResult(code, balance, balance, 0.0, 0.0, balance, 0.0, comment, request)

    def _do_order_send(self, request: TradeRequest) -> OrderSendResult:
        code, comment, tick = self._verdict(request)
        self._requests += 1
        bid, ask = (tick.bid, tick.ask) if tick else (0.0, 0.0)
        return OrderSendResult(code, 0, 0, 0.0, 0.0, bid, ask, comment, self._requests, 0, request)


def _above_zero(*numbers: float) -> bool:
    return all(0 < number < float("inf") for number in numbers)
