"""The blocks of a strategy file: indicators, conditions, rules, management, order."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.core.timeframes import Timeframe
from backend.economic_calendar.model import Impact
from backend.strategies.facts import Numbers
from backend.strategies.fields import (
    MAX_RISK_FRACTION,
    Condition,
    Conditions,
    Flag,
    Fraction,
    Period,
    Real,
    TimeframeName,
    Whole,
    refuse,
)


class Direction(StrEnum):
    """Which way a strategy trades."""

    LONG = "long"
    SHORT = "short"
    BOTH = "both"


class OnOpposite(StrEnum):
    """What an opposite signal does to an open position."""

    IGNORE = "ignore"
    CLOSE = "close"
    REVERSE = "reverse"


class OrderType(StrEnum):
    """How an entry is ordered."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def _state_bounds(schema: dict[str, Any]) -> None:
    """Give bounds their names in JSON Schema; behind a validator pydantic leaves them under its own."""
    for field in schema.get("properties", {}).values():
        for stated in (field, *field.get("anyOf", ())):
            for ours, theirs in _BOUNDS.items():
                if ours in stated:
                    stated[theirs] = stated.pop(ours)


class Part(BaseModel):
    """Base of every block: frozen, unknown fields refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, json_schema_extra=_state_bounds
    )


class Ema(Part):
    """Two exponential averages of the close."""

    fast: Period = 20
    """Bars of the fast average; fewer than of the slow one."""
    slow: Period = 50
    """Bars of the slow average."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.fast >= self.slow:
            raise refuse("fast", f"fast ({self.fast}) must be less than slow ({self.slow})")
        return self


class Rsi(Part):
    """Wilder's relative strength index and its two levels."""

    period: Period = 14
    """Bars of the index."""
    overbought: Annotated[Real, Field(gt=0, lt=100)] = 70
    """Level of the fact rsi_overbought."""
    oversold: Annotated[Real, Field(gt=0, lt=100)] = 30
    """Level of the fact rsi_oversold; below the other one."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.oversold >= self.overbought:
            raise refuse(
                "oversold", f"oversold ({self.oversold:g}) must be less than overbought ({self.overbought:g})"
            )
        return self


class Macd(Part):
    """Moving average convergence divergence."""

    fast: Period = 12
    """Bars of the fast average; fewer than of the slow one."""
    slow: Period = 26
    """Bars of the slow average."""
    signal: Annotated[Whole, Field(ge=1, le=2000)] = 9
    """Bars over which the line is averaged into its signal."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.fast >= self.slow:
            raise refuse("fast", f"fast ({self.fast}) must be less than slow ({self.slow})")
        return self


class Atr(Part):
    """Wilder's average true range; the stop stands `multiplier` of it away."""

    period: Annotated[Whole, Field(ge=1, le=2000)] = 14
    """Bars of the average."""
    multiplier: Annotated[Real, Field(gt=0, le=100)] = 1.5
    """ATR between entry and stop."""


class Indicators(Part):
    """Numbers that named facts use."""

    ema: Ema = Ema()
    rsi: Rsi = Rsi()
    macd: Macd = Macd()
    atr: Atr = Atr()

    @property
    def numbers(self) -> Numbers:
        """The numbers by the names that the formulas of facts use."""
        return (
            ("ema_fast", self.ema.fast),
            ("ema_slow", self.ema.slow),
            ("rsi", self.rsi.period),
            ("overbought", self.rsi.overbought),
            ("oversold", self.rsi.oversold),
            ("macd_fast", self.macd.fast),
            ("macd_slow", self.macd.slow),
            ("macd_signal", self.macd.signal),
            ("atr", self.atr.period),
        )


class ConditionLists(Part):
    """Conditions of one direction. Each is a named fact or an expression."""

    entry: Annotated[Conditions, Field(min_length=1)]
    """All must hold to enter."""
    exit: Conditions = ()
    """Any of them closes the position."""
    strong: Conditions = ()
    """The fraction that holds adds confidence."""
    weak: Conditions = ()
    """The fraction that holds takes confidence away."""


class ShortLists(ConditionLists):
    """Conditions of the short direction of a strategy that trades both ways."""

    invalidations: Conditions = ()
    """Any of them closes the position and forbids an entry."""


