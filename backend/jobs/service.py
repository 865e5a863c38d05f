"""The job service: what the API, the command line and the schedules ask of the jobs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

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


class Jobs:
    """Queues jobs and tells how they stand. Thread-safe; every method is synchronous and bounded in time.

    Nothing here asks a worker: all is read from the files under ``data/task_runs`` and, for the
    depth of queues, from the broker within a second.
    """

    def submit(
        self,
        task: str,
        kwargs: Mapping[str, Any] | None = None,
        *,
        actor: str,
        key: str | None = None,
        schedule: str | None = None,
        planned_at: datetime | None = None,
        expires_at: datetime | None = None,
        retry_of: str | None = None,
    ) -> str:
        """Record a job and hand it to the broker.

        Args:
            task: Full name of the task, such as ``backend.tasks.ai_tasks.evaluate_all_strategies``.
            kwargs: Its arguments; defaults are filled in, so the ledger shows what is run.
            actor: Who asks.
            key: Idempotency key: the same key gives the id of the job that it made before.
            schedule: The schedule that planned it.
            planned_at: When it should run.
            expires_at: After this it is not begun.
            retry_of: The job that it repeats.

        Returns:
            The id of the job, which is also the Celery task id. A row of it is on disk.

        Raises:
            NotFound: ``unknown_task``.
            Invalid: An argument that the task does not take, or a value that it refuses.
            Unavailable: ``broker_unavailable``, within 2 s; the job's row is closed as refused and
                it is never published later.
        """
        raise NotImplementedError

    def get(self, job_id: str) -> JobView:
        """The job with its timeline; `NotFound` for an id that was never issued."""
        raise NotImplementedError

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
        raise NotImplementedError

    def summary(self, window: timedelta = timedelta(days=1)) -> tuple[TaskSummary, ...]:
        """How each task did among the jobs queued within the last `window`, by task name."""
        raise NotImplementedError

    def cancel(self, job_id: str, *, actor: str) -> JobView:
        """Ask a job to stop: one not begun never begins, a running one stops at its next step.

        Raises:
            NotFound: Unknown id.
            Conflict: ``job_ended``: it has ended already.
        """
        raise NotImplementedError

    def retry(self, job_id: str, *, actor: str) -> str:
        """Queue a new job with the task and arguments of one that ended; gives the new id.

        Raises:
            NotFound: Unknown id.
            Conflict: ``job_not_ended``: it has not ended yet.
            Unavailable: As `submit`.
        """
        raise NotImplementedError

    def dead_letters(self) -> tuple[JobView, ...]:
        """Jobs parked because their worker died with them three times, newest first."""
        raise NotImplementedError

    def requeue(self, job_id: str, *, actor: str) -> str:
        """Queue a dead letter once more as a new job; gives the new id.

        Raises:
            NotFound: Unknown id.
            Conflict: ``not_a_dead_letter``, or ``already_requeued``.
            Unavailable: As `submit`.
        """
        raise NotImplementedError

    def queues(self) -> tuple[QueueView, ...]:
        """Every queue, by name."""
        raise NotImplementedError

    def workers(self) -> tuple[WorkerView, ...]:
        """Every worker that wrote its file within the last hour, by name."""
        raise NotImplementedError

    def schedules(self) -> tuple[ScheduleView, ...]:
        """Every schedule, by name."""
        raise NotImplementedError

    def pause_schedule(self, name: str, *, actor: str) -> ScheduleView:
        """Plan nothing more under this name until resumed; survives restarts. `NotFound` if unknown."""
        raise NotImplementedError

    def resume_schedule(self, name: str, *, actor: str) -> ScheduleView:
        """Plan again from now; ticks while it was paused are not caught up. `NotFound` if unknown."""
        raise NotImplementedError

    def trigger_schedule(self, name: str, *, actor: str) -> str:
        """Queue what the schedule would queue, now; gives the job id.

        Raises:
            NotFound: Unknown name.
            Unavailable: As `submit`.
        """
        raise NotImplementedError

    def active(self) -> dict[str, list[dict[str, Any]]]:
        """What each live worker runs: ``{worker: [{id, name, kwargs, time_start, ...}]}``."""
        raise NotImplementedError

    def scheduled(self) -> dict[str, list[dict[str, Any]]]:
        """Jobs that wait for a later try, by the worker that ran them last."""
        raise NotImplementedError

    def stats(self) -> dict[str, dict[str, Any]]:
        """Numbers of each live worker: ``{worker: {total, pool, rss, uptime, queues, ...}}``."""
        raise NotImplementedError

    def events(self, after: str | None = None, *, limit: int = 500) -> tuple[JobEvent, ...]:
        """Changes after the cursor `after`, oldest first; with None only what comes from now on.

        The first call with None may give an empty tuple: `cursor` gives the place to go on from. A
        cursor of an earlier run of this process repeats at most the last two seconds before it.
        """
        raise NotImplementedError

    def cursor(self) -> str:
        """The place in the stream of events after the newest one known now."""
        raise NotImplementedError

    def wait(self, job_id: str, timeout: float) -> JobView:
        """The job once it has ended, or as it stands after `timeout` seconds."""
        raise NotImplementedError
