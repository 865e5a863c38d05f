"""A prop firm's rulebook, ``config/prop_rulebook.json``, and the desk's limits under it. Pure."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from backend.economic_calendar.embargo import NO_EMBARGO, EmbargoRule
from backend.risk.limits import (
    Count,
    DayLimit,
    Drawdown,
    LossRules,
    Minutes,
    NewsEmbargo,
    Part,
    RiskLimits,
    Share,
    fraction,
    parse_part,
)

FILE = "config/prop_rulebook.json"

Days = Annotated[int, Field(ge=0, le=10_000, strict=True)]


class RuleDrawdown(Drawdown):
    """Loss since the account's high or beginning, as a firm counts it."""

    of: Literal["high", "initial"] = "high"
    """What the share of a trailing drawdown is of; a static one is always of the initial balance."""


class NewsBan(NewsEmbargo):
    """Around which news nothing is done."""

    minutes_before: Minutes = 2
    minutes_after: Minutes = 2
    bans: Literal["entries", "positions"] = "entries"
    """Entries alone, or holding a position as well: then the desk closes its own as the ban begins."""


class Rulebook(Part):
    """Everything that ``config/prop_rulebook.json`` may say. Shares are fractions: 0.05 is 5 %."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    description: Annotated[str, Field(max_length=1000)] = ""
    initial_balance: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """What the challenge begins with; null is what was put into the account."""
    profit_target: Share | None = None
    """Share of the initial balance to be gained; null is a funded account that passes nothing."""
    daily_loss: DayLimit | None = None
    drawdown: RuleDrawdown | None = None
    news: NewsBan | None = None
    flat_before_weekend: Annotated[bool, Field(strict=True)] = False
    """Nothing is held over the weekend."""
    min_trading_days: Days = 0
    """Days on which a position was opened, at least."""
    max_days: Count | None = None
    """Days of the calendar in which the target is reached, the first one included."""
    consistency: Share | None = None
    """The best day's share of the whole profit, at most."""
    risk_fraction: Annotated[float, BeforeValidator(fraction)] | None = None
    """Largest risk of one trade."""
    open_risk_limit: Share | None = None
    """Loss of all open trades at their stops, the new one included ÷ equity."""
    max_positions: Count | None = None

    @model_validator(mode="after")
    def _can_be_passed(self) -> Self:
        if self.max_days is not None and self.max_days < self.min_trading_days:
            raise ValueError(
                f"max_days {self.max_days} is below min_trading_days {self.min_trading_days}: "
                "nobody could pass"
            )
        return self

    @property
    def loss_rules(self) -> LossRules:
        """Its day's loss and drawdown."""
        return LossRules(
            self.daily_loss,
            self.drawdown,
            of_initial=self.drawdown is not None and self.drawdown.of == "initial",
            initial=None if self.initial_balance is None else Decimal(repr(self.initial_balance)),
        )


class RuledLimits(RiskLimits):
    """The desk's limits under a rulebook; made by `tightened` alone."""

    rulebook: Rulebook

    @property
    def loss_rules(self) -> tuple[LossRules, ...]:
        """The desk's own, then the rulebook's."""
        return (*super().loss_rules, self.rulebook.loss_rules)

    @property
    def reset_tz(self) -> str | None:
        """The rulebook's day, where it has one: an account has one day."""
        day = self.rulebook.daily_loss
        return super().reset_tz if day is None else day.reset_tz

    @property
    def flat_before_weekend(self) -> bool:
        """As the rulebook says."""
        return self.rulebook.flat_before_weekend

    @property
    def embargo(self) -> EmbargoRule:
        """The desk's own and the rulebook's."""
        news = self.rulebook.news
        return super().embargo if news is None else super().embargo | news.rule

    @property
    def flat_at_news(self) -> EmbargoRule:
        """As the rulebook says."""
        news = self.rulebook.news
        return news.rule if news is not None and news.bans == "positions" else NO_EMBARGO


def tightened(limits: RiskLimits, rulebook: Rulebook | None) -> RiskLimits:
    """The limits in force: the desk's, and where a rulebook is stricter, the rulebook's.

    Single numbers are the smaller of both. The day's loss and the drawdown of both are kept, since which of
    them is nearer depends on the account; see `RiskLimits.loss_rules`. Without a rulebook the limits stay
    what they are.
    """
    if rulebook is None:
        return limits
    own = limits.model_dump(mode="json", exclude={"rulebook"})
    stricter = {
        name: min(own[name], value)
        for name in ("risk_fraction", "open_risk_limit", "max_positions")
        if (value := getattr(rulebook, name)) is not None
    }
    return RuledLimits.model_validate(own | stricter | {"rulebook": rulebook})


def limits_of_record(data: Any) -> RiskLimits:
    """Limits in force as `RiskLimits.model_dump` gave them, for a replay."""
    return (RuledLimits if "rulebook" in data else RiskLimits).model_validate(data)


def rulebook_of(limits: RiskLimits) -> Rulebook | None:
    """The rulebook that is in these limits."""
    return limits.rulebook if isinstance(limits, RuledLimits) else None


def parse_rulebook(data: Any, *, file: str = FILE) -> Rulebook:
    """The rulebook that these JSON values state.

    Raises:
        Invalid: Code ``bad_rulebook``, naming file, key and what is allowed.
    """
    return parse_part(Rulebook, data, file=file, code="bad_rulebook")
