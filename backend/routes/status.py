"""/api/status and /api/clocks: one page of what is true of this desk now."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from backend.core.clock import age_seconds
from backend.core.errors import DeskError
from backend.core.version import VERSION
from backend.economic_calendar.config import FILE as CALENDAR_FILE
from backend.economic_calendar.config import CalendarConfig
from backend.jobs import broker as brokers
from backend.jobs.broker import BrokerKind
from backend.jobs.views import QueueView, TaskSummary, WorkerView
from backend.news.config import FEEDS_FILE, TAGS_FILE, load_feeds, load_tags
from backend.routes.access import DeskRoute, desk
from backend.routes.errors import refusals
from backend.routes.health import Check, check_readiness
from backend.routes.ports import Desk

router = APIRouter(prefix="/api", tags=["status"], route_class=DeskRoute)

DESK_FILE: Final = "run/desk.json"
_LOOK_BACK: Final = timedelta(days=7)
_DATA: Final = {
    "market_data": "collect_market_data",
    "evaluations": "evaluate_all_strategies",
    "symbols": "update_symbol_info",
    "economic_calendar": "update_economic_calendar",
    "news": "collect_rss_news",
    "health_check": "system_health_check",
}


class DataAge(BaseModel):
    """How old one kind of data is, by the last success of the task that brings it."""

    name: str
    task: str
    last_success_at: datetime | None
    age_seconds: float | None
    last_failure_at: datetime | None
    reason: str | None = Field(description="Why there is no age")


class Process(BaseModel):
    """A process that the supervisor started."""

    name: str
    pid: int
    alive: bool


class Counts(BaseModel):
    """How the jobs of the last 24 h ended, and what waits."""

    succeeded: int
    failed: int
    waiting: int
    running: int
    dead_letters: int
    oldest_waiting_seconds: float | None


class DeskStatus(BaseModel):
    """The desk in one page. What is not known is null, with a reason beside it."""

    version: str
    mode: Literal["simulated", "replay", "native", "bridge"]
    ready: bool
    wall_time: datetime
    desk_time: datetime | None
    home: str
    broker_kind: BrokerKind
    checks: list[Check] = Field(description="Broker, terminal and storage, as /readyz")
    processes: list[Process] | None = Field(description="Null where `mt5ui up` did not start this desk")
    workers: list[WorkerView]
    jobs: Counts
    data: list[DataAge]
    symbols: list[str] = Field(description="Enabled symbols")
    strategies_enabled: int | None
    problems: list[dict[str, Any]] = Field(description="Entries of configuration files that are left out")


class Clocks(BaseModel):
    """What each clock says, as seen from the API. Null where it cannot be asked, with a reason."""

    api: datetime
    desk: datetime | None
    broker: datetime | None
    broker_reason: str | None
    workers: dict[str, float] = Field(description="Seconds by which a worker's report lies ahead, if it does")
    terminal: dict[str, Any] | None
    terminal_reason: str | None


@router.get("/status", responses=refusals())
def status(request: Request) -> DeskStatus:
    """Broker, processes, terminal, jobs, ages of data, problems of the configuration."""
    services = desk(request)
    readiness = check_readiness(services)
    day = services.jobs.summary(timedelta(days=1))
    enabled, problems = _strategies(services)
    problems += [dict(problem) for problem in services.symbols.problems]
    problems += [error.as_dict() for error in services.jobs.schedule_problems()]
    problems += _outside_problems(services)
    queues = services.jobs.queues()
    return DeskStatus(
        version=VERSION,
        mode=mode(services),
        ready=readiness.ready,
        wall_time=services.clock.wall(),
        desk_time=_desk_time(services),
        home=str(services.settings.home),
        broker_kind=brokers.resolve(services.settings).kind,
        checks=readiness.checks,
        processes=_processes(services),
        workers=list(services.jobs.workers()),
        jobs=_counts(day, queues, len(services.jobs.dead_letters())),
        data=list(_ages(services)),
        symbols=list(services.symbols.enabled()),
        strategies_enabled=enabled,
        problems=problems,
    )


@router.get("/clocks", responses=refusals())
def clocks(request: Request) -> Clocks:
    """The clocks of API, workers, broker and terminal side by side; takes up to 3 s."""
    services = desk(request)
    now = services.clock.wall()
    broker, broker_reason = _broker_time(services)
    terminal, terminal_reason = _terminal_clock(services)
    workers = services.jobs.workers()
    return Clocks(
        api=now,
        desk=_desk_time(services),
        broker=broker,
        broker_reason=broker_reason,
        workers={worker.name: max(0.0, age_seconds(now, worker.updated_at)) for worker in workers},
        terminal=terminal,
        terminal_reason=terminal_reason,
    )


def mode(services: Desk) -> Literal["simulated", "replay", "native", "bridge"]:
    """What stands behind the prices."""
    if services.settings.replay is not None:
        return "replay"
    return services.settings.terminal.value


def _desk_time(services: Desk) -> datetime | None:
    try:
        return services.clock.now()
    except DeskError:
        return None  # a replay's clock is the connector's; `checks` says that it does not answer


def _broker_time(services: Desk) -> tuple[datetime | None, str | None]:
    address = brokers.resolve(services.settings)
    if address.kind is BrokerKind.MEMORY:
        return None, "the broker lives in the API process and has its clock"
    try:
        return brokers.time_of(address), None
    except DeskError as error:
        return None, error.message


def _terminal_clock(services: Desk) -> tuple[dict[str, Any] | None, str | None]:
    try:
        offset = services.terminal.check_server_clock(services.symbols.enabled(), now=services.clock.now())
    except DeskError as error:
        return None, error.message
    return offset.as_dict(), None


def _strategies(services: Desk) -> tuple[int | None, list[dict[str, Any]]]:
    try:
        loaded = services.strategies.load()
    except DeskError as error:
        return None, [error.as_dict()]
    enabled = sum(strategy.enabled for strategy in loaded.strategies)
    return enabled, [problem.as_dict() for problem in loaded.problems]


def _outside_problems(services: Desk) -> list[dict[str, Any]]:
    """Of the files that say where calendar and news come from."""
    home = services.settings.home
    found: list[dict[str, Any]] = []
    try:
        found += [problem.as_dict() for problem in load_feeds(home / FEEDS_FILE).problems]
    except DeskError as error:
        found.append(error.as_dict())
    found += [problem.as_dict() for problem in load_tags(home / TAGS_FILE).problems]
    try:
        CalendarConfig.load(home / CALENDAR_FILE)
    except DeskError as error:
        found.append(error.as_dict())
    return found


def _processes(services: Desk) -> list[Process] | None:
    import psutil

    written = services.storage.read_json_or(DESK_FILE, None)
    if written is None:
        return None
    return [
        Process(name=child["name"], pid=child["pid"], alive=psutil.pid_exists(child["pid"]))
        for child in written["children"]
    ]


def _counts(tasks: tuple[TaskSummary, ...], queues: tuple[QueueView, ...], dead: int) -> Counts:
    def total(*states: str) -> int:
        return sum(task.counts.get(state, 0) for task in tasks for state in states)

    ages = [queue.oldest_age for queue in queues if queue.oldest_age is not None]
    return Counts(
        succeeded=total("succeeded"),
        failed=total("failed", "lost", "dead"),
        waiting=sum(queue.waiting for queue in queues),
        running=sum(queue.running for queue in queues),
        dead_letters=dead,
        oldest_waiting_seconds=max(ages, default=None),
    )


def _ages(services: Desk) -> Iterator[DataAge]:
    known = {one.task.rpartition(".")[2]: one for one in services.jobs.summary(_LOOK_BACK)}
    now = services.clock.wall()
    for name, task in _DATA.items():
        summary = known.get(task)
        success = summary.last_success_at if summary else None
        yield DataAge(
            name=name,
            task=task,
            last_success_at=success,
            age_seconds=round(age_seconds(success, now), 1) if success else None,
            last_failure_at=summary.last_failure_at if summary else None,
            reason=None if success else "no success within the last 7 days",
        )
