"""A rulebook in force: in every process at once, on record, halting as the desk's own limits do."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.control.account import DeskAccount
from backend.control.challenge import FILE, ChallengeDesk
from backend.control.limits import KNOWN_RULEBOOK
from backend.control.state import HaltKind
from backend.core.errors import Invalid, Unavailable
from backend.economic_calendar.model import CalendarView, Event, Impact
from backend.journal.record import Kind
from backend.risk.presets import preset
from backend.risk.rulebook import RuledLimits, parse_rulebook
from tests.fakes.broker_rows import MAGIC
from tests.fakes.order_desk import UTC_CLOCK
from tests.unit.control.test_control import Files
from tests.unit.control.test_watch import BUY, Desk

RULES: dict[str, Any] = {
    "name": "test",
    "profit_target": 0.1,
    "daily_loss": {"limit": 0.04, "of": "initial"},
    "drawdown": {"limit": 0.06, "kind": "static"},
}
WIDE = {"daily_loss": {"limit": 0.5}, "drawdown": {"limit": 0.9, "kind": "static"}}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def path_of(files: Files) -> Path:
    return files.config / "prop_rulebook.json"


# --- the file and the journal


def test_it_is_in_force_in_every_process_at_once_and_on_record(files: Files) -> None:
    one, other = files.process(), files.process()
    assert (other.rulebook(), other.limits().reset_tz) == (None, None)
    before = other.engine()
    one.put_rulebook({**RULES, "risk_fraction": 0.002}, actor="anna", reason="the challenge begins")
    assert other.limits().risk_fraction == 0.002
    assert isinstance(other.limits(), RuledLimits)
    assert other.limits().max_positions == 3  # the desk's own stays
    assert other.engine() is not before
    assert other.limits() is other.limits()  # made once
    (told,) = files.told(Kind.SETTINGS_CHANGE)
    assert (told["file"], told["by"]) == ("config/prop_rulebook.json", "anna")
    assert told["reason"] == "the challenge begins"
    assert told["changes"]["profit_target"] == [None, 0.1]  # type: ignore[index]
    assert json.loads(path_of(files).read_text()) == {**RULES, "risk_fraction": 0.002}


def test_lifting_it_is_on_record_too(files: Files) -> None:
    one, other = files.process(), files.process()
    one.put_rulebook(RULES, actor="anna", reason="begin")
    assert other.rulebook() is not None
    one.put_rulebook(None, actor="bert", reason="over")
    assert (other.rulebook(), path_of(files).exists()) == (None, False)
    lifted, put = files.told(Kind.SETTINGS_CHANGE)
    assert (lifted["by"], lifted["after"], lifted["written"]) == ("bert", None, None)
    assert put["written"] == RULES
    one.catch_up()
    assert len(files.told(Kind.SETTINGS_CHANGE)) == 2


def test_the_limits_and_the_rulebook_are_changed_beside_each_other(files: Files) -> None:
    control = files.process()
    control.put_rulebook(RULES, actor="anna", reason="begin")
    control.change_limits({"max_positions": 7}, actor="anna", reason="")
    control.catch_up()
    assert (files.process().limits().max_positions, files.process().rulebook()) == (7, parse_rulebook(RULES))
    files_told = [told["file"] for told in files.told(Kind.SETTINGS_CHANGE)]
    assert files_told == ["config/risk.json", "config/prop_rulebook.json"]


@pytest.mark.parametrize(
    ("rules", "reason", "key"),
    [
        ({**RULES, "drawdown": {"limit": 2}}, "x", "drawdown.limit"),
        ({"profit_target": 0.1}, "x", "name"),
        ({**RULES, "leverage": 30}, "x", "leverage"),
    ],
)
def test_what_would_be_wrong_changes_nothing(files: Files, rules: Any, reason: str, key: str) -> None:
    control = files.process()
    control.put_rulebook(RULES, actor="anna", reason="begin")
    with pytest.raises(Invalid) as refused:
        control.put_rulebook(rules, actor="anna", reason=reason)
    assert (refused.value.code, refused.value.details["key"]) == ("bad_rulebook", key)
    assert files.process().rulebook() == parse_rulebook(RULES)
    assert len(files.told(Kind.SETTINGS_CHANGE)) == 1


def test_it_takes_a_reason(files: Files) -> None:
    with pytest.raises(Invalid, match="reason"):
        files.process().put_rulebook(RULES, actor="anna", reason="  ")
    assert not path_of(files).exists()


def test_an_edit_by_hand_is_in_force_at_once_and_recorded_once(files: Files) -> None:
    control = files.process()
    control.catch_up()
    path_of(files).write_text(json.dumps(RULES))
    assert control.rulebook() == parse_rulebook(RULES)
    for each in (control, files.process(), control):
        each.catch_up()
    path_of(files).unlink()
    assert control.rulebook() is None
    control.catch_up()
    gone, came = files.told(Kind.SETTINGS_CHANGE)
    assert (came["by"], came["reason"]) == ("file", "config/prop_rulebook.json was edited")
    assert gone["after"] is None


def test_a_rulebook_that_was_there_before_the_first_look_is_recorded(files: Files) -> None:
    path_of(files).write_text(json.dumps(RULES))
    files.process().catch_up()
    (told,) = files.told(Kind.SETTINGS_CHANGE)
    assert (told["by"], told["file"]) == ("file", "config/prop_rulebook.json")


def test_a_file_that_is_wrong_decides_nothing_and_is_named(files: Files) -> None:
    control = files.process()
    path_of(files).write_text("{")
    with pytest.raises(Invalid, match=r"config/prop_rulebook.json: it is not JSON"):
        control.limits()
    path_of(files).write_text('{"name": "x", "drawdown": {"limit": "much"}}')
    with pytest.raises(Invalid, match=r"config/prop_rulebook.json: drawdown.limit"):
        control.desk()


def _the_file_was_not_written(files: Files) -> None:
    path_of(files).unlink()
    (files.storage.path(KNOWN_RULEBOOK)).write_text('{"seq": 0, "rulebook": null}')


def _what_is_known_was_not_written(files: Files) -> None:
    (files.storage.path(KNOWN_RULEBOOK)).write_text('{"seq": 0, "rulebook": null}')


@pytest.mark.parametrize("undo", [_the_file_was_not_written, _what_is_known_was_not_written])
def test_what_a_killed_process_left_is_completed(files: Files, undo: Callable[[Files], None]) -> None:
    control = files.process()
    control.catch_up()
    control.put_rulebook(RULES, actor="anna", reason="begin")
    undo(files)
    other = files.process()
    other.catch_up()
    assert other.rulebook() == parse_rulebook(RULES)
    assert len(files.told(Kind.SETTINGS_CHANGE)) == 1


# --- the watch


class Ruled(Desk):
    """A desk with wide limits of its own, under a rulebook."""

    def __init__(self, data: Path, rules: dict[str, Any] = RULES, limits: Any = WIDE) -> None:
        super().__init__(data, limits)
        self.calendar = CalendarView.unknown("none")
        self.control.put_rulebook(rules, actor="anna", reason="begin")
        self.watch.look()

    def take_profit(self) -> None:
        """Close the only position, one lot bought."""
        (one,) = self.stage.api.positions_get()
        self.stage.api.order_send(
            {"action": 1, "position": one.ticket, "symbol": "EURUSD", "type": 1, "volume": 1.0}
        )

    def standing(self) -> dict[str, Any]:
        account = DeskAccount(
            self.records, self.client, self.dealer, self.client.instrument, self.control.limits, magic=MAGIC
        )
        desk = ChallengeDesk(
            account,
            self.dealer,
            self.control.limits,
            self.storage,
            self,
            UTC_CLOCK,
            calendar=lambda begin, end: self.calendar,
            instrument=self.client.instrument,
        )
        return desk.standing()


def test_the_rulebook_s_day_s_loss_halts_the_desk_at_its_limit(tmp_path: Path) -> None:
    desk = Ruled(tmp_path)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0963)  # 390 lost
    assert (desk.watch.look()["ended"], desk.halts()) == ({}, [])
    assert desk.standing()["room"] == {"daily_loss": "10.00", "drawdown": "210.00"}
    desk.stage.price(1.0962)  # 400: 4 % of 10,000
    desk.watch.look()
    assert desk.halts() == [HaltKind.DAILY_LOSS]
    assert "400.00 USD, 4.00% of 10000.00; the limit of the rulebook is 4.00%" in desk.control.state().reason
    found = desk.standing()
    assert found["challenge"]["state"] == "breached"
    assert found["challenge"]["breach"]["rule"] == "daily_loss"
    lost, allowed, beyond = (
        Decimal(found["challenge"]["breach"][key]) for key in ("lost", "allowed", "beyond")
    )
    assert (lost, allowed, beyond) == (Decimal(400), Decimal(400), Decimal(0))
    assert found["room"]["daily_loss"] == "0.00"


def test_a_breach_stays_on_record_when_a_person_has_resumed(tmp_path: Path) -> None:
    desk = Ruled(tmp_path)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0962)
    desk.watch.look()
    at = desk.standing()["challenge"]["breach"]["at"]
    desk.control.resume("seen", actor="anna")
    desk.stage.price(1.1100)
    desk.stage.go(minutes=5)
    desk.watch.look()
    found = desk.standing()["challenge"]
    assert (found["state"], found["breach"]["at"]) == ("breached", at)
    desk.control.put_rulebook({**RULES, "name": "another"}, actor="anna", reason="a new challenge")
    assert desk.standing()["challenge"]["state"] == "running"


def test_the_desk_s_own_limit_that_is_nearer_halts_and_breaks_no_rule(tmp_path: Path) -> None:
    desk = Ruled(tmp_path, limits={**WIDE, "daily_loss": {"limit": 0.02}})
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0982)  # 200
    desk.watch.look()
    assert desk.halts() == [HaltKind.DAILY_LOSS]
    assert desk.standing()["challenge"]["state"] == "running"
    assert desk.storage.read_json_or(FILE, None) is None


def test_after_the_desk_s_own_halt_was_lifted_the_rulebook_s_limit_halts_again(tmp_path: Path) -> None:
    desk = Ruled(tmp_path, limits={**WIDE, "daily_loss": {"limit": 0.02}})
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0982)
    desk.watch.look()
    desk.control.resume("I take it from here", actor="anna")
    desk.stage.price(1.0965)  # 370
    desk.watch.look()
    assert desk.halts() == []
    desk.stage.price(1.0962)  # 400
    for _ in range(2):
        desk.watch.look()
        desk.another().look()
    assert desk.halts() == [HaltKind.DAILY_LOSS]
    assert len(desk.ends) == 2


def test_a_rulebook_that_comes_back_halts_again(tmp_path: Path) -> None:
    rules = {"name": "test", "drawdown": {"limit": 0.03, "kind": "static"}}
    desk = Ruled(tmp_path, rules)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.0972)
    desk.watch.look()
    desk.control.put_rulebook(None, actor="anna", reason="over")
    desk.control.resume("without it", actor="anna")
    desk.watch.look()
    assert desk.halts() == []
    desk.control.put_rulebook(rules, actor="anna", reason="again")
    desk.watch.look()
    assert desk.halts() == [HaltKind.DRAWDOWN]


def test_a_drawdown_by_the_rulebook_closes_where_the_limits_say_so(tmp_path: Path) -> None:
    rules = {"name": "test", "drawdown": {"limit": 0.03, "kind": "trailing", "of": "initial"}}
    desk = Ruled(tmp_path, rules, {**WIDE, "on_breach": "halt_and_close"})
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.1052)  # +500 is the peak
    desk.watch.look()
    desk.stage.price(1.1022)  # 300 below it
    desk.watch.look()
    assert desk.halts() == [HaltKind.DRAWDOWN]
    assert desk.stage.api.positions_total() == 0


# --- the challenge


def test_profit_days_and_best_day_come_from_the_deals(tmp_path: Path) -> None:
    desk = Ruled(tmp_path)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.1052)
    floats = desk.standing()["challenge"]
    assert (float(floats["profit"]), floats["trading_days"], floats["best_day"]) == (0.0, 1, None)
    desk.take_profit()
    told = desk.standing()["challenge"]
    assert Decimal(told["profit"]) == 500
    assert (told["target"], told["progress"]) == ("1000.0", 0.5)
    assert (told["trading_days"], told["state"]) == (1, "running")
    assert Decimal(told["best_day"]["profit"]) == 500
    assert told["best_day_share"] == 1.0
    assert told["best_day"]["day"] == desk.now().date().isoformat()


def test_it_is_passed_when_the_day_has_ended(tmp_path: Path) -> None:
    desk = Ruled(tmp_path, {**RULES, "profit_target": 0.05})
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.1052)
    desk.take_profit()
    won_on: date = desk.now().date()
    assert desk.standing()["challenge"]["state"] == "running"
    desk.stage.price(1.1052, seconds=timedelta(days=1).total_seconds())
    found = desk.standing()["challenge"]
    assert (found["state"], found["passed_on"]) == ("passed", won_on.isoformat())


def test_what_cannot_be_told_says_why_and_is_nothing(tmp_path: Path) -> None:
    desk = Ruled(tmp_path)
    account = desk.client.account

    def down() -> Any:
        raise Unavailable("terminal_offline", "no connection")

    desk.client.account = down  # type: ignore[method-assign]
    found = desk.standing()
    assert (found["measured"], found["reason"], found["challenge"]) == (False, "no connection", None)
    desk.client.account = account  # type: ignore[method-assign]
    desk.control.put_rulebook(None, actor="anna", reason="over")
    found = desk.standing()
    assert (found["measured"], found["reason"]) == (False, "no rulebook is in force")


def test_deals_that_do_not_explain_the_balance_tell_no_days(tmp_path: Path) -> None:
    desk = Ruled(tmp_path)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.1052)
    desk.take_profit()
    desk.standing()
    history = desk.dealer.deals
    desk.dealer.deals = lambda since, until=None: tuple(  # type: ignore[method-assign]
        deal for deal in history(since, until) if not deal.trade
    )
    found = desk.standing()
    assert (found["measured"], found["challenge"]) == (False, None)
    assert "deals book 0.00 of its profit of 500.00" in found["reason"]


def test_the_day_of_a_deal_is_that_of_the_rulebook_s_zone(tmp_path: Path) -> None:
    rules = {**RULES, "daily_loss": {"limit": 0.5, "of": "initial", "reset_tz": "Pacific/Kiritimati"}}
    desk = Ruled(tmp_path, rules)
    desk.open(BUY, 1.0, sl=0.9)
    desk.stage.price(1.1052)
    desk.take_profit()
    local = (desk.now() + timedelta(hours=14)).date()  # the day begins first on these islands
    assert local != desk.now().date()
    assert desk.standing()["challenge"]["best_day"]["day"] == local.isoformat()


def to_saturday(desk: Ruled, seconds: float) -> None:
    """So many seconds past the broker's Saturday 00:00, the price where it was."""
    days = (5 - desk.now().weekday()) % 7 or 7
    midnight = desk.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)
    desk.stage.price(1.1000, seconds=(midnight - desk.now()).total_seconds() + seconds)


