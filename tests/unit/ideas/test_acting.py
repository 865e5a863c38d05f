"""Acts on ideas over the simulated market: judged again at current prices, on record, with reasons."""

import json
import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.control.state import HaltKind
from backend.core.clock import iso
from backend.core.errors import Conflict, Invalid, Unavailable
from backend.economic_calendar.model import CalendarView
from backend.ideas.acting import IdeaDesk
from backend.ideas.lifecycle import Act, Status
from backend.ideas.steps import replayed
from backend.journal.record import Entry, Kind
from tests.fakes.desk import ROOT, SimulatedDesk, simulated_desk

FIRST = datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC)  # a Wednesday; the bar of 9:45 has just closed
QUARTER = timedelta(minutes=15)
Build = Callable[..., SimulatedDesk]


def strategy(**rules: Any) -> dict[str, Any]:
    """A strategy that signals on every bar."""
    return {
        "id": "ALWAYS",
        "symbol": "EURUSD",
        "timeframe": "M15",
        "conditions": {"entry": ["close > 0"]},
        "strategy": {"direction": "long", "news_embargo_minutes": 0} | rules,
    }


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A desk with one strategy that always signals, and limits as given; again: another process."""

    def make(
        at: datetime = FIRST, *, rules: dict[str, Any] | None = None, limits: dict[str, Any] | None = None
    ) -> SimulatedDesk:
        config = tmp_path / "config"
        if not config.exists():
            shutil.copytree(ROOT / "config", config)
            for path in (config / "ai" / "strategies").iterdir():
                path.unlink()
            stated = json.dumps(strategy(**(rules or {})))
            (config / "ai" / "strategies" / "ALWAYS.json").write_text(stated, encoding="utf-8")
        if limits is not None:
            (config / "risk.json").write_text(json.dumps(limits), encoding="utf-8")
        return simulated_desk(tmp_path / "data", at, config=config)

    return make


def proposal(desk: SimulatedDesk) -> dict[str, Any]:
    """The idea that evaluating now makes."""
    result = desk.ideas.evaluate_all(trigger="test")
    assert result["problems"] == []
    (made,) = result["ideas"]
    return desk.book.get(made)


def actions(desk: SimulatedDesk, idea: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(s["action"], s["status"], s["by"]) for s in desk.book.get(idea["id"])["history"]]


def test_approving_judges_again_at_current_prices_and_has_it_sent(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    desk.clock.move(seconds=40)
    done = desk.acts.approve(idea["id"], actor="ann", why="looks good")
    quote = desk.market.quote("EURUSD")
    assert (done["status"], done["sent"], desk.sent) == ("approved", True, [idea["id"]])
    assert done["entry"] == float(quote.ask)
    assert round((done["entry"] - done["stop"]) / idea["tick_size"]) == idea["stop_ticks"]
    assert round((done["target"] - done["entry"]) / idea["tick_size"]) == idea["target_ticks"]
    step = done["history"][-1]
    assert (step["by"], step["why"], step["at"]) == ("ann", "looks good", iso(desk.clock.now()))
    if done["entry"] != idea["entry"]:
        assert step["changes"]["entry"] == [idea["entry"], done["entry"]]


def test_a_refusal_is_a_conflict_with_reasons_on_record_and_changes_nothing(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    desk.control.halt(HaltKind.PERSON, "the kill switch", actor="ben")
    with pytest.raises(Conflict) as error:
        desk.acts.approve(idea["id"], actor="ann")
    assert error.value.code == "gate_refused"
    assert [r["check"] for r in error.value.details["refusals"]] == ["halted"]
    assert "the kill switch" in error.value.message
    seen = desk.book.get(idea["id"])
    assert (seen["status"], desk.sent) == ("pending_approval", [])
    step = seen["history"][-1]
    assert (step["action"], step["status"], step["by"]) == ("approve", "pending_approval", "ann")
    assert step["details"]["refusals"][0]["check"] == "halted"
    assert desk.journal.find(Kind.IDEA_STEP, f"{idea['id']}:2").payload["details"] == step["details"]
    desk.control.resume("all is well", actor="ben")
    assert desk.acts.approve(idea["id"], actor="ann")["status"] == "approved"


def test_a_price_that_ran_away_refuses(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    data = desk.book.step(
        idea["id"], Act.MODIFY, actor="test", changes={"reference": round(idea["reference"] - idea["atr"], 5)}
    )
    with pytest.raises(Conflict) as error:
        desk.acts.approve(data["id"], actor="ann")
    assert [r["check"] for r in error.value.details["refusals"]] == ["drift"]


def test_news_since_the_bar_refuse(build: Build) -> None:
    desk = build(rules={"news_embargo_minutes": 30}, limits={"embargo_when_calendar_unknown": "block"})
    idea = proposal(desk)
    desk.calendar.view = CalendarView.unknown("the provider does not answer")
    with pytest.raises(Conflict) as error:
        desk.acts.approve(idea["id"], actor="ann")
    assert [r["check"] for r in error.value.details["refusals"]] == ["calendar_known"]


def test_two_ideas_of_one_strategy_and_side_are_not_both_approved(build: Build) -> None:
    desk = build()
    first = proposal(desk)
    desk.acts.approve(first["id"], actor="ann")
    desk.clock.at = FIRST + QUARTER
    second = proposal(desk)
    with pytest.raises(Conflict) as error:
        desk.acts.approve(second["id"], actor="ann")
    assert [r["check"] for r in error.value.details["refusals"]] == ["duplicate"]


def test_a_symbol_whose_last_order_is_unknown_waits(build: Build) -> None:
    desk = build()
    first = proposal(desk)
    desk.acts.approve(first["id"], actor="ann")
    desk.book.step(first["id"], Act.SEND, actor="desk")
    desk.book.step(first["id"], Act.NO_ANSWER, actor="desk")
    desk.clock.at = FIRST + QUARTER
    second = proposal(desk)
    with pytest.raises(Conflict) as error:
        desk.acts.approve(second["id"], actor="ann")
    assert "unknown_order" in [r["check"] for r in error.value.details["refusals"]]


BAD_NUMBERS = [
    ("volume", 0, "above zero"),
    ("volume", -0.1, "above zero"),
    ("volume", math.nan, "above zero"),
    ("volume", math.inf, "above zero"),
    ("volume", 0.015, "whole steps of 0.01"),
    ("volume", 0.001, "takes 0.01 to"),
    ("volume", 1e9, "takes 0.01 to"),
    ("stop", 0, "above zero"),
    ("stop", math.nan, "above zero"),
    ("stop", 1.0812345, "steps of"),
    ("target", -1, "above zero"),
    ("entry", math.inf, "above zero"),
    ("colour", 1, "no 'colour'"),
]


@pytest.mark.parametrize("way", ["approve", "modify", "preview"])
@pytest.mark.parametrize(("field", "value", "why"), BAD_NUMBERS)
def test_what_is_no_price_or_volume_of_the_symbol_is_refused_and_changes_nothing(
    build: Build, way: str, field: str, value: float, why: str
) -> None:
    desk = build()
    idea = proposal(desk)
    with pytest.raises(Invalid, match=why) as error:
        act(desk, way, idea["id"], {field: value})
    assert (error.value.code, error.value.details["field"]) == ("bad_override", field)
    assert desk.book.get(idea["id"]) == idea


def act(desk: SimulatedDesk, way: str, idea_id: str, overrides: dict[str, float | None]) -> dict[str, Any]:
    if way == "preview":
        return desk.acts.preview(idea_id, overrides)
    if way == "modify":
        return desk.acts.modify(idea_id, actor="ann", overrides=overrides)
    return desk.acts.approve(idea_id, actor="ann", overrides=overrides)


@pytest.mark.parametrize("way", ["approve", "modify"])
@pytest.mark.parametrize(
    ("field", "ticks", "why"),
    [
        ("stop", 50, "on the wrong side"),
        ("stop", -3, "ticks away, the broker takes"),
        ("target", -50, "on the wrong side"),
    ],
)
def test_a_stop_or_target_that_the_broker_would_not_take_is_refused(
    build: Build, way: str, field: str, ticks: int, why: str
) -> None:
    desk = build()
    idea = proposal(desk)
    price = round(float(desk.market.quote("EURUSD").ask) + ticks * idea["tick_size"], 5)
    with pytest.raises(Invalid, match=why) as error:
        act(desk, way, idea["id"], {field: price})
    assert error.value.details["field"] == field
    assert desk.book.get(idea["id"]) == idea
    assert field in desk.acts.preview(idea["id"], {field: price})["fields"]


@pytest.mark.parametrize("way", ["approve", "modify"])
def test_a_volume_that_risks_more_than_one_trade_may_is_a_conflict(build: Build, way: str) -> None:
    desk = build()
    idea = proposal(desk)
    with pytest.raises(Conflict, match="is allowed for one trade") as error:
        act(desk, way, idea["id"], {"volume": round(idea["volume"] * 2, 2)})
    assert error.value.code == "too_much_risk"
    assert desk.book.get(idea["id"]) == idea


def test_a_stop_moved_away_makes_the_volume_smaller_and_a_fixed_volume_too_risky(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    far = round(idea["entry"] - 3 * idea["stop_ticks"] * idea["tick_size"], 5)
    shown = desk.acts.preview(idea["id"], {"stop": far, "target": None})
    assert shown["volume"] < idea["volume"] / 2
    assert shown["risk_money"] <= idea["risk_money"] * 1.02
    assert [r["check"] for r in shown["refusals"]] == ["reward_to_risk"]
    with pytest.raises(Conflict) as error:
        desk.acts.approve(idea["id"], actor="ann", overrides={"stop": far, "volume": idea["volume"]})
    assert error.value.code == "too_much_risk"


def test_what_a_person_set_stays_absolute_and_can_be_given_back(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    stop = round(idea["stop"] + 10 * idea["tick_size"], 5)
    half = round(math.floor(idea["volume"] * 50) / 100, 2)
    changed = desk.acts.modify(
        idea["id"], actor="ann", overrides={"stop": stop, "volume": half}, notes="nearer", why="calm market"
    )
    assert (changed["stop"], changed["volume"], changed["remark"]) == (stop, half, "nearer")
    assert changed["reward_to_risk"] > idea["reward_to_risk"]
    assert changed["history"][-1]["changes"]["stop"] == [idea["stop"], stop]
    desk.clock.move(minutes=2)
    later = desk.acts.preview(idea["id"])
    assert (later["stop"], later["volume"]) == (stop, half)
    back = desk.acts.modify(idea["id"], actor="ann", overrides={"stop": None, "volume": None})
    assert back["fixed"] == {}
    assert round((back["entry"] - back["stop"]) / idea["tick_size"]) == idea["stop_ticks"]
    assert replayed(back["history"]) is Status.PENDING_APPROVAL


@pytest.mark.parametrize(("ticks", "kind"), [(-20, "limit"), (20, "stop")])
def test_an_entry_makes_a_pending_order_of_the_kind_that_lies_there(
    build: Build, ticks: int, kind: str
) -> None:
    desk = build()
    idea = proposal(desk)
    price = round(float(desk.market.quote("EURUSD").ask) + ticks * idea["tick_size"], 5)
    changed = desk.acts.modify(idea["id"], actor="ann", overrides={"entry": price})
    assert (changed["order_type"], changed["expiry_bars"], changed["entry"]) == (kind, 3, price)
    assert round((price - changed["stop"]) / idea["tick_size"]) == idea["stop_ticks"]
    back = desk.acts.modify(idea["id"], actor="ann", overrides={"entry": None})
    assert (back["order_type"], back["expiry_bars"]) == ("market", None)


def test_a_limit_does_not_become_a_stop(build: Build) -> None:
    desk = build(rules={"order": {"type": "limit", "offset_atr": 0.2, "expiry_bars": 5}})
    idea = proposal(desk)
    assert idea["order_type"] == "limit"
    above = round(float(desk.market.quote("EURUSD").ask) + 0.001, 5)
    with pytest.raises(Invalid, match="a buy limit order lies below the price"):
        desk.acts.modify(idea["id"], actor="ann", overrides={"entry": above})
    below = round(idea["entry"] - 5 * idea["tick_size"], 5)
    changed = desk.acts.modify(idea["id"], actor="ann", overrides={"entry": below})
    assert (changed["order_type"], changed["expiry_bars"], changed["entry"]) == ("limit", 5, below)


def test_rejecting_needs_a_reason_and_is_final(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    for empty in ("", "  "):
        with pytest.raises(Invalid, match="say why"):
            desk.acts.reject(idea["id"], actor="ann", why=empty)
    assert desk.acts.reject(idea["id"], actor="ann", why="news at noon")["status"] == "rejected"
    acts: list[Callable[[], object]] = [
        lambda: desk.acts.approve(idea["id"], actor="ann"),
        lambda: desk.acts.modify(idea["id"], actor="ann", notes="x"),
        lambda: desk.acts.cancel(idea["id"], actor="ann"),
        lambda: desk.acts.reject(idea["id"], actor="ann", why="again"),
        lambda: desk.acts.preview(idea["id"]),
    ]
    for again in acts:
        with pytest.raises(Conflict, match="rejected"):
            again()
    assert actions(desk, idea) == [
        ("propose", "pending_approval", "desk"),
        ("reject", "rejected", "ann"),
    ]


def test_cancelling_before_and_after_approval(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    desk.acts.approve(idea["id"], actor="ann")
    assert desk.acts.cancel(idea["id"], actor="ben", why="too late")["status"] == "cancelled"
    desk.clock.at = FIRST + QUARTER
    other = proposal(desk)
    assert desk.acts.cancel(other["id"], actor="ben")["status"] == "cancelled"


def test_cancelling_a_placed_order_goes_to_the_broker(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    desk.acts.approve(idea["id"], actor="ann")
    desk.book.step(idea["id"], Act.SEND, actor="desk")
    desk.book.step(idea["id"], Act.PLACE, actor="desk")
    asked: list[tuple[str, str, str]] = []

    def remove(idea_id: str, actor: str, why: str) -> None:
        asked.append((idea_id, actor, why))

    acts = IdeaDesk(
        book=desk.book, judge=desk.judge, clock=desk.clock, send=desk.sent.append, cancel_order=remove
    )
    acts.cancel(idea["id"], actor="ann", why="enough")
    assert asked == [(idea["id"], "ann", "enough")]


@pytest.mark.parametrize(
    ("limits", "lives"), [({}, 15 * 60 + 60), ({"idea_expires_after_seconds": 120}, 120)]
)
def test_an_idea_expires_at_the_next_close_and_a_minute_or_sooner(
    build: Build, limits: dict[str, Any], lives: int
) -> None:
    desk = build(limits=limits)
    idea = proposal(desk)
    closed = FIRST.replace(second=0)
    desk.clock.at = closed + timedelta(seconds=lives - 1)
    assert desk.acts.expire()["expired"] == []
    desk.clock.at = closed + timedelta(seconds=lives)
    assert desk.acts.expire() == {"expired": [idea["id"]], "mended": [], "resent": [], "problems": []}
    assert actions(desk, idea)[-1] == ("expire", "expired", "desk")
    assert desk.acts.expire()["expired"] == []


def test_approving_after_the_end_is_a_conflict_and_expires_it(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    desk.clock.at = FIRST + timedelta(minutes=17)
    with pytest.raises(Conflict, match="nobody approved it by"):
        desk.acts.approve(idea["id"], actor="ann")
    assert desk.book.get(idea["id"])["status"] == "expired"


def test_an_approved_idea_that_nobody_sends_is_sent_again_and_then_expires(build: Build) -> None:
    desk = build()
    idea = proposal(desk)

    def down(idea_id: str) -> None:
        raise Unavailable("broker_unavailable", f"no broker for {idea_id}")

    acts = IdeaDesk(book=desk.book, judge=desk.judge, clock=desk.clock, send=down)
    done = acts.approve(idea["id"], actor="ann")
    assert (done["status"], done["sent"]) == ("approved", False)
    assert "no broker" in done["notice"]
    assert desk.acts.expire()["resent"] == []
    desk.clock.move(seconds=20)
    assert acts.expire()["problems"][0]["code"] == "broker_unavailable"
    assert desk.acts.expire()["resent"] == desk.sent == [idea["id"]]
    desk.clock.at = FIRST + timedelta(minutes=17)
    assert desk.acts.expire()["expired"] == [idea["id"]]


def test_a_newer_idea_supersedes_one_that_waits_and_only_that(build: Build) -> None:
    desk = build()
    first = proposal(desk)
    desk.clock.at = FIRST + QUARTER
    second = proposal(desk)
    assert desk.book.get(first["id"])["status"] == "superseded"
    assert desk.book.get(first["id"])["history"][-1]["details"] == {"by": second["id"]}
    desk.acts.approve(second["id"], actor="ann")
    desk.clock.at = FIRST + 2 * QUARTER
    third = proposal(desk)
    assert desk.book.get(second["id"])["status"] == "approved"
    desk.ideas.evaluate_all(trigger="again")
    assert desk.book.get(third["id"])["status"] == "pending_approval"


def test_the_desk_approves_in_autonomous_mode_what_nothing_refuses(build: Build) -> None:
    desk = build(limits={"mode": "autonomous"})
    idea = proposal(desk)
    assert actions(desk, idea) == [("propose", "pending_approval", "desk"), ("approve", "approved", "desk")]
    assert desk.sent == [idea["id"]]


@pytest.mark.parametrize(
    "limits",
    [
        {"mode": "supervised"},
        {"mode": "autonomous", "thresholds": {"autonomous": 99.9}},
    ],
)
def test_the_desk_does_not_approve_otherwise(build: Build, limits: dict[str, Any]) -> None:
    desk = build(limits=limits)
    idea = proposal(desk)
    assert (idea["status"], desk.sent) == ("pending_approval", [])


def test_an_unknown_commission_keeps_the_desk_from_approving(build: Build, tmp_path: Path) -> None:
    build()
    for path in (tmp_path / "config" / "ai" / "profiles").glob("*.json"):
        stated = json.loads(path.read_text(encoding="utf-8"))
        stated.pop("commission_per_lot", None)
        path.write_text(json.dumps(stated), encoding="utf-8")
    desk = build(limits={"mode": "autonomous", "commission_per_lot": None})
    assert proposal(desk)["status"] == "pending_approval"
    assert desk.sent == []


def test_nothing_is_decided_while_the_terminal_is_down(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = build()
    idea = proposal(desk)

    def down(symbol: str) -> None:
        raise Unavailable("terminal_down", f"no terminal for {symbol}")

    monkeypatch.setattr(desk.market, "quote", down)
    with pytest.raises(Unavailable):
        desk.acts.approve(idea["id"], actor="ann")
    assert desk.book.get(idea["id"]) == idea


def sent(desk: SimulatedDesk, idea: dict[str, Any], *, kind: str = "open") -> None:
    """As the sender does."""
    entry = Entry(
        kind=Kind.ORDER_INTENT, payload={"kind": kind, "idea": idea["id"]}, key=f"o-{idea['id']}-{kind}"
    )
    desk.book.step(idea["id"], Act.SEND, actor="desk", entries=[entry])


def test_the_pace_counts_entries_and_orders_and_bars_since_a_close(build: Build) -> None:
    desk = build(rules={"cooldown_bars": 3, "max_trades_per_day": 2})
    first = proposal(desk)
    desk.acts.approve(first["id"], actor="ann")
    sent(desk, first)
    lately = desk.judge.pace()
    assert (lately.entries, lately.orders) == ({"ALWAYS": 1}, 1)
    desk.clock.move(seconds=61)
    assert desk.judge.pace().orders == 0
    desk.book.step(first["id"], Act.DEALT, actor="desk")
    desk.book.step(first["id"], Act.CLOSE, actor="desk", changes={"result": {"closed_at": iso(FIRST)}})
    refusals = []
    for number in range(1, 5):
        desk.clock.at = FIRST + number * QUARTER
        desk.ideas.evaluate_all(trigger="test")
        newest = next(desk.journal.newest(kind=Kind.DECISION)).payload
        refusals.append((newest["measured"]["cooldown"], [r["check"] for r in newest["refusals"]]))
    # It closed in the bar of 10:00; the bar decided at 10:15 is that very one.
    assert refusals == [(0.0, ["cooldown"]), (1.0, ["cooldown"]), (2.0, ["cooldown"]), (3.0, [])]
    (idea,) = desk.book.find(Status.PENDING_APPROVAL)
    shown = {row["check"]: row for row in desk.acts.preview(idea["id"])["checks"]}
    assert (shown["cooldown"]["measured"], shown["cooldown"]["bound"]) == (4.0, 3.0)
    assert (shown["trades_strategy"]["measured"], shown["trades_strategy"]["bound"]) == (2.0, 2.0)
    desk.acts.approve(idea["id"], actor="ann")
    sent(desk, idea)
    desk.clock.at = FIRST + 5 * QUARTER
    desk.ideas.evaluate_all(trigger="test")
    newest = next(desk.journal.newest(kind=Kind.DECISION)).payload
    assert "trades_strategy" in [r["check"] for r in newest["refusals"]]
    desk.clock.at = FIRST + timedelta(days=1)
    assert desk.judge.pace().entries == {}


@pytest.mark.parametrize(("late", "refused"), [(-1, []), (0, ["cooldown"]), (20, ["cooldown"])])
def test_a_trade_that_was_open_at_the_close_speaks_against_the_bar(
    build: Build, late: int, refused: list[str]
) -> None:
    """As in a backtest, whose position leaves at the next open; also where the desk managed it first."""
    desk = build()
    first = proposal(desk)
    desk.acts.approve(first["id"], actor="ann")
    sent(desk, first)
    desk.book.step(first["id"], Act.DEALT, actor="desk")
    bar_close = (FIRST + QUARTER).replace(second=0)
    closed = bar_close + timedelta(seconds=late)
    desk.clock.at = bar_close + timedelta(seconds=30)
    desk.book.step(first["id"], Act.CLOSE, actor="desk", changes={"result": {"closed_at": iso(closed)}})
    desk.ideas.evaluate_all(trigger="test")
    decided = next(desk.journal.newest(kind=Kind.DECISION)).payload
    assert decided["bar_close"] == iso(bar_close)
    assert [refusal["check"] for refusal in decided["refusals"]] == refused


def test_an_entry_that_the_broker_refused_is_none(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    desk.acts.approve(idea["id"], actor="ann")
    sent(desk, idea)
    desk.book.step(idea["id"], Act.FAIL, actor="desk")
    assert not desk.judge.pace().entries.get("ALWAYS")


def test_the_preview_lists_every_check_with_what_was_measured_and_is_allowed(build: Build) -> None:
    desk = build()
    idea = proposal(desk)
    shown = desk.acts.preview(idea["id"])
    assert shown["passed"]
    checks = {row["check"]: row for row in shown["checks"]}
    assert {"halted", "open_risk", "drift", "age", "margin", "exposure"} <= checks.keys()
    assert checks["open_risk"]["bound"] == 0.06
    assert 0 < checks["open_risk"]["measured"] < 0.011
    assert desk.book.get(idea["id"]) == idea
