import csv
import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.clock import FixedClock
from backend.core.errors import Unavailable
from backend.maintenance.csv_files import LARGEST, optimise
from backend.maintenance.csv_tables import split_records, tidy
from backend.storage.files import FileStorage

NOW = datetime(2026, 3, 31, 2, 0, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False, clock=FixedClock(NOW))


def put(storage: FileStorage, name: str, content: bytes, *, seconds: float = 3600) -> None:
    storage.write_bytes(name, content)
    at = NOW.timestamp() - seconds
    os.utime(storage.path(name), (at, at))


def run(storage: FileStorage) -> dict[str, Any]:
    return optimise(storage, FixedClock(NOW), dry_run=False, check=lambda: None)


def test_rows_are_sorted_by_time_each_once_and_compact(storage: FileStorage) -> None:
    put(
        storage,
        "logs/trades_20260105.csv",
        b'\xef\xbb\xbf"time","ticket","note"\r\n'
        b"2026-01-05T10:00:00Z,2,b\r\n"
        b"\r\n"
        b'2026-01-05T09:00:00Z,1,"a, ""x"""\r\n'
        b"2026-01-05T10:00:00Z,2,b\r\n"
        b"2026-01-05T11:30:00+02:00,3,c\r\n"
        b",4,open",
    )
    report = run(storage)
    assert storage.read_bytes("logs/trades_20260105.csv") == (
        b'time,ticket,note\n2026-01-05T09:00:00Z,1,"a, ""x"""\n2026-01-05T11:30:00+02:00,3,c\n'
        b"2026-01-05T10:00:00Z,2,b\n,4,open\n"
    )
    assert (report["checked"], report["rewritten"], report["rows_removed"]) == (1, 1, 1)
    assert report["files"] == ["logs/trades_20260105.csv"]
    again = run(storage)
    assert (again["checked"], again["rewritten"]) == (1, 0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b"10,a\n9,b\n", b"9,b\n10,a\n"),
        (b"2026.01.05 10:00,a\n2026.01.05 09:59:59,b\n", b"2026.01.05 09:59:59,b\n2026.01.05 10:00,a\n"),
        (b"5,x\n5,a\n", b"5,x\n5,a\n"),  # rows of one time keep their order
    ],
)
def test_times_as_they_are_met(rows: bytes, expected: bytes) -> None:
    assert tidy(b"Time,v\n" + rows)[0] == b"Time,v\n" + expected


def test_without_a_time_column_the_order_stays() -> None:
    assert tidy(b"name,v\nb,1\na,1\nb,1\n") == (b"name,v\nb,1\na,1\n", 1)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"time,v\n1,2\n3\n", "line 3"),
        (b"time,v\n1,2,3\n", "line 2"),
        (b'time,v\n1,"open\n', "line 2"),
        (b'time,v\n1,"a"b\n', "line 2"),
        (b"time,v\n1,2\nyesterday,2\n", "line 3"),
        (b"time,v\n1,2\n2026-01-05,2\n", "line 3"),
        (b"time,v\nnan,2\n", "line 2"),
        (b"1,2\n3,4\n", "line 1"),
        (b"time,time\n3,4\n", "line 1"),
        (b"time;v\n3;4\n", "line 1"),
        (b"time,v\n1,\xff\n", "line 2"),
        (b"time,v\n1,\0\n", "line 2"),
    ],
)
def test_a_malformed_file_is_reported_and_left_byte_for_byte(
    storage: FileStorage, content: bytes, line: str
) -> None:
    put(storage, "data/backtests/x/trades.csv", content)
    put(storage, "logs/good.csv", b"time,v\n2,b\n1,a\n")
    report = run(storage)
    assert storage.read_bytes("data/backtests/x/trades.csv") == content
    assert [(entry["file"], entry["pointer"]) for entry in report["malformed"]] == [
        ("data/backtests/x/trades.csv", line)
    ]
    assert report["malformed"][0]["reason"]
    assert report["files"] == ["logs/good.csv"]  # the rest goes on


