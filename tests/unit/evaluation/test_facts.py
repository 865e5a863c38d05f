"""The named facts: candles worked by hand, the others against plain loops over a random market."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.evaluation.interpreter import Interpreter
from backend.strategies.facts import FACTS
from tests.fakes.walks import strategy, walk

H1 = Timeframe.H1
Candle = tuple[float, float, float, float]

PLAIN: Candle = (1.1050, 1.1060, 1.1040, 1.1055)


def candles(*rows: Candle) -> Bars:
    """Open, high, low, close of each bar."""
    times = walk(len(rows), timeframe=H1)
    opened, high, low, close = (np.array(column) for column in zip(*rows, strict=True))
    return Bars(
        symbol="EURUSD",
        timeframe=H1,
        time=times.time,
        server_time=times.server_time,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=times.volume,
        spread=times.spread,
    )


def truths(fact: str, bars: Bars, **indicators: Any) -> Any:
    tree = strategy(fact, timeframe=H1, indicators=indicators).expression(fact).tree
    return Interpreter(bars, {}).truth(tree)


CANDLES: list[tuple[str, list[Candle], bool]] = [
    # body ≤ 10 % of the range
    ("doji", [(1.1000, 1.1060, 1.0960, 1.1010)], True),
    ("doji", [(1.1000, 1.1060, 1.0960, 1.0990)], True),
    ("doji", [(1.1000, 1.1060, 1.0960, 1.10101)], False),
    ("doji", [(1.1000, 1.1000, 1.1000, 1.1000)], True),
    # wick ≥ 2 × body and ≥ half the range
    ("long_upper_wick", [(1.1000, 1.1030, 1.1000, 1.1010)], True),
    ("long_upper_wick", [(1.1010, 1.1030, 1.1000, 1.1000)], True),
    ("long_upper_wick", [(1.1000, 1.1029, 1.1000, 1.1010)], False),
    ("long_upper_wick", [(1.1000, 1.1030, 1.0990, 1.1010)], True),
    ("long_upper_wick", [(1.1000, 1.1030, 1.0989, 1.1010)], False),
    ("long_upper_wick", [(1.1000, 1.1000, 1.1000, 1.1000)], False),
    ("long_lower_wick", [(1.1010, 1.1010, 1.0980, 1.1000)], True),
    ("long_lower_wick", [(1.1010, 1.1010, 1.0981, 1.1000)], False),
    ("long_lower_wick", [(1.1010, 1.1021, 1.0980, 1.1000)], False),
    # a long lower wick, an upper one of at most a tenth of the range, at the lowest low of five bars
    ("hammer", [PLAIN] * 4 + [(1.1000, 1.1013, 1.0970, 1.1010)], True),
    ("hammer", [PLAIN] * 4 + [(1.1000, 1.1015, 1.0970, 1.1010)], False),
    ("hammer", [(1.1, 1.11, 1.0969, 1.1)] + [PLAIN] * 3 + [(1.1000, 1.1013, 1.0970, 1.1010)], False),
    ("hammer", [(1.1, 1.11, 1.0970, 1.1)] + [PLAIN] * 3 + [(1.1000, 1.1013, 1.0970, 1.1010)], True),
    ("shooting_star", [PLAIN] * 4 + [(1.1080, 1.1110, 1.1067, 1.1070)], True),
    ("shooting_star", [PLAIN] * 4 + [(1.1080, 1.1110, 1.1065, 1.1070)], False),
    ("shooting_star", [(1.11, 1.1111, 1.11, 1.11)] + [PLAIN] * 3 + [(1.1080, 1.1110, 1.1067, 1.1070)], False),
    # a rising body covers the falling one before it and is larger
    ("bullish_engulfing", [(1.1010, 1.1015, 1.0995, 1.1000), (1.1000, 1.1020, 1.0990, 1.1011)], True),
    ("bullish_engulfing", [(1.1010, 1.1015, 1.0995, 1.1000), (1.1000, 1.1020, 1.0990, 1.1010)], False),
    ("bullish_engulfing", [(1.1010, 1.1015, 1.0995, 1.1000), (1.1001, 1.1020, 1.0990, 1.1030)], False),
    ("bullish_engulfing", [(1.1000, 1.1015, 1.0995, 1.1010), (1.0990, 1.1020, 1.0980, 1.1020)], False),
    ("bearish_engulfing", [(1.1000, 1.1015, 1.0995, 1.1010), (1.1010, 1.1020, 1.0990, 1.0999)], True),
    ("bearish_engulfing", [(1.1000, 1.1015, 1.0995, 1.1010), (1.1010, 1.1020, 1.0990, 1.1000)], False),
    ("bearish_engulfing", [(1.1010, 1.1015, 1.0995, 1.1000), (1.1020, 1.1030, 1.0990, 1.0995)], False),
]


@pytest.mark.parametrize(("fact", "rows", "holds"), CANDLES)
def test_candles_by_hand(fact: str, rows: list[Candle], holds: bool) -> None:
    truth = truths(fact, candles(*rows))
    assert truth.defined[-1]
    assert bool(truth.true[-1]) is holds


BARS = walk(3000, timeframe=H1, seed=21)
EMA20, EMA50 = talib.EMA(BARS.close, 20), talib.EMA(BARS.close, 50)
RSI = talib.RSI(BARS.close, 14)
ATR = talib.ATR(BARS.high, BARS.low, BARS.close, 14)
MACD, SIGNAL, HIST = talib.MACD(BARS.close, 12, 26, 9)
CLOSE, VOLUME = BARS.close, BARS.volume


def up(i: int) -> bool:
    return bool(EMA20[i] > EMA50[i] and CLOSE[i] > EMA50[i] and EMA50[i] > EMA50[i - 5])


def down(i: int) -> bool:
    return bool(EMA20[i] < EMA50[i] and CLOSE[i] < EMA50[i] and EMA50[i] < EMA50[i - 5])


def is_pivot(price: Any, i: int, sign: int) -> bool:
    return all(sign * price[i] > sign * price[i + d] for d in (-2, -1, 1, 2))


def diverges(i: int, price: Any, sign: int) -> bool:
    newest = i - 2
    if not is_pivot(price, newest, sign):
        return False
    before = next((j for j in range(newest - 1, 1, -1) if is_pivot(price, j, sign)), None)
    if before is None or newest - before > 60:
        return False
    return bool(sign * price[newest] > sign * price[before] and sign * RSI[newest] < sign * RSI[before])


LOOPS: dict[str, Callable[[int], Any]] = {
    "ema_fast_gt_slow": lambda i: EMA20[i] > EMA50[i],
    "ema_fast_lt_slow": lambda i: EMA20[i] < EMA50[i],
    "price_above_ema_fast": lambda i: CLOSE[i] > EMA20[i],
    "price_below_ema_fast": lambda i: CLOSE[i] < EMA20[i],
    "price_close_gt_ema_slow": lambda i: CLOSE[i] > EMA50[i],
    "price_close_lt_ema_slow": lambda i: CLOSE[i] < EMA50[i],
    "price_above_ema_slow": lambda i: CLOSE[i] > EMA50[i],
    "price_below_ema_slow": lambda i: CLOSE[i] < EMA50[i],
    "rsi_lt_30": lambda i: RSI[i] < 30,
    "rsi_gt_70": lambda i: RSI[i] > 70,
    "rsi_oversold": lambda i: RSI[i] < 35,
    "rsi_overbought": lambda i: RSI[i] > 65,
    "rsi_between_40_60": lambda i: 40 <= RSI[i] <= 60,
    "rsi_between_30_70": lambda i: 30 <= RSI[i] <= 70,
    "macd_hist_gt_0": lambda i: HIST[i] > 0,
    "macd_hist_lt_0": lambda i: HIST[i] < 0,
    "macd_line_gt_signal": lambda i: MACD[i] > SIGNAL[i],
    "macd_line_lt_signal": lambda i: MACD[i] < SIGNAL[i],
    "macd_bullish_cross": lambda i: MACD[i] > SIGNAL[i] and MACD[i - 1] <= SIGNAL[i - 1],
    "macd_bearish_cross": lambda i: MACD[i] < SIGNAL[i] and MACD[i - 1] >= SIGNAL[i - 1],
    "atr_above_median": lambda i: ATR[i] > np.median(ATR[i - 50 : i]),
    "atr_below_median": lambda i: ATR[i] < np.median(ATR[i - 50 : i]),
    "atr_expanding": lambda i: ATR[i] > ATR[i - 1] > ATR[i - 2] > ATR[i - 3],
    "atr_contracting": lambda i: ATR[i] < ATR[i - 1] < ATR[i - 2] < ATR[i - 3],
    "uptrend": up,
    "downtrend": down,
    "sideways": lambda i: not up(i) and not down(i),
    "volume_above_average": lambda i: VOLUME[i] > VOLUME[i - 20 : i].mean(),
    "volume_below_average": lambda i: VOLUME[i] < VOLUME[i - 20 : i].mean(),
    "divergence_bearish": lambda i: diverges(i, BARS.high, 1),
    "divergence_bullish": lambda i: diverges(i, BARS.low, -1),
}


@pytest.mark.parametrize("fact", LOOPS)
def test_as_a_plain_loop_has_it(fact: str) -> None:
    found = truths(fact, BARS, rsi={"overbought": 65, "oversold": 35})
    first = int(np.flatnonzero(found.defined)[0])
    assert found.defined[first:].all()
    assert first < 100
    expected = [bool(LOOPS[fact](i)) for i in range(first, len(BARS))]
    assert found.true[first:].tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_each_fact_is_tested_here() -> None:
    assert {*LOOPS, *(fact for fact, _, _ in CANDLES)} == {*FACTS}
