"""Following the segments that many writers append to."""

import os
import re
import time
from datetime import timedelta
from typing import IO, Any

from backend.core.clock import day
from backend.core.errors import DeskError, Invalid
from backend.storage.encoding import decode
from backend.storage.files import FileStorage

END = b'"end of segment"\n'  # last line of a segment that its writer has left; no record is a string

_SEGMENT = re.compile(r".+-(\d{8})-\d{6}-[0-9a-f]{12}\.jsonl")
_GROWING_DAYS = 2  # a writer leaves its segment when the day changes; this much is margin
_SETTLE_SECONDS = 2.0  # coarsest time stamp of a folder on the file systems we meet
_RESCAN_SECONDS = 30.0
_MOST_PROBLEMS = 100
_CHUNK = 1024 * 1024


class SegmentTail:
    """Follows all segments of a folder; one thread at a time may poll.

    Args:
        storage: Where the folder stands.
        folder: Relative folder of the log; it need not exist yet.
        since: First UTC day to read, ``YYYYmmdd``; segments begun before it are passed over.
    """

    def __init__(self, storage: FileStorage, folder: str, *, since: str | None = None) -> None:
        self.problems: list[DeskError] = []
        self._storage = storage
        self._folder = str(storage.path(folder))
        self._since = since or ""
        self._read: dict[str, int] = {}  # bytes read of every segment there is
        self._seen: dict[str, int] = {}  # size at which nothing more was complete
        self._growing: set[str] = set()  # segments that may still grow
        self._folder_time = -1
        self._changed_at = float("-inf")
        self._scanned_at = float("-inf")

    def poll(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The records completed since the last poll, those of one segment in order.

        A record is returned once. A last line without newline waits until its writer completes it.
        A line that is not a record is put in `problems` (the first 100) and passed over.

        Args:
            limit: Stop after the segment chunk that reaches this many; poll again for the rest.
        """
        self._look_for_segments()
        records: list[dict[str, Any]] = []
        for name in sorted(self._growing, key=_began):
            self._follow(name, records, limit)
            if limit is not None and len(records) >= limit:
                break
        return records

    def _look_for_segments(self) -> None:
        now = time.monotonic()
        try:
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - four times a second for ever
        except FileNotFoundError:
            for gone in list(self._read):
                self._forget(gone)
            self._folder_time = -1
            return
        if changed != self._folder_time:
            self._folder_time = changed
            self._changed_at = now
        elif now - self._changed_at > _SETTLE_SECONDS and now - self._scanned_at < _RESCAN_SECONDS:
            return
        self._scanned_at = now
        found = {name for name in os.listdir(self._folder) if _SEGMENT.fullmatch(name)}  # noqa: PTH208
        for gone in self._read.keys() - found:
            self._forget(gone)
        oldest = day(self._storage.clock.wall() - timedelta(days=_GROWING_DAYS))
        for name in found:
            if name not in self._read and _day(name) >= self._since:
                self._read[name] = 0
                self._growing.add(name)
            elif name in self._growing and _day(name) < oldest and self._is_read(name):
                self._growing.discard(name)

    def _is_read(self, name: str) -> bool:
        """Whether nothing new stands in an old segment; a torn last line will never be completed."""
        try:
            with open(self._path(name), "rb") as file:  # noqa: PTH123 - as the rest of the tail
                file.seek(self._read[name])
                return b"\n" not in file.read()
        except FileNotFoundError:
            return True

    def _follow(self, name: str, records: list[dict[str, Any]], limit: int | None) -> None:
        path = self._path(name)
        offset = self._read[name]
        try:
            size = os.stat(path).st_size  # noqa: PTH116 - the idle path of every poll
            if size == self._seen.get(name, 0):
                return
            if size < offset:
                self._report(name, f"was cut from {offset} to {size} bytes", offset)
                self._read[name] = size
            with open(path, "rb") as file:  # noqa: PTH123
                file.seek(offset)
                while limit is None or len(records) < limit:
                    chunk = _complete(file)
                    if not chunk:
                        self._seen[name] = size
                        return
                    if self._take(name, chunk, records):
                        self._growing.discard(name)
                        return
        except FileNotFoundError:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._read.pop(name, None)
        self._seen.pop(name, None)
        self._growing.discard(name)

    def _take(self, name: str, chunk: bytes, records: list[dict[str, Any]]) -> bool:
        """Add the chunk's records; says whether the segment ends there."""
        for line in chunk.removesuffix(b"\n").split(b"\n"):
            if line == END.rstrip():
                return True
            try:
                record = decode(line)
            except ValueError:
                record = None
            if isinstance(record, dict):
                records.append(record)
            else:
                self._report(name, "has a line that is not a record", self._read[name])
            self._read[name] += len(line) + 1
        return False

    def _report(self, name: str, what: str, offset: int) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            path = self._path(name)
            self.problems.append(
                Invalid("corrupt_segment", f"{path} {what}, near byte {offset}", path=path, offset=offset)
            )

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)  # noqa: PTH118


def _complete(file: IO[bytes]) -> bytes:
    """The next complete lines, about a megabyte; leaves the file behind them."""
    data = b""
    while True:
        more = file.read(_CHUNK)
        data += more
        end = data.rfind(b"\n") + 1
        if end:
            file.seek(end - len(data), os.SEEK_CUR)
            return data[:end]
        if not more:
            return b""


def _day(name: str) -> str:
    return _began(name)[:8]


def _began(name: str) -> str:
    return name[-len("YYYYmmdd-HHMMSS-0123456789ab.jsonl") :]
