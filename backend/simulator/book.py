"""The broker's books: open positions, pending orders, deals and orders done, and the balance.

Money, lots and prices are exact. Times are server epochs in milliseconds. What is said of an order's
kind, state or reason is MetaTrader's own number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from backend.mt5 import constants as mt5
from backend.trading.sides import Side

DAY_MS = 86_400_000
FIRST_TICKET = 1_000_001

_BUYS = frozenset(
    {mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_BUY_STOP, mt5.ORDER_TYPE_BUY_STOP_LIMIT}
)
LIMITS = frozenset({mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_LIMIT})
STOPS = frozenset({mt5.ORDER_TYPE_BUY_STOP, mt5.ORDER_TYPE_SELL_STOP})
STOP_LIMITS = frozenset({mt5.ORDER_TYPE_BUY_STOP_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT})


def side_of(kind: int) -> Side:
    """The side of a type of order."""
    return Side.BUY if kind in _BUYS else Side.SELL


def market_kind(side: Side) -> int:
    """The type of a market order of a side, which is also the type of its deal and position."""
    return mt5.ORDER_TYPE_BUY if side is Side.BUY else mt5.ORDER_TYPE_SELL


@dataclass(slots=True, kw_only=True)
class Position:
    """An open position.

    Attributes:
        ticket: Its number; of the order that opened it or, netted, turned it round.
        identifier: Number for life.
        margin: What its volume would take alone, as of its opening; not rounded.
        stop: Stop loss; None if there is none.
        target: Take profit; None if there is none.
        swap: Booked so far and not yet paid out.
        reason: Of the order that opened it.
        ambiguous: Whether some bar left open what happened to it first.
    """

    ticket: int
    identifier: int
    symbol: str
    side: Side
    lots: Decimal
    price: Decimal
    margin: Decimal
    opened_ms: int
    updated_ms: int
    stop: Decimal | None = None
    target: Decimal | None = None
    swap: Decimal = Decimal(0)
    magic: int = 0
    comment: str = ""
    reason: int = mt5.ORDER_REASON_EXPERT
    ambiguous: bool = False


@dataclass(slots=True, kw_only=True)
class Order:
    """An order, pending or done.

    Attributes:
        kind: ORDER_TYPE_*.
        lots: As ordered.
        left: Not dealt yet.
        price: Ordered price, or of a market order the one it was dealt at.
        limit: Price of the limit order that a stop limit places; None for others.
        lifetime: ORDER_TIME_*.
        expiration: As requested, server epoch in seconds.
        expires_ms: When it really ends; 0 is never.
        position: Identifier of the position it acts on or made; 0 while there is none.
        position_by: The opposite position of a close by.
        margin: What a pending order takes, where they take any.
        partly: When its price comes, only a part of its volume is there at first.
    """

    ticket: int
    symbol: str
    kind: int
    lots: Decimal
    left: Decimal
    price: Decimal
    placed_ms: int
    limit: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    filling: int = mt5.ORDER_FILLING_FOK
    lifetime: int = mt5.ORDER_TIME_GTC
    expiration: int = 0
    expires_ms: int = 0
    state: int = mt5.ORDER_STATE_PLACED
    done_ms: int = 0
    position: int = 0
    position_by: int = 0
    magic: int = 0
    comment: str = ""
    reason: int = mt5.ORDER_REASON_EXPERT
    margin: Decimal = Decimal(0)
    partly: bool = False

    @property
    def side(self) -> Side:
        """Which way it deals."""
        return side_of(self.kind)


@dataclass(slots=True, kw_only=True)
class Deal:
    """One execution, or a deposit. What it adds to the balance is profit + swap + commission.

    Attributes:
        order: Ticket of its order; 0 for a deposit.
        kind: DEAL_TYPE_*.
        entry: DEAL_ENTRY_*.
        position: Identifier of its position.
        ambiguous: Whether some bar left open whether it came to this.
    """

    ticket: int
    order: int
    time_ms: int
    kind: int
    entry: int
    position: int
    reason: int
    symbol: str = ""
    lots: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)
    magic: int = 0
    comment: str = ""
    ambiguous: bool = False


@dataclass(slots=True, kw_only=True)
class Book:
    """All of it.

    Attributes:
        seen_ms: Every move of the market up to here has been dealt with.
        midnight_ms: The last server midnight whose swap was booked.
        requests: How many requests were sent, the refused ones included.
    """

    seen_ms: int
    midnight_ms: int
    balance: Decimal = Decimal(0)
    requests: int = 0
    last_ticket: int = FIRST_TICKET - 1
    positions: dict[int, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    done: list[Order] = field(default_factory=list)

    @classmethod
    def opened(cls, at_ms: int, deposit: Decimal) -> "Book":
        """The book of a new account."""
        book = cls(seen_ms=at_ms, midnight_ms=at_ms - at_ms % DAY_MS)
        book.add_deal(
            Deal(
                ticket=book.next_ticket(),
                order=0,
                time_ms=at_ms,
                kind=mt5.DEAL_TYPE_BALANCE,
                entry=mt5.DEAL_ENTRY_IN,
                position=0,
                reason=mt5.DEAL_REASON_CLIENT,
                profit=deposit,
                comment="Deposit",
            )
        )
        return book

    @property
    def idle(self) -> bool:
        """Whether the market cannot touch anything."""
        return not self.positions and not self.orders

    def next_ticket(self) -> int:
        """A number that nothing else has: orders, deals and positions share the row."""
        self.last_ticket += 1
        return self.last_ticket

    def add_deal(self, deal: Deal) -> None:
        """Write a deal down and its money to the balance."""
        self.deals.append(deal)
        self.balance += deal.profit + deal.swap + deal.commission

    def end_order(self, order: Order, state: int, at_ms: int) -> None:
        """Move an order to those that are done."""
        order.state, order.done_ms = state, at_ms
        self.orders.pop(order.ticket, None)
        self.done.append(order)

    def is_done(self, ticket: int) -> bool:
        """Whether an order of that number was done."""
        return any(order.ticket == ticket for order in reversed(self.done))

    def positions_of(self, symbol: str) -> Iterator[Position]:
        """Open positions of a symbol, the oldest ticket first; each is still open when its turn comes."""
        for ticket in sorted(self.positions):
            position = self.positions.get(ticket)
            if position is not None and position.symbol == symbol:
                yield position

    def orders_of(self, symbol: str) -> Iterator[Order]:
        """Pending orders of a symbol, the oldest first; each is still pending when its turn comes."""
        for order in list(self.orders.values()):
            if order.symbol == symbol and order.ticket in self.orders:
                yield order

    def netted(self, symbol: str) -> Position | None:
        """The one position that a netting account has of a symbol."""
        return next(self.positions_of(symbol), None)
