"""Decisions are found by what they are, also after a start from side files, whatever became of those."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.core.clock import FixedClock, iso
from backend.journal import index as indexes
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind, Record
from backend.journal.side_files import INDEX
from backend.storage.files import FileStorage

BEGIN = datetime(2026, 1, 30, 22, tzinfo=UTC)  # a Friday, two days before another month
HOURS = 60
CHECKS = ("news_embargo", "confidence", "session", "daily_loss")


def payload(number: int, rng: random.Random) -> dict[str, Any]:
    """Made of everything that can be asked for, in all combinations."""
    score = rng.choice([None, 41.6, 59.9, 60.0, 74.95, 80.0])
    return {
        "id": f"d-{number}",
        "symbol": rng.choice(["EURUSD", "XAUUSD"]),
        "strategy_id": rng.choice(["A", "B", "C"]),
        "timeframe": rng.choice(["M15", "H1"]),
        "action": rng.choice(["observe", "blocked", "open_or_scale"]),
        "signal": rng.choice([None, "long", "short", "conflict"]),
        "confidence": None if score is None else {"score": score},
        "refusals": [{"check": check} for check in rng.sample(CHECKS, rng.randrange(3))],
        "missed": rng.random() < 0.2,
        "idea_id": rng.choice([None, f"i-{number}"]),
        "levels": {},
        "size": {},
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Four decisions an hour over three days of two months, other records between them."""
    folder = tmp_path_factory.mktemp("journal")
    rng = random.Random(7)
    numbers = itertools.count()
    made: list[Record] = []
    for hour in range(HOURS):
        book = Journal(FileStorage(folder, fsync=False), FixedClock(BEGIN + timedelta(hours=hour)))
        entries = [
            Entry(kind=Kind.DECISION, payload=payload(number, rng), key=f"d-{number}")
            for number in itertools.islice(numbers, 4)
        ]
        made += book.append_many([*entries, Entry(kind=Kind.IDEA_STEP, payload={}, key="d-1")], actor="desk")
    return folder, [record for record in made if record.kind == Kind.DECISION]


def journal(folder: Path) -> Journal:
    return Journal(FileStorage(folder, fsync=False), FixedClock(BEGIN))


def plain(record: Record, wanted: Wanted) -> bool:
    """The rule, said of one record at a time."""
    p = record.payload
    score = None if p["confidence"] is None else p["confidence"]["score"]
    at = datetime.fromisoformat(record.at)
    low, high = wanted.min_confidence, wanted.max_confidence
    return (
        wanted.symbol in {None, p["symbol"]}
        and wanted.strategy in {None, p["strategy_id"]}
        and wanted.timeframe in {None, p["timeframe"]}
        and wanted.action in {None, p["action"]}
        and (wanted.signal is None or wanted.signal == (p["signal"] or "none"))
        and (wanted.refused_by is None or wanted.refused_by in [each["check"] for each in p["refusals"]])
        and (low is None or (score is not None and round(score * 10) >= low * 10))
        and (high is None or (score is not None and round(score * 10) <= high * 10))
        and (wanted.since is None or at >= wanted.since)
        and (wanted.until is None or at < wanted.until)
        and wanted.missed in {None, p["missed"]}
        and wanted.idea in {None, p["idea_id"] is not None}
    )


WANTED = [
    Wanted(),
    Wanted(symbol="EURUSD"),
    Wanted(symbol="NOSUCH"),
    Wanted(strategy="B", timeframe="H1"),
    Wanted(action="blocked", signal="short"),
    Wanted(signal="none"),
    Wanted(signal="conflict"),
    Wanted(refused_by="news_embargo"),
    Wanted(refused_by="no_such_check"),
    Wanted(min_confidence=60),
    Wanted(max_confidence=59.9),
    Wanted(min_confidence=41.6, max_confidence=41.6),
    Wanted(since=BEGIN + timedelta(hours=10)),
    Wanted(until=BEGIN + timedelta(hours=50), since=BEGIN + timedelta(hours=49)),
    Wanted(missed=True, idea=False),
    Wanted(symbol="XAUUSD", strategy="C", action="observe", signal="long", refused_by="session"),
]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_is_wanted_is_found_in_pages_and_counted(
    written: tuple[Path, list[Record]], wanted: Wanted
) -> None:
    folder, made = written
    right = [record for record in reversed(made) if plain(record, wanted)]
    book = journal(folder)
    found: list[Record] = []
    before = None
    while page := book.decisions(wanted, before=before, limit=7):
        found += page
        before = page[-1].seq
    assert [record.seq for record in found] == [record.seq for record in right]
    counts = book.count(wanted)
    assert counts["total"] == len(right)
    assert sum(counts["by_action"].values()) == sum(counts["by_hour"]) == len(right)
    assert counts["first"] == (right[-1].at if right else None)
    for check in CHECKS:
        mine = [r for r in right if check in [each["check"] for each in r.payload["refusals"]]]
        alone = [record for record in mine if len(record.payload["refusals"]) == 1]
        told = counts["by_check"].get(check, {"decisions": 0, "alone": 0})
        assert told == {"decisions": len(mine), "alone": len(alone)}
    hours = [int(record.at[11:13]) for record in right]
    assert counts["by_hour"] == [hours.count(hour) for hour in range(24)]


