"""A log that many processes write and one process follows: each writer owns its own segments.

No writer waits for another, so nothing is locked. A segment is named
``{writer}-{YYYYmmdd}-{HHMMSS}-{random}.jsonl``; a writer starts the next one when the UTC day changes
or the segment is large, and ends the old one with an `END` line. Between segments there is no order.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Self

from backend.core.clock import day, stamp
from backend.core.errors import DeskError, Unavailable, from_dict
from backend.storage import atomic
from backend.storage.encoding import encode_line
from backend.storage.files import FileStorage
from backend.storage.lines import sync_file, write_whole_lines
from backend.storage.names import safe_name
from backend.storage.tail import END, SegmentTail

__all__ = ["SEGMENT_BYTES", "SegmentTail", "SegmentWriter"]

SEGMENT_BYTES = 16 * 1024 * 1024


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
        self._begun = 0
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
        self.append_many([record])

    def append_many(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append records in order with one write; returns when all are on the disk.

        Raises:
            Invalid: Code ``not_json``; none was written.
            Unavailable: As for `append`. The detail ``written`` counts the first of them that are
                on the disk all the same.
        """
        lines = [encode_line(record, where=self._folder) for record in records]
        if not lines:
            return
        if self._process != os.getpid():
            self._start()  # a child of fork writes its own segment, not its parent's
        with self._condition:
            if self._closed:
                raise Unavailable("closed", f"the log {self._folder} of {self._name} is closed", written=0)
            batch = self._gathering
            first = len(batch.lines)
            batch.lines += lines
            while self._busy and not batch.done:
                self._condition.wait()
            leads = not batch.done
            if leads:
                self._take_lead()
        if leads:
            self._commit_batch(batch)
        if first + len(lines) > batch.acknowledged:
            error = batch.error or Unavailable("disk_error", f"{self._folder}: interrupted while writing")
            own = from_dict(error.as_dict())  # an error of its own for each thread
            own.details["written"] = max(0, batch.acknowledged - first)
            raise own

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
        self._begun += 1  # in the name, so that segments of one second stand in their order
        name = f"{self._folder}/{self._name}-{began}-{self._begun % 0x10000:04x}{secrets.token_hex(4)}.jsonl"
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


def _whole_lines(lines: list[bytes], size: int) -> tuple[int, int]:
    """How many of the lines fit into the first `size` bytes, and their length."""
    total = 0
    for count, line in enumerate(lines):
        if total + len(line) > size:
            return count, total
        total += len(line)
    return len(lines), total
