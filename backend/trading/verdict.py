"""What the risk gate and the sizing answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from backend.core.instruments import Instrument
from backend.economic_calendar.embargo import EmbargoRule
from backend.trading.account import AccountState
from backend.trading.conversion import Conversion
from backend.trading.desk import Circumstances, DeskState, Purpose
from backend.trading.profit import to_cents
from backend.trading.scoring import Thresholds, Weights
from backend.trading.sides import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A volume and how it came about; money in account currency.

    Attributes:
        lots: Volume in lots; 0 when refused.
        steps: The same in volume steps.
        risk_fraction: Fraction of the smaller of balance and equity, halves included.
        risk_money: That fraction in money.
        loss_per_lot: Loss of one lot at the stop with commission and expected slippage.
        risk_taken: Loss of the volume at the stop, costs included.
        margin: Margin that the volume takes.
        limited_by: ``risk``, ``maximum`` or ``margin``: what decided the volume; ``person`` where one set it.
        refusal: Why there is none, with what would be needed; empty when there is one.
        needed: Risk money (or free margin) that the smallest volume would need; None when not refused.
    """

    lots: Decimal
    steps: int
    risk_fraction: Decimal
    risk_money: Decimal
    loss_per_lot: Decimal
    risk_taken: Decimal
    margin: Decimal
    limited_by: str
    refusal: str = ""
    needed: Decimal | None = None

    def as_dict(self) -> dict[str, Any]:
        """The size as JSON values, money to the cent."""
        return {
            "lots": float(self.lots),
            "risk_fraction": float(self.risk_fraction),
            "limited_by": self.limited_by,
            "refusal": self.refusal,
            **{
                name: float(to_cents(getattr(self, name)))
                for name in ("risk_money", "loss_per_lot", "risk_taken", "margin")
            },
            "needed": None if self.needed is None else float(to_cents(self.needed)),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A trade that is to be judged.

    Attributes:
        instrument: The symbol.
        side: Its side.
        strategy: Id of the strategy; None for a manual ticket.
        entry: Entry price.
        stop: Stop price.
        stop_ticks: Ticks from entry to stop.
        target_ticks: Ticks from entry to target.
        min_rr: Smallest reward to risk.
        atr: ATR in price; 0 where none is known.
        size: Its volume.
        conversion: Of the symbol's profit currency.
        confidence: Score; None where there is none (manual ticket).
        cooldown_bars: Bars that the strategy waits after a trade.
        max_trades_per_day: Entries that the strategy may make a day; None is no limit of its own.
        max_spread_points: Largest spread for this symbol; None is no limit of its own.
        commission_known: Whether the commission is configured or learned.
    """

    instrument: Instrument
    side: Side
    strategy: str | None
    entry: Decimal
    stop: Decimal
    stop_ticks: int
    target_ticks: int
    min_rr: float
    atr: float
    size: Size
    conversion: Conversion
    confidence: float | None
    cooldown_bars: int = 0
    max_trades_per_day: int | None = None
    max_spread_points: float | None = None
    commission_known: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One check that refuses.

    Attributes:
        check: Its key.
        reason: A sentence for a person, with numbers.
        measured: What was measured; None if it is unknown.
        bound: What is allowed; None where no number says it.
        blocks: Whether it blocks, or only chooses between the actions.
    """

    check: str
    reason: str
    measured: float | None = None
    bound: float | None = None
    blocks: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The refusal as JSON values."""
        return {
            "check": self.check,
            "reason": self.reason,
            "measured": self.measured,
            "bound": self.bound,
            "blocks": self.blocks,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the gate found.

    Attributes:
        purpose: On whose behalf it ran.
        refusals: The checks that refuse, in the order of the table.
        measured: Every check's measured value by key; None where unknown.
        bounds: What is allowed by key, where a number says it; None for no limit.
        warnings: What does not refuse but should be known.
    """

    purpose: Purpose
    refusals: tuple[Refusal, ...]
    measured: Mapping[str, float | None]
    bounds: Mapping[str, float | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing refuses."""
        return not self.refusals

    def refused_by(self, *checks: str) -> bool:
        """Whether one of these checks refuses."""
        return any(refusal.check in checks for refusal in self.refusals)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "purpose": str(self.purpose),
            "passed": self.passed,
            "refusals": [refusal.as_dict() for refusal in self.refusals],
            "measured": dict(self.measured),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """How much of each account limit is used after a trade; 1 is all of it."""

    margin: float
    exposure: float
    day_loss: float


class RiskRules(Protocol):
    """Sizing, shares and gate under one set of limits; implemented by `backend.risk.rules`."""

    @property
    def weights(self) -> Weights:
        """Points of the confidence's parts."""

    @property
    def thresholds(self) -> Thresholds:
        """Scores from which something is done."""

    def embargo(self, own: EmbargoRule) -> EmbargoRule:
        """What pauses entries around news: a strategy's and its symbol's own rule, and the desk's."""

    def size(
        self,
        *,
        instrument: Instrument,
        side: Side,
        entry: Decimal,
        stop: Decimal,
        account: AccountState,
        conversion: Conversion,
        risk_fraction: float,
        commission_per_lot: float | None,
        slippage_points: float | None,
        market_entry: bool,
        half: bool,
        lots: Decimal | None = None,
    ) -> Size:
        """Volume for a trade."""

    def commission_known(self, commission_per_lot: float | None) -> bool:
        """Whether a commission is configured for the symbol or for the desk."""

    def shares(self, proposal: Proposal, account: AccountState) -> Shares:
        """Limits used after the trade."""

    def judge(
        self,
        proposal: Proposal,
        account: AccountState,
        desk: DeskState,
        circumstances: Circumstances,
        *,
        purpose: Purpose,
    ) -> Verdict:
        """The gate."""
