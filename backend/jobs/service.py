"""The job service: what the API, the command line and the schedules ask of the jobs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from backend.core.clock import iso
from backend.core.errors import Conflict, DeskError, Invalid, Unavailable, from_dict
from backend.jobs.index import Entry
from backend.jobs.leases import exclusive
from backend.jobs.publisher import Message
from backend.jobs.reader import JobsReader
from backend.jobs.rows import Kind, new_id, written
from backend.jobs.schedules import Schedule
from backend.jobs.views import (
    JobState,
    JobView,
    ScheduleView,
)

MAX_KEY = 200
KEY_WAIT = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """A job that somebody wants: what `Jobs.submit` takes, without a key."""

    task: str
    kwargs: Mapping[str, Any]
    actor: str


class Jobs(JobsReader):
    """Queues jobs, ends them, and tells how they stand. Thread-safe; every method is bounded in time."""

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
            task: Full name of the task, such as ``backend.tasks.ai_tasks.evaluate_all_strategies``,
                or its last part.
            kwargs: Its arguments; defaults are filled in, so the ledger shows what is run.
            actor: Who asks.
            key: Idempotency key: the same key gives the id of the job that it made before, unless
                that one was refused.
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
        spec = self._parts.catalogue.get(task)
        values = spec.arguments(kwargs or {})
        facts: dict[str, Any] = {
            "task": spec.name,
            "queue": spec.queue,
            "kwargs": values,
            "actor": actor,
            "key": key,
            "schedule": schedule,
            "planned_at": written(planned_at) if planned_at else None,
            "expires_at": written(expires_at) if expires_at else None,
            "retry_of": retry_of,
        }
        if key is None:
            job_id = new_id(self._clock.wall())
            self._ledger.append(Kind.QUEUED, job_id, **facts)
        else:
            job_id, is_new = self._queue_once(key, facts)
            if not is_new:
                return job_id
        refused = self._hand_over([Message(job_id=job_id, task=spec.name, kwargs=values, queue=spec.queue)])
        if refused:
            raise refused[job_id]
        return job_id

    def submit_many(self, requests: Iterable[JobRequest]) -> list[str | DeskError]:
        """Queue several jobs in order, with one sync of the disk and one exchange with the broker.

        Returns:
            For each the id of its job, or the error that `submit` would have raised; one that is
            wrong does not touch the others.
        """
        outcomes: list[str | DeskError] = []
        messages: list[Message] = []
        rows: dict[str, dict[str, Any]] = {}
        for request in requests:
            try:
                spec = self._parts.catalogue.get(request.task)
                values = spec.arguments(request.kwargs)
            except DeskError as error:
                outcomes.append(error)
                continue
            job_id = new_id(self._clock.wall())
            outcomes.append(job_id)
            messages.append(Message(job_id=job_id, task=spec.name, kwargs=values, queue=spec.queue))
            rows[job_id] = {"task": spec.name, "queue": spec.queue, "kwargs": values, "actor": request.actor}
        failed: dict[str, DeskError] = {}
        try:
            self._ledger.append_many(Kind.QUEUED, rows)
        except Unavailable as error:
            there = int(error.details.pop("written"))
            # An error of its own for each: whoever raises it adds to it.
            failed = {message.job_id: from_dict(error.as_dict()) for message in messages[there:]}
            del messages[there:]
        failed.update(self._hand_over(messages))
        return [failed.get(each, each) if isinstance(each, str) else each for each in outcomes]

    def submit_planned(
        self, schedule: Schedule, *, job_id: str, planned_at: datetime, expires_at: datetime
    ) -> str:
        """Queue a planned tick. With the broker down it stays queued and is published when it is back."""
        spec = self._parts.catalogue.get(schedule.task)
        values = spec.arguments(schedule.kwargs)
        queue = schedule.queue or spec.queue
        self._ledger.append(
            Kind.QUEUED,
            job_id,
            task=spec.name,
            queue=queue,
            kwargs=values,
            actor="schedule",
            key=f"{schedule.name}:{iso(planned_at)}",
            schedule=schedule.name,
            planned_at=written(planned_at),
            planned_clock=schedule.clock,
            expires_at=written(expires_at),
        )
        try:
            self._parts.publisher.publish(Message(job_id=job_id, task=spec.name, kwargs=values, queue=queue))
        except Unavailable:
            return job_id  # the sweep of the ledger publishes it
        self._ledger.note(Kind.SENT, job_id)
        return job_id

    def publish_again(self, entry: Entry, reason: str) -> bool:
        """Hand a job's message to the broker once more; False if the broker does not take it."""
        job = entry.view()
        try:
            self._parts.publisher.publish(
                Message(job_id=job.id, task=job.task, kwargs=job.kwargs, queue=job.queue)
            )
        except Unavailable:
            return False
        self._ledger.append(Kind.REPUBLISHED, job.id, run=entry.run, reason=reason)
        return True

    def cancel(self, job_id: str, *, actor: str) -> JobView:
        """Ask a job to stop: one not begun never begins, a running one stops at its next step.

        Raises:
            NotFound: Unknown id.
            Conflict: ``job_ended``: it has ended already.
        """
        entry = self._ledger.get(job_id)
        if entry.state.terminal:
            raise Conflict("job_ended", f"job {job_id} has ended: {entry.state}", state=str(entry.state))
        self._ledger.append(Kind.CANCEL_REQUESTED, job_id, actor=actor)
        self.close_unbegun(job_id, Kind.CANCELLED, actor=actor)
        return self.get(job_id)

    def close_unbegun(self, job_id: str, kind: Kind, **fields: Any) -> bool:
        """End a job that no worker runs; False if one does, if it has ended, or if nobody can say."""
        try:
            return bool(self._close_unbegun([job_id], kind, fields))
        except Unavailable:
            return False  # the broker keeps the leases and is away: the sweep ends it when it is back

    def _close_unbegun(self, job_ids: Iterable[str], kind: Kind, fields: Mapping[str, Any]) -> Sequence[str]:
        """End those of the jobs that no worker runs, with one sync; gives the ended ones."""
        leases = self._parts.leases
        taken: list[str] = []
        try:
            taken.extend(job_id for job_id in job_ids if leases.take(job_id, "service"))
            entries = [(job_id, self._ledger.get(job_id)) for job_id in taken]
            rows = {job_id: {"run": e.run, **fields} for job_id, e in entries if not e.state.terminal}
            self._ledger.append_many(kind, rows)
        finally:
            for job_id in taken:
                leases.release(job_id)
        return [*rows]

    def retry(self, job_id: str, *, actor: str) -> str:
        """Queue a new job with the task and arguments of one that ended; gives the new id.

        Raises:
            NotFound: Unknown id.
            Conflict: ``job_not_ended``: it has not ended yet.
            Unavailable: As `submit`.
        """
        job = self._ledger.get(job_id).view()
        if not job.terminal:
            raise Conflict("job_not_ended", f"job {job_id} is {job.state}; only an ended one is tried again")
        return self.submit(job.task, job.kwargs, actor=actor, retry_of=job_id)

    def requeue(self, job_id: str, *, actor: str) -> str:
        """Queue a dead letter once more as a new job; gives the new id.

        Raises:
            NotFound: Unknown id.
            Conflict: ``not_a_dead_letter``, or ``already_requeued``.
            Unavailable: As `submit`.
        """
        entry = self._ledger.get(job_id)
        if entry.state is not JobState.DEAD:
            raise Conflict("not_a_dead_letter", f"job {job_id} is {entry.state}, not a dead letter")
        if entry.requeued_as is not None:
            raise Conflict(
                "already_requeued",
                f"job {job_id} was queued again as {entry.requeued_as}",
                job=entry.requeued_as,
            )
        new_job = self.retry(job_id, actor=actor)
        self._ledger.append(Kind.REQUEUED, job_id, new_job=new_job, actor=actor)
        return new_job

    def pause_schedule(self, name: str, *, actor: str) -> ScheduleView:
        """Plan nothing more under this name until resumed; survives restarts. `NotFound` if unknown."""
        self._parts.book.pause(name, actor=actor)
        return self._schedule(name)

    def resume_schedule(self, name: str, *, actor: str) -> ScheduleView:  # noqa: ARG002 - the port of pause
        """Plan again from now; ticks while it was paused are not caught up. `NotFound` if unknown."""
        self._parts.book.resume(name)
        return self._schedule(name)

    def trigger_schedule(self, name: str, *, actor: str) -> str:
        """Queue what the schedule would queue, now; gives the job id.

        Raises:
            NotFound: Unknown name.
            Unavailable: As `submit`.
        """
        schedule = self._parts.book.schedule(name)
        return self.submit(schedule.task, schedule.kwargs, actor=actor, schedule=name)

    def _queue_once(self, key: str, facts: Mapping[str, Any]) -> tuple[str, bool]:
        """(job, whether it is new) of an idempotency key; the row of a new one is written."""
        if not 0 < len(key) <= MAX_KEY:
            raise Invalid("bad_key", f"an idempotency key has 1 to {MAX_KEY} characters", allowed=MAX_KEY)
        with exclusive(self._parts.locks, f"key-{sha256(key.encode()).hexdigest()}", KEY_WAIT):
            made = self._ledger.keyed(key)
            if made is not None:
                if made.task != facts["task"]:
                    raise Conflict(
                        "key_in_use", f"the key {key!r} belongs to a job of {made.task}", job=made.id
                    )
                return made.id, False
            job_id = new_id(self._clock.wall())
            self._ledger.append(Kind.QUEUED, job_id, **facts)
            return job_id, True

    def _hand_over(self, messages: Sequence[Message]) -> dict[str, DeskError]:
        """Publish jobs whose rows are there; gives the errors of those that were refused, by id.

        The row of a refused job is closed. A worker that has it all the same keeps it.
        """
        if not messages:
            return {}
        try:
            self._parts.publisher.publish(*messages)
        except Unavailable as error:
            refused = self._refuse([message.job_id for message in messages], {"error": error.as_dict()})
            return {
                job_id: Unavailable(error.code, error.message, **error.details, job=job_id)
                for job_id in refused
            }
        for message in messages:
            self._ledger.note(Kind.SENT, message.job_id)
        return {}

    def _refuse(self, job_ids: Sequence[str], reason: Mapping[str, Any]) -> Sequence[str]:
        try:
            return self._close_unbegun(job_ids, Kind.REFUSED, reason)
        except Unavailable:
            # With the leases away too nobody begins a job; one that was begun before has its row.
            rows = {job_id: dict(reason) for job_id in job_ids if self._ledger.get(job_id).run == 0}
            self._ledger.append_many(Kind.REFUSED, rows)
            return [*rows]
