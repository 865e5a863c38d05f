"""/api/positions and /api/orders, writing: send, close, move, cancel; and what an unknown idea became."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, model_validator

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.ideas.lifecycle import Status
from backend.ideas.ticket import Level, Unit
from backend.orders.tickets import Ticket
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals, to_json
from backend.strategies.model import OrderType
from backend.trading.sides import Side

router = APIRouter(prefix="/api", tags=["trading"], route_class=DeskRoute)

_REFUSALS: Final = refusals(404, 409, 413, 415, 422, 503)

Number = Annotated[float, Field(allow_inf_nan=False)]
Why = Annotated[str, Field(max_length=500, description="Why: it is kept in the journal")]


class Changed(BaseModel):
    """What the broker made of it."""

    outcome: str = Field(description="done, partly (dealt in part) or gone (it was not there any more)")
    message: str
    intent: str = Field(description="By which the journal has it, and the comment of its order")
    retcode: int | None
    order: int | None
    deal: int | None
    volume: str | None
    price: str | None


class Close(BaseModel):
    """How much to close."""

    model_config = ConfigDict(extra="forbid")

    volume: Number | None = Field(None, description="Lots; all of it if absent")
    all: StrictBool = Field(False, description="Also a position that is not this desk's")
    reason: Why = ""


class MovePosition(BaseModel):
    """What changes; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    stop: Number | None = Field(None, description="Its new price; a position keeps a stop")
    target: Number | None = Field(None, description="Its new price; null takes it away")
    reason: Why = ""


class MoveOrder(MovePosition):
    """What changes of a pending order; what is absent stays."""

    price: Number | None = None


class Resolved(BaseModel):
    """What a person found out of an idea whose order is unknown."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["open", "placed", "closed", "cancelled", "expired", "failed"]
    ticket: int | None = Field(None, ge=1, lt=2**63, description="Of its order; not needed for failed")
    reason: str = Field(min_length=1, max_length=500, description="How that is known")


class Distance(BaseModel):
    """A level by its distance from the entry, or as a price: exactly one of these."""

    model_config = ConfigDict(extra="forbid")

    price: Number | None = None
    points: Number | None = None
    atr: Number | None = Field(None, description="Multiples of the ATR(14) of `timeframe`")
    r: Number | None = Field(None, description="Of a target: multiples of the stop's distance")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give exactly one of price, points, atr and r")
        return self

    @property
    def level(self) -> Level:
        """As the ticket takes it."""
        ((unit, value),) = self.model_dump(exclude_none=True).items()
        return Level(Unit(unit), value)


class NewOrder(BaseModel):
    """An order ticket. Prices that a person sets stay where they are put."""

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field(min_length=1, max_length=50)
    side: Side
    type: OrderType = OrderType.MARKET
    price: Number | None = Field(None, description="Of a limit or stop order")
    stop: Number | Distance = Field(description="A price, or a distance; every order has one at the broker")
    target: Number | Distance | None = None
    timeframe: Timeframe = Field(Timeframe.H1, description="Of the ATR in which a level is stated")
    volume: Number | None = Field(None, description="Lots; sized by risk if absent")
    risk: Number | None = Field(None, description="Fraction of the account: 0.01 is 1 %")
    expires_at: AwareDatetime | None = Field(None, description="Of an order that waits")
    note: Why = ""
    key: str | None = Field(
        None, min_length=1, max_length=100, description="The same key is the same order, sent once"
    )


@router.post("/orders", response_model=dict[str, Any], responses=_REFUSALS)
def send_order(request: Request, body: NewOrder) -> Response:
    """Send an order by hand: judged by the gate (all but confidence, age, drift and AI-on), then once."""
    return _json(desk(request).orders.tickets.send(_ticket_of(body), actor=actor(request)))


@router.post("/orders/preview", response_model=dict[str, Any], responses=_REFUSALS)
def preview_order(request: Request, body: NewOrder) -> Response:
    """What sending the ticket now would lead to; nothing is sent or recorded."""
    return _json(desk(request).orders.tickets.preview(_ticket_of(body)))


@router.post("/positions/{ticket}/close", response_model=Changed, responses=_REFUSALS)
def close_position(request: Request, ticket: int, body: Annotated[Close | None, Body()] = None) -> Response:
    """Close a position, in whole or in part. What reduces risk is never refused by the gate."""
    asked = body or Close()
    volume = None if asked.volume is None else _exact(asked.volume)
    found = desk(request).orders.close(
        _ticket(ticket), volume, actor=actor(request), why=asked.reason or "closed by hand", all_=asked.all
    )
    return _json(found)


@router.patch("/positions/{ticket}", response_model=Changed, responses=_REFUSALS)
def move_position(request: Request, ticket: int, body: MovePosition) -> Response:
    """Move the stop or the target of a position."""
    found = desk(request).orders.move(
        _ticket(ticket), _levels(body), actor=actor(request), why=body.reason or "moved by hand"
    )
    return _json(found)


@router.patch("/orders/{ticket}", response_model=Changed, responses=_REFUSALS)
def move_order(request: Request, ticket: int, body: MoveOrder) -> Response:
    """Move the price, the stop or the target of a pending order."""
    price = None if body.price is None else _exact(body.price)
    found = desk(request).orders.modify(
        _ticket(ticket), price, _levels(body), actor=actor(request), why=body.reason or "moved by hand"
    )
    return _json(found)


@router.delete("/orders/{ticket}", response_model=Changed, responses=_REFUSALS)
def cancel_order(
    request: Request,
    ticket: int,
    *,
    everyones: Annotated[bool, Query(alias="all", description="Also an order that is not ours")] = False,
    reason: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Cancel a pending order."""
    found = desk(request).orders.cancel(
        _ticket(ticket), actor=actor(request), why=reason or "cancelled by hand", all_=everyones
    )
    return _json(found)


@router.post("/trade-ideas/{idea_id}/resolve", response_model=dict[str, Any], responses=_REFUSALS)
def resolve_idea(request: Request, idea_id: str, body: Resolved) -> Response:
    """Say what became of an idea that is unknown. The terminal has to show the same of that ticket."""
    idea = desk(request).orders.recovery.resolve(
        idea_id, Status(body.status), actor=actor(request), why=body.reason, ticket=body.ticket
    )
    return _json(idea)


def _levels(body: MovePosition) -> dict[str, Decimal | None]:
    given: dict[str, float | None] = body.model_dump(include={"stop", "target"}, exclude_unset=True)
    extra = isinstance(body, MoveOrder) and body.price is not None
    if not given and not extra:
        raise Invalid("nothing_to_change", "name what to change")
    return {name: None if value is None else _exact(value) for name, value in given.items()}


def _ticket_of(body: NewOrder) -> Ticket:
    given = {name: getattr(body, name) for name in NewOrder.model_fields}
    levels = {
        name: given[name].level if isinstance(given[name], Distance) else given[name]
        for name in ("stop", "target")
    }
    return Ticket(**given | levels)


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))


def _ticket(ticket: int) -> int:
    if not 1 <= ticket < 2**63:
        raise Invalid("bad_ticket", f"{ticket} is no ticket")
    return ticket


def _json(answer: Any) -> Response:
    return Response(to_json(answer), media_type="application/json")
