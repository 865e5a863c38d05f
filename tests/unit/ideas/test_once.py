"""One decision and one idea per strategy, symbol and closed bar, whatever is killed, repeated or late."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.evaluation.decision import strategy_hash
from backend.journal.record import Kind
from tests.fakes.children import Child
from tests.fakes.desk import ROOT, SimulatedDesk, simulated_desk

FIRST = datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC)  # a Wednesday; the bar of 9:45 has just closed
QUARTER = timedelta(minutes=15)
SYMBOLS = ("EURUSD", "GBPUSD")
STRATEGIES = ("ALWAYS", "ALWAYS_TOO")
EACH = len(SYMBOLS) * len(STRATEGIES)
WRITES = (  # before which write of which files; a torn append leaves half of its bytes
    ("history/", 1, False),
    ("decisions/inputs/", 2, False),
    ("decisions/decisions_", 1, True),
    ("evaluations/evaluation_20260304.jsonl", 1, True),
    ("trade_ideas/", 3, False),
    ("evaluations/evaluation_20260304.json", 2, False),
    ("evaluations/cursors", 1, False),
)


def always(name: str, **changes: Any) -> dict[str, Any]:
    """A strategy that signals on every bar."""
    return {
        "id": name,
        "symbols": list(SYMBOLS),
        "timeframe": "M15",
        "conditions": {"entry": ["close > 0"]},
        "strategy": {"direction": "long", "news_embargo_minutes": 0},
    } | changes


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped configuration with two strategies that signal on every bar of two symbols."""
    folder = tmp_path_factory.mktemp("config") / "config"
    shutil.copytree(ROOT / "config", folder)
    for path in (folder / "ai" / "strategies").iterdir():
        path.unlink()
    for name in STRATEGIES:
        (folder / "ai" / "strategies" / f"{name}.json").write_text(json.dumps(always(name)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Path:
    """Data of a desk that decided its first bar."""
    data = tmp_path_factory.mktemp("begun") / "data"
    result = simulated_desk(data, FIRST, config=config).ideas.evaluate_all(trigger="test")
    assert (result["decisions"], result["idea_count"], result["problems"]) == (EACH, EACH, [])
    return data


@pytest.fixture
def data(tmp_path: Path, begun: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "data"))


def killed(data: Path, config: Path, at: datetime, prefix: str, nth: int, *, torn: bool) -> bool:
    """Whether a process that evaluates at `at` died at that write; else there are not so many."""
    with Child("evaluation_children", data, config) as child:
        return child.ask({"at": at, "prefix": prefix, "nth": nth, "torn": torn}) is None


def decisions(desk: SimulatedDesk) -> list[dict[str, Any]]:
    """All that the journal has, oldest first."""
    return [dict(record.payload) for record in desk.journal.newest(kind=Kind.DECISION)][::-1]


def check_once(desk: SimulatedDesk, bars: int) -> list[dict[str, Any]]:
    """Everything is there exactly once and speaks of the same; gives the decisions."""
    made = decisions(desk)
    of_bar = Counter((each["strategy_id"], each["symbol"], each["bar_time"]) for each in made)
    assert set(of_bar.values()) == {1}
    assert len(of_bar) == bars * EACH
    assert desk.journal.verify().broken_at is None
    ideas = desk.book.find()
    assert desk.ideas.problems() == []
    assert sorted(idea["decision_id"] for idea in ideas) == sorted(
        each["id"] for each in made if each["idea_id"] is not None
    )
    ids = sorted(each["id"] for each in made)
    days = {each["decided_at"][:10].replace("-", "") for each in made}
    summaries = [desk.storage.read_json(f"evaluations/evaluation_{day}.json") for day in days]
    assert sorted(row["id"] for summary in summaries for row in summary["rows"]) == ids
    assert sum(summary["total"] for summary in summaries) == len(ids)
    rows = [
        row["id"]
        for day in days
        for row in desk.storage.read_jsonl(f"evaluations/evaluation_{day}.jsonl", problems=[])
    ]
    assert sorted(rows) == ids
    for each in made:
        for name in ("account", "calendar", "instrument", "strategy", "profile", "desk", "statistics"):
            assert desk.storage.exists(f"decisions/inputs/{each['inputs'][name]}.json")
    return made


@pytest.mark.parametrize(("prefix", "nth", "torn"), WRITES)
def test_a_process_killed_at_a_write_loses_nothing_and_nothing_is_made_twice(
    data: Path, config: Path, prefix: str, nth: int, torn: bool
) -> None:
    assert killed(data, config, FIRST + QUARTER, prefix, nth, torn=torn)
    desk = simulated_desk(data, FIRST + QUARTER + timedelta(seconds=20), config=config)
    desk.ideas.evaluate_all(trigger="test")
    made = check_once(desk, bars=2)
    assert all(each["idea_id"] is not None for each in made)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_process_killed_at_every_single_write(tmp_path: Path, begun: Path, config: Path) -> None:
    nth = 0
    while True:
        nth += 1
        data = Path(shutil.copytree(begun, tmp_path / str(nth)))
        died = killed(data, config, FIRST + QUARTER, "", nth, torn=True)
        desk = simulated_desk(data, FIRST + QUARTER + timedelta(seconds=20), config=config)
        desk.ideas.evaluate_all(trigger="test")
        assert all(each["idea_id"] is not None for each in check_once(desk, bars=2))
        shutil.rmtree(data)
        if not died:
            break
    assert nth > 3 * EACH  # inputs, journal, rows, ideas, summary, cursors, bars


@pytest.mark.parametrize(
    ("prefix", "proposed"), [("decisions/decisions_", False), ("evaluations/evaluation_", True)]
)
def test_after_a_kill_and_a_whole_bar_the_journal_says_whether_there_is_an_idea(
    data: Path, config: Path, prefix: str, proposed: bool
) -> None:
    """What was decided in time is proposed, late or not; what was not is recorded as missed."""
    assert killed(data, config, FIRST + QUARTER, prefix, 1, torn=False)
    desk = simulated_desk(data, FIRST + 2 * QUARTER, config=config)
    desk.ideas.evaluate_all(trigger="test")
    made = check_once(desk, bars=3)
    second = [each for each in made if each["bar_close"] == "2026-03-04T10:15:00Z"]
    assert [each["missed"] for each in second] == [not proposed] * EACH
    assert [each["idea_id"] is not None for each in second] == [proposed] * EACH


def test_missed_bars_are_decided_in_order_and_only_the_newest_makes_an_idea(data: Path, config: Path) -> None:
    desk = simulated_desk(data, FIRST + 4 * QUARTER, config=config)
    result = desk.ideas.evaluate_all(trigger="test")
    assert (result["decisions"], result["missed"], result["idea_count"]) == (4 * EACH, 3 * EACH, EACH)
    made = check_once(desk, bars=5)
    for strategy in STRATEGIES:
        for symbol in SYMBOLS:
            of_one = [e for e in made if (e["strategy_id"], e["symbol"]) == (strategy, symbol)][1:]
            assert [each["bar_close"][11:16] for each in of_one] == ["10:15", "10:30", "10:45", "11:00"]
            assert [each["missed"] for each in of_one] == [True, True, True, False]
            assert [each["idea_id"] is not None for each in of_one] == [False, False, False, True]
            assert "missed: the bar closed 45 minutes ago" in of_one[0]["reasons"][-1]


@pytest.mark.parametrize(("late", "ideas"), [(14, EACH), (16, 0)])
def test_the_newest_bar_makes_an_idea_within_fifteen_minutes_of_its_close(
    tmp_path: Path, config: Path, late: float, ideas: int
) -> None:
    hourly = Path(shutil.copytree(config, tmp_path / "config"))
    for name in STRATEGIES:
        path = hourly / "ai" / "strategies" / f"{name}.json"
        path.write_text(json.dumps(always(name, timeframe="H1")), encoding="utf-8")
    desk = simulated_desk(tmp_path / "data", FIRST + timedelta(minutes=late), config=hourly)
    result = desk.ideas.evaluate_all(trigger="test")
    assert (result["decisions"], result["idea_count"]) == (EACH, ideas)
    assert result["missed"] == EACH - ideas


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def again_at_once(desk: SimulatedDesk) -> None:
    """Nothing happened in between."""


def in_another_process(desk: SimulatedDesk) -> None:
    """Without anything that the first one remembers."""


def without_cursors(desk: SimulatedDesk) -> None:
    assert desk.storage.delete("evaluations/cursors.json")


@pytest.mark.parametrize("meanwhile", [again_at_once, in_another_process, without_cursors])
def test_evaluating_again_gives_the_same_ids_and_writes_nothing_twice(
    data: Path, config: Path, meanwhile: Callable[[SimulatedDesk], None]
) -> None:
    desk = simulated_desk(data, FIRST + QUARTER, config=config)
    first = desk.ideas.evaluate_symbol("EURUSD", trigger="test")
    desk.ideas.evaluate_all(trigger="test")
    before = contents(data)
    meanwhile(desk)
    later = FIRST + QUARTER + timedelta(minutes=3)
    if meanwhile is in_another_process:
        desk = simulated_desk(data, later, config=config)
    desk.clock.at = later
    again = desk.ideas.evaluate_symbol("EURUSD", trigger="test")
    desk.ideas.evaluate_all(trigger="test")
    assert [row["id"] for row in again["evaluations"]] == [row["id"] for row in first["evaluations"]]
    after = contents(data)
    assert {path: after.get(path) for path in before} == before
    new = {Path(path).relative_to(data).parts[0:2] for path in after.keys() - before.keys()}
    # Without cursors the bar is evaluated again, with the calendar as it is now; the decision stays.
    assert new == ({("decisions", "inputs")} if meanwhile is without_cursors else set())
    check_once(desk, bars=2)


def test_a_strategy_that_was_changed_is_another_one_from_then_on(
    data: Path, config: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(config, tmp_path / "config"))
    path = changed / "ai" / "strategies" / "ALWAYS.json"
    path.write_text(json.dumps(always("ALWAYS", description="changed")), encoding="utf-8")
    desk = simulated_desk(data, FIRST + timedelta(minutes=1), config=changed)
    result = desk.ideas.evaluate_all(trigger="test")
    assert (result["decisions"], result["unchanged"]) == (len(SYMBOLS), len(SYMBOLS))
    (version,) = {each["strategy_hash"] for each in decisions(desk)[EACH:]}
    assert version == strategy_hash(desk.strategies.load().get("ALWAYS"))
    assert len({each["id"] for each in decisions(desk)}) == EACH + len(SYMBOLS)


def test_two_processes_at_once_make_one_decision_and_one_idea(data: Path, config: Path) -> None:
    rounds = 6
    with Child("evaluation_children", data, config) as one, Child("evaluation_children", data, config) as two:
        for number in range(1, rounds + 1):
            for child in (one, two):
                child.tell({"at": FIRST + number * QUARTER})
            for child in (one, two):
                assert child.told()["problems"] == []
    desk = simulated_desk(data, FIRST + rounds * QUARTER, config=config)
    desk.ideas.evaluate_all(trigger="test")
    made = check_once(desk, bars=rounds + 1)
    assert all(each["idea_id"] is not None for each in made)
