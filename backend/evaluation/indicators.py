"""Indicators over whole arrays, by TA-Lib's conventions; TA-Lib itself is loaded on first use.

Every function takes float64 arrays of shape (n,) and gives one of the same shape: NaN where the value
is undefined. Where an input is undefined in the middle, windows that hold it are undefined and recursive
averages are seeded again after it, so a hole never spoils what comes later.
"""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from backend.core.bars import Floats
from backend.strategies.functions import Params

_loaded: list[ModuleType] = []


def _talib() -> Any:
    if not _loaded:
        import talib

        _loaded.append(talib)
    return _loaded[0]


def _gapless(function: Callable[..., Floats], *inputs: Floats) -> Floats:
    """Apply to each run of bars on which every input is defined."""
    if inputs[0].size and not any(math.isnan(column.min()) for column in inputs):
        return function(*inputs)
    defined = ~np.isnan(inputs[0])
    for column in inputs[1:]:
        defined &= ~np.isnan(column)
    if not defined.any():
        return np.full(defined.shape, np.nan)
    result = np.full(defined.shape, np.nan)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], defined, [False])).astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        result[start:end] = function(*(column[start:end] for column in inputs))
    return result


def _recursive(function: Callable[..., Floats], x: Floats) -> Floats:
    """As `_gapless`, for a function that stays undefined once its input was: its last value tells."""
    if x.size and not math.isnan(x[-1]):
        result = function(x)
        if not math.isnan(result[-1]):
            return result
    return _gapless(function, x)


def sma(x: Floats, period: int) -> Floats:
    """Simple average of `period` bars."""
    if period == 1:
        return x
    return _gapless(lambda a: _talib().SMA(a, timeperiod=period), x)


def ema(x: Floats, period: int) -> Floats:
    """Exponential average, seeded by the simple average of the first `period` bars."""
    if period == 1:
        return x
    return _recursive(lambda a: _talib().EMA(a, timeperiod=period), x)


def wma(x: Floats, period: int) -> Floats:
    """Linearly weighted average."""
    if period == 1:
        return x
    return _gapless(lambda a: _talib().WMA(a, timeperiod=period), x)


def rsi(x: Floats, period: int) -> Floats:
    """Wilder's relative strength index."""
    return _recursive(lambda a: _talib().RSI(a, timeperiod=period), x)


def macd(x: Floats, fast: int, slow: int, signal: int, part: int) -> Floats:
    """One part of MACD: 0 the line, 1 its signal, 2 the histogram."""
    return _recursive(
        lambda a: _talib().MACD(a, fastperiod=fast, slowperiod=slow, signalperiod=signal)[part], x
    )


