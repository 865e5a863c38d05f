"""Nothing that was promised is left lying."""

import json
from datetime import timedelta

import pytest

from backend.core.errors import Unavailable
from backend.jobs.housekeeping import Housekeeper
from backend.jobs.leases import HOST, machine
from backend.jobs.rows import Kind, new_id, written
from backend.jobs.runner import Passed
from backend.jobs.runtime import Runtime
from backend.jobs.views import JobState
from tests.fakes.jobs import FakePublisher, SetClock, run


def queued(runtime: Runtime) -> str:
    """A row whose writer was killed before it published."""
    job_id = new_id(runtime.clock.wall())
    runtime.ledger.append(
        Kind.QUEUED, job_id, task="desk.tasks.plain", queue="maintenance", kwargs={}, actor="me"
    )
    return job_id


def a_worker_listens(runtime: Runtime) -> None:
    wall = written(runtime.clock.wall())
    runtime.storage.write_json(
        "task_runs/workers/w.json",
        {
            "name": "w",
            "host": HOST,
            "pid": 1,
            "pool": "threads",
            "concurrency": 2,
            "queues": ["maintenance"],
            "active": [],
            "processed": 0,
            "rss": 1,
            "state": "alive",
            "started_at": wall,
            "updated_at": wall,
        },
    )


def test_what_was_never_sent_is_sent(runtime: Runtime, publisher: FakePublisher, clock: SetClock) -> None:
    job_id = queued(runtime)
    keeper = Housekeeper(runtime)
    clock.forward(seconds=9)
    assert keeper.sweep().published == [], "its writer may be at it just now"
    clock.forward(seconds=2)
    publisher.down = True
    assert keeper.sweep().published == []
    publisher.down = False
    assert keeper.sweep().published == [job_id]
    assert keeper.sweep().published == []


