"""Deals: what an execution does to positions, orders and the balance, on both kinds of account."""

from decimal import Decimal

from backend.mt5 import constants as mt5
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book, Deal, Order, Position, market_kind
from backend.simulator.prices import Prices
from backend.simulator.valuation import Valuation
from backend.trading.profit import to_cents


class Dealer:
    """Executes at prices that others have found.

    Args:
        book: Where it is written down.
        account: The account's terms.
        prices: The present prices.
        valuation: Of the book.
    """

    def __init__(self, book: Book, account: SimulatedAccount, prices: Prices, valuation: Valuation) -> None:
        self._book = book
        self._account = account
        self._prices = prices
        self._valuation = valuation

    def execute(self, order: Order, lots: Decimal, price: Decimal, at_ms: int) -> Deal:
        """Deal `lots` of an order at a price. An order of which nothing is left is done."""
        position = self._acted_on(order)
        order.left -= lots
        if position is None:
            deal = self._enter(order, lots, price, at_ms)
        elif position.side is order.side:
            deal = self._increase(position, order, lots, price, at_ms)
        else:
            deal = self._reduce(position, order, lots, price, at_ms)
        order.position = deal.position
        if not order.left:
            self._book.end_order(order, mt5.ORDER_STATE_FILLED, at_ms)
        return deal

    def close(self, position: Position, price: Decimal, at_ms: int, reason: int, comment: str = "") -> Deal:
        """The broker closes a position: stop, target or stop-out."""
        levels = {mt5.ORDER_REASON_SL: ("sl", position.stop), mt5.ORDER_REASON_TP: ("tp", position.target)}
        word, level = levels.get(reason, ("", None))
        digits = self._prices.specs[position.symbol].digits
        order = Order(
            ticket=self._book.next_ticket(),
            symbol=position.symbol,
            kind=market_kind(position.side.opposite),
            lots=position.lots,
            left=position.lots,
            price=price,
            placed_ms=at_ms,
            position=position.identifier,
            magic=position.magic,
            comment=comment if level is None else f"[{word} {level:.{digits}f}]",
            reason=reason,
        )
        return self.execute(order, position.lots, price, at_ms)

    def close_by(self, order: Order, first: Position, second: Position, at_ms: int) -> Deal:
        """Close two opposite positions against each other, each at the other's price.

        The result belongs to the first; the second's deal carries its swap and commission alone.
        """
        lots = min(first.lots, second.lots)
        prices = (second.price, first.price)
        earned = self._valuation.result(first, lots, second.price)
        made = []
        for one, price, result in zip((first, second), prices, (earned, Decimal(0)), strict=True):
            swap = self._take_out(one, lots, at_ms)
            made.append(
                self._deal(
                    order,
                    lots,
                    price,
                    at_ms,
                    mt5.DEAL_ENTRY_OUT_BY,
                    one,
                    result,
                    swap,
                    kind=market_kind(one.side.opposite),
                )
            )
        order.left -= lots
        self._book.end_order(order, mt5.ORDER_STATE_FILLED, at_ms)
        return made[0]

    def _acted_on(self, order: Order) -> Position | None:
        if not self._account.hedging:
            return self._book.netted(order.symbol)
        if order.position:
            return next(
                (one for one in self._book.positions.values() if one.identifier == order.position), None
            )
        return None

    def _enter(self, order: Order, lots: Decimal, price: Decimal, at_ms: int) -> Deal:
        position = Position(
            ticket=order.ticket,
            identifier=order.ticket,
            symbol=order.symbol,
            side=order.side,
            lots=lots,
            price=price,
            margin=self._valuation.alone(order.symbol, lots, price),
            opened_ms=at_ms,
            updated_ms=at_ms,
            stop=order.stop,
            target=order.target,
            magic=order.magic,
            comment=order.comment,
            reason=order.reason,
        )
        self._book.positions[position.ticket] = position
        return self._deal(order, lots, price, at_ms, mt5.DEAL_ENTRY_IN, position)

    def _increase(self, position: Position, order: Order, lots: Decimal, price: Decimal, at_ms: int) -> Deal:
        total = position.lots + lots
        position.price = (position.price * position.lots + price * lots) / total
        position.margin += self._valuation.alone(order.symbol, lots, price)
        position.lots = total
        position.stop = order.stop or position.stop
        position.target = order.target or position.target
        position.updated_ms = at_ms
        return self._deal(order, lots, price, at_ms, mt5.DEAL_ENTRY_IN, position)

    def _reduce(self, position: Position, order: Order, lots: Decimal, price: Decimal, at_ms: int) -> Deal:
        closing = min(lots, position.lots)
        earned = self._valuation.result(position, closing, price)
        swap = self._take_out(position, closing, at_ms)
        rest = lots - closing
        entry = mt5.DEAL_ENTRY_INOUT if rest else mt5.DEAL_ENTRY_OUT
        deal = self._deal(order, lots, price, at_ms, entry, position, earned, swap)
        deal.ambiguous = position.ambiguous
        if rest:
            position.ticket, position.side, position.lots, position.price = (
                order.ticket,
                order.side,
                rest,
                price,
            )
            position.margin = self._valuation.alone(order.symbol, rest, price)
            position.stop, position.target = order.stop, order.target
            position.opened_ms = at_ms
            position.magic, position.comment, position.reason = order.magic, order.comment, order.reason
            self._book.positions[position.ticket] = position
        return deal

    def _take_out(self, position: Position, lots: Decimal, at_ms: int) -> Decimal:
        """Take lots out of a position; gives the swap that they have earned."""
        share = lots / position.lots
        swap = position.swap if share == 1 else to_cents(position.swap * share, self._account.digits)
        position.swap -= swap
        position.margin -= position.margin * share
        position.lots -= lots
        position.updated_ms = at_ms
        if not position.lots:
            del self._book.positions[position.ticket]
        return swap

    def _deal(
        self,
        order: Order,
        lots: Decimal,
        price: Decimal,
        at_ms: int,
        entry: int,
        position: Position,
        earned: Decimal = Decimal(0),
        swap: Decimal = Decimal(0),
        *,
        kind: int | None = None,
    ) -> Deal:
        deal = Deal(
            ticket=self._book.next_ticket(),
            order=order.ticket,
            time_ms=at_ms,
            kind=market_kind(order.side) if kind is None else kind,
            entry=entry,
            position=position.identifier,
            reason=order.reason,
            symbol=order.symbol,
            lots=lots,
            price=price,
            commission=-to_cents(self._account.commission * lots, self._account.digits),
            swap=swap,
            profit=earned,
            magic=order.magic,
            comment=order.comment,
        )
        self._book.add_deal(deal)
        return deal