def atr(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Wilder's average true range."""
    return _gapless(lambda h, lo, c: _talib().ATR(h, lo, c, timeperiod=period), high, low, close)


def adx(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Average directional index."""
    return _gapless(lambda h, lo, c: _talib().ADX(h, lo, c, timeperiod=period), high, low, close)


def plus_di(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Positive directional indicator."""
    return _late(_talib().PLUS_DI(high, low, close, timeperiod=period), period)


def minus_di(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Negative directional indicator."""
    return _late(_talib().MINUS_DI(high, low, close, timeperiod=period), period)


def _late(values: Floats, lookback: int) -> Floats:
    # at period 1 TA-Lib's first value has no bar before it; the table says that one is needed
    values[:lookback] = np.nan
    return values


def stoch_k(high: Floats, low: Floats, close: Floats, k: int, slowing: int) -> Floats:
    """Slow stochastic %K: the raw one smoothed over `slowing` bars."""
    column: Floats = _talib().STOCHF(high, low, close, fastk_period=k, fastd_period=slowing)[1]
    return column


def stoch_d(high: Floats, low: Floats, close: Floats, k: int, slowing: int, d: int) -> Floats:
    """Slow stochastic %D: %K smoothed over `d` bars."""
    column: Floats = _talib().STOCH(high, low, close, fastk_period=k, slowk_period=slowing, slowd_period=d)[1]
    return column


def cci(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Commodity channel index."""
    column: Floats = _talib().CCI(high, low, close, timeperiod=period)
    return column


def stdev(x: Floats, period: int) -> Floats:
    """Population standard deviation."""
    return _gapless(lambda a: _talib().STDDEV(a, timeperiod=period), x)


def roc(x: Floats, period: int) -> Floats:
    """Change over `period` bars in percent."""
    return _gapless(lambda a: _talib().ROC(a, timeperiod=period), x)


def obv(close: Floats, volume: Floats) -> Floats:
    """On-balance volume."""
    column: Floats = _talib().OBV(close, volume)
    return column


def highest(x: Floats, period: int) -> Floats:
    """Largest of `period` bars, this one included."""
    if period == 1:
        return x
    return _gapless(lambda a: _talib().MAX(a, timeperiod=period), x)


def lowest(x: Floats, period: int) -> Floats:
    """Smallest of `period` bars, this one included."""
    if period == 1:
        return x
    return _gapless(lambda a: _talib().MIN(a, timeperiod=period), x)


def band(x: Floats, period: int, width: float) -> Floats:
    """Average plus `width` population deviations; a negative width gives the lower band."""
    return sma(x, period) + width * stdev(x, period)


def keltner(high: Floats, low: Floats, close: Floats, period: int, width: float, atr_period: int) -> Floats:
    """Exponential average plus `width` average true ranges; negative for the lower channel."""
    return ema(close, period) + width * atr(high, low, close, atr_period)


def median_before(x: Floats, period: int) -> Floats:
    """Median of the `period` bars before each bar."""
    result = np.full(x.shape, np.nan)
    if x.size > period:
        windows = np.lib.stride_tricks.sliding_window_view(x[:-1], period)
        result[period:] = np.median(windows, axis=1)
    return result


Columns = Callable[[str], Floats]

_MACD_PART = {"macd": 0, "macd_signal": 1, "macd_hist": 2}


def _macd_part(name: str) -> Callable[[Columns, tuple[Floats, ...], Params], Floats]:
    index = _MACD_PART[name]
    return lambda _, x, p: macd(x[0], int(p[0]), int(p[1]), int(p[2]), index)


def _hlc(column: Columns) -> tuple[Floats, Floats, Floats]:
    return column("high"), column("low"), column("close")


NUMBERS: dict[str, Callable[[Columns, tuple[Floats, ...], Params], Floats]] = {
    "sma": lambda _, x, p: sma(x[0], int(p[0])),
    "ema": lambda _, x, p: ema(x[0], int(p[0])),
    "wma": lambda _, x, p: wma(x[0], int(p[0])),
    "rsi": lambda _, x, p: rsi(x[0], int(p[0])),
    **{name: _macd_part(name) for name in _MACD_PART},
    "atr": lambda c, _, p: atr(*_hlc(c), int(p[0])),
    "adx": lambda c, _, p: adx(*_hlc(c), int(p[0])),
    "plus_di": lambda c, _, p: plus_di(*_hlc(c), int(p[0])),
    "minus_di": lambda c, _, p: minus_di(*_hlc(c), int(p[0])),
    "stoch_k": lambda c, _, p: stoch_k(*_hlc(c), int(p[0]), int(p[1])),
    "stoch_d": lambda c, _, p: stoch_d(*_hlc(c), int(p[0]), int(p[1]), int(p[2])),
    "cci": lambda c, _, p: cci(*_hlc(c), int(p[0])),
    "bb_upper": lambda _, x, p: band(x[0], int(p[0]), float(p[1])),
    "bb_mid": lambda _, x, p: sma(x[0], int(p[0])),
    "bb_lower": lambda _, x, p: band(x[0], int(p[0]), -float(p[1])),
    "donchian_high": lambda c, _, p: highest(c("high"), int(p[0])),
    "donchian_low": lambda c, _, p: lowest(c("low"), int(p[0])),
    "keltner_upper": lambda c, _, p: keltner(*_hlc(c), int(p[0]), float(p[1]), int(p[2])),
    "keltner_lower": lambda c, _, p: keltner(*_hlc(c), int(p[0]), -float(p[1]), int(p[2])),
    "highest": lambda _, x, p: highest(x[0], int(p[0])),
    "lowest": lambda _, x, p: lowest(x[0], int(p[0])),
    "stdev": lambda _, x, p: stdev(x[0], int(p[0])),
    "roc": lambda _, x, p: roc(x[0], int(p[0])),
    "obv": lambda c, _, __: obv(c("close"), c("volume")),
    "abs": lambda _, x, __: np.abs(x[0]),
    "min": lambda _, x, __: np.minimum.reduce(x),
    "max": lambda _, x, __: np.maximum.reduce(x),
    "median_before": lambda _, x, p: median_before(x[0], int(p[0])),
}
"""How each number-giving function of the language is computed: (columns, series, constants) -> values."""
