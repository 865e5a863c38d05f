"""For every shipped strategy and direction, each action and the autonomous threshold on a constructed market.

Its bars are those of the simulated market up to one at which the strategy signals (or does not); what
surrounds that bar (its spread, what is usual, the account, the desk's switches) is made for the test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe, close_of
from backend.economic_calendar.model import CalendarView
from backend.evaluation.arrays import ConditionArrays
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.deciding import Known
from backend.evaluation.decision import Action, Decision
from backend.evaluation.engine import AIEngine
from backend.evaluation.statistics import ProfileStatistics, atr_bins
from backend.risk.limits import RiskLimits
from backend.risk.rules import DeskRules
from backend.strategies.model import Direction, OnOpposite, Strategy
from backend.trading.account import OpenTrade
from backend.trading.desk import DeskState, Mode
from backend.trading.scoring import Thresholds
from backend.trading.sides import Side
from tests.fakes.instruments import instrument
from tests.fakes.shipped import ACCOUNT, MonthOf, shipped

MONTH = MonthOf(end=datetime(2026, 3, 2, tzinfo=UTC))
CASES = [
    pytest.param(strategy, direction, id=f"{strategy.id} {direction}")
    for strategy in shipped().strategies
    if strategy.enabled
    for direction in strategy.directions
]


@dataclass(frozen=True, kw_only=True)
class Market:
    """The strategy's bars, the last of which is decided.

    `spread` is how many times the usual one the last bar's is; `calm` whether the ATR is usual too.
    """

    bars: Bars
    higher: Mapping[Timeframe, Bars]
    arrays: ConditionArrays
    strategy: Strategy

    def decide(
        self,
        *,
        spread: int = 1,
        calm: bool = True,
        strategy: Strategy | None = None,
        limits: RiskLimits | None = None,
        **known: Any,
    ) -> Decision:
        bars, symbol = self.bars, self.bars.symbol
        usual = int(np.median(bars.spread))
        spreads = bars.spread.copy()
        spreads[-1] = usual * spread
        atr = float(self.arrays.atr[-1])
        closed = bars.opened(-1) + timedelta(seconds=bars.timeframe.seconds)
        return (
            AIEngine(DeskRules(limits or RiskLimits()))
            .evaluate(
                strategy=strategy or self.strategy,
                profile=shipped().profile(symbol).model_copy(update={"max_spread_points": None}),
                bars=replace(bars, spread=spreads),
                higher=self.higher,
                known=replace(
                    Known(
                        instrument=instrument(symbol),
                        statistics=usual_figures(bars, usual, atr if calm else atr / 10),
                        account=ACCOUNT,
                        calendar=CalendarView(
                            known=True,
                            covered_from=closed - timedelta(days=1),
                            covered_to=closed + timedelta(days=1),
                        ),
                        now=closed,
                    ),
                    **known,
                ),
            )
            .decision
        )


def usual_figures(bars: Bars, spread: int, atr: float) -> ProfileStatistics:
    """The spread was always this, and the ATR evenly spread around this."""
    bins = atr_bins(np.linspace(0.5 * atr, 1.5 * atr, 1000))
    return ProfileStatistics(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        atr_period=14,
        midnight=0,
        spread_timeframe=bars.timeframe,
        spread_medians=np.full(168, float(spread)),
        spread_counts=np.full(168, 100),
        atr_first=int(bins[0]),
        atr_counts=np.bincount(bins - bins[0]),
    )


@cache
def market(strategy: Strategy, direction: Direction, moment: str) -> Market:
    """A moment in a session, away from the weekend: ``quiet`` without any signal, or one in this direction.

    The ``best`` signal is the first of those with the most strong and fewest weak conditions, the
    ``weakest`` the other way round.
    """
    (symbol,) = strategy.traded_symbols
    compiled = compile_strategy(strategy)
    bars = MONTH.bars(symbol, strategy.timeframe)
    higher = {timeframe: MONTH.bars(symbol, timeframe) for timeframe in compiled.higher}
    arrays = compiled.evaluate(bars, higher)
    side = arrays.sides[direction]
    weekday = (bars.server_time // 86_400 + 3) % 7
    fits = arrays.in_session & (weekday < 4) & (np.arange(len(bars)) >= len(bars) - 5000)
    if moment == "quiet":
        fits &= ~np.logical_or.reduce([other.signal for other in arrays.sides.values()])
    else:
        fits &= side.signal
    assert fits.any(), f"{strategy.id} has no such moment"
    match = side.strong * 20 - side.weak * 10
    index = int(np.argmax(np.where(fits, -match if moment == "weakest" else match, -np.inf)))
    closed = int(close_of(strategy.timeframe, bars.server_time[index]))
    return Market(
        bars=bars[max(index + 1 - 600, 0) : index + 1],
        higher={
            timeframe: part[: int(np.searchsorted(close_of(timeframe, part.server_time), closed, "right"))]
            for timeframe, part in higher.items()
        },
        arrays=arrays.at(index),
        strategy=strategy,
    )


@pytest.mark.parametrize(("strategy", "direction"), CASES)
class TestEveryActionIsReached:
    def test_open_or_scale_and_the_autonomous_threshold_on_a_calm_market(
        self, strategy: Strategy, direction: Direction
    ) -> None:
        best = market(strategy, direction, "best")
        decision = best.decide(desk=DeskState(mode=Mode.AUTONOMOUS))
        assert decision.signal == direction
        assert decision.action is Action.OPEN_OR_SCALE
        assert decision.score is not None
        assert decision.score >= 80
        assert decision.refusals == ()  # so the desk may send it by itself

    def test_pending_only_when_spread_and_atr_are_unusual(
        self, strategy: Strategy, direction: Direction
    ) -> None:
        strained = market(strategy, direction, "best").decide(spread=3, calm=False)
        assert strained.action is Action.PENDING_ONLY
        assert strained.score is not None
        assert 60 <= strained.score < 75
        assert strained.order is not None
        assert (strained.order.type, strained.order.expiry_bars) == ("limit", 3)

    def test_observe_when_too_little_speaks_for_the_signal(
        self, strategy: Strategy, direction: Direction
    ) -> None:
        weak = market(strategy, direction, "weakest").decide(spread=3, calm=False)
        assert weak.signal == direction
        assert weak.score is not None
        assert weak.score < 60
        assert weak.action is Action.OBSERVE

    def test_observe_without_a_signal(self, strategy: Strategy, direction: Direction) -> None:
        quiet = market(strategy, direction, "quiet").decide()
        assert quiet.signal is None
        assert quiet.action is Action.OBSERVE

    def test_no_threshold_is_so_low_that_a_trade_needs_no_signal(
        self, strategy: Strategy, direction: Direction
    ) -> None:
        low = RiskLimits(thresholds=Thresholds(pending_only=1.0, open_or_scale=2.0, autonomous=3.0))
        quiet = market(strategy, direction, "quiet").decide(limits=low)
        assert quiet.score is not None
        assert quiet.score > 3  # market and account alone give that
        assert quiet.action is Action.OBSERVE

    @pytest.mark.parametrize("on_opposite", list(OnOpposite))
    @pytest.mark.parametrize("pending", [False, True])
    def test_a_strategy_opens_against_its_own_trade_only_if_it_turns_round(
        self, strategy: Strategy, direction: Direction, on_opposite: OnOpposite, *, pending: bool
    ) -> None:
        best = market(strategy, direction, "best")
        rules = strategy.strategy.model_copy(update={"on_opposite": on_opposite})
        turned = strategy.model_copy(update={"strategy": rules})

        def blocked_by(owner: str | None, side: Side) -> bool:
            held = OpenTrade(
                symbol=best.bars.symbol,
                side=side,
                lots=Decimal("0.01"),
                price=Decimal(1),
                stop=Decimal(1),
                pending=pending,
                strategy=owner,
            )
            decision = best.decide(strategy=turned, account=replace(ACCOUNT, trades=(held,)))
            named = "opposite_open" in {refusal.check for refusal in decision.refusals}
            assert not named or decision.action is Action.BLOCKED
            return named

        side = Side.of_direction(str(direction))
        assert blocked_by(strategy.id, side.opposite) is (on_opposite is not OnOpposite.REVERSE)
        assert not blocked_by(strategy.id, side)
        assert not blocked_by("ANOTHER", side.opposite)
        assert not blocked_by(None, side.opposite)

    def test_wait_rr_under_a_fixed_target(self, strategy: Strategy, direction: Direction) -> None:
        """A target in R follows its stop and always pays; a price does not follow a stop that widens."""
        best = market(strategy, direction, "best")
        sign, multiplier = "+" if direction is Direction.LONG else "-", strategy.indicators.atr.multiplier
        target = f"close {sign} {2 * multiplier + 0.5} * atr(14)"
        rules = strategy.strategy.model_copy(update={"target": target})
        fixed = strategy.model_copy(update={"strategy": rules})
        assert best.decide(strategy=fixed).action is Action.OPEN_OR_SCALE
        spec, atr = instrument(best.bars.symbol), float(best.arrays.atr[-1])
        wider = instrument(spec.symbol, stops_level=int((multiplier + 0.5) * atr / float(spec.point)))
        waits = best.decide(strategy=fixed, instrument=wider)
        assert waits.score is not None
        assert waits.score >= 75
        assert waits.action is Action.WAIT_RR
        assert [refusal.check for refusal in waits.refusals] == ["reward_to_risk"]

    def test_blocked_by_a_halt_whatever_the_score(self, strategy: Strategy, direction: Direction) -> None:
        best = market(strategy, direction, "best")
        halted = best.decide(desk=DeskState(halted="the day's loss"))
        assert halted.score is not None
        assert halted.score >= 80
        assert halted.action is Action.BLOCKED
        assert [refusal.check for refusal in halted.refusals] == ["halted"]
