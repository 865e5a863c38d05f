from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.leases import HOST
from backend.jobs.rows import written
from backend.storage.files import FileStorage
from backend.supervisor.workers import WorkerWatch
from tests.fakes.jobs import SetClock

OURS = 4711


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


def says(storage: FileStorage, clock: SetClock, **other: Any) -> None:
    """The file of a worker that has lived for an hour."""
    wall = clock.wall()
    content = {
        "name": f"main@{HOST}",
        "host": HOST,
        "pid": OURS,
        "pool": "threads",
        "concurrency": 4,
        "queues": ["maintenance"],
        "active": [],
        "processed": 1,
        "rss": 612_000_000,
        "canaries": {},
        "state": "alive",
        "started_at": written(wall - timedelta(hours=1)),
        "updated_at": written(wall),
    }
    storage.write_json("task_runs/workers/main.json", content | other)


def watch(storage: FileStorage, clock: SetClock) -> WorkerWatch:
    return WorkerWatch(storage, clock, look_every=0.0)


def test_deaf_and_heavy_ones_are_named_with_the_reason(storage: FileStorage, clock: SetClock) -> None:
    says(storage, clock)
    assert watch(storage, clock).ailing([OURS]) == {}
    says(storage, clock, state="deaf")
    assert "deaf" in watch(storage, clock).ailing([OURS])[OURS]
    says(storage, clock, state="heavy")
    assert "612 MB" in watch(storage, clock).ailing([OURS])[OURS]


@pytest.mark.parametrize(
    "other",
    [
        {"pid": OURS + 1},
        {"host": "elsewhere"},
        {"state": "stopping"},
        {"state": "silent"},
        {"state": "heavy", "active": ["a job"]},
    ],
    ids=["started by hand", "on another host", "ends already", "only silent", "at work"],
)
def test_every_other_worker_is_left_alone(
    storage: FileStorage, clock: SetClock, other: dict[str, Any]
) -> None:
    says(storage, clock, **{"state": "deaf", **other})
    assert watch(storage, clock).ailing([OURS]) == {}


def test_what_a_worker_said_long_ago_is_no_reason(storage: FileStorage, clock: SetClock) -> None:
    says(storage, clock, state="deaf")
    clock.forward(seconds=21)
    assert watch(storage, clock).ailing([OURS]) == {}


def test_one_that_is_heavy_from_its_start_is_not_restarted_over_and_over(
    storage: FileStorage, clock: SetClock
) -> None:
    says(storage, clock, state="heavy", started_at=written(clock.wall() - timedelta(seconds=299)))
    assert watch(storage, clock).ailing([OURS]) == {}
    says(storage, clock, state="heavy", started_at=written(clock.wall() - timedelta(seconds=300)))
    assert OURS in watch(storage, clock).ailing([OURS])


def test_it_looks_seldom(storage: FileStorage, clock: SetClock) -> None:
    seldom = WorkerWatch(storage, clock, look_every=3600.0)
    assert seldom.ailing([OURS]) == {}
    says(storage, clock, state="deaf")
    assert seldom.ailing([OURS]) == {}
