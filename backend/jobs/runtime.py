"""What one process needs to run and queue jobs, made once and made again after a fork."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from celery import Celery

from backend.config import Settings
from backend.core.clock import Clock, SystemClock
from backend.core.errors import Unavailable
from backend.jobs.book import ScheduleBook
from backend.jobs.broker import KEY_PREFIX, MEMORY_URL
from backend.jobs.clock_control import ClockControl
from backend.jobs.leases import FileLeases, Leases
from backend.jobs.leases_redis import RedisLeases
from backend.jobs.ledger import Ledger
from backend.jobs.publisher import CeleryPublisher, Publisher
from backend.jobs.reader import JobParts
from backend.jobs.rows import Kind
from backend.jobs.service import Jobs
from backend.jobs.spec import CATALOGUE, Catalogue
from backend.storage.files import FileStorage

LEASES = "task_runs/leases"
LOCKS = "task_runs/locks"
LOCK_LASTS = 30.0  # seconds for which others wait for a host that lost its power while it held a lock
RENEW_EVERY = 5.0
TOLD_EVERY = 20.0  # seconds between two rows that tell of a renewal
WORKER_DAYS = 2
WORKER_LIMIT = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """The parts that share one ledger in this process.

    Attributes:
        settings: Of this process.
        storage: The desk's ``data`` folder.
        clock: Desk and wall time.
        ledger: Where jobs are written down.
        leases: Who runs what.
        locks: Who changes what several processes may change.
        book: The schedules.
        publisher: The way to the broker.
        jobs: The service over them.
        stopping: Set when the process was asked to end: running jobs stop at their next step.
    """

    settings: Settings
    storage: FileStorage
    clock: Clock
    ledger: Ledger
    leases: Leases
    locks: Leases
    book: ScheduleBook
    publisher: Publisher
    jobs: Jobs
    stopping: threading.Event = field(default_factory=threading.Event)


def build_runtime(
    settings: Settings,
    clock: Clock,
    publisher: Publisher,
    *,
    role: str,
    broker_url: str = MEMORY_URL,
    catalogue: Catalogue = CATALOGUE,
    small: bool = False,
) -> Runtime:
    """The parts, over the files of the settings' home.

    Args:
        settings: Whose ``data`` and ``config`` folders are used.
        clock: Desk and wall time.
        publisher: The way to the broker.
        role: Names this process's segments of the ledger: api, beat, worker ...
        broker_url: Where the publisher publishes: a Redis keeps leases and locks too.
        catalogue: The known tasks.
        small: Remember little: for processes that only run or plan jobs.
    """
    storage = FileStorage(settings.data_dir, clock=clock)
    limits = {"days": WORKER_DAYS, "limit": WORKER_LIMIT} if small else {}
    ledger = Ledger(storage, clock, writer=role, **limits)
    leases: Leases
    locks: Leases
    if broker_url.startswith(MEMORY_URL):
        leases = FileLeases(storage.path(LEASES), clock)
        locks = FileLeases(storage.path(LOCKS), clock)
    else:
        # Who asks the API for a job hears within two seconds that the broker is away; a worker has time.
        patience = 5.0 if small else 0.3
        leases = RedisLeases(broker_url, KEY_PREFIX, clock, patience=patience)
        locks = RedisLeases(
            broker_url, f"{KEY_PREFIX}lock:", clock, patience=patience, lasts=LOCK_LASTS, puts_back=False
        )
    book = ScheduleBook(storage, clock, settings.config_dir, catalogue, locks)
    parts = JobParts(
        storage=storage,
        ledger=ledger,
        leases=leases,
        locks=locks,
        publisher=publisher,
        catalogue=catalogue,
        book=book,
    )
    runtime = Runtime(
        settings=settings,
        storage=storage,
        clock=clock,
        ledger=ledger,
        leases=leases,
        locks=locks,
        book=book,
        publisher=publisher,
        jobs=Jobs(parts),
    )
    threading.Thread(target=_renew, args=(runtime,), name="leases", daemon=True).start()
    return runtime


class Runtimes:
    """The runtime of the current process: a forked child gets its own.

    Args:
        app: Whose messages are published.
        settings: Gives the settings.

    Attributes:
        clock_source: Gives the clock when the runtime is made.
        control_source: Gives what moves the clock of a replayed desk.
        role: Names this process's part of the ledger.
        small: Whether it remembers little.
        embedded: Whether worker and beat run inside this process, with the broker in memory.
    """

    clock_source: Callable[[], Clock]
    control_source: Callable[[], ClockControl | None]

    def __init__(self, app: Celery, settings: Callable[[], Settings]) -> None:
        self.app = app
        self.clock_source = SystemClock
        self.control_source = lambda: None
        self.role = "desk"
        self.small = False
        self.embedded = False
        self._settings = settings
        self._made: dict[int, Runtime] = {}
        self._guard = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self._settings()

    def get(self) -> Runtime:
        """The runtime, made on first use."""
        pid = os.getpid()
        made = self._made.get(pid)
        if made is not None:
            return made
        with self._guard:
            if pid not in self._made:
                # The tasks make themselves known, and the composition root names its clock, on import.
                self.app.loader.import_default_modules()
                self._made[pid] = build_runtime(
                    self._settings(),
                    self.clock_source(),
                    CeleryPublisher(self.app),
                    role=self.role,
                    broker_url=str(self.app.conf.broker_url),
                    small=self.small,
                )
            return self._made[pid]

    def close(self) -> None:
        """Finish what waits to be written."""
        made = self._made.pop(os.getpid(), None)
        if made is not None:
            made.stopping.set()
            made.ledger.close()
            made.leases.close()
            made.locks.close()

    def _forget(self) -> None:
        self._guard = threading.RLock()
        self._made = {}


def _renew(runtime: Runtime) -> None:
    told = time.monotonic()
    while not runtime.stopping.is_set():
        time.sleep(RENEW_EVERY)
        try:
            runtime.locks.renew()
            renewed = runtime.leases.renew()
            if time.monotonic() - told < TOLD_EVERY:
                continue
            told = time.monotonic()
            for job_id in renewed:
                entry = runtime.ledger.recent(job_id)
                runtime.ledger.note(Kind.LEASE, job_id, run=entry.run if entry else 0)
        except (OSError, Unavailable):
            continue  # disk or broker are away for a moment; local holders are known by their process
