"""/api/account, /api/positions, /api/orders, /api/deals: what stands at the broker, as the terminal says it.

Nothing is remembered here: where the terminal does not answer there is a 503 with its reason. A terminal
that has lost its trade server still shows what it knew (`connected` is false then), but that it shows
nothing proves nothing: then there is a 503, too.
"""

from collections.abc import Iterable, Sequence, Sized
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import dropwhile
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.clock import require_utc
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.mt5.account import AccountKind, Position
from backend.mt5.orders import Deal, Order
from backend.mt5.words import DealEntry, DealType, Filling, OrderState, OrderType, Reason, TimeType
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals
from backend.routes.ports import Desk

router = APIRouter(prefix="/api", tags=["trading"], route_class=DeskRoute)

USUAL_DAYS: Final = 30

Money = Annotated[float, Field(description="Account currency")]
Ours = Annotated[bool, Field(description="Whether its magic number is this desk's")]
Connected = Annotated[
    bool, Field(description="Whether the terminal has its trade server; else what it shows may be old")
]


class AccountAnswer(BaseModel):
    """The account that the terminal is signed in to."""

    at: datetime = Field(description="Desk time")
    connected: Connected
    login: int
    name: str
    server: str
    company: str
    kind: AccountKind
    currency: str
    currency_digits: int
    leverage: int = Field(description="100 means 1:100")
    hedging: bool = Field(description="Whether several positions of one symbol may stand side by side")
    balance: Money
    equity: Money
    credit: Money
    profit: Money
    margin: Money
    margin_free: Money
    margin_level: float | None = Field(description="Percent; null while no margin is in use")
    margin_call: float
    margin_stop_out: float
    trade_allowed: bool
    trade_expert: bool = Field(description="Whether the server lets programs trade")


class PositionRow(BaseModel):
    """An open position."""

    ticket: int
    identifier: int = Field(description="By which its deals name it; give it to /api/deals?position=")
    symbol: str
    broker_symbol: str
    side: Literal["buy", "sell"]
    volume: float = Field(description="Lots")
    price_open: float
    stop: float | None
    target: float | None
    price_current: float
    swap: Money
    profit: Money
    magic: int
    ours: Ours
    comment: str
    opened_at: datetime
    updated_at: datetime
    at_risk: float | None = Field(
        description="What it can still lose down to its stop, from its worth now, in account currency; "
        "null without a stop, or where it cannot be told"
    )
    at_risk_r: float | None = Field(
        description="The same in R, which is what its first stop would have lost; null where it is not known"
    )
    moved_r: float | None = Field(description="How far its price has moved for it since the open, in R")


class OpenRisk(BaseModel):
    """What all open positions together can still lose down to their stops."""

    money: float | None = Field(description="Account currency; null where that of a position is")
    r: float | None = Field(description="In R, each position by its own; null where that of a position is")
    without_stop: int = Field(description="Positions whose loss nothing bounds")


class PositionList(BaseModel):
    """Every open position, ours and others'."""

    at: datetime = Field(description="Desk time")
    connected: Connected
    items: list[PositionRow]
    open_risk: OpenRisk


class OrderRow(BaseModel):
    """An order, pending or done."""

    ticket: int
    symbol: str
    broker_symbol: str
    type: OrderType
    state: OrderState
    volume: float = Field(description="Lots asked for")
    volume_left: float = Field(description="Lots not dealt yet")
    price: float | None
    stop_limit: float | None
    stop: float | None
    target: float | None
    price_current: float | None
    filling: Filling
    time_type: TimeType
    expires_at: datetime | None
    placed_at: datetime
    done_at: datetime | None = Field(description="Null while it is pending")
    position_id: int
    magic: int
    ours: Ours
    comment: str
    reason: Reason


class OrderList(BaseModel):
    """Every pending order, ours and others'."""

    at: datetime = Field(description="Desk time")
    connected: Connected
    items: list[OrderRow]


class DealRow(BaseModel):
    """An execution, or a booking of money."""

    ticket: int
    order: int
    position_id: int
    symbol: str = Field(description="Empty for a booking")
    type: DealType
    entry: DealEntry
    volume: float
    price: float | None = Field(description="Null for a booking")
    profit: Money
    swap: Money
    commission: Money
    fee: Money
    net: float = Field(description="What it did to the balance")
    magic: int
    ours: Ours
    comment: str
    reason: Reason
    time: datetime


class DealPage(BaseModel):
    """Deals, newest first."""

    at: datetime = Field(description="Desk time")
    connected: Connected
    since: datetime | None = Field(description="Null where a position's deals were asked for without it")
    until: datetime | None
    items: list[DealRow]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")


@router.get("/account", responses=refusals(503))
def account(request: Request) -> AccountAnswer:
    """The account as the terminal has it now; 503 where it does not answer."""
    services = desk(request)
    found = services.terminal.account()
    connected = services.terminal.terminal().connected
    return AccountAnswer(at=services.clock.now(), connected=connected, **found.as_dict())


