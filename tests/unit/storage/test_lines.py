import csv
import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.storage import lines
from backend.storage.files import FileStorage

RECORDS: list[dict[str, Any]] = [{"n": 1}, {"n": 2, "text": "a\nb"}, {"n": 3}]


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False)


def test_records_come_back_in_order(storage: FileStorage) -> None:
    assert storage.append_jsonl("log/a.jsonl", RECORDS[:1]) == 1
    assert storage.append_jsonl("log/a.jsonl", RECORDS[1:], sync=True) == 2
    assert storage.append_jsonl("log/a.jsonl", []) == 0
    assert list(storage.read_jsonl("log/a.jsonl")) == RECORDS
    assert storage.last_jsonl("log/a.jsonl") == {"n": 3}


def test_absent_and_empty_logs(storage: FileStorage) -> None:
    assert storage.last_jsonl("a.jsonl") is None
    with pytest.raises(NotFound):
        list(storage.read_jsonl("a.jsonl"))
    (storage.root / "a.jsonl").write_bytes(b"")
    assert list(storage.read_jsonl("a.jsonl")) == []
    assert storage.last_jsonl("a.jsonl") is None


@pytest.mark.parametrize("torn", [b'{"n"', b'{"n": 9', b"\x00\x00\x00", b'{"n": 9}x', b'"text"'])
def test_the_line_that_a_writer_was_killed_in_is_never_merged_into_the_next(
    storage: FileStorage, torn: bytes
) -> None:
    (storage.root / "a.jsonl").write_bytes(b'{"n":1}\n' + torn)
    assert list(storage.read_jsonl("a.jsonl")) == [{"n": 1}]
    assert storage.last_jsonl("a.jsonl") == {"n": 1}
    storage.append_jsonl("a.jsonl", [{"n": 2}])
    assert storage.read_bytes("a.jsonl") == b'{"n":1}\n{"n":2}\n'


def test_a_whole_record_without_its_newline_is_kept(storage: FileStorage) -> None:
    (storage.root / "a.jsonl").write_bytes(b'{"n":1}\n{"n":2}')
    assert list(storage.read_jsonl("a.jsonl")) == [{"n": 1}, {"n": 2}]
    assert storage.last_jsonl("a.jsonl") == {"n": 2}
    storage.append_jsonl("a.jsonl", [{"n": 3}])
    assert storage.read_bytes("a.jsonl") == b'{"n":1}\n{"n":2}\n{"n":3}\n'


def test_a_corrupt_line_is_named_and_left(storage: FileStorage) -> None:
    content = b'{"n":1}\nnonsense\n[1]\n\n{"n":2}\n'
    (storage.root / "a.jsonl").write_bytes(content)
    with pytest.raises(Invalid) as reported:
        list(storage.read_jsonl("a.jsonl"))
    assert (reported.value.code, reported.value.details["line"]) == ("corrupt_line", 2)
    problems: list[DeskError] = []
    assert list(storage.read_jsonl("a.jsonl", problems=problems)) == [{"n": 1}, {"n": 2}]
    assert [problem.details["line"] for problem in problems] == [2, 3]
    assert storage.read_bytes("a.jsonl") == content


def test_a_reader_sees_the_file_as_it_was_when_it_began(storage: FileStorage) -> None:
    storage.append_jsonl("a.jsonl", [{"n": 1}, {"n": 2}])
    reading = storage.read_jsonl("a.jsonl")
    assert next(reading) == {"n": 1}
    storage.append_jsonl("a.jsonl", [{"n": 3}])
    assert list(reading) == [{"n": 2}]


