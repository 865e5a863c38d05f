"""A decision is computed again from what it refers to: the same bytes, and otherwise where it differs."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.core.bars import COLUMNS, Bars
from backend.core.errors import NotFound
from backend.core.timeframes import Timeframe
from backend.evaluation import engine as engines
from backend.ideas import replaying
from backend.ideas.replaying import Replayer
from backend.ideas.verifying import InputCheck
from backend.journal.record import Entry, Kind
from backend.market.store import MarketStore
from backend.storage.files import FileStorage
from tests.fakes.desk import SERVER, SimulatedDesk, simulated_desk

pytestmark = pytest.mark.xdist_group("replaying")  # what they share is made once

BEGIN = datetime(2026, 3, 4, 9, 0, 5, tzinfo=UTC)  # a Wednesday morning in London
QUARTERS = 12


def replayer(data: Path, *, history: bool = True) -> Replayer:
    """From the files alone: no terminal, no clock."""
    desk = simulated_desk(data, BEGIN)
    storage = desk.storage if history else FileStorage(data / "elsewhere")
    return Replayer(desk.storage, desk.journal, MarketStore(storage, SERVER))


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Three hours of the shipped strategies, and a run after an outage; ids of all decisions."""
    data = tmp_path_factory.mktemp("desk") / "data"
    desk = simulated_desk(data, BEGIN)
    for _ in range(QUARTERS):
        desk.ideas.evaluate_all(trigger="test")
        desk.clock.move(minutes=15)
    desk.clock.move(hours=2)
    desk.ideas.evaluate_all(trigger="test")
    return data, [record.payload["id"] for record in desk.journal.newest(kind=Kind.DECISION)]


@pytest.fixture
def data(tmp_path: Path, decided: tuple[Path, list[str]]) -> Path:
    return Path(shutil.copytree(decided[0], tmp_path / "data"))


def test_every_decision_gives_the_same_bytes(decided: tuple[Path, list[str]]) -> None:
    data, ids = decided
    again = replayer(data, history=False)
    found = [again.replay(each) for each in ids]
    assert len(found) > 50
    assert {each.decision["missed"] for each in found} == {True, False}
    assert all(each.same and each.differences == [] and each.record_intact for each in found)
    assert all(row["same"] for each in found for row in each.inputs)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_thousand_decisions_give_the_same_bytes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    desk = simulated_desk(data, BEGIN)
    while sum(1 for _ in desk.journal.newest(kind=Kind.DECISION)) < 1000:
        desk.ideas.evaluate_all(trigger="test")
        desk.clock.move(minutes=15 * 8)
    again = replayer(data, history=False)
    for record in list(desk.journal.newest(kind=Kind.DECISION))[:1000]:
        assert again.replay(str(record.key)).same
    check = InputCheck(desk.storage)
    assert desk.journal.verify(each=lambda record, _name, _line: check.look(record)).ok
    assert check.faults == []


def bars_file(data: Path) -> Path:
    [path] = (data / "decisions" / "bars").glob("bars_*.jsonl")
    return path


def change_bar(data: Path, column: str) -> None:
    """One value of the newest bar of EURUSD H1 that the first decision saw."""
    path = bars_file(data)
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    row = next(row for row in rows if (row["symbol"], row["timeframe"]) == ("EURUSD", "H1"))
    row[column][-1] += 1 if column in {"volume", "spread"} else 0.0001
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def first_of(desk: SimulatedDesk, strategy: str) -> str:
    records = list(desk.journal.newest(kind=Kind.DECISION))
    return next(str(r.key) for r in reversed(records) if r.payload["strategy_id"] == strategy)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "spread"])
def test_one_changed_input_bar_makes_it_differ_and_the_part_is_named(data: Path, column: str) -> None:
    change_bar(data, column)
    desk = simulated_desk(data, BEGIN)
    shutil.rmtree(data / "history")
    found = replayer(data).replay(first_of(desk, "EURUSD_H1"))
    assert not found.same
    assert "/inputs/bars/0/hash" in [each.pointer for each in found.differences]
    assert [row["input"] for row in found.inputs if not row["same"]] == ["bars H1"]
    if column == "close":
        assert "/levels/reference" in [each.pointer for each in found.differences]
    check = InputCheck(desk.storage)
    desk.journal.verify(each=lambda record, _name, _line: check.look(record))
    assert (check.faults[0].input, check.faults[0].seq) == ("bars H1", 1)


def test_where_none_were_kept_the_store_serves_if_it_has_the_very_bars(data: Path) -> None:
    bars_file(data).unlink()
    desk = simulated_desk(data, BEGIN)
    decision = first_of(desk, "GBPUSD_M15_PULLBACK")
    found = replayer(data).replay(decision)
    assert found.same
    assert [row["file"] for row in found.inputs if row["input"].startswith("bars")] == ["history", "history"]
    with pytest.raises(NotFound, match="none were kept, and the market store has none"):
        replayer(data, history=False).replay(decision)


def test_history_that_was_corrected_since_is_told_and_changes_nothing(data: Path) -> None:
    desk = simulated_desk(data, BEGIN)
    decision = first_of(desk, "EURUSD_H1")
    store = desk.market.store
    stored = store.bars("EURUSD", Timeframe.H1, until=BEGIN, count=1)
    columns = {name: getattr(stored, name).copy() for name in COLUMNS}
    columns["volume"] += 1
    store.append(Bars(symbol="EURUSD", timeframe=Timeframe.H1, **columns), revise=True)
    found = replayer(data).replay(decision)
    assert found.same
    [note] = found.notes
    was, now = int(stored.volume[0]), int(stored.volume[0]) + 1
    assert f"2026-03-04T08:00:00Z volume {was} then, {now} now" in note


