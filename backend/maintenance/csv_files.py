"""CSV files put in order in place; a malformed one is only reported."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from backend.core.clock import Clock
from backend.core.errors import DeskError, NotFound, Unavailable
from backend.core.problems import Problem
from backend.maintenance.csv_tables import MalformedError, tidy
from backend.maintenance.open_files import OpenFiles, why_left
from backend.storage.atomic import WINDOWS, refusal
from backend.storage.files import FileStorage

FOLDERS = ("logs", "data")
QUIET_SECONDS = 60.0
LARGEST = 16 * 1024 * 1024  # a table takes about 17 times its size in memory while it is sorted
PATIENCE = 5.0  # with a program that had the file open when it was replaced
MOST_NAMES = 50


def optimise(
    storage: FileStorage, clock: Clock, *, dry_run: bool, check: Callable[[], None]
) -> dict[str, Any]:
    """Optimise every CSV file under `logs` and `data` of the desk's folder.

    A file is left alone while somebody has it in hand (see `why_left`), within a minute of being
    written, and beyond 16 MiB. A file that is not clean CSV (a row of another width, a broken quote, a
    time that cannot be read, no header) stays byte for byte and is reported with its line. What is
    rewritten keeps the time of its last write: the rows are as old as they were.

    Args:
        storage: Rooted at the desk's folder.
        clock: Wall time.
        dry_run: Say what would be done, and do nothing.
        check: Called between files; what it raises ends the work.

    Returns:
        Counts, bytes saved, and bounded lists `files`, `skipped` and `malformed`.

    Raises:
        Unavailable: ``not_all_done``: some files could not be read or written; the rest was done.
    """
    work = _Work(storage=storage, clock=clock, dry_run=dry_run)
    for name in (name for folder in FOLDERS for name in storage.names(f"{folder}/**/*.csv")):
        check()
        work.checked += 1
        try:
            work.improve(name)
        except MalformedError as error:
            work.malformed.append(_noted(name, f"line {error.line}", str(error)))
        except (FileNotFoundError, NotFound):
            work.checked -= 1  # gone meanwhile
        except DeskError as error:
            work.fail(name, error)
        except OSError as error:
            work.fail(name, refusal(error, storage.root / name))
    return work.result()


@dataclass(frozen=True, slots=True)
class _Change:
    """A file's content, the better one, and how many rows went."""

    data: bytes
    better: bytes
    removed: int


@dataclass(kw_only=True, slots=True)
class _Work:
    storage: FileStorage
    clock: Clock
    dry_run: bool
    opened: OpenFiles = field(default_factory=OpenFiles)
    checked: int = 0
    removed: int = 0
    saved: int = 0
    files: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    malformed: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    def improve(self, name: str) -> None:
        """One file: looked at without a lock, and only what is to change is locked."""
        path = self.storage.root / name
        reason = self._why_passed_over(path)
        if reason is None:
            data = self.storage.read_bytes(name)
            change = _Change(data, *tidy(data))
            if change.better == data:
                return
            reason = why_left(self.storage, name, self.opened)
        if reason is None and not self.dry_run:
            with self.storage.lock(name, 0.0):
                reason, change = self._rewrite(name, path)
        if reason is not None:
            self.skipped.append(_noted(name, "", reason))
            return
        self.removed += change.removed
        self.saved += len(change.data) - len(change.better)
        self.files.append(name)

    def fail(self, name: str, error: DeskError) -> None:
        """Note a file that could not be dealt with."""
        if error.code == "locked":
            self.skipped.append(_noted(name, "", "it is being written"))
        else:
            self.failed.append(_noted(name, "", error.message))

    def result(self) -> dict[str, Any]:
        """What was done, as the task shows it."""
        told = {
            "dry_run": self.dry_run,
            "checked": self.checked,
            "rewritten": len(self.files),
            "rows_removed": self.removed,
            "bytes_saved": self.saved,
            "files": self.files[:MOST_NAMES],
            "more": max(0, len(self.files) - MOST_NAMES),
            "skipped": self.skipped[:MOST_NAMES],
            "skipped_count": len(self.skipped),
            "malformed": self.malformed[:MOST_NAMES],
            "malformed_count": len(self.malformed),
        }
        if self.failed:
            first = self.failed[0]
            raise Unavailable(
                "not_all_done",
                f"optimising of CSV files: {len(self.failed)} could not be dealt with, the first "
                f"{first['file']}: {first['reason']}",
                failed=self.failed[:MOST_NAMES],
                done=told,
            )
        return told

    def _why_passed_over(self, path: Path) -> str | None:
        status = path.lstat()
        if self.clock.wall().timestamp() - status.st_mtime < QUIET_SECONDS:
            return "it was written within the last minute"
        if status.st_size > LARGEST:
            return f"it is larger than {LARGEST >> 20} MiB"
        return "it has a second name, which would keep the old content" if status.st_nlink > 1 else None

    def _rewrite(self, name: str, path: Path) -> tuple[str | None, _Change]:
        """Read and replace it while the desk's writers wait; gives why it was left, and the change.

        Other programs know nothing of the lock: one that wrote meanwhile is noticed before the file is
        replaced, and what one appended to the old file until then is carried over.
        """
        with _held_open(path) as old:
            before = path.stat()
            data = self.storage.read_bytes(name) if old is None else old.read()
            change = _Change(data, *tidy(data))
            now = path.stat()
            same = (now.st_mtime_ns, now.st_size) == (before.st_mtime_ns, len(data))
            if not same or self._why_passed_over(path) is not None:
                return "it was written meanwhile", change
            self.storage.write_bytes(name, change.better)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            late = b"" if old is None else _late_rows(old, path)
            if late:
                with path.open("ab") as file:
                    file.write(late)
        return None, change


@contextmanager
def _held_open(path: Path) -> Iterator[IO[bytes] | None]:
    if WINDOWS:  # where an open file cannot be replaced, neither by us nor beside another program
        yield None
        return
    with path.open("rb") as file:
        yield file


def _late_rows(old: IO[bytes], path: Path) -> bytes:
    """What was appended to the replaced file, once those who still have it open are done with it."""
    ends = time.monotonic() + PATIENCE
    while path in OpenFiles(apart_from_us=True) and time.monotonic() < ends:
        time.sleep(0.02)
    return old.read()


def _noted(name: str, pointer: str, reason: str) -> dict[str, str]:
    return Problem(file=name, pointer=pointer, reason=reason).as_dict()