class Management(Part):
    """What happens to a position after it was opened, on closed bars of `timeframe`."""

    timeframe: TimeframeName = Timeframe.M1
    """Whose closed bars are looked at."""
    breakeven_after_r: Annotated[Real, Field(gt=0, le=100)] | None = None
    """Move the stop to the entry ± costs after this many R."""
    partial_at_r: Annotated[Real, Field(gt=0, le=100)] | None = None
    """Close `partial_fraction` of the volume at this many R."""
    partial_fraction: Annotated[Real, Field(gt=0, lt=1)] | None = None
    """Part of the volume; given together with `partial_at_r`."""
    trail_atr: Annotated[Real, Field(gt=0, le=100)] | None = None
    """Trail the stop this many ATR behind the close."""
    time_stop_bars: Annotated[Whole, Field(ge=1, le=100_000)] | None = None
    """Close after this many bars of the strategy's timeframe."""
    close_before_weekend: Flag = False
    """Hold nothing over the weekend."""

    @property
    def on_bars(self) -> bool:
        """Whether closed bars of `timeframe` move its stop or close a part of it."""
        return any(rule is not None for rule in (self.breakeven_after_r, self.partial_at_r, self.trail_atr))

    @model_validator(mode="after")
    def _partial_is_whole(self) -> Self:
        if (self.partial_at_r is None) != (self.partial_fraction is None):
            raise refuse(
                "partial_fraction", "partial_at_r and partial_fraction are given together or not at all"
            )
        return self


class Order(Part):
    """How the entry is ordered."""

    type: OrderType = OrderType.MARKET
    """At the market, at a better price, or beyond it."""
    offset_atr: Annotated[Real, Field(gt=0, le=100)] | None = None
    """Distance from the reference price in ATR: better for a limit, beyond for a stop."""
    expiry_bars: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    """Bars of the strategy's timeframe after which the order is cancelled."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if self.type is OrderType.MARKET and (self.offset_atr is not None or self.expiry_bars is not None):
            raise refuse("type", "offset_atr and expiry_bars belong to a limit or stop order")
        if self.type is not OrderType.MARKET and self.offset_atr is None:
            raise refuse("offset_atr", f"a {self.type} order needs offset_atr")
        return self


class Rules(Part):
    """Direction, reward, risk and what limits the strategy."""

    direction: Annotated[Direction, Field(strict=False)]
    """Which way; `both` needs a `short` block."""
    min_rr: Annotated[Real, Field(gt=0, le=100)] = 2.0
    """Smallest reward to risk."""
    target_rr: Annotated[Real, Field(gt=0, le=100)] | None = None
    """Target in R; min_rr if neither this nor `target` is given."""
    target: Condition | None = None
    """Expression that gives the target's price instead."""
    news_embargo_minutes: Annotated[Whole, Field(ge=0, le=1440)] = 30
    """Minutes before and after news of either currency without entries."""
    news_embargo_minutes_after: Annotated[Whole, Field(ge=0, le=1440)] | None = None
    """Minutes after news, where they are not as many as before."""
    news_embargo_impacts: Annotated[tuple[Impact, ...], Field(min_length=1, strict=False)] = (Impact.HIGH,)
    """Impacts of the news that count."""
    invalidations: Conditions = ()
    """Any of them closes the position and forbids an entry."""
    max_risk_pct: Annotated[Fraction, Field(gt=0, le=MAX_RISK_FRACTION)] = 0.01
    """Risk of one trade as a fraction of the account: 0.01 is 1 %."""
    on_opposite: OnOpposite = OnOpposite.IGNORE
    """What an opposite signal does to an open position."""
    cooldown_bars: Annotated[Whole, Field(ge=0, le=10_000)] = 0
    """Bars without an entry after a trade was closed."""
    max_trades_per_day: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    """Entries per server day."""
    management: Management = Management()
    order: Order = Order()

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.target is not None and self.target_rr is not None:
            raise refuse("target", "give target_rr or target, not both")
        if self.target_rr is not None and self.target_rr < self.min_rr:
            raise refuse(
                "target_rr",
                f"target_rr ({self.target_rr:g}) is below min_rr ({self.min_rr:g}): no trade could pass",
            )
        return self

    @property
    def reward(self) -> float:
        """Reward to risk aimed at where no target expression is given."""
        return self.min_rr if self.target_rr is None else self.target_rr
