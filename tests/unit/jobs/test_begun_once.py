"""Jobs that act where nobody can take it back: begun at most once, whatever breaks off."""

import threading
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.jobs.context import JobInterrupted
from backend.jobs.housekeeping import Housekeeper
from backend.jobs.rows import Kind
from backend.jobs.runner import Passed
from backend.jobs.runtime import Runtime
from backend.jobs.views import JobState
from tests.fakes.jobs import FakePublisher, SetClock, make_runtime, run


def submitted(runtime: Runtime) -> str:
    return runtime.jobs.submit("send", actor="me")


def begun_by_the_dead(runtime: Runtime, clock: SetClock) -> str:
    job_id = submitted(runtime)
    runtime.ledger.append(Kind.STARTED, job_id, run=1, worker="dead@host")
    clock.forward(seconds=10)
    return job_id


def test_a_message_that_comes_again_after_a_death_runs_nothing(runtime: Runtime, clock: SetClock) -> None:
    job_id = begun_by_the_dead(runtime, clock)
    ran: list[int] = []
    with pytest.raises(Passed) as passed:
        run(runtime, job_id, lambda: ran.append(1), task="send")
    assert (passed.value.state, ran) == (JobState.FAILED, [])
    job = runtime.jobs.get(job_id)
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    assert job.error is not None
    assert job.error.code == "worker_died"


def test_the_sweep_ends_it_and_publishes_nothing(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = begun_by_the_dead(runtime, clock)
    before = list(publisher.published)
    sweep = Housekeeper(runtime).sweep()
    assert (sweep.ended, sweep.published, sweep.parked) == ([job_id], [], [])
    assert runtime.jobs.get(job_id).state is JobState.FAILED
    assert publisher.published == before


def test_one_that_was_never_begun_is_published_again(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = submitted(runtime)
    runtime.ledger.flush()
    publisher.has = frozenset()
    clock.forward(seconds=6)
    assert Housekeeper(runtime).sweep().published == [job_id]
    assert run(runtime, job_id, dict, task="send") == {}


def test_unavailable_is_not_tried_again(runtime: Runtime) -> None:
    job_id = submitted(runtime)

    def work() -> None:
        raise Unavailable("terminal_down", "the terminal is down")

    with pytest.raises(Unavailable):
        run(runtime, job_id, work, task="send")
    assert runtime.jobs.get(job_id).state is JobState.FAILED


@pytest.mark.parametrize("error", [JobInterrupted, KeyboardInterrupt])
def test_one_that_is_broken_off_has_failed(
    tmp_path: Path, clock: SetClock, publisher: FakePublisher, error: type[BaseException]
) -> None:
    runtime = make_runtime(tmp_path, clock, publisher)
    job_id = submitted(runtime)

    def work() -> None:
        runtime.stopping.set()
        raise error

    with pytest.raises((Passed, KeyboardInterrupt)):
        run(runtime, job_id, work, task="send")
    job = runtime.jobs.get(job_id)
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, "interrupted")
    runtime.ledger.close()


def test_two_deliveries_at_once_begin_once(runtime: Runtime) -> None:
    job_id = submitted(runtime)
    ran: list[Any] = []
    inside, go = threading.Event(), threading.Event()

    def work() -> None:
        ran.append(1)
        inside.set()
        assert go.wait(10)

    first = threading.Thread(target=lambda: run(runtime, job_id, work, task="send"))
    first.start()
    assert inside.wait(10)
    with pytest.raises(Passed) as passed:
        run(runtime, job_id, work, task="send", worker="w2@host")
    go.set()
    first.join(10)
    assert (passed.value.state, ran) == (JobState.STARTED, [1])
    assert runtime.jobs.get(job_id).state is JobState.SUCCEEDED
