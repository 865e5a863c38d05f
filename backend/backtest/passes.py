"""Compiled passes over whole runs: each reads its columns once and allocates only what it gives back.

They are compiled by whoever first calls them, kept on disk for the next process, and release the
interpreter's lock while they run.
"""

from typing import NamedTuple

import numpy as np

from backend.backtest.compiling import compiled
from backend.backtest.kernel.usual import first_from
from backend.backtest.model import Instants
from backend.backtest.usual import read_only
from backend.core.bars import Floats, Ints
from backend.core.timeframes import DAY_SECONDS


class Depth(NamedTuple):
    """The deepest fall from a high.

    Attributes:
        amount: In account currency, or as a share of the high; 0 if there was none.
        high: Index of the close of the high; −1 is the start.
        low: Index of the bar of the low.
    """

    amount: float
    high: int
    low: int


class EquityPass(NamedTuple):
    """What one pass over equity tells.

    Attributes:
        daily: Equity at the last close of each server day that has bars, shape (days,).
        fall: Deepest in money, at the worst of each bar.
        share: Deepest as a share, at the worst of each bar.
        fall_at_closes: Deepest in money, at closes.
        share_at_closes: Deepest as a share, at closes.
        recovered: Index of the first close at the high of `share` or above; −1 if none came.
        underwater: Longest time in seconds from a high to the close that reached it again, or to the end.
        squares: Sum over closes of the squared share below the high.
    """

    daily: Floats
    fall: Depth
    share: Depth
    fall_at_closes: Depth
    share_at_closes: Depth
    recovered: int
    underwater: int
    squares: float


def equity_pass(
    *, equity: Floats, moved: Ints, lowest: Floats, instants: Instants, start: float, began: int
) -> EquityPass:
    """Drawdowns, time under water and equity by day; looks only at where equity moved.

    Args:
        equity: At closes, shape (n,), n at least 1.
        moved: Closes at which it is another than before, or was lower on the way, the first one always
            among them, ascending, shape (m,).
        lowest: The lowest between each of them and the close before it, shape (m,).
        instants: When the closes were; one of an earlier server day than before counts to the later.
        start: Equity at the beginning, above zero.
        began: UTC epoch of the beginning.
    """
    time, after, server = read_only(instants.time), instants.after, read_only(instants.server)
    figures, places = compiled(_equity)(
        read_only(equity), read_only(moved), read_only(lowest), time, after, start, began
    )
    return EquityPass(
        daily=equity[compiled(_ends_of_days)(server)],
        fall=Depth(figures[0], places[0], places[1]),
        share=Depth(figures[1], places[2], places[3]),
        fall_at_closes=Depth(figures[2], places[4], places[5]),
        share_at_closes=Depth(figures[3], places[6], places[7]),
        recovered=places[8],
        underwater=places[9],
        squares=figures[4],
    )


def ruin_share(returns: Floats, *, paths: int, steps: int, floor: float, seed: int) -> float:
    """Share of resampled paths on which a start of 1 ever comes down to `floor`.

    Args:
        returns: Of trades, as shares of the balance before each, shape (m,), m at least 1.
        paths: How many.
        steps: Trades of a path, drawn with replacement.
        floor: Between 0 and 1.
        seed: The same seed draws the same paths.
    """
    return float(compiled(_ruin)(returns, paths, steps, floor, seed))


def _ends_of_days(server: Ints) -> Ints:
    """The last close of each server day that has any."""
    count = len(server)
    ends = np.empty(count, dtype=np.int64)  # only the pages that are written take memory
    days, at = 0, 0
    while at < count:
        # bars mostly come as far apart as these two
        apart = max(server[min(at + 1, count - 1)] - server[at], 1)
        at = first_from(server, apart, at, (server[at] // DAY_SECONDS + 1) * DAY_SECONDS)
        ends[days] = at - 1
        days += 1
    return ends[:days].copy()


def _equity(  # noqa: C901 - one pass over the columns is one loop
    equity: Floats, moved: Ints, lowest: Floats, time: Ints, after: int, start: float, began: int
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    count, moves = len(equity), len(moved)
    peak, inverse, peak_at = start, 1.0 / start, -1
    fall = share = close_fall = close_share = squares = 0.0
    fall_high = fall_low = share_high = share_low = -1
    close_fall_high = close_fall_low = close_share_high = close_share_low = -1
    recovered = -1
    underwater = 0
    below = False
    for move in range(moves):
        index = moved[move]
        until = moved[move + 1] if move + 1 < moves else count
        value = equity[index]
        lost = peak - min(lowest[move], value)
        if lost > fall:
            fall, fall_high, fall_low = lost, peak_at, index
        if lost * inverse > share:
            share, share_high, share_low = lost * inverse, peak_at, index
            recovered = -1
        if value < peak:
            below = True
            lost = peak - value
            part = lost * inverse
            squares += part * part * (until - index)
            if lost > close_fall:
                close_fall, close_fall_high, close_fall_low = lost, peak_at, index
            if part > close_share:
                close_share, close_share_high, close_share_low = part, peak_at, index
        else:
            if below:
                below = False
                since = began if peak_at < 0 else time[peak_at] + after
                underwater = max(underwater, time[index] + after - since)
            if recovered < 0 and share_low >= 0:
                recovered = index
            if value > peak:
                peak, inverse = value, 1.0 / value
            peak_at = until - 1
    if below:
        since = began if peak_at < 0 else time[peak_at] + after
        underwater = max(underwater, time[count - 1] + after - since)
    return (
        (fall, share, close_fall, close_share, squares),
        (
            fall_high,
            fall_low,
            share_high,
            share_low,
            close_fall_high,
            close_fall_low,
            close_share_high,
            close_share_low,
            recovered,
            underwater,
        ),
    )


def _ruin(returns: Floats, paths: int, steps: int, floor: float, seed: int) -> float:
    count = np.uint64(len(returns))
    state = np.uint64(seed)
    ruined = 0
    for _ in range(paths):
        value = 1.0
        for _ in range(steps):
            # SplitMix64; the high half of the product picks without a division
            state += np.uint64(0x9E3779B97F4A7C15)
            mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
            value *= 1.0 + returns[((mixed >> np.uint64(32)) * count) >> np.uint64(32)]
            if value <= floor:
                ruined += 1
                break
    return ruined / paths
