"""The broker's account without a terminal: driven bar by bar in memory, over prices that the caller has.

The same requests, rules and money as behind the terminal. One step is one bar of each symbol that has
one: `begin` shows its open (gaps are filled there, and what is sent now is dealt at the open), `end` the
rest of it, read worst-first, and leaves the close as the price.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from backend.core.errors import Invalid
from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact
from backend.mt5.structures import (
    AccountInfo,
    OrderCheckResult,
    OrderSendResult,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from backend.simulator import showing
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book
from backend.simulator.broker import Broker
from backend.simulator.prices import Prices, Quote
from backend.simulator.symbols import SymbolSpec
from backend.simulator.walking import Calendar
from backend.simulator.ways import Candle, Move


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenBar:
    """One bar: exact prices of both sides.

    Attributes:
        time: Server epoch of the open, seconds.
        bid: Bid prices.
        ask: Ask prices.
    """

    time: int
    bid: Candle
    ask: Candle


class DrivenAccount:
    """A simulated account that stands where its caller has brought it.

    Deals and orders carry the open of the bar in which they came to be. Several symbols of one step are
    taken by name; a stop-out looks at the others where they stand then.

    Args:
        specs: The symbols, as the broker states them.
        account: The account's terms.
        start: Server epoch in seconds at which it is opened and funded.
    """

    def __init__(self, specs: Iterable[SymbolSpec], account: SimulatedAccount, *, start: int) -> None:
        self._prices = _Given({spec.name: spec for spec in specs}, account.currency)
        self.book = Book.opened(start * 1000, account.balance)
        self._broker = Broker(self.book, account, self._prices)
        self._calendar = Calendar(self.book, account, self._prices)
        self._moves: list[Move] = []

    def begin(self, bars: Mapping[str, DrivenBar]) -> None:
        """Go to the open of the next bars, by symbol: midnights and expiries before it first, then the open.

        Raises:
            Invalid: A bar is not later than the step before, or they are not of one time, or of an unknown
                symbol.
        """
        times = {bar.time for bar in bars.values()}
        unknown = bars.keys() - self._prices.specs.keys()
        if len(times) != 1 or unknown:
            raise Invalid("bad_step", f"a step is bars of one time and of known symbols, not {dict(bars)}")
        at_ms = times.pop() * 1000
        if at_ms < self.book.seen_ms or (self._moves and at_ms == self._moves[0].time_ms):
            raise Invalid("bad_step", f"the bar at {at_ms // 1000} is not later than the one before")
        self._pass_time(at_ms)
        self._moves = [
            Move(symbol=symbol, time_ms=at_ms, bid=bar.bid, ask=bar.ask)
            for symbol, bar in sorted(bars.items())
        ]
        self._prices.trading = frozenset(bars)
        for move in self._moves:
            self._broker.matcher.open(move)

    def end(self) -> None:
        """The rest of the bars that `begin` was given."""
        for move in self._moves:
            self._broker.matcher.inside(move)

    def step(self, bars: Mapping[str, DrivenBar]) -> None:
        """Both, with nothing sent at the open."""
        self.begin(bars)
        self.end()

    def _pass_time(self, at_ms: int) -> None:
        while (due := self._calendar.next()) <= at_ms:
            self._calendar.run(due)
        self.book.seen_ms = at_ms

    def send(self, request: TradeRequest) -> OrderSendResult:
        """order_send at the present prices."""
        return self._broker.send(request, self.book.seen_ms)

    def rest(self, request: TradeRequest) -> OrderSendResult:
        """order_send of a limit order as if it had been there before the open, which may fill it."""
        (move,) = (move for move in self._moves if move.symbol == request.symbol)
        tick = self._prices.specs[move.symbol].instrument.tick_size
        buys = request.type == mt5.ORDER_TYPE_BUY_LIMIT
        before = exact(request.price) + (tick if buys else -tick)
        self._prices.set(move.symbol, Quote(before, before))
        result = self._broker.send(request, self.book.seen_ms)
        self._prices.set(move.symbol, Quote(move.bid.open, move.ask.open))
        order = self.book.orders.get(result.order)
        if order is not None:
            self._broker.matcher.enter_at_open(order, move)
        return result

    def check(self, request: TradeRequest) -> OrderCheckResult:
        """order_check at the present prices."""
        return self._broker.check(request, self.book.seen_ms)

    def account_info(self) -> AccountInfo:
        """account_info at the present prices."""
        return showing.account_info(self._broker)

    def positions(self) -> tuple[TradePosition, ...]:
        """positions_get at the present prices."""
        return tuple(showing.position(one, self._broker.valuation) for one in self.book.positions.values())

    def orders(self) -> tuple[TradeOrder, ...]:
        """orders_get at the present prices."""
        return tuple(showing.order(one, self._prices) for one in self.book.orders.values())

    @property
    def equity(self) -> Decimal:
        """Balance and floating profit with swap, at the present prices."""
        return self._broker.valuation.equity()

    @property
    def margin(self) -> Decimal:
        """Margin in use, not rounded."""
        return self._broker.valuation.margin()


class _Given(Prices):
    """Prices that are set; a symbol is open while the present step has a bar of it."""

    trading: frozenset[str] = frozenset()

    def is_open(self, symbol: str) -> bool:
        """Whether the step has a bar of it."""
        return symbol in self.trading
