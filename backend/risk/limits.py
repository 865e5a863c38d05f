"""Limits of the desk, ``config/risk.json``: typed, checked, every field with a sensible default."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backend.accounts.resets import zone_of
from backend.core.errors import Invalid
from backend.economic_calendar.embargo import NO_EMBARGO, EmbargoRule
from backend.economic_calendar.model import Impact
from backend.risk.sizing import check_fraction
from backend.trading.desk import Mode
from backend.trading.scoring import Thresholds, Weights

FILE = "config/risk.json"

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Multiple = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Minutes = Annotated[int, Field(ge=0, le=1440, strict=True)]
Count = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def fraction(value: object) -> object:
    """A risk of one trade, refused where percent seem to be meant."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a fraction such as 0.01 is wanted, and this is {value!r}")  # noqa: TRY004 - pydantic
    try:
        return float(check_fraction(Decimal(repr(float(value)))))
    except Invalid as error:
        raise ValueError(error.message) from error


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except Invalid as error:
        raise ValueError(error.message) from error
    return name


Zone = Annotated[str, AfterValidator(_zone)]


class Part(BaseModel):
    """A part of a settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DayLimit(Part):
    """Loss since the day's reset, on floating equity."""

    limit: Share = 0.05
    """Share that may be lost in a day."""
    of: Literal["reference", "initial"] = "reference"
    """What the share is of: the day's reference, or what the account began with."""
    reset_from: Literal["balance", "equity", "higher"] = "balance"
    """What the day's reference is at the reset."""
    reset_tz: Zone | None = None
    """Zone whose midnight resets the day; null is the broker's."""


class DailyLoss(DayLimit):
    """Loss since the day's reset, on floating equity, and what to gain at most."""

    target: Share | None = None
    """Share of profit after which no new entry is made that day."""


class Drawdown(Part):
    """Loss since the account's high or beginning."""

    limit: Share = 0.10
    """Share that may be lost."""
    kind: Literal["static", "trailing", "trailing_end_of_day"] = "trailing"
    """From the initial balance, from the floating peak, or from the highest end of a day."""
    lock_at_initial: bool = False
    """The floor of a trailing drawdown stops rising at the initial balance."""


class NewsEmbargo(Part):
    """Pause around news for every strategy and symbol; a strategy or profile may ask for more."""

    minutes_before: Minutes = 0
    """Minutes before an event."""
    minutes_after: Minutes = 0
    """Minutes after it."""
    impacts: Annotated[tuple[Impact, ...], Field(min_length=1)] = (Impact.HIGH,)
    """Impacts that pause."""

    @property
    def rule(self) -> EmbargoRule:
        """The pause as a rule."""
        return EmbargoRule.of(self.minutes_before, self.minutes_after, self.impacts)


class LossRules(NamedTuple):
    """The day's loss and the drawdown that somebody allows, the desk or a rulebook.

    Attributes:
        daily_loss: None allows any.
        drawdown: None allows any.
        of_initial: Whether a trailing drawdown is a share of the initial balance instead of the high.
        initial: What the account began with in their eyes; None is what its record says.
    """

    daily_loss: DayLimit | None
    drawdown: Drawdown | None
    of_initial: bool = False
    initial: Decimal | None = None


