"""What the simulated broker refuses, and with which return code: the first rule that a request breaks.

Nothing is changed here: order_check and order_send ask the same.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from backend.core.errors import Unavailable
from backend.mt5 import constants as mt5
from backend.mt5.structures import TradeRequest
from backend.simulator import offering
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import LIMITS, STOP_LIMITS, STOPS, Book, Order, Position
from backend.simulator.matching import Matcher
from backend.simulator.offering import Refusal
from backend.simulator.prices import Prices, Quote
from backend.simulator.requests import (
    CLOSE_BY_BIT,
    LIMIT_BIT,
    MARKET_BIT,
    MARKET_KINDS,
    PENDING_KINDS,
    STOP_BIT,
    STOP_LIMIT_BIT,
    STOP_LOSS_BIT,
    TARGET_BIT,
    Asked,
    are_prices,
    read,
)
from backend.simulator.symbols import SymbolSpec
from backend.simulator.valuation import Valuation
from backend.trading.sides import Side

_Rules = Iterator[Refusal | None]

_INVALID = (mt5.TRADE_RETCODE_INVALID, "Invalid request")
_INVALID_ORDER = (mt5.TRADE_RETCODE_INVALID_ORDER, "Invalid order type")
_INVALID_VOLUME = (mt5.TRADE_RETCODE_INVALID_VOLUME, "Invalid volume")
_INVALID_PRICE = (mt5.TRADE_RETCODE_INVALID_PRICE, "Invalid price")
_INVALID_STOPS = (mt5.TRADE_RETCODE_INVALID_STOPS, "Invalid stops")
_POSITION_CLOSED = (mt5.TRADE_RETCODE_POSITION_CLOSED, "Position doesn't exist")
_FROZEN = (mt5.TRADE_RETCODE_FROZEN, "Too close to the market to be changed")
_NO_CHANGES = (mt5.TRADE_RETCODE_NO_CHANGES, "No changes")
_CLOSED = (mt5.TRADE_RETCODE_MARKET_CLOSED, "Market closed")
_NO_PRICES = (mt5.TRADE_RETCODE_PRICE_OFF, "No prices")


class Judge:
    """Judges requests against a book at the present prices.

    Args:
        book: What there is.
        account: The account's terms.
        prices: The present prices.
        valuation: Of the book.
        matcher: Knows what can be paid for.
    """

    def __init__(
        self,
        book: Book,
        account: SimulatedAccount,
        prices: Prices,
        valuation: Valuation,
        matcher: Matcher,
    ) -> None:
        self._book = book
        self._account = account
        self._prices = prices
        self._valuation = valuation
        self._matcher = matcher
        self._rules: dict[int, Callable[[Asked, SymbolSpec], _Rules]] = {
            mt5.TRADE_ACTION_DEAL: self._deal,
            mt5.TRADE_ACTION_PENDING: self._pending,
            mt5.TRADE_ACTION_SLTP: self._stops_changed,
            mt5.TRADE_ACTION_MODIFY: self._order_changed,
            mt5.TRADE_ACTION_REMOVE: self._order_removed,
            mt5.TRADE_ACTION_CLOSE_BY: self._closed_by,
        }

    def judge(self, request: TradeRequest, now_ms: int) -> Asked | Refusal:
        """The request as it is understood, or return code and comment of its refusal."""
        if request.action not in self._rules:
            return _INVALID
        if not are_prices(request):
            return _INVALID_PRICE
        asked = read(request, self._book, self._prices.specs, now_ms=now_ms, hedging=self._account.hedging)
        refused = self._misses(asked)
        if refused is not None or asked.spec is None:
            return refused or _INVALID
        try:
            found = (rule for rule in self._rules[request.action](asked, asked.spec) if rule)
            return next(found, None) or asked
        except Unavailable as missing:
            return mt5.TRADE_RETCODE_PRICE_OFF, missing.message[:60]

    def _misses(self, asked: Asked) -> Refusal | None:
        """What the request names and is not there."""
        given = asked.given
        action = given.action
        if action in {mt5.TRADE_ACTION_MODIFY, mt5.TRADE_ACTION_REMOVE} and asked.order is None:
            done = given.order and self._book.is_done(given.order)
            return (mt5.TRADE_RETCODE_ORDER_CHANGED, "Order is done already") if done else _INVALID
        wanted = {
            mt5.TRADE_ACTION_DEAL: not given.position or asked.position,
            mt5.TRADE_ACTION_SLTP: asked.position,
            mt5.TRADE_ACTION_CLOSE_BY: asked.position and asked.opposite,
        }
        if not wanted.get(action, True):
            by = action != mt5.TRADE_ACTION_CLOSE_BY or given.position_by
            return _POSITION_CLOSED if given.position and by else _INVALID
        named = asked.position or asked.order
        if named is not None and asked.spec is not None and named.symbol != asked.spec.name:
            return _INVALID
        return None

    # One sequence of rules for each action; the first that is broken counts.

    def _deal(self, asked: Asked, spec: SymbolSpec) -> _Rules:
        opens = asked.lots - asked.closes
        by_ticket = bool(asked.given.position)
        yield _INVALID_ORDER if asked.kind not in MARKET_KINDS or not spec.orders & MARKET_BIT else None
        yield _INVALID if by_ticket and not asked.closes and asked.lots > 0 else None
        yield offering.trade_mode(spec, asked.side, opens)
        yield offering.market_filling(asked, spec)
        yield _INVALID_VOLUME if not offering.volume_fits(asked.lots, spec) else None
        if by_ticket and opens > 0:
            yield mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME, "Volume is above the position's"
        yield self._tradable(spec)
        quote = self._quote(spec)
        if asked.closes and asked.position is not None:
            yield self._frozen(asked.position, spec, quote)
        if spec.execution in offering.BY_PRICE:
            yield self._by_price(asked, spec, quote)
        if opens > 0:
            yield self._wrong_stops(asked, spec, quote.closing(asked.side))
            yield self._limits(asked, spec, opens)
            price = quote.opening(asked.side)
            affordable = self._matcher.affordable(spec.name, asked.side, asked.lots, price)
            yield None if affordable else (mt5.TRADE_RETCODE_NO_MONEY, "No money")
        self._prices.conversion(spec.name)

    def _pending(self, asked: Asked, spec: SymbolSpec) -> _Rules:
        bits = {**dict.fromkeys(LIMITS, LIMIT_BIT), **dict.fromkeys(STOPS, STOP_BIT)}
        bit = bits.get(asked.kind, STOP_LIMIT_BIT)
        yield _INVALID_ORDER if asked.kind not in PENDING_KINDS or not spec.orders & bit else None
        yield offering.trade_mode(spec, asked.side, asked.lots)
        yield offering.pending_filling(asked, spec)
        yield offering.lifetime(asked, spec)
        yield _INVALID_VOLUME if not offering.volume_fits(asked.lots, spec) else None
        yield self._tradable(spec)
        yield self._wrong_order_price(asked, spec, self._quote(spec))
        yield self._wrong_stops(asked, spec, asked.limit or asked.price)
        if len(self._book.orders) >= self._account.limit_orders:
            yield mt5.TRADE_RETCODE_LIMIT_ORDERS, "Too many pending orders"
        yield self._limits(asked, spec, asked.lots)
        if self._account.pending_margin:
            taken = self._valuation.alone(spec.name, asked.lots, asked.price)
            short = self._valuation.margin() + taken > self._valuation.equity()
            yield (mt5.TRADE_RETCODE_NO_MONEY, "No money") if short else None
        self._prices.conversion(spec.name)

    def _stops_changed(self, asked: Asked, spec: SymbolSpec) -> _Rules:
        position = asked.position
        if position is None:
            return
        yield self._tradable(spec)
        quote = self._quote(spec)
        yield _NO_CHANGES if (asked.stop, asked.target) == (position.stop, position.target) else None
        yield self._frozen(position, spec, quote)
        yield self._wrong_stops(asked, spec, quote.closing(position.side), position.side)

    def _order_changed(self, asked: Asked, spec: SymbolSpec) -> _Rules:
        order = asked.order
        if order is None:
            return
        yield self._tradable(spec)
        quote = self._quote(spec)
        yield self._frozen_order(order, spec, quote)
        yield offering.lifetime(asked, spec)
        yield self._wrong_order_price(asked, spec, quote)
        yield self._wrong_stops(asked, spec, asked.limit or asked.price)
        before = (order.price, order.limit, order.stop, order.target, order.lifetime, order.expiration)
        given = asked.given
        after = (asked.price, asked.limit, asked.stop, asked.target, given.type_time, given.expiration)
        yield _NO_CHANGES if before == after else None

    def _order_removed(self, asked: Asked, spec: SymbolSpec) -> _Rules:
        yield self._tradable(spec)
        if asked.order is not None:
            yield self._frozen_order(asked.order, spec, self._quote(spec))

    def _closed_by(self, asked: Asked, spec: SymbolSpec) -> _Rules:
        first, second = asked.position, asked.opposite
        if first is None or second is None:
            return
        allowed = self._account.hedging and spec.orders & CLOSE_BY_BIT
        yield _INVALID_ORDER if not allowed else None
        yield _INVALID if first.symbol != second.symbol or first.side is second.side else None
        yield self._tradable(spec)
        quote = self._quote(spec)
        yield self._frozen(first, spec, quote) or self._frozen(second, spec, quote)

    # Single rules.

    def _quote(self, spec: SymbolSpec) -> Quote:
        quote = self._prices.quote(spec.name)
        if quote is None:  # `_tradable` has refused before
            raise Unavailable("no_prices", "No prices")
        return quote

    def _tradable(self, spec: SymbolSpec) -> Refusal | None:
        if self._prices.quote(spec.name) is None:
            return _NO_PRICES
        return None if self._prices.is_open(spec.name) else _CLOSED

    def _by_price(self, asked: Asked, spec: SymbolSpec, quote: Quote) -> Refusal | None:
        """Instant execution: the price asked for, or one within the deviation."""
        if not asked.price:
            return _INVALID_PRICE
        away = abs(asked.price - quote.opening(asked.side))
        if away > spec.instrument.point * asked.given.deviation:
            return mt5.TRADE_RETCODE_REQUOTE, "Requote"
        return None

    def _wrong_order_price(self, asked: Asked, spec: SymbolSpec, quote: Quote) -> Refusal | None:
        """A pending order stands on its own side of the price, and not nearer than the stops level."""
        kind, sign = asked.kind, asked.side.sign
        if not asked.price or (kind in STOP_LIMITS) != (asked.limit is not None):
            return _INVALID_PRICE
        ahead = (asked.price - quote.opening(asked.side)) * sign
        away = -ahead if kind in LIMITS else ahead
        if away <= 0 or away < spec.instrument.point * spec.stops_level:
            return _INVALID_PRICE
        if asked.limit is not None and (asked.price - asked.limit) * sign <= 0:
            return _INVALID_PRICE
        return None

    def _wrong_stops(
        self, asked: Asked, spec: SymbolSpec, reference: Decimal, side: Side | None = None
    ) -> Refusal | None:
        """Stop and target lie on their own sides of a price, and not nearer than the stops level."""
        sign = (side or asked.side).sign
        least = spec.instrument.point * spec.stops_level
        for level, bit, away in (
            (asked.stop, STOP_LOSS_BIT, -sign),
            (asked.target, TARGET_BIT, sign),
        ):
            if level is None:
                continue
            distance = (level - reference) * away
            if not spec.orders & bit or distance <= 0 or distance < least:
                return _INVALID_STOPS
        return None

    def _limits(self, asked: Asked, spec: SymbolSpec, opens: Decimal) -> Refusal | None:
        account, book = self._account, self._book
        new = asked.position is None if not account.hedging else True
        if new and account.limit_positions and len(book.positions) >= account.limit_positions:
            return mt5.TRADE_RETCODE_LIMIT_POSITIONS, "Too many positions"
        if spec.volume_limit:
            there = sum((one.lots for one in book.positions_of(spec.name) if one.side is asked.side), opens)
            there += sum(one.left for one in book.orders_of(spec.name) if one.side is asked.side)
            if there > Decimal(str(spec.volume_limit)):
                return mt5.TRADE_RETCODE_LIMIT_VOLUME, "Volume limit of the symbol"
        return None

    def _frozen(self, position: Position, spec: SymbolSpec, quote: Quote) -> Refusal | None:
        near = spec.instrument.point * spec.freeze_level
        price = quote.closing(position.side)
        levels = (position.stop, position.target)
        frozen = near and any(level is not None and abs(level - price) <= near for level in levels)
        return _FROZEN if frozen else None

    def _frozen_order(self, order: Order, spec: SymbolSpec, quote: Quote) -> Refusal | None:
        near = spec.instrument.point * spec.freeze_level
        return _FROZEN if near and abs(order.price - quote.opening(order.side)) <= near else None
