"""Idea files: names, steps, what is on record when, and what readers see after a crash."""

import contextlib
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import Act, Status
from backend.ideas.steps import replayed
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.files import FileStorage
from tests.fakes import idea_children
from tests.fakes.children import Child
from tests.fakes.desk import MovedClock

NOW = datetime(2026, 1, 5, 9, 1, tzinfo=UTC)


def idea(number: int, *, symbol: str = "EURUSD", at: str = "2026-01-05T09:00:01Z") -> dict[str, Any]:
    return {"id": f"I{number}", "symbol": symbol, "status": "pending_approval", "created_at": at}


def book(folder: Path, storage: FileStorage | None = None) -> IdeaBook:
    """One process's book; another one on the same folder is another process."""
    clock = MovedClock(NOW)
    storage = storage or FileStorage(folder, fsync=False)
    return IdeaBook(storage, Journal(storage, clock), clock)


def steps(folder: Path) -> list[dict[str, Any]]:
    """What the journal has, oldest first."""
    journal = Journal(FileStorage(folder, fsync=False), MovedClock(NOW))
    return [dict(record.payload) for record in journal.newest(kind=Kind.IDEA_STEP)][::-1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "trade_ideas").glob("*.json"))


def test_a_file_is_named_after_symbol_and_second_and_the_next_gets_a_number(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    for number in (1, 2, 3):
        ideas.create(idea(number), actor="desk")
    assert names(tmp_path) == [
        "EURUSD_20260105_090001.json",
        "EURUSD_20260105_090001_2.json",
        "EURUSD_20260105_090001_3.json",
    ]
    assert [book(tmp_path).get(f"I{number}")["id"] for number in (3, 2, 1)] == ["I3", "I2", "I1"]


def test_the_same_idea_is_written_once_and_what_was_recorded_first_counts(tmp_path: Path) -> None:
    first = book(tmp_path).create(idea(1) | {"volume": 0.1}, actor="desk")
    assert book(tmp_path).create(idea(1) | {"volume": 0.2}, actor="desk") == first
    assert (len(names(tmp_path)), len(steps(tmp_path))) == (1, 1)
    book(tmp_path).step("I1", Act.REJECT, actor="ann", why="no")
    assert book(tmp_path).create(idea(1), actor="desk")["status"] == "rejected"


@pytest.mark.parametrize("status", ["open", "sending", "rejected"])
def test_an_idea_does_not_begin_further_on(tmp_path: Path, status: str) -> None:
    with pytest.raises(Invalid, match="begins as"):
        book(tmp_path).create(idea(1) | {"status": status}, actor="desk")
    assert steps(tmp_path) == []


def test_no_symbol_leads_out_of_the_folder(tmp_path: Path) -> None:
    book(tmp_path / "data").create(idea(1, symbol="../../evil"), actor="desk")
    journal = tmp_path / "data" / "decisions" / "last.json"
    made = [path.parent for path in tmp_path.rglob("*.json") if path != journal]
    assert made == [tmp_path / "data" / "trade_ideas"]


def test_newest_first_and_found_by_status_symbol_and_strategy(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1, at="2026-01-05T09:00:01Z"), actor="desk")
    ideas.create(idea(2, at="2026-01-06T09:00:01Z", symbol="XAUUSD") | {"strategy_id": "S"}, actor="desk")
    ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann")
    assert [one["id"] for one in ideas.find()] == ["I2", "I1"]
    assert [one["id"] for one in ideas.find(Status.APPROVED)] == ["I1"]
    assert [one["id"] for one in ideas.find(Status.APPROVED, Status.PENDING_APPROVAL)] == ["I2", "I1"]
    assert [one["id"] for one in ideas.find(symbol="XAUUSD", strategy="S")] == ["I2"]


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    for name, text in (("GBPUSD_20260105_090001", "{"), ("X_20260105_090001", '{"id": "X"}')):
        (tmp_path / "trade_ideas" / f"{name}.json").write_text(text, encoding="utf-8")
    assert [one["id"] for one in ideas.find()] == ["I1"]
    assert [problem.file[12:18] for problem in ideas.problems] == ["GBPUSD", "X_2026"]


def test_an_unknown_idea_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no trade idea 'I9'"):
        book(tmp_path).get("I9")
    with pytest.raises(NotFound, match="no trade idea 'I9'"):
        book(tmp_path).step("I9", Act.REJECT, actor="ann")


