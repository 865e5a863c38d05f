"""Longer bars out of shorter ones, on the boundaries of the broker's clock."""

from datetime import datetime
from functools import lru_cache

import numpy as np

from backend.core.bars import Bars, Ints, empty_bars
from backend.core.errors import Invalid
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of, open_of
from backend.mt5.server_time import ServerClock


def resample(
    bars: Bars, timeframe: Timeframe, server_clock: ServerClock, *, until: datetime | None = None
) -> Bars:
    """Complete bars of `timeframe` out of closed bars of a shorter one.

    A day begins at the broker's midnight, a week on its Sunday, a month on its first day. A bar is
    complete when the shorter bars are known from its beginning to its end: they begin at or before it,
    and there is one at or after its end, or the data reach to its end, or `until` has passed it. Shorter
    bars missing inside (breaks, holidays, quiet minutes) do not hold it back; a bar without any is left
    out, as MetaTrader 5 does. Volume is the sum; spread is the smallest that is known (0 is unknown).

    Args:
        bars: Closed bars, ascending.
        timeframe: The longer timeframe.
        server_clock: Rule of the broker's clock, for the UTC times of the longer bars.
        until: Aware UTC time up to which `bars` are all there are.

    Raises:
        Invalid: If bars of that timeframe cannot be made of these.
    """
    if timeframe is bars.timeframe:
        return bars
    if not divides(bars.timeframe, timeframe):
        raise Invalid(
            "bad_resample", f"{bars.symbol}: bars of {timeframe} cannot be made of {bars.timeframe} bars"
        )
    if not len(bars):
        return empty_bars(bars.symbol, timeframe)
    buckets: Ints = open_of(timeframe, bars.server_time)
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    ends = np.append(starts[1:], len(bars))
    opens = buckets[starts]
    known_until = int(close_of(bars.timeframe, bars.server_time[-1]))
    if until is not None:
        known_until = max(known_until, server_clock.server_epoch(until))
    complete = close_of(timeframe, opens) <= known_until
    complete[0] &= bool(bars.server_time[0] == opens[0])
    starts, ends, opens = starts[complete], ends[complete], opens[complete]
    if not len(starts):
        return empty_bars(bars.symbol, timeframe)
    # reduceat runs from each start to the next one; complete bars stand side by side, so cut at the last
    last = int(ends[-1])
    spread = np.where(bars.spread > 0, bars.spread, np.iinfo(np.int64).max)
    lowest = np.minimum.reduceat(spread[:last], starts)
    return Bars(
        symbol=bars.symbol,
        timeframe=timeframe,
        time=server_clock.to_utc(opens),
        server_time=opens,
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high[:last], starts),
        low=np.minimum.reduceat(bars.low[:last], starts),
        close=bars.close[ends - 1],
        volume=np.add.reduceat(bars.volume[:last], starts),
        spread=np.where(lowest == np.iinfo(np.int64).max, 0, lowest),
    )


@lru_cache(maxsize=512)
def divides(short: Timeframe, long: Timeframe) -> bool:
    """Whether every bar of `long` begins and ends with one of `short`."""
    if long is Timeframe.MN1:
        return DAY_SECONDS % short.seconds == 0 and short is not Timeframe.MN1
    return short.seconds < long.seconds and long.seconds % short.seconds == 0
