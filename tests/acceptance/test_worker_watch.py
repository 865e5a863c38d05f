"""The supervisor's own workers, deaf or too heavy, are started again; while they work they are left alone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.core.clock import SystemClock
from backend.jobs.app import build_app
from backend.jobs.broker import resolve
from backend.jobs.commands import WorkerPlan, worker_command
from backend.jobs.leases import HOST
from backend.jobs.views import JobState
from backend.storage.files import FileStorage
from backend.supervisor.child import Child
from backend.supervisor.workers import WorkerWatch
from tests.fakes.jobs_desk import APP, JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]

PLAN = WorkerPlan(name="w1", queues=("maintenance", "ai_evaluation"), concurrency=2)


class Supervised:
    """One worker with its supervisor, who looks each time he is asked to."""

    def __init__(self, desk: JobsDesk) -> None:
        self.desk = desk
        self.worker = Child(
            "worker-w1", worker_command(PLAN, app=APP), environment=desk.environment, log=desk.home / "w1.out"
        )
        self.watch = WorkerWatch(
            FileStorage(desk.settings.data_dir), SystemClock(), look_every=0.0, least_life=0.0
        )
        self.reasons: list[str] = []
        self.others: list[int] = []  # pids of further workers that he started

    def look(self) -> bool:
        """One look; says whether the worker reports."""
        pid = self.worker.pid
        ailing = self.watch.ailing([pid, *self.others] if pid is not None else [])
        self.reasons += ailing.values()
        assert not {*ailing} & {*self.others}, self.reasons
        if pid in ailing:
            self.worker.retire()
        self.worker.died()
        self.worker.restart_if_due()
        return any(worker.pid == self.worker.pid for worker in self.desk.workers())


@pytest.fixture
def supervised(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Supervised]:
    with JobsDesk(tmp_path, "redis", **request.param) as desk:
        made = Supervised(desk)
        made.worker.start()
        try:
            desk.until(desk.workers)
            yield made
        finally:
            made.worker.ask_to_end()
            if not made.worker.wait(time.monotonic() + 10):
                made.worker.kill()
            made.worker.close()


@pytest.mark.parametrize("supervised", [{"PROBE_CANARY": "1"}], indirect=True)
def test_a_worker_that_no_longer_hears_its_queue_is_started_again(supervised: Supervised) -> None:
    desk = supervised.desk
    before = supervised.worker.pid
    assert desk.wait(desk.submit("echo")).state is JobState.SUCCEEDED
    with build_app(resolve(desk.settings)) as app:
        app.control.cancel_consumer("maintenance", destination=[f"w1@{HOST}"], reply=True, timeout=5)
    waits = desk.submit("echo")
    desk.until(lambda: supervised.look() and supervised.worker.pid != before, 40)
    assert "is deaf" in supervised.reasons[0]
    assert desk.wait(waits).state is JobState.SUCCEEDED
    supervised.reasons.clear()
    end = time.monotonic() + 7  # more than three test messages and a report
    while time.monotonic() < end:
        supervised.look()
        time.sleep(0.05)
    assert supervised.reasons == [], "one that hears is left alone"


@pytest.mark.parametrize(
    "supervised", [{"PROBE_CANARY": "1", "PROBE_REPORT": "0.2", "PROBE_LOSES_CONSUMER": "1"}], indirect=True
)
def test_one_that_is_deaf_after_a_restart_of_the_broker_is_found_beside_one_that_hears(
    supervised: Supervised,
) -> None:
    desk = supervised.desk
    deaf = supervised.worker.pid
    del desk.environment["PROBE_LOSES_CONSUMER"]
    hearing = desk.start_worker("-Q", ",".join(PLAN.queues), name="w2")
    supervised.others.append(hearing.pid)
    before = desk.kill_redis()
    desk.start_redis(again=before)
    desk.until(lambda: supervised.look() and supervised.worker.pid != deaf, 60)
    assert all("is deaf" in reason for reason in supervised.reasons)
    for _ in range(8):
        assert desk.wait(desk.submit("echo")).state is JobState.SUCCEEDED
    supervised.reasons.clear()
    end = time.monotonic() + 7
    while time.monotonic() < end:
        supervised.look()
        time.sleep(0.05)
    assert supervised.reasons == [], "both are left alone"
    assert {worker.name.partition("@")[0]: worker.state for worker in desk.workers()} == {
        "w1": "alive",
        "w2": "alive",
    }


@pytest.mark.parametrize("supervised", [{"MT5UI_WORKER_MEMORY_MB": "20"}], indirect=True)
def test_a_worker_over_its_limit_is_started_again_once_it_is_idle(supervised: Supervised) -> None:
    desk = supervised.desk
    long = desk.submit("slow", path=str(desk.home / "marks"), milliseconds=7000)
    desk.until(lambda: bool(desk.workers()[0].active))
    busy = supervised.worker.pid
    while not desk.runtime.jobs.get(long).terminal:
        supervised.look()
        assert supervised.reasons == [], "not in the middle of its work"
        time.sleep(0.05)
    job = desk.runtime.jobs.get(long)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    desk.until(lambda: supervised.look() and supervised.worker.pid not in {busy, None}, 40)
    assert "MT5UI_WORKER_MEMORY_MB" in supervised.reasons[0]
