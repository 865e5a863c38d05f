"""The long matrix: workers and the broker killed again and again under load."""

import random
import time
from pathlib import Path

import pytest

from backend.jobs.views import JobState
from tests.fakes.jobs_desk import JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.full, pytest.mark.timeout(600)]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mode", ["redis", "memory"])
def test_workers_killed_at_random_lose_and_double_nothing(tmp_path: Path, mode: str, seed: int) -> None:
    chance = random.Random(seed)
    marks = tmp_path / "marks"
    with JobsDesk(tmp_path, mode) as desk:
        worker = desk.start_worker()
        ids = []
        for number in range(400):
            ids.append(desk.submit("note", path=str(marks), text=str(number)))
            if number in {130, 260}:
                time.sleep(chance.random() / 4)
                desk.kill(worker)
                worker = desk.start_worker(name=f"w{number}")
        jobs = [desk.wait(job_id, 120) for job_id in ids]
        assert {job.state for job in jobs} == {JobState.SUCCEEDED}
        done = marks.read_text().split()
        assert set(done) == {str(number) for number in range(400)}
        again = [job for job in jobs if job.attempts > 1]
        assert len(done) - 400 <= len(again), (
            "a line is doubled only where a worker died between it and its row"
        )


def test_the_broker_killed_twice_loses_nothing(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with JobsDesk(tmp_path, "redis") as desk:
        desk.start_worker()
        ids = []
        for number in range(200):
            ids.append(desk.submit("note", path=str(marks), text=str(number)))
            if number in {60, 140}:
                desk.start_redis(again=desk.kill_redis())
                time.sleep(1.1)  # the publisher lets a failed broker rest for a second
        jobs = [desk.wait(job_id, 180) for job_id in ids]
        assert {job.state for job in jobs} == {JobState.SUCCEEDED}
        assert set(marks.read_text().split()) == {str(number) for number in range(200)}


def test_ten_thousand_waiting_jobs_are_listed_and_done(tmp_path: Path) -> None:
    with JobsDesk(tmp_path, "redis") as desk:
        ids = [desk.submit("echo", text=str(number)) for number in range(10_000)]
        began = time.monotonic()
        queue = next(queue for queue in desk.runtime.jobs.queues() if queue.name == "maintenance")
        assert queue.waiting == 10_000
        assert len(desk.runtime.jobs.list(limit=500).items) == 500
        assert time.monotonic() - began < 5
        desk.start_worker()
        for job_id in ids:
            assert desk.wait(job_id, 400).state is JobState.SUCCEEDED
