"""What is remembered of each schedule: one JSON file, changed under a lock by beat and by people."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.core.clock import Clock, parse_iso
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.jobs.leases import Leases, exclusive
from backend.jobs.rows import written
from backend.jobs.schedules import FILE, LoadedSchedules, Schedule, load_schedules
from backend.jobs.spec import Catalogue
from backend.storage.files import FileStorage

STATE = "task_runs/schedules.json"
LOCK = "schedules"
LOCK_WAIT = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Memory:
    """What is remembered of one schedule.

    Attributes:
        last: The last tick handled, in the schedule's own clock.
        job: The job that it made.
        missed: Ticks recorded as missed.
        skipped: Ticks passed over because the job before had not ended.
        paused_by: Who paused it, or None.
        planned_as: When it ticked while it was looked at last, or that it was off; None before.
    """

    last: datetime | None = None
    job: str | None = None
    missed: int = 0
    skipped: int = 0
    paused_by: str | None = None
    planned_as: str | None = None

    @property
    def paused(self) -> bool:
        """Whether a person paused it."""
        return self.paused_by is not None


class Pages(dict[str, Memory]):
    """The whole memory, as read: by schedule name, and what the clocks said last."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__()
        for name, kept in _mapping(content.get("entries")).items():
            last = kept.get("last")
            self[name] = Memory(
                last=parse_iso(last) if last else None,
                job=kept.get("job"),
                missed=int(kept.get("missed", 0)),
                skipped=int(kept.get("skipped", 0)),
                paused_by=kept.get("paused_by"),
                planned_as=kept.get("planned_as"),
            )
        self.eras = {clock: int(_mapping(content.get("eras")).get(clock, 0)) for clock in ("desk", "wall")}
        seen = _mapping(content.get("seen"))
        self.seen = {clock: parse_iso(text) for clock, text in seen.items()}

    def of(self, name: str) -> Memory:
        """The memory of one schedule, made if there is none."""
        return self.setdefault(name, Memory())

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "entries": {
                name: {
                    "last": written(kept.last) if kept.last else None,
                    "job": kept.job,
                    "missed": kept.missed,
                    "skipped": kept.skipped,
                    "paused_by": kept.paused_by,
                    "planned_as": kept.planned_as,
                }
                for name, kept in sorted(self.items())
            },
            "eras": self.eras,
            "seen": {clock: written(at) for clock, at in self.seen.items()},
        }


class ScheduleBook:
    """The schedules as configured, read again when their file changed, with what is remembered of each."""

    def __init__(
        self,
        storage: FileStorage,
        clock: Clock,
        config_dir: Path,
        catalogue: Catalogue | None,
        locks: Leases,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._config_dir = config_dir
        self._locks = locks
        self._catalogue = catalogue
        self._version = self._file_version()
        self.broken: Invalid | None = None
        try:
            self._loaded = load_schedules(config_dir, catalogue)
        except Invalid as error:
            # Nothing is known of what was wanted: beat does not start, and everything else goes on.
            self.broken = error
            self._loaded = LoadedSchedules({}, (error,))

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules that are in order, by name."""
        return self._now().schedules

    @property
    def problems(self) -> tuple[Invalid, ...]:
        """What is wrong with the others, or with the file."""
        return self._now().problems

    def _now(self) -> LoadedSchedules:
        version = self._file_version()
        if version != self._version:
            self._version = version
            try:
                self._loaded, self.broken = load_schedules(self._config_dir, self._catalogue), None
            except Invalid as error:  # what was planned before goes on
                self._loaded = LoadedSchedules(self._loaded.schedules, (error,))
            for problem in self._loaded.problems:
                log.error("not planned: %s", problem.message)
        return self._loaded

    def _file_version(self) -> tuple[int, int, int] | None:
        try:
            status = (self._config_dir / FILE).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def schedule(self, name: str) -> Schedule:
        """The schedule of that name; `NotFound` ``unknown_schedule``."""
        schedules = self.schedules
        if name not in schedules:
            raise NotFound("unknown_schedule", f"there is no schedule {name}", known=sorted(schedules))
        return schedules[name]

    def pages(self) -> Pages:
        """The memory as it stands. A damaged file was set aside, and memory begins anew."""
        try:
            return Pages(_mapping(self._storage.read_json_or(STATE, {})))
        except Invalid:
            return Pages({})

    @contextlib.contextmanager
    def open(self) -> Iterator[Pages]:
        """The memory to be changed: nobody else changes it meanwhile, and it is written at the end.

        The keys of the ticks alone would not do: of a pause and a plan at once one would be lost.

        Raises:
            Unavailable: ``locked`` where another changes it for long, or while this process stood
                still; ``broker_unavailable``.
        """
        with exclusive(self._locks, LOCK, LOCK_WAIT) as still:
            pages = self.pages()
            before = pages.as_json()
            yield pages
            after = pages.as_json()
            if after != before:
                if not still():
                    raise Unavailable("locked", f"{STATE} was taken over by another: nothing was changed")
                self._storage.write_json(STATE, after)

    def changed_at(self) -> object:
        """Something that differs after each change of schedules or memory, by anybody."""
        try:
            return self._storage.path(STATE).stat().st_mtime_ns, self._file_version()
        except FileNotFoundError:
            return None, self._file_version()

    def pause(self, name: str, *, actor: str) -> None:
        """Plan nothing under this name until it is resumed."""
        self.schedule(name)
        with self.open() as pages:
            pages.of(name).paused_by = actor

    def resume(self, name: str) -> None:
        """Plan again, from now on."""
        schedule = self.schedule(name)
        with self.open() as pages:
            memory = pages.of(name)
            if memory.paused:
                memory.paused_by = None
                memory.last = self.now(schedule)

    def now(self, schedule: Schedule) -> datetime:
        """The time that the schedule follows."""
        return self._clock.now() if schedule.clock == "desk" else self._clock.wall()


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