@pytest.fixture
def small_saves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Side files are written at once, and read in small pieces."""
    monkeypatch.setattr(indexes, "_SAVE_AT", 1)
    monkeypatch.setattr(indexes, "_CHUNK", 1000)


@pytest.mark.usefixtures("small_saves")
def test_a_start_from_side_files_finds_the_same(written: tuple[Path, list[Record]]) -> None:
    folder, made = written
    journal(folder).count(Wanted())
    assert sorted(path.name for path in (folder / INDEX).glob("*.npz")) == ["202601.npz", "202602.npz"]
    again = journal(folder)
    right = [record for record in reversed(made) if plain(record, WANTED[4])]
    assert again.decisions(WANTED[4], limit=1000) == right
    assert again.find(Kind.DECISION, "d-1") == made[1]
    assert again.find(Kind.IDEA_STEP, "d-1").kind == Kind.IDEA_STEP
    assert [record.seq for record in again.newest()] == list(range(HOURS * 4 + 1, 0, -1))
    assert [record.seq for record in again.newest(kind=Kind.DECISION, before=9)] == [8, 7, 6, 4, 3, 2, 1]


@pytest.mark.usefixtures("small_saves")
def test_an_index_is_only_as_good_as_the_journal_it_was_made_from(tmp_path: Path) -> None:
    first = journal(tmp_path).append(Kind.DECISION, {"n": 1}, actor="desk", key="a")
    journal(tmp_path).count(Wanted())
    [side] = (tmp_path / INDEX).glob("*.npz")
    [ledger] = (tmp_path / "decisions").glob("decisions_*.jsonl")
    kept = side.read_bytes()
    ledger.unlink()  # another journal takes its place
    (tmp_path / "decisions" / "last.json").unlink()
    other = journal(tmp_path).append(Kind.DECISION, {"name": "longer than the other"}, actor="desk", key="b")
    side.write_bytes(kept)
    book = journal(tmp_path)
    assert book.find(Kind.DECISION, "b") == other
    assert book.count(Wanted())["total"] == 1
    assert first.hash != other.hash


@pytest.mark.usefixtures("small_saves")
@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other shape", "other columns"])
def test_a_damaged_side_file_is_made_again(tmp_path: Path, damage: str) -> None:
    book = journal(tmp_path)
    for number in range(20):
        book.append(Kind.DECISION, {"n": number}, actor="desk", key=f"k{number}")
    journal(tmp_path).count(Wanted())
    [side] = (tmp_path / INDEX).glob("*.npz")
    data = side.read_bytes()
    if damage == "cut":
        side.write_bytes(data[: len(data) // 2])
    elif damage == "noise":
        side.write_bytes(data[:300] + bytes([data[300] ^ 255]) + data[301:])
    elif damage == "empty":
        side.write_bytes(b"")
    elif damage == "other shape":
        header = np.frombuffer(b'{"shape": 0}', np.uint8)
        np.savez(side, header=header)
    else:
        with np.load(side) as arrays:
            given = {name: arrays[name] for name in arrays.files}
        np.savez(side, **given | {"places0": given["places0"]["seq"]})
    again = journal(tmp_path)
    assert again.count(Wanted())["total"] == 20
    assert again.append(Kind.DECISION, {"n": "other"}, actor="desk", key="k7").payload == {"n": 7}
    assert again.append(Kind.HALT, {}, actor="desk").seq == 21


@pytest.mark.usefixtures("small_saves")
def test_what_others_append_is_seen(tmp_path: Path) -> None:
    one, other = journal(tmp_path), journal(tmp_path)
    one.append(Kind.DECISION, {"symbol": "EURUSD"}, actor="desk", key="a")
    assert other.count(Wanted(symbol="EURUSD"))["total"] == 1
    one.append(Kind.DECISION, {"symbol": "EURUSD"}, actor="desk", key="b")
    assert other.count(Wanted(symbol="EURUSD"))["total"] == 2
    assert other.append(Kind.DECISION, {}, actor="other", key="b").actor == "desk"


def test_a_decision_of_an_unknown_shape_keeps_its_place_in_the_chain(tmp_path: Path) -> None:
    book = journal(tmp_path)
    odds: list[dict[str, Any]] = [{"refusals": "many"}, {"refusals": [1]}, {"confidence": {"score": "x"}}]
    for number, odd in enumerate(odds):
        book.append(Kind.DECISION, odd, actor="desk", key=f"k{number}")
    again = journal(tmp_path)
    assert again.append(Kind.HALT, {}, actor="desk").seq == 4
    assert again.count(Wanted())["total"] == 3
    assert again.find(Kind.DECISION, "k1").payload == {"refusals": [1]}


def test_many_keys_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.journal.keys._MERGE_AT", 10)
    book = journal(tmp_path)
    entries = [Entry(kind=Kind.DECISION, payload={"n": n}, key=f"k{n}") for n in range(95)]
    book.append_many(entries, actor="desk")
    again = journal(tmp_path)
    assert all(again.find(Kind.DECISION, f"k{n}").payload == {"n": n} for n in range(95))
    assert again.find_many(Kind.DECISION, ["k3", "no"]).keys() == {"k3"}
    assert [record.seq for record in again.append_many(entries, actor="x")] == list(range(1, 96))


def test_times_are_compared_to_the_microsecond(tmp_path: Path) -> None:
    at = datetime(2026, 1, 5, 9, 0, 0, 250_000, tzinfo=UTC)
    Journal(FileStorage(tmp_path, fsync=False), FixedClock(at)).append(Kind.DECISION, {}, actor="desk")
    book = journal(tmp_path)
    assert iso(at).startswith("2026-01-05T09:00:00")
    [record] = book.newest()
    stated = datetime.fromisoformat(record.at)
    assert book.count(Wanted(since=stated))["total"] == 1
    assert book.count(Wanted(since=stated + timedelta(microseconds=1)))["total"] == 0
    assert book.count(Wanted(until=stated))["total"] == 0
