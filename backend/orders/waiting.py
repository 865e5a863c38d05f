"""Cancelling and moving pending orders."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from backend.core.errors import Conflict, NotFound
from backend.core.instruments import Instrument
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.orders import Order, OrderRequest
from backend.mt5.retcodes import Then
from backend.mt5.words import TimeType, TradeAction
from backend.orders.asking import Asking, Became, Change
from backend.orders.intents import Intent, IntentKind
from backend.orders.owning import KEEP, Keep, Level, Owner, check_level


class OrderChanges:
    """Cancels and moves pending orders, each request on record.

    Args:
        asking: Sends.
        dealer: Orders.
        terminal: Prices and specifications.
        owner: What is ours.
    """

    def __init__(self, asking: Asking, dealer: Dealer, terminal: MT5Client, owner: Owner) -> None:
        self._asking = asking
        self._dealer = dealer
        self._terminal = terminal
        self._owner = owner

    def cancel(self, ticket: int, *, actor: str, why: str, all_: bool = False) -> Change:
        """Remove a pending order.

        Raises:
            NotFound: ``no_order``: none of that ticket waits.
            Conflict: ``not_ours``.
            Unavailable: The terminal does not answer; nothing was sent.
        """
        order = self._order(ticket)
        if not all_:
            self._owner.require(order.magic, "order", ticket)

        def attempt(number: int, then: Then | None) -> Intent | None:
            if then is Then.NEXT_FILLING:
                return None
            return self.cancelling(order, why=why, attempt=number)

        change = self._asking.ask(attempt, actor=actor)
        if change.became is Became.UNKNOWN and self._dealer.order(ticket) is None:
            return replace(change, became=Became.GONE, message=f"{change.message}; the order is gone")
        return change

    def cancelling(self, order: Order, *, why: str, attempt: int = 1) -> Intent:
        """The intent to remove a pending order."""
        request = OrderRequest(
            action=TradeAction.REMOVE,
            symbol=order.symbol,
            broker_symbol=order.broker_symbol,
            order=order.ticket,
        )
        return self._owner.intent(IntentKind.CANCEL, request, order.ticket, why=why, attempt=attempt)

    def modify(
        self,
        ticket: int,
        *,
        price: Decimal | None = None,
        stop: Level = KEEP,
        target: Level = KEEP,
        actor: str,
        why: str,
    ) -> Change:
        """Move a pending order's price, stop or target; what is not given stays. An order keeps its stop.

        Raises:
            NotFound: ``no_order``.
            Invalid: ``bad_price``, ``bad_stop``, ``bad_target``.
            Conflict: ``not_ours``, ``stop_required``.
            Unavailable: The terminal does not answer; nothing was sent.
        """
        order = self._order(ticket)
        self._owner.require(order.magic, "order", ticket)
        instrument = self._terminal.instrument(order.symbol)
        wanted = {
            "price": order.price if price is None else price,
            "stop": order.stop if isinstance(stop, Keep) else stop,
            "target": order.target if isinstance(target, Keep) else target,
        }
        entry = wanted["price"]
        if entry is None:
            raise Conflict("no_price", f"order {ticket} has no price to be moved", ticket=ticket)
        if wanted["stop"] is None:
            raise Conflict("stop_required", f"order {ticket} keeps a stop: give its price", ticket=ticket)
        self._on_its_side(order, entry, instrument)
        sign = 1 if order.type.buy else -1
        base = order.stop_limit or entry
        for name, way in (("stop", -sign), ("target", sign)):
            level = wanted[name]
            if level is not None:
                check_level(name, level, base, way, instrument)
        request = OrderRequest(
            action=TradeAction.MODIFY,
            symbol=order.symbol,
            broker_symbol=order.broker_symbol,
            price=entry,
            stop_limit=order.stop_limit,
            stop=wanted["stop"],
            target=wanted["target"],
            time_type=order.time_type,
            expires_at=_expiry(order),
            order=ticket,
        )

        def attempt(number: int, then: Then | None) -> Intent | None:
            if then is Then.NEXT_FILLING:
                return None
            return self._owner.intent(IntentKind.MODIFY, request, ticket, why=why, attempt=number)

        return self._asking.ask(attempt, actor=actor)

    def _order(self, ticket: int) -> Order:
        order = self._dealer.order(ticket)
        if order is None:
            raise NotFound("no_order", f"there is no pending order {ticket}", ticket=ticket)
        return order

    def _on_its_side(self, order: Order, price: Decimal, instrument: Instrument) -> None:
        quote = self._terminal.quote(order.symbol)
        live = quote.ask if order.type.buy else quote.bid
        sign = 1 if order.type.buy else -1
        limit = order.type.value.endswith("_limit") and order.stop_limit is None
        check_level("price", price, live, -sign if limit else sign, instrument)


def _expiry(order: Order) -> datetime | None:
    return order.expires_at if order.time_type in {TimeType.SPECIFIED, TimeType.SPECIFIED_DAY} else None
