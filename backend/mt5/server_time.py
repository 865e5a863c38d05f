"""The broker's clock: server epochs to UTC and back, exact on both days that change it.

A server epoch is the server's wall clock encoded as if it were UTC; everything that MetaTrader 5 says
or is asked is in it. Most FX servers keep New York + 7 h, so that the trading day ends at 17:00 in New
York: UTC+2 in winter and UTC+3 in summer, on American dates.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from backend.core.clock import from_epoch, require_utc
from backend.core.errors import Invalid

Epochs = npt.NDArray[np.int64]

FIRST_YEAR = 1970
LAST_YEAR = 2100
_STEP = timedelta(days=7)  # no zone changes its clock twice within a week
_SHIFT = re.compile(r"(?P<zone>.+?)(?P<sign>[+-])(?P<hours>\d{1,2})(?::(?P<minutes>[0-5]\d))?")
_LARGEST_SHIFT = 14 * 3600


@dataclass(frozen=True, slots=True, eq=False)
class ServerClock:
    """A rule of the broker's clock, as a table of the instants at which its offset changes.

    Every method takes and gives epochs in seconds, int or int64 arrays of any shape. An hour that the
    server's clock shows twice is read as its first occurrence; one that it skips is read with the
    offset before the change, so it lands after it (both as Python's fold=0 does). Between 1970 and
    2100 the rule is exact; outside, the nearest offset holds.

    Attributes:
        rule: The text that the clock was made from.
        changes: UTC epochs at which the offset changes, ascending, shape (n,).
        offsets: Server − UTC in seconds before, between and after the changes, shape (n + 1,).
        server_changes: Server epochs from which the new offset is read, shape (n,).
    """

    rule: str
    changes: Epochs
    offsets: Epochs
    server_changes: Epochs

    @staticmethod
    def parse(rule: str) -> "ServerClock":
        """The clock of a rule: ``UTC``, ``UTC+2``, ``Europe/Athens``, ``America/New_York+7``.

        A name of the IANA database, then, if wanted, hours (and ``:minutes``) that the server is ahead
        of that zone's wall clock.

        Raises:
            Invalid: If the text is no such rule.
        """
        return _parse(rule)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerClock) and self.rule == other.rule

    def __hash__(self) -> int:
        return hash(self.rule)

    def __reduce__(self) -> tuple[Any, ...]:
        return _parse, (self.rule,)

    @overload
    def to_utc(self, server: int) -> int: ...
    @overload
    def to_utc(self, server: Epochs) -> Epochs: ...
    def to_utc(self, server: int | Epochs) -> int | Epochs:
        """UTC epochs of server epochs."""
        if isinstance(server, int):
            return server - int(self.offset_at_server(server))
        times: Epochs = np.asarray(server, dtype=np.int64) - self.offset_at_server(server)
        return times

    @overload
    def to_server(self, utc: int) -> int: ...
    @overload
    def to_server(self, utc: Epochs) -> Epochs: ...
    def to_server(self, utc: int | Epochs) -> int | Epochs:
        """Server epochs of UTC epochs."""
        if isinstance(utc, int):
            return utc + int(self.offset_at_utc(utc))
        times: Epochs = np.asarray(utc, dtype=np.int64) + self.offset_at_utc(utc)
        return times

    def to_utc_ms(self, server_ms: int) -> int:
        """UTC epoch in milliseconds of a server epoch in milliseconds."""
        return server_ms - 1000 * int(self.offset_at_server(server_ms // 1000))

    def to_server_ms(self, utc_ms: int) -> int:
        """Server epoch in milliseconds of a UTC epoch in milliseconds."""
        return utc_ms + 1000 * int(self.offset_at_utc(utc_ms // 1000))

    def offset_at_utc(self, utc: npt.ArrayLike) -> Any:
        """Server − UTC in seconds at UTC epochs; shape is kept."""
        return self.offsets[np.searchsorted(self.changes, utc, side="right")]

    def offset_at_server(self, server: npt.ArrayLike) -> Any:
        """Server − UTC in seconds at server epochs; shape is kept."""
        return self.offsets[np.searchsorted(self.server_changes, server, side="right")]

    def server_epoch(self, moment: datetime) -> int:
        """Server epoch of an aware time, whole seconds, rounded down."""
        return self.to_server(int(require_utc(moment).timestamp() // 1))

    def utc_datetime(self, server: int) -> datetime:
        """Aware UTC time of a server epoch."""
        return from_epoch(self.to_utc(server))

    def utc_datetime_ms(self, server_ms: int) -> datetime:
        """Aware UTC time of a server epoch in milliseconds, exact."""
        seconds, milliseconds = divmod(self.to_utc_ms(int(server_ms)), 1000)
        return from_epoch(seconds) + timedelta(milliseconds=milliseconds)

    def server_range(self, since: datetime, until: datetime) -> tuple[int, int]:
        """The least and the greatest server epoch that the clock shows between two moments, both counted.

        Where the clock is put back in between, it shows more than its ends say.

        Raises:
            Invalid: If the first moment is the later one.
        """
        if require_utc(until) < require_utc(since):
            raise Invalid("bad_range", f"{since} lies after {until}")
        first, last = int(require_utc(since).timestamp() // 1), -int(-require_utc(until).timestamp() // 1)
        inside = self.changes[(self.changes > first) & (self.changes <= last)]
        before = inside - 1
        shown = self.to_server(np.concatenate(([first, last], inside, before)).astype(np.int64))
        return int(shown.min()), int(shown.max())


@lru_cache(maxsize=16)
def _parse(rule: str) -> ServerClock:
    zone, shift = _zone_and_shift(rule)
    changes, offsets = _table(zone)
    offsets = offsets + shift
    # Before the later of the two readings of a change the old offset is read: first occurrence of an
    # hour shown twice, and the old offset inside an hour that is skipped.
    server_changes = changes + np.maximum(offsets[:-1], offsets[1:])
    for column in (changes, offsets, server_changes):
        column.setflags(write=False)
    return ServerClock(rule, changes, offsets, server_changes)


def _zone_and_shift(rule: str) -> tuple[ZoneInfo, int]:
    zone = _zone(rule)  # first as a whole: Etc/GMT+5 is a name
    if zone is not None:
        return zone, 0
    match = _SHIFT.fullmatch(rule)
    zone = _zone(match["zone"]) if match else None
    if match is None or zone is None:
        raise Invalid(
            "bad_server_clock",
            f"{rule!r} is no clock rule; write UTC, UTC+2, an IANA zone such as Europe/Athens, or a zone "
            "and hours such as America/New_York+7",
        )
    shift = int(match["hours"]) * 3600 + int(match["minutes"] or 0) * 60
    if shift > _LARGEST_SHIFT:
        raise Invalid("bad_server_clock", f"{rule!r}: a shift of more than 14 hours is no broker's clock")
    return zone, shift if match["sign"] == "+" else -shift


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _table(zone: ZoneInfo) -> tuple[Epochs, Epochs]:
    """UTC epochs of the zone's changes, and its offsets in seconds around them."""
    changes: list[int] = []
    moment = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    end = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    offsets = [_offset(zone, moment)]
    while moment < end:
        after = moment + _STEP
        offset = _offset(zone, after)
        if offset != offsets[-1]:
            changes.append(_change_between(zone, moment, after))
            offsets.append(offset)
        moment = after
    return np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64)


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> int:
    low, high = int(before.timestamp()), int(after.timestamp())
    old = _offset(zone, before)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, from_epoch(middle)) == old:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