def test_young_and_held_files_and_the_configuration_are_left(storage: FileStorage) -> None:
    untidy = b"time,v\n2,b\n1,a\n"
    put(storage, "logs/young.csv", untidy, seconds=59)
    put(storage, "logs/held.csv", untidy)
    put(storage, "config/symbol_map.csv", untidy)
    (storage.root / "logs" / ".locks").mkdir(exist_ok=True)
    with filelock.FileLock(storage.root / "logs" / ".locks" / "held.csv.lock"):
        report = run(storage)
    assert {entry["file"]: entry["reason"] for entry in report["skipped"]} == {
        "logs/young.csv": "it was written within the last minute",
        "logs/held.csv": "it is being written",
    }
    for name in ("logs/young.csv", "logs/held.csv", "config/symbol_map.csv"):
        assert storage.read_bytes(name) == untidy


def test_a_file_keeps_its_age_and_its_mode(storage: FileStorage) -> None:
    put(storage, "logs/a.csv", b"time,v\n2,b\n1,a\n", seconds=86_400)
    storage.path("logs/a.csv").chmod(0o640)
    before = storage.path("logs/a.csv").stat()
    assert run(storage)["rewritten"] == 1
    after = storage.path("logs/a.csv").stat()
    assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode)


def test_a_huge_file_is_left_and_said(storage: FileStorage) -> None:
    put(storage, "data/huge.csv", b"time,v\n2,b\n1,a\n")
    os.truncate(storage.path("data/huge.csv"), LARGEST + 1)
    os.utime(storage.path("data/huge.csv"), (0, 0))
    assert [entry["reason"] for entry in run(storage)["skipped"]] == ["it is larger than 16 MiB"]


def test_one_file_that_cannot_be_written_is_a_failure_and_the_rest_goes_on(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        put(storage, f"logs/{name}.csv", b"time,v\n2,b\n1,a\n")
    real = storage.write_bytes

    def full(name: str, data: bytes) -> None:
        if name == "logs/b.csv":
            raise Unavailable("disk_full", "no space is left")
        real(name, data)

    monkeypatch.setattr(storage, "write_bytes", full)
    with pytest.raises(Unavailable, match=r"logs/b\.csv: no space is left") as failure:
        run(storage)
    assert failure.value.details["done"]["files"] == ["logs/a.csv", "logs/c.csv"]


def test_the_work_ends_between_files_when_it_has_to(storage: FileStorage) -> None:
    for name in "abc":
        put(storage, f"logs/{name}.csv", b"time,v\n2,b\n1,a\n")
    looks = iter([None, None])

    def cancelled() -> None:
        if next(looks, 1):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        optimise(storage, FixedClock(NOW), dry_run=False, check=cancelled)
    assert storage.read_bytes("logs/b.csv") == b"time,v\n1,a\n2,b\n"
    assert storage.read_bytes("logs/c.csv") == b"time,v\n2,b\n1,a\n"


def test_an_empty_file_is_left(storage: FileStorage) -> None:
    put(storage, "logs/empty.csv", b"")
    assert run(storage)["malformed"] == []


def test_a_carriage_return_in_a_cell_is_kept() -> None:
    better, removed = tidy(b'time,text\n2,"b\rc"\n1,"\r"\n')
    assert (better, removed) == (b'time,text\n"1","\r"\n"2","b\rc"\n', 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.text(max_size=5).filter(lambda text: "\0" not in text)), max_size=20
    )
)
def test_no_row_is_lost_or_invented(rows: list[tuple[int, str]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["time", "text"])
    writer.writerows(rows)
    data = out.getvalue().encode("utf-8", "replace")
    better, removed = tidy(data)
    before = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
    after = list(csv.reader(io.StringIO(better.decode(), newline="")))[1:]
    assert sorted({tuple(row) for row in before}) == sorted(map(tuple, after))
    assert len(before) - len(after) == removed
    assert [int(row[0]) for row in after] == sorted(int(row[0]) for row in after)
    assert tidy(better) == (better, 0)


def test_a_quoted_line_break_stays_in_its_row() -> None:
    assert split_records(b'a,b\r\n1,"x\ny"\n2,""\n') == [b"a,b", b'1,"x\ny"', b'2,""']