def test_the_last_record_is_found_behind_long_lines(storage: FileStorage) -> None:
    long = {"text": "x" * 200_000}
    storage.append_jsonl("a.jsonl", [long])
    assert storage.last_jsonl("a.jsonl") == long
    storage.append_jsonl("a.jsonl", [{"n": 1}, long])
    assert storage.last_jsonl("a.jsonl") == long
    with (storage.root / "a.jsonl").open("ab") as file:
        file.write(b'{"torn": "' + b"y" * 200_000)
    assert storage.last_jsonl("a.jsonl") == long
    storage.append_jsonl("a.jsonl", [{"n": 2}])
    assert storage.last_jsonl("a.jsonl") == {"n": 2}


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    batches=st.lists(st.lists(st.dictionaries(st.text(), _JSON, max_size=3), max_size=3), max_size=4),
    cut=st.integers(0, 40),
)
def test_any_records_survive_any_torn_end(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]], cut: int
) -> None:
    storage = FileStorage(tmp_path_factory.mktemp("log"), fsync=False)
    expected: list[dict[str, Any]] = []
    torn = b'{"killed": "in the middle of a long record"}'[:cut]
    for batch in batches:
        storage.append_jsonl("a.jsonl", batch)
        expected += batch
        with (storage.root / "a.jsonl").open("ab") as file:
            file.write(torn)
    if batches:
        assert list(storage.read_jsonl("a.jsonl")) == expected


class FullDisk:
    """A file whose disk takes so many bytes and then no more."""

    def __init__(self, path: Path, room: int) -> None:
        self._file = path.open("a+b", buffering=0)
        self.room = room

    def write(self, data: Any) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = self._file.write(bytes(data)[: self.room]) or 0
        self.room -= count
        return count

    def truncate(self, size: int) -> int:
        return self._file.truncate(size)

    def seek(self, position: int) -> int:
        return self._file.seek(position)

    def close(self) -> None:
        self._file.close()


@pytest.mark.parametrize(("room", "left"), [(0, b""), (3, b""), (8, b'{"n":1}\n'), (12, b'{"n":1}\n')])
def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path, room: int, left: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"old":1}\n')
    file: Any = FullDisk(path, room)
    with pytest.raises(Unavailable) as refused:
        lines.write_whole_lines(file, path, b'{"n":1}\n{"n":2}\n', start=10)
    file.close()
    assert refused.value.code == "disk_full"
    assert "free some space" in refused.value.message
    assert refused.value.details["kept"] == len(left)
    assert path.read_bytes() == b'{"old":1}\n' + left


def test_csv_has_one_header_and_one_line_a_row(storage: FileStorage) -> None:
    columns = ["time", "symbol", "comment"]
    storage.append_csv(
        "logs/t.csv", columns, [{"symbol": "EURUSD", "time": "2026-01-05T09:00:00Z", "comment": None}]
    )
    storage.append_csv("logs/t.csv", columns, [["2026-01-05T10:00:00Z", "XAUUSD", 'two\r\nlines, "quoted"']])
    text = storage.read_bytes("logs/t.csv").decode()
    assert text.count("\n") == 3
    assert list(csv.reader(io.StringIO(text))) == [
        columns,
        ["2026-01-05T09:00:00Z", "EURUSD", ""],
        ["2026-01-05T10:00:00Z", "XAUUSD", 'two lines, "quoted"'],
    ]


def test_a_torn_row_is_cut_off_and_a_torn_header_written_again(storage: FileStorage) -> None:
    (storage.root / "t.csv").write_bytes(b"a,b\n1,2\n3")
    storage.append_csv("t.csv", ["a", "b"], [[5, 6]])
    assert storage.read_bytes("t.csv") == b"a,b\n1,2\n5,6\n"
    (storage.root / "t.csv").write_bytes(b"a,")
    storage.append_csv("t.csv", ["a", "b"], [[5, 6]])
    assert storage.read_bytes("t.csv") == b"a,b\n5,6\n"


@pytest.mark.parametrize("row", [[1], [1, 2, 3], {"a": 1}, {"a": 1, "c": 2}, [1, float("nan")]])
def test_a_row_of_another_shape_is_refused(storage: FileStorage, row: Any) -> None:
    with pytest.raises(Invalid) as refused:
        storage.append_csv("t.csv", ["a", "b"], [[1, 2], row])
    assert refused.value.code == "not_csv"
    assert not storage.exists("t.csv")


def test_another_header_is_a_conflict_and_nothing_is_written(storage: FileStorage) -> None:
    storage.append_csv("t.csv", ["a", "b"], [[1, 2]])
    with pytest.raises(Conflict):
        storage.append_csv("t.csv", ["a", "c"], [[3, 4]])
    assert storage.read_bytes("t.csv") == b"a,b\n1,2\n"
