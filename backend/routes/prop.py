"""/api/prop: the rulebook in force, how its challenge stands, and its chances over a backtest."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from backend.backtest.monte_carlo import Draws
from backend.core.errors import Invalid
from backend.risk.presets import PRESETS, preset
from backend.risk.rulebook import Rulebook, parse_rulebook
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api/prop", tags=["prop"], route_class=DeskRoute)

_REFUSALS: Final = refusals(404, 409, 413, 415, 422, 503)

Money = Annotated[str | None, Field(description="Account currency, exact; null where it is unknown")]


class InForce(BaseModel):
    """The rulebook in force."""

    rulebook: Rulebook | None = Field(description="Null where none is")


class Presets(BaseModel):
    """Rulebooks to begin with; of no firm."""

    presets: dict[str, Rulebook]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Chosen(_Body):
    preset: str | None = Field(None, description="Name of a preset; or give a rulebook")
    rulebook: dict[str, Any] | None = Field(None, description="As config/prop_rulebook.json; or a preset")

    def chosen(self) -> Rulebook | None:
        """What was named; None where nothing was."""
        if self.preset is not None and self.rulebook is not None:
            raise Invalid("bad_rulebook", "give either a preset or a rulebook, not both")
        if self.preset is not None:
            return preset(self.preset)
        return None if self.rulebook is None else parse_rulebook(self.rulebook)


class RulebookChange(_Chosen):
    """Which rulebook shall be in force, and why."""

    reason: str = Field(min_length=1, max_length=500, description="Why; kept in the journal")


class Because(_Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=500, description="Why; kept in the journal")


class BestDay(BaseModel):
    """The day with the largest profit."""

    day: str
    profit: str


class BreachView(BaseModel):
    """A rule that was broken."""

    rule: Literal["daily_loss", "drawdown", "max_days", "flat_before_weekend", "news"]
    day: str = Field(description="The account's day")
    at: str | None = Field(description="When it was seen; null for a rule of days")
    lost: Money
    allowed: str = Field(description="Account currency; days for a rule of days, 0 for a ban")
    beyond: Money = Field(description="lost - allowed")


class ChallengeView(BaseModel):
    """How a challenge stands; once it is decided, as it stood then."""

    state: Literal["running", "passed", "breached"]
    initial_balance: str
    profit: str = Field(description="Booked so far")
    target: Money
    progress: float | None = Field(description="profit / target; null without a target")
    days: int = Field(description="Of the calendar, the first one included")
    trading_days: int = Field(description="Days on which a position was opened")
    best_day: BestDay | None
    best_day_share: float | None = Field(description="Of the whole profit; null while there is none")
    passed_on: str | None
    breach: BreachView | None


class BanView(BaseModel):
    """How positions kept to a ban, whoever traded them."""

    judged: int
    unknown: int = Field(description="Of which the calendar does not tell")
    broken: int
    first: str | None = Field(description="When the first one broke it")


class ChallengeStanding(BaseModel):
    """How the challenge of the rulebook in force stands."""

    measured: bool = Field(description="False while it cannot be told; never shown as zero")
    reason: str = Field(description="Why it cannot be told; empty where it can")
    rulebook: str | None = Field(description="Its name")
    challenge: ChallengeView | None
    room: dict[str, str] | None = Field(description="What may still be lost by daily_loss and drawdown")
    bans: dict[str, BanView] | None = Field(description="By rule: flat_before_weekend, news")
    notes: list[str] = Field(description="What is not known of the account's past")


class Simulation(_Chosen):
    """What to draw from; without preset and rulebook the one in force is played."""

    backtest: str = Field(description="Id of a kept backtest", pattern=r"^[0-9a-f]{16}$")
    paths: Annotated[int, Field(ge=1, le=50_000)] = 10_000
    days: Annotated[int, Field(ge=1, le=1_000, description="Of each path")] = 250
    block: Annotated[int, Field(ge=1, le=1_000, description="Days on end")] = 5
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


class Probability(BaseModel):
    """A share of the paths with its 95 % interval (Wilson)."""

    value: float
    low: float
    high: float


class Chances(BaseModel):
    """What became of the paths."""

    backtest: str
    rulebook: str
    initial_balance: float
    unknown: str | None = Field(None, description="Why nothing could be drawn")
    paths: int | None = None
    horizon_days: int | None = None
    block_days: int | None = None
    seed: int | None = None
    days_of_run: int | None = None
    p_pass: Probability | None = Field(None, description="Null without a target")
    p_breach: Probability | None = None
    p_breach_by_rule: dict[str, Probability] | None = None
    p_running: Probability | None = None
    days_to_pass: dict[str, float] | None = Field(None, description="quarter, median, three_quarters")
    notes: list[str]


@router.get("/rulebook", responses=refusals(422))
def show_rulebook(request: Request) -> InForce:
    """The rulebook in force."""
    return InForce(rulebook=desk(request).control.rulebook())


@router.put("/rulebook", responses=_REFUSALS)
def put_rulebook(request: Request, body: RulebookChange) -> InForce:
    """Put a preset or a rulebook of your own in force, in every process at once, on record."""
    chosen = body.chosen()
    if chosen is None:
        raise Invalid("bad_rulebook", "give a preset or a rulebook; DELETE lifts the one in force")
    values = chosen.model_dump(mode="json", exclude_defaults=True)
    put = desk(request).control.put_rulebook(values, actor=actor(request), reason=body.reason)
    return InForce(rulebook=put)


@router.delete("/rulebook", responses=_REFUSALS)
def lift_rulebook(request: Request, body: Because) -> InForce:
    """Lift the rulebook in force: the desk's own limits are left."""
    return InForce(
        rulebook=desk(request).control.put_rulebook(None, actor=actor(request), reason=body.reason)
    )


@router.get("/presets", responses=refusals())
def list_presets() -> Presets:
    """Rulebooks of the usual shapes."""
    return Presets(presets=dict(PRESETS))


@router.get("/challenge", responses=refusals(422))
def show_challenge(request: Request) -> ChallengeStanding:
    """Profit to the target, days, the best day's share, room; passed, broken or running."""
    return ChallengeStanding.model_validate(desk(request).challenge.standing())


@router.post("/simulate", responses=refusals(404, 413, 415, 422))
def simulate(request: Request, body: Simulation) -> Chances:
    """P(pass) and P(breach) over days drawn from a kept backtest."""
    services = desk(request)
    rulebook = body.chosen() or services.control.rulebook()
    if rulebook is None:
        raise Invalid("no_rulebook", "no rulebook is in force; give a preset or a rulebook")
    draws = Draws(paths=body.paths, horizon=body.days, block=body.block, seed=body.seed)
    return Chances.model_validate(services.chances(body.backtest, rulebook, draws))
