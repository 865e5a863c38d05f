"""What a user finds after the first start: strategies that trade, and facts that happen."""

import math
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.evaluation.decision import Action, Decision
from backend.evaluation.interpreter import Interpreter
from backend.strategies.blocks import Indicators
from backend.strategies.facts import FACTS, fact_expression
from backend.strategies.model import Strategy
from tests.fakes.shipped import ACCOUNT, MonthOf, shipped

SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")
ENABLED = [strategy for strategy in shipped().strategies if strategy.enabled]
MONTHS = (
    MonthOf(end=datetime(2026, 3, 2, tzinfo=UTC)),
    *(
        pytest.param(MonthOf(seed=seed, end=end), marks=pytest.mark.full)
        for seed, end in (
            (7, datetime(2026, 6, 1, tzinfo=UTC)),
            (1, datetime(2026, 3, 2, tzinfo=UTC)),
            (2, datetime(2025, 11, 3, tzinfo=UTC)),
            (3, datetime(2026, 1, 12, tzinfo=UTC)),
            (4, datetime(2025, 8, 20, tzinfo=UTC)),
            (5, datetime(2026, 4, 15, tzinfo=UTC)),
        )
    ),
)


def wilder_atr(bars: Bars, period: int) -> list[float]:
    """Average true range as Wilder wrote it: a plain mean first, then (n − 1 before + 1 new) ÷ n."""
    high, low, close = bars.high.tolist(), bars.low.tolist(), bars.close.tolist()
    ranges = [
        max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1]))
        for i in range(1, len(bars))
    ]
    values = [math.nan] * period + [sum(ranges[:period]) / period]
    for true_range in ranges[period:]:
        values.append((values[-1] * (period - 1) + true_range) / period)
    return values


def rounded_up(distance: float, tick: Decimal) -> tuple[int, int]:
    """Whole ticks upwards; two answers where float noise of a last digit could decide."""
    ticks = distance / float(tick)
    return math.ceil(ticks - 1e-5), math.ceil(ticks + 1e-5)


def lots_by_hand(decision: Decision) -> Decimal:
    """fraction × balance ÷ (loss at the stop in USD + commission of both sides + slippage), floored."""
    assert decision.levels is not None
    levels, symbol = decision.levels, decision.symbol
    profile = shipped().profile(symbol)
    contract = Decimal(100) if symbol == "XAUUSD" else Decimal(100_000)
    to_usd = 1 / levels.stop_price if symbol == "USDJPY" else Decimal(1)
    half = decision.action is Action.PENDING_ONLY
    fills = 1 if half else 2  # the limit order's entry does not slip
    assert profile.commission_per_lot is not None
    assert profile.slippage_points is not None
    slippage = Decimal(repr(profile.slippage_points)) * levels.instrument.point * fills
    distance = abs(levels.entry_price - levels.stop_price) + slippage
    per_lot = distance * contract * to_usd + 2 * Decimal(repr(profile.commission_per_lot))
    fraction = Decimal("0.01") * Decimal(repr(profile.risk_multiplier)) / (2 if half else 1)
    lots = fraction * ACCOUNT.balance / per_lot
    return lots.quantize(Decimal("0.01"), ROUND_FLOOR)


def test_at_least_five_are_enabled_over_the_four_symbols_and_both_directions() -> None:
    assert shipped().problems == ()
    assert len(ENABLED) >= 5
    assert {symbol for strategy in ENABLED for symbol in strategy.traded_symbols} == set(SYMBOLS)
    assert {str(direction) for strategy in ENABLED for direction in strategy.directions} == {"long", "short"}


@pytest.mark.parametrize("month", MONTHS, ids=str)
@pytest.mark.parametrize("strategy", ENABLED, ids=lambda strategy: strategy.id)
def test_each_makes_five_ideas_in_thirty_days_and_their_levels_follow_from_the_bars(
    strategy: Strategy, month: MonthOf
) -> None:
    ideas = list(month.ideas(strategy))
    assert len(ideas) >= 5
    assert {idea.signal for idea in ideas} == {str(direction) for direction in strategy.directions}
    bars = month.bars(ideas[0].symbol, strategy.timeframe)
    atr = wilder_atr(bars, strategy.indicators.atr.period)
    for idea in ideas:
        assert idea.levels is not None
        assert idea.size is not None
        levels, spec = idea.levels, idea.levels.instrument
        index = int(np.searchsorted(bars.time, idea.bar_time.timestamp()))
        assert int(bars.time[index]) == idea.bar_time.timestamp()
        buy = idea.signal == "long"
        sign = 1 if buy else -1
        close = Decimal(repr(float(bars.close[index])))
        spread = int(bars.spread[index]) * spec.point
        assert levels.reference_price == (close + spread if buy else close)
        least = (spec.stops_level * spec.point or spread) + spread  # from the side that opens to the stop
        wanted = rounded_up(atr[index] * strategy.indicators.atr.multiplier, spec.tick_size)
        assert levels.stop in {max(ticks, int(least / spec.tick_size)) for ticks in wanted}
        assert levels.target == math.ceil(levels.stop * strategy.strategy.min_rr)
        assert levels.entry_price - levels.stop_price == sign * levels.stop * spec.tick_size
        assert levels.target_price - levels.entry_price == sign * levels.target * spec.tick_size
        better = -levels.offset * sign
        if idea.action is Action.PENDING_ONLY:
            assert better in rounded_up(atr[index] * 0.25, spec.tick_size)
        else:
            assert better == 0
        assert idea.size.lots == lots_by_hand(idea)


@pytest.fixture(scope="module")
def interpreters() -> dict[str, Interpreter]:
    """Four months of hours of each symbol."""
    month = MonthOf(end=datetime(2026, 3, 2, tzinfo=UTC))
    return {symbol: Interpreter(month.bars(symbol, Timeframe.H1)[-2000:], {}) for symbol in SYMBOLS}


@pytest.mark.parametrize("name", FACTS)
def test_each_fact_is_true_somewhere_and_false_somewhere(
    name: str, interpreters: dict[str, Interpreter]
) -> None:
    tree = fact_expression(name, Indicators().numbers, Timeframe.H1).tree
    for symbol, interpreter in interpreters.items():
        truth = interpreter.truth(tree)
        assert truth.true.any(), symbol
        assert (truth.defined & ~truth.true).any(), symbol


def test_there_are_38_facts() -> None:
    assert len(FACTS) == 38
