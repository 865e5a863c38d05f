"""copy_rates_* and copy_ticks_* over a market."""

import numpy as np

from backend.core.timeframes import Timeframe
from backend.mt5.api import CallFailed
from backend.mt5.arguments import invalid
from backend.mt5.constants import (
    COPY_TICKS_ALL,
    COPY_TICKS_INFO,
    COPY_TICKS_TRADE,
    RES_E_NO_MEMORY,
    TICK_FLAG_ASK,
    TICK_FLAG_BID,
    TICK_FLAG_LAST,
    TICK_FLAG_VOLUME,
)
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.mt5.timeframes import timeframe_of
from backend.simulator.columns import Columns
from backend.simulator.ports import Market

MAX_BARS = 100_000
MAX_TICKS = 500_000  # 60 bytes each; about three weeks of one symbol
_FOUR_DAYS = 4 * 86_400
_TICK_STEP_MS = 6 * 3_600_000
_CHANGES = {
    COPY_TICKS_ALL: 0xFFFFFFFF,
    0xFFFFFFFF: 0xFFFFFFFF,  # -1 as an unsigned number
    COPY_TICKS_INFO: TICK_FLAG_BID | TICK_FLAG_ASK,
    COPY_TICKS_TRADE: TICK_FLAG_LAST | TICK_FLAG_VOLUME,
}


def read_timeframe(code: int) -> Timeframe:
    """The timeframe of a code; an unknown one fails the call."""
    timeframe = timeframe_of(code)
    if timeframe is None:
        raise invalid("Terminal: Invalid params")
    return timeframe


def read_count(count: int) -> int:
    """A count above zero."""
    if count <= 0:
        raise invalid("Terminal: Invalid params")
    return count


def rates_back(
    market: Market, symbol: str, timeframe: Timeframe, until: int, count: int, at_ms: int
) -> Columns:
    """The last `count` bars whose open is at or before server epoch `until`; fewer where history ends."""
    count = min(count, MAX_BARS)
    start = market.history_start(symbol, timeframe, at_ms)
    until = min(until, at_ms // 1000)
    window = count * timeframe.seconds * 3 // 2 + _FOUR_DAYS
    while True:
        bars = market.rates(symbol, timeframe, max(start, until - window), until, at_ms)
        if len(bars) >= count or until - window <= start:
            return bars[max(0, len(bars) - count) :]
        window *= 2


def rates_from_pos(
    market: Market, symbol: str, timeframe: Timeframe, position: int, count: int, at_ms: int
) -> Columns:
    """`count` bars back from `position`; 0 is the last there is. Only the last MAX_BARS have a position."""
    if position < 0:
        raise invalid("Terminal: Invalid params")
    reach = min(position + count, MAX_BARS)
    bars = rates_back(market, symbol, timeframe, at_ms // 1000, reach, at_ms)
    end = max(0, len(bars) - position)
    return bars[max(0, end - count) : end]


def rates_between(
    market: Market, symbol: str, timeframe: Timeframe, first: int, last: int, at_ms: int
) -> Columns:
    """Bars that open in [first, last], the latest MAX_BARS of them at most."""
    if last < first:
        raise invalid("Terminal: Invalid params")
    reach = MAX_BARS * timeframe.seconds * 2 + _FOUR_DAYS  # more bars cannot be asked for than are kept
    last = min(last, at_ms // 1000)
    bars = market.rates(symbol, timeframe, max(first, last - reach), last, at_ms)
    return bars[max(0, len(bars) - MAX_BARS) :]


def ticks_from(market: Market, symbol: str, first: int, count: int, flags: int, at_ms: int) -> Records:
    """The first `count` ticks from server epoch `first` on."""
    return _ticks(market, symbol, first * 1000, at_ms, flags, at_ms, count)


def ticks_between(market: Market, symbol: str, first: int, last: int, flags: int, at_ms: int) -> Records:
    """Ticks in [first, last], server epochs in seconds.

    Raises:
        CallFailed: More than MAX_TICKS; a part is never given for the whole.
    """
    if last < first:
        raise invalid("Terminal: Invalid params")
    return _ticks(market, symbol, first * 1000, min(last * 1000, at_ms), flags, at_ms, None)


def _ticks(
    market: Market, symbol: str, first_ms: int, last_ms: int, flags: int, at_ms: int, count: int | None
) -> Records:
    if flags not in _CHANGES:
        raise invalid("Terminal: Invalid params")
    wanted = MAX_TICKS + 1 if count is None else min(count, MAX_TICKS)
    parts: list[Records] = []
    found = 0
    begin = min(market.history_start(symbol, length, at_ms) for length in (Timeframe.M1, Timeframe.H1))
    at = max(first_ms, begin * 1000)
    while at <= last_ms and found < wanted:
        end = min(at + _TICK_STEP_MS - 1, last_ms)
        ticks = market.ticks(symbol, at, end, at_ms)
        ticks = ticks[(ticks["flags"] & _CHANGES[flags]) != 0]
        if len(ticks):
            parts.append(ticks)
            found += len(ticks)
        at = end + 1
    if count is None and found > MAX_TICKS:
        raise CallFailed(RES_E_NO_MEMORY, f"Terminal: No memory for more than {MAX_TICKS} ticks")
    return np.concatenate(parts)[:wanted] if parts else np.zeros(0, dtype=TICKS_DTYPE)