class RiskLimits(Part):
    """Everything that ``config/risk.json`` may say. Shares are fractions: 0.05 is 5 %."""

    mode: Mode = Mode.SUPERVISED
    """Who decides: observe, supervised or autonomous."""
    ai_enabled: bool = True
    """Whether strategies may lead to ideas."""
    risk_fraction: Annotated[float, BeforeValidator(fraction)] = 0.01
    """Largest risk of one trade; a strategy or profile may ask for less."""
    weights: Weights = Weights()
    """Points of each part of the confidence."""
    thresholds: Thresholds = Thresholds()
    """Scores from which something is done."""
    margin_limit: Share = 0.5
    """Margin after the trade ÷ equity."""
    exposure_cap: Multiple = 20.0
    """|Net exposure of a currency| ÷ equity."""
    exposure_exempt: tuple[str, ...] | None = None
    """Currencies and units that the cap leaves out; null is the account currency."""
    open_risk_limit: Share = 0.06
    """Loss of all open trades at their stops, the new one included ÷ equity."""
    daily_loss: DailyLoss = DailyLoss()
    """Loss since the day's reset, on floating equity."""
    drawdown: Drawdown = Drawdown()
    """Loss since the account's high or beginning."""
    on_breach: Literal["halt", "halt_and_close"] = "halt"
    """What reaching daily loss or drawdown does besides cancelling what waits: halts, or closes as well."""
    max_positions: Count = 10
    """Positions open at once."""
    max_positions_per_symbol: Count = 2
    """Of them in one symbol."""
    max_trades_per_day: Count = 30
    """Entries since the day's reset."""
    max_orders_per_minute: Count = 10
    """Orders sent within any minute."""
    max_spread_points: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """No entry while the spread is wider; a symbol's profile may say less."""
    news_embargo: NewsEmbargo = NewsEmbargo()
    """Pause around news for every strategy and symbol."""
    embargo_when_calendar_unknown: Literal["warn", "block"] = "warn"
    """What an unknown calendar does; in autonomous mode it always blocks."""
    max_idea_age_seconds: Amount = 900.0
    """An older idea is not sent any more."""
    idea_expires_after_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """An idea expires so long after its bar's close, if that is sooner than the next close and a minute."""
    max_drift_atr: Amount = 0.25
    """How far the price may be from the idea's, in ATR."""
    no_entries_before_weekend_minutes: Amount = 60.0
    """No entry so many minutes before the weekend."""
    commission_per_lot: Amount | None = None
    """Account currency per lot and side where a profile says none; null is unknown."""
    expected_slippage_points: Amount = 1.0
    """Of one market or stop fill, where a profile says nothing."""

    @property
    def loss_rules(self) -> tuple[LossRules, ...]:
        """Everybody's, the desk's own first: all of them hold."""
        return (LossRules(self.daily_loss, self.drawdown),)

    @property
    def reset_tz(self) -> str | None:
        """Zone whose midnight begins the account's day; None is the broker's."""
        return self.daily_loss.reset_tz

    @property
    def flat_before_weekend(self) -> bool:
        """Whether nothing may be held over the weekend, whatever a strategy says."""
        return False

    @property
    def embargo(self) -> EmbargoRule:
        """Around which news no entry is made, whatever a strategy says."""
        return self.news_embargo.rule

    @property
    def flat_at_news(self) -> EmbargoRule:
        """Around which news nothing may be held."""
        return NO_EMBARGO

    def expected_costs(
        self, *, commission_per_lot: float | None, slippage_points: float | None
    ) -> "ExpectedCosts":
        """What a fill is expected to cost: as the symbol's profile states it, else as the desk does.

        Args:
            commission_per_lot: Of the profile, account currency per lot and side; None where it says none.
            slippage_points: Of the profile, of one market or stop fill; None where it says none.
        """
        commission = self.commission_per_lot if commission_per_lot is None else commission_per_lot
        return ExpectedCosts(
            commission_per_lot=0.0 if commission is None else commission,
            commission_known=commission is not None,
            slippage_points=self.expected_slippage_points if slippage_points is None else slippage_points,
        )


class ExpectedCosts(NamedTuple):
    """Costs of one fill; an unknown commission counts as 0 and is said to be unknown."""

    commission_per_lot: float
    commission_known: bool
    slippage_points: float


Model = TypeVar("Model", bound=Part)


def parse_limits(data: Any, *, file: str = FILE) -> RiskLimits:
    """The limits that these JSON values state.

    Raises:
        Invalid: Code ``bad_risk_limits``, naming file, key and what is allowed.
    """
    limits = parse_part(RiskLimits, data, file=file, code="bad_risk_limits")
    best = limits.weights.highest
    for name, threshold in limits.thresholds.named().items():
        if threshold > best:
            raise Invalid(
                "bad_risk_limits",
                f"{file}: thresholds.{name}: {threshold:g} can never be reached, "
                f"the weights give at most {best:g}",
                file=file,
                key=f"thresholds.{name}",
            )
    return limits


def parse_part(model: type[Model], data: Any, *, file: str, code: str) -> Model:
    """What these JSON values state; `Invalid` names file, key and what is allowed."""
    if not isinstance(data, Mapping):
        raise Invalid(code, f"{file}: the file holds no JSON object", file=file, key="")
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = f"unknown key; known are {', '.join(_known(model, first['loc']))}"
        else:
            reason = f"{reason} (it is {first['input']!r})"
        raise Invalid(code, f"{file}: {key}: {reason}", file=file, key=key) from error


def _known(model: Any, location: tuple[Any, ...]) -> list[str]:
    for part in location[:-1]:
        kind = model.model_fields[part].annotation
        kinds = get_args(kind) or (kind,)
        model = next(one for one in kinds if hasattr(one, "model_fields"))
    return [*model.model_fields]
