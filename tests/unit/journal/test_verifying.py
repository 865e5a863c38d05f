"""Whatever is changed in the journal's files, the first record that it touches is named."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.clock import FixedClock
from backend.core.errors import Invalid, Unavailable
from backend.journal.ends import FINISHED, LAST
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind, Record
from backend.journal.verifying import Verification
from backend.storage.files import FileStorage

FIRST_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAYS = 3
EACH = 4
NAMES = [f"decisions_2026010{5 + number}.jsonl" for number in range(DAYS)]


def written(folder: Path) -> list[Record]:
    """Four records on each of three days, decisions with prices and other kinds between them."""
    made = []
    for number in range(DAYS):
        clock = FixedClock(FIRST_DAY + timedelta(days=number))
        entries = [
            Entry(
                kind=Kind.DECISION if place % 2 else Kind.HALT,
                payload={"price": 1.1 + number / 3, "why": "naïve \n \\ 1e5", "n": place},
                key=f"{number}-{place}",
            )
            for place in range(EACH)
        ]
        made += Journal(FileStorage(folder, fsync=False), clock).append_many(entries, actor="desk")
    return made


def verified(folder: Path, *expected: str) -> Verification:
    clock = FixedClock(FIRST_DAY)
    return Journal(FileStorage(folder, fsync=False), clock).verify(expected=expected)


def found(folder: Path) -> tuple[str, int, int]:
    """File, line and number of the fault."""
    fault = verified(folder).broken_at
    assert fault is not None
    return Path(fault.file).name, fault.line, fault.seq


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ledger")
    written(folder)
    return folder


@pytest.fixture
def files(ledger: Path) -> Iterator[Path]:
    """The ledger; whatever a test does to its files is undone."""
    paths = [path for path in (ledger / "decisions").iterdir() if path.is_file()]
    kept = {path: path.read_bytes() for path in paths}
    yield ledger
    for path, data in kept.items():
        path.write_bytes(data)


def test_a_whole_journal_is_whole(files: Path) -> None:
    seen = verified(files)
    assert (seen.ok, seen.records, seen.notes) == (True, DAYS * EACH, ())
    assert [(end.day, end.seq) for end in seen.days] == [("20260105", 4), ("20260106", 8), ("20260107", 12)]


def change_byte(folder: Path, name: str, place: int, value: int) -> None:
    path = folder / "decisions" / name
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(data)


def line_of(data: bytes, place: int) -> int:
    return data[:place].count(b"\n") + 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_altered_byte_anywhere_is_named(ledger: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    path = ledger / "decisions" / name
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    try:
        change_byte(ledger, name, place, value)
        line = line_of(content, place)
        assert found(ledger) == (name, line, NAMES.index(name) * EACH + line)
    finally:
        path.write_bytes(content)


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_every_single_byte(files: Path, name: str) -> None:
    content = (files / "decisions" / name).read_bytes()
    for place, byte in enumerate(content):
        for value in {byte ^ 1, byte ^ 0x20, ord("\n"), ord(" "), ord("0")} - {byte}:
            change_byte(files, name, place, value)
            line = line_of(content, place)
            assert found(files) == (name, line, NAMES.index(name) * EACH + line), (place, value)
        change_byte(files, name, place, byte)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line", range(1, EACH + 1))
def test_a_removed_record_is_named(files: Path, name: str, line: int) -> None:
    path = files / "decisions" / name
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(rows[: line - 1] + rows[line:]))
    number = NAMES.index(name) * EACH + line
    last_of_a_day_before = line == EACH and name != NAMES[-1]
    following = NAMES[min(NAMES.index(name) + 1, DAYS - 1)]
    assert found(files) == ((following, 1, number) if last_of_a_day_before else (name, line, number))


def test_swapped_records_are_named(files: Path) -> None:
    path = files / "decisions" / NAMES[1]
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([rows[0], rows[2], rows[1], rows[3]]))
    assert found(files) == (NAMES[1], 2, EACH + 2)


@pytest.mark.parametrize("number", range(DAYS))
def test_a_removed_day_is_named(files: Path, number: int) -> None:
    path = files / "decisions" / NAMES[number]
    content = path.read_bytes()
    path.unlink()
    _, _, seq = found(files)
    assert seq == number * EACH + 1
    path.write_bytes(content)


def test_swapped_days_are_named(files: Path) -> None:
    one, other = (files / "decisions" / name for name in NAMES[:2])
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert found(files) == (NAMES[0], 1, 1)


def test_a_record_moved_into_the_file_of_the_day_after_is_named(files: Path) -> None:
    one, other = (files / "decisions" / name for name in NAMES[:2])
    rows = one.read_bytes().splitlines(keepends=True)
    one.write_bytes(b"".join(rows[:-1]))
    other.write_bytes(rows[-1] + other.read_bytes())
    assert found(files) == (NAMES[1], 1, EACH)


@pytest.mark.parametrize("cut", [1, 2, 200])
def test_a_cut_off_end_is_named(files: Path, cut: int) -> None:
    path = files / "decisions" / NAMES[-1]
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    if cut == 1:  # the record itself is whole; whoever writes next ends its line
        assert verified(files).ok
    else:
        assert found(files) == (NAMES[-1], EACH, DAYS * EACH)


def test_all_of_the_last_records_removed_is_named(files: Path) -> None:
    path = files / "decisions" / NAMES[-1]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:1]))
    fault = verified(files).broken_at
    assert fault is not None
    assert (fault.line, fault.seq) == (2, 10)
    assert "3 records are missing" in fault.why


def test_a_line_that_a_killed_writer_left_is_no_fault(files: Path) -> None:
    path = files / "decisions" / NAMES[-1]
    with path.open("ab") as file:
        file.write(b'{"seq":13,"kind":"ha')
    seen = verified(files)
    assert seen.ok
    assert "a writer was killed" in seen.notes[0]


def test_a_journal_that_was_written_anew_is_named(tmp_path: Path) -> None:
    sent = written(tmp_path / "was")
    other = tmp_path / "forged"
    journal = Journal(FileStorage(other, fsync=False), FixedClock(FIRST_DAY))
    journal.append_many([Entry(kind=Kind.HALT, payload={"n": n}) for n in range(EACH)], actor="mallory")
    assert verified(other).ok
    seen = verified(other, sent[EACH - 1].hash)
    assert not seen.ok
    assert seen.unexpected == (sent[EACH - 1].hash,)
    for kept in (FINISHED, LAST):  # with the ends of the true one beside it, no hash is needed
        (other / kept).write_bytes((tmp_path / "was" / kept).read_bytes())
    fault = verified(other).broken_at
    assert fault is not None
    assert fault.seq == EACH
    assert "written anew" in fault.why


def test_a_hash_that_was_sent_out_is_found_by_its_beginning(files: Path) -> None:
    ends = verified(files).days
    assert verified(files, ends[0].hash, ends[1].hash[:16]).ok
    assert not verified(files, "0" * 64).ok
    with pytest.raises(Invalid, match="is no hash"):
        verified(files, "abc")


def test_the_ends_of_all_days_can_be_sent_out(files: Path) -> None:
    clock = FixedClock(FIRST_DAY)
    ends = Journal(FileStorage(files), clock).day_ends()
    assert tuple(ends) == verified(files).days


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"day": 1}'])
def test_a_damaged_list_of_ends_does_not_stop_the_desk(tmp_path: Path, damage: bytes) -> None:
    written(tmp_path)
    (tmp_path / LAST).write_bytes(damage)
    (tmp_path / FINISHED).write_bytes(damage)
    later = FixedClock(FIRST_DAY + timedelta(days=5))
    Journal(FileStorage(tmp_path, fsync=False), later).append(Kind.HALT, {}, actor="local")
    seen = verified(tmp_path)
    assert (seen.ok, seen.records) == (True, DAYS * EACH + 1)


def test_a_note_that_the_disk_refuses_does_not_undo_what_was_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("disk_full", "no room")

    monkeypatch.setattr("backend.journal.journal.note_last", refuse)
    book = Journal(FileStorage(tmp_path, fsync=False), FixedClock(FIRST_DAY))
    assert book.append(Kind.HALT, {}, actor="local").seq == 1
    assert book.append(Kind.RESUME, {}, actor="local").seq == 2
    seen = verified(tmp_path)
    assert (seen.ok, seen.records) == (True, 2)
    assert "no end of the journal is on record" in seen.notes[0]
