"""What a strategy's rules are applied to, live: its bars, its position, the week, the calendar."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from backend.core.bars import Bars
from backend.core.clock import Clock, from_epoch, parse_iso
from backend.core.errors import Conflict, NotFound
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS, Timeframe
from backend.economic_calendar.embargo import NO_EMBARGO, EmbargoRule, embargo
from backend.economic_calendar.model import CalendarView
from backend.evaluation.arrays import ConditionArrays
from backend.evaluation.conditions import compile_strategy
from backend.ideas.book import IdeaBook
from backend.journal.journal import Journal
from backend.market.service import MarketService
from backend.mt5.account import Position
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.server_time import ServerClock
from backend.orders.closing import PositionChanges
from backend.orders.following import Follower
from backend.orders.holding import Holding
from backend.orders.trades import TradeLog
from backend.orders.waiting import OrderChanges
from backend.risk.limits import RiskLimits
from backend.risk.rules import DeskRules
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from backend.strategies.model import Profile, Strategy
from backend.trading.conversion import conversion
from backend.trading.management import NO_TARGET, cost_ticks, week_ends
from backend.trading.profit import profit
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from backend.trading.week import last_of_week_second

WEEKS = 35 * DAY_SECONDS
"""So much history tells when the trading week ends."""
_NEVER = 7 * DAY_SECONDS

Idea = Mapping[str, Any]


class Calendar(Protocol):
    """The economic calendar."""

    def as_of(self, now: datetime) -> CalendarView:
        """What was known at `now`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManagerParts:
    """What management stands on.

    Attributes:
        storage: Files below ``data/``.
        book: The ideas.
        journal: The record.
        clock: Desk time.
        server_clock: Rule of the broker's clock.
        terminal: Positions, prices, the account.
        dealer: Deals.
        market: Bars and specifications.
        strategies: Strategies and profiles as their files are now.
        calendar: The economic calendar.
        positions: Closes and moves positions.
        waiting: Cancels orders.
        follower: Brings an idea to where its order stands.
        trades: Takes closed trades.
        limits: The limits in force.
        magic: Number of the desk.
    """

    storage: FileStorage
    book: IdeaBook
    journal: Journal
    clock: Clock
    server_clock: ServerClock
    terminal: MT5Client
    dealer: Dealer
    market: MarketService
    strategies: StrategyFiles
    calendar: Calendar
    positions: PositionChanges
    waiting: OrderChanges
    follower: Follower
    trades: TradeLog
    limits: Callable[[], RiskLimits]
    magic: int


