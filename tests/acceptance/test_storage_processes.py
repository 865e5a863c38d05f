"""Nothing that was acknowledged is lost, and no reader sees half a thing, whoever is killed when."""

import csv
import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.storage.appendlog import SegmentTail
from backend.storage.files import FileStorage
from tests.fakes.storage_children import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
WRITERS, READERS = 8, 4

pytestmark = pytest.mark.acceptance


def start(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.fakes.storage_children", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Writers:
    """Eight writing processes; the killed are replaced by others under a new name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._count = 0
        self.running: list[subprocess.Popen[bytes]] = []
        self.acknowledged: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.errors: list[bytes] = []
        for _ in range(WRITERS):
            self.start_one()

    def start_one(self) -> None:
        self._count += 1
        process = start("write", self._root, f"w{self._count}")
        thread = threading.Thread(target=self._listen, args=(process,))
        thread.start()
        self._threads.append(thread)
        self.running.append(process)

    def kill(self, index: int) -> None:
        process = self.running.pop(index)
        process.kill()
        process.wait(10)

    def end(self) -> None:
        while self.running:
            self.kill(0)
        for thread in self._threads:
            thread.join(10)

    def total(self) -> int:
        with self._lock:
            return sum(len(numbers) for kind in self.acknowledged.values() for numbers in kind.values())

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            for line in process.stdout:
                kind, writer, n = line.decode().split()
                with self._lock:
                    self.acknowledged[kind][writer].append(int(n))
            self.errors.append(process.stderr.read())


def stress(root: Path, seed: int, seconds: float) -> tuple[Writers, list[dict[str, Any]]]:
    rng = random.Random(seed)
    writers = Writers(root)
    readers = [start("read", root, "stop") for _ in range(READERS)]
    try:
        deadline = time.monotonic() + 60
        while writers.total() < 200:
            assert time.monotonic() < deadline, writers.errors
            time.sleep(0.02)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.0, 0.7))
            writers.kill(rng.randrange(len(writers.running)))
            writers.start_one()
    finally:
        writers.end()
        (root / "stop").write_bytes(b"")
        said = [reader.communicate(timeout=60) for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * READERS, said
    return writers, [orjson.loads(out) for out, _ in said]


def check(root: Path, writers: Writers, readers: list[dict[str, Any]]) -> None:
    assert [error for error in writers.errors if error] == []
    storage = FileStorage(root)
    acknowledged = {
        kind: {(writer, n) for writer, numbers in by_writer.items() for n in numbers}
        for kind, by_writer in writers.acknowledged.items()
    }
    assert set(acknowledged) == {"jsonl", "segment", "csv", "count", "idea"}

    logged = [(record["writer"], record["n"]) for record in storage.read_jsonl("log.jsonl")]
    assert len(logged) == len(set(logged))
    assert acknowledged["jsonl"] - set(logged) == set()

    tail = SegmentTail(storage, "runs")
    followed = [(record["writer"], record["n"]) for record in tail.poll()]
    assert len(followed) == len(set(followed))
    assert acknowledged["segment"] - set(followed) == set()
    assert tail.problems == []
    last = {writer: max(n for who, n in followed if who == writer) for writer, _ in followed}
    for reader in readers:
        assert reader["followed"] == last
        assert reader["rounds"] > 1

    storage.append_csv("trades.csv", COLUMNS, [])  # mends the end of a killed writer
    with storage.path("trades.csv").open(newline="") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows.count(COLUMNS) == 1
    assert {len(row) for row in rows} == {len(COLUMNS)}
    written = [(row[1], int(row[2])) for row in rows[1:]]
    assert len(written) == len(set(written))
    assert acknowledged["csv"] - set(written) == set()

    counts = storage.read_json("counts.json")
    for writer, numbers in writers.acknowledged["count"].items():
        assert counts[writer] >= max(numbers)
    for writer, n in acknowledged["idea"]:
        assert storage.read_json(f"ideas/{writer}_{n}.json")["n"] == n
    for name in storage.names("**/*.json"):
        storage.read_json(name)
    assert storage.names("**/*corrupt*") == []


def test_eight_writers_and_four_readers_while_writers_are_killed(tmp_path: Path) -> None:
    check(tmp_path, *stress(tmp_path, seed=11, seconds=3))


@pytest.mark.full
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_writers_and_four_readers_for_ten_seconds(tmp_path: Path, seed: int) -> None:
    check(tmp_path, *stress(tmp_path, seed=seed, seconds=10))


def test_a_killed_holder_frees_its_lock(tmp_path: Path) -> None:
    holder = start("hold", tmp_path)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        storage = FileStorage(tmp_path)
        with pytest.raises(Exception, match="held by another process"), storage.lock("x.json", 0.05):
            pass
    finally:
        holder.kill()
        holder.communicate(timeout=10)
    with storage.lock("x.json", 5.0):
        storage.write_json("x.json", 1)


@pytest.mark.skipif(os.name == "nt", reason="POSIX file size limits stand for the full disk")
def test_on_a_full_disk_writes_are_refused_and_what_was_there_stands(tmp_path: Path) -> None:
    out, err = start("fill", tmp_path).communicate(timeout=30)
    assert err == b""
    refused = orjson.loads(out)["refused"]
    storage = FileStorage(tmp_path)
    assert {kind: said["code"] for kind, said in refused.items()} == dict.fromkeys(
        ["json", "jsonl", "csv", "segment"], "disk_full"
    )
    assert all("free some space" in said["message"] for said in refused.values())
    assert storage.read_json("x.json") == "old"
    counted = range(refused["jsonl"]["acknowledged"])
    assert [record["n"] for record in storage.read_jsonl("a.jsonl")] == list(counted)
    assert storage.read_bytes("a.jsonl").endswith(b"\n")
    assert storage.read_bytes("a.csv").count(b"\n") == refused["csv"]["acknowledged"] + 1
    assert len(SegmentTail(storage, "runs").poll()) == refused["segment"]["acknowledged"]
    assert list(tmp_path.glob("**/*.mt5ui-tmp")) == []
    storage.append_jsonl("a.jsonl", [{"n": "after"}])
    assert storage.last_jsonl("a.jsonl") == {"n": "after"}
