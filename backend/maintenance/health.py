"""Is the desk well? Each part is asked, measured and compared with a limit."""

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from backend.core.clock import Clock, age_seconds, day, from_epoch, iso
from backend.core.errors import DeskError, Invalid
from backend.storage.files import FileStorage

FOLDER = "data/health_checks"
MOST_ROWS = 2000
OK, UNKNOWN, WARN, FAIL = "ok", "unknown", "warn", "fail"
WORST_LAST: Final = (OK, UNKNOWN, WARN, FAIL)

_NEW_YORK = "America/New_York"
_GIB = 1024**3

Answers = Callable[[], object]
"""Returns when the part answers; raises `Unavailable` when it does not."""
Seen = Callable[[], datetime | None]
"""When the part was last heard of (aware wall time), or None if never."""
SeenByName = Callable[[], Mapping[str, datetime]]
"""When each part was last heard of, by name."""
Names = Callable[[], Collection[str]]
"""Names of parts."""
IsOpen = Callable[[datetime], bool]
"""Whether the market is open at a desk time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What is still healthy. Seconds and bytes; the first of a pair warns, the second fails."""

    answer_seconds: float = 2.0
    heartbeat_seconds: float = 60.0
    free_bytes: tuple[int, int] = (2 * _GIB, _GIB // 4)
    log_bytes: tuple[int, int] = (1 * _GIB, 5 * _GIB)
    cache_bytes: tuple[int, int] = (2 * _GIB, 10 * _GIB)
    data_seconds: tuple[float, float] = (15 * 60.0, 60 * 60.0)


def forex_open(moment: datetime) -> bool:
    """Whether the currency market is open: Sunday to Friday, 17:00 in New York."""
    there = moment.astimezone(ZoneInfo(_NEW_YORK))
    weekday, hour = there.isoweekday(), there.hour
    closed = weekday == 6 or (weekday == 5 and hour >= 17) or (weekday == 7 and hour < 17)  # noqa: PLR2004
    return not closed


class HealthCheck:
    """Checks eight parts of the desk and writes what it found to `data/health_checks/health_{day}.json`.

    Args:
        terminal: Asks the terminal.
        broker: Asks the task broker.
        workers: When each worker was last heard of; a worker that was stopped on purpose is not in it.
        deaf: Workers that report, but no longer get what is put on their queues.
        beat: When the scheduler was last heard of.
        storage: Rooted at the desk's folder.
        clock: Wall time for heartbeats and files, desk time for whether the market is open.
        market_open: Whether quotes are to be expected.
        limits: What is still healthy.
    """

    def __init__(
        self,
        *,
        terminal: Answers,
        broker: Answers,
        workers: SeenByName,
        deaf: Names = tuple,
        beat: Seen,
        storage: FileStorage,
        clock: Clock,
        market_open: IsOpen = forex_open,
        limits: Limits | None = None,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._market_open = market_open
        self._limits = limits or Limits()
        self._checks: dict[str, Callable[[], dict[str, Any]]] = {
            "terminal": lambda: self._answer("terminal", terminal),
            "broker": lambda: self._answer("broker", broker),
            "workers": lambda: self._workers(workers(), deaf()),
            "beat": lambda: self._beat(beat()),
            "disk": self._disk,
            "logs": lambda: self._size("logs", self._limits.log_bytes),
            "cache": lambda: self._size("data/cache", self._limits.cache_bytes),
            "data_freshness": self._freshness,
        }

    def check(self) -> dict[str, Any]:
        """Check everything, keep the row, and return it.

        Returns:
            `at` (wall), `desk_time`, `status` (the worst), `summary` (a sentence that names what is not
            ok), and `components`: each with status `ok`, `warn`, `fail` or `unknown`, `detail`,
            `measured` and `limit`.

        Raises:
            Unavailable: The row could not be written.
        """
        components = {name: _examine(check) for name, check in self._checks.items()}
        status = max((part["status"] for part in components.values()), key=WORST_LAST.index)
        faults = [f"{name}: {part['detail']}" for name, part in components.items() if part["status"] != OK]
        wall = self._clock.wall()
        row = {
            "at": iso(wall),
            "desk_time": iso(self._clock.now()),
            "status": status,
            "summary": "; ".join(faults) or "all parts are well",
            "components": components,
        }
        self._keep(f"{FOLDER}/health_{day(wall)}.json", row)
        return row

    def _keep(self, name: str, row: dict[str, Any]) -> None:
        def add(rows: Any) -> Any:
            if not isinstance(rows, list):
                raise Invalid("bad_health_file", f"{name} is not a list of checks; move it away", name=name)
            return [*rows, row][-MOST_ROWS:]

        try:
            self._storage.update_json(name, add, [])
        except Invalid as error:
            if error.code != "corrupt_file" or "aside" not in error.details:
                raise
            row["note"] = error.message  # the corrupt file stands aside; the check is still worth keeping
            self._storage.update_json(name, add, [])

    def _answer(self, name: str, ask: Answers) -> dict[str, Any]:
        began = time.monotonic()
        ask()
        seconds = round(time.monotonic() - began, 3)
        limit = self._limits.answer_seconds
        slow = seconds > limit
        detail = f"the {name} answered in {seconds} s" + (f", slower than {limit} s" if slow else "")
        return _part(WARN if slow else OK, detail, seconds, limit)

    def _workers(self, seen: Mapping[str, datetime], deaf: Collection[str]) -> dict[str, Any]:
        limit = self._limits.heartbeat_seconds
        wall = self._clock.wall()
        ages = {name: round(age_seconds(at, wall), 1) for name, at in sorted(seen.items())}
        silent = [name for name, age in ages.items() if age > limit]
        if not ages:
            return _part(FAIL, "no worker has been heard of; start one", {}, limit)
        hears_not = sorted({*deaf} & {*ages} - {*silent})
        if silent or hears_not:
            status = FAIL if len(silent) + len(hears_not) == len(ages) else WARN
            faults = (
                (f"silent for more than {limit:g} s", silent),
                ("deaf, so that its jobs wait for others", hears_not),
            )
            told = "; ".join(f"{fault}: {', '.join(names)}" for fault, names in faults if names)
            return _part(status, told, ages, limit)
        return _part(OK, f"{len(ages)} alive", ages, limit)

    def _beat(self, seen: datetime | None) -> dict[str, Any]:
        limit = self._limits.heartbeat_seconds
        if seen is None:
            return _part(FAIL, "the scheduler has not been heard of; start beat", None, limit)
        age = round(age_seconds(seen, self._clock.wall()), 1)
        if age > limit:
            return _part(FAIL, f"the scheduler has been silent for {age:g} s", age, limit)
        return _part(OK, f"heard of {age:g} s ago", age, limit)

    def _disk(self) -> dict[str, Any]:
        root = self._storage.root
        while not root.exists():
            root = root.parent
        free = shutil.disk_usage(root).free
        warn, fail = self._limits.free_bytes
        status = FAIL if free < fail else WARN if free < warn else OK
        advice = "" if status == OK else "; free some, old logs and caches first"
        return _part(status, f"{_size(free)} free{advice}", free, warn)

    def _size(self, folder: str, limits: tuple[int, int]) -> dict[str, Any]:
        total = sum(size for _, size, _ in _files(self._storage.root / folder))
        warn, fail = limits
        status = FAIL if total > fail else WARN if total > warn else OK
        advice = "" if status == OK else f", more than {_size(warn)}; clean up with fewer days to keep"
        return _part(status, f"{folder} holds {_size(total)}{advice}", total, warn)

    def _freshness(self) -> dict[str, Any]:
        warn, fail = self._limits.data_seconds
        newest = max(
            ((at, name) for name, _, at in _files(self._storage.root / "data/cache/market_data")),
            default=None,
        )
        now = self._clock.now()
        is_open = self._market_open(now) and self._market_open(now - timedelta(seconds=warn))
        if newest is None:
            return _part(UNKNOWN, "no market data has been collected yet", None, warn)
        at, name = newest
        age = round(max(0.0, age_seconds(from_epoch(at), self._clock.wall())), 1)
        if not is_open:
            return _part(OK, f"market closed or just opened; newest is {name}, {age:g} s old", age, warn)
        status = FAIL if age > fail else WARN if age > warn else OK
        late = f", more than {warn:g} s while the market is open" if status != OK else ""
        return _part(status, f"newest is {name}, {age:g} s old{late}", age, warn)


def _examine(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return check()
    except DeskError as error:
        return {**_part(FAIL, error.message, None, None), "error": error.as_dict()}
    except Exception as error:  # noqa: BLE001 - a fault in one check is reported and the others go on
        return _part(UNKNOWN, f"could not be checked: {type(error).__name__}: {error}", None, None)


def _part(status: str, detail: str, measured: Any, limit: Any) -> dict[str, Any]:
    return {"status": status, "detail": detail, "measured": measured, "limit": limit}


def _files(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Name, bytes and last write of each file below, hidden ones and links left out."""
    for path in folder.rglob("*"):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or path.is_symlink():
            continue
        with suppress(FileNotFoundError):
            if path.is_file():
                stat = path.stat()
                yield path.name, stat.st_size, stat.st_mtime


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - the unit's own base
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
