"""What the job service promises, on real processes, with Redis and in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.core.errors import Invalid, NotFound
from backend.jobs.views import JobState
from tests.fakes.jobs_desk import JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]


@pytest.fixture(params=["redis", "memory"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobsDesk]:
    with JobsDesk(tmp_path, request.param) as made:
        yield made


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_every_end_is_told_as_it_was(desk: JobsDesk) -> None:
    desk.start_worker()
    done = desk.submit("echo", text="hello")
    refused = desk.submit("invalid")
    late = desk.submit("endless")
    tried = desk.submit("flaky", path=str(desk.home / "tries"), failures=1)

    job = desk.wait(done)
    assert (job.state, job.result, job.status) == (JobState.SUCCEEDED, {"text": "hello"}, "success")
    assert [step.kind for step in job.timeline] == ["queued", "sent", "started", "succeeded"]
    assert job.lateness is not None
    assert job.duration is not None

    job = desk.wait(refused)
    assert (job.state, job.status, job.attempts) == (JobState.FAILED, "failure", 1)
    assert job.error is not None
    assert (job.error.category, job.error.code) == ("invalid", "bad_thing")
    assert job.error.details == {"file": "a.json", "key": "/b"}
    assert "probe_tasks.py" in (job.error.traceback or "")

    job = desk.wait(late)
    assert job.error is not None
    assert (job.state, job.error.code, job.attempts) == (JobState.FAILED, "deadline_exceeded", 1)

    job = desk.wait(tried)
    assert (job.state, job.result, job.attempts, job.retries) == (JobState.SUCCEEDED, {"tries": 2}, 2, 1)

    with pytest.raises(NotFound):
        desk.runtime.jobs.get("00000000-0000-7000-8000-000000000000")
    with pytest.raises(Invalid):
        desk.submit("bounded", days_to_keep=0)


def test_a_worker_killed_in_mid_task_leaves_one_result(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    worker = desk.start_worker()
    job_id = desk.submit("slow", path=str(marks), milliseconds=1500)
    desk.until(lambda: len(lines(marks)) == 1)
    desk.kill(worker)
    desk.start_worker(name="w2")
    job = desk.wait(job_id, 30)
    assert (job.state, job.attempts, job.redeliveries) == (JobState.SUCCEEDED, 2, 1)
    assert [line.split()[0] for line in lines(marks)] == ["begin", "begin", "end"]


def test_what_begins_once_is_not_begun_again_when_its_worker_is_killed(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    worker = desk.start_worker()
    job_id = desk.submit("send", path=str(marks), milliseconds=1500)
    desk.until(lambda: len(lines(marks)) == 1)
    desk.kill(worker)
    desk.start_worker(name="w2")
    job = desk.wait(job_id, 30)
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    assert job.error is not None
    assert job.error.code == "worker_died"
    after = desk.wait(desk.submit("send", path=str(marks), milliseconds=1))
    assert after.state is JobState.SUCCEEDED
    assert [line.split()[0] for line in lines(marks)] == ["begin", "begin", "end"]
    assert after.attempts == 1


def test_a_job_that_kills_its_worker_three_times_is_parked(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    child = desk.start_worker()
    job_id = desk.submit("poison", path=str(marks))
    for death in (1, 2, 3):
        desk.until(lambda child=child: child.poll() is not None, 45, job_id)
        assert len(lines(marks)) == death
        desk.kill(child)
        child = desk.start_worker(name=f"w{death + 1}")
    job = desk.wait(job_id, 30)
    assert (job.state, job.attempts) == (JobState.DEAD, 3)
    assert child.poll() is None, "the fourth worker lives"
    assert [dead.id for dead in desk.runtime.jobs.dead_letters()] == [job_id]
    assert "parked" in (desk.home / "data/task_runs/alerts.jsonl").read_text()


def test_a_cancelled_job_stays_cancelled_over_a_restart(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    worker = desk.start_worker("--concurrency", "1")
    running = desk.submit("slow", path=str(marks), milliseconds=20_000)
    desk.until(lambda: len(lines(marks)) == 1)
    job = desk.runtime.jobs.cancel(running, actor="me")
    assert job.cancel_requested
    assert desk.wait(running, 10).state is JobState.CANCELLED

    killed = desk.submit("dull", path=str(marks), milliseconds=20_000)
    desk.until(lambda: len(lines(marks)) == 2)
    assert desk.runtime.jobs.cancel(killed, actor="me").state is JobState.STARTED
    desk.kill(worker)
    desk.start_worker(name="w2")
    assert desk.wait(killed, 30).state is JobState.CANCELLED
    assert len(lines(marks)) == 2, "it did not begin again"


def test_a_job_not_begun_is_cancelled_at_once(desk: JobsDesk) -> None:
    if desk.mode == "memory":
        pytest.skip("in memory the workers and the queue are one process")
    marks = desk.home / "marks"
    job_id = desk.submit("note", path=str(marks))
    assert desk.runtime.jobs.cancel(job_id, actor="me").state is JobState.CANCELLED
    desk.start_worker()
    after = desk.submit("note", path=str(marks), text="after")
    desk.wait(after)
    assert lines(marks) == ["after"]


def test_a_worker_asked_to_end_hands_its_job_on(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    worker = desk.start_worker()
    job_id = desk.submit("slow", path=str(marks), milliseconds=4500)
    desk.until(lambda: len(lines(marks)) == 1)
    worker.terminate()
    worker.wait(10)
    if desk.mode == "memory":
        desk.kill(worker)
    desk.start_worker(name="w2")
    job = desk.wait(job_id, 30)
    assert (job.state, job.attempts, job.redeliveries) == (JobState.SUCCEEDED, 2, 0)


def test_many_jobs_are_each_done_once(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    desk.start_worker()
    ids = [desk.submit("note", path=str(marks), text=str(number)) for number in range(60)]
    for job_id in ids:
        desk.wait(job_id, 30)
    assert sorted(lines(marks), key=int) == [str(number) for number in range(60)]
