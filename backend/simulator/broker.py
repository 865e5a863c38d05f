"""The simulated broker: one account, its requests, and time going on."""

from decimal import Decimal
from typing import NamedTuple

from backend.mt5 import constants as mt5
from backend.mt5.structures import OrderCheckResult, OrderSendResult, TradeRequest
from backend.simulator.account import SimulatedAccount
from backend.simulator.book import Book, Deal, Order
from backend.simulator.dealing import Dealer
from backend.simulator.judging import Judge
from backend.simulator.matching import Matcher
from backend.simulator.prices import Prices, Quote
from backend.simulator.requests import Asked
from backend.simulator.valuation import Valuation
from backend.trading.profit import to_cents

_EXECUTED = "Request executed"
_NO_QUOTE = Quote(Decimal(0), Decimal(0))


class Outcome(NamedTuple):
    """What a request came to."""

    retcode: int
    comment: str = _EXECUTED
    deal: int = 0
    order: int = 0
    lots: Decimal = Decimal(0)
    price: Decimal = Decimal(0)


class Broker:
    """Judges and carries out requests; whoever owns it moves its prices and applies the market's moves.

    Args:
        book: The account's book.
        account: Its terms.
        prices: The present prices; `prices.specs` is what is offered.
    """

    def __init__(self, book: Book, account: SimulatedAccount, prices: Prices) -> None:
        self.book = book
        self.account = account
        self.prices = prices
        self.valuation = Valuation(book, account, prices)
        self.dealer = Dealer(book, account, prices, self.valuation)
        self.matcher = Matcher(book, account, prices, self.valuation, self.dealer)
        self._judge = Judge(book, account, prices, self.valuation, self.matcher)

    def check(self, request: TradeRequest, now_ms: int) -> OrderCheckResult:
        """What the request would do to the account; retcode 0 is success."""
        asked = self._judge.judge(request, now_ms)
        refused = isinstance(asked, tuple)
        code, comment = asked if isinstance(asked, tuple) else (0, "Done")
        margin = self.valuation.margin() if refused else self._margin_after(asked)
        equity = self.valuation.equity()
        level = equity * 100 / margin if margin else Decimal(0)
        return OrderCheckResult(
            code,
            float(self.book.balance),
            float(equity),
            float(self.valuation.profit()),
            self.money(margin),
            self.money(equity - margin),
            self.money(level),
            comment,
            request,
        )

    def _margin_after(self, asked: Asked | tuple[int, str]) -> Decimal:
        if isinstance(asked, tuple) or asked.given.action != mt5.TRADE_ACTION_DEAL or asked.spec is None:
            return self.valuation.margin()
        if self.account.hedging and asked.position is not None:
            return self.valuation.margin_without({asked.position.ticket: asked.closes})
        quote = self.prices.quote(asked.spec.name) or _NO_QUOTE
        return self.valuation.margin_with(asked.spec.name, asked.side, asked.lots, quote.opening(asked.side))

    def send(self, request: TradeRequest, now_ms: int, *, scarce: bool = False) -> OrderSendResult:
        """Carry the request out, or refuse it.

        Args:
            request: What is asked.
            now_ms: The present, server milliseconds.
            scarce: The market has only a part of the volume; of a pending order's, when its price comes.
        """
        self.book.requests += 1
        asked = self._judge.judge(request, now_ms)
        outcome = (
            Outcome(*asked) if isinstance(asked, tuple) else self._carry_out(asked, now_ms, scarce=scarce)
        )
        return self.answer(request, outcome)

    def answer(self, request: TradeRequest, outcome: Outcome) -> OrderSendResult:
        """An outcome in the terminal's words."""
        known = request.symbol in self.prices.specs
        quote = (self.prices.quote(request.symbol) if known else None) or _NO_QUOTE
        return OrderSendResult(
            outcome.retcode,
            outcome.deal,
            outcome.order,
            float(outcome.lots),
            float(outcome.price),
            float(quote.bid),
            float(quote.ask),
            outcome.comment,
            self.book.requests,
            0,
            request,
        )

    def money(self, amount: Decimal) -> float:
        """Money as it is shown: rounded to the account's digits."""
        return float(to_cents(amount, self.account.digits))

    def _carry_out(self, asked: Asked, now_ms: int, *, scarce: bool) -> Outcome:
        action = asked.given.action
        if action == mt5.TRADE_ACTION_DEAL:
            return self._deal(asked, now_ms, scarce=scarce)
        if action == mt5.TRADE_ACTION_PENDING:
            order = self._order(asked, now_ms)
            order.partly = scarce
            self.book.orders[order.ticket] = order
            return Outcome(mt5.TRADE_RETCODE_PLACED, order=order.ticket, lots=order.lots, price=order.price)
        if action == mt5.TRADE_ACTION_CLOSE_BY:
            return self._close_by(asked, now_ms)
        if asked.position is not None:
            asked.position.stop, asked.position.target = asked.stop, asked.target
            asked.position.updated_ms = now_ms
            return Outcome(mt5.TRADE_RETCODE_DONE)
        return self._change_order(asked, now_ms)

    def _deal(self, asked: Asked, now_ms: int, *, scarce: bool) -> Outcome:
        order = self._order(asked, now_ms)
        quote = self.prices.quote(order.symbol) or _NO_QUOTE
        market = asked.spec is not None and asked.spec.execution >= mt5.SYMBOL_TRADE_EXECUTION_MARKET
        slipped = self.matcher.slippage(order.symbol) * order.side.sign if market else Decimal(0)
        order.price = quote.opening(order.side) + slipped
        lots = self.matcher.part(order) if scarce else order.lots
        if order.filling == mt5.ORDER_FILLING_FOK and lots < order.lots:
            self.book.end_order(order, mt5.ORDER_STATE_REJECTED, now_ms)
            return Outcome(mt5.TRADE_RETCODE_REJECT, "Not enough volume in the market", order=order.ticket)
        deal = self.dealer.execute(order, lots, order.price, now_ms)
        if order.left:
            self.book.end_order(order, mt5.ORDER_STATE_CANCELED, now_ms)
        code = mt5.TRADE_RETCODE_DONE_PARTIAL if order.left else mt5.TRADE_RETCODE_DONE
        return _dealt(code, deal)

    def _order(self, asked: Asked, now_ms: int) -> Order:
        given = asked.given
        name = asked.spec.name if asked.spec is not None else given.symbol
        pending = given.action == mt5.TRADE_ACTION_PENDING
        closing = bool(asked.closes) and self.account.hedging
        takes = pending and self.account.pending_margin
        return Order(
            ticket=self.book.next_ticket(),
            symbol=name,
            kind=given.type,
            lots=asked.lots,
            left=asked.lots,
            price=asked.price,
            placed_ms=now_ms,
            limit=asked.limit if pending else None,
            stop=None if closing else asked.stop,
            target=None if closing else asked.target,
            filling=given.type_filling,
            lifetime=given.type_time if pending else mt5.ORDER_TIME_GTC,
            expiration=given.expiration if pending else 0,
            expires_ms=asked.expires_ms if pending else 0,
            position=asked.position.identifier if closing and asked.position is not None else 0,
            magic=given.magic,
            comment=given.comment,
            margin=self.valuation.alone(name, asked.lots, asked.price) if takes else Decimal(0),
        )

    def _change_order(self, asked: Asked, now_ms: int) -> Outcome:
        order = asked.order
        if order is None:
            return Outcome(mt5.TRADE_RETCODE_INVALID, "Invalid request")
        if asked.given.action == mt5.TRADE_ACTION_REMOVE:
            self.book.end_order(order, mt5.ORDER_STATE_CANCELED, now_ms)
        else:
            order.price, order.limit = asked.price, asked.limit
            order.stop, order.target = asked.stop, asked.target
            order.lifetime, order.expiration = asked.given.type_time, asked.given.expiration
            order.expires_ms = asked.expires_ms
        return Outcome(mt5.TRADE_RETCODE_DONE, order=order.ticket, price=order.price)

    def _close_by(self, asked: Asked, now_ms: int) -> Outcome:
        first, second = asked.position, asked.opposite
        if first is None or second is None:
            return Outcome(mt5.TRADE_RETCODE_INVALID, "Invalid request")
        lots = min(first.lots, second.lots)
        order = Order(
            ticket=self.book.next_ticket(),
            symbol=first.symbol,
            kind=mt5.ORDER_TYPE_CLOSE_BY,
            lots=lots,
            left=lots,
            price=second.price,
            placed_ms=now_ms,
            position=first.identifier,
            position_by=second.identifier,
            magic=asked.given.magic,
            comment=asked.given.comment,
        )
        return _dealt(mt5.TRADE_RETCODE_DONE, self.dealer.close_by(order, first, second, now_ms))


def _dealt(code: int, deal: Deal) -> Outcome:
    return Outcome(code, deal=deal.ticket, order=deal.order, lots=deal.lots, price=deal.price)
