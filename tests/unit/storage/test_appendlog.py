import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Invalid, Unavailable
from backend.storage import appendlog, lines, tail
from backend.storage.appendlog import SegmentTail, SegmentWriter
from backend.storage.files import FileStorage


class MovableClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 5, 23, 59, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def storage(tmp_path: Path, clock: MovableClock) -> FileStorage:
    return FileStorage(tmp_path, clock=clock)


@pytest.fixture
def writer(storage: FileStorage) -> Iterator[SegmentWriter]:
    with SegmentWriter(storage, "runs", name="worker/1") as opened:
        yield opened


def segments(storage: FileStorage) -> list[str]:
    return storage.names("runs/*.jsonl")


def test_what_is_appended_is_followed_once(storage: FileStorage, writer: SegmentWriter) -> None:
    follow = SegmentTail(storage, "runs")
    assert follow.poll() == []
    writer.append({"n": 1})
    writer.append({"n": 2})
    assert follow.poll() == [{"n": 1}, {"n": 2}]
    assert follow.poll() == []
    writer.append({"n": 3})
    assert follow.poll() == [{"n": 3}]
    assert SegmentTail(storage, "runs").poll() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert writer.segment.startswith("runs/worker%2F1-20260105-235900-")


def test_several_writers_and_segments_that_appear_later(storage: FileStorage) -> None:
    follow = SegmentTail(storage, "runs")
    with SegmentWriter(storage, "runs", name="a") as one, SegmentWriter(storage, "runs", name="a") as other:
        one.append({"w": 1})
        assert follow.poll() == [{"w": 1}]
        other.append({"w": 2})
        one.append({"w": 1, "n": 2})
        assert sorted(map(str, follow.poll())) == sorted(map(str, [{"w": 2}, {"w": 1, "n": 2}]))
    assert follow.poll() == []
    assert follow.problems == []


def test_a_torn_line_waits_for_its_end_or_for_ever(storage: FileStorage) -> None:
    (storage.root / "runs").mkdir()
    path = storage.root / "runs" / "w-20260105-120000-0123456789ab.jsonl"
    follow = SegmentTail(storage, "runs")
    path.write_bytes(b'{"n":1}\n{"n"')
    assert follow.poll() == [{"n": 1}]
    assert follow.poll() == []
    with path.open("ab") as file:
        file.write(b':2}\n{"n":3')
    assert follow.poll() == [{"n": 2}]
    assert follow.poll() == []
    assert follow.problems == []


def test_a_bad_line_is_reported_and_passed_over(storage: FileStorage) -> None:
    (storage.root / "runs").mkdir()
    path = storage.root / "runs" / "w-20260105-120000-0123456789ab.jsonl"
    path.write_bytes(b'{"n":1}\nbad\r\n[2]\n{"n":3}\n')
    follow = SegmentTail(storage, "runs")
    assert follow.poll() == [{"n": 1}, {"n": 3}]
    assert [problem.code for problem in follow.problems] == ["corrupt_segment"] * 2
    assert follow.problems[0].details["offset"] == 8


def test_a_new_day_and_a_full_segment_begin_the_next(storage: FileStorage, clock: MovableClock) -> None:
    follow = SegmentTail(storage, "runs")
    with SegmentWriter(storage, "runs", name="w", segment_bytes=30) as writer:
        writer.append({"n": 1})
        clock.at += timedelta(minutes=2)
        writer.append({"n": 2})
        writer.append({"text": "x" * 30})
        writer.append({"n": 4})
    assert [name.split("-")[1] for name in segments(storage)] == ["20260105", "20260106", "20260106"]
    assert follow.poll() == [{"n": 1}, {"n": 2}, {"text": "x" * 30}, {"n": 4}]
    assert follow._growing == set()  # all were ended by their writer: nothing to look at any more


