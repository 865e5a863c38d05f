"""What a strategy and its symbol's profile ask of a trade, besides its levels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from backend.economic_calendar.embargo import NO_EMBARGO, EmbargoRule
from backend.strategies.model import MAX_RISK_FRACTION, OnOpposite, Profile, Strategy


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Kept with an idea, so that it is judged by what its strategy said when it was made.

    Attributes:
        strategy: Id of the strategy; None for a manual ticket.
        min_rr: Smallest reward to risk; 0 asks for none.
        risk_fraction: Risk that is asked for: 0.01 is 1 %.
        risk_cap: Largest risk of a volume that a person sets.
        commission_per_lot: Account currency per lot and side; None takes the desk's.
        slippage_points: Of one fill; None takes the desk's.
        max_spread_points: Largest spread for the symbol; None is no limit of its own.
        cooldown_bars: Bars that the strategy waits after a trade.
        max_trades_per_day: Entries that the strategy may make a day; None is no limit of its own.
        embargo: What pauses entries around news, besides the desk's own rule.
        turns: Whether it may open against a trade of its own: what `on_opposite: reverse` says.
    """

    strategy: str | None
    min_rr: float
    risk_fraction: float
    risk_cap: float
    commission_per_lot: float | None = None
    slippage_points: float | None = None
    max_spread_points: float | None = None
    cooldown_bars: int = 0
    max_trades_per_day: int | None = None
    embargo: EmbargoRule = NO_EMBARGO
    turns: bool = True

    @classmethod
    def of(cls, strategy: Strategy, profile: Profile) -> Self:
        """Of a strategy on a symbol."""
        return cls(
            strategy=strategy.id,
            min_rr=strategy.strategy.min_rr,
            risk_fraction=profile.risk_fraction(strategy),
            cooldown_bars=strategy.strategy.cooldown_bars,
            max_trades_per_day=strategy.strategy.max_trades_per_day,
            embargo=profile.embargo(strategy),
            turns=OnOpposite(strategy.strategy.on_opposite) is OnOpposite.REVERSE,
            **_own(profile),
        )

    @classmethod
    def manual(cls, profile: Profile) -> Self:
        """Of a person's ticket on a symbol: its profile alone counts."""
        cap = profile.max_risk_pct or MAX_RISK_FRACTION
        return cls(
            strategy=None,
            min_rr=0.0,
            risk_fraction=cap,
            embargo=profile.own_embargo(),
            **_own(profile),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave; ideas of before state `embargo_minutes` instead of the rule."""
        values = dict(data)
        minutes = values.pop("embargo_minutes", 0)
        rule = values.pop("embargo", None)
        embargo = EmbargoRule.of(minutes) if rule is None else EmbargoRule.from_dict(rule)
        return cls(**values, embargo=embargo)

    def as_dict(self) -> dict[str, Any]:
        """The terms as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"embargo": self.embargo.as_dict()}


def _own(profile: Profile) -> dict[str, Any]:
    return {
        "risk_cap": profile.max_risk_pct or MAX_RISK_FRACTION,
        "commission_per_lot": profile.commission_per_lot,
        "slippage_points": profile.slippage_points,
        "max_spread_points": profile.max_spread_points,
    }
