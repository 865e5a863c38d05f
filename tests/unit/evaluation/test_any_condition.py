"""Whatever the parser lets through is decided, or refused for want of bars; nothing else comes out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.bars import Bars
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.explaining import explain_bar
from backend.strategies.facts import FACTS
from backend.strategies.grammar import parse_condition
from backend.strategies.model import Direction
from tests.fakes.language import conditions
from tests.fakes.walks import longer, strategy, walk

M30, H1, H4, D1 = Timeframe.M30, Timeframe.H1, Timeframe.H4, Timeframe.D1
HIGHER = (H1, H4, D1)

ODD = [
    "1 < 2",
    "1 < 2 < 3 > close",
    "not 2 < 1",
    "1 / 0 > 0 or 1 < 2",
    "ema(1 / 0, 5) > 0",
    "sma(2 * 3, 4) == 6",
    "(1 + 2)[3] == 3",
    "min(1, 2) < max(1, 2)",
    "abs(-5) == 5",
    "rsi(hour * 0 + 5, 3) >= 0",
    "stdev(close * 0 + 1, 3) == 0",
    "roc(close - close, 2) == 0",
    "crosses_above(1, 2)",
    "rising(weekday, 9)",
    "macd(1 / (hour - 5), 2, 3, 2) > 0",
    "highest(1 / (volume - volume), 3) > 0",
    'highest(1 / (volume - volume), 3, tf="H4") > 0',
    'session("Tokyo", tf="D1")[1]',
    "close * 1e300 * 1e300 > 0",
    "bb_upper(2, 0) == bb_mid(2)",
    "keltner_upper(1, 0, 1) == close",
]


def evaluated(text: str, bars: Bars, higher: dict[Timeframe, Bars]) -> None:
    compiled = compile_strategy(strategy(text, timeframe=bars.timeframe))
    try:
        arrays = compiled.evaluate(bars, higher)
    except Invalid as error:
        if error.code != "too_few_bars":
            raise
        return
    side = arrays.sides[Direction.LONG]
    (truth,) = side.truths
    assert truth.true.shape == truth.defined.shape == (len(bars),)
    assert not (truth.true & ~truth.defined).any()
    told = explain_bar(compiled, bars, higher)["sides"][0]["conditions"][0]
    assert told["holds"] == (bool(truth.true[-1]) if truth.defined[-1] else None)
    assert told["holds"] == arrays.explain()["long"][0]["holds"]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 100])
def test_odd_but_allowed(text: str, count: int) -> None:
    bars = walk(count)
    evaluated(text, bars, {H4: longer(bars, H4), D1: longer(bars, D1)})


@given(
    text=conditions(HIGHER),
    count=st.integers(1, 300),
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.4]),
)
def test_any_condition(text: str, count: int, seed: int, missing: float) -> None:
    bars = walk(400, seed=seed, missing=missing, weekends=False)[:count]
    evaluated(text, bars, {timeframe: longer(bars, timeframe) for timeframe in HIGHER})


@given(text=conditions((H4,)), seed=st.integers(0, 20))
def test_a_flat_market_is_a_market(text: str, seed: int) -> None:
    bars = walk(120, seed=seed)
    still = np.full(len(bars), 1.25)
    flat = Bars(
        symbol="EURUSD",
        timeframe=M30,
        time=bars.time,
        server_time=bars.server_time,
        open=still,
        high=still,
        low=still,
        close=still,
        volume=np.zeros(len(bars), dtype=np.int64),
        spread=np.zeros(len(bars), dtype=np.int64),
    )
    evaluated(text, flat, {H4: longer(flat, H4)})


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_is_explained_by_what_it_compares(fact: str) -> None:
    bars = walk(300, timeframe=H1, seed=2)
    compiled = compile_strategy(strategy(fact, timeframe=H1))
    told = explain_bar(compiled, bars)["sides"][0]["conditions"][0]
    assert told["meaning"] == FACTS[fact].meaning
    assert told["formula"] == strategy(fact, timeframe=H1).expression(fact).text
    shown = [one for part in _leaves(told) for one in part["operands"]]
    assert shown
    assert all(one["value"] is not None and one["bar"] is not None for one in shown)


def _leaves(part: dict[str, object]) -> list[dict[str, list[dict[str, object]]]]:
    parts = part["parts"]
    assert isinstance(parts, list)
    return [leaf for one in parts for leaf in _leaves(one)] if parts else [part]  # type: ignore[list-item]


def test_equal_conditions_have_equal_trees() -> None:
    assert parse_condition("close>ema( 20 )", H1).tree == parse_condition("close > ema(20)", H1).tree
