"""What a backtest is given and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from backend.backtest.columns import Trades
from backend.core.bars import Bars, Floats, Ints
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS, Timeframe
from backend.economic_calendar.model import CalendarView
from backend.risk.limits import RiskLimits
from backend.strategies.model import Profile, Strategy
from backend.trading.conversion import Conversion

ENGINE_VERSION = "6"
HOURS_OF_WEEK = 168
NO_CALENDAR = CalendarView.unknown("there is no calendar of the past")


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
        digits: Decimals to which the broker books money: 0 for JPY.
        hedging: Whether positions of one symbol stand beside each other; else a symbol has one position,
            and one strategy at a time trades it.
        stop_out: Equity ÷ margin at which the broker closes positions; 0 is never.
    """

    currency: str = "USD"
    balance: Decimal = Decimal(10_000)
    leverage: int = 100
    digits: int = 2
    hedging: bool = True
    stop_out: float = 0.5

    def __post_init__(self) -> None:
        if not self.balance.is_finite() or self.balance <= 0:
            raise Invalid("bad_balance", f"the balance is {self.balance}; it must be above zero")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {
            "currency": self.currency,
            "balance": str(self.balance),
            "leverage": self.leverage,
            "digits": self.digits,
            "hedging": self.hedging,
            "stop_out": self.stop_out,
        }


class Asks(NamedTuple):
    """Ask prices of bars, each of shape (n,)."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One strategy on one symbol.

    Attributes:
        strategy: The strategy.
        profile: Of the symbol.
        instrument: Specification of the symbol.
        bars: Closed bars, warm-up first.
        higher: Closed bars of the longer timeframes that conditions use.
        first: Index of the first bar that may be traded; those before only warm up.
        costs: Costs.
        conversion: Profit currency to account currency.
        source: Where the bars come from, for the report.
        facts: Data quality of the bars as known to the store, for the report.
        spread_bars: Closed bars from which the usual spread of each hour is known, as live; the bars
            themselves where None.
        asks: Ask prices of `bars`; None where the spread gives them.
        fine: Closed bars of a shorter timeframe, along which fills and management happen where they tell
            all of a bar; None where the bars themselves are the steps.
        fine_asks: Ask prices of `fine`.
        rates: Account currency for one unit of profit currency at each bar's close, for gains and for
            losses, each of shape (n,); None takes `conversion`.
    """

    strategy: Strategy
    profile: Profile
    instrument: Instrument
    bars: Bars
    higher: Mapping[Timeframe, Bars] = field(default_factory=dict)
    first: int = 1
    costs: Costs = Costs()
    conversion: Conversion = field(default_factory=Conversion)
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    spread_bars: Bars | None = None
    asks: Asks | None = None
    fine: Bars | None = None
    fine_asks: Asks | None = None
    rates: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One backtest, complete: the same job gives the same result.

    Attributes:
        streams: Strategies and symbols that trade one account, at least one.
        account: Account.
        limits: The desk's limits, weights and thresholds; each idea that they allow counts as approved.
        calendar: Economic events of the whole time, as they were known.
    """

    streams: tuple[Stream, ...]
    account: AccountSettings = AccountSettings()
    limits: RiskLimits = field(default_factory=RiskLimits)
    calendar: CalendarView = NO_CALENDAR

    def __post_init__(self) -> None:
        names = [(stream.strategy.id, stream.bars.symbol) for stream in self.streams]
        if not names or len(set(names)) < len(names):
            raise Invalid(
                "bad_streams", f"a backtest takes each strategy and symbol once, and at least one: {names}"
            )


class Instants(NamedTuple):
    """When the instants of a run were, as columns that the run has anyway.

    Attributes:
        time: UTC epoch of each less `after`, shape (n,).
        after: Seconds from `time` to the instant.
        server: Server epoch at which its bar opened, shape (n,).
    """

    time: Ints
    after: int
    server: Ints


class Broke(NamedTuple):
    """How a rulebook was broken.

    Attributes:
        at: UTC epoch of the close at which it was seen.
        rule: ``daily_loss`` or ``drawdown``.
        lost: Account currency.
        of: What the allowed share is of.
    """

    at: int
    rule: str
    lost: float
    of: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What happened. Equity is marked to market in account currency at each instant at which bars closed.

    Attributes:
        trades: Closed trades in the order of their exits.
        equity: Equity at each of those instants, shape (n,).
        moved: Indices of instants, ascending, the first one always among them, shape (m,). At every other one
            equity is as at the one before, and was no lower since.
        lowest: The lowest that equity can have been since the instant before each of them, shape (m,).
        when: Gives the moments of the instants.
        in_position: Instants up to which a position was open, or was since the one before.
        balance: Money at the end; initial balance + the sum of net.
        signals: Bars on which a direction signalled, conflicts and closed sessions included.
        refusals: Why signals did not become trades, with counts.
        notes: What the run leaves out, one sentence each.
        max_margin: Largest share of equity taken as margin at an entry.
        max_leverage: Largest worth of the open positions ÷ equity at an entry.
        min_margin_level: Smallest equity ÷ margin, at the worst of each bar; None if none was taken.
        broke: When and how a rulebook's day's loss or drawdown was first reached; None if it was not.
    """

    trades: Trades
    equity: Floats
    moved: Ints
    lowest: Floats
    when: Callable[[], Instants]
    in_position: int
    balance: Decimal
    signals: int
    refusals: Mapping[str, int]
    notes: tuple[str, ...]
    max_margin: float
    max_leverage: float = 0.0
    min_margin_level: float | None = None
    broke: Broke | None = None

    @cached_property
    def instants(self) -> Instants:
        """The moments of the instants."""
        return self.when()

    @cached_property
    def worst(self) -> Floats:
        """The lowest that equity can have been since the instant before, shape (n,)."""
        worst = self.equity.copy()
        worst[self.moved] = self.lowest
        return worst

    @cached_property
    def time(self) -> Ints:
        """UTC epoch of each instant, shape (n,)."""
        return self.instants.time + self.instants.after

    @cached_property
    def server_day(self) -> Ints:
        """Server day number of each instant, a bar belonging to the day on which it opened; shape (n,)."""
        days: Ints = self.instants.server // DAY_SECONDS
        return days
