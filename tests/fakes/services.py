"""A desk whose services live in memory, for tests of what speaks to it."""

import builtins
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backend.backtest.monte_carlo import Draws
from backend.backtest.stored_run import chances
from backend.config import BrokerChoice, Settings
from backend.control.desk import Control
from backend.core.bars import Bars, empty_bars
from backend.core.clock import Clock, FixedClock
from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.core.problems import Problem
from backend.core.quotes import Quote
from backend.core.timeframes import Timeframe
from backend.economic_calendar.model import CalendarView, Event
from backend.history.incoming import Incoming
from backend.history.service import HistoryService
from backend.ideas.decisions import DecisionService
from backend.ideas.embargoes import Embargoes
from backend.ideas.lines import Filter, line_of, page_of
from backend.jobs.service import JobRequest, Jobs
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
from backend.journal.journal import Journal
from backend.market.specifications import DatedInstrument
from backend.market.store import MarketStore
from backend.market.symbols import SymbolMap, SymbolRow
from backend.mt5.offset import OffsetVerdict, ServerOffset
from backend.mt5.server_time import ServerClock
from backend.news.reader import NewsReader
from backend.risk.rulebook import Rulebook
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from backend.strategies.repository import StrategyRepository
from backend.users.management import Management
from backend.users.service import Door
from tests.fakes.instruments import instrument
from tests.fakes.users import users_of

NOW = datetime(2026, 1, 5, 9, 0, 30, tzinfo=UTC)

SYMBOLS = SymbolMap(
    rows=(
        SymbolRow(canonical="EURUSD", broker_symbol="EURUSD.r", enabled=True),
        SymbolRow(canonical="XAUUSD", broker_symbol="GOLD", enabled=True),
        SymbolRow(canonical="USDSEK", broker_symbol="USDSEK", enabled=False),
    )
)


