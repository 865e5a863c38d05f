"""Bid and ask of each bar in whole ticks, and the spreads that are learned from bars."""

import math
from dataclasses import dataclass

import numpy as np

from backend.backtest.model import HOURS_OF_WEEK, Costs
from backend.core.bars import Bars, Ints
from backend.core.errors import Invalid
from backend.core.instruments import Instrument

_HOUR, _DAY = 3600, 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
_SHARE = 0.75
_SATURDAY, _WEDNESDAY = 5, 2
_WEEKEND_GAP = 86_400


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prices:
    """Bars in ticks, all of shape (n,), int64.

    Attributes:
        open: Bid.
        high: Bid.
        low: Bid.
        close: Bid.
        spread: Ask − bid over the whole bar.
    """

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    spread: Ints


def weekdays(bars: Bars) -> Ints:
    """Server weekday of each bar's open, Monday 0."""
    return (bars.server_time // _DAY + _EPOCH_WEEKDAY) % 7


def hours_of_week(bars: Bars) -> Ints:
    """Server hour of the week of each bar's open, Monday 00 is 0."""
    return weekdays(bars) * 24 + bars.server_time % _DAY // _HOUR


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


def prices(bars: Bars, instrument: Instrument, costs: Costs) -> Prices:
    """The bars in ticks; the spread is the larger of the bar's and the learned one of its hour.

    Raises:
        Invalid: Code ``unknown_spread`` if some bar has neither.
    """
    points = np.maximum(bars.spread, np.asarray(costs.spread_points, dtype=np.int64)[hours_of_week(bars)])
    if bool((points <= 0).any()):
        first = int(np.argmax(points <= 0))
        raise Invalid(
            "unknown_spread",
            f"{bars.symbol}: {int((points <= 0).sum())} bars have no spread and none was learned for their "
            f"hour, the first opened {bars.opened(first)}; give a spread in the costs",
            count=int((points <= 0).sum()),
            index=first,
        )
    per_tick = float(instrument.tick_size)
    ratio = float(instrument.point) / per_tick

    def ticks(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Ints:
        return np.rint(column / per_tick).astype(np.int64)

    return Prices(
        open=ticks(bars.open),
        high=ticks(bars.high),
        low=ticks(bars.low),
        close=ticks(bars.close),
        spread=np.ceil(points * ratio - 1e-9).astype(np.int64),
    )


def trades_weekends(bars: Bars) -> bool:
    """Whether the symbol trades on Saturdays as on other days."""
    days = weekdays(bars)
    return bool((days == _SATURDAY).sum() > (days == _WEDNESDAY).sum() / 4)


def last_of_week(bars: Bars) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Bars at or after the usual last bar of the trading week, shape (n,).

    The usual last bar is the most frequent second of the week, server time, at which a bar opened that
    a break of more than a day followed: a rule of the calendar, so it is known before the week ends.
    """
    nothing = np.zeros(len(bars), dtype=np.bool_)
    if len(bars) < 2 or trades_weekends(bars):  # noqa: PLR2004 - a break lies between two bars
        return nothing
    of_week = weekdays(bars) * _DAY + bars.server_time % _DAY
    gaps = np.diff(bars.server_time) - bars.timeframe.seconds > _WEEKEND_GAP
    ends = of_week[:-1][gaps]
    if not ends.size:
        return nothing
    values, counts = np.unique(ends, return_counts=True)
    usual = int(values[int(np.argmax(counts))])
    # a week of the market may begin late on Sunday: only the days up to Saturday count as its end
    return (of_week >= usual) & (weekdays(bars) <= _SATURDAY)
