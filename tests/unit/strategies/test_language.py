"""The condition language to the letter: its words, its precedence, its limits, its errors."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.evaluation.interpreter import Interpreter
from backend.strategies.facts import FACTS
from backend.strategies.functions import FUNCTIONS, SERIES
from backend.strategies.grammar import parse_condition, parse_price
from tests.fakes.walks import longer, strategy, walk

H1, H4, D1 = Timeframe.H1, Timeframe.H4, Timeframe.D1

FUNCTION_NAMES = (  # noqa: SIM905 - read against the specification
    "sma ema wma rsi macd macd_signal macd_hist atr adx plus_di minus_di stoch_k stoch_d cci bb_upper bb_mid "
    "bb_lower donchian_high donchian_low keltner_upper keltner_lower highest lowest stdev roc obv "
    "crosses_above crosses_below rising falling abs min max session"
).split()
FACT_NAMES = (  # noqa: SIM905 - read against the specification
    "ema_fast_gt_slow ema_fast_lt_slow price_above_ema_fast price_below_ema_fast price_close_lt_ema_slow "
    "price_close_gt_ema_slow price_above_ema_slow price_below_ema_slow rsi_lt_30 rsi_gt_70 rsi_oversold "
    "rsi_overbought rsi_between_40_60 rsi_between_30_70 macd_hist_gt_0 macd_hist_lt_0 macd_line_gt_signal "
    "macd_line_lt_signal macd_bullish_cross macd_bearish_cross atr_above_median atr_below_median "
    "atr_expanding atr_contracting long_upper_wick long_lower_wick bullish_engulfing bearish_engulfing doji "
    "hammer shooting_star uptrend downtrend sideways volume_above_average volume_below_average "
    "divergence_bearish divergence_bullish"
).split()

BARS = walk(240, timeframe=H1, seed=11)
HIGHER = {H4: longer(BARS, H4), D1: longer(BARS, D1)}


def truth(text: str, bars: Bars = BARS) -> Any:
    return Interpreter(bars, HIGHER).truth(parse_condition(text, bars.timeframe).tree).true


def number(text: str, bars: Bars = BARS) -> Any:
    return Interpreter(bars, HIGHER).number(parse_price(text, bars.timeframe).tree)


def test_the_words_of_the_language() -> None:
    assert [*SERIES] == ["open", "high", "low", "close", "volume", "spread", "hour", "weekday"]
    assert sorted(name for name, f in FUNCTIONS.items() if not f.internal) == sorted(FUNCTION_NAMES)
    assert sorted(FACTS) == sorted(FACT_NAMES)
    assert len(FACTS) == 38


@pytest.mark.parametrize(
    "text",
    [
        "crosses_above(ema(20), ema(50)) and 40 <= rsi(14) <= 60",
        'close > ema(200, tf="H4")',
        "close[1] < lowest(low, 20)[2]",
        "spread <= 15",
        'session("London") and weekday != 5',
        "session('London')",
        "not close > open",
        "(close > open)[1]",
        "rising(close, 3)[2] or falling(close)",
        'crosses_below(ema(3), ema(5), tf="D1")',
        "macd() > macd_signal() and macd_hist(5, 35, 5) > 0",
        "close - -1 > .5 + 1. * 2e0",
        "ema(ema(10), 5) > 0",
        "\tclose\n>\nopen ",
    ],
)
def test_what_may_be_written(text: str) -> None:
    parse_condition(text, H1)


@pytest.mark.parametrize("fact", FACT_NAMES)
def test_each_fact_is_an_expression_with_the_files_numbers(fact: str) -> None:
    made = strategy(fact, timeframe=H1, indicators={"rsi": {"period": 9, "overbought": 66, "oversold": 21}})
    text = made.expression(fact).text
    assert "{" not in text
    if "rsi" in fact or "divergence" in fact:
        assert "rsi(9)" in text
    assert ("66" in text) == (fact == "rsi_overbought")
    assert ("21" in text) == (fact == "rsi_oversold")


SAME = [
    ("close > open and high > low or weekday == 9", "(close > open and high > low) or weekday == 9"),
    ("weekday == 9 or close > open and high > low", "weekday == 9 or (close > open and high > low)"),
    ("not close > open and high > low", "(not (close > open)) and high > low"),
    ("2 + 3 * hour == 3 * hour + 2", "hour >= 0"),
    ("hour - 1 - 1 == hour - 2", "hour >= 0"),
    ("hour / 2 / 2 == hour / 4", "hour >= 0"),
    ("-hour[1] == 0 - hour[1]", "hour[1] >= 0"),
    ("open < close <= high", "open < close and close <= high"),
    ("low <= open <= high == high", "low <= open and open <= high and high == high"),
    ("crosses_above(close, sma(5))", "close > sma(5) and close[1] <= sma(5)[1]"),
    ("crosses_below(close, sma(5))", "close < sma(5) and close[1] >= sma(5)[1]"),
    ("rising(close, 3)", "close > close[1] > close[2] > close[3]"),
    ("falling(close, 2)", "close < close[1] < close[2]"),
    ("rising(close)", "close > close[1]"),
    ("close > sma(close[2], 3)", "close > sma(3)[2]"),
    ("close > (sma(3) - open)[2]", "close > sma(3)[2] - open[2]"),
    ("sma(5) > ema(5)", "sma(close, 5) > ema(close, 5)"),
    ("rsi() > 50", "rsi(close, 14) > 50"),
    ("close > max(open, low, high[1])", "close > open and close > low and close > high[1]"),
    ("abs(close - open) > 0.001", "close - open > 0.001 or open - close > 0.001"),
    ("highest(high, 3) > open", "max(high, high[1], high[2]) > open"),
    ("donchian_low(3) < open", "min(low, low[1], low[2]) < open"),
    ("bb_mid(5) > open", "sma(5) > open"),
    ("roc(2) > 0.05", "(close / close[2] - 1) * 100 > 0.05"),
    ("macd_hist(3, 5, 2) > 0", "macd(3, 5, 2) > macd_signal(3, 5, 2)"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_write_the_same(one: str, other: str) -> None:
    assert (truth(one) == truth(other)).all()


def test_bars_ago_count_bars_of_the_timeframe_named_inside_and_base_bars_outside() -> None:
    closes = HIGHER[H4].close
    at = 130  # 10:00 of the sixth trading day: its own end is 11:00, the last H4 bar ended at 08:00
    row = int(np.flatnonzero(HIGHER[H4].server_time + 4 * 3600 <= BARS.server_time[at] + 3600)[-1])
    assert number('sma(1, tf="H4")')[at] == closes[row]
    assert number('sma(1, tf="H4")[2]')[at] == closes[row - 2]
    assert number('sma(close[2], 1, tf="H4")')[at] == closes[row - 2]
    assert number('sma(close[1], 1, tf="H4")[1]')[at] == closes[row - 2]
    assert number('(sma(1, tf="H4"))[2]')[at] == closes[row - 2]
    # outside of what names a timeframe, bars are the strategy's own: three hours earlier
    row_before = int(np.flatnonzero(HIGHER[H4].server_time + 4 * 3600 <= BARS.server_time[at - 3] + 3600)[-1])
    assert number('(sma(1, tf="H4") + 0)[3]')[at] == closes[row_before]
    # a longer one inside a longer one
    nested = number('sma(sma(2, tf="D1"), 2, tf="H4")')[at]
    days = HIGHER[D1]
    seen = [
        days.close[[r for r in range(len(days)) if int(days.server_time[r]) + 86_400 <= end][-2:]].mean()
        for end in (HIGHER[H4].server_time[[row - 1, row]] + 4 * 3600).tolist()
    ]
    assert nested == pytest.approx(sum(seen) / 2, abs=1e-12)


def test_the_strategys_own_timeframe_may_be_named() -> None:
    assert parse_condition('ema(20, tf="H1") > 1', H1).tree == parse_condition("ema(20) > 1", H1).tree


def test_undefined_is_not_false() -> None:
    found = Interpreter(BARS, {}).truth(parse_condition("not close > sma(50)", H1).tree)
    assert not found.true[:49].any()
    assert not found.defined[:49].any()
    either = Interpreter(BARS, {}).truth(parse_condition("close > sma(50) or hour >= 0", H1).tree)
    assert either.true.all()
    divided = Interpreter(BARS, {}).truth(parse_condition("1 / (hour - 5) > 0", H1).tree)
    assert (divided.defined == (number("hour") != 5)).all()


WRONG = [
    ("", 1, "empty"),
    ("   ", 1, "empty"),
    ("close", 1, "number, not a condition; compare it"),
    ("ema(20)", 1, "number, not a condition"),
    ("close >", 8, "ends too early"),
    ("close > > 1", 9, "'>' does not fit here"),
    ("close = 1", 7, "'=' does not fit here"),
    ("clos > 1", 1, "unknown name 'clos'; did you mean 'close'?"),
    ("close > emaa(20)", 9, "unknown function 'emaa'; did you mean 'ema'?"),
    ("close > ema", 9, "'ema' is a function; write ema([x,] n)"),
    ("close(1) > 1", 1, "'close' is a series"),
    ("close > ema()", 9, "n is missing; write ema([x,] n)"),
    ("close > ema(20, 30)", 17, "too many arguments"),
    ("close > ema(20.5)", 13, "whole number"),
    ("close > ema(0)", 13, "n is 0; it may be 1 to 2000"),
    ("close > ema(-5)", 13, "n is -5"),
    ("close > ema(2001)", 13, "n is 2001; it may be 1 to 2000"),
    ("close > ema(close, close)", 20, "n is a constant number"),
    ("close > rsi(1)", 13, "n is 1; it may be 2"),
    ("macd(26, 12, 9) > 0", 1, "fast must be less than slow"),
    ("close > highest(20)", 9, "n is missing; write highest(x, n)"),
    ("max(close) > 1", 1, "too few arguments"),
    ("close[-1] > 1", 7, "look ahead"),
    ("close[1.5] > 1", 7, "whole number"),
    ("close[n] > 1", 7, "whole number"),
    ("close[1001] > 1", 7, "at most 1000"),
    ("close[1 > 1", 9, "']' is missing"),
    ("5[1] > 1", 2, "a constant has no bars ago"),
    ("close > ema(20", 15, "',' is missing before the end"),
    ("close > ema(20,)", 16, "an argument is missing"),
    ("(close > 1", 11, "')' is missing before the end"),
    ("close > 1)", 10, "')' does not fit here"),
    ("close > 1 close", 11, "'close' does not fit here"),
    ("close and open > 1", 1, "'and' joins conditions, and this is a number"),
    ("close > 1 and 5", 15, "'and' joins conditions"),
    ("not close", 5, "'not' joins conditions"),
    ("and close > 1", 1, "'and' has nothing before it"),
    ("(close > 1) + 1 > 2", 1, "a number is wanted here, and this is a condition"),
    ("rising(close > 1, 3)", 8, "a number is wanted here"),
    ('session("Paris")', 9, "unknown session 'Paris'"),
    ("session(London)", 9, "unknown name 'London'"),
    ("session(5)", 9, "text in quotes"),
    ("session()", 1, "name is missing"),
    ('close > "London"', 9, "text stands only in tf= and session()"),
    ('close > ema(20, tf="H5")', 20, "'H5' is not a timeframe"),
    ('close > ema(20, tf="M5")', 20, "M5 is shorter than H1"),
    ("close > ema(20, tf=H4)", 20, "timeframe in quotes"),
    ('close > ema(tf="H4", 20)', 20, "tf= comes last"),
    ('close > ema(20, timeframe="H4")', 17, "unknown argument 'timeframe'; only tf= has a name"),
    ('sma(sma(2, tf="H4"), 2, tf="D1") > 1', 15, "H4 is shorter than D1"),
    ("close & open", 7, "write 'and'"),
    ("close || open", 7, "write 'or'"),
    ("close > 'x", 9, "text is not closed"),
    ("close > 1e999", 9, "too large"),
    ("close > ٣", 9, "not part of the language"),
    ("close > open; import os", 13, "not part of the language"),
    ("__import__('os')", 1, "unknown function '__import__'"),
    ("close.real > 1", 6, "not part of the language"),
    ("is_doji()", 1, "unknown function 'is_doji'"),
    ("median_before(close, 5) > 1", 1, "unknown function 'median_before'"),
    ("close > sma(sma(sma(2000), 2000), 2000)", 1, "looks back over 5998 bars of H1; at most 5000"),
    ("(" * 31 + "close > 1" + ")" * 31, 31, "nested deeper than 30"),
    ("close > 1" + " and close > 1" * 66, 925, "more than 200 parts"),
    ("close > " + "1" * 993, 1001, "1001 characters; an expression has at most 1000"),
]


@pytest.mark.parametrize(("text", "column", "reason"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_with_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_condition(text, H1)
    assert caught.value.code == "bad_condition"
    assert reason in caught.value.message
    assert caught.value.details["column"] == column


def test_a_target_is_a_price_and_not_a_condition() -> None:
    parse_price('close + 2 * atr(14, tf="D1")', H1)
    with pytest.raises(Invalid, match="column 1: this is a condition, not a number"):
        parse_price("close > 1", H1)


def test_a_bar_belongs_to_the_session_in_which_it_ends() -> None:
    monday = walk(24, timeframe=H1, start=datetime(2026, 1, 5, tzinfo=UTC))
    true = truth('session("London")', monday)
    opens = [monday.opened(int(index)).hour for index in np.flatnonzero(true)]
    assert opens == [7, 8, 9, 10, 11, 12, 13, 14, 15]  # the bar 16:00 ends at 17:00, which is outside
