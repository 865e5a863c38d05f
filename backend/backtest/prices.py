"""What bars tell about their market: the usual spread of an hour."""

import math

import numpy as np

from backend.backtest.model import HOURS_OF_WEEK
from backend.core.bars import Bars, Ints
from backend.evaluation.statistics import hour_of_week

_SHARE = 0.75


def hours_of_week(bars: Bars) -> Ints:
    """Server hour of the week of each bar's open, Monday 00 is 0."""
    hours: Ints = hour_of_week(bars.server_time)
    return hours


def learned_spreads(bars: Bars) -> tuple[int, ...]:
    """75th percentile of the known spreads of each hour of the week, in points, nearest rank.

    0 counts as unknown. An hour without a known spread takes the percentile of all; with none known
    anywhere it is 0.
    """
    known = bars.spread > 0
    everything = _percentile(bars.spread[known])
    hours = hours_of_week(bars)
    by_hour = (_percentile(bars.spread[known & (hours == hour)]) for hour in range(HOURS_OF_WEEK))
    return tuple(value or everything for value in by_hour)


def _percentile(values: Ints) -> int:
    if not values.size:
        return 0
    return int(np.sort(values)[math.ceil(_SHARE * values.size) - 1])