def test_a_position_of_somebody_else_held_over_the_weekend_breaks_the_ban(tmp_path: Path) -> None:
    desk = Ruled(tmp_path, {"name": "test", "flat_before_weekend": True})
    desk.stage.deal(BUY, 1.0, sl=0.9, magic=MAGIC + 1)
    to_saturday(desk, -1)
    found = desk.standing()
    assert (found["challenge"]["state"], found["bans"]["flat_before_weekend"]["broken"]) == ("running", 0)
    friday = desk.now().date()
    to_saturday(desk, 2)
    found = desk.standing()
    breach = found["challenge"]["breach"]
    assert (breach["rule"], breach["day"], breach["lost"]) == (
        "flat_before_weekend",
        friday.isoformat(),
        None,
    )
    assert breach["at"] == f"{friday + timedelta(days=1)}T00:00:00Z"
    assert found["bans"]["flat_before_weekend"]["judged"] == 1


def test_an_entry_around_news_breaks_the_ban_where_the_calendar_is_known(tmp_path: Path) -> None:
    desk = Ruled(tmp_path, {"name": "test", "news": {"minutes_before": 2, "minutes_after": 2}})
    desk.open(BUY, 1.0, sl=0.9)
    found = desk.standing()
    assert (found["bans"], found["challenge"]["state"]) == ({}, "running")
    assert found["notes"][-1] == "news: there is no calendar of the past"
    entered = desk.now().replace(microsecond=0)
    release = Event(
        key="r", title="Rates", currency="EUR", impact=Impact.HIGH, at=entered + timedelta(minutes=1)
    )
    desk.calendar = CalendarView(
        known=True,
        covered_from=entered - timedelta(days=9),
        covered_to=entered + timedelta(days=9),
        events=(release,),
    )
    found = desk.standing()
    assert found["challenge"]["breach"]["rule"] == "news"
    assert found["bans"]["news"]["broken"] == 1


def test_a_preset_is_put_in_force_as_it_is(files: Files) -> None:
    one = preset("two-step-1")
    control = files.process()
    control.put_rulebook(one.model_dump(mode="json", exclude_defaults=True), actor="a", reason="begin")
    assert files.process().rulebook() == one