def test_segments_removed_by_retention_are_forgotten(storage: FileStorage, writer: SegmentWriter) -> None:
    writer.append({"n": 1})
    follow = SegmentTail(storage, "runs")
    assert follow.poll() == [{"n": 1}]
    name = segments(storage)[0]
    if os.name == "nt":
        writer.close()
    (storage.root / name).unlink()
    assert follow.poll() == []
    assert follow._read == {}
    (storage.root / "runs" / ".locks").mkdir(exist_ok=True)
    assert follow.problems == []


def test_a_dead_writers_segment_is_left_after_two_days(storage: FileStorage, clock: MovableClock) -> None:
    (storage.root / "runs").mkdir()
    path = storage.root / "runs" / "w-20260105-120000-0123456789ab.jsonl"
    path.write_bytes(b'{"n":1}\n{"torn')
    follow = SegmentTail(storage, "runs")
    assert follow.poll() == [{"n": 1}]
    clock.at += timedelta(days=3)
    assert follow.poll() == []
    assert follow._growing == set()


def test_only_the_days_asked_for_are_read(storage: FileStorage, clock: MovableClock) -> None:
    for n in (1, 2):
        with SegmentWriter(storage, "runs", name="w") as writer:
            writer.append({"n": n})
        clock.at += timedelta(days=1)
    assert SegmentTail(storage, "runs", since="20260106").poll() == [{"n": 2}]
    assert SegmentTail(storage, "runs", since="20260105").poll() == [{"n": 1}, {"n": 2}]


