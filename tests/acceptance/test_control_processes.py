"""Mode, limits and halts between real processes: in force within a second, nothing lost, nothing half."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.core.clock import SystemClock
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.storage.files import FileStorage
from backend.trading.desk import Mode
from tests.fakes.children import CONTEXT, DEAD
from tests.fakes.evaluation_children import DyingStorage

WATCHERS = 3
SOON = 1.0
"""Seconds within which every process knows."""
EACH = 8
NUMBERS = ("max_positions", "max_trades_per_day", "max_orders_per_minute", "max_positions_per_symbol")

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Told = Any  # a queue of (what, when)


def process(home: Path, storage: FileStorage | None = None) -> Control:
    storage = storage or FileStorage(home / "data", fsync=False)
    clock = SystemClock()
    return Control(home / "config", storage, Journal(storage, clock), clock)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "risk.json").write_text("{}", encoding="utf-8")
    return tmp_path


def standing(control: Control) -> tuple[str, str, int]:
    desk = control.desk()
    return str(desk.mode), desk.halted, control.limits().max_positions


def watch(home: str, told: Told, over: Event) -> None:
    """Tell each state that is new, and when it was seen."""
    control, last = process(Path(home)), ("", "", 0)
    while not over.is_set():
        now = standing(control)
        if now != last:
            told.put((json.dumps(now), time.monotonic()))
            last = now
        time.sleep(0.005)


def act(home: str, what: str, told: Told) -> None:
    """Change something, and tell when it was done."""
    ACTS[what](process(Path(home)))
    told.put(("done", time.monotonic()))


ACTS: dict[str, Callable[[Control], object]] = {
    "halt": lambda control: control.halt(HaltKind.PERSON, "lunch", actor="anna"),
    "mode": lambda control: control.set_mode(Mode.OBSERVE, actor="anna", reason="away"),
    "limit": lambda control: control.change_limits({"max_positions": 4}, actor="anna", reason=""),
    "resume": lambda control: control.resume("back", actor="anna"),
}


def test_what_one_process_does_is_in_force_in_all_within_a_second(home: Path) -> None:
    told: Told = CONTEXT.Queue()
    done: Told = CONTEXT.Queue()
    over = CONTEXT.Event()
    watchers = [CONTEXT.Process(target=watch, args=(str(home), told, over)) for _ in range(WATCHERS)]
    for each in watchers:
        each.start()
    try:
        seen = [told.get(timeout=30) for _ in watchers]
        assert {state for state, _ in seen} == {json.dumps(("supervised", "", 10))}
        expected = {
            "halt": ("supervised", "lunch", 10),
            "mode": ("observe", "lunch", 10),
            "limit": ("observe", "lunch", 4),
            "resume": ("observe", "", 4),
        }
        for what, state in expected.items():
            doer = CONTEXT.Process(target=act, args=(str(home), what, done))
            doer.start()
            _, finished = done.get(timeout=30)
            for _ in watchers:
                found, at = told.get(timeout=30)
                assert found == json.dumps(state), "each process sees each change, and nothing between two"
                assert at - finished <= SOON
            doer.join(10)
            assert doer.exitcode == 0
    finally:
        over.set()
        for each in watchers:
            each.join(10)
    assert [each.exitcode for each in watchers] == [0] * WATCHERS


def count_up(home: str, name: str) -> None:
    """Change one limit again and again, and see each time that it is in force."""
    control = process(Path(home))
    for number in range(1, EACH + 1):
        made = control.change_limits({name: number}, actor=name, reason=f"{number}")
        assert getattr(made, name) == getattr(control.limits(), name) == number


def test_processes_that_change_different_limits_at_once_lose_none(home: Path) -> None:
    writers = [CONTEXT.Process(target=count_up, args=(str(home), name)) for name in NUMBERS]
    for each in writers:
        each.start()
    for each in writers:
        each.join(60)
    assert [each.exitcode for each in writers] == [0] * len(NUMBERS)
    limits = process(home).limits()
    assert [getattr(limits, name) for name in NUMBERS] == [EACH] * len(NUMBERS)
    journal = Journal(FileStorage(home / "data"), SystemClock())
    changes = [record.payload for record in journal.newest(kind=Kind.SETTINGS_CHANGE)]
    assert len(changes) == EACH * len(NUMBERS)
    for name in NUMBERS:
        own = [change["changes"][name] for change in reversed(changes) if name in change["changes"]]
        assert [after for _, after in own] == list(range(1, EACH + 1)), "each is on record once, in order"
        assert all(before == after for (_, before), (after, _) in pairwise(own))
    assert journal.verify().broken_at is None


class DyingConfig(DyingStorage):
    """Counts the writes of the configuration on the same count as those of the data."""

    def __init__(self, folder: Path, data: DyingStorage) -> None:
        super().__init__(folder, fsync=False)
        self._data = data

    def _die_here(self, name: str, first: Callable[[], None] = lambda: None) -> None:
        self._data._die_here(name, first)


def die(home: str, what: str, nth: int, torn: bool) -> None:
    """Change something, and end at that write."""
    storage = DyingStorage(Path(home) / "data", fsync=False)
    control = process(Path(home), storage)
    control._kept._own._config = DyingConfig(Path(home) / "config", storage)
    storage.nth, storage.torn = nth, torn
    ACTS[what](control)


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("halt", ("supervised", "", 10), ("supervised", "lunch", 10)),
        ("mode", ("supervised", "", 10), ("observe", "", 10)),
        ("limit", ("supervised", "", 10), ("supervised", "", 4)),
        ("resume", ("supervised", "lunch", 10), ("supervised", "", 10)),
    ],
)
@pytest.mark.parametrize("torn", [False, pytest.param(True, marks=pytest.mark.full)])
def test_killed_in_the_midst_of_a_change_it_is_made_or_not(
    tmp_path: Path, what: str, old: Any, new: Any, torn: bool
) -> None:
    ends = []
    for nth in range(1, 20):
        home = tmp_path / str(nth)
        (home / "config").mkdir(parents=True)
        (home / "config" / "risk.json").write_text("{}", encoding="utf-8")
        others = process(home)
        others.catch_up()
        if what == "resume":
            others.halt(HaltKind.PERSON, "lunch", actor="anna")
        assert standing(others) == old
        child = CONTEXT.Process(target=die, args=(str(home), what, nth, torn))
        child.start()
        child.join(30)
        assert standing(others) in {old, new}, "never a broken one"
        assert standing(process(home)) in {old, new}
        process(home).catch_up()
        recorded = any(record.actor == "anna" for record in _changes(home) if record.kind == KINDS[what])
        assert standing(others) == (new if recorded else old), "what is on record is in force"
        assert Journal(FileStorage(home / "data"), SystemClock()).verify().broken_at is None
        if child.exitcode == 0:
            break
        assert child.exitcode == DEAD
        ends.append(recorded)
        others.change_limits({"max_spread_points": 30}, actor="bert", reason="it goes on")
        assert others.limits().max_spread_points == 30
    assert set(ends) == {False, True}, "it died before the record, and after"
    assert standing(others) == new


KINDS = {
    "halt": Kind.HALT,
    "mode": Kind.MODE_CHANGE,
    "limit": Kind.SETTINGS_CHANGE,
    "resume": Kind.RESUME,
}


def _changes(home: Path) -> list[Any]:
    return list(Journal(FileStorage(home / "data"), SystemClock()).newest())