def test_a_step_keeps_who_when_why_and_the_values_before_and_after(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1) | {"volume": 0.1, "stop": 1.09, "notes": []}, actor="desk", why="signal")
    after = ideas.step(
        "I1",
        Act.MODIFY,
        actor="ann",
        why="smaller",
        changes={"volume": 0.05, "stop": 1.09},
        details={"a": (1,)},
    )
    assert (after["volume"], after["version"], after["status"]) == (0.05, 2, "pending_approval")
    assert after["history"][0]["by"] == "desk"
    assert after["history"][1] == {
        "version": 2,
        "action": "modify",
        "from": "pending_approval",
        "status": "pending_approval",
        "at": "2026-01-05T09:01:00Z",
        "by": "ann",
        "why": "smaller",
        "changes": {"volume": [0.1, 0.05]},
        "details": {"a": [1]},
    }
    stored = json.loads((tmp_path / "trade_ideas" / names(tmp_path)[0]).read_text(encoding="utf-8"))
    assert stored == after == ideas.get("I1") == book(tmp_path).get("I1")
    assert [{"idea_id": "I1", **step} for step in after["history"]] == [
        {key: value for key, value in step.items() if key != "idea"} for step in steps(tmp_path)
    ]


def test_what_the_table_does_not_allow_changes_nothing(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    ideas.step("I1", Act.REJECT, actor="ann", why="no")
    with pytest.raises(Conflict, match="an idea that is rejected cannot approve to approved"):
        ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann")
    assert ideas.get("I1")["version"] == 2
    assert len(steps(tmp_path)) == 2


@pytest.mark.parametrize("field", ["id", "status", "version", "history", "symbol", "created_at"])
def test_no_step_sets_what_the_book_keeps(tmp_path: Path, field: str) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    with pytest.raises(Invalid, match=field):
        ideas.step("I1", Act.MODIFY, actor="ann", changes={field: "x"})
    assert len(steps(tmp_path)) == 1


def test_a_step_judged_on_another_version_is_a_conflict(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    seen = ideas.create(idea(1), actor="desk")
    book(tmp_path).step("I1", Act.MODIFY, actor="ben", changes={"volume": 9.0})
    with pytest.raises(Conflict, match="changed meanwhile"):
        ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann", version=seen["version"])
    assert ideas.get("I1")["status"] == "pending_approval"


def test_a_nan_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    with pytest.raises(Invalid, match="not a JSON number"):
        ideas.step("I1", Act.MODIFY, actor="ann", changes={"volume": float("nan")})
    assert len(steps(tmp_path)) == 1


def test_entries_of_a_step_stand_before_it(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann")
    intent = Entry(kind=Kind.ORDER_INTENT, payload={"lots": 0.1}, key="o-1")
    ideas.step("I1", Act.SEND, actor="desk", changes={"intent": "o-1"}, entries=[intent])
    journal = Journal(FileStorage(tmp_path, fsync=False), MovedClock(NOW))
    kinds = [record.kind for record in journal.newest()]
    assert kinds[:2] == [Kind.IDEA_STEP, Kind.ORDER_INTENT]


def test_of_many_senders_one_sends(tmp_path: Path) -> None:
    ideas = [book(tmp_path), book(tmp_path)]
    ideas[0].create(idea(1), actor="desk")
    ideas[0].step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann")
    outcomes: list[str] = []

    def send(number: int) -> None:
        try:
            ideas[number % 2].step("I1", Act.SEND, actor=f"w{number}")
            outcomes.append("sent")
        except Conflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["illegal_step"] * 7 + ["sent"]


class RefusingDisk(FileStorage):
    """Refuses to replace files while told to."""

    full = False

    def write_bytes(self, name: str, data: bytes, *, mode: int | None = None) -> None:
        if self.full:
            raise Unavailable("disk_full", "the disk is full")
        super().write_bytes(name, data, mode=mode)


def test_a_step_on_record_is_in_force_though_its_file_is_behind(tmp_path: Path) -> None:
    disk = RefusingDisk(tmp_path, fsync=False)
    ideas = book(tmp_path, disk)
    ideas.create(idea(1), actor="desk")
    disk.full = True
    with pytest.raises(Unavailable):
        ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann", changes={"volume": 0.3})
    disk.full = False
    for reader in (ideas, book(tmp_path)):
        assert (reader.get("I1")["status"], reader.get("I1")["volume"]) == ("approved", 0.3)
        assert [one["version"] for one in reader.find(Status.APPROVED)] == [2]
    path = tmp_path / "trade_ideas" / names(tmp_path)[0]
    assert json.loads(path.read_text(encoding="utf-8"))["status"] == "pending_approval"
    assert book(tmp_path).mend() == ["I1"]
    assert json.loads(path.read_text(encoding="utf-8")) == ideas.get("I1")
    assert book(tmp_path).mend() == []


def test_the_next_step_makes_up_for_the_one_that_the_file_lacks(tmp_path: Path) -> None:
    disk = RefusingDisk(tmp_path, fsync=False)
    ideas = book(tmp_path, disk)
    ideas.create(idea(1), actor="desk")
    disk.full = True
    with pytest.raises(Unavailable):
        ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann")
    disk.full = False
    with pytest.raises(Conflict):
        ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="ann")
    sent = ideas.step("I1", Act.SEND, actor="desk")
    assert [step["action"] for step in sent["history"]] == ["propose", "approve", "send"]
    assert replayed(sent["history"]) is Status.SENDING


LIFE = (
    ("propose", "pending_approval"),
    ("modify", "pending_approval"),
    ("approve", "approved"),
    ("send", "sending"),
    ("dealt", "open"),
    ("close", "closed"),
)


def killed(data: Path, nth: int, *, torn: bool) -> bool:
    """Whether a process that leads an idea through its life died before its write number `nth`."""
    with Child("idea_children", data, nth, torn) as child:
        return child.died()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("torn", [False, True])
def test_a_process_killed_at_every_single_write_loses_no_step_and_makes_none_twice(
    tmp_path: Path, torn: bool
) -> None:
    """It dies at each write of an idea's life, and another one goes on where the record ends."""
    nth, died = 0, True
    while died:
        nth += 1
        data = tmp_path / str(nth)
        died = killed(data, nth, torn=torn)
        with contextlib.suppress(NotFound):  # it died before the proposal was on record
            seen = book(data).get("I1")
            assert replayed(seen["history"]) == seen["status"]
            assert len(seen["history"]) == seen["version"] == len(steps(data))
        idea_children.live(FileStorage(data, fsync=False))
        done = book(data).get("I1")
        assert [(step["action"], step["status"]) for step in done["history"]] == list(LIFE)
        assert [step["version"] for step in steps(data)] == [1, 2, 3, 4, 5, 6]
        stored = json.loads((data / "trade_ideas" / names(data)[0]).read_text(encoding="utf-8"))
        assert (stored, names(data)) == (done, ["EURUSD_20260105_090001.json"])
        assert Journal(FileStorage(data), MovedClock(NOW)).verify().broken_at is None
    assert nth == 2 * len(LIFE) + 2, "each step and its file, and up to where mending has looked"


def test_what_is_on_record_and_has_no_file_gets_one_without_being_repeated(tmp_path: Path) -> None:
    for name, at in (("1", "09:00:01"), ("2", "09:00:01"), ("3", "09:00:02")):
        begun = idea(int(name), at=f"2026-01-05T{at}Z")
        book(tmp_path).create(begun, actor="desk")
    (tmp_path / "trade_ideas" / names(tmp_path)[1]).unlink()  # as if its maker had died before it was written
    restarted = book(tmp_path)
    with pytest.raises(NotFound):
        restarted.get("I2")
    assert restarted.mend() == ["I2"]
    assert [each["id"] for each in restarted.find()] == ["I3", "I2", "I1"]
    assert restarted.get("I2")["status"] == "pending_approval"
    assert (restarted.mend(), book(tmp_path).mend()) == ([], [])
    assert len(names(tmp_path)) == len(steps(tmp_path)) == 3


def test_a_file_that_was_taken_away_later_does_not_come_back(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    ideas.step("I1", Act.REJECT, actor="ann", why="no")
    (tmp_path / "trade_ideas" / names(tmp_path)[0]).unlink()
    assert (ideas.mend(), names(tmp_path)) == ([], [])


def test_a_journal_that_begins_anew_is_looked_through_anew(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    for number in (1, 2):
        ideas.create(idea(number), actor="desk")
    ideas.mend()
    for path in (tmp_path / "decisions").glob("*.jsonl"):
        path.unlink()
    again = book(tmp_path)
    again.create(idea(3, symbol="XAUUSD"), actor="desk")
    (tmp_path / "trade_ideas" / "XAUUSD_20260105_090001.json").unlink()
    assert book(tmp_path).mend() == ["I3"]


def test_thousands_of_ideas_are_found_by_id_without_reading_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ideas = book(tmp_path)
    ideas.create_many(
        [idea(n, at=f"2026-01-05T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z") for n in range(2000)],
        actor="desk",
    )
    reads: list[str] = []
    true_read = FileStorage.read_json

    def counted(self: FileStorage, name: str) -> Any:
        reads.append(name)
        return true_read(self, name)

    monkeypatch.setattr(FileStorage, "read_json", counted)
    fresh = book(tmp_path)
    assert fresh.get("I1234")["id"] == "I1234"
    assert len(reads) == 1
    assert len(fresh.lines()) == 2000
    del reads[:]
    fresh.step("I7", Act.REJECT, actor="ann", why="no")
    assert [line.status for line in fresh.lines()].count(Status.REJECTED) == 1
    assert len(reads) == 2  # by the step, and by the list that sees a changed file


def test_the_order_is_in_the_name_of_whoever_approved_last(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(idea(1), actor="desk")
    assert ideas.approver("I1") == "desk"
    ideas.step("I1", Act.APPROVE, to=Status.PENDING_APPROVAL, actor="olga")  # refused by the gate
    ideas.step("I1", Act.APPROVE, to=Status.APPROVED, actor="tim")
    assert ideas.approver("I1") == "tim"
