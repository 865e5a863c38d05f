"""Prices in whole ticks: plain arithmetic on floats, which the backtest's kernel compiles too."""

import math

_NOISE = 1e6
"""A millionth of a tick is float noise: 1.10000 ÷ 0.00001 must be 110000, also when rounding up."""


def ticks_nearest(price: float, tick_size: float) -> int:
    """A finite price in whole ticks, the nearest one, half up."""
    return math.floor(_in_ticks(price, tick_size) + 0.5)


def ticks_up(distance: float, tick_size: float) -> int:
    """A finite price distance in whole ticks, rounded up."""
    return math.ceil(_in_ticks(distance, tick_size))


def _in_ticks(number: float, tick_size: float) -> float:
    return math.floor(number / tick_size * _NOISE + 0.5) / _NOISE
