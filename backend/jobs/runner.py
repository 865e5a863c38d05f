"""One delivery of a job, from the broker's message to the row that tells how it ended."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from backend.core import masking
from backend.core.clock import age_seconds, parse_iso
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.jobs.context import (
    _CURRENT,
    DeadlineExceeded,
    JobCancelled,
    JobContext,
    JobInterrupted,
)
from backend.jobs.index import Entry
from backend.jobs.leases import exclusive
from backend.jobs.rows import Kind, deaths, written
from backend.jobs.runtime import Runtime
from backend.jobs.spec import NO_RETRY, TaskSpec
from backend.jobs.views import JobState

MOST_DEATHS = 3
ALERTS = "task_runs/alerts.jsonl"
ALERT_WAIT = 5.0
LONGEST_TRACEBACK = 8_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What a worker was handed.

    Attributes:
        job_id: The job, and Celery task, id.
        kwargs: The arguments in the message.
        worker: Celery's node name.
        queue: Where it came from; None when it was run in place.
        redelivered: Whether the broker says that it was handed out before.
        eager: Run in place by `apply`: nobody can run it a second time.
    """

    job_id: str
    kwargs: Mapping[str, Any]
    worker: str
    queue: str | None
    redelivered: bool
    eager: bool


class Passed(Ignore):
    """The delivery is done with without running anything; `state` is the job's, for the result backend."""

    def __init__(self, state: JobState, reason: str) -> None:
        super().__init__(reason)
        self.state = state


def deliver(runtime: Runtime, spec: TaskSpec, work: Callable[..., Any], delivery: Delivery) -> dict[str, Any]:
    """Run the job if it is still to be run, and write down how it went.

    Returns:
        Its result; that of the run before, if it had succeeded already.

    Raises:
        Passed: It is not to be run: cancelled, expired, ended, run by another just now, parked, or
            to be tried again later.
        Reject: This worker ends, or the broker that keeps the leases is away; the message goes back.
        Exception: What the work raised, after the row FAILED.
    """
    ledger, leases, job_id = runtime.ledger, runtime.leases, delivery.job_id
    if runtime.stopping.is_set() and not delivery.eager:
        raise Reject("the worker ends", requeue=True)
    try:
        number = leases.take(job_id, delivery.worker)
    except Unavailable as error:
        raise Reject(error.message, requeue=True) from error
    if not number:
        ledger.note(Kind.DUPLICATE, job_id, worker=delivery.worker)
        raise Passed(JobState.STARTED, "it runs already")
    try:
        entry = ledger.find(job_id) or _adopt(runtime, spec, delivery)
        done = _already(runtime, spec, entry, delivery)
        if done is not None:
            return done
        return _run(runtime, spec, work, delivery, entry, number)
    finally:
        leases.release(job_id)


def _adopt(runtime: Runtime, spec: TaskSpec, delivery: Delivery) -> Entry:
    """Write down a job that somebody sent with Celery alone."""
    runtime.ledger.append(
        Kind.QUEUED,
        delivery.job_id,
        task=spec.name,
        queue=delivery.queue or spec.queue,
        kwargs=masking.hide_in(_plain(delivery.kwargs)),
        actor="celery",
        adopted=True,
    )
    return runtime.ledger.get(delivery.job_id)


def _already(runtime: Runtime, spec: TaskSpec, entry: Entry, delivery: Delivery) -> dict[str, Any] | None:
    """The result of a job that has succeeded; None for one to be run; `Passed` for every other."""
    ledger = runtime.ledger
    if entry.state is JobState.SUCCEEDED:
        result = entry.view().result
        return dict(result) if result is not None else {}
    if entry.state.terminal:
        raise Passed(entry.state, f"it has ended: {entry.state}")
    if spec.once and entry.run:
        give_up(runtime, entry)
        raise Passed(JobState.FAILED, "it was begun before, and is not begun again")
    if entry.cancel_requested:
        ledger.append(Kind.CANCELLED, entry.id, run=entry.run, worker=delivery.worker)
        raise Passed(JobState.CANCELLED, "it was cancelled")
    wall = runtime.clock.wall()
    if entry.expires_at is not None and entry.run == 0 and entry.expires_at < written(wall):
        ledger.append(Kind.EXPIRED, entry.id, worker=delivery.worker)
        raise Passed(JobState.EXPIRED, "it came too late")
    if entry.state is JobState.RETRYING and entry.due_at is not None and entry.due_at > written(wall):
        raise Passed(JobState.RETRYING, "its next try is not due")
    died = deaths(entry.rows())
    if died >= MOST_DEATHS:
        park(runtime, entry, died)
        raise Passed(JobState.DEAD, f"its worker died with it {died} times")
    return None


def give_up(runtime: Runtime, entry: Entry) -> None:
    """End a job that was begun, may not be begun again, and whose worker died. The caller has its lease."""
    message = f"{entry.task} was begun and its worker died; it is not begun again"
    error = Unavailable("worker_died", message)
    runtime.ledger.append(Kind.FAILED, entry.id, run=entry.run, error=error.as_dict())
    log.error("%s (job %s)", message, entry.id)


def park(runtime: Runtime, entry: Entry, died: int) -> None:
    """Put a job aside that takes its worker with it, and leave an alert. The caller has its lease."""
    message = f"{entry.task} was parked: its worker died with it {died} times"
    error = Invalid("worker_died", message, deaths=died)
    runtime.ledger.append(Kind.DEAD, entry.id, run=entry.run, error=error.as_dict())
    alert = {"at": written(runtime.clock.wall()), "kind": "dead_letter", "job": entry.id, "message": message}
    with exclusive(runtime.locks, ALERTS, ALERT_WAIT):
        runtime.storage.append_jsonl(ALERTS, [alert], sync=True)
    log.error("%s (job %s)", message, entry.id)