def test_a_bar_revised_between_two_decisions_is_kept_both_ways(data: Path) -> None:
    desk = simulated_desk(data, BEGIN)
    last = max(record.payload["decided_at"] for record in desk.journal.newest(kind=Kind.DECISION))
    desk.clock.at = datetime.fromisoformat(last)
    store = desk.market.store
    stored = store.bars("EURUSD", Timeframe.M15, count=30)[:1]
    columns = {name: getattr(stored, name).copy() for name in COLUMNS}
    columns["volume"] += 3
    store.append(Bars(symbol="EURUSD", timeframe=Timeframe.M15, **columns), revise=True)
    desk.clock.move(minutes=15)
    before = {record.key for record in desk.journal.newest(kind=Kind.DECISION)}
    desk.ideas.evaluate_symbol("EURUSD", trigger="test")
    made = [r for r in desk.journal.newest(kind=Kind.DECISION) if r.key not in before]
    assert made
    assert store.bars("EURUSD", Timeframe.M15, count=31).volume[0] == columns["volume"][0]
    again = replayer(data, history=False)
    assert all(again.replay(str(key)).same for key in (*before, *(record.key for record in made)))


def inputs_of(desk: SimulatedDesk, decision: str) -> dict[str, Any]:
    return dict(desk.journal.find(Kind.DECISION, decision).payload["inputs"])


@pytest.mark.parametrize(
    ("name", "old", "new", "pointer"),
    [
        ("account", '"10000.0"', '"20000.0"', "/size/risk_money"),
        ("strategy", '"multiplier": 1.5', '"multiplier": 2.5', "/levels/stop"),
        ("desk", '"supervised"', '"observe"', "/refusals/1"),
        ("limits", '"pending_only": 60.0', '"pending_only": 61.0', "/refusals/0/bound"),
    ],
)
def test_an_altered_input_is_named_with_what_it_changes(
    data: Path, name: str, old: str, new: str, pointer: str
) -> None:
    desk = simulated_desk(data, BEGIN)
    decision = first_of(desk, "EURUSD_H1")
    path = data / "decisions" / "inputs" / f"{inputs_of(desk, decision)[name]}.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    found = replayer(data).replay(decision)
    assert not found.same
    assert [row["input"] for row in found.inputs if not row["same"]] == [name]
    assert any(each.pointer.startswith(pointer) for each in found.differences)


def test_an_input_that_is_gone_is_named(data: Path) -> None:
    desk = simulated_desk(data, BEGIN)
    decision = first_of(desk, "EURUSD_H1")
    (data / "decisions" / "inputs" / f"{inputs_of(desk, decision)['statistics']}.json").unlink()
    with pytest.raises(NotFound, match="its statistics"):
        replayer(data).replay(decision)


def test_an_altered_record_is_told(data: Path) -> None:
    [path] = (data / "decisions").glob("decisions_*.jsonl")
    desk = simulated_desk(data, BEGIN)
    decision = first_of(desk, "EURUSD_H1")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b'"action":"observe"', b'"action":"blocked"')
    path.write_bytes(b"".join(lines))
    found = replayer(data).replay(decision)
    assert (found.same, found.record_intact) == (False, False)
    assert [(each.pointer, each.recorded) for each in found.differences] == [("/action", "blocked")]


def test_another_engine_says_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = simulated_desk(data, BEGIN)
    decision = first_of(desk, "EURUSD_H1")
    monkeypatch.setattr(engines, "ENGINE_VERSION", "99")
    monkeypatch.setattr(replaying, "ENGINE_VERSION", "99")
    found = replayer(data).replay(decision)
    assert not found.same
    assert [each.pointer for each in found.differences] == ["/inputs/engine"]
    assert "this is engine 99" in found.notes[0]


@pytest.fixture(scope="module")
def altered(decided: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(decided[0], tmp_path_factory.mktemp("altered") / "data"))


def test_a_changed_byte_of_any_input_is_named(altered: Path) -> None:
    desk = simulated_desk(altered, BEGIN)
    files = sorted((altered / "decisions" / "inputs").glob("*.json"))
    for number, path in enumerate(files):
        content = path.read_bytes()
        place = (number * 7919) % len(content)
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        check = InputCheck(desk.storage)
        desk.journal.verify(each=lambda record, _name, _line: check.look(record))  # noqa: B023 - used at once
        assert {Path(fault.file).name for fault in check.faults} == {path.name}
        path.write_bytes(content)


def test_other_records_need_no_inputs(tmp_path: Path) -> None:
    desk = simulated_desk(tmp_path, BEGIN)
    desk.journal.append_many([Entry(kind=Kind.HALT, payload={"reason": "test"})], actor="local")
    check = InputCheck(desk.storage)
    assert desk.journal.verify(each=lambda record, _name, _line: check.look(record)).ok
    assert (check.decisions, check.faults) == (0, [])


def test_a_day_costs_one_row_a_bar(tmp_path: Path) -> None:
    desk = simulated_desk(tmp_path, BEGIN)
    desk.ideas.evaluate_all(trigger="test")
    first = bars_file(tmp_path).stat().st_size
    for _ in range(4):
        desk.clock.move(minutes=15)
        desk.ideas.evaluate_all(trigger="test")
    rows = [json.loads(line) for line in bars_file(tmp_path).read_bytes()[first:].splitlines()]
    assert rows
    assert {len(row["time"]) for row in rows} == {1}
