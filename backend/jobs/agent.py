"""Beside each worker, one light thread: says that it lives, keeps its messages its own, tests its ears."""

import logging
import os
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psutil
from celery.utils.nodenames import worker_direct
from celery.worker import state as worker_state

from backend.core.errors import DeskError
from backend.jobs import redelivery
from backend.jobs.housekeeping import Housekeeper
from backend.jobs.leases import HOST
from backend.jobs.publisher import Message
from backend.jobs.rows import written
from backend.jobs.runtime import Runtime
from backend.jobs.views import JobState
from backend.jobs.worker_files import WORKERS, worker_views
from backend.storage.names import safe_name

CANARY = "backend.jobs.canary"
STEP = 1.0
SWEEP_EVERY = 2.0
REPORT_EVERY = 5.0
CANARY_EVERY = 30.0
PRUNE_EVERY = 86_400.0
DEAF_AFTER = 3
BEGINS_WITHIN = 10.0  # seconds after which a job that Celery runs and no row tells of is none

_answers: dict[tuple[str, str], str] = {}  # (worker, queue) -> when a test message was answered

log = logging.getLogger(__name__)


def answer(worker: str, queue: str, at: str) -> None:
    """Note that the worker got a test message from the queue."""
    _answers[worker, queue] = at


class Agent:
    """The thread beside one worker.

    Args:
        runtime: The parts of this process.
        controller: Celery's `WorkController`.
        forgetful: Whether the broker forgets with this process.
    """

    def __init__(self, runtime: Runtime, controller: Any, *, forgetful: bool) -> None:
        self.name = str(controller.hostname)
        self._runtime = runtime
        self._controller = controller
        self._housekeeper = Housekeeper(runtime, forgetful=forgetful)
        self._file = f"{WORKERS}/{safe_name(self.name)}.json"
        self._started_at = written(runtime.clock.wall())
        consumed = set(controller.app.amqp.queues.consume_from)
        own = {worker_direct(self.name).name} & consumed
        self._queues = sorted(consumed - own)
        self._asks = [*self._queues, *own]  # of its own queue nobody else can answer
        self._visibility = controller.app.conf.broker_transport_options.get("visibility_timeout", 3600)
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._last = dict.fromkeys(("sweep", "report", "canary", "renew", "restore", "prune"), float("-inf"))
        self._asked: dict[str, str] = {}
        self._shown_since: dict[str, float] = {}
        self._unheard = 0
        self._state = "alive"
        self._heavy = runtime.settings.worker_memory_mb * 1_000_000
        self._thread = threading.Thread(target=self._live, name=f"agent {self.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stopping(self) -> None:
        """Say that the worker is about to end."""
        self._state = "stopping"
        self._last["report"] = float("-inf")

    def stop(self) -> None:
        """End, and withdraw the worker's file."""
        self._stop.set()
        self._thread.join(5.0)
        self._runtime.storage.delete(self._file)

    def _live(self) -> None:
        duties = (
            ("report", REPORT_EVERY, self.report),
            ("renew", self._visibility / 3, self._renew),
            ("restore", redelivery.RESTORE_EVERY, self._restore),
            ("sweep", SWEEP_EVERY, self._housekeeper.sweep),
            ("canary", CANARY_EVERY, self._sing),
            ("prune", PRUNE_EVERY, self._housekeeper.prune),
        )
        while not self._stop.is_set():
            for name, every, duty in duties:
                now = time.monotonic()
                if now - self._last[name] < every:
                    continue
                self._last[name] = now
                try:
                    duty()
                except (DeskError, OSError) as error:
                    log.warning("worker %s cannot %s: %s", self.name, name, error)
                except Exception as error:  # noqa: BLE001 - the broker's own, while it is away; the thread must live
                    log.debug("worker %s cannot %s: %r", self.name, name, error)
            self._stop.wait(STEP)

    def report(self) -> None:
        """Write the worker's file."""
        wall = written(self._runtime.clock.wall())
        memory = self._process.memory_info().rss
        active = self._active()
        shown = self._state
        if shown == "alive" and self._unheard >= DEAF_AFTER and self._silent():
            shown = "deaf"
        elif shown == "alive" and memory > self._heavy:
            shown = "heavy"
        self._runtime.storage.write_json(
            self._file,
            {
                "name": self.name,
                "host": HOST,
                "pid": os.getpid(),
                "pool": type(self._controller.pool).__module__.rpartition(".")[2],
                "concurrency": self._concurrency(),
                "queues": self._queues,
                "active": active,
                "processed": sum(count for task, count in worker_state.total_count.items() if task != CANARY),
                "rss": memory,
                "canaries": {queue: at for queue, at in self._heard().items() if queue in self._queues},
                "state": shown,
                "started_at": self._started_at,
                "updated_at": wall,
            },
        )

    def _active(self) -> list[str]:
        """The jobs that it runs. What failed outside of its task Celery counts as running for ever."""
        now = time.monotonic()
        self._shown_since = {job_id: self._shown_since.get(job_id, now) for job_id in self._requested()}
        found = []
        for job_id, since in sorted(self._shown_since.items()):
            entry = self._runtime.ledger.recent(job_id)
            runs = entry is not None and entry.state is JobState.STARTED
            if runs or now - since < BEGINS_WITHIN:
                found.append(job_id)
        return found

    def _requested(self) -> list[str]:
        for _ in range(5):
            try:
                return [
                    str(request.id)
                    for request in tuple(worker_state.active_requests)
                    if request.hostname == self.name and request.name != CANARY
                ]
            except RuntimeError:
                continue  # the set changed while it was copied
        return []

    def _concurrency(self) -> int:
        return int(getattr(self._controller.pool, "limit", None) or self._controller.concurrency or 1)

    def _channel(self) -> Any:
        consumer = getattr(self._controller, "consumer", None)
        tasks = getattr(consumer, "task_consumer", None)
        channel = getattr(tasks, "channel", None)
        return channel if channel is not None and redelivery.acknowledges_late(channel) else None

    def _renew(self) -> None:
        channel = self._channel()
        if channel is not None:
            redelivery.renew(channel, self._runtime.clock)

    def _restore(self) -> None:
        channel = self._channel()
        if channel is not None and not self._controller.use_eventloop:
            redelivery.restore(channel)

    def _sing(self) -> None:
        """Send a test message down each queue, after counting the answers to those of before."""
        silent = self._silent()
        free = len(self._active()) < self._concurrency()
        self._unheard = self._unheard + 1 if silent and free and not self._began_since_asked() else 0
        for queue in self._asks:
            if self._unheard > DEAF_AFTER and queue in silent:
                continue  # enough of them wait there already
            now = written(self._runtime.clock.wall())
            try:
                self._runtime.publisher.publish(
                    Message(job_id=str(uuid.uuid4()), task=CANARY, kwargs={"queue": queue}, queue=queue)
                )
            except DeskError:
                self._asked.clear()  # who was not asked need not answer
                self._unheard = 0
                raise
            self._asked[queue] = now

    def _silent(self) -> set[str]:
        """Queues whose test message nobody answered: of several workers on a queue one gets it, so that
        what is shared tells that somebody hears, and the worker's own queue that it does.
        """  # noqa: D205 - one sentence
        if not self._asked:
            return set()
        heard = dict(self._heard())
        now = self._runtime.clock.wall()
        for worker in worker_views(self._runtime.storage, self._runtime.clock):
            for queue, age in worker.canary_ages.items():
                heard[queue] = max(heard.get(queue, ""), written(now - timedelta(seconds=age)))
        return {queue for queue, asked in self._asked.items() if heard.get(queue, "") < asked}

    def _began_since_asked(self) -> bool:
        since = min(self._asked.values())
        return any(
            entry.worker == self.name and (entry.started_at or "") >= since
            for entry in self._runtime.ledger.entries()
        )

    def _heard(self) -> Mapping[str, str]:
        return {queue: _answers[self.name, queue] for queue in self._asks if (self.name, queue) in _answers}
