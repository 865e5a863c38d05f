"""What bars tell about the trading week: whether the weekend is traded, and when the week usually ends."""

import numpy as np

from backend.core.bars import Bars, Ints

_DAY = 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
_SATURDAY, _WEDNESDAY = 5, 2
_WEEKEND_GAP = 86_400


def weekdays(bars: Bars) -> Ints:
    """Server weekday of each bar's open, Monday 0."""
    return (bars.server_time // _DAY + _EPOCH_WEEKDAY) % 7


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
