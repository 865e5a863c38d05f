"""What the job service shows: frozen values, ready to be written as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.core.clock import iso


class JobState(StrEnum):
    """Where a job stands; the last eight of them are ends."""

    QUEUED = "queued"
    SENT = "sent"
    STARTED = "started"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"
    DEAD = "dead"
    MISSED = "missed"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self not in _LIVE

    @property
    def celery_status(self) -> str:
        """The word that Celery has for it, in lower case, as the status endpoint answers."""
        return _CELERY_WORDS[self]


_LIVE = frozenset({JobState.QUEUED, JobState.SENT, JobState.STARTED, JobState.RETRYING})

_CELERY_WORDS = {
    JobState.QUEUED: "pending",
    JobState.SENT: "pending",
    JobState.STARTED: "started",
    JobState.RETRYING: "retry",
    JobState.SUCCEEDED: "success",
    JobState.FAILED: "failure",
    JobState.REFUSED: "failure",
    JobState.CANCELLED: "revoked",
    JobState.EXPIRED: "revoked",
    JobState.LOST: "failure",
    JobState.DEAD: "failure",
    JobState.MISSED: "revoked",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobError:
    """Why a job did not succeed: the category decides whether it is tried again."""

    category: str
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    traceback: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How much of a running job is done, of how much, in the job's own units: bars of a backtest."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStep:
    """One line of a job's history."""

    kind: str
    at: datetime
    worker: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobView:
    """One job as the ledger knows it. Times are aware UTC wall time but for the `desk_` ones.

    Attributes:
        id: The job's and the Celery task's id.
        task: Full name of the task.
        queue: Queue on which it was put.
        kwargs: Its arguments.
        state: Where it stands.
        actor: Who asked for it: ``local``, ``schedule``, ``celery`` ...
        key: Idempotency key, or None.
        schedule: Name of the schedule that planned it, or None.
        planned_at: When it should have run (desk time for desk-time schedules), or None.
        retry_of: The job that this one repeats, or None.
        queued_at: When its row was written, before it was published.
        sent_at: When the broker took it; None while it has not.
        started_at: When a worker last began it.
        finished_at: When it ended.
        desk_queued_at: Desk time at queueing.
        desk_started_at: Desk time at the last start.
        desk_finished_at: Desk time at the end.
        lateness: Seconds from when it was planned (or queued) to its first start; None before.
        duration: Seconds from the last start to the end; None before.
        attempts: How often it was begun.
        retries: How often it was begun again after `Unavailable`.
        redeliveries: How often a worker died with it.
        worker: Worker that last began it.
        lease: When its worker last said that it is alive, while it runs.
        progress: How far it is, while it runs, as far as it tells.
        result: What it returned, once it succeeded.
        error: Why it did not, once it failed.
        cancel_requested: Whether somebody asked for it to stop.
        expires_at: After this it is not begun any more.
        timeline: Its history, oldest first; empty in lists.
    """

    id: str
    task: str
    queue: str
    kwargs: Mapping[str, Any]
    state: JobState
    actor: str
    key: str | None = None
    schedule: str | None = None
    planned_at: datetime | None = None
    retry_of: str | None = None
    queued_at: datetime
    sent_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    desk_queued_at: datetime | None = None
    desk_started_at: datetime | None = None
    desk_finished_at: datetime | None = None
    lateness: float | None = None
    duration: float | None = None
    attempts: int = 0
    retries: int = 0
    redeliveries: int = 0
    worker: str | None = None
    lease: datetime | None = None
    progress: Progress | None = None
    result: Mapping[str, Any] | None = None
    error: JobError | None = None
    cancel_requested: bool = False
    expires_at: datetime | None = None
    timeline: tuple[JobStep, ...] = ()

    @property
    def status(self) -> str:
        """Celery's word for the state, in lower case: pending, started, retry, success, ..."""
        return self.state.celery_status

    @property
    def terminal(self) -> bool:
        """Whether it has ended."""
        return self.state.terminal

    def as_dict(self) -> dict[str, Any]:
        """The job as JSON values."""
        return as_json(self) | {"status": self.status, "terminal": self.terminal}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Jobs, newest first; `next_cursor` is None on the last page."""

    items: tuple[JobView, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSummary:
    """How one task did within a window. Seconds; None where there is nothing to measure."""

    task: str
    counts: Mapping[str, int]
    duration_p50: float | None
    duration_p95: float | None
    duration_p99: float | None
    lateness_p95: float | None
    last_success_at: datetime | None
    last_failure_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueView:
    """One queue.

    Attributes:
        name: Its name.
        waiting: Jobs in the ledger that were not begun.
        oldest_age: Seconds that the oldest of them has waited; None if none waits.
        running: Jobs being run.
        broker_depth: Messages at the broker; None when it does not answer or has no such count.
        workers: Names of the live workers that consume it.
        canary_age: Seconds since a test message on it was answered; None if never.
    """

    name: str
    waiting: int
    oldest_age: float | None
    running: int
    broker_depth: int | None
    workers: tuple[str, ...]
    canary_age: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerView:
    """One worker process, from the file that it keeps.

    Attributes:
        name: Celery's node name.
        host: Machine.
        pid: Process id there.
        pool: threads, solo or prefork.
        concurrency: How many jobs it can run at once.
        queues: What it consumes.
        active: Ids of the jobs it runs now.
        processed: Jobs ended since its start.
        rss: Resident bytes.
        started_at: When it started.
        updated_at: When it last wrote its file.
        age: Seconds since then.
        canary_ages: Seconds since it answered a test message, by queue.
        state: alive, silent (no word for 20 s), stopping or deaf.
    """

    name: str
    host: str
    pid: int
    pool: str
    concurrency: int
    queues: tuple[str, ...]
    active: tuple[str, ...]
    processed: int
    rss: int
    started_at: datetime
    updated_at: datetime
    age: float
    canary_ages: Mapping[str, float]
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleView:
    """One schedule: what is planned and how it went.

    Attributes:
        name: Its name, as beat shows it.
        task: Full task name.
        queue: Queue on which its jobs are put.
        schedule: When, for a person: ``crontab(minute="*/15")`` or ``every 60 s``.
        clock: ``desk`` or ``wall``: which time it follows.
        enabled: As configured.
        paused: Paused by a person, durably.
        paused_by: Who, or None.
        overlap: skip or queue.
        last_planned_at: The last tick handled; None before the first.
        next_planned_at: The next tick; None when disabled or paused.
        last_job_id: The job of the last tick that was queued.
        last_state: How that job stands, or None.
        lateness_p95: Seconds between plan and start, of its latest jobs; None without any.
        missed: Ticks recorded as missed since the desk's first start.
        skipped: Ticks skipped because the one before still ran.
    """

    name: str
    task: str
    queue: str
    schedule: str
    clock: str
    enabled: bool
    paused: bool
    paused_by: str | None
    overlap: str
    last_planned_at: datetime | None
    next_planned_at: datetime | None
    last_job_id: str | None
    last_state: JobState | None
    lateness_p95: float | None
    missed: int
    skipped: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEvent:
    """A change in the ledger, for those who watch. `cursor` resumes after it."""

    cursor: str
    kind: str
    at: datetime
    job_id: str
    task: str | None
    state: JobState | None
    details: Mapping[str, Any]


def as_json(view: Any) -> dict[str, Any]:
    """Any of these views as JSON values: times as ISO-8601, states as words."""
    return {name: _plain(value) for name, value in asdict(view).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
