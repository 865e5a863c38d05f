"""Whole ticks and whole steps: plain arithmetic on floats, which the backtest's kernel compiles too."""

import math

_NOISE = 1e6
"""A millionth of a tick is float noise: 1.10000 ÷ 0.00001 must be 110000, also when rounding up."""
_STEP_NOISE = 1e-9


def ticks_nearest(price: float, tick_size: float) -> int:
    """A finite price in whole ticks, the nearest one, half up."""
    return math.floor(_in_ticks(price, tick_size) + 0.5)


def ticks_up(distance: float, tick_size: float) -> int:
    """A finite price distance in whole ticks, rounded up."""
    return math.ceil(_in_ticks(distance, tick_size))


def _in_ticks(number: float, tick_size: float) -> float:
    return math.floor(number / tick_size * _NOISE + 0.5) / _NOISE


def whole_steps(steps: float) -> int:
    """A volume in steps, floored; a billionth of a step is float noise: 0.29 ÷ 0.01 is 29."""
    return math.floor(steps + _STEP_NOISE)
