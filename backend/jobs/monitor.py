"""How queues, workers and schedules stand, from files alone: no worker is ever asked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from backend.core.clock import age_seconds, parse_iso
from backend.jobs.book import ScheduleBook
from backend.jobs.index import Entry
from backend.jobs.ledger import Ledger
from backend.jobs.rows import written
from backend.jobs.spec import QUEUES, Catalogue
from backend.jobs.views import JobState, QueueView, ScheduleView, TaskSummary, WorkerView

_LATENESS_OF = 50  # a schedule's lateness is taken from this many of its latest jobs


def queue_views(
    entries: Iterable[Entry],
    workers: Sequence[WorkerView],
    depths: Mapping[str, int | None],
    now: datetime,
) -> tuple[QueueView, ...]:
    """Every queue, by name."""
    waiting: dict[str, list[str]] = defaultdict(list)
    running: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.state in {JobState.QUEUED, JobState.SENT}:
            waiting[entry.queue].append(entry.queued_at)
        elif entry.state is JobState.STARTED:
            running[entry.queue] += 1
    views = []
    for name in sorted({*QUEUES, *waiting, *running}):
        consumers = [worker for worker in workers if name in worker.queues and worker.state == "alive"]
        canaries = [worker.canary_ages[name] for worker in workers if name in worker.canary_ages]
        oldest = min(waiting[name], default=None)
        views.append(
            QueueView(
                name=name,
                waiting=len(waiting[name]),
                oldest_age=max(0.0, age_seconds(parse_iso(oldest), now)) if oldest else None,
                running=running[name],
                broker_depth=depths.get(name),
                workers=tuple(worker.name for worker in consumers),
                canary_age=min(canaries, default=None),
            )
        )
    return tuple(views)


def schedule_views(book: ScheduleBook, ledger: Ledger, catalogue: Catalogue) -> tuple[ScheduleView, ...]:
    """Every schedule, by name."""
    pages = book.pages()
    lateness: dict[str, list[float]] = defaultdict(list)
    states: dict[str, JobState] = {}
    for entry in ledger.entries():
        states[entry.id] = entry.state
        if entry.schedule is not None and entry.lateness is not None:
            lateness[entry.schedule].append(entry.lateness)
    views = []
    for name, schedule in sorted(book.schedules.items()):
        memory = pages.of(name)
        spec = catalogue.find(schedule.task)
        planned = schedule.enabled and not memory.paused
        views.append(
            ScheduleView(
                name=name,
                task=schedule.task,
                queue=schedule.queue or (spec.queue if spec else ""),
                schedule=str(schedule.when),
                clock=schedule.clock,
                enabled=schedule.enabled,
                paused=memory.paused,
                paused_by=memory.paused_by,
                overlap=schedule.overlap,
                last_planned_at=memory.last if memory.job is not None else None,
                next_planned_at=schedule.when.following(book.now(schedule)) if planned else None,
                last_job_id=memory.job,
                last_state=states.get(memory.job) if memory.job is not None else None,
                lateness_p95=percentile(lateness[name][-_LATENESS_OF:], 0.95),
                missed=memory.missed,
                skipped=memory.skipped,
            )
        )
    return tuple(views)


def summaries(entries: Iterable[Entry], now: datetime, window: timedelta) -> tuple[TaskSummary, ...]:
    """How each task did among the jobs queued within the window, by task name."""
    since = written(now - window)
    by_task: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.queued_at >= since:
            by_task[entry.task].append(entry)
    return tuple(_summary(task, found) for task, found in sorted(by_task.items()))


def _summary(task: str, entries: Sequence[Entry]) -> TaskSummary:
    counts: dict[str, int] = defaultdict(int)
    durations, lateness = [], []
    for entry in entries:
        counts[str(entry.state)] += 1
        if entry.lateness is not None:
            lateness.append(entry.lateness)
        if entry.started_at is not None and entry.ended_at is not None:
            durations.append(max(0.0, age_seconds(parse_iso(entry.started_at), parse_iso(entry.ended_at))))
    return TaskSummary(
        task=task,
        counts=dict(sorted(counts.items())),
        duration_p50=percentile(durations, 0.50),
        duration_p95=percentile(durations, 0.95),
        duration_p99=percentile(durations, 0.99),
        lateness_p95=percentile(lateness, 0.95),
        last_success_at=_latest(entries, {JobState.SUCCEEDED}),
        last_failure_at=_latest(entries, {JobState.FAILED, JobState.DEAD, JobState.LOST}),
    )


def _latest(entries: Iterable[Entry], states: set[JobState]) -> datetime | None:
    ends = [entry.ended_at for entry in entries if entry.state in states and entry.ended_at is not None]
    return parse_iso(max(ends)) if ends else None


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least that share of the values does not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[place - 1]
