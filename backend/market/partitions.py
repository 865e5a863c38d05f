"""How a series is cut into files: a month of minutes, a year of hours, all of days and longer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from backend.core.bars import Bars
from backend.core.timeframes import DAY_SECONDS, Timeframe

_HOUR_SECONDS = 3600
_ALL = "all"
_DECEMBER = 12
_FOREVER = 2**40  # beyond any server epoch


def _unit(timeframe: Timeframe) -> Literal["M", "Y"] | None:
    if timeframe.seconds < _HOUR_SECONDS:
        return "M"
    return "Y" if timeframe.seconds < DAY_SECONDS else None


def split(bars: Bars) -> Iterator[tuple[str, Bars]]:
    """The bars of each partition with its name, in time order; cut by the broker's calendar."""
    unit = _unit(bars.timeframe)
    if unit is None:
        yield _ALL, bars
        return
    labels = bars.server_time.astype("datetime64[s]").astype(f"datetime64[{unit}]")
    starts = np.flatnonzero(np.diff(labels.astype(np.int64), prepend=-1) != 0)
    for start, end in zip(starts, [*starts[1:], len(bars)], strict=True):
        yield str(labels[start]), bars[int(start) : int(end)]


def partition_range(timeframe: Timeframe, name: str) -> tuple[int, int]:
    """Server epochs of a partition's first instant and of the instant after its last."""
    unit = _unit(timeframe)
    if unit is None:
        return 0, _FOREVER
    year, month = int(name[:4]), int(name[5:] or 1)
    following = (year + 1, 1) if unit == "Y" or month == _DECEMBER else (year, month + 1)
    return _epoch(year, month), _epoch(*following)


def _epoch(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())
