"""/api/decisions: what the desk decided and why, from the journal."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from backend.journal.columns import Wanted
from backend.journal.record import Record
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api/decisions", tags=["decisions"], route_class=DeskRoute)

Text = Annotated[str | None, Query(max_length=200)]
Score = Annotated[float | None, Query(ge=0, le=100)]


class DecisionRecord(BaseModel):
    """One decision as the journal holds it."""

    seq: int = Field(description="Its place in the journal")
    id: str | None = Field(description="The decision's id")
    at: str = Field(description="Desk time")
    at_wall: str = Field(description="Wall time")
    actor: str
    hash: str
    decision: dict[str, Any]
    inputs: dict[str, Any] | None = Field(
        default=None, description="What it was computed from, if asked for: hash, content, problem"
    )


class DecisionPage(BaseModel):
    """Decisions, newest first."""

    items: list[DecisionRecord]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")


class CheckCount(BaseModel):
    """How often a check refused."""

    decisions: int = Field(description="Decisions that it refused")
    alone: int = Field(description="Those that nothing else refused")


class DecisionStatistics(BaseModel):
    """How many decisions there are, by what they are; the most frequent first."""

    total: int
    first: str | None = Field(description="Desk time of the first")
    last: str | None = Field(description="Desk time of the last")
    ideas: int = Field(description="Decisions that made an idea")
    missed: int = Field(description="Decisions that came too late for one")
    by_action: dict[str, int]
    by_signal: dict[str, int]
    by_strategy: dict[str, int]
    by_symbol: dict[str, int]
    by_timeframe: dict[str, int]
    by_check: dict[str, CheckCount] = Field(description="Checks that refused")
    by_hour: list[int] = Field(description="24 numbers: hours of desk time, UTC")


class RefusedIdeas(BaseModel):
    """What ideas that were refused would have earned, by the backtest's own fills on the bars after."""

    ideas: int = Field(description="Refused decisions that had a signal, levels and a size")
    known: int = Field(description="Those whose result is known")
    not_filled: int = Field(description="Those of them whose order would not have been filled")
    wins: int
    losses: int
    cost: float | None = Field(description="Profit that was missed; null while none is known")
    saved: float | None = Field(description="Loss that was avoided; null while none is known")
    net: float | None = Field(description="cost - saved: what the refused ideas would have earned")
    net_r: float | None = Field(description="The same in R")
    unknown: dict[str, int] = Field(description="Why the others are not known, with counts")


class CheckWorth(BaseModel):
    """A check that refused, and what it cost or saved."""

    check: str
    decisions: int = Field(description="Decisions that it refused")
    alone: int = Field(description="Those that nothing else refused")
    together: RefusedIdeas = Field(description="Ideas that it refused, alone or with others")
    alone_only: RefusedIdeas = Field(description="Ideas that nothing else refused")


class WhyNot(BaseModel):
    """Which check refused most."""

    total: int = Field(description="Decisions that were looked at")
    currency: str | None = Field(description="Of the money; null while no result is known")
    checks: list[CheckWorth] = Field(description="The most frequent first")


class ReplayedDecision(BaseModel):
    """A decision computed again from what it saw."""

    decision_id: str
    seq: int
    same: bool = Field(description="The same bytes came out")
    record_intact: bool = Field(description="The record has the content of its hash")
    engine: dict[str, str] = Field(description="Versions: recorded, present")
    inputs: list[dict[str, Any]] = Field(description="Each input: file, whether it is the very one, why not")
    differences: list[dict[str, Any]] = Field(description="pointer, recorded, computed")
    more_differences: int
    notes: list[str]
    computed: dict[str, Any] = Field(description="The decision as computed now")


def wanted(
    *,
    symbol: Text = None,
    strategy: Annotated[str | None, Query(max_length=200, description="Id of the strategy")] = None,
    timeframe: Annotated[str | None, Query(max_length=10, description="Such as H1")] = None,
    action: Annotated[str | None, Query(max_length=40, description="Such as blocked, observe")] = None,
    signal: Annotated[Literal["long", "short", "conflict", "none"] | None, Query()] = None,
    refused_by: Annotated[
        str | None, Query(max_length=60, description="A check that refused, such as news_embargo")
    ] = None,
    min_confidence: Score = None,
    max_confidence: Score = None,
    since: Annotated[AwareDatetime | None, Query(description="Desk time, with an offset")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Desk time, with an offset")] = None,
    missed: Annotated[bool | None, Query(description="Whether it came too late for an idea")] = None,
    idea: Annotated[bool | None, Query(description="Whether it made an idea")] = None,
) -> Wanted:
    """The filters that every list of decisions has."""
    return Wanted(
        symbol=symbol,
        strategy=strategy,
        timeframe=timeframe,
        action=action,
        signal=signal,
        refused_by=refused_by,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        since=since,
        until=until,
        missed=missed,
        idea=idea,
    )


Filters = Annotated[Wanted, Depends(wanted)]


@router.get("", responses=refusals(422))
def list_decisions(
    request: Request,
    filters: Filters,
    *,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> DecisionPage:
    """Decisions, newest first."""
    found, following = desk(request).decisions.page(filters, cursor=cursor, limit=limit)
    return DecisionPage(items=[_shown(record) for record in found], next_cursor=following)


@router.get("/stats", responses=refusals(422))
def count_decisions(request: Request, filters: Filters) -> DecisionStatistics:
    """How many decisions there are, by action, check that refused, strategy, symbol, hour."""
    return DecisionStatistics.model_validate(desk(request).decisions.statistics(filters))


@router.get("/why-not", responses=refusals(422))
def explain_refusals(request: Request, filters: Filters) -> WhyNot:
    """Which check refused most, and what the refused ideas would have earned."""
    return WhyNot.model_validate(desk(request).decisions.why_not(filters))


@router.get("/{decision_id}", responses=refusals(404, 422))
def get_decision(
    request: Request,
    decision_id: str,
    *,
    inputs: Annotated[bool, Query(description="With what it was computed from")] = False,
) -> DecisionRecord:
    """One decision with everything that it saw."""
    service = desk(request).decisions
    shown = _shown(service.get(decision_id))
    if inputs:
        shown.inputs = dict(service.inputs(decision_id))
    return shown


@router.get("/{decision_id}/replay", responses=refusals(404, 422))
def replay_decision(request: Request, decision_id: str) -> ReplayedDecision:
    """Compute the decision again from what it saw: the same bytes, or where they differ."""
    return ReplayedDecision.model_validate(desk(request).decisions.replay(decision_id))


def _shown(record: Record) -> DecisionRecord:
    return DecisionRecord(
        seq=record.seq,
        id=record.key,
        at=record.at,
        at_wall=record.at_wall,
        actor=record.actor,
        hash=record.hash,
        decision=dict(record.payload),
    )
