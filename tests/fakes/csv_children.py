"""Processes that write CSV files, or are killed while upkeep rewrites one; started with ``python -m``."""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from backend.core.clock import SystemClock
from backend.maintenance.csv_files import optimise
from backend.storage.files import FileStorage

COLUMNS = ("time", "writer", "n")


class Ahead:
    """An hour ahead, so that what was written just now counts as quiet."""

    def now(self) -> datetime:
        return self.wall()

    def wall(self) -> datetime:
        return SystemClock().wall() + timedelta(hours=1)


def row(writer: str, n: int) -> tuple[str, str, int]:
    """A row; the later the earlier its time, so that every look finds something to sort."""
    at = datetime(2026, 1, 5, tzinfo=UTC) - timedelta(seconds=n)
    return (at.isoformat(), writer, n)


def through_storage(root: str, name: str, writer: str, rows: int) -> None:
    """Append as the desk does."""
    storage = FileStorage(Path(root), fsync=False)
    for n in range(rows):
        storage.append_csv(name, COLUMNS, [row(writer, n)])


def by_hand(root: str, name: str, writer: str, rows: int) -> None:
    """Append as any script does, without a thought of locks."""
    for n in range(rows):
        with (Path(root) / name).open("a", encoding="utf-8", newline="") as file:
            file.write(",".join(map(str, row(writer, n))) + "\n")
        time.sleep(0.001)


def die_at(moment: str, root: str) -> NoReturn:
    """Optimise, and die as by kill -9 at the very moment before or after the file is replaced."""
    real = Path.replace

    def replace(self: Path, target: Any) -> Path:
        if moment == "after":
            real(self, target)
        os._exit(9)

    Path.replace = replace  # type: ignore[assignment, method-assign]
    optimise(FileStorage(Path(root)), Ahead(), dry_run=False, check=lambda: None)
    raise SystemExit("nothing was replaced")


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "die":
        die_at(*given)
    (through_storage if what == "storage" else by_hand)(given[0], given[1], given[2], int(given[3]))
