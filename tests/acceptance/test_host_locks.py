"""Two hosts change the files of one folder; the Redis alone keeps them apart, for no lock of a file does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.core.errors import Unavailable
from backend.jobs.private_redis import PrivateRedis
from backend.storage.files import FileStorage
from tests.fakes.host_children import ROUNDS, storage
from tests.fakes.jobs_desk import ROOT
from tests.fakes.redis_server import running_redis

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes are stopped as POSIX does it"),
]

LASTS = 1.0
STOP, GO_ON, KILL = (getattr(signal, name, signal.SIGTERM) for name in ("SIGSTOP", "SIGCONT", "SIGKILL"))


class Child:
    """A process on a host of its own."""

    def __init__(self, root: Path, url: str, host: str, what: str, lasts: float = LASTS) -> None:
        command = [sys.executable, "-m", "tests.fakes.host_children", str(root), url, str(lasts), host, what]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        self.process.kill()
        self.process.communicate(timeout=10)
        return self.process.returncode


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    with running_redis(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def url(redis: PrivateRedis, tmp_path: Path) -> Iterator[str]:
    from backend.jobs.broker import connect

    with connect(redis.address.url) as client:
        client.flushall()
    yield redis.address.url
    os.kill(redis.process.pid, GO_ON)


@pytest.fixture
def here(tmp_path: Path, url: str) -> FileStorage:
    """The folder as this process sees it, which is a third host."""
    return storage(tmp_path, url, LASTS)


def test_of_what_four_processes_on_two_hosts_add_nothing_is_lost(tmp_path: Path, url: str) -> None:
    children = [Child(tmp_path, url, host, "count", lasts=10.0) for host in ("a", "a", "b", "b")]
    try:
        assert [child.says() for child in children] == ["ready"] * 4
        for child in children:
            child.go_on()
        assert [child.process.wait(60) for child in children] == [0] * 4
    finally:
        for child in children:
            child.end()
    desk = FileStorage(tmp_path)
    assert desk.read_json("ideas/count.json") == 4 * ROUNDS
    rows = list(desk.read_jsonl("journal/log.jsonl"))
    for host in ("a", "b"):
        told = sorted(row["n"] for row in rows if row["host"] == host)
        assert told == sorted([*range(ROUNDS), *range(ROUNDS)])
    assert (tmp_path / "ideas/.locks-a").is_dir(), "each host locked files of its own"
    assert (tmp_path / "ideas/.locks-b").is_dir()


def test_without_the_redis_their_locks_of_files_keep_nobody_out(
    tmp_path: Path, url: str, here: FileStorage
) -> None:
    child = Child(tmp_path, url, "a", "hold")
    try:
        assert child.says() == "held"
        with FileStorage(tmp_path).lock("ideas/one", 0.0):
            pass
        with pytest.raises(Unavailable, match="held by another"), here.lock("ideas/one", 0.2):
            pass
    finally:
        child.end()


def test_a_long_holder_keeps_what_it_has(tmp_path: Path, url: str, here: FileStorage) -> None:
    child = Child(tmp_path, url, "a", "hold")
    try:
        assert child.says() == "held"
        with pytest.raises(Unavailable) as refused, here.lock("ideas/one", 3 * LASTS):
            pass
        assert refused.value.code == "locked"
        child.go_on()
        assert child.says() == "written"
        with here.lock("ideas/one", 1.0):
            assert here.read_json("ideas/one.json") == "a"
    finally:
        child.end()


def test_what_a_killed_holder_held_is_free_on_its_own_host_at_once(tmp_path: Path, url: str) -> None:
    for _ in range(2):  # each waits 5 s for a lock that would last for a minute
        child = Child(tmp_path, url, "a", "hold", lasts=60.0)
        try:
            assert child.says() == "held"
        finally:
            assert child.end() == -KILL


def test_for_the_other_hosts_it_is_free_when_it_ends(tmp_path: Path, url: str, here: FileStorage) -> None:
    child = Child(tmp_path, url, "a", "hold")
    try:
        assert child.says() == "held"
    finally:
        child.end()
    with pytest.raises(Unavailable, match="held by another"), here.lock("ideas/one", 0.0):
        pass
    with here.lock("ideas/one", 10.0):
        here.write_json("ideas/one.json", "here")


@pytest.mark.parametrize("what", ["hold", "change"])
def test_a_holder_that_stood_still_for_too_long_does_not_write_over_the_next_ones_work(
    tmp_path: Path, url: str, here: FileStorage, what: str
) -> None:
    child = Child(tmp_path, url, "a", what)
    try:
        assert child.says() in {"held", "read"}
        child.send(STOP)
        with here.lock("ideas/one", 10.0):  # free when its lock ends
            here.update_json("ideas/one.json", lambda value: f"{value} and here", "nothing")
        child.go_on()
        child.send(GO_ON)
        assert child.says() == "lock_lost"
        assert here.read_json("ideas/one.json") == "nothing and here"
    finally:
        child.end()


def test_while_the_redis_hangs_reading_goes_on_and_changing_is_refused_in_time(
    tmp_path: Path, redis: PrivateRedis, here: FileStorage, url: str
) -> None:
    here.write_json("ideas/one.json", "old")
    redis.process.send_signal(STOP)
    began = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        here.write_json("ideas/one.json", "new")
    assert time.monotonic() - began < 1.5, "the API has two seconds to say so"
    assert refused.value.code == "broker_unavailable"
    assert here.read_json("ideas/one.json") == "old"
    redis.process.send_signal(GO_ON)
    here.write_json("ideas/one.json", "new")  # what the Redis did late keeps nobody out
    other = storage(tmp_path, url, LASTS)
    other.write_json("ideas/one.json", "newer")


def test_a_holder_that_cannot_renew_writes_no_more(redis: PrivateRedis, here: FileStorage) -> None:
    with here.lock("ideas/one", 1.0):
        here.write_json("ideas/one.json", "old")
        redis.process.send_signal(STOP)
        time.sleep(1.2 * LASTS)
        redis.process.send_signal(GO_ON)
        with pytest.raises(Unavailable) as refused:
            here.write_json("ideas/one.json", "new")
        assert refused.value.code == "lock_lost"
    assert here.read_json("ideas/one.json") == "old"
