"""What is kept for how long: logs, caches, task history, and the archive of trade logs."""

import os
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from backend.core.clock import Clock
from backend.core.errors import Conflict, DeskError, NotFound
from backend.maintenance.aging import Age, Tally, check_days, date_in, remove_old
from backend.maintenance.csv_files import optimise
from backend.maintenance.csv_tables import split_records
from backend.maintenance.open_files import OpenFiles, why_left
from backend.storage.atomic import abandoned, refusal
from backend.storage.files import FileStorage

LOGS = "logs"
APP_LOG = "logs/app.log"
ARCHIVE = "logs/archive"
CACHE = "data/cache"
MARKET_CACHE = "data/cache/market_data"
TASK_RUNS = "data/task_runs"
HEALTH = "data/health_checks"
WRITTEN = ("config", "data", "logs")  # where the desk writes
LOCK_SECONDS = 30.0

_TRADES = re.compile(r"trades_\d{8}\.csv")
_LOG = re.compile(r"(?!trades_)(?:.+\.log(?:\..+)?|.+\.log-.+)")


def _never() -> None:
    """Nothing stops the work."""


class Maintenance:
    """Upkeep of the desk's own files.

    Whatever acts can be asked with `dry_run` what it would do: the same list by the same rules, and
    nothing is touched. A file is removed or moved only when it is old by the day in its name and by its
    last write (see `Age`), and never while it is a link, read-only, locked, or open in any program of
    this machine; those are named under `skipped`.

    Args:
        storage: Rooted at the desk's folder, in which `data` and `logs` stand.
        clock: Both times: names of logs and task history follow wall time, of caches and trades desk time.
        history_days: How long task history and health checks are kept.
        current_logs: Patterns of logs that a running process writes; without a day in their name they stay.
        check: Called between files; what it raises ends the work.
    """

    def __init__(
        self,
        storage: FileStorage,
        clock: Clock,
        *,
        history_days: int = 90,
        current_logs: Collection[str] = ("app.log",),
        check: Callable[[], None] = _never,
    ) -> None:
        check_days(history_days)
        self._storage = storage
        self._clock = clock
        self._history_days = history_days
        self._current_logs = tuple(current_logs)
        self._check = check

    def cleanup_logs(self, days_to_keep: int = 30, *, dry_run: bool = False) -> dict[str, Any]:
        """Remove logs older than that; task history and health checks by their own, longer retention.

        Never touched: `app.log` and the other current logs, trade logs, locks.

        Raises:
            Invalid: `days_to_keep` is not 1 to 3650.
            Unavailable: Some files could not be removed; `details` says which, and what was.
        """
        age = self._age(days_to_keep, by_desk_time=False)
        kept = self._age(self._history_days, by_desk_time=False)
        # While its lock is held app.log is not rotated: app.log.3 does not become app.log.4 meanwhile.
        with nullcontext() if dry_run else self._storage.lock(APP_LOG, LOCK_SECONDS):
            logs = self._removed(self._named(f"{LOGS}/*", self._is_done_log), age, dry_run=dry_run)
        parts = {
            "task_runs": self._removed(
                self._named(f"{TASK_RUNS}/**/*.jsonl", _has_day), kept, dry_run=dry_run
            ),
            "health_checks": self._removed(self._named(f"{HEALTH}/*", _has_day), kept, dry_run=dry_run),
        }
        result = {"days_to_keep": days_to_keep, "dry_run": dry_run, **logs.as_dict("removed")}
        for name, part in parts.items():
            result[name] = {"days_to_keep": self._history_days, **part.as_dict("removed")}
            logs.failed += part.failed
        return logs.require_all("cleanup of logs", result)

    def cleanup_cache(self, days_to_keep: int = 7, *, dry_run: bool = False) -> dict[str, Any]:
        """Remove cache files older than that, and what killed writers left anywhere an hour ago or more.

        Current state without a day in its name, such as the calendar and the news, stays.

        Raises:
            Invalid: `days_to_keep` is not 1 to 3650.
            Unavailable: Some files could not be removed.
        """
        age = self._age(days_to_keep, by_desk_time=True)
        tally = self._removed(self._named(f"{CACHE}/**/*", _is_cached), age, dry_run=dry_run)
        left = self._clear_abandoned(dry_run=dry_run)
        result = {
            "days_to_keep": days_to_keep,
            "dry_run": dry_run,
            **tally.as_dict("removed"),
            "abandoned": left.as_dict("removed"),
        }
        tally.failed += left.failed
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
        opened = OpenFiles()
        tally = Tally()
        merged = 0
        for name in self._named(f"{LOGS}/*", _is_trade_log):
            self._check()
            if not age.is_old(self._storage.root / name):
                continue
            target = f"{ARCHIVE}/{name.rpartition('/')[2]}"
            try:
                reason = self._why_both_left(name, target, opened)
                if reason is not None:
                    tally.skip(name, reason)
                    continue
                moved = self._look(name, target) if dry_run else self._archive(name, target, age)
            except (FileNotFoundError, NotFound):
                continue  # moved by somebody else meanwhile
            except DeskError as error:
                tally.fail(name, error)
            except OSError as error:
                tally.fail(name, refusal(error, self._storage.root / name))
            else:
                if moved is not None:
                    tally.add(name, moved[0])
                    merged += moved[1]
        result = {
            "days_to_keep": days_to_keep,
            "dry_run": dry_run,
            "merged": merged,
            **tally.as_dict("archived"),
        }
        return tally.require_all("archiving of trades", result)

    def optimize_csv(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Sort, deduplicate, validate and compact the CSV files under `logs` and `data`, in place."""
        return optimise(self._storage, self._clock, dry_run=dry_run, check=self._check)

    def _removed(self, names: Iterable[str], age: Age, *, dry_run: bool) -> Tally:
        return remove_old(self._storage, names, age, OpenFiles(), dry_run=dry_run, check=self._check)

    def _clear_abandoned(self, *, dry_run: bool) -> Tally:
        """Temporary files of killed writers, of which no reader knows."""
        tally = Tally()
        now = self._clock.wall().timestamp()
        for top in WRITTEN:
            for folder, _, _ in os.walk(self._storage.root / top):
                self._check()
                try:
                    for path in abandoned(Path(folder), now=now):
                        size = path.lstat().st_size
                        if not dry_run:
                            path.unlink()
                        tally.add(path.relative_to(self._storage.root).as_posix(), size)
                except FileNotFoundError:
                    continue  # its writer, or another upkeep, was faster
                except OSError as error:
                    tally.fail(folder, refusal(error, Path(folder)))
        return tally

    def _why_both_left(self, source: str, target: str, opened: OpenFiles) -> str | None:
        reason = why_left(self._storage, source, opened)
        if reason is None and self._storage.exists(target):
            reason = why_left(self._storage, target, opened)
            return None if reason is None else f"{target}: {reason}"
        return reason

    def _look(self, source: str, target: str) -> tuple[int, bool]:
        data, old = self._storage.read_bytes(source), self._present(target)
        _merge(target, old, data)
        return len(data), old is not None

    def _archive(self, source: str, target: str, age: Age) -> tuple[int, bool] | None:
        """Move it while the desk's writers wait; None if it was written meanwhile."""
        with self._storage.lock(source, LOCK_SECONDS), self._storage.lock(target, LOCK_SECONDS):
            if not age.is_old(self._storage.root / source):
                return None
            data, old = self._storage.read_bytes(source), self._present(target)
            moved = _merge(target, old, data)
            if moved != old:
                self._storage.write_bytes(target, moved)
            same = self._storage.delete(source, only_if=lambda: self._storage.read_bytes(source) == data)
        return (len(data), old is not None) if same else None

    def _present(self, name: str) -> bytes | None:
        return self._storage.read_bytes(name) if self._storage.exists(name) else None

    def _age(self, days_to_keep: int, *, by_desk_time: bool) -> Age:
        wall = self._clock.wall()
        names_now = self._clock.now() if by_desk_time else wall
        return Age(keep=check_days(days_to_keep), names_now=names_now, wall=wall)

    def _named(self, pattern: str, wanted: Callable[[str], bool]) -> list[str]:
        return [name for name in self._storage.names(pattern) if wanted(name)]

    def _is_done_log(self, name: str) -> bool:
        """Whether it is a log, and none that a running process may be writing.

        A log with a day in its name is finished with that day.
        """
        file = name.rpartition("/")[2]
        if not _LOG.fullmatch(file):
            return False
        current = any(fnmatchcase(file, pattern) for pattern in self._current_logs)
        return not current or _has_day(name)


def _has_day(name: str) -> bool:
    """A name without a day is state, not history."""
    return date_in(name.rpartition("/")[2]) is not None


def _is_cached(name: str) -> bool:
    return _has_day(name) or name.rpartition("/")[0] == MARKET_CACHE


def _is_trade_log(name: str) -> bool:
    return _TRADES.fullmatch(name.rpartition("/")[2]) is not None and _has_day(name)


def _merge(target: str, old: bytes | None, new: bytes) -> bytes:
    """The rows of `old`, then those of `new` that it does not have; headers must agree."""
    if old is None:
        return new
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
