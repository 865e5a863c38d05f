"""Price moves as the broker's matching sees them: single ticks, or whole bars where no ticks are known."""

import numpy as np
import numpy.typing as npt

from backend.mt5.structures import Records

_SIDES = tuple(f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close"))

MOVES_DTYPE: np.dtype[np.void] = np.dtype([("time_ms", "<i8"), *((name, "<f8") for name in _SIDES)])
"""A move: when it is known, and both sides' open, high, low and close. Of a tick all four are one."""

SPANS_DTYPE: np.dtype[np.void] = np.dtype(
    [
        ("first_ms", "<i8"),
        ("last_ms", "<i8"),
        *((name, "<f8") for name in ("bid_low", "bid_high", "ask_low", "ask_high")),
    ]
)
"""A stretch of time, both ends inclusive, and bounds that no move of it leaves."""


def moves_of_ticks(ticks: Records) -> Records:
    """Each tick as a move without extent."""
    moves = np.zeros(len(ticks), dtype=MOVES_DTYPE)
    moves["time_ms"] = ticks["time_msc"]
    for name in _SIDES:
        moves[name] = ticks[name[:3]]
    return moves


def spans_of_ticks(ticks: Records) -> Records:
    """The minutes of some ticks, as far as these tell."""
    if not len(ticks):
        return np.zeros(0, dtype=SPANS_DTYPE)
    minutes = ticks["time_msc"] // 60_000
    starts = np.flatnonzero(np.concatenate(([True], minutes[1:] != minutes[:-1])))
    return spans(
        minutes[starts] * 60_000,
        60_000,
        (np.minimum.reduceat(ticks["bid"], starts), np.maximum.reduceat(ticks["bid"], starts)),
        (np.minimum.reduceat(ticks["ask"], starts), np.maximum.reduceat(ticks["ask"], starts)),
    )


def spans(
    first_ms: npt.NDArray[np.int64],
    length_ms: int,
    bid: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    ask: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> Records:
    """Stretches of one length from their bounds, each (low, high) of shape (n,)."""
    rows = np.zeros(len(first_ms), dtype=SPANS_DTYPE)
    rows["first_ms"], rows["last_ms"] = first_ms, first_ms + length_ms - 1
    rows["bid_low"], rows["bid_high"] = bid
    rows["ask_low"], rows["ask_high"] = ask
    return rows
