"""Nothing that was promised is left lying."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from backend.core.errors import Unavailable
from backend.jobs.housekeeping import Housekeeper
from backend.jobs.leases import HOST, Leases
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


def dead_lease(
    runtime: Runtime, job_id: str, *, host: str = HOST, renewed: str = "2026-01-01T00:00:00Z"
) -> None:
    holder = {
        "host": host,
        "pid": 2**22 + 1,
        "started": 1.0,
        "worker": "w",
        "token": "t",
        "renewed_at": renewed,
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


def test_leases_tell_the_living_from_the_dead(tmp_path: Path, clock: SetClock) -> None:
    mine, yours = Leases(tmp_path / "l", clock), Leases(tmp_path / "l", clock)
    assert mine.take("j1", "w1")
    assert mine.alive("j1")
    assert not yours.take("j1", "w2"), "its process lives"
    assert mine.mine("j1")
    assert not yours.mine("j1")
    yours.release("j1")
    assert mine.alive("j1"), "only its holder gives it back"
    holder = mine.holder("j1")
    assert holder is not None
    assert (holder.pid, holder.host) == (os.getpid(), HOST)
    mine.release("j1")
    assert mine.holder("j1") is None
    assert yours.take("j1", "w2")


def test_a_dead_holders_lease_is_taken_over_by_one(runtime: Runtime) -> None:
    import threading

    dead_lease(runtime, "j1")
    runtimes = [Leases(runtime.storage.path("task_runs/leases"), runtime.clock) for _ in range(8)]
    got: list[bool] = []
    threads = [
        threading.Thread(target=lambda each=each: got.append(each.take("j1", "w"))) for each in runtimes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


def test_a_holder_on_another_machine_lives_as_long_as_it_says_so(runtime: Runtime, clock: SetClock) -> None:
    dead_lease(runtime, "j1", host="elsewhere", renewed=written(clock.wall()))
    clock.forward(seconds=60)
    assert runtime.leases.alive("j1")
    clock.forward(seconds=60)
    assert not runtime.leases.alive("j1")


def test_renewing_keeps_a_lease_fresh(tmp_path: Path, clock: SetClock) -> None:
    leases = Leases(tmp_path / "l", clock)
    leases.take("j1", "w1")
    clock.forward(seconds=60)
    assert leases.renew() == ["j1"]
    holder = leases.holder("j1")
    assert holder is not None
    assert holder.renewed_at == written(clock.wall())
    assert leases.mine("j1")
    leases.release("j1")
    assert leases.renew() == []


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


def test_an_id_that_looks_like_a_path_stays_inside(runtime: Runtime, tmp_path: Path) -> None:
    leases = Leases(tmp_path / "data/leases", runtime.clock)
    assert leases.take("../../escaped", "w")
    assert not list(tmp_path.glob("escaped*"))
    leases.release("../../escaped")
    assert not list((tmp_path / "data/leases").glob("*.lease"))


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
