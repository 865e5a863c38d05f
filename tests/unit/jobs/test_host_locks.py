"""Which locks stand between hosts, and under which name."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.config import load_settings
from backend.core.errors import Unavailable
from backend.jobs import host_locks as module
from backend.jobs.context import _CURRENT, JobContext
from backend.jobs.host_locks import HostLocks, host_locks
from backend.jobs.leases import FileLeases
from tests.fakes.jobs import SetClock


class AwayFor(FileLeases):
    """Leases that are away for so many questions."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__(folder, SetClock())
        self.asked: list[str] = []
        self._times = times

    def take(self, job_id: str, worker: str) -> int:
        self.asked.append(job_id)
        if len(self.asked) <= self._times:
            raise Unavailable("broker_unavailable", "away")
        return super().take(job_id.replace("/", "-"), worker)

    def release(self, job_id: str) -> None:
        super().release(job_id.replace("/", "-"))

    def held(self, job_id: str) -> bool:
        return super().held(job_id.replace("/", "-"))


@pytest.mark.parametrize(
    ("named", "spans"),
    [
        ({}, False),  # the broker that the desk brings serves this machine
        ({"redis_url": "redis://there:6379/0"}, True),
        ({"celery_broker_url": "redis://there:6379/0"}, True),
        ({"redis_url": "redis://there:6379/0", "broker": "memory"}, False),
    ],
)
def test_only_where_the_user_names_a_broker_may_there_be_other_hosts(
    tmp_path: Path, named: dict[str, Any], *, spans: bool
) -> None:
    assert (host_locks(load_settings(home=tmp_path, **named)) is not None) is spans


def test_a_file_has_one_name_wherever_the_folder_is_mounted(tmp_path: Path) -> None:
    asked = []
    (tmp_path / "here/data").mkdir(parents=True)
    (tmp_path / "there").symlink_to(tmp_path / "here/data", target_is_directory=True)
    for root in (tmp_path / "here/data", tmp_path / "there"):
        leases = AwayFor(tmp_path / root.name, 0)
        with HostLocks(lambda: leases, root).hold(root.resolve() / "ideas/one.json", 1.0) as held:  # noqa: B023
            assert held()
        asked += leases.asked
    assert asked == ["ideas/one.json", "ideas/one.json"]


@pytest.mark.parametrize("name", ["data/run/ready.json", "data/task_runs/workers/w1.json", "logs/trades.csv"])
def test_what_is_of_one_process_or_host_asks_nobody(tmp_path: Path, name: str) -> None:
    leases = AwayFor(tmp_path / "leases", 99)
    with HostLocks(lambda: leases, tmp_path / "data").hold(tmp_path / name, 0.0) as held:
        assert held()
    assert leases.asked == []


def a_job(check: Callable[[], bool] = lambda: False) -> JobContext:
    return JobContext(
        id="1",
        task="t",
        actor="a",
        run=1,
        worker="w",
        deadline=60.0,
        ends_at=float("inf"),
        cancelled=check,
        stopping=threading.Event(),
        tell=lambda done, total: None,
        held=lambda: True,
    )


def test_a_running_job_waits_for_a_redis_that_comes_back_and_nobody_else_does(tmp_path: Path) -> None:
    leases = AwayFor(tmp_path / "leases", 2)
    locks = HostLocks(lambda: leases, tmp_path)
    with pytest.raises(Unavailable, match="away"), locks.hold(tmp_path / "a.json", 30.0):
        pass
    assert len(leases.asked) == 1
    token = _CURRENT.set(a_job())
    try:
        with locks.hold(tmp_path / "a.json", 30.0) as held:
            assert held()
        assert len(leases.asked) == 3
        leases.asked.clear()
        with pytest.raises(Unavailable, match="away"), locks.hold(tmp_path / "a.json", 0.0):
            pass
        assert len(leases.asked) == 1, "who would not wait for a holder does not wait for a Redis"
    finally:
        _CURRENT.reset(token)


def test_a_write_waits_longer_than_the_lock_of_a_dead_host_lasts() -> None:
    from backend.storage.files import LOCK_SECONDS

    assert module.LASTS < LOCK_SECONDS
    assert module.RENEW_EVERY * 3 + module.PATIENCE < module.LASTS, "three renewals may fail"
