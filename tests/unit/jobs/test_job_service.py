"""Submitting, refusing, cancelling, trying again, listing."""

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.jobs.publisher import Message
from backend.jobs.rows import Kind
from backend.jobs.runtime import Runtime
from backend.jobs.service import JobRequest
from backend.jobs.spec import Parameter
from backend.jobs.views import JobState
from backend.storage.appendlog import SegmentWriter
from tests.fakes.jobs import NOON, FakePublisher, SetClock, make_runtime, run


def test_the_row_is_on_disk_before_the_message_is_sent(tmp_path: Path, clock: SetClock) -> None:
    seen: list[str] = []

    class Looking(FakePublisher):
        def publish(self, *messages: Message) -> None:
            rows = [path.read_text() for path in (tmp_path / "data/task_runs/ledger").glob("*.jsonl")]
            seen.extend(text for text in rows if messages[0].job_id in text and '"QUEUED"' in text)

    runtime = make_runtime(tmp_path, clock, Looking())
    runtime.jobs.submit("plain", actor="me")
    assert len(seen) == 1
    runtime.ledger.close()


def test_defaults_are_filled_in_before_anything_is_queued(runtime: Runtime, publisher: FakePublisher) -> None:
    job = runtime.jobs.get(runtime.jobs.submit("cleanup", {}, actor="me"))
    assert job.kwargs == {"days_to_keep": 30}
    assert publisher.published[0]["kwargs"] == {"days_to_keep": 30}


@pytest.mark.parametrize(
    ("task", "kwargs", "error", "code"),
    [
        ("nothing", {}, NotFound, "unknown_task"),
        ("cleanup", {"days_to_keep": 0}, Invalid, "bad_argument"),
        ("cleanup", {"days_to_keep": 3651}, Invalid, "bad_argument"),
        ("cleanup", {"days_to_keep": True}, Invalid, "bad_argument"),
        ("cleanup", {"days_to_keep": "7"}, Invalid, "bad_argument"),
        ("cleanup", {"days": 7}, Invalid, "unknown_argument"),
        ("evaluate", {}, Invalid, "missing_argument"),
        ("evaluate", {"symbol": ""}, Invalid, "bad_argument"),
        ("evaluate", {"symbol": "EUR\nUSD"}, Invalid, "bad_argument"),
    ],
)
def test_bad_input_queues_nothing(
    runtime: Runtime,
    publisher: FakePublisher,
    task: str,
    kwargs: dict[str, object],
    error: type[DeskError],
    code: str,
) -> None:
    with pytest.raises(error) as refusal:
        runtime.jobs.submit(task, kwargs, actor="me")
    assert refusal.value.code == code
    assert publisher.published == []
    assert runtime.jobs.list().items == ()


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_only_a_clear_yes_or_no_is_one(value: object) -> None:
    switch = Parameter(kind=bool, default=False)
    assert (switch.check("dry_run", True), switch.check("dry_run", False)) == (True, False)
    with pytest.raises(Invalid, match="true or false"):
        switch.check("dry_run", value)


def wanted(task: str, **kwargs: object) -> JobRequest:
    return JobRequest(task=task, kwargs=kwargs, actor="me")


def test_many_are_queued_in_order_and_what_is_wrong_fails_alone(
    runtime: Runtime, publisher: FakePublisher
) -> None:
    first, wrong, unknown, last = runtime.jobs.submit_many(
        [wanted("plain"), wanted("cleanup", days_to_keep=0), wanted("nothing"), wanted("cleanup")]
    )
    assert isinstance(wrong, Invalid)
    assert isinstance(unknown, NotFound)
    assert [message["id"] for message in publisher.published] == [first, last]
    assert publisher.published[1]["kwargs"] == {"days_to_keep": 30}
    runtime.ledger.flush()
    stored = {job.id: (job.task, job.state, job.actor) for job in runtime.jobs.list().items}
    assert stored == {
        first: ("desk.tasks.plain", JobState.SENT, "me"),
        last: ("desk.tasks.cleanup", JobState.SENT, "me"),
    }
    assert runtime.jobs.submit_many([]) == []


def test_the_rows_of_many_are_on_disk_before_the_first_message_is_sent(
    tmp_path: Path, clock: SetClock
) -> None:
    there: list[int] = []

    class Looking(FakePublisher):
        def publish(self, *messages: Message) -> None:
            text = "".join(path.read_text() for path in (tmp_path / "data/task_runs/ledger").glob("*.jsonl"))
            there.append(sum(f'"{message.job_id}"' in text for message in messages))

    runtime = make_runtime(tmp_path, clock, Looking())
    runtime.jobs.submit_many([wanted("plain")] * 3)
    assert there == [3]
    runtime.ledger.close()