def _run(
    runtime: Runtime,
    spec: TaskSpec,
    work: Callable[..., Any],
    delivery: Delivery,
    entry: Entry,
    number: int,
) -> dict[str, Any]:
    run = entry.run + 1
    job_id = entry.id
    context = JobContext(
        id=job_id,
        task=spec.name,
        actor=entry.actor,
        run=run,
        worker=delivery.worker,
        deadline=spec.deadline,
        ends_at=time.monotonic() + spec.deadline,
        cancelled=lambda: _cancel_asked(runtime, job_id),
        stopping=runtime.stopping,
        held=lambda: runtime.leases.held(job_id),
        tell=lambda done, total: runtime.ledger.note(Kind.PROGRESS, job_id, run=run, done=done, total=total),
    )
    runtime.ledger.append(
        Kind.STARTED,
        job_id,
        run=run,
        worker=delivery.worker,
        fence=number,
        redelivered=delivery.redelivered or None,
        lateness=_lateness(runtime, entry) if run == 1 else None,
    )
    token = _CURRENT.set(context)
    try:
        context.check()
        result = _result(spec, work(**spec.arguments(delivery.kwargs)))
    except JobCancelled:
        _end(runtime, Kind.CANCELLED, context)
        raise Passed(JobState.CANCELLED, "it was cancelled") from None
    except JobInterrupted:
        reason = "the worker ended" if runtime.stopping.is_set() else "its lease ended"
        _release(runtime, spec, context, reason)
        if spec.once:
            raise Passed(JobState.FAILED, f"{reason}; it is not begun again") from None
        raise Passed(JobState.SENT, f"{reason}; it will be run again") from None
    except Exception as error:
        _failed(runtime, spec, delivery, context, error)
        raise
    except BaseException:
        _release(runtime, spec, context, "the worker ended")
        raise
    finally:
        _CURRENT.reset(token)
    _end(runtime, Kind.SUCCEEDED, context, result=result)
    return result


def _release(runtime: Runtime, spec: TaskSpec, context: JobContext, reason: str) -> None:
    """A run was stopped before its end: the next one may begin, or never, where it may only begin once."""
    if spec.once:
        error = Unavailable("interrupted", f"{reason} while it ran; it is not begun again")
        _end(runtime, Kind.FAILED, context, error=error.as_dict())
    else:
        _end(runtime, Kind.RELEASED, context, reason=reason)


def _failed(
    runtime: Runtime, spec: TaskSpec, delivery: Delivery, context: JobContext, error: Exception
) -> None:
    described = describe(error)
    retried = isinstance(error, Unavailable) and not isinstance(error, DeadlineExceeded)
    policy = spec.retry if retried and not delivery.eager and not spec.once else NO_RETRY
    delay = policy.delay(context.run)
    if delay is None:
        _end(runtime, Kind.FAILED, context, error=described)
        return
    due = runtime.clock.wall() + timedelta(seconds=delay)
    _end(runtime, Kind.RETRY, context, error=described, delay=delay, due_at=written(due))
    log.warning("%s (job %s) is tried again in %g s: %s", spec.name, context.id, delay, described["message"])
    raise Passed(JobState.RETRYING, f"{described['message']}; tried again in {delay:g} s") from error


def _end(runtime: Runtime, kind: Kind, context: JobContext, **fields: Any) -> None:
    """Write the outcome, unless another took the job over from a worker thought dead."""
    if not runtime.leases.mine(context.id):
        runtime.ledger.append(
            Kind.DUPLICATE, context.id, worker=context.worker, fenced=context.run, outcome=str(kind)
        )
        raise Passed(JobState.STARTED, "another worker took it over")
    runtime.ledger.append(kind, context.id, run=context.run, worker=context.worker, **fields)


def describe(error: BaseException) -> dict[str, Any]:
    """An error as the ledger keeps it: category, code, message, details, traceback."""
    trace = masking.hide("".join(traceback.format_exception(error)))[-LONGEST_TRACEBACK:]
    if isinstance(error, DeskError):
        told = {**error.as_dict(), "details": _plain(error.details)}
        return {**masking.hide_in(told), "traceback": trace}
    code = "deadline_exceeded" if isinstance(error, SoftTimeLimitExceeded) else "unexpected"
    message = masking.hide(f"{type(error).__name__}: {error}")
    return {"category": "error", "code": code, "message": message, "details": {}, "traceback": trace}


def _result(spec: TaskSpec, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{spec.name} returned {type(value).__name__}; a task returns a small dict")
    plain = masking.hide_in(_plain(value))
    return plain if isinstance(plain, dict) else {}


def _plain(value: Any) -> Any:
    """The value as JSON knows it; what JSON does not know becomes its text."""
    return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))


def _cancel_asked(runtime: Runtime, job_id: str) -> bool:
    entry = runtime.ledger.recent(job_id)
    return entry is not None and entry.cancel_requested


def _lateness(runtime: Runtime, entry: Entry) -> float:
    job = entry.view()
    if job.planned_at is None:
        return max(0.0, age_seconds(parse_iso(entry.queued_at), runtime.clock.wall()))
    origin = next(row for row in entry.rows() if row["kind"] == Kind.QUEUED)
    now = runtime.clock.now() if origin.get("planned_clock") == "desk" else runtime.clock.wall()
    return max(0.0, age_seconds(job.planned_at, now))
