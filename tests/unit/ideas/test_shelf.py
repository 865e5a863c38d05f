"""What a process keeps of ideas: a line of each, whole those of which more is to come; what it notices."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.ideas import shelf
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import Act, Status
from backend.ideas.lines import Filter, line_of
from backend.storage.files import FileStorage
from tests.unit.ideas.test_book import RefusingDisk, book, idea, names

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


def stated(number: int) -> dict[str, Any]:
    """Ideas a second apart."""
    return idea(number, at=f"{AT + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}")


def traded(ideas: IdeaBook, number: int) -> None:
    """Bought and closed; its row in the trade log is to come."""
    ideas.create(stated(number), actor="desk")
    ideas.step(f"I{number}", Act.APPROVE, to=Status.APPROVED, actor="ann")
    ideas.step(f"I{number}", Act.SEND, actor="desk", changes={"order": {"ticket": 70 + number}})
    ideas.step(f"I{number}", Act.DEALT, actor="desk", changes={"position": {"id": 90 + number}})
    ideas.step(
        f"I{number}", Act.CLOSE, actor="desk", changes={"result": {"closed_at": "2026-01-05T08:00:00Z"}}
    )


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read."""
    found: list[str] = []
    true_read = FileStorage.read_json

    def counted(self: FileStorage, name: str) -> Any:
        found.append(name.rpartition("/")[2])
        return true_read(self, name)

    monkeypatch.setattr(FileStorage, "read_json", counted)
    return found


def test_of_ideas_that_are_over_a_list_reads_the_ones_that_it_shows(tmp_path: Path, reads: list[str]) -> None:
    ideas = book(tmp_path)
    ideas.create_many([stated(number) for number in range(20)], actor="desk")
    for number in range(19):
        ideas.step(f"I{number}", Act.REJECT, actor="ann", why="no")
    other = book(tmp_path)
    assert len(other.lines()) == 20
    del reads[:]
    page, cursor = other.page(Filter(), cursor=None, limit=3)
    assert ([one["id"] for one in page], cursor) == (["I19", "I18", "I17"], "I17")
    assert reads == ["EURUSD_20260105_090018.json", "EURUSD_20260105_090017.json"]
    del reads[:]
    assert [one["id"] for one in other.find(Status.PENDING_APPROVAL)] == ["I19"]
    assert reads == []


def test_what_another_process_does_to_an_idea_is_seen_at_once(tmp_path: Path) -> None:
    mine, other = book(tmp_path), book(tmp_path)
    mine.create_many([stated(1), stated(2)], actor="desk")
    assert [line.status for line in other.lines()] == ["pending_approval", "pending_approval"]
    mine.step("I1", Act.REJECT, actor="ann", why="no")
    mine.create(stated(3), actor="desk")
    assert [(line.id, line.status) for line in other.lines()] == [
        ("I3", "pending_approval"),
        ("I2", "pending_approval"),
        ("I1", "rejected"),
    ]
    (tmp_path / "trade_ideas" / names(tmp_path)[0]).unlink()
    assert [line.id for line in other.lines()] == ["I3", "I2"]


def test_a_closed_trade_is_over_once_it_is_in_the_trade_log(tmp_path: Path, reads: list[str]) -> None:
    mine, other = book(tmp_path), book(tmp_path)
    traded(mine, 1)
    (line,) = other.lines()
    assert (line.over, line.ticket, line.sent_at) == (False, 71, datetime(2026, 1, 5, 9, 1, tzinfo=UTC))
    assert line.closed_at == datetime(2026, 1, 5, 8, tzinfo=UTC)  # by the broker's figures
    assert [one["id"] for one in other.unlogged()] == ["I1"]
    mine.step("I1", Act.RECORD, actor="desk", changes={"logged": "trades_20260105.csv"})
    assert other.unlogged() == []
    assert other.lines()[0].over
    del reads[:]
    assert other.get("I1")["logged"] == "trades_20260105.csv"
    assert len(reads) == 1


