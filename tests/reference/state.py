"""Everything that a running backtest knows: its inputs, what was computed from them, and the account."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from backend.backtest.model import Job, Reading
from backend.core.bars import check_prices
from backend.core.errors import Invalid
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.plan import Plan
from backend.evaluation.statistics import ProfileStatistics, broker_midnight, profile_statistics
from backend.risk.rules import DeskRules
from backend.strategies.model import OrderType
from backend.trading.desk import Circumstances
from backend.trading.sides import Side
from backend.trading.week import trades_weekends
from tests.reference.account import Account
from tests.reference.fills import Exit
from tests.reference.position import NET, Money, Position
from tests.reference.prices import last_of_week, prices


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An order decided at a close, to be sent at the next open.

    Attributes:
        plan: Levels, order and size as decided.
        atr: ATR of the bar, in price.
        time: UTC epoch of the bar's close.
        half: Whether the score allowed half the risk only.
        score: The confidence.
        around: Session, news and spread as decided.
    """

    plan: Plan
    atr: float
    time: int
    half: bool
    score: float
    around: Circumstances

    @property
    def side(self) -> Side:
        """Side of the trade."""
        return self.plan.levels.side

    @property
    def kind(self) -> OrderType:
        """Market, limit or stop."""
        return OrderType(self.plan.order.type)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resting:
    """A limit or stop order at the broker; `level`, `stop` and `target` are mirrored ticks."""

    request: Request
    level: int
    stop: int
    target: int
    lots: Decimal
    placed: int


class State:
    """One run. Attributes that change are the account, the position, the orders and the counts."""

    def __init__(self, whole: Job, reading: Reading) -> None:
        job = whole.streams[0]
        if not 1 <= job.first < len(job.bars):
            raise Invalid(
                "too_few_bars",
                f"{job.strategy.id} on {job.bars.symbol}: {len(job.bars)} bars, trading from {job.first}; "
                "there must be a bar before the first traded one",
                available=len(job.bars),
                needed=job.first + 1,
            )
        check_prices(job.bars)
        self.stream, self.whole, self.reading = job, whole, reading
        self.rules = job.strategy.strategy
        self.compiled = compile_strategy(job.strategy)
        self.facts = self.compiled.evaluate(
            job.bars, job.higher, sessions=job.profile.entry_sessions(job.strategy)
        )
        self.prices = prices(job.bars, job.instrument, job.costs)
        self.money = Money(
            instrument=job.instrument, conversion=job.conversion, currency=whole.account.currency
        )
        self.weekends = trades_weekends(job.bars)
        self.week_end = last_of_week(job.bars)
        self.day_bars = job.bars.timeframe.seconds >= Timeframe.D1.seconds
        self.closes = job.bars.time + (
            close_of(job.bars.timeframe, job.bars.server_time) - job.bars.server_time
        )
        self.slip = job.instrument.ticks_up(float(job.costs.slippage_points * job.instrument.point))
        self.account = Account(whole, self.money)
        self.desk_rules = DeskRules(whole.limits)
        self.statistics: ProfileStatistics | None = None
        self.trades: list[list[int]] = []
        self.refusals: Counter[str] = Counter()
        self.position: Position | None = None
        self.resting: Resting | None = None
        self.requested: Request | None = None
        self.closed_on: int | None = None
        self.entries_on: Counter[int] = Counter()
        self.signals = self.in_position = 0
        self.max_margin = 0.0
        self.lowest = self.account.balance
        self.touched = False

    def day(self, index: int) -> int:
        """Server day number of a bar."""
        return int(self.stream.bars.server_time[index]) // DAY_SECONDS

    def opened(self, index: int) -> int:
        """UTC epoch of a bar's open."""
        return int(self.stream.bars.time[index])

    def usual(self, index: int) -> ProfileStatistics:
        """Spread and ATR statistics as they stood at the broker's midnight before a bar's open."""
        bars = self.stream.bars
        midnight = broker_midnight(int(bars.server_time[index]))
        found = self.statistics
        if found is None or found.midnight != midnight:
            period = self.stream.strategy.indicators.atr.period
            # later bars are not looked at; cutting them off here saves computing on them
            past = bars[: index + 1]
            found = self.statistics = profile_statistics(past, period, midnight, self.stream.spread_bars)
        return found

    def sink(self, position: Position, price: int) -> None:
        """Note the equity that an open position had at its worst price of this bar."""
        equity = self.account.balance + position.floating(self.money, price)
        self.lowest = min(self.lowest, equity)

    def close(self, position: Position, leave: Exit, index: int, time: int) -> None:
        """End the position and book its trade."""
        trade = position.closed(
            self.whole,
            self.money,
            leave,
            spread=int(self.prices.spread[index]),
            time=time,
            index=index,
        )
        self.trades.append(trade)
        self.account.balance += position.commission + Decimal(trade[NET]).scaleb(-self.whole.account.digits)
        self.lowest = min(self.lowest, self.account.balance)
        self.position = None
        self.closed_on = index