class Ruling:
    """Reads what the rules of management need.

    Args:
        parts: What management stands on.
    """

    def __init__(self, parts: ManagerParts) -> None:
        self._parts = parts

    def strategy(self, idea: Idea) -> Strategy | None:
        """The strategy as its file is now; None for a person's trade."""
        name = idea.get("strategy_id")
        if name is None:
            return None
        for strategy in self._parts.strategies.load().strategies:
            if strategy.id == name:
                return strategy
        raise NotFound(
            "no_strategy",
            f"the file of strategy {name} is gone or wrong: only stop and target at the broker are left",
            strategy=name,
        )

    def facts(self, idea: Idea, strategy: Strategy, *, since: datetime) -> ConditionArrays:
        """The strategy's conditions over bars that reach back behind an instant."""
        compiled = compile_strategy(strategy)
        symbol, timeframe = str(idea["symbol"]), strategy.timeframe
        age = (self._parts.clock.now() - since).total_seconds()
        count = compiled.history[timeframe] + int(age // timeframe.seconds) + 2
        bars = self._parts.market.top_up(symbol, timeframe, min_bars=count)
        higher = {
            other: self._parts.market.top_up(
                symbol, other, min_bars=compiled.history[other] + int(age // other.seconds) + 2
            )
            for other in compiled.higher
        }
        return compiled.evaluate(bars, higher)

    def fine(self, strategy: Strategy, symbol: str, since: datetime) -> Bars:
        """Closed bars of the management timeframe, from the one before an instant on."""
        timeframe = Timeframe(strategy.strategy.management.timeframe)
        begin = from_epoch(int(since.timestamp()) - timeframe.seconds)
        return self._parts.market.top_up(symbol, timeframe, since=begin)

    def holding(self, idea: Idea, position: Position, instrument: Instrument) -> Holding:
        """The position as the rules take it; one without a stop as if its last one stood.

        Raises:
            Conflict: ``no_stop``: it never had one, so that there is no R to measure by.
        """
        side = Side.BUY if position.buy else Side.SELL
        began, managed = idea["position"], idea["management"]
        entry = Decimal(repr(began["price_open"]))
        first = began["initial_stop"]
        stop = managed["stop"] if position.stop is None else position.stop
        if first is None or stop is None:
            raise Conflict(
                "no_stop", f"position {position.ticket} of {position.symbol} carries no stop at the broker"
            )
        ticks = [side.sign * instrument.ticks(float(price)) for price in (entry, first, stop)]
        target = position.target
        return Holding(
            instrument=instrument,
            side=side,
            entry=ticks[0],
            first_stop=ticks[1],
            stop=ticks[2],
            target=NO_TARGET if target is None else side.sign * instrument.ticks(float(target)),
            opened=int(position.opened_at.timestamp()),
            moved=int(parse_iso(managed["moved_at"]).timestamp()) if managed.get("moved_at") else 0,
            cost_ticks=self._cost(instrument, side, entry),
            parted=bool(managed.get("parted")),
        )

    def _cost(self, instrument: Instrument, side: Side, entry: Decimal) -> int:
        """Ticks that pay commission and the expected slippage of a stop."""
        profile = self._profile(instrument.symbol)
        rate = conversion(instrument, self._parts.terminal.account().currency)
        better = entry + side.sign * instrument.tick_size
        tick = float(profit(instrument, side, Decimal(1), entry, better, rate))
        costs = self._parts.limits().expected_costs(
            commission_per_lot=profile.commission_per_lot, slippage_points=profile.slippage_points
        )
        slip = instrument.ticks_up(costs.slippage_points * float(instrument.point))
        return cost_ticks(costs.commission_per_lot, tick, slip)

    def weekend(self, strategy: Strategy | None, symbol: str) -> bool:
        """Whether the week's last bar has begun for a trade that is not to be held over the weekend.

        Of a person's trades and of strategies on days and longer the last hour counts: their own last bar
        ends with the market.
        """
        own = strategy is not None and strategy.strategy.management.close_before_weekend
        if not own and not self._parts.limits().flat_before_weekend:
            return False
        short = strategy is not None and strategy.timeframe.seconds < DAY_SECONDS
        timeframe = strategy.timeframe if strategy is not None and short else Timeframe.H1
        now = self._parts.clock.now()
        since = from_epoch(int(now.timestamp()) - WEEKS)
        bars = self._parts.market.top_up(symbol, timeframe, since=since)
        return week_ends(self._parts.server_clock.server_epoch(now), last_of_week_second(bars, _NEVER))

    def must_leave(self, strategy: Strategy | None, symbol: str) -> Reason | None:
        """Why a position may not be held any longer, whatever its strategy's conditions say."""
        if self.weekend(strategy, symbol):
            return Reason.WEEKEND
        held = self._paused(symbol, self._parts.limits().flat_at_news)
        return Reason.EXIT_RULE if held else None

    def embargoed(self, strategy: Strategy | None, symbol: str) -> bool:
        """Whether news forbid an entry of the strategy now; of a person's order a rulebook alone does."""
        own = NO_EMBARGO if strategy is None else self._profile(symbol).embargo(strategy)
        return self._paused(symbol, DeskRules(self._parts.limits()).embargo(own))

    def _paused(self, symbol: str, rule: EmbargoRule) -> bool:
        if not rule:
            return False
        now = self._parts.clock.now()
        instrument = self._parts.market.instrument(symbol)
        currencies = (instrument.currency_base, instrument.currency_profit)
        view = self._parts.calendar.as_of(now)
        return embargo(view, currencies, now, rule).blocked

    def _profile(self, symbol: str) -> Profile:
        return self._parts.strategies.load().profile(symbol)
