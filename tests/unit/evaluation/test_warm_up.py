"""How many bars a decision needs: stated in advance, exact, and counted in each timeframe's own bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.bars import Bars
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.interpreter import Interpreter
from backend.strategies.functions import FUNCTIONS, Kind
from backend.strategies.grammar import parse_condition
from tests.fakes.language import numbers
from tests.fakes.walks import longer, picked, strategy, walk

M30, H1, H4, D1, W1, MN1 = (Timeframe.parse(name) for name in ("M30", "H1", "H4", "D1", "W1", "MN1"))
HIGHER = (H1, H4, D1)


def needs(text: str, timeframe: Timeframe = H1) -> dict[str, int]:
    return {str(t): bars for t, bars in parse_condition(text, timeframe).needs}


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("close > 1", 1),
        ("close[3] > 1", 4),
        ("sma(20) > 1", 20),
        ("ema(20) > 1", 20),
        ("wma(20) > 1", 20),
        ("rsi(14) > 50", 15),
        ("macd(12, 26, 9) > 0", 34),
        ("macd_hist() > 0", 34),
        ("atr(14) > 0", 15),
        ("adx(14) > 20", 28),
        ("plus_di(14) > minus_di(14)", 15),
        ("stoch_k(14, 3, 3) > 50", 16),
        ("stoch_d(14, 3, 3) > 50", 18),
        ("cci(20) > 0", 20),
        ("close > bb_upper(20, 2)", 20),
        ("close > donchian_high(20)[1]", 21),
        ("close > keltner_upper(20, 2, 10)", 20),
        ("close > keltner_upper(5, 2, 10)", 11),
        ("close[1] < lowest(low, 20)[2]", 22),
        ("stdev(20) > 0", 20),
        ("roc(10) > 0", 11),
        ("obv() > 0", 1),
        ("crosses_above(ema(20), ema(50))", 51),
        ("rising(close, 3)", 4),
        ("sma(sma(10), 20) > 1", 29),
        ("sma(close[3], 20)[2] > 1", 25),
        ('session("London")', 1),
        ("abs(close - sma(10)) > max(sma(5), sma(7), 1)", 10),
    ],
)
def test_bars_needed_counted_by_hand(text: str, bars: int) -> None:
    assert needs(text) == {"H1": bars}


def test_a_longer_timeframe_counts_its_own_bars() -> None:
    assert needs('close > ema(200, tf="H4")') == {"H1": 1, "H4": 200}
    assert needs('close > ema(200, tf="H4")[3]') == {"H1": 1, "H4": 203}
    assert needs('close > ema(close[3], 200, tf="H4")') == {"H1": 1, "H4": 203}
    assert needs('sma(ema(5, tf="D1"), 3, tf="H4") > 1') == {"H1": 1, "H4": 3, "D1": 6}
    # A cross compares with one hour before, which saw at most one H4 bar less.
    assert needs('crosses_above(close, ema(50, tf="H4"))') == {"H1": 2, "H4": 51}
    # 24 hours before, at most six H4 bars less.
    assert needs('close > ema(50, tf="H4") and (close - ema(50, tf="H4"))[24] > 0') == {"H1": 25, "H4": 56}
    # Five days of bars are a week; a month holds at least twenty.
    assert needs('rising(ema(10, tf="W1"), 5)', D1) == {"D1": 6, "W1": 11}
    assert needs('rising(ema(10, tf="MN1"), 20)', D1) == {"D1": 21, "MN1": 11}


def refusal(text: str, bars: Bars, higher: dict[Timeframe, Bars] | None = None) -> Invalid | None:
    compiled = compile_strategy(strategy(text, timeframe=bars.timeframe))
    try:
        compiled.evaluate(bars, higher or {})
    except Invalid as error:
        if error.code != "too_few_bars":
            raise
        return error
    return None


@pytest.mark.parametrize("name", [name for name, f in FUNCTIONS.items() if f.gives is Kind.NUMBER])
@pytest.mark.parametrize("period", [2, 3, 7])
def test_the_first_value_of_each_function_comes_exactly_when_stated(name: str, period: int) -> None:
    function = FUNCTIONS[name]
    series = ", ".join(["close"] * (function.series if function.series >= 0 else 2))
    given = [str(period + index) for index, _ in enumerate(function.params)]
    arguments = ", ".join([*filter(None, [series]), *given])
    expression = parse_condition(f"{name}({arguments}) > -1e9", H1, internal=True)
    (stated,) = (bars for _, bars in expression.needs)
    values = Interpreter(walk(60, timeframe=H1), {}).number(expression.tree.parts[0])
    assert np.flatnonzero(np.isfinite(values))[0] == stated - 1
    assert np.isfinite(values[stated - 1 :]).all()


@given(text=numbers(depth=3), seed=st.integers(0, 99))
def test_with_the_bars_stated_it_decides_and_with_one_fewer_it_refuses(text: str, seed: int) -> None:
    bars = walk(200, seed=seed, missing=0.2, weekends=False)
    condition = f"{text} > 1"
    (needed,) = {max(2, count) for _, count in parse_condition(condition, M30).needs}  # the ATR takes two
    defined = Interpreter(bars, {}).truth(parse_condition(condition, M30).tree).defined
    assert refusal(condition, bars[:needed]) is None
    assert defined[needed - 1]
    error = refusal(condition, bars[: needed - 1])
    assert error is not None
    assert (error.details["needed"], error.details["available"]) == (needed, needed - 1)
    assert error.details["timeframe"] == "M30"
    assert f"{needed} closed bars of M30" in error.message


@given(
    text=numbers(HIGHER, 2),
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.3]),
    weekends=st.booleans(),
)
def test_over_timeframes_it_refuses_exactly_where_the_value_is_not_there(
    text: str, seed: int, missing: float, weekends: bool
) -> None:
    bars = walk(700, seed=seed, missing=missing, weekends=weekends)
    random = np.random.default_rng(seed)
    higher = {}
    for timeframe in HIGHER:
        made = longer(bars, timeframe)
        higher[timeframe] = picked(made, np.flatnonzero(random.random(len(made)) >= missing))
    condition = f"{text} > 1"
    defined = Interpreter(bars, higher).truth(parse_condition(condition, M30).tree).defined
    first = int(np.flatnonzero(defined)[0]) if defined.any() else len(bars)
    assert defined[first:].all()
    for count in {1, 2, first // 2, first - 1, first, first + 1, first + 50, len(bars)}:
        if 2 <= count <= len(bars):
            assert (refusal(condition, bars[:count], higher) is None) == bool(defined[count - 1])


@given(text=numbers((H4, D1), 2), seed=st.integers(0, 20))
def test_the_bars_stated_are_enough_on_full_weeks(text: str, seed: int) -> None:
    bars = walk(1500, timeframe=H1, seed=seed)
    condition = f"{text} > 1"
    stated = dict(parse_condition(condition, H1).needs)
    end = len(bars) - 1 - seed
    server_end = int(bars.server_time[end]) + 3600
    higher = {}
    for timeframe in (H4, D1):
        made = longer(bars, timeframe)
        closed = [
            row for row in range(len(made)) if int(made.server_time[row]) + timeframe.seconds <= server_end
        ]
        higher[timeframe] = made[max(0, len(closed) - stated.get(timeframe, 1)) : len(closed)]
    have = bars[end + 1 - max(2, stated[H1]) : end + 1]
    assert refusal(condition, have, higher) is None


def test_a_market_of_few_hours_is_refused_by_what_it_lacks_and_not_decided_on_nothing() -> None:
    # Seven hours a day from 09:00, so that 14 hourly bars before the newest lie two days back, not one.
    hours = walk(24 * 12, timeframe=H1, weekends=False)
    open_hours = (hours.server_time // 3600 % 24 >= 9) & (hours.server_time // 3600 % 24 < 16)
    bars = picked(hours, np.flatnonzero(open_hours))[: 7 * 9]
    days = longer(bars, D1)[:8]  # the ninth has not ended
    text = '(close - sma(5, tf="D1"))[14] < 1'
    assert needs(text) == {"H1": 15, "D1": 6}
    for have in range(5, 9):
        error = refusal(text, bars, {D1: days[8 - have :]})
        if have < 7:
            assert error is not None
            assert error.details == {
                "strategy": "TEST",
                "symbol": "EURUSD",
                "timeframe": "D1",
                "needed": 7,
                "available": have,
            }
        else:
            assert error is None
    assert compile_strategy(strategy(text, timeframe=H1)).history[D1] >= 7


def test_history_is_what_it_takes_to_forget_the_beginning() -> None:
    text = 'ema(10) > 1 and atr(5, tf="H4") > 0 and rsi(9) > 1'
    compiled = compile_strategy(strategy(text, timeframe=H1))
    bars = walk(2500, timeframe=H1, weekends=False)
    higher = longer(bars, H4)
    whole = compiled.evaluate(bars, {H4: higher}).values()
    short = compiled.evaluate(
        bars[len(bars) - compiled.history[H1] :], {H4: higher[len(higher) - compiled.history[H4] :]}
    ).values()
    for name, value in whole.items():
        assert value is not None
        other = short[name]
        assert other is not None
        assert abs(other - value) <= 1e-9 * max(1.0, abs(value)), name


def test_bars_of_another_timeframe_are_refused() -> None:
    with pytest.raises(Invalid, match="strategy of H1; these are M30"):
        compile_strategy(strategy("close > 1", timeframe=H1)).evaluate(walk(10))
    with pytest.raises(Invalid, match="needs bars of H4, and none were given"):
        compile_strategy(strategy('sma(2, tf="H4") > 1', timeframe=H1)).evaluate(walk(10, timeframe=H1))
    empty = refusal('sma(2, tf="H4") > 1', walk(10, timeframe=H1), {H4: walk(1, timeframe=H4)[:0]})
    assert empty is not None
    assert (empty.details["needed"], empty.details["available"]) == (2, 0)
