"""The job service without a broker: a publisher that remembers, a clock that is set, a catalogue."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backend.config import load_settings
from backend.core.errors import Unavailable
from backend.jobs.publisher import Message, Publisher
from backend.jobs.runner import Delivery, deliver
from backend.jobs.runtime import Runtime, build_runtime
from backend.jobs.spec import REQUIRED, Catalogue, Parameter, RetryPolicy, TaskSpec

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday


class SetClock:
    """Desk and wall time as the test says; they go together unless the test parts them."""

    def __init__(self, at: datetime = NOON) -> None:
        self._wall = at
        self._lead = timedelta(0)

    def now(self) -> datetime:
        return self._wall + self._lead

    def wall(self) -> datetime:
        return self._wall

    def set(self, at: datetime) -> None:
        self._wall = at

    def set_desk(self, at: datetime) -> None:
        self._lead = at - self._wall

    def forward(self, **parts: float) -> None:
        self._wall += timedelta(**parts)


class FakePublisher(Publisher):
    """Keeps what was published; `down` refuses; `on_publish` runs before the answer."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.down = False
        self.takes_and_fails = False
        self.waiting: dict[str, int] = {}
        self.has: frozenset[str] | None = None
        self._guard = threading.Lock()

    def publish(self, *messages: Message) -> None:
        if self.down:
            raise Unavailable("broker_unavailable", "the broker does not take work")
        with self._guard:
            self.published += [
                {"id": each.job_id, "task": each.task, "kwargs": dict(each.kwargs), "queue": each.queue}
                for each in messages
            ]
        if self.takes_and_fails:
            raise Unavailable("broker_unavailable", "the broker did not answer")

    def depths(self, queues: Sequence[str]) -> dict[str, int | None]:
        return {name: None if self.down else self.waiting.get(name, 0) for name in queues}

    def known(self, queues: Sequence[str]) -> frozenset[str] | None:
        return None if self.down else self.has

    def ids(self) -> list[str]:
        return [message["id"] for message in self.published]


def catalogue() -> Catalogue:
    """Four tasks: without arguments, with a bounded number, with a text, and one that begins at most once."""
    made = Catalogue()
    made.add(TaskSpec(name="desk.tasks.plain", queue="maintenance", summary="Nothing."))
    days = Parameter(kind=int, default=30, minimum=1, maximum=3650)
    made.add(
        TaskSpec(
            name="desk.tasks.cleanup",
            queue="maintenance",
            summary="Clean.",
            parameters={"days_to_keep": days},
            retry=RetryPolicy(tries=3, first_delay=5.0),
        )
    )
    made.add(TaskSpec(name="desk.tasks.send", queue="orders", summary="Send.", once=True))
    symbol = Parameter(kind=str, default=REQUIRED)
    made.add(
        TaskSpec(
            name="desk.tasks.evaluate",
            queue="ai_evaluation",
            summary="Evaluate.",
            parameters={"symbol": symbol},
        )
    )
    return made


def make_runtime(
    home: Path,
    clock: SetClock,
    publisher: FakePublisher,
    *,
    known: Catalogue | None = None,
    role: str = "test",
) -> Runtime:
    """A runtime over a folder; several may share it, as processes do."""
    settings = load_settings(home=home)
    return build_runtime(settings, clock, publisher, role=role, catalogue=known or catalogue())


def run(
    runtime: Runtime, job_id: str, work: Any, *, task: str, worker: str = "w1@host", **kwargs: Any
) -> Any:
    """One delivery of a job, as a worker makes it."""
    known = catalogue()
    delivery = Delivery(
        job_id=job_id, kwargs=kwargs, worker=worker, queue="maintenance", redelivered=False, eager=False
    )
    return deliver(runtime, known.get(task), work, delivery)
