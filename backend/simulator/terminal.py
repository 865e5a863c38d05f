"""The simulated terminal: MetaTrader 5's interface over a market that is made up or played from files."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from backend.core.clock import require_utc
from backend.core.errors import DeskError, Unavailable
from backend.mt5 import constants as mt5
from backend.mt5.api import CallFailed
from backend.mt5.arguments import invalid
from backend.mt5.checked import CheckedApi
from backend.mt5.groups import in_group
from backend.mt5.mapping import exact
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import (
    AccountInfo,
    OrderCheckResult,
    OrderSendResult,
    Records,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from backend.simulator import copying, history, quoting, showing
from backend.simulator.broker import Broker
from backend.simulator.copying import read_count, read_timeframe
from backend.simulator.dealing_room import DealingRoom
from backend.simulator.ports import Market
from backend.simulator.prices import MarketPrices
from backend.simulator.statefile import BookFile
from backend.simulator.symbols import SymbolSpec
from backend.simulator.terms import BrokerTerms
from backend.trading.margin import margin
from backend.trading.profit import profit, to_cents
from backend.trading.sides import Side

VERSION = (500, 6231, "01 Jan 2026")
NOT_FOUND = "Terminal: Not found"
_WITHOUT_CONNECTION = frozenset({"initialize", "shutdown"})


class SimulatedTerminal(CheckedApi):
    """All 32 functions.

    Times in answers and arguments are server epochs, as from the real terminal. Calls are for one
    thread at a time; the connector sees to that.

    Args:
        market: Where prices come from.
        server_clock: The broker's clock.
        now: The present, aware; nothing later is ever shown.
        name: What the terminal calls itself; two markets have two names.
        terms: The account to be signed in to, the broker's changes to symbols, and its faults.
        file: Where the account's book is kept; None for memory alone.
        replays: The market is a replay, which may begin again.
    """

    def __init__(
        self,
        market: Market,
        *,
        server_clock: ServerClock,
        now: Callable[[], datetime],
        name: str = "MT5UI simulated terminal",
        terms: BrokerTerms | None = None,
        file: BookFile | None = None,
        replays: bool = False,
    ) -> None:
        super().__init__()
        self._name = name
        self.market = market
        self.server_clock = server_clock
        self._now = now
        terms = terms or BrokerTerms()
        self._account = terms.account
        self._faults = terms.faults
        self._specs = {spec.name: terms.applied(spec) for spec in market.symbols()}
        self._prices = MarketPrices(market, self._specs, self._account.currency)
        self._file = file
        self._replays = replays
        self._opened: DealingRoom | None = None
        self._selected = set(self._specs)
        self._connected = False

    def _call(self, function: str, *args: Any, **given: Any) -> Any:
        if not self._connected and function not in _WITHOUT_CONNECTION:
            raise CallFailed(mt5.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
        return getattr(self, f"_do_{function}")(*args, **given)

    def _at_ms(self) -> int:
        """The present on the server's clock, in milliseconds."""
        moment = require_utc(self._now())
        at_ms = self.server_clock.to_server_ms(int(moment.timestamp() * 1000))
        self._prices.move_to(at_ms)
        return at_ms

    @property
    def _room(self) -> DealingRoom:
        """The account; open once the terminal was connected."""
        if self._opened is None:
            raise CallFailed(mt5.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
        return self._opened

    def _open_account(self) -> None:
        """Open the account: not before somebody connects, since only then a replay's clock stands right."""
        try:
            self._opened = DealingRoom(
                self.market,
                self._prices,
                self._account,
                self._at_ms(),
                file=self._file,
                begins_again=self._replays,
                faults=self._faults,
            )
        except DeskError as refused:
            raise CallFailed(mt5.RES_E_FAIL, refused.message) from refused

    def _broker(self) -> AbstractContextManager[Broker]:
        return self._room.at(self._at_ms())

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
        if self._opened is None:
            self._open_account()
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
        connected = self._room.connected(self._at_ms())
        return showing.terminal_info(self._name, self._account, VERSION[1], connected=connected)

    def _do_account_info(self) -> AccountInfo:
        with self._broker() as broker:
            return showing.account_info(broker)

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
        return quoting.symbol_info(self.market, spec, self._prices, at_ms, selected=selected)

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

    # Trading.

    def _do_positions_total(self) -> int:
        with self._broker() as broker:
            return len(broker.book.positions)

    def _do_positions_get(self, **wanted: Any) -> tuple[TradePosition, ...]:
        with self._broker() as broker:
            found = history.filtered(broker.book.positions.values(), **wanted)
            return tuple(showing.position(one, broker.valuation) for one in found)

    def _do_orders_total(self) -> int:
        with self._broker() as broker:
            return len(broker.book.orders)

    def _do_orders_get(self, **wanted: Any) -> tuple[TradeOrder, ...]:
        with self._broker() as broker:
            found = history.filtered(broker.book.orders.values(), **wanted)
            return tuple(showing.order(one, self._prices) for one in found)

    def _do_history_orders_total(self, first: int, last: int) -> int:
        with self._broker() as broker:
            return len(history.done_between(broker.book.done, first, last))

    def _do_history_deals_total(self, first: int, last: int) -> int:
        with self._broker() as broker:
            return len(history.deals_between(broker.book.deals, first, last))

    def _do_history_orders_get(self, *dates: int, **wanted: Any) -> tuple[TradeOrder, ...]:
        with self._broker() as broker:
            found = history.wanted_orders(broker.book.done, dates, **wanted)
            return tuple(showing.order(one, self._prices) for one in found)

    def _do_history_deals_get(self, *dates: int, **wanted: Any) -> tuple[TradeDeal, ...]:
        with self._broker() as broker:
            found = history.wanted_deals(broker.book.deals, dates, **wanted)
            return tuple(showing.deal(one) for one in found)

    def _do_order_calc_margin(self, action: int, symbol: str, volume: float, price: float) -> float:
        spec = self._spec(symbol)
        if not mt5.ORDER_TYPE_BUY <= action <= mt5.ORDER_TYPE_SELL_STOP_LIMIT or not _above_zero(
            volume, price
        ):
            raise invalid("Terminal: Invalid params")
        self._at_ms()
        account, rates = self._account, self._prices.rates
        with _converted():
            taken = margin(
                spec.instrument, exact(volume), exact(price), account.leverage, account.currency, rates
            )
        return float(to_cents(taken, account.digits))

    def _do_order_calc_profit(
        self, action: int, symbol: str, volume: float, opened: float, closed: float
    ) -> float:
        spec = self._spec(symbol)
        sides = {mt5.ORDER_TYPE_BUY: Side.BUY, mt5.ORDER_TYPE_SELL: Side.SELL}
        if action not in sides or not _above_zero(volume, opened, closed):
            raise invalid("Terminal: Invalid params")
        self._at_ms()
        with _converted():
            how = self._prices.conversion(symbol)
            earned = profit(spec.instrument, sides[action], exact(volume), exact(opened), exact(closed), how)
        return float(to_cents(earned, self._account.digits))

    def _do_order_check(self, request: TradeRequest) -> OrderCheckResult:
        return self._room.check(request, self._at_ms())

    def _do_order_send(self, request: TradeRequest) -> OrderSendResult:
        return self._room.send(request, self._at_ms())


@contextlib.contextmanager
def _converted() -> Iterator[None]:
    """A missing rate fails the call."""
    try:
        yield
    except Unavailable as missing:
        raise CallFailed(mt5.RES_E_FAIL, f"Terminal: Call failed, {missing.message}") from None


def _above_zero(*numbers: float) -> bool:
    return all(0 < number < float("inf") for number in numbers)
