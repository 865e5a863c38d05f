"""Trading sessions: hours in a city's own time, correct over every change of its clocks."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from backend.core.bars import Ints

Bools = npt.NDArray[np.bool_]

_HOUR = 3600
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Session:
    """Hours of one city: `start` inclusive, `end` exclusive, whole local hours."""

    zone: str
    start: int
    end: int


SESSIONS: dict[str, Session] = {
    "Sydney": Session("Australia/Sydney", 8, 17),
    "Tokyo": Session("Asia/Tokyo", 9, 18),
    "London": Session("Europe/London", 8, 17),
    "NewYork": Session("America/New_York", 8, 17),
}


def in_session(name: str, moments: Ints) -> Bools:
    """Whether each UTC epoch (seconds, shape (n,)) lies in the session of that name, half-open."""
    session = SESSIONS[name]
    seconds = (moments + utc_offsets(session.zone, moments)) % _DAY
    return (seconds >= session.start * _HOUR) & (seconds < session.end * _HOUR)


def is_open(name: str, moment: datetime) -> bool:
    """Whether an aware moment lies in the session of that name: `in_session` of one."""
    session = SESSIONS[name]
    epoch = int(moment.timestamp())
    year = moment.astimezone(UTC).year
    starts, offsets = _rules(session.zone, year, year)
    seconds = (epoch + int(offsets[bisect_right(starts, epoch) - 1])) % _DAY
    return session.start * _HOUR <= seconds < session.end * _HOUR


def utc_offsets(zone: str, moments: Ints) -> Ints:
    """Seconds that the zone's clock is ahead of UTC at each UTC epoch; shape is kept."""
    if moments.size == 0:
        return np.zeros(moments.shape, dtype=np.int64)
    earliest, latest = int(moments.min()), int(moments.max())
    first = datetime.fromtimestamp(earliest, UTC).year
    last = datetime.fromtimestamp(latest, UTC).year
    starts, offsets = _rules(zone, first, last)
    held = bisect_right(starts, earliest) - 1
    if held + 1 == len(starts) or latest < starts[held + 1]:  # one offset holds for all
        return np.full(moments.shape, offsets[held])
    return offsets[np.searchsorted(starts, moments, side="right") - 1]


@lru_cache(maxsize=256)
def _rules(zone: str, first: int, last: int) -> tuple[Ints, Ints]:
    starts: list[int] = []
    offsets: list[int] = []
    for year in range(first, last + 1):
        for start, offset in _year(zone, year):
            if not offsets or offset != offsets[-1]:
                starts.append(start)
                offsets.append(offset)
    return np.array(starts, dtype=np.int64), np.array(offsets, dtype=np.int64)


@lru_cache(maxsize=1024)
def _year(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """The UTC epoch and the offset of each change in that UTC year, and of its first second."""
    info = ZoneInfo(zone)

    def offset(epoch: int) -> int:
        ahead = datetime.fromtimestamp(epoch, UTC).astimezone(info).utcoffset()
        return 0 if ahead is None else ahead // timedelta(seconds=1)

    begin = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
    changes = [(begin, offset(begin))]
    for midnight in range(begin, end, _DAY):
        low, high = midnight, min(midnight + _DAY, end)
        if offset(high) == changes[-1][1]:
            continue
        while high - low > 1:  # clocks change at most once a day: find the second
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == changes[-1][1] else (low, middle)
        changes.append((high, offset(high)))
    return tuple(changes)
