"""The thread that owns the terminal: one call at a time, each with a deadline.

The terminal's last error belongs to the call before, so result and error are taken together here.
"""

import asyncio
import faulthandler
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from backend.core.errors import Unavailable
from backend.mt5.api import ORDER_SEND_SECONDS, SUCCESS, Mt5Api
from backend.mt5.asking import UNREACHABLE

log = logging.getLogger(__name__)

EXIT_STUCK = 75  # the process ends with it when its terminal hangs; its supervisor starts it again
RETRY_FIRST = 0.5
RETRY_LONGEST = 30.0
_GRACE = 2.0  # past a deadline, before the process of a terminal that holds the interpreter is ended
_SLOW = 30.0
_USUAL = 10.0
_SESSION = 65.0
_SLOW_FUNCTIONS = frozenset(
    {
        "symbols_get",
        "copy_rates_from",
        "copy_rates_from_pos",
        "copy_rates_range",
        "copy_ticks_from",
        "copy_ticks_range",
        "history_orders_get",
        "history_deals_get",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: its result or what it raised, and the terminal's last error just after."""

    result: Any
    last_error: tuple[int, str]
    raised: Exception | None = None


@dataclass(slots=True)
class _Job:
    what: str
    work: Callable[[], Answer]
    deadline: float
    future: "Future[Answer]" = field(default_factory=Future)


class TerminalOwner:
    """Runs every call of a terminal on one thread, and keeps the terminal connected.

    Args:
        terminal: What it owns; nobody else calls it.
        on_stuck: Called when a call passes its deadline, to end the process; without it the stuck thread
            is left behind and another one takes over, which suits a terminal inside the process.
        holds_interpreter: The terminal's calls keep every other thread from running, as the native
            module's do; a watchdog below Python then ends the process.
        deadline_scale: Multiplies every deadline.
    """

    def __init__(
        self,
        terminal: Mt5Api,
        *,
        on_stuck: Callable[[str], None] | None = None,
        holds_interpreter: bool = False,
        deadline_scale: float = 1.0,
    ) -> None:
        self.terminal = terminal
        self.connected = False
        self.last_error: tuple[int, str] = SUCCESS
        self._on_stuck = on_stuck
        self._holds_interpreter = holds_interpreter
        self._scale = deadline_scale
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._generation = 0
        self._next_try = 0.0
        self._wait = RETRY_FIRST
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin: connect the terminal and take calls."""
        self._spawn()

    def stop(self) -> None:
        """End the thread after the call that it is in; calls that wait are refused."""
        with self._lock:
            self._generation += 1
        self._queue.put(None)

    async def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
        """The answer of one of the terminal's functions.

        Raises:
            Unavailable: Code ``terminal_stuck``: it did not answer within its deadline. Code
                ``terminal_busy``: it was still at earlier calls; this one was not and will not be made.
        """
        return await self._submit(
            function, lambda: self._execute(function, args, kwargs), self.deadline_of(function, args, kwargs)
        )

    async def run(self, what: str, work: Callable[[], Any]) -> Any:
        """Something else that must not meet a call of the terminal; what it raises passes through."""

        def answer() -> Answer:
            try:
                return Answer(work(), SUCCESS)
            except Exception as error:  # noqa: BLE001 - carried to the caller
                return Answer(None, SUCCESS, error)

        given = await self._submit(what, answer, _SLOW * self._scale)
        if given.raised is not None:
            raise given.raised
        return given.result

    def deadline_of(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Seconds that a call may take."""
        if function in {"initialize", "login"}:
            timeout = args[3] if function == "login" and len(args) > 3 else kwargs.get("timeout")  # noqa: PLR2004 - its place
            if isinstance(timeout, int) and 0 < timeout < 10 * 60_000:
                return (timeout / 1000 + 5.0) * self._scale
            return _SESSION * self._scale
        if function == "order_send":
            return ORDER_SEND_SECONDS * self._scale
        return (_SLOW if function in _SLOW_FUNCTIONS else _USUAL) * self._scale

    # Inside

    async def _submit(self, what: str, work: Callable[[], Answer], deadline: float) -> Answer:
        job = _Job(what, work, deadline)
        self._queue.put(job)
        waiting = asyncio.wrap_future(job.future)
        try:
            return await asyncio.wait_for(waiting, deadline)
        except TimeoutError:
            if job.future.cancel():  # still waiting in the queue
                raise Unavailable(
                    "terminal_busy",
                    f"{what} waited {deadline:g} s for calls before it and was not made",
                    function=what,
                ) from None
            self._stuck(what, deadline)
            raise Unavailable(
                "terminal_stuck", f"the terminal did not answer {what} within {deadline:g} s", function=what
            ) from None

    def _stuck(self, what: str, deadline: float) -> None:
        log.error("the terminal did not answer %s within %g s", what, deadline)
        if self._on_stuck is not None:
            self._on_stuck(what)
        else:
            self._spawn()

    def _spawn(self) -> None:
        with self._lock:
            self._generation += 1
            generation = self._generation
        threading.Thread(target=self._loop, args=(generation,), name="terminal", daemon=True).start()

    def _loop(self, generation: int) -> None:
        while generation == self._generation:
            pause = 0.0 if self.connected else max(0.0, self._next_try - time.monotonic())
            if not self.connected and pause == 0.0:
                self._connect()
                continue
            try:
                job = self._queue.get(timeout=pause or None)
            except queue.Empty:
                continue
            if job is None:
                self._refuse_waiting()
                return
            if generation != self._generation:  # another thread has taken over
                self._queue.put(job)
                return
            if job.future.set_running_or_notify_cancel():
                job.future.set_result(self._guarded(job))

    def _refuse_waiting(self) -> None:
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job.future.cancel()

    def _guarded(self, job: _Job) -> Answer:
        if not self._holds_interpreter:
            return job.work()
        faulthandler.dump_traceback_later(job.deadline + _GRACE, exit=True, file=sys.stderr)
        try:
            return job.work()
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _execute(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
        if function == "initialize" and not args and not kwargs and self.connected:
            return Answer(True, SUCCESS)  # the connector has done it
        try:
            result = getattr(self.terminal, function)(*args, **kwargs)
            answer = Answer(result, self.terminal.last_error())
        except Exception as error:  # noqa: BLE001 - the module raises SystemError for wrong arguments
            answer = Answer(None, self.terminal.last_error(), error)
        self.last_error = answer.last_error
        if function == "initialize":
            self.connected = bool(answer.result)
        elif answer.last_error[0] in UNREACHABLE:
            if self.connected:
                log.warning("the terminal was lost: %s", answer.last_error)
            self.connected = False
        return answer

    def _connect(self) -> None:
        job = _Job("initialize", lambda: self._execute("initialize", (), {}), _SESSION * self._scale)
        answer = self._guarded(job)
        if self.connected:
            self._wait = RETRY_FIRST
            return
        self._next_try = time.monotonic() + self._wait
        log.warning("the terminal could not be reached, again in %g s: %s", self._wait, answer.last_error)
        self._wait = min(self._wait * 2, RETRY_LONGEST)
