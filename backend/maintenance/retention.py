"""What is kept for how long: logs, caches, task history, and the archive of trade logs."""

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from backend.core.clock import Clock
from backend.core.errors import Conflict, DeskError
from backend.maintenance.aging import Age, Tally, check_days, date_in, remove_old
from backend.maintenance.csv_files import optimise, split_records
from backend.storage.files import FileStorage

LOGS = "logs"
ARCHIVE = "logs/archive"
CACHE = "data/cache"
MARKET_CACHE = "data/cache/market_data"
TASK_RUNS = "data/task_runs"
LOCK_SECONDS = 30.0

_TRADES = re.compile(r"trades_\d{8}\.csv")
_LOG = re.compile(r"(?!trades_)(?:.+\.log(?:\..+)?|.+\.log-.+)")


class Maintenance:
    """Upkeep of the desk's own files.

    Args:
        storage: Rooted at the desk's folder, in which `data` and `logs` stand.
        clock: Both times: names of logs and task history follow wall time, of caches and trades desk time.
        task_runs_days: How long the task history is kept.
        current_logs: Patterns of logs that a running process writes; without a day in their name they stay.
    """

    def __init__(
        self,
        storage: FileStorage,
        clock: Clock,
        *,
        task_runs_days: int = 90,
        current_logs: Collection[str] = ("app.log",),
    ) -> None:
        check_days(task_runs_days)
        self._storage = storage
        self._clock = clock
        self._task_runs_days = task_runs_days
        self._current_logs = tuple(current_logs)

    def cleanup_logs(self, days_to_keep: int = 30, *, dry_run: bool = False) -> dict[str, Any]:
        """Remove logs older than that, judged by the day in the name, else by the last write.

        Also removes task history by its own, longer retention. Never touched: `app.log` and the other
        current logs, trade logs, locks.

        Raises:
            Invalid: `days_to_keep` is not 1 to 3650.
            Unavailable: Some files could not be removed; `details` says which, and what was.
        """
        age = self._age(days_to_keep, by_desk_time=False)
        logs = [
            path for path in self._files(LOGS) if _LOG.fullmatch(path.name) and not self._is_current(path)
        ]
        tally = remove_old(self._storage.root, logs, age, dry_run=dry_run, remove=self._unlink)
        result = {"days_to_keep": days_to_keep, "dry_run": dry_run, **tally.as_dict("removed")}
        result["task_runs"] = self.cleanup_task_runs(self._task_runs_days, dry_run=dry_run)
        return tally.require_all("cleanup of logs", result)

    def cleanup_task_runs(self, days_to_keep: int = 90, *, dry_run: bool = False) -> dict[str, Any]:
        """Remove the task history's segments of days older than that.

        Raises:
            Invalid: `days_to_keep` is not 1 to 3650.
            Unavailable: Some files could not be removed.
        """
        age = self._age(days_to_keep, by_desk_time=False)
        segments = [
            path
            for path in self._files(TASK_RUNS, "**/*.jsonl")
            if date_in(path.name) is not None  # a name without a day is state, not history
        ]
        tally = remove_old(self._storage.root, segments, age, dry_run=dry_run, remove=self._unlink)
        result = {"days_to_keep": days_to_keep, "dry_run": dry_run, **tally.as_dict("removed")}
        return tally.require_all("cleanup of the task history", result)

    def cleanup_cache(self, days_to_keep: int = 7, *, dry_run: bool = False) -> dict[str, Any]:
        """Remove cache files older than that.

        Current state without a day in its name, such as the calendar and the news, stays.

        Raises:
            Invalid: `days_to_keep` is not 1 to 3650.
            Unavailable: Some files could not be removed.
        """
        age = self._age(days_to_keep, by_desk_time=True)
        market = self._storage.root / MARKET_CACHE
        cached = [
            path
            for path in self._files(CACHE, "**/*")
            if date_in(path.name) is not None or path.parent == market
        ]
        tally = remove_old(self._storage.root, cached, age, dry_run=dry_run, remove=self._storage.delete)
        result = {"days_to_keep": days_to_keep, "dry_run": dry_run, **tally.as_dict("removed")}
        return tally.require_all("cleanup of the cache", result)

    def archive_trades(self, days_to_keep: int = 90, *, dry_run: bool = False) -> dict[str, Any]:
        """Move trade logs of days older than that to `logs/archive/`, under the same name.

        Into a target that is already there only the rows that it lacks are merged. The source goes only
        when the target is on the disk, so a crash at any point loses and doubles nothing.

        Raises:
            Invalid: `days_to_keep` is not 1 to 3650.
            Unavailable: Some files could not be moved; both then stand as they were.
        """
        age = self._age(days_to_keep, by_desk_time=True)
        tally = Tally()
        merged = 0
        for path in sorted(self._files(LOGS)):
            dated = _TRADES.fullmatch(path.name) and date_in(path.name) is not None
            if not dated or not age.is_old(path):
                continue
            name = f"{LOGS}/{path.name}"
            try:
                size, existed = self._archive(path.name, dry_run=dry_run)
            except FileNotFoundError:
                continue  # moved by somebody else meanwhile
            except DeskError as error:
                tally.fail(name, error)
            else:
                merged += existed
                tally.add(name, size)
        result = {
            "days_to_keep": days_to_keep,
            "dry_run": dry_run,
            "merged": merged,
            **tally.as_dict("archived"),
        }
        return tally.require_all("archiving of trades", result)

    def optimize_csv(self) -> dict[str, Any]:
        """Sort, deduplicate, validate and compact the CSV files under `logs` and `data`, in place."""
        return optimise(self._storage, self._clock)

    def _archive(self, file: str, *, dry_run: bool) -> tuple[int, bool]:
        source, target = f"{LOGS}/{file}", f"{ARCHIVE}/{file}"
        with self._storage.lock(source, LOCK_SECONDS), self._storage.lock(target, LOCK_SECONDS):
            data = self._storage.path(source).read_bytes()
            existed = self._storage.exists(target)
            if not dry_run:
                if existed:
                    old = self._storage.read_bytes(target)
                    merged = _merge(target, old, data)
                    if merged != old:
                        self._storage.write_bytes(target, merged)
                else:
                    self._storage.write_bytes(target, data)
                self._storage.delete(source)
        return len(data), existed

    def _age(self, days_to_keep: int, *, by_desk_time: bool) -> Age:
        wall = self._clock.wall()
        names_now = self._clock.now() if by_desk_time else wall
        return Age(keep=check_days(days_to_keep), names_now=names_now, wall=wall)

    def _files(self, folder: str, pattern: str = "*") -> Iterator[Path]:
        for name in self._storage.names(f"{folder}/{pattern}"):
            yield self._storage.root / name

    def _is_current(self, path: Path) -> bool:
        """Whether a running process may be writing it; a log with a day in its name is finished with it."""
        undated = date_in(path.name) is None
        return undated and any(fnmatchcase(path.name, pattern) for pattern in self._current_logs)

    def _unlink(self, name: str) -> None:
        self._storage.path(name).unlink()


def _merge(target: str, old: bytes, new: bytes) -> bytes:
    """The rows of `old`, then those of `new` that it does not have; headers must agree."""
    there, arriving = split_records(old), split_records(new)
    if not arriving:
        return old
    if not there:
        return new
    if there[0] != arriving[0]:
        raise Conflict(
            "other_columns",
            f"{target} has other columns than the trade log of the same day; neither was changed",
            file=target,
        )
    known = set(there)
    fresh = [row for row in arriving if row not in known]
    return b"\n".join([*there, *fresh]) + b"\n"
