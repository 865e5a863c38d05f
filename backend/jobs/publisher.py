"""How a job's message reaches the broker: at once or not at all, and never blocking its caller long."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from celery import Celery

from backend.core.errors import Unavailable
from backend.jobs import redelivery
from backend.jobs.broker import hide_password

ANSWER_TIMEOUT = 0.6  # seconds for one answer of the broker; two tries and the rest stay within two seconds
SENDERS = 2  # more at once only fight over the interpreter
QUEUE_WAIT = 1.4  # seconds to wait for a sender; with the broker hanging they fail before that
REST = 1.0  # seconds for which a broker that just failed is not asked again


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a worker needs to run a job."""

    job_id: str
    task: str
    kwargs: Mapping[str, Any]
    queue: str


class Publisher(Protocol):
    """Hands messages to the broker."""

    def publish(self, *messages: Message) -> None:
        """Hand over messages in order; `Unavailable` ``broker_unavailable`` within 2 s if that fails.

        After a failure the broker may nevertheless have some of them.
        """

    def depths(self, queues: Sequence[str]) -> dict[str, int | None]:
        """Messages that wait at the broker, by queue; None where it does not say within a second."""

    def known(self, queues: Sequence[str]) -> frozenset[str] | None:
        """Ids of the jobs whose messages the broker has, waiting or handed out; None if it does not say."""


class CeleryPublisher:
    """Publishes through a Celery app's own message format, over connections of its own. Thread-safe.

    Celery's `apply_async` is not used: it waits for a result backend that is down, subscribes to
    each result, and tries again behind its caller's back.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue(SENDERS)
        self._senders = threading.BoundedSemaphore(SENDERS)
        self._rests_until = float("-inf")
        self._guard = threading.Lock()

    def publish(self, *messages: Message) -> None:
        """Hand over messages in one exchange. A connection that went stale while idle is replaced once."""
        if time.monotonic() < self._rests_until:
            raise self._unavailable("it failed a moment ago")
        if not self._senders.acquire(timeout=QUEUE_WAIT):
            raise self._unavailable("too much is being sent")
        try:
            if time.monotonic() < self._rests_until:
                raise self._unavailable("it failed a moment ago")
            self._deliver(messages)
        finally:
            self._senders.release()

    def _deliver(self, messages: Sequence[Message]) -> None:
        producer, fresh = self._take()
        try:
            self._send(producer, messages)
        except Exception as error:
            _close(producer)
            if fresh:
                raise self._failed(error) from error
            self._send_fresh(messages)
        else:
            self._give_back(producer)

    def depths(self, queues: Sequence[str]) -> dict[str, int | None]:
        """Messages that wait at the broker, by queue."""
        found = self._look(lambda channel: {name: int(channel._size(name)) for name in queues})  # noqa: SLF001 - no public one
        return dict.fromkeys(queues) if found is None else found

    def known(self, queues: Sequence[str]) -> frozenset[str] | None:
        """Ids of the jobs whose messages the broker has. A broker in memory does not say: it loses none."""
        ids: frozenset[str] | None = self._look(lambda channel: redelivery.job_ids(channel, queues))
        return ids

    def _look(self, at: Callable[[Any], Any]) -> Any:
        """What is found at a channel; None where the broker does not answer."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            producer, _ = self._take()
        except Unavailable:
            return None
        try:
            found = at(producer.channel)
        except Exception as error:  # noqa: BLE001 - each transport has its own
            _close(producer)
            self._failed(error)
            return None
        self._give_back(producer)
        return found

    def close(self) -> None:
        """Close what is idle."""
        while True:
            try:
                _close(self._idle.get_nowait())
            except queue.Empty:
                return

    def _send_fresh(self, messages: Sequence[Message]) -> None:
        producer = self._connect()
        try:
            self._send(producer, messages)
        except Exception as error:
            _close(producer)
            raise self._failed(error) from error
        self._give_back(producer)

    def _send(self, producer: Any, messages: Sequence[Message]) -> None:
        amqp = self._app.amqp
        with producer.batch():
            for each in messages:
                content = amqp.as_task_v2(each.job_id, each.task, args=(), kwargs=dict(each.kwargs))
                amqp.send_task_message(producer, each.task, content, queue=each.queue, retry=False)

    def _take(self) -> tuple[Any, bool]:
        try:
            return self._idle.get_nowait(), False
        except queue.Empty:
            return self._connect(), True

    def _give_back(self, producer: Any) -> None:
        try:
            self._idle.put_nowait(producer)
        except queue.Full:
            _close(producer)

    def _connect(self) -> Any:
        timeouts = {"socket_timeout": ANSWER_TIMEOUT, "socket_connect_timeout": ANSWER_TIMEOUT}
        connection = self._app.connection_for_write(transport_options=timeouts)
        try:
            connection.ensure_connection(max_retries=0)  # by itself it would wait 2 s and try again
            return self._app.amqp.Producer(connection.channel(), auto_declare=False)
        except Exception as error:
            connection.release()
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Unavailable:
        with self._guard:
            self._rests_until = time.monotonic() + REST
        cause = error.__cause__ or error  # of a batch, what went wrong on the wire
        return self._unavailable(str(cause) or type(cause).__name__)

    def _unavailable(self, why: str) -> Unavailable:
        where = hide_password(str(self._app.conf.broker_url))
        return Unavailable(
            "broker_unavailable", f"the broker {where} does not take work: {why}", broker=where
        )


def _close(producer: Any) -> None:
    with contextlib.suppress(Exception):  # it is broken already; there is nothing left to lose
        producer.connection.release()
