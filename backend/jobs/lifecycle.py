"""What happens when a worker starts, is ready, and ends, whoever started it."""

import logging
import threading
from typing import Any

from celery import Celery, signals

from backend.jobs import witness
from backend.jobs.agent import CANARY, Agent, answer
from backend.jobs.applog import log_to_file
from backend.jobs.broker import MEMORY_URL
from backend.jobs.rows import written
from backend.jobs.runtime import Runtimes

GRACE = 3.0  # seconds that running jobs may go on before their next step stops them

ALONE = (
    "There is no broker to share: no Redis is named (REDIS_URL), no desk is running here, or "
    "MT5UI_BROKER=memory keeps its jobs inside the API process; start the desk with `python3 run.py` "
    "or name a Redis."
)


class Lifecycle:
    """The agents of this process's workers, from ready to end."""

    def __init__(self, app: Celery, runtimes: Runtimes) -> None:
        self.agents: dict[str, Agent] = {}
        self._app = app
        self._runtimes = runtimes

    def before_worker(self, **_: Any) -> None:
        """A worker is being made: with the broker in memory it would wait for nobody, for ever."""
        if self._runtimes.embedded:
            return
        refuse_alone(self._app)
        self._runtimes.role = "worker"
        self._runtimes.small = True

    def worker_is_ready(self, sender: Any, **_: Any) -> None:
        """A worker consumes: its agent begins."""
        self.add(sender.controller)

    def add(self, controller: Any) -> Agent:
        """Start the agent of a worker."""
        agent = Agent(self._runtimes.get(), controller, forgetful=self._runtimes.embedded)
        self.agents[agent.name] = agent
        agent.start()
        return agent

    def worker_is_stopping(self, **_: Any) -> None:
        """A signal asked the worker to end: running jobs get a moment, then stop at their next step."""
        for agent in self.agents.values():
            agent.stopping()
        timer = threading.Timer(GRACE, self._runtimes.get().stopping.set)
        timer.daemon = True
        timer.start()

    def worker_has_stopped(self, sender: Any, **_: Any) -> None:
        """A worker ended: its file goes; the last one closes the ledger."""
        agent = self.agents.pop(str(sender.hostname), None)
        if agent is not None:
            agent.stop()
        if not self.agents and not self._runtimes.embedded:
            self._runtimes.close()

    def logger_is_set_up(self, **_: Any) -> None:
        """Celery set up its console; the file comes beside it."""
        settings = self._runtimes.settings
        log_to_file(settings.logs_dir, self._runtimes.role, level=settings.log_level)
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).addFilter(_without_canaries)


def _without_canaries(record: logging.LogRecord) -> bool:
    """Test messages are not worth a line; a message of Celery's names its task in its data."""
    data = getattr(record, "data", None)
    return not (isinstance(data, dict) and data.get("name") == CANARY)


def refuse_alone(app: Celery) -> None:
    """End the process with one sentence if its broker would live in it alone."""
    if str(app.conf.broker_url).startswith(MEMORY_URL):
        raise SystemExit(ALONE)


def install(app: Celery, runtimes: Runtimes) -> Lifecycle:
    """Bind the app to its workers' lives, and let them answer test messages and other hosts."""
    lifecycle = Lifecycle(app, runtimes)
    signals.worker_init.connect(lifecycle.before_worker, weak=False)
    signals.worker_ready.connect(lifecycle.worker_is_ready, weak=False)
    signals.worker_shutting_down.connect(lifecycle.worker_is_stopping, weak=False)
    signals.worker_shutdown.connect(lifecycle.worker_has_stopped, weak=False)
    signals.after_setup_logger.connect(lifecycle.logger_is_set_up, weak=False)

    def canary(self: Any, queue: str) -> None:
        answer(str(self.request.hostname), queue, written(runtimes.get().clock.wall()))

    make: Any = app.task
    witness.install(runtimes)
    make(canary, name=CANARY, bind=True, ignore_result=True, acks_late=False, send_events=False)
    return lifecycle
