"""The reading side of the job service: jobs, queues, workers, schedules and events, from files alone."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from backend.core.clock import iso
from backend.core.errors import Invalid
from backend.jobs import monitor
from backend.jobs.book import ScheduleBook
from backend.jobs.index import Entry
from backend.jobs.leases import Leases
from backend.jobs.ledger import Ledger
from backend.jobs.publisher import Publisher
from backend.jobs.rows import STATE, Kind, written
from backend.jobs.spec import QUEUES, Catalogue, TaskSpec
from backend.jobs.views import (
    JobEvent,
    JobPage,
    JobState,
    JobView,
    QueueView,
    ScheduleView,
    TaskSummary,
    WorkerView,
)
from backend.jobs.worker_files import worker_views
from backend.storage.files import FileStorage

LARGEST_PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class JobParts:
    """What the service is made of.

    Attributes:
        storage: The desk's ``data`` folder.
        ledger: Where jobs are written down.
        leases: Who runs what.
        locks: Who changes what several processes may change.
        publisher: The way to the broker.
        catalogue: The known tasks.
        book: The schedules.
    """

    storage: FileStorage
    ledger: Ledger
    leases: Leases
    locks: Leases
    publisher: Publisher
    catalogue: Catalogue
    book: ScheduleBook


class JobsReader:
    """Tells how jobs stand. Thread-safe; every method is synchronous and bounded in time.

    Nothing here asks a worker: all is read from the files under ``data/task_runs`` and, for the
    depth of queues, from the broker within a second.
    """

    def __init__(self, parts: JobParts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._clock = parts.ledger.clock

    def tasks(self) -> tuple[TaskSpec, ...]:
        """The known tasks with their parameters, by name."""
        return tuple(self._parts.catalogue)

    def queue_depths(self, queues: Sequence[str]) -> dict[str, int | None]:
        """Messages that wait at the broker; None where it does not say."""
        return self._parts.publisher.depths(queues)

    def known_to_broker(self, queues: Sequence[str]) -> frozenset[str] | None:
        """Ids of the jobs whose messages the broker has; None where it does not say."""
        return self._parts.publisher.known(queues)

    def begins_once(self, task: str) -> bool:
        """Whether a run of it that broke off is never followed by another; see `TaskSpec.once`."""
        spec = self._parts.catalogue.find(task)
        return spec is not None and spec.once

    def queue_of(self, task: str) -> str:
        """The queue of a task; `NotFound` for one that does not exist."""
        return self._parts.catalogue.get(task).queue

    def get(self, job_id: str) -> JobView:
        """The job with its timeline; `NotFound` for an id that was never issued."""
        return self._ledger.get(job_id).view(timeline=True)

    def list(
        self,
        *,
        task: str | None = None,
        state: JobState | None = None,
        queue: str | None = None,
        actor: str | None = None,
        schedule: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Jobs, newest first. `task` may be the full name or its last part; `limit` is 1 to 500.

        Raises:
            Invalid: ``bad_cursor`` or ``bad_limit``.
        """
        if not 1 <= limit <= LARGEST_PAGE:
            raise Invalid(
                "bad_limit", f"limit is {limit}; it must be 1 to {LARGEST_PAGE}", allowed=LARGEST_PAGE
            )
        place = _page_place(cursor)

        def wanted(entry: Entry) -> bool:
            return (
                (task is None or task in {entry.task, entry.task.rpartition(".")[2]})
                and (state is None or entry.state is state)
                and (queue is None or entry.queue == queue)
                and (actor is None or entry.actor == actor)
                and (schedule is None or entry.schedule == schedule)
                and (since is None or entry.queued_at >= written(since))
                and (until is None or entry.queued_at < written(until))
                and (place is None or (entry.queued_at, entry.id) < place)
            )

        entries = self._ledger.entries()
        found = _newest_first(filter(wanted, entries), limit + 1)
        if len(found) <= limit and self._ledger.index.forgot:
            floor = min((entry.queued_at for entry in entries), default=written(self._clock.wall()))
            known = {entry.id for entry in entries}
            old = [entry for entry in self._ledger.older(floor) if entry.id not in known and wanted(entry)]
            found += _newest_first(old, limit + 1 - len(found))
        more = len(found) > limit
        found = found[:limit]
        return JobPage(
            items=tuple(entry.view() for entry in found),
            next_cursor=f"{found[-1].queued_at}~{found[-1].id}" if more else None,
        )

    def summary(self, window: timedelta = timedelta(days=1)) -> tuple[TaskSummary, ...]:
        """How each task did among the jobs queued within the last `window`, by task name."""
        return monitor.summaries(self._ledger.entries(), self._clock.wall(), window)

    def dead_letters(self) -> tuple[JobView, ...]:
        """Jobs parked because their worker died with them three times, newest first; not those requeued."""
        dead = [e for e in self._ledger.entries() if e.state is JobState.DEAD and e.requeued_as is None]
        return tuple(entry.view(timeline=True) for entry in _newest_first(dead, LARGEST_PAGE))

    def queues(self) -> tuple[QueueView, ...]:
        """Every queue, by name."""
        depths = self._parts.publisher.depths(QUEUES)
        return monitor.queue_views(self._ledger.entries(), self.workers(), depths, self._clock.wall())

    def workers(self) -> tuple[WorkerView, ...]:
        """Every worker that wrote its file within the last hour, by name."""
        return worker_views(self._parts.storage, self._clock)

    def schedules(self) -> tuple[ScheduleView, ...]:
        """Every schedule, by name."""
        return monitor.schedule_views(self._parts.book, self._ledger, self._parts.catalogue)

    def schedule_problems(self) -> tuple[Invalid, ...]:
        """Entries of ``config/schedules.json`` that are not planned, with file, key and reason."""
        return self._parts.book.problems

    def active(self) -> dict[str, Sequence[dict[str, Any]]]:
        """What each live worker runs: ``{worker: [{id, name, kwargs, time_start, ...}]}``."""
        running = [e for e in self._ledger.entries() if e.state is JobState.STARTED]
        names = [worker.name for worker in self.workers() if worker.state != "silent"]
        return {name: [_running(e.view()) for e in running if e.worker == name] for name in names}

    def scheduled(self) -> dict[str, Sequence[dict[str, Any]]]:
        """Jobs that wait for a later try, by the worker that ran them last."""
        waiting = [e for e in self._ledger.entries() if e.state is JobState.RETRYING]
        names = [worker.name for worker in self.workers() if worker.state != "silent"]
        return {
            name: [_running(e.view()) | {"eta": e.due_at} for e in waiting if e.worker == name]
            for name in names
        }

    def stats(self) -> dict[str, dict[str, Any]]:
        """Numbers of each live worker: ``{worker: {total, pool, rss, uptime, queues, ...}}``."""
        now = self._clock.wall()
        return {
            worker.name: {
                "total": worker.processed,
                "active": len(worker.active),
                "pool": {"implementation": worker.pool, "max-concurrency": worker.concurrency},
                "queues": list(worker.queues),
                "pid": worker.pid,
                "hostname": worker.host,
                "rss": worker.rss,
                "uptime": max(0.0, (now - worker.started_at).total_seconds()),
                "age": worker.age,
                "state": worker.state,
                "canary_ages": dict(worker.canary_ages),
            }
            for worker in self.workers()
            if worker.state != "silent"
        }

    def events(self, after: str | None = None, *, limit: int = 500) -> tuple[JobEvent, ...]:
        """Changes after the cursor `after`, oldest first; with None only what comes from now on.

        With None the tuple is empty: `cursor` gives the place to go on from. A cursor of an earlier
        run of this process repeats at most the last two seconds before it. `Invalid` ``bad_cursor``.
        """
        if after is None:
            return ()
        return tuple(self._event(cursor, row) for cursor, row in self._ledger.since(after, limit))

    def cursor(self) -> str:
        """The place in the stream of events after the newest one known now."""
        return self._ledger.cursor()

    def changes(self) -> int:
        """How many changes this process has seen: another number where there is an event to read."""
        return self._ledger.changes()

    def wait(self, job_id: str, timeout: float) -> JobView:
        """The job once it has ended, or as it stands after `timeout` seconds."""
        end = time.monotonic() + timeout
        pause = 0.01
        while True:
            entry = self._ledger.get(job_id)
            if entry.state.terminal or time.monotonic() >= end:
                return entry.view(timeline=True)
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(pause * 1.3, 0.2)

    def _schedule(self, name: str) -> ScheduleView:
        return next(view for view in self.schedules() if view.name == name)

    def _event(self, cursor: str, row: Mapping[str, Any]) -> JobEvent:
        entry = self._ledger.index.get(row["job"])
        kind = Kind(row["kind"])
        shown = (
            "worker",
            "run",
            "schedule",
            "reason",
            "actor",
            "lateness",
            "due_at",
            "error",
            "result",
            "done",
            "total",
        )
        return JobEvent(
            cursor=cursor,
            kind=str(kind).lower(),
            at=datetime.fromisoformat(row["at"]),
            job_id=row["job"],
            task=entry.task if entry else row.get("task"),
            state=STATE.get(kind),
            details={name: row[name] for name in shown if name in row},
        )


def _newest_first(entries: Any, count: int) -> "list[Entry]":
    return list(islice(sorted(entries, key=lambda e: (e.queued_at, e.id), reverse=True), max(0, count)))


def _page_place(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    at, _, job_id = cursor.partition("~")
    try:
        uuid.UUID(job_id)
        datetime.fromisoformat(at)
    except ValueError:
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list") from None
    return at, job_id


def _running(job: JobView) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.task,
        "kwargs": dict(job.kwargs),
        "queue": job.queue,
        "time_start": iso(job.started_at) if job.started_at else None,
        "worker": job.worker,
        "attempts": job.attempts,
    }
