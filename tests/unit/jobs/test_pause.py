"""A job that waits ends at once when its worker does, when it is cancelled, and at its deadline."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backend.jobs.context import (
    _CURRENT,
    DeadlineExceeded,
    JobCancelled,
    JobContext,
    JobInterrupted,
    pause,
)

LONG = 30.0


@contextmanager
def running(*, cancelled: bool = False, left: float = 60.0) -> Iterator[threading.Event]:
    """Inside a job; gives what its worker sets when it ends."""
    stopping = threading.Event()
    context = JobContext(
        id="job-1",
        task="a.task",
        actor="test",
        run=1,
        worker="main@host",
        deadline=60.0,
        ends_at=time.monotonic() + left,
        cancelled=lambda: cancelled,
        stopping=stopping,
        tell=lambda done, total: None,
        held=lambda: True,
    )
    token = _CURRENT.set(context)
    try:
        yield stopping
    finally:
        _CURRENT.reset(token)


def test_it_waits_as_long_as_told_inside_a_job_and_outside() -> None:
    began = time.monotonic()
    pause(0.05)
    with running():
        pause(0.05)
    assert time.monotonic() - began >= 0.1


def test_it_ends_at_once_with_its_worker() -> None:
    began = time.monotonic()
    with running() as stopping:
        threading.Timer(0.05, stopping.set).start()
        with pytest.raises(JobInterrupted):
            pause(LONG)
    assert time.monotonic() - began < LONG / 2


def test_it_ends_when_cancelled_and_at_its_deadline() -> None:
    with running(cancelled=True), pytest.raises(JobCancelled):
        pause(0.01)
    with running(left=0.0), pytest.raises(DeadlineExceeded):
        pause(0.01)
