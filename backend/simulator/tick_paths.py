"""Ticks laid inside minute bars, so that the bar made of them is the bar they came from."""

import numpy as np
import numpy.typing as npt

from backend.mt5.constants import TICK_FLAG_ASK, TICK_FLAG_BID
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.simulator.columns import EMPTY, Columns
from backend.simulator.noise import sixteenth, words

_PER_MINUTE = 64  # places for a minute's ticks in the hash; no bar has more
_FIRST_TICK_MS = 900
WIDEST_SPREAD = 1.4
"""No tick's spread is wider than so many times its bar's."""


def ticks_of(bars: Columns, key: int, digits: int) -> Records:
    """Ticks of M1 bars: first the open, then high and low each at least once, last the close.

    Each bar has as many as its volume says; times are strictly ascending within the minute. The spread
    of the first is the bar's, that of the others at least as wide.
    """
    if not len(bars):
        return np.zeros(0, dtype=TICKS_DTYPE)
    counts = bars.volume
    row = np.repeat(np.arange(len(bars)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    count = counts[row]
    minute = bars.time // 60
    bits = words(key, minute[row] * _PER_MINUTE + place)
    scale = 10**digits
    opened, high, low, close = (
        np.rint(side * scale) for side in (bars.open, bars.high, bars.low, bars.close)
    )

    # Where in the minute the first extreme and the second stand, and which of them is the high.
    own = words(key ^ 0x5DEECE66D, minute)
    inner = np.maximum(counts - 2, 1)
    early = 1 + np.floor(sixteenth(own, 0) * (inner - 1)).astype(np.int64)
    late = early + 1 + np.floor(sixteenth(own, 1) * (counts - 2 - early)).astype(np.int64)
    high_first = sixteenth(own, 2) < 0.5  # noqa: PLR2004 - a coin
    first = np.where(high_first, high, low)
    second = np.where(high_first, low, high)

    a, b, last = early[row], late[row], count - 1
    path = np.where(
        place <= a,
        _between(opened[row], first[row], place, a),
        np.where(
            place <= b,
            _between(first[row], second[row], place - a, b - a),
            _between(second[row], close[row], place - b, last - b),
        ),
    )
    noise = (sixteenth(bits, 0) - 0.5) * 0.3 * (high - low)[row]
    anchor = (place == 0) | (place == a) | (place == b) | (place == last)
    bid = np.rint(np.clip(np.where(anchor, path, path + noise), low[row], high[row]))
    wider = np.floor(sixteenth(bits, 1) * (WIDEST_SPREAD - 1) * bars.spread[row]) * (place > 0)

    ticks = np.zeros(len(row), dtype=TICKS_DTYPE)
    within = np.where(
        place == 0, sixteenth(bits, 2) * _FIRST_TICK_MS, 60_000 * (place + 0.9 * sixteenth(bits, 2)) / count
    )
    ticks["time_msc"] = bars.time[row] * 1000 + within.astype(np.int64)
    ticks["time"] = ticks["time_msc"] // 1000
    ticks["bid"] = bid / scale
    ticks["ask"] = (bid + bars.spread[row] + wider) / scale
    ticks["flags"] = TICK_FLAG_BID | TICK_FLAG_ASK
    return ticks


def bar_so_far(ticks: Records, point: float) -> Columns:
    """The M1 bar that these ticks of one minute make; none without ticks."""
    if not len(ticks):
        return EMPTY
    bid = ticks["bid"]
    spread = np.rint((ticks["ask"] - bid) / point)
    return Columns(
        ticks["time"][:1] // 60 * 60,
        bid[:1].copy(),
        np.array([bid.max()]),
        np.array([bid.min()]),
        bid[-1:].copy(),
        np.array([len(ticks)], dtype=np.int64),
        np.array([int(spread.min())], dtype=np.int64),
    )


def _between(
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    step: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    way: npt.NDArray[np.float64] = start + (end - start) * (step / np.maximum(steps, 1))
    return way