def test_of_many_that_the_broker_refuses_each_row_is_closed(
    runtime: Runtime, publisher: FakePublisher
) -> None:
    publisher.down = True
    refusals = runtime.jobs.submit_many([wanted("plain")] * 3)
    assert all(isinstance(refusal, Unavailable) for refusal in refusals)
    ids = {refusal.details["job"] for refusal in refusals if isinstance(refusal, Unavailable)}
    assert len(ids) == 3
    assert {runtime.jobs.get(job_id).state for job_id in ids} == {JobState.REFUSED}
    assert runtime.leases.renew() == [], "no lease is left over"


def test_of_many_only_those_that_the_full_disk_took_are_published(
    runtime: Runtime, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = SegmentWriter.append_many

    def full(self: SegmentWriter, records: Sequence[Mapping[str, object]]) -> None:
        whole(self, records[:2])
        raise Unavailable("disk_full", "there is no room", written=2)

    with monkeypatch.context() as disk:
        disk.setattr(SegmentWriter, "append_many", full)
        first, second, third, fourth = runtime.jobs.submit_many([wanted("plain")] * 4)
    assert publisher.ids() == [first, second]
    assert isinstance(third, Unavailable)
    assert isinstance(fourth, Unavailable)
    assert third.code == fourth.code == "disk_full"
    assert third is not fourth, "each is raised in a request of its own"


def test_a_job_that_the_broker_refuses_is_closed(runtime: Runtime, publisher: FakePublisher) -> None:
    publisher.down = True
    with pytest.raises(Unavailable) as refusal:
        runtime.jobs.submit("plain", actor="me")
    job = runtime.jobs.get(refusal.value.details["job"])
    assert (job.state, job.status) == (JobState.REFUSED, "failure")
    assert job.error is not None
    assert job.error.code == "broker_unavailable"


def test_a_refused_job_whose_message_got_through_is_not_run(
    runtime: Runtime, publisher: FakePublisher
) -> None:
    publisher.takes_and_fails = True
    with pytest.raises(Unavailable) as refusal:
        runtime.jobs.submit("plain", actor="me")
    ran: list[str] = []
    from backend.jobs.runner import Passed

    with pytest.raises(Passed):
        run(runtime, refusal.value.details["job"], lambda: ran.append("x"), task="plain")
    assert ran == []


def test_a_job_that_runs_already_is_not_refused(tmp_path: Path, clock: SetClock) -> None:
    inside = threading.Event()
    go_on = threading.Event()

    class Fast(FakePublisher):
        """The worker begins before the broker's answer is lost."""

        def publish(self, *messages: Message) -> None:
            def work() -> dict[str, int]:
                inside.set()
                go_on.wait(5)
                return {"n": 1}

            worker.append(
                threading.Thread(
                    target=run, args=(runtime, messages[0].job_id, work), kwargs={"task": "plain"}
                )
            )
            worker[0].start()
            inside.wait(5)
            raise Unavailable("broker_unavailable", "the answer is lost")

    worker: list[threading.Thread] = []
    runtime = make_runtime(tmp_path, clock, Fast())
    job_id = runtime.jobs.submit("plain", actor="me")
    go_on.set()
    worker[0].join(5)
    assert runtime.jobs.get(job_id).state is JobState.SUCCEEDED
    runtime.ledger.close()


def test_one_key_makes_one_job(runtime: Runtime, publisher: FakePublisher, clock: SetClock) -> None:
    first = runtime.jobs.submit("plain", actor="me", key="k")
    assert runtime.jobs.submit("plain", actor="me", key="k") == first
    with pytest.raises(Conflict):
        runtime.jobs.submit("cleanup", actor="me", key="k")
    other = make_runtime(runtime.settings.home, clock, publisher)
    assert other.jobs.submit("plain", actor="me", key="k") == first, "also asked of another process"
    other.ledger.close()
    assert publisher.ids() == [first]


def test_a_refused_key_may_be_used_again(runtime: Runtime, publisher: FakePublisher) -> None:
    publisher.down = True
    with pytest.raises(Unavailable):
        runtime.jobs.submit("plain", actor="me", key="k")
    publisher.down = False
    again = runtime.jobs.submit("plain", actor="me", key="k")
    runtime.ledger.flush()
    assert runtime.jobs.get(again).state is JobState.SENT


def test_an_id_that_was_never_issued(runtime: Runtime) -> None:
    for strange in ("01a20be1-1eb1-7d7d-951a-378b9ace9c92", "", "../../etc/passwd", "x" * 500, '"'):
        with pytest.raises(NotFound):
            runtime.jobs.get(strange)


def test_cancelling_what_waits_ends_it_and_what_ended_cannot_be_cancelled(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    assert runtime.jobs.cancel(job_id, actor="me").state is JobState.CANCELLED
    assert runtime.jobs.get(job_id).status == "revoked"
    with pytest.raises(Conflict):
        runtime.jobs.cancel(job_id, actor="me")


def test_retry_makes_a_new_job_of_an_ended_one(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("cleanup", {"days_to_keep": 9}, actor="me")
    with pytest.raises(Conflict):
        runtime.jobs.retry(job_id, actor="you")
    run(runtime, job_id, lambda days_to_keep: {"days": days_to_keep}, task="cleanup", days_to_keep=9)
    again = runtime.jobs.get(runtime.jobs.retry(job_id, actor="you"))
    assert (again.kwargs, again.retry_of, again.actor) == ({"days_to_keep": 9}, job_id, "you")


def test_a_dead_letter_is_requeued_once(runtime: Runtime) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    with pytest.raises(Conflict):
        runtime.jobs.requeue(job_id, actor="me")
    runtime.ledger.append(Kind.DEAD, job_id, run=3)
    assert [job.id for job in runtime.jobs.dead_letters()] == [job_id]
    new = runtime.jobs.requeue(job_id, actor="me")
    assert runtime.jobs.get(new).retry_of == job_id
    assert runtime.jobs.dead_letters() == ()
    with pytest.raises(Conflict):
        runtime.jobs.requeue(job_id, actor="me")


def test_pages_cover_every_job_once_newest_first(runtime: Runtime, clock: SetClock) -> None:
    made = []
    for _ in range(7):
        clock.forward(seconds=1)
        made.append(runtime.jobs.submit("plain", actor="me"))
    runtime.jobs.submit("cleanup", actor="you")
    found: list[str] = []
    cursor = None
    while True:
        page = runtime.jobs.list(task="desk.tasks.plain", limit=3, cursor=cursor)
        found += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == made[::-1]
    assert [job.actor for job in runtime.jobs.list(actor="you").items] == ["you"]
    assert runtime.jobs.list(since=NOON + timedelta(seconds=8)).items == ()
    assert len(runtime.jobs.list(until=NOON + timedelta(seconds=3)).items) == 2
    for bad in ("x", "~", "2026-01-01T00:00:00Z~x"):
        with pytest.raises(Invalid):
            runtime.jobs.list(cursor=bad)
    with pytest.raises(Invalid):
        runtime.jobs.list(limit=0)


def test_jobs_no_longer_in_memory_are_still_found(runtime: Runtime, clock: SetClock) -> None:
    runtime.ledger.index.limit = 5
    made = []
    for _ in range(12):
        clock.forward(seconds=1)
        made.append(runtime.jobs.submit("plain", actor="me"))
        run(runtime, made[-1], dict, task="plain")
    runtime.ledger.refresh()
    assert runtime.ledger.recent(made[0]) is None
    assert runtime.jobs.get(made[0]).state is JobState.SUCCEEDED
    assert [job.id for job in runtime.jobs.list(limit=50).items] == made[::-1]


def test_history_survives_the_process(runtime: Runtime, publisher: FakePublisher, clock: SetClock) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    run(runtime, job_id, lambda: {"n": 5}, task="plain")
    runtime.ledger.close()
    later = make_runtime(runtime.settings.home, clock, publisher)
    assert later.jobs.get(job_id).result == {"n": 5}
    later.ledger.close()


def test_events_come_once_and_resume(runtime: Runtime, clock: SetClock, publisher: FakePublisher) -> None:
    start = runtime.jobs.cursor()
    job_id = runtime.jobs.submit("plain", actor="me")
    run(runtime, job_id, lambda: {"n": 5}, task="plain")
    runtime.ledger.flush()
    events = runtime.jobs.events(start)
    assert sorted(event.kind for event in events) == ["queued", "sent", "started", "succeeded"]
    assert {event.task for event in events} == {"desk.tasks.plain"}
    assert runtime.jobs.events(events[-1].cursor) == ()
    assert runtime.jobs.events(events[1].cursor) == events[2:]
    assert [e.cursor for e in runtime.jobs.events(start, limit=2)] == [e.cursor for e in events[:2]]
    with pytest.raises(Invalid):
        runtime.jobs.events("nonsense")
    other_boot = "ffffff" + events[-1].cursor[6:]
    assert len(runtime.jobs.events(other_boot)) == len(events), "another run's cursor repeats two seconds"


def test_summary_and_queues(runtime: Runtime, clock: SetClock, publisher: FakePublisher) -> None:
    publisher.waiting = {"maintenance": 2}
    for lasting in (1, 2, 3, 10):
        job_id = runtime.jobs.submit("plain", actor="me")
        clock.forward(seconds=4)

        def work(lasting: int = lasting) -> None:
            clock.forward(seconds=lasting)

        run(runtime, job_id, work, task="plain")
    runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    clock.forward(seconds=7)
    (summary,) = runtime.jobs.summary(timedelta(hours=1))
    assert summary.counts == {"sent": 1, "succeeded": 4}
    assert (summary.duration_p50, summary.duration_p95, summary.lateness_p95) == (2.0, 10.0, 4.0)
    assert runtime.jobs.summary(timedelta(seconds=1)) == ()
    queue = next(queue for queue in runtime.jobs.queues() if queue.name == "maintenance")
    assert (queue.waiting, queue.oldest_age, queue.running, queue.broker_depth) == (1, 7.0, 0, 2)
    publisher.down = True
    assert {queue.broker_depth for queue in runtime.jobs.queues()} == {None}, "unknown is not 0"
