"""Celery's beat with our own planning: ``celery -A backend.celery_app beat`` runs it as it stands."""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from celery.beat import ScheduleEntry, Scheduler

from backend.core.errors import DeskError, Unavailable
from backend.jobs.app import desk_app, desk_runtimes
from backend.jobs.broker import KEY_PREFIX, BrokerKind, connect, resolve
from backend.jobs.clock_control import ClockControl
from backend.jobs.leases import HOST
from backend.jobs.lifecycle import refuse_alone
from backend.jobs.planner import Planner
from backend.jobs.replay import Conductor
from backend.jobs.rows import written
from backend.jobs.runtime import Runtime
from backend.jobs.ticks import celery_schedule

if TYPE_CHECKING:
    from backend.strategies.model import Strategy

BEAT_FILE = "task_runs/beat.json"
REPORT_EVERY = 10.0
CLAIM_SECONDS = 86_400
AFTER_TROUBLE = 1.0

log = logging.getLogger(__name__)


class DeskScheduler(Scheduler):
    """Plans the desk's schedules from its own files; keeps no shelve and needs no sync."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._runtimes = desk_runtimes()
        if not self._runtimes.embedded:
            refuse_alone(desk_app())
            self._runtimes.role = "beat"
            self._runtimes.small = True
        self._runtime: Runtime | None = None
        self._planner: Planner | None = None
        self._conductor: Conductor | None = None
        self._starting = True
        self._reported = float("-inf")
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Load the schedules; a wrong entry is told and not planned."""
        self._runtime = runtime = self._runtimes.get()
        if runtime.book.broken is not None:
            raise SystemExit(runtime.book.broken.message)
        for problem in runtime.book.problems:
            log.error("not planned: %s", problem.message)
        for schedule in runtime.book.schedules.values():
            if schedule.enabled:
                log.info("planned: %s runs %s, %s", schedule.name, schedule.task, schedule.when)
        replayed = runtime.settings.replay is not None
        self._planner = Planner(
            runtime.book,
            runtime.jobs,
            runtime.ledger,
            claim_with(runtime),
            clock="wall" if replayed else "both",
        )
        if replayed:
            self._conductor = replay_conductor(runtime, self._planner, self._runtimes.control_source())

    def tick(self, *_: Any, **__: Any) -> float:
        """Queue what is due; gives the seconds to sleep, at most one."""
        if self._planner is None or self._runtime is None:
            self.setup_schedule()
            return 0.0
        try:
            pause = self._planner.run(starting=self._starting)
            self._starting = False
            if self._conductor is not None:
                pause = min(pause, self._conductor.step())
            self._report(self._runtime)
        except (DeskError, OSError) as error:
            log.warning("beat tries again: %s", error)
            return AFTER_TROUBLE
        return pause

    @property
    def schedule(self) -> dict[str, ScheduleEntry]:  # type: ignore[override]
        """The schedules as Celery's entries, for those who ask beat what it plans."""
        if self._runtime is None:
            return {}
        return {
            schedule.name: self.Entry(
                name=schedule.name,
                task=schedule.task,
                schedule=celery_schedule(schedule.when),
                kwargs=dict(schedule.kwargs),
                options={"queue": schedule.queue},
                app=self.app,
            )
            for schedule in self._runtime.book.schedules.values()
        }

    def should_sync(self) -> bool:
        """Nothing is kept in memory, so nothing is ever due to be written."""
        return False

    def close(self) -> None:
        """Withdraw the heartbeat and finish the ledger."""
        super().close()
        if self._runtime is not None:
            self._runtime.storage.delete(BEAT_FILE)
            if not self._runtimes.embedded:
                self._runtimes.close()

    @property
    def info(self) -> str:
        """What beat's banner shows."""
        if self._runtime is None:
            return "    . schedules -> config/schedules.json"
        return f"    . schedules -> {self._runtime.settings.config_dir / 'schedules.json'}"

    def _report(self, runtime: Runtime) -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_EVERY:
            return
        self._reported = now
        runtime.storage.write_json(
            BEAT_FILE,
            {
                "pid": os.getpid(),
                "host": HOST,
                "updated_at": written(runtime.clock.wall()),
                "schedules": len(runtime.book.schedules),
                "problems": [problem.message for problem in runtime.book.problems],
                "replay": None if self._conductor is None else not self._conductor.finished,
            },
        )


def claim_with(runtime: Runtime) -> Callable[[str], bool]:
    """Asks the broker for a tick's key, so that beats on several machines make one job of a tick.

    The lock of the schedules lets one of them plan at a time, but a network drive may show it what the
    other planned only later. The key is taken again by the machine that has it. A broker that does not
    answer is not asked further: nothing can be published then, and the ledger keeps two of the same apart.
    """
    address = resolve(runtime.settings)
    if address.kind is BrokerKind.MEMORY:
        return lambda _key: True

    def claim(key: str) -> bool:
        import redis

        client = connect(address.url)
        try:
            name = f"{KEY_PREFIX}tick:{key}"
            if client.set(name, HOST, nx=True, ex=CLAIM_SECONDS):
                return True
            return bool(client.get(name) == HOST.encode())
        except redis.RedisError:
            return True
        finally:
            client.close()

    return claim


def replay_conductor(runtime: Runtime, planner: Planner, control: ClockControl | None) -> Conductor:
    """The conductor of a replayed desk, over the connector's clock."""
    if control is None:
        raise Unavailable("no_clock_control", "this desk replays, but nothing here moves its clock")
    from backend.ideas.book import IdeaBook
    from backend.ideas.lifecycle import Status
    from backend.journal.journal import Journal
    from backend.strategies.files import StrategyFiles

    book = IdeaBook(runtime.storage, Journal(runtime.storage, runtime.clock), runtime.clock)
    files = StrategyFiles(runtime.settings.config_dir / "ai")
    return Conductor(
        control,
        planner,
        runtime.ledger,
        lambda: [each for each in runtime.book.schedules.values() if each.clock == "desk"],
        lambda: stops(
            files.load().strategies,
            lambda: {str(idea.get("strategy_id")) for idea in book.find(Status.OPEN, Status.PLACED)},
        ),
        runtime.settings.speed,
    )


def stops(strategies: "Iterable[Strategy]", traded: Callable[[], Collection[str]]) -> Sequence[str]:
    """Timeframes whose closes a replay stops at: the enabled strategies' own; the hour where there are none.

    A strategy that manages its trades on finer bars is stopped for at these too as long as it has one.

    Args:
        strategies: All of them.
        traded: Tells the ids of those that have a trade open or waiting.
    """
    all_ = list(strategies)
    found = {str(each.timeframe) for each in all_ if each.enabled}
    managed = {each.id: each.strategy.management for each in all_ if each.strategy.management.on_bars}
    now = managed.keys() & traded() if managed else ()
    return sorted(found | {str(managed[name].timeframe) for name in now}) or ["H1"]
