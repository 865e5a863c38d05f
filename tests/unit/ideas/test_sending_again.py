"""An approved idea just before it is sent: judged once more, and strictly where the desk approved it."""

from typing import Any

import pytest

from backend.core.clock import parse_iso
from backend.ideas.lifecycle import Act
from backend.orders.live import SendJudge
from tests.fakes.desk import SimulatedDesk
from tests.unit.ideas.test_acting import Build, build, proposal

__all__ = ["build"]


def refused(desk: SimulatedDesk, idea: dict[str, Any]) -> list[str]:
    judged, _ = SendJudge(desk.judge, desk.control).judge(desk.book.get(idea["id"]))
    return [refusal.check for refusal in judged.refusals]


def approved(desk: SimulatedDesk, *, by_desk: bool) -> dict[str, Any]:
    idea = proposal(desk)
    if not by_desk:
        desk.acts.approve(idea["id"], actor="ann")
    assert desk.book.get(idea["id"])["status"] == "approved"
    return idea


@pytest.mark.parametrize("by_desk", [False, True])
def test_what_was_approved_passes_a_moment_later(build: Build, by_desk: bool) -> None:
    desk = build(limits={"mode": "autonomous" if by_desk else "supervised"})
    assert refused(desk, approved(desk, by_desk=by_desk)) == []


def test_what_the_desk_approved_is_refused_where_a_person_decides_now(build: Build) -> None:
    desk = build(limits={"mode": "autonomous"})
    idea = approved(desk, by_desk=True)
    desk = build(limits={"mode": "supervised"})
    assert refused(desk, idea) == ["mode"]
    desk = build(limits={"mode": "observe"})
    assert refused(desk, idea) == ["mode"]


def test_the_threshold_of_the_desk_counts_again_for_what_it_approved(build: Build) -> None:
    desk = build(limits={"mode": "autonomous"})
    idea = approved(desk, by_desk=True)
    desk = build(limits={"mode": "autonomous", "thresholds": {"autonomous": 99.9}})
    assert refused(desk, idea) == ["autonomous_confidence"]


@pytest.mark.parametrize("by_desk", [False, True])
def test_age_counts_whoever_approved(build: Build, by_desk: bool) -> None:
    desk = build(limits={"mode": "autonomous" if by_desk else "supervised", "max_idea_age_seconds": 60})
    idea = approved(desk, by_desk=by_desk)
    desk.clock.at = parse_iso(idea["bar_close"])
    desk.clock.move(seconds=61)
    assert refused(desk, idea) == ["age"]


def test_another_approved_idea_does_not_keep_this_one_from_being_sent(build: Build) -> None:
    desk = build()
    first = approved(desk, by_desk=False)
    twin = {key: value for key, value in first.items() if key not in {"history", "version"}}
    desk.book.create(twin | {"id": "i-twin", "status": "approved", "fixed": {}}, actor="ann")
    assert refused(desk, first) == []
    desk.book.step("i-twin", Act.SEND, actor="desk")
    assert "duplicate" in refused(desk, first)


def test_an_idea_that_is_being_sent_does_not_count_against_itself(build: Build) -> None:
    desk = build(rules={"max_trades_per_day": 1})
    idea = approved(desk, by_desk=False)
    desk.book.step(idea["id"], Act.SEND, actor="desk")
    assert desk.judge.pace().entries == {"ALWAYS": 1}
    assert refused(desk, idea) == []
