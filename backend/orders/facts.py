"""What an idea's file says of its order and its position: JSON values, prices and lots as numbers."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from backend.core.clock import iso
from backend.mt5.orders import Deal, OrderRequest
from backend.orders.matching import Match, mean_price


def order_facts(
    request: OrderRequest, ticket: int, *, at: datetime, left: Decimal, expires_at: datetime | None
) -> dict[str, Any]:
    """The order of an idea.

    Args:
        request: As it was sent.
        ticket: The broker's number.
        at: When it was sent.
        left: Lots that still wait.
        expires_at: When the desk cancels what still waits.
    """
    return {
        "ticket": ticket,
        "intent": request.comment,
        "type": str(request.type),
        "volume": number(request.volume),
        "left": number(left),
        "price": number(request.price),
        "stop": number(request.stop),
        "target": number(request.target),
        "filling": None if request.filling is None else str(request.filling),
        "time_type": str(request.time_type),
        "placed_at": iso(at),
        "expires_at": None if expires_at is None else iso(expires_at),
    }


def position_facts(request: OrderRequest, match: Match, *, at: datetime) -> dict[str, Any]:
    """The position of an idea, with the levels that it began with.

    Args:
        request: As it was sent.
        match: What the terminal shows of its order.
        at: When it was dealt, where no deal tells.
    """
    opened = min((deal.time for deal in match.deals), default=at)
    return {
        "id": match.position_id,
        "ticket": match.position_id,
        "opened_at": iso(opened),
        "price_open": number(match.price),
        "volume": number(match.volume),
        "initial_stop": number(request.stop),
        "initial_target": number(request.target),
        "requested_price": number(request.price),
        "commission": number(sum((deal.commission for deal in match.deals), Decimal(0))),
        "deals": [deal.ticket for deal in match.deals],
    }


def of_deals(ticket: int, deals: Sequence[Deal]) -> tuple[int, Decimal, Decimal | None]:
    """Position, lots and mean price of an order's deals."""
    position = next((deal.position_id for deal in deals if deal.position_id), ticket)
    return position, sum((deal.volume for deal in deals), Decimal(0)), mean_price(deals)


def number(value: Decimal | None) -> float | None:
    """An exact number as JSON has it; its shortest text is the exact one."""
    return None if value is None else float(value)
