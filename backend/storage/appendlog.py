"""A log that many processes write and one process follows: each writer owns its own segments.

No writer waits for another, so nothing is locked. A segment is named
``{writer}-{YYYYmmdd}-{HHMMSS}-{random}.jsonl``; a writer starts the next one when the UTC day changes
or the segment is large, and ends the old one with an `END` line. Between segments there is no order.
"""

import contextlib
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, Any, Self

from backend.core.clock import day, stamp
from backend.core.errors import DeskError, Invalid, Unavailable, from_dict
from backend.storage import atomic
from backend.storage.encoding import decode, encode_line
from backend.storage.files import FileStorage
from backend.storage.lines import sync_file, write_whole_lines
from backend.storage.names import safe_name

SEGMENT_BYTES = 16 * 1024 * 1024
END = b'{"segment":"end"}\n'

_SEGMENT = re.compile(r".+-(\d{8})-\d{6}-[0-9a-f]{12}\.jsonl")
_GROWING_DAYS = 2  # a writer leaves its segment when the day changes; this much is margin
_SETTLE_SECONDS = 2.0  # coarsest time stamp of a folder on the file systems we meet
_RESCAN_SECONDS = 30.0
_MOST_PROBLEMS = 100


@dataclass(slots=True)
class _Batch:
    """Records that are written and synced together."""

    lines: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    error: DeskError | None = None
    done: bool = False


class SegmentWriter:
    """One writer's own append-only segments; any number of threads may append.

    Threads that append at the same time share one write and one sync: the first of them does it
    for all that arrived meanwhile.

    Args:
        storage: Where the folder stands; its clock names the segments.
        folder: Relative folder of the log.
        name: The writer, such as ``worker-orders``; each object has its own segment nevertheless.
        segment_bytes: Size after which the next segment is started.
    """

    def __init__(
        self, storage: FileStorage, folder: str, *, name: str, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._name = safe_name(name)
        self._segment_bytes = segment_bytes
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._condition = threading.Condition()
        self._gathering = _Batch()
        self._busy = False
        self._file: IO[bytes] | None = None
        self._size = 0
        self._day = ""
        self._segment = ""

    @property
    def segment(self) -> str:
        """Name of the segment being written, relative to the storage; empty before the first record."""
        return self._segment

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a record; returns when it is on the disk.

        Raises:
            Invalid: Code ``not_json``.
            Unavailable: The disk refused; the record may nevertheless stand in the log (code
                ``disk_error``) or certainly does not (``disk_full``, ``not_permitted``).
        """
        line = encode_line(record, where=self._folder)
        if self._process != os.getpid():
            self._start()  # a child of fork writes its own segment, not its parent's
        with self._condition:
            if self._closed:
                raise Unavailable("closed", f"the log {self._folder} of {self._name} is closed")
            batch = self._gathering
            index = len(batch.lines)
            batch.lines.append(line)
            while self._busy and not batch.done:
                self._condition.wait()
            leads = not batch.done
            if leads:
                self._take_lead()
        if leads:
            self._commit_batch(batch)
        if index >= batch.acknowledged:
            error = batch.error or Unavailable("disk_error", f"{self._folder}: interrupted while writing")
            raise from_dict(error.as_dict())  # an error of its own for each thread

    def close(self) -> None:
        """Finish what is being written and end the segment; appending afterwards is refused."""
        with self._condition:
            self._closed = True
            while self._busy:
                self._condition.wait()
            left = self._take_lead()
        if left.lines:
            self._commit_batch(left)
        with self._condition:
            self._leave_segment()
            self._busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_lead(self) -> _Batch:
        batch = self._gathering
        self._busy = True
        self._gathering = _Batch()
        return batch

    def _commit_batch(self, batch: _Batch) -> None:
        try:
            self._commit(batch)
        except DeskError as error:
            batch.error = error
        except OSError as error:
            batch.error = atomic.refusal(error, self._storage.root / self._folder)
        finally:
            with self._condition:
                batch.done = True
                self._busy = False
                self._condition.notify_all()

    def _commit(self, batch: _Batch) -> None:
        today = day(self._storage.clock.wall())
        if self._file is not None and (self._day != today or self._size >= self._segment_bytes):
            self._leave_segment()
        file = self._file or self._next_segment(today)
        path = self._storage.root / self._segment
        try:
            write_whole_lines(file, path, b"".join(batch.lines), start=self._size)
        except DeskError as error:
            count, size = _whole_lines(batch.lines, int(error.details.get("kept", 0)))
            self._sync(file)
            self._size += size
            batch.acknowledged = count
            raise
        except BaseException:
            self._abandon_segment()
            raise
        self._size += sum(map(len, batch.lines))
        self._sync(file)
        batch.acknowledged = len(batch.lines)

    def _sync(self, file: IO[bytes]) -> None:
        try:
            sync_file(file, self._storage.root / self._segment)
        except BaseException:
            self._abandon_segment()  # what the disk holds is unknown: never write behind it
            raise

    def _next_segment(self, today: str) -> IO[bytes]:
        began = stamp(self._storage.clock.wall()).replace("_", "-")
        name = f"{self._folder}/{self._name}-{began}-{secrets.token_hex(6)}.jsonl"
        path = self._storage.path(name)
        atomic.make_folder(path.parent, fsync=True)
        with atomic.refusals(path):
            file = path.open("xb", buffering=0)
        self._file, self._size, self._day, self._segment = file, 0, today, name
        with atomic.refusals(path):
            atomic.sync_folder(path.parent)
        return file

    def _leave_segment(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError, DeskError):  # a courtesy to the reader; it does without
                write_whole_lines(self._file, self._storage.root / self._segment, END, start=self._size)
            self._abandon_segment()

    def _abandon_segment(self) -> None:
        if self._file is not None:
            file, self._file, self._segment = self._file, None, ""
            with contextlib.suppress(OSError):
                file.close()


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


_CHUNK = 1024 * 1024


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


def _whole_lines(lines: list[bytes], size: int) -> tuple[int, int]:
    """How many of the lines fit into the first `size` bytes, and their length."""
    total = 0
    for count, line in enumerate(lines):
        if total + len(line) > size:
            return count, total
        total += len(line)
    return len(lines), total


def _day(name: str) -> str:
    return _began(name)[:8]


def _began(name: str) -> str:
    return name[-len("YYYYmmdd-HHMMSS-0123456789ab.jsonl") :]
