import json
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import FixedClock, SystemClock
from backend.core.errors import Invalid, NotFound
from backend.journal.journal import Journal
from backend.journal.record import GENESIS, Entry, Kind
from backend.storage.files import FileStorage

MONDAY = FixedClock(datetime(2026, 1, 5, 9, tzinfo=UTC))
TUESDAY = FixedClock(datetime(2026, 1, 6, 9, tzinfo=UTC))


def journal(folder: Path, clock: FixedClock = MONDAY) -> Journal:
    return Journal(FileStorage(folder, fsync=False), clock)


def lines(folder: Path) -> list[Path]:
    return sorted((folder / "decisions").glob("decisions_*.jsonl"))


def test_records_are_numbered_and_chained_over_the_days(tmp_path: Path) -> None:
    first = journal(tmp_path).append(Kind.HALT, {"reason": "daily loss"}, actor="local")
    second = journal(tmp_path, TUESDAY).append(Kind.RESUME, {"reason": "seen"}, actor="anna")
    assert (first.seq, first.prev) == (1, GENESIS)
    assert (second.seq, second.prev) == (2, first.hash)
    assert [path.name for path in lines(tmp_path)] == [
        "decisions_20260105.jsonl",
        "decisions_20260106.jsonl",
    ]
    found = journal(tmp_path).verify()
    assert (found.records, found.last_hash, found.broken_at) == (2, second.hash, None)


def test_a_key_is_recorded_once(tmp_path: Path) -> None:
    entry = Entry(kind=Kind.DECISION, payload={"action": "observe"}, key="D1")
    [before] = journal(tmp_path).append_many([entry], actor="desk")
    again = journal(tmp_path, TUESDAY)
    changed = Entry(kind=Kind.DECISION, payload={"action": "blocked"}, key="D1")
    assert again.append_many([changed, entry], actor="desk") == [before, before]
    assert again.find(Kind.DECISION, "D1").payload == {"action": "observe"}
    assert again.verify().records == 1


def test_the_same_key_twice_in_one_batch_is_one_record(tmp_path: Path) -> None:
    entry = Entry(kind=Kind.DECISION, payload={}, key="D1")
    first, second = journal(tmp_path).append_many([entry, entry], actor="desk")
    assert first == second
    assert journal(tmp_path).verify().records == 1


def test_an_unknown_key_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="has no decision 'D9'"):
        journal(tmp_path).find(Kind.DECISION, "D9")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line | {"payload": {"n": 99}}, "its content does not match its hash"),
        (lambda line: line | {"actor": "mallory"}, "its content does not match its hash"),
        (lambda line: line | {"seq": 7}, "it has number 7, and 2 was expected"),
        (lambda line: line | {"prev": GENESIS}, "it does not follow from the record before it"),
        (lambda _: {"hello": 1}, "it is not a journal record"),
    ],
)
def test_verify_names_the_first_record_that_was_altered(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], why: str
) -> None:
    journal(tmp_path).append_many(
        [Entry(kind=Kind.HALT, payload={"n": number}) for number in range(3)], actor="local"
    )
    [path] = lines(tmp_path)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[1] = change(rows[1])
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows), encoding="utf-8")
    broken = journal(tmp_path).verify()
    assert broken.records == 1
    assert broken.broken_at is not None
    file = "decisions/decisions_20260105.jsonl"
    assert broken.broken_at.as_dict() == {"file": file, "line": 2, "seq": 2, "why": why}


def test_verify_names_a_removed_record(tmp_path: Path) -> None:
    journal(tmp_path).append_many([Entry(kind=Kind.HALT, payload={"n": n}) for n in range(3)], actor="local")
    [path] = lines(tmp_path)
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(kept[0] + kept[2], encoding="utf-8")
    broken = journal(tmp_path).verify().broken_at
    assert broken is not None
    assert broken.seq == 2


def test_a_torn_last_line_is_not_a_record_and_the_chain_goes_on(tmp_path: Path) -> None:
    journal(tmp_path).append(Kind.HALT, {}, actor="local")
    [path] = lines(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "kind": "halt", "pay')
    second = journal(tmp_path).append(Kind.RESUME, {}, actor="local")
    assert second.seq == 2
    assert journal(tmp_path).verify().records == 2


def test_a_record_that_lost_only_its_newline_stays_in_the_chain(tmp_path: Path) -> None:
    first = journal(tmp_path).append_many([Entry(kind=Kind.HALT, payload={}, key="a")], actor="local")[0]
    second = journal(tmp_path).append(Kind.HALT, {}, actor="local", key="b")
    [path] = lines(tmp_path)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    again = journal(tmp_path)
    third = again.append(Kind.RESUME, {}, actor="local", key="c")
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert again.append(Kind.RESUME, {}, actor="local", key="c") == third
    assert journal(tmp_path).verify().records == 3


def test_newest_first_by_kind_and_before(tmp_path: Path) -> None:
    book = journal(tmp_path)
    for number in range(4):
        book.append(Kind.HALT if number % 2 else Kind.DECISION, {"n": number}, actor="local")
    assert [record.payload["n"] for record in book.newest()] == [3, 2, 1, 0]
    assert [record.payload["n"] for record in book.newest(kind=Kind.HALT)] == [3, 1]
    assert [record.payload["n"] for record in book.newest(before=3)] == [1, 0]


def test_a_nan_is_refused_and_the_chain_is_unharmed(tmp_path: Path) -> None:
    book = journal(tmp_path)
    with pytest.raises(Invalid):
        book.append(Kind.DECISION, {"score": float("nan")}, actor="desk")
    assert book.append(Kind.DECISION, {"score": 1.0}, actor="desk").seq == 1


def write_some(folder: str, writer: int) -> None:
    book = Journal(FileStorage(Path(folder), fsync=False), SystemClock())
    for number in range(25):
        entries = [
            Entry(kind=Kind.DECISION, payload={"writer": writer}, key=f"shared-{number}"),
            Entry(kind=Kind.HALT, payload={"writer": writer, "n": number}),
        ]
        book.append_many(entries, actor=f"writer {writer}")


def test_several_processes_make_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_some, args=(str(tmp_path), number)) for number in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(30)
    assert [process.exitcode for process in writers] == [0, 0, 0]
    found = Journal(FileStorage(tmp_path), SystemClock()).verify()
    # 25 shared decisions once each, and 25 halts of each of three writers
    assert (found.records, found.broken_at) == (100, None)
