"""/metrics: the ledger's numbers for Prometheus, read when they are asked for."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from backend.jobs.service import Jobs
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals

if TYPE_CHECKING:
    from prometheus_client.core import Metric

router = APIRouter(tags=["health"], route_class=DeskRoute)

_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get("/metrics", response_class=Response, responses=_TEXT | refusals())
def metrics(request: Request) -> Response:
    """Jobs of the last day by task and state, durations, queues, workers, schedules."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(desk(request).jobs))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Ledger:
    """Turns what the job service knows into metric families."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def describe(self) -> Iterable["Metric"]:
        return ()

    def collect(self) -> Iterator["Metric"]:
        yield from self._tasks()
        yield from self._queues()
        yield from self._workers()
        yield from self._schedules()

    def _tasks(self) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily

        counts = GaugeMetricFamily(
            "mt5ui_jobs_last_day", "Jobs queued within the last day", labels=["task", "state"]
        )
        seconds = GaugeMetricFamily(
            "mt5ui_job_duration_seconds", "Duration of the last day's jobs", labels=["task", "quantile"]
        )
        lateness = GaugeMetricFamily(
            "mt5ui_job_lateness_seconds",
            "From plan to start, of the last day's jobs",
            labels=["task", "quantile"],
        )
        for task in self._jobs.summary(timedelta(days=1)):
            for state, count in task.counts.items():
                counts.add_metric([task.task, state], count)
            for quantile, value in (
                ("0.5", task.duration_p50),
                ("0.95", task.duration_p95),
                ("0.99", task.duration_p99),
            ):
                if value is not None:
                    seconds.add_metric([task.task, quantile], value)
            if task.lateness_p95 is not None:
                lateness.add_metric([task.task, "0.95"], task.lateness_p95)
        yield from (counts, seconds, lateness)
        dead = GaugeMetricFamily("mt5ui_dead_letters", "Jobs parked as dead letters")
        dead.add_metric([], len(self._jobs.dead_letters()))
        yield dead

    def _queues(self) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily

        waiting = GaugeMetricFamily("mt5ui_queue_waiting", "Jobs not begun", labels=["queue"])
        running = GaugeMetricFamily("mt5ui_queue_running", "Jobs being run", labels=["queue"])
        oldest = GaugeMetricFamily(
            "mt5ui_queue_oldest_seconds", "Age of the oldest job not begun", labels=["queue"]
        )
        for queue in self._jobs.queues():
            waiting.add_metric([queue.name], queue.waiting)
            running.add_metric([queue.name], queue.running)
            if queue.oldest_age is not None:
                oldest.add_metric([queue.name], queue.oldest_age)
        yield from (waiting, running, oldest)

    def _workers(self) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily

        up = GaugeMetricFamily("mt5ui_worker_up", "1 while the worker is alive", labels=["worker"])
        age = GaugeMetricFamily(
            "mt5ui_worker_report_age_seconds", "Age of the worker's report", labels=["worker"]
        )
        rss = GaugeMetricFamily("mt5ui_worker_resident_bytes", "Resident memory", labels=["worker"])
        for worker in self._jobs.workers():
            up.add_metric([worker.name], float(worker.state == "alive"))
            age.add_metric([worker.name], worker.age)
            rss.add_metric([worker.name], worker.rss)
        yield from (up, age, rss)

    def _schedules(self) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        missed = CounterMetricFamily("mt5ui_schedule_missed", "Ticks missed", labels=["schedule"])
        paused = GaugeMetricFamily("mt5ui_schedule_paused", "1 while paused", labels=["schedule"])
        lateness = GaugeMetricFamily(
            "mt5ui_schedule_lateness_seconds", "From plan to start", labels=["schedule", "quantile"]
        )
        for schedule in self._jobs.schedules():
            missed.add_metric([schedule.name], schedule.missed)
            paused.add_metric([schedule.name], float(schedule.paused))
            if schedule.lateness_p95 is not None:
                lateness.add_metric([schedule.name, "0.95"], schedule.lateness_p95)
        yield from (missed, paused, lateness)