def test_a_step_that_only_the_journal_has_counts_in_lists(tmp_path: Path) -> None:
    disk = RefusingDisk(tmp_path, fsync=False)
    mine, other = book(tmp_path, disk), book(tmp_path)
    mine.create_many([stated(1), stated(2)], actor="desk")
    other.lines()
    disk.full = True
    with pytest.raises(Exception, match="full"):
        mine.step("I1", Act.REJECT, actor="ann", why="no")
    page, _ = other.page(Filter(statuses=frozenset({Status.REJECTED})), cursor=None, limit=9)
    assert [one["id"] for one in page] == ["I1"]
    assert [one["id"] for one in other.find(Status.PENDING_APPROVAL)] == ["I2"]
    assert [each["id"] for each in other.besides("I2", {Status.REJECTED})[1]] == ["I1"]


def test_a_person_s_edit_of_an_idea_that_is_over_is_shown_at_once_and_found_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "IN_TURN", 3)
    ideas, count = book(tmp_path), 4
    ideas.create_many([stated(number) for number in range(count)], actor="desk")
    for number in range(count):
        ideas.step(f"I{number}", Act.REJECT, actor="ann", why="no")
    ideas.lines()
    for path in (tmp_path / "trade_ideas").glob("*.json"):
        edited = json.loads(path.read_text(encoding="utf-8")) | {"strategy_id": "EDITED"}
        path.write_text(json.dumps(edited), encoding="utf-8")
    assert ideas.page(Filter(), cursor=None, limit=1)[0][0]["strategy_id"] == "EDITED"
    for _ in range(2):
        ideas.lines()
    assert {line.strategy for line in ideas.lines()} == {"EDITED"}


def test_a_file_that_is_no_idea_is_named_until_it_is_mended(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create(stated(1), actor="desk")
    path = tmp_path / "trade_ideas" / "X_20260105_090001.json"
    whole = json.loads((tmp_path / "trade_ideas" / names(tmp_path)[0]).read_text(encoding="utf-8"))
    path.write_text(json.dumps(whole | {"id": "X", "created_at": "soon"}), encoding="utf-8")
    for _ in range(2):
        assert [line.id for line in ideas.lines()] == ["I1"]
        (problem,) = ideas.problems
        assert "soon" in problem.reason
    path.write_text(json.dumps(whole | {"id": "X"}), encoding="utf-8")
    assert ({line.id for line in ideas.lines()}, ideas.problems) == ({"I1", "X"}, [])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), True),
        (Filter(statuses=frozenset({Status.OPEN, Status.PENDING_APPROVAL})), True),
        (Filter(statuses=frozenset({Status.OPEN})), False),
        (Filter(symbol="EURUSD", side="buy", origin="strategy", strategy="S"), True),
        (Filter(side="sell"), False),
        (Filter(origin="manual"), False),
        (Filter(since=AT + timedelta(seconds=1), until=AT + timedelta(seconds=2)), True),
        (Filter(since=AT + timedelta(seconds=1.5)), False),
        (Filter(until=AT + timedelta(seconds=1)), False),
    ],
)
def test_filters(wanted: Filter, found: bool) -> None:
    row = stated(1) | {"history": [], "side": "buy", "origin": "strategy", "strategy_id": "S"}
    assert wanted.takes(line_of(row)) is found


def test_pages_go_on_where_the_one_before_ended(tmp_path: Path) -> None:
    ideas = book(tmp_path)
    ideas.create_many([stated(number) for number in range(5)], actor="desk")
    seen, cursor = [], None
    for _ in range(3):
        page, cursor = ideas.page(Filter(), cursor=cursor, limit=2)
        seen.append([one["id"] for one in page])
    assert (seen, cursor) == ([["I4", "I3"], ["I2", "I1"], ["I0"]], None)
    with pytest.raises(Invalid, match="'I9' is not a cursor"):
        ideas.page(Filter(), cursor="I9", limit=2)
