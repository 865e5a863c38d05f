"""How old a file is, and removing what is too old: the rules that all clean-ups share."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from backend.core.errors import DeskError, Invalid, Unavailable
from backend.maintenance.open_files import OpenFiles, why_left
from backend.storage.atomic import refusal
from backend.storage.files import FileStorage

LONGEST_KEEP = 3650
MOST_NAMES = 50
REPLAYED = timedelta(days=1)  # desk time so far behind wall time is that of a replay

_DATE = re.compile(r"(?<!\d)(\d{4})(-?)(\d{2})\2(\d{2})(?!\d)")


def check_days(days_to_keep: int) -> timedelta:
    """The days as a span.

    Raises:
        Invalid: Code ``bad_days_to_keep``: not a whole number from 1 to 3650.
    """
    if type(days_to_keep) is not int or not 1 <= days_to_keep <= LONGEST_KEEP:
        raise Invalid(
            "bad_days_to_keep",
            f"days_to_keep is {days_to_keep!r}; allowed are whole days from 1 to {LONGEST_KEEP}",
            allowed=[1, LONGEST_KEEP],
        )
    return timedelta(days=days_to_keep)


def date_in(name: str) -> date | None:
    """The last day written in a file's name as ``YYYYmmdd`` or ``YYYY-mm-dd``, or None."""
    for match in reversed(list(_DATE.finditer(name))):
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """Judges files: by the UTC day in the name where there is one, and by when they were last written.

    A file is old when both are. In a replay names tell the replayed days and stamps today; then a day in
    the name counts alone.

    Attributes:
        keep: How long files are kept.
        names_now: The time that names are written in (desk or wall time), aware UTC.
        wall: Wall time, which the file system's stamps follow.
    """

    keep: timedelta
    names_now: datetime
    wall: datetime

    def is_old(self, path: Path) -> bool:
        """Whether the file is older than what is kept; a file that vanished meanwhile is not."""
        named = date_in(path.name)
        if named is not None and named >= (self.names_now - self.keep).date():
            return False
        if named is not None and self.wall - self.names_now > REPLAYED:
            return True
        try:
            return path.lstat().st_mtime < (self.wall - self.keep).timestamp()
        except FileNotFoundError:
            return False


@dataclass(slots=True)
class Tally:
    """What a clean-up did, as the task's result shows it."""

    count: int = 0
    size: int = 0
    files: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    def add(self, name: str, size: int) -> None:
        """Count one file."""
        self.count += 1
        self.size += size
        if len(self.files) < MOST_NAMES:
            self.files.append(name)

    def skip(self, name: str, reason: str) -> None:
        """Note one file that is old and was left alone."""
        self.skipped.append({"file": name, "reason": reason})

    def fail(self, name: str, error: DeskError) -> None:
        """Note one file that could not be dealt with."""
        self.failed.append({"file": name, "reason": error.message})

    def as_dict(self, verb: str) -> dict[str, Any]:
        """`verb` counts the files, `files` names the first 50, `more` counts those not named.

        `skipped` names the first 50 that are old and were left alone, and why.
        """
        return {
            verb: self.count,
            "bytes": self.size,
            "files": self.files,
            "more": self.count - len(self.files),
            "skipped": self.skipped[:MOST_NAMES],
            "skipped_count": len(self.skipped),
        }

    def require_all(self, what: str, result: dict[str, Any]) -> dict[str, Any]:
        """The result, if every file was dealt with.

        Raises:
            Unavailable: Code ``not_all_done``, with the result and each file that failed.
        """
        if self.failed:
            first = self.failed[0]
            raise Unavailable(
                "not_all_done",
                f"{what}: {len(self.failed)} files could not be dealt with, the first {first['file']}: "
                f"{first['reason']}",
                failed=self.failed[:MOST_NAMES],
                done=result,
            )
        return result


def remove_old(
    storage: FileStorage,
    names: Iterable[str],
    age: Age,
    opened: OpenFiles,
    *,
    dry_run: bool,
    check: Callable[[], None],
) -> Tally:
    """Remove those of the files that are old and that nobody has in hand.

    Age is asked once more when no writer of the desk can be at the file any more.
    """
    tally = Tally()
    for name in sorted(names):
        check()
        path = storage.root / name
        if not age.is_old(path):
            continue
        try:
            reason = why_left(storage, name, opened)
            if reason is not None:
                tally.skip(name, reason)
                continue
            size = path.lstat().st_size
            if dry_run or storage.delete(name, timeout=0.0, only_if=partial(age.is_old, path)):
                tally.add(name, size)
        except FileNotFoundError:
            continue  # somebody else was faster
        except DeskError as error:
            if error.code == "locked":
                tally.skip(name, "it is being written")
            else:
                tally.fail(name, error)
        except OSError as error:
            tally.fail(name, refusal(error, path))
    return tally
