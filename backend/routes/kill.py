"""/api/control/kill: the kill switch, worked by this process itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals, to_json

router = APIRouter(prefix="/api/control", tags=["control"], route_class=DeskRoute)


class Kill(BaseModel):
    """How far it goes."""

    model_config = ConfigDict(extra="forbid")

    close: StrictBool = Field(False, description="Also close the positions")
    all: StrictBool = Field(False, description="Also orders and positions that are not this desk's")
    reason: str = Field("kill switch", min_length=1, max_length=500)


class Killed(BaseModel):
    """What was done, and what the terminal shows afterwards."""

    halted: bool = Field(description="Whether the halt is on record; it holds in every process then")
    cancelled: list[int] = Field(description="Tickets of the orders that were removed")
    closed: list[int] = Field(description="Tickets of the positions that were closed")
    seconds_to_last_cancel: float
    orders_left: list[dict[str, Any]] | None = Field(description="null where the terminal does not say")
    positions_left: list[dict[str, Any]] | None = Field(description="null where the terminal does not say")
    problems: list[str]


@router.post("/kill", response_model=Killed, responses=refusals(413, 415, 422, 503))
def kill(request: Request, body: Annotated[Kill | None, Body()] = None) -> Response:
    """Halt the desk at once, cancel every pending order and, if asked, close the positions."""
    asked = body or Kill.model_validate({})
    report = desk(request).orders.kill.pull(
        close=asked.close, all_=asked.all, actor=actor(request), reason=asked.reason
    )
    return Response(to_json(report), media_type="application/json")
