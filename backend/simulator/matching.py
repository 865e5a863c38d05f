"""What a price move does to stops, targets and pending orders: the fill rules.

A move is a tick, or a bar of which nobody knows what came first inside. A bar is read worst-first: at its
open what the open lies beyond; then inside it stops and stop-outs on the ways to both extremes, targets,
and at last pending orders, of which the stop counts if it is possible and the target only if it is provable.
"""

from decimal import Decimal

from backend.mt5 import constants as mt5
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import LIMITS, STOP_LIMITS, STOPS, Book, Order, Position
from backend.simulator.dealing import Dealer
from backend.simulator.prices import Prices, Quote
from backend.simulator.valuation import Valuation
from backend.simulator.ways import Move, Way
from backend.trading.sides import Side

_LIMIT_OF = {
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: mt5.ORDER_TYPE_BUY_LIMIT,
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: mt5.ORDER_TYPE_SELL_LIMIT,
}


class Matcher:
    """Applies moves to a book.

    Args:
        book: Positions and orders.
        account: The account's terms.
        prices: Set to each move in turn.
        valuation: Of the book.
        dealer: Executes.
    """

    def __init__(
        self, book: Book, account: SimulatedAccount, prices: Prices, valuation: Valuation, dealer: Dealer
    ) -> None:
        self._book = book
        self._account = account
        self._prices = prices
        self._valuation = valuation
        self._dealer = dealer
        self._calm_deals = -1

    def watch_equity(self, wanted: bool) -> None:  # noqa: FBT001 - it is what the name asks
        """Whether the next moves may stop the account out as it stands; a deal makes it be watched again."""
        self._calm_deals = -1 if wanted else len(self._book.deals)

    def apply(self, move: Move) -> None:
        """The whole of a move."""
        self.open(move)
        if not move.is_tick:
            self.inside(move)

    def open(self, move: Move) -> None:
        """The first price of a move: whatever it lies beyond."""
        self._quote(move, move.bid.open, move.ask.open)
        for position in self._book.positions_of(move.symbol):
            self._exit_at_open(position, move)
        for order in self._book.orders_of(move.symbol):
            self.enter_at_open(order, move)
        self._stop_out(move)

    def inside(self, move: Move) -> None:
        """What comes after the first price."""
        held = list(self._book.positions_of(move.symbol))
        # Longs suffer at the low, shorts at the high; the account cannot be at both at once.
        ways = [Way(move, side, self._prices.specs[move.symbol].instrument.tick_size) for side in Side]
        if held and not self._is_calm():
            ways.sort(key=lambda way: self._equity_at(move, way.quote(way.steps)))
        for way in ways:
            self._go(way, move)
        for position in held:
            if position.ticket in self._book.positions:
                self._reach_inside(position, move)
        self._quote(move, move.bid.open, move.ask.open)
        for order in self._book.orders_of(move.symbol):
            self._enter_inside(order, move)
        self._quote(move, move.bid.close, move.ask.close)
        self._stop_out(move)

    def _go(self, way: Way, move: Move) -> None:
        """Stops on a way in the order in which it comes to them, and stop-outs where they come before."""
        while True:
            on_it = [one for one in self._book.positions_of(move.symbol) if way.reaches(one)]
            following = min(on_it, key=lambda one: (way.steps_to(one), one.ticket), default=None)
            steps = way.steps if following is None else way.steps_to(following)
            if self._sinks(way, steps, move):
                continue
            if following is None or following.stop is None:
                return
            following.ambiguous |= _reachable(following, move)
            self._quote(move, *way.quote(steps))
            self._close(following, self._worse(following, following.stop), move, mt5.ORDER_REASON_SL)

    def _sinks(self, way: Way, steps: int, move: Move) -> bool:
        """Stop the account out at the first price of so many steps that does; whether one did."""
        if self._is_calm() or not self._below_at(way, steps, move):
            return False
        first, last = -1, steps
        while last - first > 1:
            middle = (first + last) // 2
            if self._below_at(way, middle, move):
                last = middle
            else:
                first = middle
        self._quote(move, *way.quote(last))
        deals = len(self._book.deals), len(self._book.orders)
        self._stop_out(move)
        return deals != (len(self._book.deals), len(self._book.orders))

    def _below_at(self, way: Way, steps: int, move: Move) -> bool:
        self._quote(move, *way.quote(steps))
        return self._valuation.below_stop_out()

    # Stops and targets.

    def _exit_at_open(self, position: Position, move: Move) -> None:
        """A stop beyond which the open lies is filled at the open; a target at its own price."""
        opened, sign = move.closing(position.side).open, position.side.sign
        if position.stop is not None and (opened - position.stop) * sign <= 0:
            self._close(position, self._worse(position, opened), move, mt5.ORDER_REASON_SL)
        elif position.target is not None and (opened - position.target) * sign >= 0:
            self._close(position, position.target, move, mt5.ORDER_REASON_TP)

    def _reach_inside(self, position: Position, move: Move) -> None:
        if _reachable(position, move) and position.target is not None:
            self._close(position, position.target, move, mt5.ORDER_REASON_TP)

    def _close(self, position: Position, price: Decimal, move: Move, reason: int) -> None:
        self._dealer.close(position, price, move.time_ms, reason)

    def _worse(self, position: Position, price: Decimal) -> Decimal:
        return price - self.slippage(position.symbol) * position.side.sign

    def slippage(self, symbol: str) -> Decimal:
        """By how much market orders and stops are filled worse."""
        return self._prices.specs[symbol].instrument.point * self._account.slippage

    # Pending orders.

    def enter_at_open(self, order: Order, move: Move) -> None:
        """Fill a pending order that the first price of a move has reached."""
        opened, sign = move.opening(order.side).open, order.side.sign
        beyond = (opened - order.price) * sign >= 0
        made: Position | None = None
        if order.kind in STOPS and beyond:
            made = self._fill(order, opened + self.slippage(order.symbol) * sign, move)
        elif order.kind in STOP_LIMITS and beyond:
            self._place_limit(order)
        elif order.kind in LIMITS and (opened - order.price) * sign <= 0:
            made = self._fill(order, order.price, move)
        if made is not None:
            self._exit_at_open(made, move)

    def _enter_inside(self, order: Order, move: Move) -> None:
        candle, sign = move.opening(order.side), order.side.sign
        high, low = (candle.high, candle.low) if sign > 0 else (candle.low, candle.high)
        kind = order.kind
        made: Position | None = None
        if kind in STOPS and (high - order.price) * sign >= 0:
            made = self._fill(order, order.price + self.slippage(order.symbol) * sign, move)
        elif kind in STOP_LIMITS and (high - order.price) * sign >= 0:
            self._place_limit(order)
            if (candle.close - order.price) * sign <= 0:  # only the close is known to come later
                made = self._fill(order, order.price, move)
        elif kind in LIMITS and (low - order.price) * sign <= 0:
            made = self._fill(order, order.price, move)
        if made is not None:
            self._exit_after_entry(made, kind, move)

    def _exit_after_entry(self, position: Position, kind: int, move: Move) -> None:
        """The same bar after it has filled an order.

        A limit was filled by a price that came towards the stop, so a target is proved by a close beyond
        it alone; a stop order by one that went towards the target, so a target that is touched is proved.
        """
        close = move.closing(position.side).close
        can_stop, can_reach = _stoppable(position, move), _reachable(position, move)
        sure = can_reach and position.target is not None
        if kind not in STOPS:
            sure = sure and (close - (position.target or close)) * position.side.sign >= 0
        if can_stop and position.stop is not None:
            certain = kind in LIMITS or (close - position.stop) * position.side.sign <= 0
            position.ambiguous |= can_reach or not certain
            self._close(position, self._worse(position, position.stop), move, mt5.ORDER_REASON_SL)
        elif sure and position.target is not None:
            self._close(position, position.target, move, mt5.ORDER_REASON_TP)
        else:
            position.ambiguous |= can_reach

    def _place_limit(self, order: Order) -> None:
        order.kind = _LIMIT_OF[order.kind]
        order.price, order.limit = order.limit or order.price, None

    def _fill(self, order: Order, price: Decimal, move: Move) -> Position | None:
        """Fill an order; gives the position that it has made, none where it only changed one."""
        order.margin = Decimal(0)  # from now on it is the position's
        lots = self.part(order) if order.partly else order.left
        whole_only = order.partly and order.filling == mt5.ORDER_FILLING_FOK
        if whole_only or not self.affordable(order.symbol, order.side, lots, price):
            self._book.end_order(order, mt5.ORDER_STATE_REJECTED, move.time_ms)
            return None
        order.partly = False
        self._dealer.execute(order, lots, price, move.time_ms)
        if order.left and order.filling == mt5.ORDER_FILLING_IOC:
            self._book.end_order(order, mt5.ORDER_STATE_CANCELED, move.time_ms)
        elif order.left:
            order.state = mt5.ORDER_STATE_PARTIAL
        return self._book.positions.get(order.ticket)

    def part(self, order: Order) -> Decimal:
        """Half of what is left of an order, in whole steps; not less than the least volume."""
        instrument = self._prices.specs[order.symbol].instrument
        return max(instrument.floor_volume(order.left / 2), instrument.volume_min)

    def affordable(self, symbol: str, side: Side, lots: Decimal, price: Decimal) -> bool:
        """Whether there is free margin for a deal; one that takes no more margin than before always is."""
        after = self._valuation.margin_with(symbol, side, lots, price)
        return after <= self._valuation.margin() or after <= self._valuation.equity()

    # Stop-out.

    def _is_calm(self) -> bool:
        """Whether no stop-out is possible: nothing is held, or it was said so and nothing was dealt since."""
        return not self._book.positions or len(self._book.deals) == self._calm_deals

    def _equity_at(self, move: Move, quote: Quote) -> Decimal:
        self._quote(move, *quote)
        return self._valuation.equity()

    def _quote(self, move: Move, bid: Decimal, ask: Decimal) -> None:
        self._prices.set(move.symbol, Quote(bid, ask))

    def _stop_out(self, move: Move) -> None:
        """At the broker's level: pending orders that take margin, then the largest loss, asking again."""
        while not self._is_calm() and self._valuation.below_stop_out():
            taking = [order for order in self._book.orders.values() if order.margin]
            if taking:
                largest = max(taking, key=lambda order: (order.margin, -order.ticket))
                self._book.end_order(largest, mt5.ORDER_STATE_CANCELED, move.time_ms)
                continue
            tradable = [one for one in self._book.positions.values() if self._prices.is_open(one.symbol)]
            if not tradable:
                return
            losing = min(tradable, key=lambda one: (self._valuation.floating(one) + one.swap, one.ticket))
            equity, taken = self._valuation.equity(), self._valuation.margin()
            self._dealer.close(
                losing,
                self._worse(losing, self._valuation.closing_price(losing)),
                move.time_ms,
                mt5.ORDER_REASON_SO,
                f"[so {equity * 100 / taken:.2f}%]",
            )


def _stoppable(position: Position, move: Move) -> bool:
    """Whether the move comes to the position's stop."""
    candle = move.closing(position.side)
    worst = candle.low if position.side is Side.BUY else candle.high
    return position.stop is not None and (worst - position.stop) * position.side.sign <= 0


def _reachable(position: Position, move: Move) -> bool:
    """Whether the move comes to the position's target."""
    candle = move.closing(position.side)
    best = candle.high if position.side is Side.BUY else candle.low
    return position.target is not None and (best - position.target) * position.side.sign >= 0
