"""Parts of a position that are taken at their level: on a netting account an order at that price does it.

A broker reads a bar worst-first, each of its orders by itself: the stop is taken before the part, as the
rule says, but so is the target, which no price reaches before the part's level, and an order whose position
is gone would open another. So a bar is tried without the part first, and what then happened tells which
order stands: none where the position ends otherwise, or one at the target's price behind the part's.
"""

from copy import deepcopy

from backend.backtest.model import Stream
from backend.mt5 import constants as mt5
from backend.mt5.arguments import EMPTY_REQUEST
from backend.mt5.structures import OrderSendResult, TradeOrder, TradePosition, TradeRequest
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.trading.management import part_level, part_steps
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from tests.reference.terminal_rows import Notes


class Parts:
    """The orders that take parts.

    Args:
        stream: Strategy and symbol.
        notes: Is told of them.
    """

    def __init__(self, stream: Stream, notes: Notes) -> None:
        self._stream, self._notes = stream, notes

    def place(self, account: DrivenAccount, position: TradePosition) -> None:
        """Behind a new position, where its strategy takes a part and it is large enough for one."""
        management, symbol = self._stream.strategy.strategy.management, self._stream.instrument
        if management.partial_at_r is None or management.partial_fraction is None:
            return
        steps = part_steps(
            round(position.volume / float(symbol.volume_step)),
            management.partial_fraction,
            float(symbol.volume_min / symbol.volume_step),
        )
        if not steps:
            return
        sign = _side(position).sign
        entry, stop, target = (
            sign * symbol.ticks(price) for price in (position.price_open, position.sl, position.tp)
        )
        level = part_level(entry, stop, management.partial_at_r)
        if level > target:
            return  # the target takes all of it before; the order would be left behind, within the bar
        price = float(symbol.price(sign * level))
        self._order(account, position, steps * float(symbol.volume_step), price, Reason.PARTIAL)

    def begin(self, account: DrivenAccount, bars: dict[str, DrivenBar]) -> None:
        """The open of bars."""
        self._prepare(account, bars)
        account.begin(bars)
        self.tidy(account)

    def end(self, account: DrivenAccount, bar: DrivenBar | None) -> None:
        """The rest of them; `bar` is that of the symbol."""
        self._prepare(account, None, bar)
        account.end()
        self.tidy(account)

    def tidy(self, account: DrivenAccount) -> None:
        """Take back the orders of positions that are gone."""
        held = {position.identifier for position in account.positions()}
        for order in account.orders():
            if order.ticket in self._notes.parts and self._notes.parts[order.ticket] not in held:
                _remove(account, order.ticket)

    def _prepare(
        self, account: DrivenAccount, bars: dict[str, DrivenBar] | None, bar: DrivenBar | None = None
    ) -> None:
        """Leave the order standing only where it is what happens, with the target's own behind it."""
        waiting = {self._notes.parts[o.ticket]: o for o in account.orders() if o.ticket in self._notes.parts}
        for position in account.positions():
            part = waiting.get(position.identifier)
            if part is None:
                continue
            trial = deepcopy(account)
            _remove(trial, part.ticket)
            done = len(trial.book.deals)
            if bars is None:
                trial.end()
            else:
                trial.begin(bars)
            ends = [deal for deal in trial.book.deals[done:] if deal.position == position.identifier]
            if not ends:
                continue
            if ends[0].reason == mt5.DEAL_REASON_TP:
                self._aim(account, position, part.volume_current)
                continue
            _remove(account, part.ticket)
            if ends[0].reason == mt5.DEAL_REASON_SL and bar is not None and _comes_to(bar, position, part):
                self._notes.unclear.add(position.identifier)

    def _aim(self, account: DrivenAccount, position: TradePosition, part: float) -> None:
        """The target becomes an order of its own for what the part leaves."""
        change = EMPTY_REQUEST._replace(
            action=mt5.TRADE_ACTION_SLTP,
            symbol=position.symbol,
            position=position.ticket,
            sl=position.sl,
            tp=0.0,
        )
        accepted(account.send(change))
        left = round(position.volume - part, 8)
        self._order(account, position, left, position.tp, Reason.TARGET)

    def _order(
        self, account: DrivenAccount, position: TradePosition, lots: float, price: float, why: Reason
    ) -> None:
        buy = _side(position) is Side.BUY
        request = EMPTY_REQUEST._replace(
            action=mt5.TRADE_ACTION_PENDING,
            symbol=position.symbol,
            volume=lots,
            type=mt5.ORDER_TYPE_SELL_LIMIT if buy else mt5.ORDER_TYPE_BUY_LIMIT,
            type_filling=mt5.ORDER_FILLING_RETURN,
            price=price,
            comment=str(why),
        )
        self._notes.parts[accepted(account.send(request)).order] = position.identifier


def accepted(result: OrderSendResult) -> OrderSendResult:
    """The result of a request that the broker has to take."""
    if result.retcode not in {mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_PLACED}:
        raise AssertionError(f"the broker refuses: {result}")
    return result


def closing(position: TradePosition, reason: Reason) -> TradeRequest:
    """A request that closes a position at the market."""
    buy = position.type == mt5.POSITION_TYPE_BUY
    return EMPTY_REQUEST._replace(
        action=mt5.TRADE_ACTION_DEAL,
        symbol=position.symbol,
        volume=position.volume,
        type=mt5.ORDER_TYPE_SELL if buy else mt5.ORDER_TYPE_BUY,
        type_filling=mt5.ORDER_FILLING_IOC,
        comment=str(reason),
        position=position.ticket,
    )


def _remove(account: DrivenAccount, order: int) -> None:
    accepted(account.send(EMPTY_REQUEST._replace(action=mt5.TRADE_ACTION_REMOVE, order=order)))


def _side(position: TradePosition) -> Side:
    return Side.BUY if position.type == mt5.POSITION_TYPE_BUY else Side.SELL


def _comes_to(bar: DrivenBar, position: TradePosition, order: TradeOrder) -> bool:
    price = float(order.price_open)
    if _side(position) is Side.BUY:
        return float(bar.bid.high) >= price - 1e-9
    return float(bar.ask.low) <= price + 1e-9
