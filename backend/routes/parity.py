"""/api/parity: live days beside the same days as backtests."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from backend.backtest.parity.kept import audited_day, audited_days
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.tasks import Queued

router = APIRouter(prefix="/api/parity", tags=["parity"], route_class=DeskRoute)

TASK: Final = "backend.tasks.trading_tasks.audit_parity"

Day = Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}$", description="The broker's day, YYYY-MM-DD")]


class AuditRequest(BaseModel):
    """Which day."""

    model_config = ConfigDict(extra="forbid")

    day: date | None = Field(default=None, description="The broker's day; its last whole one if not given")


class DayInShort(BaseModel):
    """One audited day. Money is exact text in account currency."""

    model_config = ConfigDict(extra="allow")

    day: str
    complete: bool = Field(description="Whether the day was over")
    currency: str
    live_trades: int
    twin_trades: int = Field(description="Trades of the same day as a backtest")
    paired: int
    live_net: str
    twin_net: str
    gap: str = Field(description="live_net - twin_net: the sum of the causes, to the cent")
    causes: dict[str, str]
    notes: list[str]


class DayAudit(DayInShort):
    """One audited day with its trades."""

    pairs: list[dict[str, Any]] = Field(description="Live trade, twin, gap and causes; either may be null")
    excluded: list[dict[str, Any]] = Field(description="Trades that are not compared, and why")


class AuditedDays(BaseModel):
    """The audited days, the newest first."""

    days: list[DayInShort]


@router.post("", responses=refusals(422, 503))
def audit_day(request: Request, body: AuditRequest | None = None) -> Queued:
    """Queue the audit of a day; its result stands under the day afterwards."""
    day = "last" if body is None or body.day is None else body.day.isoformat()
    return Queued(task_id=desk(request).jobs.submit(TASK, {"day": day}, actor=actor(request)))


@router.get("", responses=refusals())
def list_days(request: Request) -> AuditedDays:
    """The days that were audited, without their trades."""
    return AuditedDays(days=[DayInShort.model_validate(page) for page in audited_days(desk(request).storage)])


@router.get("/{day}", responses=refusals(404, 422))
def get_day(request: Request, day: Day) -> DayAudit:
    """One audited day: each live trade beside its twin, and why they differ."""
    return DayAudit.model_validate(audited_day(desk(request).storage, day))
