"""/api/trade-ideas: what the desk proposes, and what a person does with it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.core.clock import require_utc
from backend.ideas.lifecycle import Status
from backend.ideas.lines import Filter
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals, to_json
from backend.trading.sides import Side

router = APIRouter(prefix="/api/trade-ideas", tags=["ideas"], route_class=DeskRoute)
approval = APIRouter(prefix="/api/trade-approval", tags=["ideas"], route_class=DeskRoute)

_REFUSALS: Final = refusals(404, 409, 413, 415, 422, 503)

Text = Annotated[str | None, Query(max_length=200)]
Price = Annotated[float | None, Field(strict=True)]


class IdeaPage(BaseModel):
    """Trade ideas, newest first."""

    items: list[dict[str, Any]]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")
    counts: dict[Status, int] = Field(
        description="How many there are of each status, by all filters but `status`; absent is none"
    )
    problems: list[dict[str, Any]] = Field(description="Idea files that cannot be read")


class PendingIdeas(BaseModel):
    """Trade ideas that wait for approval, newest first."""

    pending: list[dict[str, Any]]
    count: int


class Changes(BaseModel):
    """What a person wants otherwise; null gives a field back to the decision, absent leaves it as it is."""

    model_config = ConfigDict(extra="forbid")

    entry: Price = Field(None, description="Makes a pending order: limit or stop by where it lies")
    stop: Price = Field(None, description="Stays at this price, wherever the entry is")
    target: Price = Field(None, description="Stays at this price, wherever the entry is")
    volume: Price = Field(None, description="Lots; the limit of risk for one trade still counts")

    def given(self) -> dict[str, float | None]:
        """The fields that the request names."""
        return {
            name: getattr(self, name)
            for name in ("entry", "stop", "target", "volume")
            if name in self.model_fields_set
        }


class Approval(Changes):
    """An approval, with what the person wants otherwise."""

    reason: str = Field("", max_length=1000)


class Modification(Changes):
    """A change of an idea that waits."""

    notes: str | None = Field(None, max_length=1000, description="A remark, kept with the idea")
    reason: str = Field("", max_length=1000)


class Refusal(BaseModel):
    """A rejection."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1000, description="Why; kept with the idea")


class Because(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=1000)


class Preview(BaseModel):
    """What approving now would lead to."""

    id: str
    symbol: str
    side: Side
    order_type: str = Field(description="market, limit or stop")
    passed_by: bool = Field(description="The price has reached the entry of a pending order")
    entry: float
    stop: float
    target: float | None
    volume: float | None = Field(description="Lots; null where the levels give none")
    risk_money: float | None = Field(description="Account currency lost at the stop, costs included")
    margin: float | None
    reward_to_risk: float | None
    size: dict[str, Any] | None = Field(description="How the volume came about")
    passed: bool = Field(description="Whether it would be approved")
    refusals: list[dict[str, Any]]
    fields: dict[str, str] = Field(description="Which of entry, stop, target, volume is refused, and why")
    checks: list[dict[str, Any]] = Field(
        description="The gate's checks: check, meaning, passed, measured, bound, reason"
    )
    warnings: list[str]


@router.get("", response_model=IdeaPage, responses=refusals(422))
def list_ideas(
    request: Request,
    *,
    symbol: Text = None,
    status: Annotated[list[Status] | None, Query(description="Any of these")] = None,
    strategy: Annotated[str | None, Query(max_length=200, description="Id of the strategy")] = None,
    side: Side | None = None,
    origin: Literal["strategy", "manual"] | None = None,
    since: Annotated[datetime | None, Query(description="Made at this desk time or later")] = None,
    until: Annotated[datetime | None, Query(description="Made before this desk time")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Text = None,
) -> Response:
    """Trade ideas as their files hold them, newest first."""
    ideas = desk(request).ideas
    wanted = Filter(
        statuses=frozenset(status or ()),
        symbol=symbol,
        strategy=strategy,
        side=side,
        origin=origin,
        since=None if since is None else require_utc(since),
        until=None if until is None else require_utc(until),
    )
    page, after = ideas.page(wanted, cursor=cursor, limit=limit)
    answer = {
        "items": page,
        "next_cursor": after,
        "counts": ideas.counts(wanted),
        "problems": [problem.as_dict() for problem in ideas.problems()],
    }
    return Response(to_json(answer), media_type="application/json")


@router.get("/{idea_id}", response_model=dict[str, Any], responses=refusals(404))
def get_idea(request: Request, idea_id: str) -> Response:
    """One trade idea with its history."""
    return _told(desk(request).ideas.get(idea_id))


@router.post("/{idea_id}/approve", response_model=dict[str, Any], responses=_REFUSALS)
def approve_idea(request: Request, idea_id: str, body: Approval | None = None) -> Response:
    """Judge it by the whole gate at current prices, approve it and have it sent.

    A refusal is 409 with the reasons and stands in the idea's history; the idea goes on waiting.
    """
    body = body or Approval()
    acts = desk(request).idea_desk
    return _told(acts.approve(idea_id, actor=actor(request), overrides=body.given(), why=body.reason))


@router.post("/{idea_id}/reject", response_model=dict[str, Any], responses=_REFUSALS)
def reject_idea(request: Request, idea_id: str, body: Refusal) -> Response:
    """Say no, and why."""
    return _told(desk(request).idea_desk.reject(idea_id, actor=actor(request), why=body.reason))


@router.patch("/{idea_id}", response_model=dict[str, Any], responses=_REFUSALS)
def modify_idea(request: Request, idea_id: str, body: Modification) -> Response:
    """Change an idea that waits; volume, money and reward to risk are computed again."""
    return _told(
        desk(request).idea_desk.modify(
            idea_id, actor=actor(request), overrides=body.given(), notes=body.notes, why=body.reason
        )
    )


@router.post("/{idea_id}/cancel", response_model=dict[str, Any], responses=_REFUSALS)
def cancel_idea(request: Request, idea_id: str, body: Because | None = None) -> Response:
    """Withdraw an idea that is not sent yet, or have its waiting order removed."""
    why = "" if body is None else body.reason
    return _told(desk(request).idea_desk.cancel(idea_id, actor=actor(request), why=why))


@router.post("/{idea_id}/preview", response_model=Preview, responses=_REFUSALS)
def preview_idea(request: Request, idea_id: str, body: Changes | None = None) -> Response:
    """What approving with these changes would lead to at current prices; nothing is changed."""
    given = {} if body is None else body.given()
    return _told(desk(request).idea_desk.preview(idea_id, given))


@approval.get("/pending", response_model=PendingIdeas, responses=refusals())
def list_pending(request: Request) -> Response:
    """Trade ideas that wait for approval; the earlier platform's name for a filtered /api/trade-ideas."""
    pending = desk(request).ideas.pending()
    return _told({"pending": pending, "count": len(pending)})


@approval.post("/approve/{idea_id}", response_model=dict[str, Any], responses=_REFUSALS)
def approve_pending(request: Request, idea_id: str, body: Approval | None = None) -> Response:
    """The earlier platform's name for /api/trade-ideas/{idea_id}/approve."""
    return approve_idea(request, idea_id, body)


@approval.post("/reject/{idea_id}", response_model=dict[str, Any], responses=_REFUSALS)
def reject_pending(request: Request, idea_id: str, body: Refusal) -> Response:
    """The earlier platform's name for /api/trade-ideas/{idea_id}/reject."""
    return reject_idea(request, idea_id, body)


def _told(value: Mapping[str, Any]) -> Response:
    return Response(to_json(value), media_type="application/json")
