"""What a running job may ask about itself: is it to stop, and how long may it still take."""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from backend.core.errors import Unavailable

LOOK_EVERY = 0.2  # seconds between two looks at the cancel flag
TELL_EVERY = 1.0  # seconds between two words on how far a job is


class JobCancelled(Exception):  # noqa: N818 - it is an end, not an error
    """Somebody asked for the job to stop."""


class JobInterrupted(Exception):  # noqa: N818
    """The worker ends, or its lease on the job did; the job is run again elsewhere or later."""


class DeadlineExceeded(Unavailable):
    """The job ran longer than it may."""


@dataclass(slots=True)
class JobContext:
    """One run of a job.

    Attributes:
        id: The job.
        task: Full task name.
        actor: Who asked for it.
        run: Which run this is, from 1.
        worker: Where it runs.
        ends_at: `time.monotonic` at its deadline.
        deadline: The deadline in seconds of run time.
        cancelled: Looks whether somebody asked for it to stop.
        stopping: Set when the worker ends.
        tell: Writes down how much is done, of how much.
        held: Whether the lease still holds; without it another worker may begin the job.
    """

    id: str
    task: str
    actor: str
    run: int
    worker: str
    deadline: float
    ends_at: float
    cancelled: Callable[[], bool]
    stopping: threading.Event
    tell: Callable[[int, int], None]
    held: Callable[[], bool]
    _looked_at: float = field(default=float("-inf"))
    _told_at: float = field(default=float("-inf"))

    def check(self) -> None:
        """Raise if the job has to stop here."""
        now = time.monotonic()
        if now >= self.ends_at:
            raise DeadlineExceeded(
                "deadline_exceeded",
                f"{self.task} ran longer than its {self.deadline:g} s",
                deadline=self.deadline,
            )
        if self.stopping.is_set() or not self.held():
            raise JobInterrupted
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            if self.cancelled():
                raise JobCancelled

    def progress(self, done: int, total: int) -> None:
        """Tell how much is done, of how much; what comes within a second of the last word is not told."""
        now = time.monotonic()
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            self.tell(done, total)


_CURRENT: ContextVar[JobContext | None] = ContextVar("job", default=None)


def current_job() -> JobContext | None:
    """The job that this thread runs, or None outside of one."""
    return _CURRENT.get()


def check() -> None:
    """To be called between the steps of long work: ends the job if it was cancelled, if its deadline
    passed, or if its worker ends. Outside of a job it does nothing.
    """  # noqa: D205 - one sentence
    job = _CURRENT.get()
    if job is not None:
        job.check()


def pause(seconds: float) -> None:
    """Wait; inside a job no longer than its worker goes on, and then as `check`."""
    job = _CURRENT.get()
    if job is None:
        time.sleep(seconds)
    else:
        job.stopping.wait(seconds)
        job.check()


def progress(done: int, total: int) -> None:
    """How much of the running job is done, of how much: shown in its status. Outside of a job nothing."""
    job = _CURRENT.get()
    if job is not None:
        job.progress(done, total)


def seconds_left() -> float | None:
    """Seconds until the job's deadline, at least 0; None outside of a job."""
    job = _CURRENT.get()
    return None if job is None else max(0.0, job.ends_at - time.monotonic())


def trigger() -> str:
    """What to record as the reason of this run: who asked for the job, or ``direct`` outside of one."""
    job = _CURRENT.get()
    return "direct" if job is None else job.actor
