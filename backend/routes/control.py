"""/api/control and /api/risk: who decides, what holds the desk back, and its limits."""

from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.control.state import ControlState, HaltKind
from backend.control.watch import measured
from backend.core.clock import iso
from backend.core.errors import DeskError
from backend.risk import checks
from backend.risk.limits import RiskLimits
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals
from backend.routes.tagging import IfMatch, tag
from backend.trading.desk import Mode

router = APIRouter(prefix="/api", tags=["control"], route_class=DeskRoute)

_REFUSALS: Final = refusals(409, 413, 415, 422, 503)

Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why; kept in the journal")]


class HaltInForce(BaseModel):
    """One reason for which nothing new is sent."""

    kind: HaltKind
    reason: str
    by: str
    at: str = Field(description="Desk time")


class ControlView(BaseModel):
    """What the desk may do now."""

    mode: Mode
    ai_enabled: bool = Field(description="Whether strategies may lead to ideas")
    halted: bool
    reason: str = Field(description="Why it is halted; empty when it is not")
    halts: list[HaltInForce] = Field(description="The first one first")


class Checks(BaseModel):
    """The gate's checks in their order."""

    checks: list[dict[str, Any]] = Field(description="check, meaning, on whose behalf it runs, blocks")


class Used(BaseModel):
    """How much of a limit is used; money in account currency."""

    lost: Decimal = Field(description="Below zero is won")
    of: Decimal = Field(description="What the share is of")
    share: float = Field(description="lost / of; 0.01 is 1 %")
    limit: float


class Standing(BaseModel):
    """The account against its limits, on floating equity now."""

    measured: bool = Field(description="False while nothing can be told; never shown as zero")
    reason: str = Field(description="Why nothing can be told; empty where it can")
    daily_loss: Used | None = None
    drawdown: Used | None = None
    reset_at: str | None = Field(None, description="When the day began")
    equity_at_reset: str | None = Field(None, description="seen, flat, bars (computed) or unknown")
    notes: list[str] = Field(default=[], description="What is not known of the account's past")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Because(_Body):
    """Why."""

    reason: Reason


class ModeChange(_Body):
    """Who shall decide from now on, and why."""

    mode: Mode
    reason: Reason


class LimitsChange(_Body):
    """A change of the limits."""

    changes: dict[str, Any] = Field(
        description="JSON merge patch of the limits; null takes a key back to its default"
    )
    reason: str = Field("", max_length=500, description="Why; required for a change of the mode")


@router.get("/control", responses=refusals(422))
def show_control(request: Request) -> ControlView:
    """Mode and halts, as they are in force in every process."""
    return _view(request, desk(request).control.state())


@router.post("/control/mode", responses=_REFUSALS)
def change_mode(request: Request, body: ModeChange) -> ControlView:
    """Change who decides: observe (decisions only), supervised (a person approves), autonomous."""
    control = desk(request).control
    control.set_mode(body.mode, actor=actor(request), reason=body.reason)
    return _view(request, control.state())


@router.post("/control/halt", responses=_REFUSALS)
def halt(request: Request, body: Because) -> ControlView:
    """Send nothing new until a person resumes. What is open stays managed, and may be closed."""
    return _view(request, desk(request).control.halt(HaltKind.PERSON, body.reason, actor=actor(request)))


@router.post("/control/resume", responses=_REFUSALS)
def resume(request: Request, body: Because) -> ControlView:
    """Lift every halt. The gate goes on refusing while a limit is exceeded."""
    return _view(request, desk(request).control.resume(body.reason, actor=actor(request)))


@router.get("/risk/limits", responses=refusals(422))
def show_limits(request: Request, response: Response) -> RiskLimits:
    """The limits in force, defaults written out; the ETag is that of config/risk.json."""
    tag(response, desk(request).control.limits_etag())
    return desk(request).control.limits()


@router.patch("/risk/limits", responses=_REFUSALS)
def change_limits(
    request: Request, response: Response, body: LimitsChange, if_match: IfMatch = None
) -> RiskLimits:
    """Change the limits: checked as a whole, in force in every process at once, on record."""
    control = desk(request).control
    changed = control.change_limits(
        body.changes, actor=actor(request), reason=body.reason, if_match=if_match or "*"
    )
    tag(response, control.limits_etag())
    return changed


@router.get("/risk/standing", responses=refusals(422))
def show_standing(request: Request) -> Standing:
    """The day's loss and the drawdown beside their limits."""
    services = desk(request)
    limits = services.control.limits()
    try:
        state, money = services.account.standing()
    except DeskError as error:
        return Standing(measured=False, reason=error.message)
    used = {
        kind: Used(lost=one.lost, of=one.of, share=round(one.share, 9), limit=one.limit)
        for kind, one in measured(state, limits).items()
        if one.of > 0
    }
    day, ever = used.get(HaltKind.DAILY_LOSS), used.get(HaltKind.DRAWDOWN)
    known = day is not None and ever is not None
    return Standing(
        measured=known,
        reason="" if known else "there is no money on the account that a share could be of",
        daily_loss=day,
        drawdown=ever,
        reset_at=iso(money.reset_at),
        equity_at_reset=str(money.how),
        notes=list(money.notes),
    )


@router.get("/risk/checks", responses=refusals(422))
def show_checks() -> Checks:
    """What the risk gate checks, and on whose behalf."""
    return Checks(checks=checks.table())


def _view(request: Request, state: ControlState) -> ControlView:
    limits = desk(request).control.limits()
    return ControlView(
        mode=limits.mode,
        ai_enabled=limits.ai_enabled,
        halted=state.halted,
        reason=state.reason,
        halts=[HaltInForce(kind=h.kind, reason=h.reason, by=h.by, at=h.at) for h in state.halts],
    )
