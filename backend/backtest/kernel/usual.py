"""Usual spread and rank of the ATR as of the broker's midnight; as `backend.evaluation.statistics`."""

import math
from typing import Any

from backend.backtest.kernel.records import HOURS, Signals
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
_INFINITE = 0x7FF  # exponent of what is no finite number
_EXPONENT = 52


def hour_of_week(server: int) -> int:
    """Hour of the server's week, Monday 00 is 0."""
    return (server // _HOUR + _MONDAY_SHIFT) % HOURS


def catch_up(sig: Signals, atr_bits: Any, lane: Any, server: int) -> None:
    """Count what had closed by the midnight before a server epoch, and forget what is too old.

    Args:
        sig: The strategy's bars and those of the usual spread.
        atr_bits: The ATR of each strategy bar as bits, shape (n,), int64.
        lane: Keeps the counts.
        server: Server epoch of the bar that is decided.
    """
    midnight = server - server % DAY_SECONDS
    if lane.midnight == midnight:
        return
    lane.midnight = midnight
    server, spread = sig.usual_server, sig.usual_spread
    closed, old = midnight - lane.spread_seconds + 1, midnight - SPREAD_DAYS * DAY_SECONDS
    lane.spread_in = _count_spreads(server, spread, lane, lane.spread_in, lane.spread_end, closed, 1)
    lane.spread_out = _count_spreads(server, spread, lane, lane.spread_out, lane.spread_in, old, -1)
    closed, old = midnight - lane.seconds + 1, midnight - ATR_DAYS * DAY_SECONDS
    lane.atr_in = _count_atr(sig.server, atr_bits, lane, lane.atr_in, lane.bar_end, closed, 1)
    lane.atr_out = _count_atr(sig.server, atr_bits, lane, lane.atr_out, lane.atr_in, old, -1)


def _count_atr(server: Any, atr_bits: Any, lane: Any, at: int, end: int, until: int, each: int) -> int:
    """Count the ATR values of bars that opened before a server epoch; gives the first bar left out."""
    counts, lowest, count = lane.atr_counts, lane.atr_lowest, 0
    while at < end and server[at] < until:
        bits = atr_bits[at]
        if bits >> _EXPONENT != _INFINITE:
            place = atr_bin(bits)
            counts[place] += each
            count += each
            lowest = min(lowest, place)
        at += 1
    lane.atr_count += count
    lane.atr_lowest = lowest
    return at


def _count_spreads(server: Any, spread: Any, lane: Any, at: int, end: int, until: int, each: int) -> int:
    """Count the known spreads of bars that opened before a server epoch; gives the first bar left out."""
    counts, totals, hour, hour_ends = lane.spread_counts, lane.spread_totals, 0, 0
    while at < end and server[at] < until:
        if server[at] >= hour_ends:
            hour = hour_of_week(server[at])
            hour_ends = (server[at] // _HOUR + 1) * _HOUR
        if spread[at] > 0:
            counts[hour, spread_bin(spread[at])] += each
            totals[hour] += each
        at += 1
    return at


def median_spread(lane: Any, server: int) -> tuple[float, int]:
    """Median spread in points of the hour of the week, NaN where none is known, and its samples."""
    hour = hour_of_week(server)
    total = lane.spread_totals[hour]
    if total == 0:
        return math.nan, 0
    low_at, high_at = (total - 1) // 2, total // 2
    seen, low = 0, -1
    for place in range(SPREAD_BINS):
        seen += lane.spread_counts[hour, place]
        if low < 0 and seen > low_at:
            low = place
        if seen > high_at:
            return (spread_of_bin(low) + spread_of_bin(place)) / 2, total
    return math.nan, 0


def atr_rank(lane: Any) -> float:
    """Rank of the bar's ATR among the year's, 0 to 1; NaN where nothing is known."""
    if lane.atr_count == 0:
        return math.nan
    place = atr_bin(lane.atr_bits)
    below = 0
    for other in range(lane.atr_lowest, place):
        below += lane.atr_counts[other]
    return float((below + lane.atr_counts[place] / 2) / lane.atr_count)