class MemoryJobs(Jobs):
    """The job service without broker and files: what was submitted, and views that a test sets."""

    def __init__(self) -> None:  # its parent's parts are files and a broker, and it has neither
        self.rows: dict[str, JobView] = {}
        self.keys: dict[str, str] = {}
        self.broker_down = False
        self.log: list[JobEvent] = []
        self.worker_views: tuple[WorkerView, ...] = ()
        self.schedule_views: dict[str, ScheduleView] = {"collect-market-data": schedule()}

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
        if key is not None and key in self.keys:
            return self.keys[key]
        job_id = f"job-{len(self.rows) + 1}"
        state = JobState.REFUSED if self.broker_down else JobState.QUEUED
        self.rows[job_id] = JobView(
            id=job_id,
            task=task,
            queue="maintenance",
            kwargs=dict(kwargs or {}),
            state=state,
            actor=actor,
            key=key,
            schedule=schedule,
            retry_of=retry_of,
            queued_at=NOW,
        )
        self.tell(job_id, state)
        if self.broker_down:
            raise Unavailable("broker_unavailable", "The broker does not answer")
        if key is not None:
            self.keys[key] = job_id
        return job_id

    def submit_many(self, requests: Iterable[JobRequest]) -> builtins.list[str | DeskError]:
        return [self._outcome(request) for request in requests]

    def _outcome(self, request: JobRequest) -> str | DeskError:
        try:
            return self.submit(request.task, request.kwargs, actor=request.actor)
        except DeskError as error:
            return error

    def tell(self, job_id: str, state: JobState) -> None:
        number = len(self.log) + 1
        self.log.append(
            JobEvent(
                cursor=str(number),
                kind=state.name,
                at=NOW,
                job_id=job_id,
                task=None,
                state=state,
                details={},
            )
        )

    def set(self, job_id: str, **changes: Any) -> None:
        self.rows[job_id] = replace(self.rows[job_id], **changes)

    def get(self, job_id: str) -> JobView:
        try:
            return self.rows[job_id]
        except KeyError:
            raise NotFound("unknown_job", f"There is no job {job_id!r}") from None

    def list(
        self,
        *,
        task: str | None = None,
        state: JobState | None = None,
        queue: str | None = None,
        actor: str | None = None,
        schedule: str | None = None,
        worker: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        if cursor is not None and not cursor.isdigit():
            raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
        rows = [
            row
            for row in reversed(self.rows.values())
            if (task is None or row.task.endswith(task))
            and (state is None or row.state is state)
            and (queue is None or row.queue == queue)
            and (actor is None or row.actor == actor)
            and (schedule is None or row.schedule == schedule)
            and (worker is None or row.worker == worker)
            and (since is None or row.queued_at >= since)
            and (until is None or row.queued_at < until)
        ]
        start = int(cursor or 0)
        more = start + limit < len(rows)
        return JobPage(
            items=tuple(rows[start : start + limit]), next_cursor=str(start + limit) if more else None
        )

    def summary(self, window: timedelta = timedelta(days=1)) -> tuple[TaskSummary, ...]:
        return (
            TaskSummary(
                task="backend.tasks.ai_tasks.evaluate_all_strategies",
                counts={"succeeded": 3, "failed": 1},
                duration_p50=0.5,
                duration_p95=0.9,
                duration_p99=None,
                lateness_p95=0.1,
                last_success_at=NOW,
                last_failure_at=None,
            ),
        )

    def cancel(self, job_id: str, *, actor: str) -> JobView:
        if self.get(job_id).terminal:
            raise Conflict("job_ended", f"{job_id} has ended already")
        self.set(job_id, cancel_requested=True)
        return self.get(job_id)

    def retry(self, job_id: str, *, actor: str) -> str:
        row = self.get(job_id)
        if not row.terminal:
            raise Conflict("job_not_ended", f"{job_id} has not ended yet")
        return self.submit(row.task, row.kwargs, actor=actor, retry_of=job_id)

    def dead_letters(self) -> tuple[JobView, ...]:
        return tuple(row for row in self.rows.values() if row.state is JobState.DEAD)

    def requeue(self, job_id: str, *, actor: str) -> str:
        row = self.get(job_id)
        if row.state is not JobState.DEAD:
            raise Conflict("not_a_dead_letter", f"{job_id} is not a dead letter")
        return self.submit(row.task, row.kwargs, actor=actor, retry_of=job_id)

    def queues(self) -> tuple[QueueView, ...]:
        return (
            QueueView(
                name="ai_evaluation",
                waiting=2,
                oldest_age=4.0,
                running=1,
                broker_depth=None if self.broker_down else 2,
                workers=("main@host",),
                canary_age=12.0,
            ),
        )

    def workers(self) -> tuple[WorkerView, ...]:
        return self.worker_views

    def schedules(self) -> tuple[ScheduleView, ...]:
        return tuple(self.schedule_views.values())

    def pause_schedule(self, name: str, *, actor: str) -> ScheduleView:
        return self._schedule(name, paused=True, paused_by=actor, next_planned_at=None)

    def resume_schedule(self, name: str, *, actor: str) -> ScheduleView:
        return self._schedule(name, paused=False, paused_by=None)

    def trigger_schedule(self, name: str, *, actor: str) -> str:
        view = self._schedule(name)
        return self.submit(view.task, actor=actor, schedule=name)

    def _schedule(self, name: str, **changes: Any) -> ScheduleView:
        if name not in self.schedule_views:
            raise NotFound("unknown_schedule", f"There is no schedule {name!r}")
        self.schedule_views[name] = replace(self.schedule_views[name], **changes)
        return self.schedule_views[name]

    def active(self) -> dict[str, Sequence[dict[str, Any]]]:
        return {view.name: [{"id": job_id} for job_id in view.active] for view in self.worker_views}

    def scheduled(self) -> dict[str, Sequence[dict[str, Any]]]:
        return {}

    def stats(self) -> dict[str, dict[str, Any]]:
        return {view.name: {"total": view.processed} for view in self.worker_views}

    def events(self, after: str | None = None, *, limit: int = 500) -> tuple[JobEvent, ...]:
        if after is None:
            return ()
        if not after.isdigit():
            raise Invalid("bad_cursor", f"{after!r} is not a place in the stream of events")
        return tuple(self.log[int(after) :][:limit])

    def cursor(self) -> str:
        return str(len(self.log))

    def changes(self) -> int:
        return len(self.log)

    def schedule_problems(self) -> tuple[Invalid, ...]:
        return ()

    def wait(self, job_id: str, timeout: float) -> JobView:
        return self.get(job_id)


def schedule(name: str = "collect-market-data") -> ScheduleView:
    return ScheduleView(
        name=name,
        task="backend.tasks.data_tasks.collect_market_data",
        queue="data_collection",
        schedule='crontab(minute="*/5")',
        clock="wall",
        enabled=True,
        paused=False,
        paused_by=None,
        overlap="skip",
        last_planned_at=NOW,
        next_planned_at=NOW + timedelta(minutes=5),
        last_job_id=None,
        last_state=None,
        lateness_p95=0.2,
        missed=1,
        skipped=0,
    )


def worker(name: str = "main@host") -> WorkerView:
    return WorkerView(
        name=name,
        host="host",
        pid=42,
        pool="threads",
        concurrency=4,
        queues=("ai_evaluation",),
        active=("job-1",),
        processed=7,
        rss=90_000_000,
        started_at=NOW - timedelta(hours=1),
        updated_at=NOW - timedelta(seconds=3),
        age=3.0,
        canary_ages={"ai_evaluation": 12.0},
        state="alive",
    )


STRATEGY = {
    "id": "EURUSD_H1",
    "name": "EURUSD H1 trend following",
    "symbol": "EURUSD",
    "timeframe": "H1",
    "conditions": {"entry": ["ema_fast_gt_slow"]},
    "strategy": {"direction": "long", "min_rr": 2.0, "max_risk_pct": 0.01},
}


class FakeCalendar:
    """A calendar that says what the test gave it."""

    def __init__(self, view: CalendarView | None = None) -> None:
        self.view = view or CalendarView.unknown("no economic calendar has been fetched yet")

    def as_of(self, now: datetime) -> CalendarView:
        return self.view

    def between(self, begin: datetime, end: datetime, as_of: datetime) -> tuple[Event, ...]:
        return tuple(event for event in self.view.events if begin <= event.at <= end)


class FakeIdeas:
    """Idea files that need no disk."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def problems(self) -> Sequence[Problem]:
        return []

    def page(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        lines = [line_of({"history": [], **row}) for row in self.rows]
        ids, after = page_of(lines, wanted, cursor=cursor, limit=limit)
        return [self.get(idea_id) for idea_id in ids], after

    def pending(self) -> Sequence[dict[str, Any]]:
        return [row for row in self.rows if row["status"] == "pending_approval"]

    def get(self, idea_id: str) -> dict[str, Any]:
        for row in self.rows:
            if row["id"] == idea_id:
                return row
        raise NotFound("unknown_idea", f"there is no trade idea {idea_id!r}")


class FakeMarket:
    """Stored bars of EURUSD H1 and nothing else."""

    def __init__(self) -> None:
        opens = int(NOW.timestamp()) // 3600 * 3600 - np.arange(3, 0, -1) * 3600
        prices = np.array([1.1, 1.2, 1.3])
        self.stored = Bars(
            symbol="EURUSD",
            timeframe=Timeframe.H1,
            time=opens,
            server_time=opens + 7200,
            open=prices,
            high=prices + 0.01,
            low=prices - 0.01,
            close=prices,
            volume=np.array([10, 11, 12]),
            spread=np.array([8, 8, 8]),
        )

    def bars(
        self, symbol: str, timeframe: Timeframe, *, count: int | None = None, until: datetime | None = None
    ) -> Bars:
        if (symbol, timeframe) != ("EURUSD", Timeframe.H1):
            return empty_bars(symbol, timeframe)
        return self.stored[-count:] if count else self.stored

    def chart(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        count: int,
        until: datetime | None = None,
        since: datetime | None = None,
    ) -> tuple[Bars, Timeframe]:
        return self.bars(symbol, timeframe, count=count, until=until), timeframe

    def dated_instrument(self, symbol: str) -> DatedInstrument:
        return DatedInstrument(instrument=instrument(symbol), as_of=NOW, live=True)


class FakeTerminal:
    """A terminal that answers, or does not."""

    def __init__(self) -> None:
        self.down = False
        self._go_on = threading.Event()
        self._go_on.set()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Answers nobody inside the block."""
        self._go_on.clear()
        try:
            yield
        finally:
            self._go_on.set()

    def terminal(self) -> str:
        self._answer()
        return "connected"

    def quote(self, symbol: str, *, with_volume: bool = False) -> Quote:
        self._answer()
        return Quote(
            symbol=symbol,
            time=NOW - timedelta(seconds=2),
            bid=Decimal("1.10000"),
            ask=Decimal("1.10008"),
            volume=41,
        )

    def check_server_clock(self, symbols: Any, *, now: datetime) -> ServerOffset:
        self._answer()
        return ServerOffset(
            verdict=OffsetVerdict.AGREES,
            rule="UTC+2",
            expected_seconds=7200,
            measured_seconds=7200,
            tick_time=NOW,
            reason="fresh ticks keep the rule",
        )

    def _answer(self) -> None:
        self._go_on.wait(10)
        if self.down:
            raise Unavailable("terminal_unreachable", "The terminal does not answer", terminal_code=-10005)


@dataclass(frozen=True, kw_only=True)
class FakeDesk:
    """Services in memory; `storage` is real and rooted in a temporary folder."""

    settings: Settings
    storage: FileStorage
    clock: Clock
    strategies: StrategyFiles
    strategy_repository: StrategyRepository
    journal: Journal
    symbols: SymbolMap = SYMBOLS
    market: Any = field(default_factory=FakeMarket)
    ideas: Any = field(default_factory=FakeIdeas)
    idea_desk: Any = None
    calendar: Any = field(default_factory=FakeCalendar)
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    terminal: Any = field(default_factory=FakeTerminal)
    account: Any = None
    challenge: Any = None
    orders: Any = None
    dealer: Any = None

    @cached_property
    def control(self) -> Control:
        return Control(self.settings.config_dir, self.storage, self.journal, self.clock)

    def chances(self, run_id: str, rulebook: Rulebook, draws: Draws | None = None) -> Mapping[str, Any]:
        return chances(self.storage, run_id, rulebook, zone=self.control.limits().reset_tz, draws=draws)

    @cached_property
    def history(self) -> HistoryService:
        server = ServerClock.parse(self.settings.server_clock)
        return HistoryService(
            self.storage,
            MarketStore(self.storage, server),
            server,
            self.clock,
            canonical={"EURUSD.r": "EURUSD"}.get,
            usual={"EURUSD": 1.1}.get,
        )

    @property
    def incoming(self) -> Incoming:
        return Incoming(self.storage, self.clock)

    @property
    def news_reader(self) -> NewsReader:
        return NewsReader(self.settings.config_dir, self.storage, self.clock)

    @property
    def why_sign_in(self) -> str | None:
        return self.settings.why_sign_in

    @cached_property
    def _users(self) -> tuple[Door, Management]:
        config = FileStorage(self.settings.config_dir, fsync=False)
        return users_of(config, self.storage, self.journal, self.clock)

    @property
    def door(self) -> Door:
        return self._users[0]

    @property
    def management(self) -> Management:
        return self._users[1]

    @property
    def embargoes(self) -> Embargoes:
        return Embargoes(
            strategies=self.strategies,
            symbols=self.symbols,
            instrument=instrument,
            limits=self.control.limits,
            calendar=self.calendar,
        )

    @property
    def decisions(self) -> DecisionService:
        server = ServerClock.parse(self.settings.server_clock)
        return DecisionService(self.storage, self.journal, MarketStore(self.storage, server))


def fake_desk(home: Path, **services: Any) -> FakeDesk:
    """A desk in `home`, in memory mode."""
    settings = Settings(home=home, broker=BrokerChoice.MEMORY)
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    folder = settings.config_dir / "ai" / "strategies"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "EURUSD_H1.json").write_text(json.dumps(STRATEGY), encoding="utf-8")
    storage = FileStorage(settings.data_dir, fsync=False)
    clock: Clock = services.pop("clock", FixedClock(NOW))
    journal = Journal(storage, clock)
    return FakeDesk(
        settings=settings,
        storage=storage,
        clock=clock,
        strategies=StrategyFiles(settings.config_dir / "ai"),
        strategy_repository=StrategyRepository(settings.config_dir / "ai", storage, journal, clock),
        journal=journal,
        **services,
    )


def guarded_desk(home: Path, **services: Any) -> FakeDesk:
    """A desk that can be reached from elsewhere: it asks for sign-in. Its users are whom a test adds."""
    desk = fake_desk(home, **services)
    return replace(desk, settings=desk.settings.model_copy(update={"host": "desk.lan"}))
