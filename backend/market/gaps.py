"""Which bars are missing, inside the hours at which the symbol is known to trade."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.bars import Bars, Ints
from backend.core.clock import from_epoch, iso
from backend.core.timeframes import DAY_SECONDS, WEEK_SECONDS, Timeframe, close_of, open_of
from backend.mt5.server_time import ServerClock

Bools = npt.NDArray[np.bool_]

_SUNDAY_OFFSET = 4 * DAY_SECONDS  # 1970-01-01 was a Thursday
_WEEKS_TO_LEARN = 4  # below that, one missing bar would look like a daily break
_FRIDAY = 5  # Sunday is 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Bars that are missing in a row.

    Attributes:
        start: Open of the first missing bar, aware UTC.
        end: Close of the last missing bar, aware UTC.
        count: How many are missing.
    """

    start: datetime
    end: datetime
    count: int

    def as_dict(self) -> dict[str, Any]:
        """The gap as JSON values."""
        return {"from": iso(self.start), "to": iso(self.end), "count": self.count}


def find_gaps(bars: Bars, server_clock: ServerClock) -> list[Gap]:
    """Bars missing between the first and the last, in time order.

    A bar is expected where the symbol usually trades: at that time of the week on the broker's clock in
    more than half of the weeks there are, or, with fewer than four weeks, at that time of day on more than
    half of the days. So weekends and daily breaks are no gaps; holidays are.
    """
    grid, expected, present = _expected(bars)
    missing = expected & ~present
    if not missing.any():
        return []
    # Runs of missing bars among those expected: a break between two of them does not end a run.
    order = np.flatnonzero(expected)
    absent = missing[order]
    edges = np.diff(absent.astype(np.int8), prepend=0, append=0)
    begins, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    first = server_clock.to_utc(grid[order[begins]])
    last = server_clock.to_utc(_closes(bars.timeframe, grid[order[stops - 1]]))
    return [
        Gap(start=from_epoch(int(a)), end=from_epoch(int(b)), count=int(n))
        for a, b, n in zip(first, last, stops - begins, strict=True)
    ]


def coverage_percent(bars: Bars) -> float | None:
    """Share of the expected bars that are there, 0 to 100; None if there are no bars."""
    if not len(bars):
        return None
    _, expected, present = _expected(bars)
    wanted = int(expected.sum())
    return 100.0 * int((expected & present).sum()) / wanted if wanted else 100.0


def _expected(bars: Bars) -> tuple[Ints, Bools, Bools]:
    """Server opens of all bars there could be from first to last; which are expected, which are there."""
    grid = _grid(bars)
    present = np.zeros(len(grid), dtype=np.bool_)
    if not len(grid):
        return grid, present.copy(), present
    places = np.searchsorted(grid, bars.server_time)
    places = places[grid[np.minimum(places, len(grid) - 1)] == bars.server_time]
    present[places] = True
    if bars.timeframe.seconds >= WEEK_SECONDS:
        return grid, np.ones(len(grid), dtype=np.bool_), present
    return grid, _trading(grid, present, bars.timeframe), present


def _grid(bars: Bars) -> Ints:
    if not len(bars):
        return np.empty(0, dtype=np.int64)
    first = int(open_of(bars.timeframe, bars.server_time[0]))
    last = int(open_of(bars.timeframe, bars.server_time[-1]))
    if bars.timeframe is Timeframe.MN1:
        months = np.arange(
            np.datetime64(first, "s").astype("datetime64[M]"),
            np.datetime64(last, "s").astype("datetime64[M]") + np.timedelta64(1, "M"),
        )
        opens: Ints = months.astype("datetime64[s]").astype(np.int64)
        return opens
    return np.arange(first, last + 1, bars.timeframe.seconds, dtype=np.int64)


def _closes(timeframe: Timeframe, opens: Ints) -> Ints:
    ends: Ints = close_of(timeframe, opens)
    return ends


def _trading(grid: Ints, present: Bools, timeframe: Timeframe) -> Bools:
    """Where the symbol usually trades, per entry of the grid."""
    of_week = (grid + _SUNDAY_OFFSET) % WEEK_SECONDS
    weeks = (grid[-1] - grid[0]) / WEEK_SECONDS
    if weeks >= _WEEKS_TO_LEARN:
        slot = of_week // timeframe.seconds
    else:  # Monday to Friday together, Saturday and Sunday each alone
        weekday = of_week // DAY_SECONDS
        kind = np.where((weekday >= 1) & (weekday <= _FRIDAY), 1, weekday)
        slots_a_day = DAY_SECONDS // timeframe.seconds
        slot = kind * slots_a_day + of_week % DAY_SECONDS // timeframe.seconds
    size = int(slot.max()) + 1
    possible = np.bincount(slot, minlength=size)
    seen = np.bincount(slot, weights=present, minlength=size)
    usual: Bools = seen * 2 > possible
    return usual[slot]
