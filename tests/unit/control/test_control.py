"""Mode, limits and halts over files: seen by others at once, on record first, closed when in doubt."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.control.desk import FILE, Control
from backend.control.limits import KNOWN
from backend.control.state import HaltKind
from backend.core.errors import Conflict, Invalid
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.storage.files import FileStorage
from backend.trading.desk import Mode
from tests.fakes.desk import MovedClock

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Files:
    """A folder with a configuration, and any number of processes on it."""

    def __init__(self, root: Path) -> None:
        self.config = root / "config"
        self.config.mkdir()
        self.clock = MovedClock(AT)
        self.storage = FileStorage(root / "data", fsync=False)
        self.risk = self.config / "risk.json"
        self.risk.write_text('{"max_positions": 3}')

    def process(self) -> Control:
        return Control(self.config, self.storage, self.journal, self.clock)

    @property
    def journal(self) -> Journal:
        return Journal(self.storage, self.clock)

    def told(self, kind: Kind) -> list[dict[str, object]]:
        return [dict(record.payload) for record in self.journal.newest(kind=kind)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# --- halts


def test_a_halt_is_seen_by_every_process_and_after_a_restart(files: Files) -> None:
    one, other = files.process(), files.process()
    assert not other.state().halted
    one.halt(HaltKind.PERSON, "lunch", actor="anna")
    assert other.state().reason == files.process().state().reason == "lunch"
    assert other.desk().halted == "lunch"
    other.resume("back", actor="bert")
    assert not one.state().halted
    assert [told["by"] for told in files.told(Kind.HALT)] == ["anna"]
    (resumed,) = files.told(Kind.RESUME)
    assert (resumed["by"], resumed["reason"]) == ("bert", "back")


def test_halts_of_several_kinds_stand_beside_each_other_and_each_is_told_once(files: Files) -> None:
    control = files.process()
    control.halt(HaltKind.DAILY_LOSS, "the day lost 5.1 %", actor="desk")
    control.halt(HaltKind.DAILY_LOSS, "the day lost 5.2 %", actor="desk")
    state = control.halt(HaltKind.KILL_SWITCH, "everything off", actor="anna")
    assert state.reason == "the day lost 5.1 %; everything off"
    assert len(files.told(Kind.HALT)) == 2
    files.clock.move(minutes=5)
    lifted = control.resume("looked at it", actor="anna").lifted
    assert lifted == dict.fromkeys((HaltKind.DAILY_LOSS, HaltKind.KILL_SWITCH), "2026-03-02T12:05:00Z")


def test_resuming_needs_a_halt_and_a_reason(files: Files) -> None:
    control = files.process()
    with pytest.raises(Conflict, match="not halted"):
        control.resume("why not", actor="anna")
    control.halt(HaltKind.PERSON, "lunch", actor="anna")
    with pytest.raises(Invalid, match="reason"):
        control.resume("  ", actor="anna")
    assert control.state().halted


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"halts": 3}', b'{"halts": [], "lifted": {}}'])
def test_a_state_that_cannot_be_read_halts_until_a_person_resumes(files: Files, damage: bytes) -> None:
    files.process().halt(HaltKind.PERSON, "lunch", actor="anna")
    files.process().resume("back", actor="anna")
    path = files.storage.path(FILE)
    path.write_bytes(damage)
    control = files.process()
    assert control.state().of(HaltKind.STATE_LOST)
    control.catch_up()
    assert path.read_bytes() == damage, "nobody but a person changes it"
    control.resume("the disk was full", actor="anna")
    assert not files.process().state().halted
    (aside,) = path.parent.glob("desk.damaged-*.json")
    assert aside.read_bytes() == damage


def test_of_a_state_that_is_gone_the_journal_tells(files: Files) -> None:
    files.process().halt(HaltKind.KILL_SWITCH, "off", actor="anna")
    files.storage.path(FILE).unlink()
    assert files.process().state().reason == "off"


def test_a_halt_that_only_the_journal_has_is_completed_by_any_other(files: Files) -> None:
    files.process().halt(HaltKind.PERSON, "lunch", actor="anna")
    before = files.storage.read_bytes(FILE)
    files.process().resume("back", actor="anna")
    files.storage.write_bytes(FILE, before)  # as if killed between the record and the file
    files.process().catch_up()
    assert not files.process().state().halted


# --- limits


def test_a_change_is_in_force_in_every_process_and_on_record_with_before_and_after(files: Files) -> None:
    one, other = files.process(), files.process()
    assert other.limits().max_positions == 3
    one.change_limits({"max_positions": 5, "daily_loss": {"limit": 0.02}}, actor="anna", reason="careful")
    assert (other.limits().max_positions, other.limits().daily_loss.limit) == (5, 0.02)
    (told,) = files.told(Kind.SETTINGS_CHANGE)
    assert told["by"] == "anna"
    assert told["changes"]["max_positions"] == [3, 5]  # type: ignore[index]
    assert json.loads(files.risk.read_text()) == {"max_positions": 5, "daily_loss": {"limit": 0.02}}


def test_null_takes_a_key_back_to_its_default(files: Files) -> None:
    assert files.process().change_limits({"max_positions": None}, actor="a", reason="").max_positions == 10
    assert json.loads(files.risk.read_text()) == {}


@pytest.mark.parametrize(
    ("patch", "key"),
    [
        ({"risk_fraction": 2}, "risk_fraction"),
        ({"max_position": 2}, "max_position"),
        ({"max_positions": 4, "daily_loss": {"limit": -1}}, "daily_loss.limit"),
        ({"thresholds": {"autonomous": 120}}, "thresholds"),
    ],
)
def test_what_would_be_wrong_changes_nothing(files: Files, patch: dict[str, object], key: str) -> None:
    with pytest.raises(Invalid) as refused:
        files.process().change_limits(patch, actor="anna", reason="")
    assert str(refused.value.details["key"]).startswith(key)
    assert json.loads(files.risk.read_text()) == {"max_positions": 3}
    assert not files.told(Kind.SETTINGS_CHANGE)


def test_the_mode_is_changed_with_a_reason_and_under_its_own_kind(files: Files) -> None:
    control = files.process()
    with pytest.raises(Invalid, match="reason"):
        control.set_mode(Mode.AUTONOMOUS, actor="anna", reason="")
    control.set_mode(Mode.AUTONOMOUS, actor="anna", reason="tested for a month")
    assert files.process().desk().mode is Mode.AUTONOMOUS
    (told,) = files.told(Kind.MODE_CHANGE)
    assert (told["reason"], told["changes"]) == ("tested for a month", {"mode": ["supervised", "autonomous"]})


def test_a_change_to_what_stands_already_is_none(files: Files) -> None:
    files.process().change_limits({"max_positions": 3}, actor="anna", reason="")
    assert not files.told(Kind.SETTINGS_CHANGE)


def test_an_edit_by_hand_is_in_force_at_once_and_recorded_once(files: Files) -> None:
    control = files.process()
    control.catch_up()
    files.risk.write_text('{"max_positions": 7}')
    assert control.limits().max_positions == 7
    for each in (control, files.process(), control):
        each.catch_up()
    (told,) = files.told(Kind.SETTINGS_CHANGE)
    assert (told["by"], told["changes"]) == ("file", {"max_positions": [3, 7]})


def test_a_file_that_is_wrong_is_named_and_halts_nothing_else(files: Files) -> None:
    control = files.process()
    control.halt(HaltKind.PERSON, "lunch", actor="anna")
    files.risk.write_text('{"max_positions": "many"}')
    with pytest.raises(Invalid, match=r"config/risk.json: max_positions"):
        control.limits()
    with pytest.raises(Invalid, match=r"config/risk.json"):
        control.catch_up()
    assert control.state().halted


def _before_the_file(files: Files) -> None:
    files.risk.write_text('{"max_positions": 3}')


def _before_the_record_of_it(files: Files) -> None:
    del files


@pytest.mark.parametrize("undo", [_before_the_file, _before_the_record_of_it])
def test_a_change_that_a_killed_process_left_half_done_is_completed(
    files: Files, undo: Callable[[Files], None]
) -> None:
    control = files.process()
    control.catch_up()
    known = files.storage.read_bytes(KNOWN)
    control.change_limits({"max_positions": 5}, actor="anna", reason="")
    undo(files)
    files.storage.write_bytes(KNOWN, known)
    files.process().catch_up()
    assert files.process().limits().max_positions == 5
    assert [told["by"] for told in files.told(Kind.SETTINGS_CHANGE)] == ["anna"]
