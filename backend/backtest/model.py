"""What a backtest is given and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from backend.core.bars import Bars, Floats
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe
from backend.risk.limits import RiskLimits
from backend.strategies.model import Profile, Strategy
from backend.trading.conversion import Conversion
from backend.trading.sides import Side

ENGINE_VERSION = "1"
HOURS_OF_WEEK = 168


class Reason(StrEnum):
    """Why a trade ended."""

    TARGET = "target"
    STOP = "stop"
    GAP_STOP = "gap_stop"
    EXIT_RULE = "exit_rule"
    INVALIDATION = "invalidation"
    TIME_STOP = "time_stop"
    TRAIL = "trail"
    BREAKEVEN = "breakeven"
    PARTIAL = "partial"
    WEEKEND = "weekend"
    OPPOSITE = "opposite"
    STOP_OUT = "stop_out"
    END = "end"


class Reading(StrEnum):
    """How a bar that does not tell what came first is read."""

    WORST = "worst"
    BEST = "best"


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What trading costs.

    Attributes:
        commission_per_lot: Account currency per lot and side.
        slippage_points: Points that a market or stop order is filled worse.
        spread_points: Learned spread of each hour of the week, server time, Monday 00 first; shape
            (168,). A bar's own spread counts where it is larger. 0 means none was learned.
        warnings: What is not known and was taken as zero.
    """

    commission_per_lot: Decimal = Decimal(0)
    slippage_points: Decimal = Decimal(0)
    spread_points: tuple[int, ...] = (0,) * HOURS_OF_WEEK
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("commission_per_lot", "slippage_points"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value < 0:
                raise Invalid("bad_costs", f"{name} is {value}; it is a number of at least zero")
        if len(self.spread_points) != HOURS_OF_WEEK or min(self.spread_points) < 0:
            raise Invalid("bad_costs", "spread_points has one number of at least zero an hour of the week")

    def as_dict(self) -> dict[str, Any]:
        """The costs as JSON values, money as exact text."""
        return {
            "commission_per_lot": str(self.commission_per_lot),
            "slippage_points": str(self.slippage_points),
            "spread_points": list(self.spread_points),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSettings:
    """The account that is traded.

    Attributes:
        currency: Account currency.
        balance: Money at the start.
        leverage: 100 for 1:100.
    """

    currency: str = "USD"
    balance: Decimal = Decimal(10_000)
    leverage: int = 100

    def __post_init__(self) -> None:
        if not self.balance.is_finite() or self.balance <= 0:
            raise Invalid("bad_balance", f"the balance is {self.balance}; it must be above zero")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {"currency": self.currency, "balance": str(self.balance), "leverage": self.leverage}


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One backtest, complete: the same job gives the same result.

    Attributes:
        strategy: The strategy.
        profile: Of the symbol.
        instrument: Specification of the symbol.
        bars: Closed bars, warm-up first.
        higher: Closed bars of the longer timeframes that conditions use.
        first: Index of the first bar that may be traded; those before only warm up.
        costs: Costs.
        account: Account.
        conversion: Profit currency to account currency.
        source: Where the bars come from, for the report.
        facts: Data quality of the bars as known to the store, for the report.
        limits: The desk's limits, weights and thresholds; each idea that they allow counts as approved.
        spread_bars: Closed bars from which the usual spread of each hour is known, as live; the bars
            themselves where None.
    """

    strategy: Strategy
    profile: Profile
    instrument: Instrument
    bars: Bars
    higher: Mapping[Timeframe, Bars] = field(default_factory=dict)
    first: int = 1
    costs: Costs = Costs()
    account: AccountSettings = AccountSettings()
    conversion: Conversion = field(default_factory=Conversion)
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    limits: RiskLimits = field(default_factory=RiskLimits)
    spread_bars: Bars | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """A closed trade. Prices are exact, money is in account currency to the cent, times UTC epochs.

    net = gross − spread_cost − slippage_cost − gap_cost − commission + swap, to the cent.

    Attributes:
        signal_time: Close of the bar that gave the signal.
        initial_stop: First stop price.
        initial_risk: Loss from the fill to the first stop, without costs, above zero.
        gross: Result at mid prices and trigger levels.
        r: net ÷ initial_risk.
        mae: Worst floating result of the trade in money, at most zero.
        mfe: Best floating result, at least zero.
        bars_held: Bars on which it was open.
    """

    id: int
    symbol: str
    strategy: str
    side: Side
    volume: Decimal
    signal_time: int
    entry_time: int
    entry_price: Decimal
    initial_stop: Decimal
    initial_target: Decimal
    exit_time: int
    exit_price: Decimal
    exit_reason: Reason
    ambiguous: bool
    gross: Decimal
    spread_cost: Decimal
    slippage_cost: Decimal
    gap_cost: Decimal
    commission: Decimal
    swap: Decimal
    net: Decimal
    initial_risk: Decimal
    r: float | None
    mae: Decimal
    mfe: Decimal
    bars_held: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Result:
    """What happened.

    Attributes:
        trades: Closed trades in the order of their exits.
        equity: Marked-to-market equity at the close of each traded bar, shape (n − first,).
        worst: The same at each bar's worst price for the open position.
        time: UTC epoch of each of those closes.
        server_day: Server day number of each bar.
        in_position: Bars at whose close a position was open, or on which one was.
        balance: Money at the end; initial balance + the sum of net.
        signals: Bars on which a direction signalled, conflicts and closed sessions included.
        refusals: Why signals did not become trades, with counts.
        notes: What the run leaves out, one sentence each.
        max_margin: Largest share of equity taken as margin at an entry.
    """

    trades: tuple[Trade, ...]
    equity: Floats
    worst: Floats
    time: Any
    server_day: Any
    in_position: int
    balance: Decimal
    signals: int
    refusals: Mapping[str, int]
    notes: tuple[str, ...]
    max_margin: float
