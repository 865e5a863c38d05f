"""/api/decisions: what the desk decided and why, from the journal."""

from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from backend.core.clock import parse_iso
from backend.core.errors import Invalid
from backend.journal.record import Kind, Record
from backend.routes.access import desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api/decisions", tags=["decisions"])

_MOST_READ: Final = 20_000

Text = Annotated[str | None, Query(max_length=200)]


class DecisionRecord(BaseModel):
    """One decision as the journal holds it."""

    seq: int = Field(description="Its place in the journal")
    id: str | None = Field(description="The decision's id")
    at: str = Field(description="Desk time")
    at_wall: str = Field(description="Wall time")
    actor: str
    hash: str
    decision: dict[str, Any]


class DecisionPage(BaseModel):
    """Decisions, newest first."""

    items: list[DecisionRecord]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last")


@router.get("", responses=refusals(422))
def list_decisions(
    request: Request,
    *,
    symbol: Text = None,
    strategy: Annotated[str | None, Query(max_length=200, description="Id of the strategy")] = None,
    action: Annotated[str | None, Query(max_length=40, description="Such as blocked, observe")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Desk time, with an offset")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Desk time, with an offset")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> DecisionPage:
    """Decisions, newest first. A page may be short and still have a next one."""
    given = {"symbol": symbol, "strategy_id": strategy, "action": action}
    wanted = {name: value for name, value in given.items() if value is not None}
    found: list[DecisionRecord] = []
    last: int | None = None
    records = desk(request).journal.newest(kind=Kind.DECISION, before=_place(cursor))
    for record in islice(records, _MOST_READ):
        last = record.seq
        moment = parse_iso(record.at)
        in_time = (since is None or moment >= since) and (until is None or moment < until)
        if in_time and all(record.payload.get(name) == value for name, value in wanted.items()):
            found.append(_shown(record))
            if len(found) == limit:
                break
    more = next(records, None) is not None
    return DecisionPage(items=found, next_cursor=str(last) if more else None)


@router.get("/{decision_id}", responses=refusals(404))
def get_decision(request: Request, decision_id: str) -> DecisionRecord:
    """One decision with everything that it saw."""
    return _shown(desk(request).journal.find(Kind.DECISION, decision_id))


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit()):
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
    return int(cursor)


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
