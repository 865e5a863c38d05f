"""The job ledger: every job's history on disk, written by many processes, read by each.

A row is on the disk before what it announces is done. Rows stand in ``data/task_runs/ledger``, one
append-only segment a writer, so no process ever waits for another.
"""

import contextlib
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import Clock, day, parse_iso
from backend.core.errors import DeskError, Invalid, NotFound, Unavailable
from backend.jobs.index import Entry, Index, unpacked
from backend.jobs.rows import Kind, Row, written
from backend.storage.appendlog import SegmentWriter
from backend.storage.files import FileStorage
from backend.storage.tail import SegmentTail

FOLDER = "task_runs/ledger"
DAYS = 7
LIMIT = 10_000
_POLL_LIMIT = 5_000

log = logging.getLogger(__name__)
_BOOT = os.urandom(3).hex()


class Ledger:
    """Rows in, jobs out. Thread-safe; a forked child needs its own.

    Args:
        storage: The desk's ``data`` folder.
        clock: Stamps each row with wall and desk time.
        writer: Names this process's segments, such as ``api`` or ``worker-orders``.
        days: How many days back are read into memory.
        limit: How many ended jobs are remembered.
    """

    def __init__(
        self, storage: FileStorage, clock: Clock, *, writer: str, days: int = DAYS, limit: int = LIMIT
    ) -> None:
        since = day(clock.wall() - timedelta(days=days))
        self.index = Index(limit)
        self.clock = clock
        self._storage = storage
        self._writer = SegmentWriter(storage, FOLDER, name=writer)
        self._tail = SegmentTail(storage, FOLDER, since=since)
        self._guard = threading.RLock()
        self._later: queue.SimpleQueue[Row | threading.Event | None] = queue.SimpleQueue()
        self._flusher: threading.Thread | None = None
        self._loaded = False

    @property
    def problems(self) -> list[DeskError]:
        """Lines of the ledger that could not be read."""
        return self._tail.problems

    def append(self, kind: Kind, job_id: str, *, run: int = 0, **fields: Any) -> Row:
        """Write a row and give it back once it is on the disk; fields that are None are left out."""
        row = self._row(kind, job_id, run, fields)
        self._writer.append(row)
        return row

    def append_many(self, kind: Kind, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Write a row for each job, of its id and fields, with one sync; returns once all are on the disk.

        Raises:
            Unavailable: The disk refused; the detail ``written`` counts the first that are there.
        """
        self._writer.append_many(
            [self._row(kind, job_id, fields.get("run", 0), fields) for job_id, fields in rows.items()]
        )

    def note(self, kind: Kind, job_id: str, *, run: int = 0, **fields: Any) -> None:
        """Write a row soon, without waiting: for what can be found out again if it is lost."""
        self._later.put(self._row(kind, job_id, run, fields))
        if self._flusher is None:
            with self._guard:
                if self._flusher is None:
                    self._flusher = threading.Thread(target=self._flush, name="ledger", daemon=True)
                    self._flusher.start()

    def flush(self, timeout: float = 5.0) -> None:
        """Wait until everything noted so far is on the disk, at most `timeout` seconds."""
        if self._flusher is not None:
            written_down = threading.Event()
            self._later.put(written_down)
            written_down.wait(timeout)

    def refresh(self) -> Index:
        """Read what was written since, by any process; gives the index."""
        with self._guard:
            while True:
                rows = self._tail.poll(_POLL_LIMIT)
                for row in rows:
                    self.index.add(row)
                self.index.trim()
                if len(rows) < _POLL_LIMIT:
                    self._loaded = True
                    return self.index

    def find(self, job_id: str) -> Entry | None:
        """The job as it stands now, or None if its id is not in the ledger at all."""
        with self._guard:
            entry = self.refresh().get(job_id)
        return entry if entry is not None else self._scan_for(job_id)

    def get(self, job_id: str) -> Entry:
        """As `find`; `NotFound` ``unknown_job`` for an id that was never issued."""
        entry = self.find(job_id)
        if entry is None:
            raise NotFound("unknown_job", f"there is no job {job_id}", job=job_id)
        return entry

    def recent(self, job_id: str) -> Entry | None:
        """The job if it is remembered; older ones are not looked for."""
        with self._guard:
            return self.refresh().get(job_id)

    def entries(self) -> list[Entry]:
        """Every remembered job, in the order in which they were read."""
        with self._guard:
            return list(self.refresh())

    def live(self) -> list[Entry]:
        """Jobs that have not ended."""
        with self._guard:
            return self.refresh().live()

    def older(self, before: str) -> list[Entry]:
        """Jobs queued before that time, from the files, also those no longer remembered."""
        index = Index(1_000_000_000)
        for row in self._rows_of_all(lambda _line: True):
            index.add(row)
        return [entry for entry in index if entry.queued_at < before]

    def keyed(self, key: str) -> Entry | None:
        """The job made under that idempotency key within the days in memory."""
        with self._guard:
            index = self.refresh()
            job_id = index.keyed(key)
            return index.get(job_id) if job_id is not None else None

    def cursor(self) -> str:
        """The place in the stream of rows after the newest one."""
        with self._guard:
            return self._cursor(self.refresh().count, written(self.clock.wall()))

    def changes(self) -> int:
        """How many rows this process has read."""
        with self._guard:
            return self.refresh().count

    def since(self, cursor: str, limit: int) -> list[tuple[str, Row]]:
        """Rows after the cursor with the cursor of each, oldest first.

        Of a cursor from another run of this process, rows of up to two seconds before it come again.
        """
        boot, number, at = parse_cursor(cursor)
        with self._guard:
            ring = list(self.refresh().ring)
        floor = written(_less(at, 2.0)) if boot != _BOOT else ""
        found: list[tuple[str, Row]] = []
        for count, packed in ring:
            if boot == _BOOT and count <= number:
                continue
            row = unpacked(packed)
            if row["at"] >= floor:
                found.append((self._cursor(count, row["at"]), row))
            if len(found) >= limit:
                break
        return found

    def close(self) -> None:
        """Write what waits and end this writer's segment."""
        if self._flusher is not None:
            self._later.put(None)
            self._flusher.join(5.0)
        self._writer.close()

    def _row(self, kind: Kind, job_id: str, run: int, fields: Mapping[str, Any]) -> Row:
        row: Row = {"kind": str(kind), "job": job_id, "at": written(self.clock.wall()), "run": run}
        # A replayed desk's time is the connector's: while it is away nobody knows it.
        with contextlib.suppress(Unavailable):
            row["desk"] = written(self.clock.now())
        row.update((name, value) for name, value in fields.items() if value is not None)
        return row

    def _flush(self) -> None:
        going = True
        while going:
            taken = [self._later.get()]
            while not self._later.empty():  # what waits already shares one sync
                taken.append(self._later.get())
            going = None not in taken
            rows = [row for row in taken if isinstance(row, dict)]
            try:
                self._writer.append_many(rows)
            except DeskError as error:
                log.warning("the ledger lost %d remarks on jobs: %s", len(rows), error.message)
            for waiter in taken:
                if isinstance(waiter, threading.Event):
                    waiter.set()

    def _cursor(self, count: int, at: str) -> str:
        return f"{_BOOT}.{count}.{at}"

    def _scan_for(self, job_id: str) -> Entry | None:
        needle = job_id.encode()
        if not _looks_like_id(job_id):
            return None
        entry = Entry(job_id)
        for row in self._rows_of_all(lambda line: needle in line):
            if row.get("job") == job_id and row.get("kind") in Kind.__members__:
                entry.add(row)
        return entry if entry.known else None

    def _rows_of_all(self, wanted: Callable[[bytes], bool]) -> Iterator[Row]:
        for name in self._storage.names(f"{FOLDER}/*.jsonl"):
            try:
                file = self._storage.path(name).open("rb")
            except FileNotFoundError:
                continue
            with file:
                for line in file:
                    if line.endswith(b"\n") and wanted(line):
                        try:
                            row = unpacked(line)
                        except ValueError:
                            continue  # the tail reports it
                        if "job" in row:
                            yield row


def wait_until(ready: Callable[[], bool], timeout: float, *, step: float = 0.02) -> bool:
    """Look again and again until it is so or `timeout` seconds have passed; says whether it is."""
    end = time.monotonic() + timeout
    while not ready():
        if time.monotonic() >= end:
            return False
        time.sleep(step)
        step = min(step * 1.2, 0.25)
    return True


def parse_cursor(cursor: str) -> tuple[str, int, datetime]:
    """(run of the process, count, time) of a cursor; `Invalid` ``bad_cursor``."""
    boot, _, rest = cursor.partition(".")
    number, _, at = rest.partition(".")
    try:
        return boot, int(number), parse_iso(at)
    except (ValueError, DeskError):
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of the event stream") from None


def _less(at: datetime, seconds: float) -> datetime:
    return at - timedelta(seconds=seconds)


def _looks_like_id(text: str) -> bool:
    return 0 < len(text) <= 64 and all(mark.isalnum() or mark in "-_" for mark in text)  # noqa: PLR2004


def segment_day(name: str) -> str:
    """The UTC day, ``YYYYmmdd``, on which a segment of the ledger was begun; the far future if none."""
    found = re.search(r"-(\d{8})-\d{6}-[0-9a-f]{12}\.jsonl$", name)
    return found[1] if found else "99999999"