@router.get("/positions", responses=refusals(503))
def positions(request: Request) -> PositionList:
    """Open positions; an empty list means that there are none, never that they are not known."""
    services = desk(request)
    found = services.terminal.positions()
    items = _positions(services, found)
    return PositionList(
        at=services.clock.now(),
        connected=_connected(services, found),
        items=items,
        open_risk=OpenRisk(
            money=_sum(one.at_risk for one in items),
            r=_sum(one.at_risk_r for one in items),
            without_stop=sum(one.stop is None for one in items),
        ),
    )


@router.get("/positions/{ticket}", responses=refusals(404, 503))
def position(request: Request, ticket: int) -> PositionRow:
    """One open position."""
    services = desk(request)
    found = services.terminal.position(_ticket(ticket))
    if found is None:
        _connected(services, ())
        raise NotFound(
            "unknown_position",
            f"There is no open position {ticket}; /api/deals?position={ticket} tells how it ended",
            ticket=ticket,
        )
    return _positions(services, (found,))[0]


@router.get("/orders", responses=refusals(503))
def orders(request: Request) -> OrderList:
    """Pending orders; an empty list means that there are none, never that they are not known."""
    services = desk(request)
    found = services.dealer.orders()
    return OrderList(
        at=services.clock.now(),
        connected=_connected(services, found),
        items=[_order(services, one) for one in found],
    )


@router.get("/orders/{ticket}", responses=refusals(404, 503))
def order(request: Request, ticket: int) -> OrderRow:
    """One order, pending or done; `state` says which."""
    services = desk(request)
    found = services.dealer.order(_ticket(ticket)) or services.dealer.history_order(ticket)
    if found is None:
        _connected(services, ())
        raise NotFound("unknown_order", f"The broker has no order {ticket}", ticket=ticket)
    return _order(services, found)


@router.get("/deals", responses=refusals(422, 503))
def deals(
    request: Request,
    *,
    since: Annotated[
        AwareDatetime | None, Query(description=f"Of the first; {USUAL_DAYS} days ago if absent")
    ] = None,
    until: Annotated[AwareDatetime | None, Query(description="Of the last; no end if absent")] = None,
    position: Annotated[
        int | None, Query(ge=1, lt=2**63, description="Identifier of a position: all of its deals")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> DealPage:
    """Executions and bookings of money, newest first."""
    services = desk(request)
    now = services.clock.now()
    if since is not None and until is not None and until < since:
        raise Invalid("bad_range", f"since {since} lies after until {until}")
    if position is not None:
        found = services.dealer.deals_of_position(position)
    else:
        since = since if since is not None else min(now, until or now) - timedelta(days=USUAL_DAYS)
        found = services.dealer.deals(since, until)
    connected = _connected(services, found)
    rows = [
        one
        for one in sorted(found, key=lambda deal: (deal.time, deal.ticket), reverse=True)
        if (since is None or one.time >= since) and (until is None or one.time <= until)
    ]
    if cursor is not None:
        if not any(str(one.ticket) == cursor for one in rows):
            raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
        rows = list(dropwhile(lambda one: str(one.ticket) != cursor, rows))[1:]
    page = rows[:limit]
    return DealPage(
        at=now,
        connected=connected,
        since=None if since is None else require_utc(since),
        until=None if until is None else require_utc(until),
        items=[_deal(services, one) for one in page],
        next_cursor=str(page[-1].ticket) if len(rows) > limit else None,
    )


def _ticket(ticket: int) -> int:
    """A ticket that a terminal can have."""
    if not 1 <= ticket < 2**63:
        raise Invalid("bad_ticket", f"{ticket} is no ticket")
    return ticket


def _connected(services: Desk, found: Sized) -> bool:
    """Whether the terminal has its trade server.

    Raises:
        Unavailable: It has not, and showed nothing.
    """
    connected = services.terminal.terminal().connected
    if not connected and not found:
        raise Unavailable(
            "terminal_offline",
            "The terminal has no connection to its trade server and shows nothing; what is open is not known",
        )
    return connected


def _positions(services: Desk, found: Sequence[Position]) -> list[PositionRow]:
    if not found:
        return []
    risks = services.account.risks(found, services.terminal.account().currency)
    return [
        PositionRow(
            **asdict(one),
            side="buy" if one.buy else "sell",
            ours=one.magic == services.settings.magic,
            at_risk=_rounded(risk.money, 2),
            at_risk_r=_rounded(risk.in_r, 4),
            moved_r=_rounded(risk.moved_r, 4),
        )
        for one, risk in zip(found, risks, strict=True)
    ]


def _rounded(value: Decimal | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return round(total, 4)


def _order(services: Desk, one: Order) -> OrderRow:
    return OrderRow(**asdict(one), ours=one.magic == services.settings.magic)


def _deal(services: Desk, one: Deal) -> DealRow:
    return DealRow(**asdict(one), net=float(one.net), ours=one.magic == services.settings.magic)
