"""What bars tell about their market: the usual spread of an hour, the week's end."""

import math

import numpy as np

from backend.backtest.model import HOURS_OF_WEEK
from backend.core.bars import Bars, Ints
from backend.evaluation.statistics import hour_of_week

_DAY = 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
_SHARE = 0.75
_SATURDAY, _WEDNESDAY = 5, 2
_WEEKEND_GAP = 86_400


def weekdays(bars: Bars) -> Ints:
    """Server weekday of each bar's open, Monday 0."""
    return (bars.server_time // _DAY + _EPOCH_WEEKDAY) % 7


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


def trades_weekends(bars: Bars) -> bool:
    """Whether the symbol trades on Saturdays as on other days."""
    days = np.arange(int(bars.server_time[0]) // _DAY, int(bars.server_time[-1]) // _DAY + 1)
    edges = np.searchsorted(bars.server_time, np.append(days, days[-1] + 1) * _DAY)
    each, weekday = np.diff(edges), (days + _EPOCH_WEEKDAY) % 7
    return bool(each[weekday == _SATURDAY].sum() > each[weekday == _WEDNESDAY].sum() / 4)


def last_of_week_second(bars: Bars, never: int) -> int:
    """Second of the server's week, Monday 00:00 is 0, at which the usual last bar of a week opens.

    It is the most frequent at which a bar opened that a break of more than a day followed: a rule of the
    calendar, so it is known before the week ends. `never` where there is none.
    """
    if len(bars) < 2 or trades_weekends(bars):  # noqa: PLR2004 - a break lies between two bars
        return never
    of_week = weekdays(bars) * _DAY + bars.server_time % _DAY
    gaps = np.diff(bars.server_time) - bars.timeframe.seconds > _WEEKEND_GAP
    ends = of_week[:-1][gaps]
    if not ends.size:
        return never
    values, counts = np.unique(ends, return_counts=True)
    return int(values[int(np.argmax(counts))])
