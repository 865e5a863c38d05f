"""Bars as columns inside the simulator, and their exact aggregation to longer ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.core.timeframes import Timeframe, open_of
from backend.mt5.structures import RATES_DTYPE, Records

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_NAMES = ("time", "open", "high", "low", "close", "volume", "spread")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Bid bars in ascending time, all of shape (n,).

    Attributes:
        time: Server epochs of the opens, seconds.
        open: Bid prices, as are high, low and close.
        high: Highest.
        low: Lowest.
        close: Last.
        volume: Ticks in the bar.
        spread: Smallest spread in points; at least 0.
    """

    time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints
    spread: Ints

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, part: slice) -> "Columns":
        return Columns(*(getattr(self, name)[part] for name in _NAMES))

    def copy(self) -> "Columns":
        """The same bars in memory of their own, so that a small part does not hold a large whole."""
        return Columns(*(getattr(self, name).copy() for name in _NAMES))

    def between(self, first: int, last: int) -> "Columns":
        """The bars whose open lies in [first, last]."""
        low, high = np.searchsorted(self.time, (first, last + 1))
        return self[int(low) : int(high)]

    def records(self) -> Records:
        """The bars as the terminal gives them."""
        rows = np.zeros(len(self), dtype=RATES_DTYPE)
        for name in _NAMES:
            rows["tick_volume" if name == "volume" else name] = getattr(self, name)
        return rows


_NO_INTS: Ints = np.empty(0, dtype=np.int64)
_NO_FLOATS: Floats = np.empty(0)
EMPTY = Columns(_NO_INTS, _NO_FLOATS, _NO_FLOATS, _NO_FLOATS, _NO_FLOATS, _NO_INTS, _NO_INTS)


def joined(parts: Sequence[Columns]) -> Columns:
    """The bars of several stretches, one after the other."""
    filled = [part for part in parts if len(part)]
    if len(filled) <= 1:
        return filled[0] if filled else EMPTY
    return Columns(*(np.concatenate([getattr(part, name) for part in filled]) for name in _NAMES))


def aggregate(bars: Columns, timeframe: Timeframe) -> Columns:
    """Longer bars from shorter ones, on server-time boundaries; an incomplete last bar is kept.

    The spread is the smallest, as it is within a minute: a bar's spread is a lower bound.
    """
    if not len(bars):
        return bars
    opens: Ints = open_of(timeframe, bars.time)
    starts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
    ends = np.append(starts[1:], len(opens)) - 1
    return Columns(
        opens[starts],
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends],
        np.add.reduceat(bars.volume, starts),
        np.minimum.reduceat(bars.spread, starts),
    )
