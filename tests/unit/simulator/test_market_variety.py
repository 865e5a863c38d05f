"""Thirty days of the seeded market hold an example of every named fact, and of its opposite."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import compile_strategy
from backend.mt5.server_time import ServerClock
from backend.simulator.market import SyntheticMarket
from backend.strategies.facts import FACTS
from backend.strategies.model import Strategy

CLOCK = ServerClock.parse("America/New_York+7")
PRESENT = int(datetime(2025, 11, 19, 16, tzinfo=UTC).timestamp())
STRATEGY = Path(__file__).parents[3] / "config" / "ai" / "strategies" / "EURUSD_H1.json"


@pytest.mark.parametrize(("timeframe", "bars_in_30_days"), [(Timeframe.H1, 514), (Timeframe.M15, 2057)])
@pytest.mark.parametrize("symbol", ["EURUSD", "GBPUSD", "USDJPY"])
def test_every_named_fact_is_true_somewhere_and_false_somewhere(
    symbol: str, timeframe: Timeframe, bars_in_30_days: int
) -> None:
    found = SyntheticMarket(7).rates(symbol, timeframe, PRESENT - 45 * 86_400, PRESENT - 1, PRESENT * 1000)
    bars = Bars(
        symbol=symbol,
        timeframe=timeframe,
        time=CLOCK.to_utc(found.time),
        server_time=found.time,
        open=found.open,
        high=found.high,
        low=found.low,
        close=found.close,
        volume=found.volume,
        spread=found.spread,
    )
    strategy = json.loads(STRATEGY.read_text(encoding="utf-8"))
    conditions = {"entry": list(FACTS), "exit": [], "strong": [], "weak": []}
    strategy |= {"symbol": symbol, "timeframe": timeframe.value, "conditions": conditions}
    side = next(iter(compile_strategy(Strategy.model_validate(strategy)).evaluate(bars, {}).sides.values()))
    one_sided = [
        condition.text
        for condition, truth in zip(side.conditions, side.truths, strict=True)
        if truth.true[-bars_in_30_days:].all() or not truth.true[-bars_in_30_days:].any()
    ]
    assert len(FACTS) == 38
    assert set(FACTS) <= {condition.text for condition in side.conditions}
    assert one_sided == []
