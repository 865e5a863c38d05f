"""A strategy and a symbol's profile as the user's files state them, checked to the last field."""

import re
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from backend.core.errors import Invalid
from backend.economic_calendar.embargo import EmbargoRule
from backend.economic_calendar.model import Impact
from backend.strategies.blocks import (
    Atr,
    ConditionLists,
    Direction,
    Ema,
    Indicators,
    Macd,
    Management,
    OnOpposite,
    Order,
    OrderType,
    Part,
    Rsi,
    Rules,
    ShortLists,
)
from backend.strategies.facts import FACTS, fact_expression
from backend.strategies.fields import (
    MAX_RISK_FRACTION,
    Flag,
    Fraction,
    Identifier,
    Real,
    SessionName,
    Symbol,
    TimeframeName,
    Whole,
    refuse,
)
from backend.strategies.functions import SERIES
from backend.strategies.grammar import parse_condition, parse_price
from backend.strategies.tokens import did_you_mean
from backend.strategies.tree import Expression

__all__ = [
    "MAX_RISK_FRACTION",
    "Atr",
    "ConditionLists",
    "Direction",
    "Ema",
    "Indicators",
    "Macd",
    "Management",
    "OnOpposite",
    "Order",
    "OrderType",
    "Part",
    "Profile",
    "Rsi",
    "Rules",
    "ShortLists",
    "Strategy",
    "dumped",
    "fact_name",
    "unknown_fact",
]

_WORD = re.compile(r"\s*[A-Za-z_][A-Za-z0-9_]*\s*")


class Strategy(Part):
    """One strategy file, ``config/ai/strategies/{id}.json``."""

    id: Identifier
    """The file's name without .json."""
    name: Annotated[str, Field(strict=True, max_length=200)] = ""
    """For people."""
    description: Annotated[str, Field(strict=True, max_length=10_000)] = ""
    """What it is after."""
    enabled: Flag = True
    """Whether it is evaluated."""
    symbol: Symbol | None = None
    """What it trades."""
    symbols: Annotated[tuple[Symbol, ...], Field(max_length=1000)] = ()
    """More symbols, or instead of `symbol`."""
    timeframe: TimeframeName
    """Whose closed bars decide."""
    sessions: tuple[SessionName, ...] = ()
    """Sessions in which entries are allowed; none listed means any time."""
    indicators: Indicators = Indicators()
    conditions: ConditionLists
    """Conditions of the direction; of the long one if the strategy trades both ways."""
    short: ShortLists | None = None
    """Conditions of the short direction; required for `both` and only then."""
    strategy: Rules
    created_at: str | None = None
    """Set when it is first saved over the API."""
    updated_at: str | None = None
    """Set at each save over the API."""
    created_by: str | None = None
    """Set when it is first saved over the API."""

    def __hash__(self) -> int:
        return self._hash  # what is compiled is looked up by strategy, thousands of times

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, name) for name in type(self).model_fields))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.traded_symbols:
            raise refuse("symbol", "name a symbol, or a list of symbols")
        if len(set(self.traded_symbols)) < len(self.traded_symbols):
            raise refuse("symbols", "a symbol is listed twice")
        both = self.strategy.direction is Direction.BOTH
        if both and self.short is None:
            raise refuse("short", "direction 'both' needs a 'short' block of conditions")
        if not both and self.short is not None:
            raise refuse(
                "short",
                f"a 'short' block belongs to direction 'both', and this is {self.strategy.direction!s}",
            )
        return self

    @property
    def traded_symbols(self) -> tuple[str, ...]:
        """Every symbol that the strategy trades."""
        return (() if self.symbol is None else (self.symbol,)) + self.symbols

    @property
    def directions(self) -> tuple[Direction, ...]:
        """LONG, SHORT or both of them; never BOTH."""
        if self.strategy.direction is Direction.BOTH:
            return (Direction.LONG, Direction.SHORT)
        return (self.strategy.direction,)

    def lists(self, direction: Direction) -> ShortLists:
        """All condition lists of one direction, invalidations included."""
        if self.short is not None and direction is Direction.SHORT:
            return self.short
        given = self.conditions
        return ShortLists(
            entry=given.entry,
            exit=given.exit,
            strong=given.strong,
            weak=given.weak,
            invalidations=self.strategy.invalidations,
        )

    def expression(self, condition: str) -> Expression:
        """The checked tree of one condition with this strategy's numbers; `Invalid` if it is wrong."""
        word = fact_name(condition)
        if word is None:
            return parse_condition(condition, self.timeframe)
        if word not in FACTS:
            raise Invalid("bad_condition", unknown_fact(word), column=1, text=condition)
        return fact_expression(word, self.indicators.numbers, self.timeframe)

    def target_expression(self) -> Expression | None:
        """The checked tree of the target's price, if one is given."""
        target = self.strategy.target
        return None if target is None else parse_price(target, self.timeframe)


