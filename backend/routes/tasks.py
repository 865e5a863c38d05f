"""/api/tasks: the history of every job, and what a person may do about one."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel

from backend.core.errors import Invalid
from backend.jobs.views import JobPage, JobState, JobView, TaskSummary
from backend.routes.access import DeskRoute, actor, desk
from backend.routes.errors import refusals

router = APIRouter(prefix="/api", tags=["tasks"], route_class=DeskRoute)

_WINDOW: Final = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST_PAGES: Final = 50
_LONGEST_WINDOW: Final = timedelta(days=366)

Name = Annotated[str | None, Query(max_length=200)]


class Queued(BaseModel):
    """A new job stands in the ledger."""

    task_id: str
    status: Literal["pending"] = "pending"


class Summary(BaseModel):
    """How each task did among the jobs queued within the window."""

    window_seconds: float
    timestamp: datetime
    tasks: list[TaskSummary]


class DeadLetters(BaseModel):
    """Jobs parked because their worker died with them again and again, newest first."""

    items: list[JobView]


def parse_window(text: str) -> timedelta:
    """A span such as `90s`, `15m`, `24h` or `7d`, up to 366 days.

    Raises:
        Invalid: With what is allowed.
    """
    match = _WINDOW.fullmatch(text)
    window = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta(0)
    if not timedelta(0) < window <= _LONGEST_WINDOW:
        raise Invalid("bad_window", f"window {text!r} is not a span such as 90s, 15m, 24h or 7d, up to 366d")
    return window


@router.get("/tasks", responses=refusals(422))
def list_tasks(
    request: Request,
    *,
    task: Name = None,
    status: Annotated[JobState | None, Query(description="The ledger's word")] = None,
    queue: Name = None,
    worker: Name = None,
    schedule: Name = None,
    actor: Name = None,
    since: Annotated[AwareDatetime | None, Query(description="Queued at or after, with an offset")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Queued before, with an offset")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> JobPage:
    """Jobs, newest first. `task` is a full name or its last part."""
    jobs = desk(request).jobs

    def page(limit: int, cursor: str | None) -> JobPage:
        return jobs.list(
            task=task,
            state=status,
            queue=queue,
            schedule=schedule,
            actor=actor,
            since=since,
            until=until,
            limit=limit,
            cursor=cursor,
        )

    return page(limit, cursor) if worker is None else _of_worker(page, worker, limit, cursor)


def _of_worker(
    page: Callable[[int, str | None], JobPage], worker: str, limit: int, cursor: str | None
) -> JobPage:
    """The jobs that one worker began: a page may be short and still have a next one."""
    found: list[JobView] = []
    for _ in range(_MOST_PAGES):
        # Never more than what is still missing, so that the cursor stands right behind the last one taken.
        part = page(max(limit - len(found), 1), cursor)
        found += [job for job in part.items if job.worker == worker]
        cursor = part.next_cursor
        if cursor is None or len(found) >= limit:
            break
    return JobPage(items=tuple(found), next_cursor=cursor)


@router.get("/tasks/summary", responses=refusals(422))
def summarise_tasks(request: Request, window: Annotated[str, Query(max_length=10)] = "24h") -> Summary:
    """Counts by state, durations (p50, p95, p99) and lateness per task."""
    span = parse_window(window)
    services = desk(request)
    return Summary(
        window_seconds=span.total_seconds(),
        timestamp=services.clock.wall(),
        tasks=list(services.jobs.summary(span)),
    )


@router.get("/tasks/{task_id}", responses=refusals(404))
def get_task(request: Request, task_id: str) -> JobView:
    """One job with its timeline: queued, sent, started, lease, retries, redeliveries, end."""
    return desk(request).jobs.get(task_id)


@router.post("/tasks/{task_id}/cancel", responses=refusals(404, 409))
def cancel_task(request: Request, task_id: str) -> JobView:
    """Ask a job to stop: one not begun never begins, a running one stops at its next step."""
    return desk(request).jobs.cancel(task_id, actor=actor(request))


@router.post("/tasks/{task_id}/retry", responses=refusals(404, 409, 503))
def retry_task(request: Request, task_id: str) -> Queued:
    """Queue a new job with the task and arguments of one that has ended."""
    return Queued(task_id=desk(request).jobs.retry(task_id, actor=actor(request)))


@router.get("/dead-letters", responses=refusals())
def dead_letters(request: Request) -> DeadLetters:
    """Jobs that are not tried any more by themselves."""
    return DeadLetters(items=list(desk(request).jobs.dead_letters()))


@router.post("/dead-letters/{task_id}/requeue", responses=refusals(404, 409, 503))
def requeue_dead_letter(request: Request, task_id: str) -> Queued:
    """Queue a dead letter once more as a new job."""
    return Queued(task_id=desk(request).jobs.requeue(task_id, actor=actor(request)))
