"""Two pieces of one series as one, without a bar twice."""

from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.bars import COLUMNS, Bars
from backend.core.clock import from_epoch, iso


def merge(stored: Bars, given: Bars, *, revise: bool) -> tuple[Bars, int, list[dict[str, Any]]]:
    """Stored and given bars as one; how many are new; those that were replaced, before and after.

    A time that both have is kept as stored, or with `revise` taken as given where prices or volume
    differ.
    """
    if not len(stored):
        return given, len(given), []
    known = np.isin(given.time, stored.time)
    replaced: list[dict[str, Any]] = []
    base = stored
    if revise and known.any():
        differing = differing_times(stored, given)
        replaced = [
            {
                "time": iso(from_epoch(time)),
                "stored": _values(stored, time),
                "offered": _values(given, time),
            }
            for time in differing
        ]
        keep = ~np.isin(stored.time, differing)
        base = where(stored, keep)
        known &= ~np.isin(given.time, differing)
    fresh = where(given, ~known)
    if not len(fresh):
        return stored, 0, replaced
    both = {name: np.concatenate([getattr(base, name), getattr(fresh, name)]) for name in COLUMNS}
    order = np.argsort(both["time"], kind="stable")
    merged = Bars(
        symbol=stored.symbol,
        timeframe=stored.timeframe,
        **{name: column[order] for name, column in both.items()},
    )
    return merged, len(fresh) - len(replaced), replaced


def differing_times(stored: Bars, given: Bars) -> list[int]:
    """UTC epochs of bars that both have, with other prices or volume."""
    _, ours, theirs = np.intersect1d(stored.time, given.time, assume_unique=True, return_indices=True)
    other = np.zeros(len(ours), dtype=np.bool_)
    for name in ("open", "high", "low", "close", "volume"):
        other |= getattr(stored, name)[ours] != getattr(given, name)[theirs]
    return [int(time) for time in stored.time[ours[other]]]


def where(bars: Bars, mask: npt.NDArray[np.bool_]) -> Bars:
    """The bars at which the mask, shape (n,), is true."""
    return Bars(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        **{name: getattr(bars, name)[mask] for name in COLUMNS},
    )


def _values(bars: Bars, time: int) -> dict[str, float]:
    at = int(np.searchsorted(bars.time, time))
    return {name: getattr(bars, name)[at].item() for name in COLUMNS if name not in {"time", "server_time"}}
