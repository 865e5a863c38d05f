"""A desk without a Redis: workers and beat inside the API process, with Celery's in-memory transport."""

import logging
import threading
import time
from typing import Any

from celery import Celery
from celery.beat import Service
from celery.worker import WorkController
from celery.worker import state as _worker_state
from kombu.transport import TRANSPORT_ALIASES, memory

from backend.core.errors import Unavailable
from backend.jobs.commands import WORKERS, WorkerPlan
from backend.jobs.leases import HOST
from backend.jobs.lifecycle import Lifecycle
from backend.jobs.runtime import Runtimes

START_TIMEOUT = 15.0
STOP_TIMEOUT = 8.0
LONGEST_WAIT = 0.2  # seconds in which a worker that is asked to end hears of it

log = logging.getLogger(__name__)
_STATE: Any = _worker_state  # what Celery's loops look at; its stubs say that it never changes
_MemoryTransport: Any = memory.Transport  # without stubs


class Transport(_MemoryTransport):  # type: ignore[misc]
    """kombu's transport inside one process, which Celery would otherwise wait at for 2 s, twice at an end."""

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message, or raise `TimeoutError` after `LONGEST_WAIT`."""
        super().drain_events(connection, timeout=timeout and min(timeout, LONGEST_WAIT))


class Embedded:
    """What runs inside this process, until `stop`."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes
        self._workers: list[tuple[WorkController, threading.Thread]] = []
        self._beat: Service | None = None
        self._beat_thread: threading.Thread | None = None

    def alive(self) -> bool:
        """Whether every worker and beat still run."""
        threads = [thread for _, thread in self._workers]
        if self._beat_thread is not None:
            threads.append(self._beat_thread)
        return bool(threads) and all(thread.is_alive() for thread in threads)

    def stop(self) -> None:
        """End beat, let running jobs come to their next step, end the workers."""
        if self._beat is not None:
            self._beat.stop()
        self._runtimes.get().stopping.set()
        _STATE.should_stop = 0
        end = time.monotonic() + STOP_TIMEOUT
        for thread in [self._beat_thread, *(thread for _, thread in self._workers)]:
            if thread is not None:
                thread.join(max(0.0, end - time.monotonic()))
        _STATE.should_stop = None
        self._runtimes.close()
        self._runtimes.embedded = False

    def add_worker(self, app: Celery, lifecycle: Lifecycle, plan: WorkerPlan) -> None:
        """Start one worker in a thread and wait until it consumes.

        Raises:
            Unavailable: ``worker_did_not_start``.
        """
        ready = threading.Event()

        def consumes(consumer: Any) -> None:
            lifecycle.add(consumer.controller)
            ready.set()

        controller = WorkController(
            app=app,
            hostname=f"{plan.name}@{HOST}",
            pool_cls="threads",
            concurrency=plan.concurrency,
            queues=",".join(plan.queues),
            loglevel="INFO",
            ready_callback=consumes,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        thread = threading.Thread(target=controller.start, name=f"worker {plan.name}", daemon=True)
        thread.start()
        self._workers.append((controller, thread))
        # The next worker chooses its queues from the same app: this one must have chosen before.
        if not ready.wait(START_TIMEOUT):
            raise Unavailable(
                "worker_did_not_start", f"the worker {plan.name} did not start inside this process"
            )

    def add_beat(self, app: Celery) -> None:
        """Start beat in a thread."""
        make: Any = Service  # its stubs lag behind
        beat = make(app, scheduler_cls=app.conf.beat_scheduler, remote_control=False)
        self._beat = beat
        self._beat_thread = threading.Thread(target=beat.start, name="beat", daemon=True)
        self._beat_thread.start()


def start_embedded(app: Celery, runtimes: Runtimes, lifecycle: Lifecycle, *, beat: bool = True) -> Embedded:
    """Run the desk's workers and beat inside this process.

    Args:
        app: `backend.celery_app.app`, whose broker is in memory.
        runtimes: `backend.celery_app.runtimes`.
        lifecycle: `backend.celery_app.lifecycle`.
        beat: Whether schedules run.

    Raises:
        Unavailable: A worker did not start; what had started was stopped again.
    """
    TRANSPORT_ALIASES["memory"] = f"{__name__}:{Transport.__name__}"
    runtimes.embedded = True
    _STATE.should_stop = None
    embedded = Embedded(runtimes)
    try:
        for plan in WORKERS:
            embedded.add_worker(app, lifecycle, plan)
        if beat:
            embedded.add_beat(app)
    except BaseException:
        embedded.stop()
        raise
    return embedded
