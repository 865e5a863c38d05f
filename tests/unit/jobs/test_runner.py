"""One delivery: what is run, what is passed over, and what is written down."""

import threading
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Reject

from backend.core.errors import Invalid, Unavailable
from backend.jobs.context import check, current_job, progress, seconds_left, trigger
from backend.jobs.rows import Kind
from backend.jobs.runner import Passed
from backend.jobs.runtime import Runtime
from backend.jobs.views import JobState, Progress
from tests.fakes.jobs import FakePublisher, SetClock, make_runtime, run


def fail(error: Exception) -> Any:
    def work(**_: Any) -> None:
        raise error

    return work


def test_a_run_knows_its_job(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    seen: list[Any] = []

    def work() -> None:
        job = current_job()
        assert job is not None
        seen.extend([job.id, job.run, trigger(), seconds_left()])
        check()

    assert run(runtime, job_id, work, task="plain") == {}
    assert seen[:3] == [job_id, 1, "me"]
    assert 0 < seen[3] <= 300
    assert current_job() is None
    assert trigger() == "direct"
    check()


def test_a_second_delivery_gives_the_first_result(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    ran: list[int] = []

    def work() -> dict[str, int]:
        ran.append(1)
        return {"n": len(ran)}

    assert run(runtime, job_id, work, task="plain") == {"n": 1}
    assert run(runtime, job_id, work, task="plain") == {"n": 1}
    assert ran == [1]


def test_two_deliveries_at_once_run_once(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")

    def work() -> dict[str, int]:
        with pytest.raises(Passed) as passed:
            run(runtime, job_id, dict, task="plain", worker="w2@host")
        assert passed.value.state is JobState.STARTED
        return {"n": 1}

    run(runtime, job_id, work, task="plain")
    assert runtime.jobs.get(job_id).attempts == 1


def test_only_unavailable_is_tried_again_and_not_for_ever(runtime: Runtime, clock: SetClock) -> None:
    job_id = runtime.jobs.submit("cleanup", actor="me")
    down = fail(Unavailable("terminal_down", "the terminal is down", last_error=-10004))
    for delay in (5, 10):
        with pytest.raises(Passed):
            run(runtime, job_id, down, task="cleanup")
        assert runtime.jobs.get(job_id).state is JobState.RETRYING
        with pytest.raises(Passed):
            run(runtime, job_id, down, task="cleanup")  # too early: passed over
        clock.forward(seconds=delay)
    with pytest.raises(Unavailable):
        run(runtime, job_id, down, task="cleanup")
    job = runtime.jobs.get(job_id)
    assert (job.state, job.attempts, job.retries) == (JobState.FAILED, 3, 2)
    assert job.error is not None
    assert job.error.details == {"last_error": -10004}


@pytest.mark.parametrize(
    ("error", "category", "code"),
    [
        (Invalid("bad_file", "the file is bad", path=Path("a")), "invalid", "bad_file"),
        (ValueError("oops"), "error", "unexpected"),
    ],
)
def test_other_errors_are_final(runtime: Runtime, error: Exception, category: str, code: str) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    with pytest.raises(type(error)):
        run(runtime, job_id, fail(error), task="plain")
    job = runtime.jobs.get(job_id)
    assert job.error is not None
    assert (job.state, job.error.category, job.error.code) == (JobState.FAILED, category, code)
    assert "Traceback" in (job.error.traceback or "")
    with pytest.raises(Passed):
        run(runtime, job_id, dict, task="plain")


def test_a_result_that_is_no_dict_is_a_failure(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    with pytest.raises(TypeError):
        run(runtime, job_id, lambda: [1], task="plain")
    assert runtime.jobs.get(job_id).state is JobState.FAILED


def test_a_cancelled_run_stops_at_its_next_step(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")

    def work() -> None:
        runtime.jobs.cancel(job_id, actor="you")
        check_soon()

    def check_soon() -> None:
        job = current_job()
        assert job is not None
        job._looked_at = float("-inf")
        check()

    with pytest.raises(Passed):
        run(runtime, job_id, work, task="plain")
    assert runtime.jobs.get(job_id).state is JobState.CANCELLED


def test_what_comes_too_late_is_not_begun(runtime: Runtime, clock: SetClock) -> None:
    job_id = runtime.jobs.submit("plain", actor="me", expires_at=clock.wall())
    clock.forward(seconds=1)
    with pytest.raises(Passed):
        run(runtime, job_id, dict, task="plain")
    job = runtime.jobs.get(job_id)
    assert (job.state, job.attempts) == (JobState.EXPIRED, 0)


def test_a_job_sent_with_celery_alone_is_adopted(runtime: Runtime) -> None:
    job_id = "3f1c9f64-0000-4000-8000-000000000001"
    run(runtime, job_id, lambda days_to_keep: {"days": days_to_keep}, task="cleanup", days_to_keep=4)
    job = runtime.jobs.get(job_id)
    assert (job.actor, job.kwargs, job.result) == ("celery", {"days_to_keep": 4}, {"days": 4})


def test_arguments_are_checked_also_when_sent_with_celery_alone(runtime: Runtime) -> None:
    with pytest.raises(Invalid):
        run(runtime, "3f1c9f64-0000-4000-8000-000000000002", dict, task="cleanup", days_to_keep=-1)


def test_a_worker_that_ends_begins_nothing_and_hands_on_what_it_has(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")

    def work() -> None:
        runtime.stopping.set()
        check()

    with pytest.raises(Passed):
        run(runtime, job_id, work, task="plain")
    job = runtime.jobs.get(job_id)
    assert (job.state, job.attempts, job.redeliveries) == (JobState.SENT, 1, 0)
    with pytest.raises(Reject) as rejected:
        run(runtime, job_id, dict, task="plain")
    assert vars(rejected.value)["requeue"] is True


def test_a_worker_thought_dead_does_not_overwrite_its_successor(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")

    def work() -> dict[str, str]:
        lease = next((runtime.storage.path("task_runs/leases")).glob("*.lease"))
        lease.unlink()  # as if this machine had been silent for long
        run(runtime, job_id, lambda: {"by": "successor"}, task="plain", worker="w2@host")
        return {"by": "sleeper"}

    with pytest.raises(Passed):
        run(runtime, job_id, work, task="plain")
    job = runtime.jobs.get(job_id)
    assert (job.result, job.attempts) == ({"by": "successor"}, 2)


def test_after_three_deaths_a_job_is_parked_with_an_alert(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    for number in (1, 2, 3):
        runtime.ledger.append(Kind.STARTED, job_id, run=number, worker=f"w{number}")
    with pytest.raises(Passed) as passed:
        run(runtime, job_id, dict, task="plain")
    assert passed.value.state is JobState.DEAD
    (alert,) = runtime.storage.read_jsonl("task_runs/alerts.jsonl")
    assert (alert["kind"], alert["job"]) == ("dead_letter", job_id)


def test_many_threads_and_two_processes_run_each_job_once(
    runtime: Runtime, clock: SetClock, publisher: FakePublisher
) -> None:
    other = make_runtime(runtime.settings.home, clock, publisher)
    ids = [runtime.jobs.submit("plain", actor="me") for _ in range(20)]
    ran: list[str] = []

    def worker(mine: Runtime) -> None:
        for job_id in ids:

            def work(job_id: str = job_id) -> None:
                ran.append(job_id)

            try:
                run(mine, job_id, work, task="plain")
            except Passed:
                continue

    threads = [threading.Thread(target=worker, args=(each,)) for each in (runtime, other, runtime, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == sorted(ids)
    other.ledger.close()


def test_a_running_job_tells_how_far_it_is_and_an_ended_one_no_more(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    seen: list[Progress | None] = []

    def work() -> None:
        seen.append(runtime.jobs.get(job_id).progress)
        progress(300, 1000)
        progress(301, 1000)  # within the same second: not told
        runtime.ledger.flush()
        seen.append(runtime.jobs.get(job_id).progress)

    run(runtime, job_id, work, task="plain")
    assert seen == [None, Progress(done=300, total=1000)]
    ended = runtime.jobs.get(job_id)
    assert ended.progress is None
    assert "progress" not in {step.kind for step in ended.timeline}


def test_outside_of_a_job_progress_goes_nowhere() -> None:
    progress(1, 2)
