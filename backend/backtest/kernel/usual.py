"""Usual spread and rank of the ATR as of each broker's midnight; as `backend.evaluation.statistics`.

A table has a row for each server day: what had closed by the midnight that begins it.
"""

import math
from typing import Any

from backend.backtest.kernel.records import HOURS, Usual
from backend.core.timeframes import DAY_SECONDS
from backend.evaluation.statistics import (
    ATR_DAYS,
    SPREAD_BINS,
    SPREAD_DAYS,
    atr_bin,
    spread_bin,
    spread_of_bin,
)

_HOUR = 3600
_MONDAY_SHIFT = 72  # the epoch was a Thursday
_DAY_HOURS = 24
_INFINITE = 0x7FF  # exponent of what is no finite number
_EXPONENT = 52


def hour_of_week(server: int) -> int:
    """Hour of the server's week, Monday 00 is 0."""
    return (server // _HOUR + _MONDAY_SHIFT) % HOURS


def fill_spreads(
    server: Any, spread: Any, seconds: int, first_day: int, counts: Any, medians: Any, samples: Any
) -> None:
    """Median spread of each hour of each day, NaN where none is known, and its samples.

    Args:
        server: Server epochs at which bars open, shape (n,), ascending.
        spread: Their spreads in points, shape (n,); 0 is unknown.
        seconds: Their length.
        first_day: Server day of the first row.
        counts: Zeros to count in, shape (168, SPREAD_BINS + 1); the last column has the totals.
        medians: Takes the medians, shape (days, 24).
        samples: Takes their samples, shape (days, 24).
    """
    entered = left = 0
    for row in range(len(medians)):
        midnight = (first_day + row) * DAY_SECONDS
        entered = _count_spreads(server, spread, seconds, counts, entered, midnight - seconds + 1, 1)
        left = _count_spreads(server, spread, seconds, counts, left, midnight - SPREAD_DAYS * DAY_SECONDS, -1)
        begins = hour_of_week(midnight)
        for hour in range(_DAY_HOURS):
            median, total = _median(counts[begins + hour])
            medians[row, hour] = median
            samples[row, hour] = total


def _count_spreads(
    server: Any, spread: Any, seconds: int, counts: Any, at: int, until: int, each: int
) -> int:
    """Count the known spreads of bars that opened before a server epoch; gives the first bar left out."""
    end = first_from(server, seconds, at, until)
    while at < end:
        hour = hour_of_week(server[at])
        hour_ends = min(first_from(server, seconds, at, (server[at] // _HOUR + 1) * _HOUR), end)
        while at < hour_ends:  # bars on end that have the same spread are counted at once
            points, begin = spread[at], at
            while at < hour_ends and spread[at] == points:
                at += 1
            _add(counts, hour, points, (at - begin) * each)
    return end


def first_from(server: Any, seconds: int, at: int, instant: int) -> int:
    """The first bar, not before `at`, that opens at a server epoch or later; bars last so many seconds."""
    count = len(server)
    while at < count and server[at] < instant:
        # further than to there only if none is missing between
        ahead = min(at + max((instant - server[at]) // seconds, 1), count)
        if server[ahead - 1] >= instant:
            while ahead - at > 1:
                middle = (at + ahead) // 2
                if server[middle] < instant:
                    at = middle
                else:
                    ahead = middle
            return ahead
        at = ahead
    return at


def _add(counts: Any, hour: int, points: int, bars: int) -> None:
    if points > 0:
        counts[hour, spread_bin(points)] += bars
        counts[hour, SPREAD_BINS] += bars


def _median(counts: Any) -> tuple[float, int]:
    total = counts[SPREAD_BINS]
    if total == 0:
        return math.nan, 0
    low_at, high_at = (total - 1) // 2, total // 2
    seen, low = 0, -1
    for place in range(SPREAD_BINS):
        seen += counts[place]
        if low < 0 and seen > low_at:
            low = place
        if seen > high_at:
            return (spread_of_bin(low) + spread_of_bin(place)) / 2, total
    return math.nan, 0


def span_of_atr(atr_bits: Any) -> tuple[int, int]:
    """Lowest and highest bin of the finite ATR values; the lowest above the highest where there are none."""
    least, most = _INFINITE << _EXPONENT, -1  # as bits, values of at least zero have their own order
    for at in range(len(atr_bits)):
        bits = atr_bits[at]
        finite = bits >> _EXPONENT & _INFINITE != _INFINITE
        least = min(least, bits if finite else least)
        most = max(most, bits if finite else most)
    if most < 0:
        return 1, 0
    return atr_bin(least), atr_bin(most)


def fill_ranks(
    server: Any, atr_bits: Any, seconds: int, first_day: int, lowest: int, counts: Any, below: Any
) -> None:
    """How many ATR values of the year before each day lie below each bin, all of them in the last column.

    Args:
        server: Server epochs at which bars open, shape (n,), ascending.
        atr_bits: The ATR of each as bits, shape (n,), int64.
        seconds: Their length.
        first_day: Server day of the first row.
        lowest: Bin of the first column.
        counts: Zeros to count in, shape (4, bins): neighbouring bars, whose bins are mostly the same, count
            in rows of their own, so that none waits for the one before.
        below: Takes the counts, shape (days, bins + 1).
    """
    entered = left = 0
    for row in range(len(below)):
        midnight = (first_day + row) * DAY_SECONDS
        until = first_from(server, seconds, entered, midnight - seconds + 1)
        _count_atr(atr_bits, counts, lowest, entered, until, 1)
        entered = until
        until = first_from(server, seconds, left, midnight - ATR_DAYS * DAY_SECONDS)
        _count_atr(atr_bits, counts, lowest, left, until, -1)
        left = until
        total = 0
        for place in range(counts.shape[1]):
            below[row, place] = total
            total += counts[0, place] + counts[1, place] + counts[2, place] + counts[3, place]
        below[row, counts.shape[1]] = total


def _count_atr(atr_bits: Any, counts: Any, lowest: int, begin: int, end: int, each: int) -> None:
    for at in range(begin, end):
        bits = atr_bits[at]
        if bits >> _EXPONENT & _INFINITE != _INFINITE:
            counts[at & 3, atr_bin(bits) - lowest] += each


def look_up(usual: Usual, lane: Any) -> None:
    """Put what is usual for the bar at hand into its lane."""
    row = lane.usual_begin + lane.bar_server // DAY_SECONDS - lane.first_day
    hour = lane.bar_server % DAY_SECONDS // _HOUR
    lane.median, lane.samples = usual.medians[row, hour], usual.samples[row, hour]
    below = usual.below[row]
    lane.atr_count = below[-1]
    lane.atr_rank = math.nan
    if lane.atr_count > 0 and math.isfinite(lane.atr):
        place = atr_bin(lane.atr_bits) - lane.atr_lowest
        lane.atr_rank = (below[place] + (below[place + 1] - below[place]) / 2) / lane.atr_count