class Profile(Part):
    """Defaults and limits of one symbol, ``config/ai/profiles/{symbol}.json``.

    Every field but `symbol` may be absent. A profile never loosens a strategy: sessions and embargo
    count where the strategy has none or less, risk is the smaller of both.
    """

    symbol: Symbol
    """The file's name without .json."""
    sessions: tuple[SessionName, ...] = ()
    """Used by strategies that list none."""
    max_spread_points: Annotated[Real, Field(gt=0)] | None = None
    """No entry while the spread is wider."""
    risk_multiplier: Annotated[Real, Field(gt=0, le=1)] = 1.0
    """Multiplies the risk of every strategy on this symbol."""
    max_risk_pct: Annotated[Fraction, Field(gt=0, le=MAX_RISK_FRACTION)] | None = None
    """Largest risk of one trade, as a fraction."""
    news_embargo_minutes: Annotated[Whole, Field(ge=0, le=1440)] | None = None
    """At least this many minutes around news."""
    news_embargo_minutes_after: Annotated[Whole, Field(ge=0, le=1440)] | None = None
    """At least this many minutes after news, where they are not as many as before."""
    news_embargo_impacts: Annotated[tuple[Impact, ...], Field(min_length=1, strict=False)] = (Impact.HIGH,)
    """Impacts of the news around which this symbol pauses."""
    commission_per_lot: Annotated[Real, Field(ge=0)] | None = None
    """Account currency per lot and side; absent means unknown."""
    slippage_points: Annotated[Real, Field(ge=0)] | None = None
    """Slippage that is expected of a market or stop order; absent means unknown."""
    notes: Annotated[str, Field(strict=True, max_length=10_000)] = ""

    def risk_fraction(self, strategy: Strategy) -> float:
        """Risk of one trade: the strategy's, times this symbol's multiplier, at most this symbol's cap."""
        fraction = strategy.strategy.max_risk_pct * self.risk_multiplier
        return fraction if self.max_risk_pct is None else min(fraction, self.max_risk_pct)

    def entry_sessions(self, strategy: Strategy) -> tuple[str, ...]:
        """Sessions that gate the strategy's entries on this symbol; none means any time."""
        return strategy.sessions or self.sessions

    def own_embargo(self) -> EmbargoRule:
        """What pauses this symbol, whatever the strategy."""
        return EmbargoRule.of(
            self.news_embargo_minutes or 0, self.news_embargo_minutes_after, self.news_embargo_impacts
        )

    def embargo(self, strategy: Strategy) -> EmbargoRule:
        """What pauses the strategy on this symbol: its own rule and the symbol's."""
        rules = strategy.strategy
        own = EmbargoRule.of(
            rules.news_embargo_minutes, rules.news_embargo_minutes_after, rules.news_embargo_impacts
        )
        return own | self.own_embargo()


def fact_name(condition: str) -> str | None:
    """The word, if the condition is a plain word and so a named fact."""
    return condition.strip() if _WORD.fullmatch(condition) else None


def unknown_fact(word: str) -> str:
    """Why a word is no named fact."""
    if word in SERIES:
        return f"column 1: {word!r} is a number, not a condition; compare it with something"
    return f"column 1: unknown fact {word!r}{did_you_mean(word, [*FACTS])}"


def dumped(strategy: Strategy) -> dict[str, Any]:
    """The strategy as JSON values, every default written out: what is hashed."""
    return strategy.model_dump(mode="json")
