"""Redis going away, coming back, forgetting, and handing out twice."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from backend.core.errors import Unavailable
from backend.core.trust import authorities
from backend.jobs.app import build_app
from backend.jobs.broker import resolve
from backend.jobs.views import JobState
from tests.fakes.jobs_desk import APP, JobsDesk, free_port

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[JobsDesk]:
    with JobsDesk(tmp_path, "redis") as made:
        yield made


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_with_the_broker_down_a_job_is_refused_within_two_seconds_and_never_run(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    desk.runtime.jobs.submit("echo", actor="test")  # a connection that will have gone stale
    address = desk.kill_redis()
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(Unavailable) as refusal:
            desk.submit("note", path=str(marks))
        assert time.monotonic() - began < 2.0
        job = desk.runtime.jobs.get(refusal.value.details["job"])
        assert (job.state, job.status) == (JobState.REFUSED, "failure")
        assert job.error is not None
        assert job.error.code == "broker_unavailable"
    assert "***" in refusal.value.message
    desk.start_redis(again=address)
    desk.start_worker()
    desk.until(lambda: desk.runtime.publisher.depths(["maintenance"])["maintenance"] is not None)
    after = desk.submit("note", path=str(marks), text="after")
    desk.wait(after)
    assert lines(marks) == ["after"]


def test_a_broker_that_hangs_is_given_up_within_two_seconds(desk: JobsDesk) -> None:
    desk.runtime.jobs.submit("echo", actor="test")
    assert desk.redis is not None
    psutil.Process(desk.redis.process.pid).suspend()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable) as refusal:
            desk.submit("note", path=str(desk.home / "marks"))
        assert time.monotonic() - began < 2.0
    finally:
        psutil.Process(desk.redis.process.pid).resume()
    # The server may have the message all the same: a worker must leave it alone.
    desk.start_worker()
    after = desk.runtime.jobs.submit("echo", actor="test") if _settled(desk) else ""
    desk.wait(after)
    assert desk.runtime.jobs.get(refusal.value.details["job"]).state is JobState.REFUSED
    assert lines(desk.home / "marks") == []


@pytest.mark.parametrize("how", ["dead", "hanging"])
def test_twenty_clients_hear_503_within_two_seconds_and_each_row_is_closed(desk: JobsDesk, how: str) -> None:
    port = desk.start_api()
    path = "/api/celery/tasks/maintenance/health-check"

    def post(delay: float) -> tuple[float, int, Any]:
        time.sleep(delay)
        began = time.monotonic()
        answer = httpx.post(f"http://127.0.0.1:{port}{path}", verify=authorities("http:"), timeout=10)
        return time.monotonic() - began, answer.status_code, answer.json()

    assert post(0)[1] == 200  # leaves a connection that goes stale
    assert desk.redis is not None
    server = psutil.Process(desk.redis.process.pid)
    if how == "dead":
        desk.kill_redis()
    else:
        server.suspend()
    try:
        with ThreadPoolExecutor(20) as clients:  # some of them come while others wait already
            answers = list(clients.map(post, [number * 0.08 for number in range(20)]))
    finally:
        if how == "hanging":
            server.resume()
    assert {status for _, status, _ in answers} == {503}
    assert max(taken for taken, _, _ in answers) < 2.0
    errors = [body["error"] for _, _, body in answers]
    assert {error["code"] for error in errors} == {"broker_unavailable"}
    jobs = [desk.runtime.jobs.get(error["details"]["job"]) for error in errors]
    assert len({job.id for job in jobs}) == 20
    assert {job.state for job in jobs} == {JobState.REFUSED}


def _settled(desk: JobsDesk) -> bool:
    desk.until(lambda: desk.runtime.publisher.depths(["maintenance"])["maintenance"] is not None)
    return True


def test_worker_and_jobs_outlive_a_broker_that_dies_and_returns(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    worker = desk.start_worker("--concurrency", "1")
    ids = [desk.submit("dull", path=str(marks), milliseconds=1000)]
    ids += [desk.submit("note", path=str(marks), text=str(number)) for number in range(5)]
    address = desk.kill_redis()
    time.sleep(0.5)
    desk.start_redis(again=address)
    for job_id in ids:
        assert desk.wait(job_id, 60).state is JobState.SUCCEEDED
    assert worker.poll() is None
    assert sorted(line for line in lines(marks) if line.isdigit()) == ["0", "1", "2", "3", "4"]


def test_a_job_that_ends_while_the_broker_is_away_is_done_once_by_a_worker_that_goes_on(
    desk: JobsDesk,
) -> None:
    marks = desk.home / "marks"
    worker = desk.start_worker()
    ids = [desk.submit("dull", path=str(marks), milliseconds=1500) for _ in range(3)]
    desk.until(lambda: len(lines(marks)) >= 3)
    address = desk.kill_redis()
    desk.until(lambda: len(lines(marks)) == 6)
    desk.start_redis(again=address)
    for job_id in ids:
        job = desk.wait(job_id, 30)
        assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    desk.until(lambda: desk.runtime.publisher.depths(["maintenance"])["maintenance"] is not None)
    after = [desk.submit("note", path=str(marks), text=str(number)) for number in range(5)]
    assert {desk.wait(job_id, 30).state for job_id in after} == {JobState.SUCCEEDED}
    assert worker.poll() is None


def test_a_result_backend_that_is_away_keeps_no_task_from_running(tmp_path: Path) -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    with JobsDesk(tmp_path, "redis", CELERY_RESULT_BACKEND=away) as desk:
        marks = desk.home / "marks"
        # Its environment names the results only: the broker is the desk's.
        desk.environment["CELERY_BROKER_URL"] = resolve(desk.settings).url
        desk.start_worker("--concurrency", "1")
        ids = [desk.submit("note", path=str(marks), text=str(number)) for number in range(3)]
        for job_id in ids:
            job = desk.wait(job_id, 30)
            assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
        assert sorted(lines(marks)) == ["0", "1", "2"]


def test_what_the_broker_forgot_is_published_again(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    job_id = desk.submit("note", path=str(marks))
    client = desk.runtime.publisher
    assert client.depths(["data_collection"]) == {"data_collection": 1}
    from backend.jobs.broker import connect

    redis = connect(resolve(desk.settings).url)
    redis.flushall()
    redis.close()
    desk.start_worker()
    job = desk.wait(job_id, 60)
    assert job.state is JobState.SUCCEEDED
    assert any(step.details.get("reason") == "lost" for step in job.timeline)


@pytest.mark.parametrize("pool", ["threads", pytest.param("solo", marks=pytest.mark.full)])
def test_a_task_longer_than_the_visibility_timeout_runs_once(desk: JobsDesk, pool: str) -> None:
    marks = desk.home / "marks"
    desk.environment["PROBE_VISIBILITY"] = "3"
    desk.start_worker(name="w1", pool=pool)
    desk.start_worker(name="w2", pool=pool)
    job = desk.wait(desk.submit("dull", path=str(marks), milliseconds=9000), 40)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    assert [line.split()[0] for line in lines(marks)] == ["begin", "end"]
    assert "duplicate" not in {step.kind for step in job.timeline}, (
        "its message was not even handed out again"
    )


def test_the_loop_of_windows_hands_out_again_what_a_killed_consumer_held(desk: JobsDesk) -> None:
    app = build_app(resolve(desk.settings))
    app.conf.broker_transport_options["visibility_timeout"] = 3
    marks = desk.home / "marks"
    app.send_task(f"{APP}.note", kwargs={"path": str(marks)}, queue="data_collection", ignore_result=True)
    connection = app.connection_for_read()
    queue: Any = app.amqp.queues["data_collection"](connection.channel())
    message = queue.get(no_ack=False)
    assert message is not None, "handed out, and nobody will ever acknowledge it"
    desk.environment |= {"PROBE_VISIBILITY": "3", "PROBE_WINDOWS": "1"}
    desk.start_worker()
    desk.until(lambda: lines(marks) == ["x"], 20)
    lost: Any = connection  # closing it in good order would hand the message back
    queue.channel.qos._delivered.clear()
    lost.transport.channels.clear()
    lost._closed = True


def test_two_beats_make_one_job_of_a_tick(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    schedule_every_second(desk, marks)
    desk.start_worker()
    desk.start_beat("beat1")
    desk.start_beat("beat2")
    desk.until(lambda: len(lines(marks)) >= 6, 40)
    jobs = desk.runtime.jobs.list(schedule="tick", limit=500).items
    planned = [job.planned_at for job in jobs if job.state is not JobState.MISSED]
    assert len(planned) == len(set(planned)), "no tick has two jobs"
    assert len(lines(marks)) <= len(planned)


def test_beat_waits_for_a_broker_that_is_away_and_catches_up_once(desk: JobsDesk) -> None:
    marks = desk.home / "marks"
    schedule_every_second(desk, marks)
    desk.start_worker()
    beat = desk.start_beat()
    desk.until(lambda: len(lines(marks)) >= 2, 40)
    address = desk.kill_redis()
    time.sleep(3)
    desk.start_redis(again=address)
    before = len(lines(marks))
    desk.until(lambda: len(lines(marks)) >= before + 2, 60)
    assert beat.poll() is None


def schedule_every_second(desk: JobsDesk, marks: Path) -> None:
    from backend.jobs.schedules import DEFAULTS

    entries: dict[str, object] = {schedule.name: {"enabled": False} for schedule in DEFAULTS}
    entries["tick"] = {"task": f"{APP}.note", "every": 1, "kwargs": {"path": str(marks)}}
    (desk.home / "config").mkdir(exist_ok=True)
    (desk.home / "config/schedules.json").write_text(json.dumps(entries))
