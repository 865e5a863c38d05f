"""A trade request as the broker reads it: exact numbers, and what of the book it is about."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact
from backend.mt5.structures import TradeRequest
from backend.simulator.book import DAY_MS, LIMITS, STOP_LIMITS, STOPS, Book, Order, Position, side_of
from backend.simulator.symbols import SymbolSpec
from backend.trading.sides import Side

MARKET_KINDS = frozenset({mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL})
PENDING_KINDS = LIMITS | STOPS | STOP_LIMITS
FILLING_BITS = {
    mt5.ORDER_FILLING_FOK: mt5.SYMBOL_FILLING_FOK,
    mt5.ORDER_FILLING_IOC: mt5.SYMBOL_FILLING_IOC,
    mt5.ORDER_FILLING_BOC: mt5.SYMBOL_FILLING_BOC,
}
LIFETIME_BITS = {
    mt5.ORDER_TIME_GTC: mt5.SYMBOL_EXPIRATION_GTC,
    mt5.ORDER_TIME_DAY: mt5.SYMBOL_EXPIRATION_DAY,
    mt5.ORDER_TIME_SPECIFIED: mt5.SYMBOL_EXPIRATION_SPECIFIED,
    mt5.ORDER_TIME_SPECIFIED_DAY: mt5.SYMBOL_EXPIRATION_SPECIFIED_DAY,
}
MARKET_BIT, LIMIT_BIT, STOP_BIT, STOP_LIMIT_BIT, STOP_LOSS_BIT, TARGET_BIT, CLOSE_BY_BIT = (
    1 << place for place in range(7)
)

_VOLUME_DIGITS = 8
_NO_PRICE = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, read.

    Attributes:
        given: As it came.
        now_ms: When, server milliseconds.
        spec: Its symbol, which a position or an order may name as well; None if there is none.
        position: The position that it names, or that a netting account has of the symbol.
        opposite: Of a close by, the other one.
        order: The pending order that it names.
        lots: Volume.
        price: Price; 0 if none was given.
        limit: Price of a stop limit's limit.
        stop: Stop loss; None if none was given.
        target: Take profit.
    """

    given: TradeRequest
    now_ms: int
    spec: SymbolSpec | None
    position: Position | None
    opposite: Position | None
    order: Order | None
    lots: Decimal
    price: Decimal
    limit: Decimal | None
    stop: Decimal | None
    target: Decimal | None

    @property
    def kind(self) -> int:
        """Type of the order: the request's, or of a change that of the order changed."""
        return self.order.kind if self.order is not None else self.given.type

    @property
    def side(self) -> Side:
        """The side of that type."""
        return side_of(self.kind)

    @property
    def closes(self) -> Decimal:
        """Lots of this deal that close a position; the rest opens one."""
        if self.given.action != mt5.TRADE_ACTION_DEAL or self.position is None:
            return Decimal(0)
        return min(self.lots, self.position.lots) if self.position.side is not self.side else Decimal(0)

    @property
    def expires_ms(self) -> int:
        """When the order would end by itself, server milliseconds; 0 for never."""
        if self.given.type_time == mt5.ORDER_TIME_DAY:
            return self.now_ms - self.now_ms % DAY_MS + DAY_MS
        if self.given.type_time == mt5.ORDER_TIME_SPECIFIED:
            return self.given.expiration * 1000
        if self.given.type_time == mt5.ORDER_TIME_SPECIFIED_DAY:
            at_ms = self.given.expiration * 1000
            return at_ms - at_ms % DAY_MS + DAY_MS
        return 0


def are_prices(request: TradeRequest) -> bool:
    """Whether all prices are numbers, at least zero and not beyond any price."""
    prices = (request.price, request.stoplimit, request.sl, request.tp)
    return all(0 <= price < _NO_PRICE for price in prices)


def read(
    request: TradeRequest, book: Book, specs: Mapping[str, SymbolSpec], *, now_ms: int, hedging: bool
) -> Asked:
    """The request with what it names; prices are rounded to the symbol's digits, as brokers do."""
    position = book.positions.get(request.position)
    order = book.orders.get(request.order)
    named = request.symbol or (position.symbol if position else order.symbol if order else "")
    about = request.action in {mt5.TRADE_ACTION_DEAL, mt5.TRADE_ACTION_SLTP}
    if not hedging and not request.position and about:
        position = book.netted(named)
    spec = specs.get(named)
    digits = spec.digits if spec is not None else _VOLUME_DIGITS

    def level(price: float) -> Decimal | None:
        return exact(round(price, digits)) if price else None

    changes = request.action in {mt5.TRADE_ACTION_MODIFY, mt5.TRADE_ACTION_REMOVE}
    return Asked(
        given=request,
        now_ms=now_ms,
        spec=spec,
        position=position,
        opposite=book.positions.get(request.position_by),
        order=order if changes else None,
        lots=exact(round(request.volume, _VOLUME_DIGITS)) if math.isfinite(request.volume) else Decimal(0),
        price=level(request.price) or Decimal(0),
        limit=level(request.stoplimit),
        stop=level(request.sl),
        target=level(request.tp),
    )
