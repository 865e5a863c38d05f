"""The 38 named facts: one table of name, formula and meaning.

A fact's formula is an expression of the condition language with the strategy's own indicator numbers
in braces. The few shapes that the language cannot say exactly (candles, medians, pivots) are internal
functions that only this table may use.
"""

from dataclasses import dataclass
from functools import lru_cache

from backend.core.timeframes import Timeframe
from backend.strategies.grammar import parse_condition
from backend.strategies.tree import Expression

Numbers = tuple[tuple[str, float | int], ...]
"""The strategy's indicator numbers by name: ema_fast, ema_slow, rsi, overbought, oversold, macd_fast,
macd_slow, macd_signal, atr."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One named fact.

    Attributes:
        name: The word that strategies write.
        formula: Expression with the strategy's numbers in braces.
        meaning: One line, shown in the console.
    """

    name: str
    formula: str
    meaning: str


_MACD = "{macd_fast}, {macd_slow}, {macd_signal}"
_UP = "ema({ema_fast}) > ema({ema_slow}) and close > ema({ema_slow}) and ema({ema_slow}) > ema({ema_slow})[5]"
_DOWN = (
    "ema({ema_fast}) < ema({ema_slow}) and close < ema({ema_slow}) and ema({ema_slow}) < ema({ema_slow})[5]"
)

_TABLE = (
    Fact("ema_fast_gt_slow", "ema({ema_fast}) > ema({ema_slow})", "The fast EMA is above the slow EMA"),
    Fact("ema_fast_lt_slow", "ema({ema_fast}) < ema({ema_slow})", "The fast EMA is below the slow EMA"),
    Fact("price_above_ema_fast", "close > ema({ema_fast})", "The close is above the fast EMA"),
    Fact("price_below_ema_fast", "close < ema({ema_fast})", "The close is below the fast EMA"),
    Fact("price_close_lt_ema_slow", "close < ema({ema_slow})", "The close is below the slow EMA"),
    Fact("price_close_gt_ema_slow", "close > ema({ema_slow})", "The close is above the slow EMA"),
    Fact("price_above_ema_slow", "close > ema({ema_slow})", "The close is above the slow EMA"),
    Fact("price_below_ema_slow", "close < ema({ema_slow})", "The close is below the slow EMA"),
    Fact("rsi_lt_30", "rsi({rsi}) < 30", "RSI is below 30"),
    Fact("rsi_gt_70", "rsi({rsi}) > 70", "RSI is above 70"),
    Fact("rsi_oversold", "rsi({rsi}) < {oversold}", "RSI is below the strategy's oversold level"),
    Fact("rsi_overbought", "rsi({rsi}) > {overbought}", "RSI is above the strategy's overbought level"),
    Fact("rsi_between_40_60", "40 <= rsi({rsi}) <= 60", "RSI is neutral: 40 to 60, both included"),
    Fact("rsi_between_30_70", "30 <= rsi({rsi}) <= 70", "RSI is not extreme: 30 to 70, both included"),
    Fact("macd_hist_gt_0", f"macd_hist({_MACD}) > 0", "The MACD histogram is above zero"),
    Fact("macd_hist_lt_0", f"macd_hist({_MACD}) < 0", "The MACD histogram is below zero"),
    Fact("macd_line_gt_signal", f"macd({_MACD}) > macd_signal({_MACD})", "The MACD line is above its signal"),
    Fact("macd_line_lt_signal", f"macd({_MACD}) < macd_signal({_MACD})", "The MACD line is below its signal"),
    Fact(
        "macd_bullish_cross",
        f"crosses_above(macd({_MACD}), macd_signal({_MACD}))",
        "The MACD line crossed above its signal on this bar",
    ),
    Fact(
        "macd_bearish_cross",
        f"crosses_below(macd({_MACD}), macd_signal({_MACD}))",
        "The MACD line crossed below its signal on this bar",
    ),
    Fact(
        "atr_above_median",
        "atr({atr}) > median_before(atr({atr}), 50)",
        "ATR is above its median of the 50 bars before",
    ),
    Fact(
        "atr_below_median",
        "atr({atr}) < median_before(atr({atr}), 50)",
        "ATR is below its median of the 50 bars before",
    ),
    Fact("atr_expanding", "rising(atr({atr}), 3)", "ATR has risen on each of the last 3 bars"),
    Fact("atr_contracting", "falling(atr({atr}), 3)", "ATR has fallen on each of the last 3 bars"),
    Fact(
        "long_upper_wick",
        "is_long_upper_wick()",
        "The upper wick is at least twice the body and half the range",
    ),
    Fact(
        "long_lower_wick",
        "is_long_lower_wick()",
        "The lower wick is at least twice the body and half the range",
    ),
    Fact(
        "bullish_engulfing",
        "close[1] < open[1] and close > open and open <= close[1] and close >= open[1] "
        "and (open < close[1] or close > open[1])",
        "A rising body covers the falling body before it and is larger",
    ),
    Fact(
        "bearish_engulfing",
        "close[1] > open[1] and close < open and open >= close[1] and close <= open[1] "
        "and (open > close[1] or close < open[1])",
        "A falling body covers the rising body before it and is larger",
    ),
    Fact("doji", "is_doji()", "The body is at most 10 % of the range"),
    Fact(
        "hammer",
        "is_hammer() and low <= lowest(low, 5)",
        "Long lower wick, upper wick at most 10 % of the range, at the lowest low of 5 bars",
    ),
    Fact(
        "shooting_star",
        "is_shooting_star() and high >= highest(high, 5)",
        "Long upper wick, lower wick at most 10 % of the range, at the highest high of 5 bars",
    ),
    Fact("uptrend", _UP, "Fast EMA above slow, close above slow, and slow EMA above where it was 5 bars ago"),
    Fact(
        "downtrend",
        _DOWN,
        "Fast EMA below slow, close below slow, and slow EMA below where it was 5 bars ago",
    ),
    Fact("sideways", f"not ({_UP}) and not ({_DOWN})", "Neither uptrend nor downtrend"),
    Fact(
        "volume_above_average",
        "volume > sma(volume, 20)[1]",
        "Tick volume is above its average of the 20 bars before",
    ),
    Fact(
        "volume_below_average",
        "volume < sma(volume, 20)[1]",
        "Tick volume is below its average of the 20 bars before",
    ),
    Fact(
        "divergence_bearish",
        "diverges_bearish(rsi({rsi}), 60)",
        "Two pivot highs (2 + 2 bars, at most 60 apart): price higher, RSI lower; on the bar that confirms",
    ),
    Fact(
        "divergence_bullish",
        "diverges_bullish(rsi({rsi}), 60)",
        "Two pivot lows (2 + 2 bars, at most 60 apart): price lower, RSI higher; on the bar that confirms",
    ),
)

FACTS: dict[str, Fact] = {fact.name: fact for fact in _TABLE}


@lru_cache(maxsize=4096)
def fact_expression(name: str, numbers: Numbers, base: Timeframe) -> Expression:
    """The checked formula of a fact with a strategy's numbers.

    Raises:
        KeyError: If there is no fact of that name.
    """
    formula = FACTS[name].formula.format_map({key: f"{value:.10g}" for key, value in numbers})
    return parse_condition(formula, base, internal=True)