def test_a_limited_poll_goes_on_where_it_stopped(
    storage: FileStorage, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_CHUNK", 16)
    for n in range(10):
        writer.append({"n": n})
    follow = SegmentTail(storage, "runs")
    got: list[Any] = []
    sizes = []
    while part := follow.poll(limit=3):
        got += part
        sizes.append(len(part))
    assert [record["n"] for record in got] == list(range(10))
    assert max(sizes) <= 4


def test_an_idle_tail_opens_and_lists_nothing(
    storage: FileStorage, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (storage.root / "runs").mkdir(exist_ok=True)
    (storage.root / "runs" / "w-20260105-120000-0123456789ab.jsonl").write_bytes(b'{"torn')
    writer.append({"n": 1})
    follow = SegmentTail(storage, "runs")
    follow.poll()
    follow._changed_at -= 10  # the folder's time stamp has settled

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("an idle poll only looks at sizes and times")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    assert follow.poll() == []


def test_threads_that_append_together_share_syncs(
    storage: FileStorage, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    real = lines.sync_file

    def slow(file: Any, path: Path) -> None:
        syncs.append(1)
        time.sleep(0.005)  # a disk
        real(file, path)

    monkeypatch.setattr(appendlog, "sync_file", slow)

    def append(k: int) -> None:
        for n in range(20):
            writer.append({"k": k, "n": n})

    threads = [threading.Thread(target=append, args=(k,)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = SegmentTail(storage, "runs").poll()
    assert len(records) == 400
    for k in range(20):  # what one thread appends stays in order
        assert [record["n"] for record in records if record["k"] == k] == list(range(20))
    assert len(syncs) < 100


class Disk:
    """Stands for the open segment: takes some bytes, then is full until there is room again."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.room: int | None = None

    def write(self, data: Any) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = int(self.file.write(bytes(data)[: self.room]))
        self.room = None if self.room is None else self.room - count
        return count

    def truncate(self, size: int) -> int:
        return int(self.file.truncate(size))

    def seek(self, position: int) -> int:
        return int(self.file.seek(position))

    def fileno(self) -> int:
        return int(self.file.fileno())

    def close(self) -> None:
        self.file.close()


def test_a_full_disk_refuses_and_the_log_goes_on_when_there_is_room(
    storage: FileStorage, writer: SegmentWriter
) -> None:
    writer.append({"n": 1})
    disk = Disk(writer._file)
    writer._file = disk  # type: ignore[assignment]
    disk.room = 4
    with pytest.raises(Unavailable) as refused:
        writer.append({"n": 2})
    assert refused.value.code == "disk_full"
    follow = SegmentTail(storage, "runs")
    assert follow.poll() == [{"n": 1}]
    disk.room = None
    writer.append({"n": 3})
    assert follow.poll() == [{"n": 3}]
    assert follow.problems == []


def test_many_records_are_written_in_order_with_one_sync(
    storage: FileStorage, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(appendlog, "sync_file", lambda _file, path: synced.append(path))
    writer.append_many([{"n": n} for n in range(50)])
    writer.append_many([])
    assert SegmentTail(storage, "runs").poll() == [{"n": n} for n in range(50)]
    assert len(synced) == 1


def test_of_many_records_the_full_disk_says_how_many_are_there(
    storage: FileStorage, writer: SegmentWriter
) -> None:
    writer.append({"n": 0})
    disk = Disk(writer._file)
    writer._file = disk  # type: ignore[assignment]
    disk.room = len(b'{"n":1}\n{"n":2}\n{"n":')
    with pytest.raises(Unavailable) as refused:
        writer.append_many([{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}])
    assert (refused.value.code, refused.value.details["written"]) == ("disk_full", 2)
    disk.room = None
    writer.append_many([{"n": 3}, {"n": 4}])
    assert SegmentTail(storage, "runs").poll() == [{"n": n} for n in range(5)]


def test_a_record_that_is_no_json_keeps_its_companions_out(
    storage: FileStorage, writer: SegmentWriter
) -> None:
    with pytest.raises(Invalid):
        writer.append_many([{"n": 1}, {"n": float("nan")}])
    assert SegmentTail(storage, "runs").poll() == []


def test_the_count_is_each_callers_own_when_a_write_was_shared(
    storage: FileStorage, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append({"n": 0})
    disk = Disk(writer._file)
    writer._file = disk  # type: ignore[assignment]
    sync, holding, go_on = lines.sync_file, threading.Event(), threading.Event()

    def slow(*given: Any) -> None:
        holding.set()
        go_on.wait(5)
        sync(*given)

    monkeypatch.setattr(appendlog, "sync_file", slow)
    told: dict[str, int] = {}

    def append(name: str) -> None:
        try:
            writer.append_many([{name: 1}, {name: 2}])
        except Unavailable as error:
            told[name] = error.details["written"]

    leader = threading.Thread(target=writer.append, args=({"n": 1},))
    leader.start()
    assert holding.wait(5)  # while it syncs, two others gather behind it
    others = []
    for name in ("a", "b"):
        others.append(threading.Thread(target=append, args=(name,)))
        others[-1].start()
        while len(writer._gathering.lines) < 2 * len(others):
            time.sleep(0.001)
    disk.room = 3 * len(b'{"a":1}\n')
    go_on.set()
    for thread in (leader, *others):
        thread.join(5)
    assert told == {"b": 1}, "of three lines that got there the first two are those of a"


def test_after_a_failed_sync_the_segment_is_not_written_any_more(
    storage: FileStorage, writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append({"n": 1})

    def fail(*_: Any) -> None:
        raise Unavailable("disk_error", "the disk is ill")

    with monkeypatch.context() as broken:
        broken.setattr(appendlog, "sync_file", fail)
        with pytest.raises(Unavailable):
            writer.append({"n": 2})
    first = segments(storage)
    writer.append({"n": 3})
    assert len(segments(storage)) == len(first) + 1


def test_a_closed_writer_refuses(storage: FileStorage) -> None:
    writer = SegmentWriter(storage, "runs", name="w")
    writer.append({"n": 1})
    writer.close()
    writer.close()
    with pytest.raises(Unavailable, match="closed"):
        writer.append({"n": 2})
    assert SegmentTail(storage, "runs").poll() == [{"n": 1}]


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_writes_its_own_segment(storage: FileStorage, writer: SegmentWriter) -> None:
    writer.append({"from": "parent"})
    if sys.platform != "win32":
        child = os.fork()
        if child == 0:
            try:
                writer.append({"from": "child"})
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    writer.append({"from": "parent"})
    assert len(segments(storage)) == 2
    assert sorted(record["from"] for record in SegmentTail(storage, "runs").poll()) == [
        "child",
        "parent",
        "parent",
    ]
