"""Indicators of the language against TA-Lib, and against plain loops where TA-Lib has none."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.evaluation.interpreter import Interpreter
from backend.strategies.functions import FUNCTIONS, Kind
from backend.strategies.grammar import parse_condition, parse_price
from tests.fakes.walks import walk

H1 = Timeframe.H1
MARKETS = {
    "fx": walk(600, timeframe=H1, seed=3),
    "gold": walk(600, timeframe=H1, seed=4, price=2650.0),
    "yen": walk(600, timeframe=H1, seed=5, price=151.0),
}


def value(text: str, bars: Bars) -> Any:
    return Interpreter(bars, {}).number(parse_price(text, bars.timeframe).tree)


def assert_equal(found: Any, expected: Any) -> None:
    assert (np.isnan(found) == np.isnan(expected)).all()
    known = ~np.isnan(expected)
    assert known.sum() > 400
    scale = np.maximum(1.0, np.abs(expected[known]))
    assert (np.abs(found[known] - expected[known]) <= 1e-9 * scale).all()


TALIB: dict[str, Callable[[Bars], Any]] = {
    "sma(20)": lambda b: talib.SMA(b.close, 20),
    "ema(20)": lambda b: talib.EMA(b.close, 20),
    "ema(high, 50)": lambda b: talib.EMA(b.high, 50),
    "wma(9)": lambda b: talib.WMA(b.close, 9),
    "rsi(14)": lambda b: talib.RSI(b.close, 14),
    "rsi(2)": lambda b: talib.RSI(b.close, 2),
    "macd(12, 26, 9)": lambda b: talib.MACD(b.close, 12, 26, 9)[0],
    "macd_signal(12, 26, 9)": lambda b: talib.MACD(b.close, 12, 26, 9)[1],
    "macd_hist(12, 26, 9)": lambda b: talib.MACD(b.close, 12, 26, 9)[2],
    "atr(14)": lambda b: talib.ATR(b.high, b.low, b.close, 14),
    "adx(14)": lambda b: talib.ADX(b.high, b.low, b.close, 14),
    "plus_di(14)": lambda b: talib.PLUS_DI(b.high, b.low, b.close, 14),
    "minus_di(14)": lambda b: talib.MINUS_DI(b.high, b.low, b.close, 14),
    "stoch_k(14, 3, 3)": lambda b: talib.STOCHF(b.high, b.low, b.close, 14, 3)[1],
    "stoch_d(14, 3, 3)": lambda b: talib.STOCH(
        b.high, b.low, b.close, fastk_period=14, slowk_period=3, slowd_period=3
    )[1],
    "cci(20)": lambda b: talib.CCI(b.high, b.low, b.close, 20),
    "bb_upper(20, 2)": lambda b: talib.BBANDS(b.close, 20, 2.0, 2.0)[0],
    "bb_mid(20, 2)": lambda b: talib.BBANDS(b.close, 20, 2.0, 2.0)[1],
    "bb_lower(20, 2.5)": lambda b: talib.BBANDS(b.close, 20, 2.5, 2.5)[2],
    "donchian_high(20)": lambda b: talib.MAX(b.high, 20),
    "donchian_low(20)": lambda b: talib.MIN(b.low, 20),
    "highest(volume, 5)": lambda b: talib.MAX(b.volume.astype(float), 5),
    "lowest(close, 5)": lambda b: talib.MIN(b.close, 5),
    "stdev(20)": lambda b: talib.STDDEV(b.close, 20),
    "roc(10)": lambda b: talib.ROC(b.close, 10),
    "obv()": lambda b: talib.OBV(b.close, b.volume.astype(float)),
}


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("text", TALIB)
def test_as_talib_has_it(text: str, market: str) -> None:
    bars = MARKETS[market]
    assert_equal(value(text, bars), TALIB[text](bars))


def rows(n: int) -> Any:
    return np.full(n, np.nan)


def naive_ema(x: Any, n: int) -> Any:
    out = rows(len(x))
    seed = float(sum(x[:n])) / n
    out[n - 1] = seed
    for i in range(n, len(x)):
        out[i] = out[i - 1] + (x[i] - out[i - 1]) * 2 / (n + 1)
    return out


def naive_rsi(x: Any, n: int) -> Any:
    out = rows(len(x))
    gains = [max(x[i] - x[i - 1], 0.0) for i in range(1, len(x))]
    losses = [max(x[i - 1] - x[i], 0.0) for i in range(1, len(x))]
    up, down = sum(gains[:n]) / n, sum(losses[:n]) / n
    out[n] = 100 * up / (up + down)
    for i in range(n, len(gains)):
        up, down = (up * (n - 1) + gains[i]) / n, (down * (n - 1) + losses[i]) / n
        out[i + 1] = 100 * up / (up + down)
    return out


def naive_ranges(b: Bars) -> list[float]:
    return [
        max(b.high[i] - b.low[i], abs(b.high[i] - b.close[i - 1]), abs(b.low[i] - b.close[i - 1]))
        for i in range(1, len(b))
    ]


def naive_atr(b: Bars, n: int) -> Any:
    out, ranges = rows(len(b)), naive_ranges(b)
    out[n] = sum(ranges[:n]) / n
    for i in range(n, len(ranges)):
        out[i + 1] = (out[i] * (n - 1) + ranges[i]) / n
    return out


def naive_stdev(x: Any, n: int) -> Any:
    out = rows(len(x))
    for i in range(n - 1, len(x)):
        window = [float(v) for v in x[i - n + 1 : i + 1]]
        mean = math.fsum(window) / n
        out[i] = math.sqrt(math.fsum((v - mean) ** 2 for v in window) / n)
    return out


def naive_window(x: Any, n: int, how: Callable[[Any], float]) -> Any:
    out = rows(len(x))
    for i in range(n - 1, len(x)):
        out[i] = how(x[i - n + 1 : i + 1])
    return out


def naive_k(b: Bars, k: int, slowing: int) -> Any:
    raw = rows(len(b))
    for i in range(k - 1, len(b)):
        low, high = min(b.low[i - k + 1 : i + 1]), max(b.high[i - k + 1 : i + 1])
        raw[i] = 100 * (b.close[i] - low) / (high - low)
    out = rows(len(b))
    for i in range(k + slowing - 2, len(b)):
        out[i] = sum(raw[i - slowing + 1 : i + 1]) / slowing
    return out


def naive_median_before(x: Any, n: int) -> Any:
    out = rows(len(x))
    for i in range(n, len(x)):
        window = sorted(x[i - n : i])
        out[i] = (window[(n - 1) // 2] + window[n // 2]) / 2
    return out


def naive_obv(b: Bars) -> Any:
    out = rows(len(b))
    out[0] = b.volume[0]
    for i in range(1, len(b)):
        sign = int(b.close[i] > b.close[i - 1]) - int(b.close[i] < b.close[i - 1])
        out[i] = out[i - 1] + sign * b.volume[i]
    return out


LOOPS: dict[str, Callable[[Bars], Any]] = {
    "keltner_upper(20, 2, 10)": lambda b: naive_ema(b.close, 20) + 2 * naive_atr(b, 10),
    "keltner_lower(10, 1.5, 20)": lambda b: naive_ema(b.close, 10) - 1.5 * naive_atr(b, 20),
    "median_before(close, 50)": lambda b: naive_median_before(b.close, 50),
    "median_before(close, 7)": lambda b: naive_median_before(b.close, 7),
    "donchian_high(7)": lambda b: naive_window(b.high, 7, max),
    "donchian_low(7)": lambda b: naive_window(b.low, 7, min),
    "ema(7)": lambda b: naive_ema(b.close, 7),
    "rsi(9)": lambda b: naive_rsi(b.close, 9),
    "atr(9)": lambda b: naive_atr(b, 9),
    "stdev(9)": lambda b: naive_stdev(b.close, 9),
    "bb_upper(9, 2)": lambda b: naive_window(b.close, 9, np.mean) + 2 * naive_stdev(b.close, 9),
    "stoch_k(7, 3)": lambda b: naive_k(b, 7, 3),
    "obv()": naive_obv,
    "abs(close - open)": lambda b: np.array(
        [abs(float(c) - float(o)) for c, o in zip(b.close, b.open, strict=True)]
    ),
    "min(open, close, 1.1)": lambda b: np.array(
        [min(o, c, 1.1) for o, c in zip(b.open, b.close, strict=True)]
    ),
    "max(open, close, 1.1)": lambda b: np.array(
        [max(o, c, 1.1) for o, c in zip(b.open, b.close, strict=True)]
    ),
    "sma(1)": lambda b: b.close,
    "highest(close, 1)": lambda b: b.close,
}


@pytest.mark.parametrize("text", LOOPS)
def test_as_a_plain_loop_has_it(text: str) -> None:
    bars = MARKETS["fx"]
    tree = parse_condition(f"{text} > -1e9", H1, internal=True).tree.parts[0]
    assert_equal(Interpreter(bars, {}).number(tree), LOOPS[text](bars))


def test_every_number_of_the_language_is_compared() -> None:
    compared = {text.partition("(")[0] for text in (*TALIB, *LOOPS)}
    assert compared == {name for name, function in FUNCTIONS.items() if function.gives is Kind.NUMBER}


def test_the_hour_and_the_weekday_are_the_servers_at_the_open() -> None:
    bars = walk(50, timeframe=H1, weekends=False)  # from Monday 00:00 of the server, 22:00 of Sunday in UTC
    assert value("hour", bars)[:3].tolist() == [0, 1, 2]
    assert value("weekday", bars)[[0, 23, 24, 48]].tolist() == [1, 1, 2, 3]
    week = walk(9, timeframe=Timeframe.D1, weekends=False)
    assert value("weekday", week).tolist() == [1, 2, 3, 4, 5, 6, 7, 1, 2]


def test_a_hole_in_a_value_spoils_what_looks_at_it_and_nothing_later() -> None:
    bars = walk(60, timeframe=H1)
    text = "sma(1 / (hour - 5), 3)"  # undefined at five o'clock
    found = value(text, bars)
    hours = value("hour", bars)
    for index in range(2, 60):
        touched = any(hours[index - ago] == 5 for ago in range(3))
        assert np.isnan(found[index]) == touched, index


@pytest.mark.parametrize("price", [1.1, 40_000.0])
def test_a_market_that_stands_still_has_no_deviation(price: float) -> None:
    bars = walk(200, timeframe=H1)
    still = np.full(len(bars), price)
    flat = Bars(
        symbol="X",
        timeframe=H1,
        time=bars.time,
        server_time=bars.server_time,
        open=still,
        high=still,
        low=still,
        close=still,
        volume=bars.volume,
        spread=bars.spread,
    )
    assert (value("stdev(20)", flat)[19:] <= 1e-9 * price).all()
    assert (value("atr(14)", flat)[14:] == 0).all()
    assert np.isfinite(value("rsi(14)", flat)[14:]).all()
    assert np.isfinite(value("stoch_k()", flat)[15:]).all()
    assert np.isfinite(value("cci(20)", flat)[19:]).all()
    assert np.isfinite(value("adx(14)", flat)[27:]).all()