def test_a_refused_job_is_never_published(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    publisher.down = True
    with pytest.raises(Unavailable):
        runtime.jobs.submit("plain", actor="me")
    publisher.down = False
    clock.forward(hours=1)
    sweep = Housekeeper(runtime, forgetful=True).sweep()
    assert (sweep.published, publisher.published) == ([], [])


def test_what_waits_at_the_broker_is_left_alone_and_what_it_lost_is_not(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    keeper = Housekeeper(runtime)
    publisher.waiting = {"maintenance": 1}
    clock.forward(minutes=5)
    a_worker_listens(runtime)
    assert keeper.sweep().published == []
    publisher.waiting = {}
    publisher.down = True
    assert keeper.sweep().published == [], "a broker that does not answer has not lost it"
    publisher.down = False
    for _ in range(4):
        a_worker_listens(runtime)
        assert keeper.sweep().published == [job_id]
        clock.forward(seconds=31)
    a_worker_listens(runtime)
    keeper.sweep()
    assert runtime.jobs.get(job_id).state is JobState.LOST


def test_a_message_that_the_broker_does_not_have_is_published_again_though_others_wait(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    lost = runtime.jobs.submit("plain", actor="me")
    waits = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    keeper = Housekeeper(runtime)
    publisher.waiting = {"maintenance": 1}
    publisher.has = frozenset({waits})
    clock.forward(seconds=4)
    assert keeper.sweep().published == [], "its message may be on its way"
    clock.forward(seconds=2)
    assert keeper.sweep().published == [lost]
    assert runtime.jobs.get(lost).timeline[-1].details["reason"] == "lost"
    publisher.has = frozenset({waits, lost})
    clock.forward(hours=1)
    assert keeper.sweep().published == [], "what the broker has only waits"


def test_a_message_that_is_lost_again_and_again_is_given_up(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    keeper = Housekeeper(runtime)
    publisher.has = frozenset()
    for _ in range(4):
        clock.forward(seconds=6)
        assert keeper.sweep().published == [job_id]
    clock.forward(seconds=6)
    keeper.sweep()
    assert runtime.jobs.get(job_id).state is JobState.LOST


def test_what_is_to_end_is_not_published_because_its_message_is_lost(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    late = runtime.jobs.submit("plain", actor="me", expires_at=clock.wall() + timedelta(seconds=5))
    cancelled = runtime.jobs.submit("plain", actor="me")
    begun = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.append(Kind.CANCEL_REQUESTED, cancelled, actor="me")
    assert runtime.leases.take(begun, "w")
    runtime.ledger.append(Kind.STARTED, begun, run=1, worker="w")
    runtime.ledger.flush()
    publisher.published.clear()
    publisher.has = frozenset()
    clock.forward(seconds=6)
    Housekeeper(runtime).sweep()
    assert publisher.published == []
    assert runtime.jobs.get(late).state is JobState.EXPIRED
    assert runtime.jobs.get(cancelled).state is JobState.CANCELLED


def test_with_nobody_listening_a_job_only_waits(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    clock.forward(hours=5)
    assert Housekeeper(runtime).sweep().published == []


def test_what_expired_or_was_cancelled_is_closed(runtime: Runtime, clock: SetClock) -> None:
    late = runtime.jobs.submit("plain", actor="me", expires_at=clock.wall() + timedelta(seconds=5))
    cancelled = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.append(Kind.CANCEL_REQUESTED, cancelled, actor="me")
    clock.forward(seconds=6)
    Housekeeper(runtime).sweep()
    assert runtime.jobs.get(late).state is JobState.EXPIRED
    assert runtime.jobs.get(cancelled).state is JobState.CANCELLED


def test_a_next_try_is_released_when_it_is_due(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = runtime.jobs.submit("cleanup", actor="me")
    runtime.ledger.flush()

    def down(**_: object) -> None:
        raise Unavailable("down", "down")

    with pytest.raises(Passed):
        run(runtime, job_id, down, task="cleanup")
    keeper = Housekeeper(runtime)
    clock.forward(seconds=4)
    assert keeper.sweep().published == []
    clock.forward(seconds=1)
    assert keeper.sweep().published == [job_id]
    clock.forward(seconds=1)
    assert keeper.sweep().published == [], "it is on its way"
    assert run(runtime, job_id, lambda days_to_keep: {"d": days_to_keep}, task="cleanup") == {"d": 30}


def dead_lease(runtime: Runtime, job_id: str) -> None:
    holder = {
        "host": machine(),
        "pid": 2**22 + 1,
        "started": 1.0,
        "worker": "w",
        "token": "t",
        "renewed_at": "2026-01-01T00:00:00Z",
    }
    (runtime.storage.path("task_runs/leases") / f"{job_id}.lease").write_text(json.dumps(holder))


def test_a_job_whose_worker_died_is_handed_out_again_three_times_then_parked(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    keeper = Housekeeper(runtime)
    for number in (1, 2):
        clock.forward(seconds=1)
        runtime.ledger.append(Kind.STARTED, job_id, run=number, worker="w")
        dead_lease(runtime, job_id)
        clock.forward(seconds=4)
        assert keeper.sweep().published == [job_id]
        assert keeper.sweep().published == [], "it is on its way"
    clock.forward(seconds=1)
    runtime.ledger.append(Kind.STARTED, job_id, run=3, worker="w")
    clock.forward(seconds=4)
    assert keeper.sweep().parked == [job_id]
    assert runtime.jobs.get(job_id).state is JobState.DEAD


def test_a_desk_in_memory_publishes_again_what_its_last_process_had(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    before = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    publisher.published.clear()
    clock.forward(seconds=1)
    keeper = Housekeeper(runtime, forgetful=True)
    clock.forward(seconds=1)
    runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    assert keeper.sweep().published == [before]
    assert keeper.sweep().published == []


def test_only_old_segments_are_pruned(runtime: Runtime, clock: SetClock) -> None:
    folder = runtime.storage.path("task_runs/ledger")
    job_id = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    old = folder / "api-20251101-000000-0123456789ab.jsonl"
    young = folder / "api-20260101-000000-0123456789ab.jsonl"
    for path in (old, young, folder / "notes.jsonl"):
        path.write_text("{}\n")
    assert Housekeeper(runtime).prune() == [f"task_runs/ledger/{old.name}"]
    assert young.exists()
    assert runtime.jobs.get(job_id).id == job_id


def test_a_run_that_began_before_its_publishing_was_written_down_is_seen_to_die(
    runtime: Runtime, publisher: FakePublisher, clock: SetClock
) -> None:
    job_id = runtime.jobs.submit("plain", actor="me")
    runtime.ledger.flush()
    runtime.ledger.append(Kind.STARTED, job_id, run=1, worker="w1")
    clock.forward(seconds=4)
    runtime.ledger.append(Kind.STARTED, job_id, run=2, worker="w2")
    clock.forward(seconds=0.001)
    runtime.ledger.append(Kind.REPUBLISHED, job_id, run=1, reason="worker died")
    clock.forward(seconds=4)
    assert Housekeeper(runtime).sweep().published == [job_id]
