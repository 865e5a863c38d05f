"""The lifecycle is the table of the rules, and nothing besides."""

import itertools
from typing import Any

import pytest

from backend.core.errors import Conflict, Invalid
from backend.ideas.lifecycle import BORN, FINAL, TABLE, Act, Status, target
from backend.ideas.steps import replayed

RULES = """
pending_approval approve      approved pending_approval
pending_approval modify       pending_approval
pending_approval reject       rejected
pending_approval expire       expired
pending_approval supersede    superseded
pending_approval cancel       cancelled
approved         send         sending
approved         halt         cancelled
approved         cancel       cancelled
approved         expire       expired
approved         refuse       refused
sending          dealt        open
sending          place        placed
sending          fail         failed
sending          no_answer    unknown
unknown          reconcile    open placed closed cancelled expired failed
placed           fill         open
placed           partial_fill open
placed           cancel       cancelled
placed           expire       expired
open             fill         open
open             partial_fill open
open             close        closed
sending          record       sending
unknown          record       unknown
placed           record       placed
open             record       open
closed           record       closed
"""
ALLOWED = {(words[0], words[1]): set(words[2:]) for words in map(str.split, RULES.strip().splitlines())}


@pytest.mark.parametrize(("status", "act"), list(itertools.product(Status, Act)))
def test_what_the_rules_do_not_allow_is_a_conflict(status: Status, act: Act) -> None:
    ways = ALLOWED.get((status, act), set())
    for to in Status:
        if to in ways:
            assert target(status, act, to) is to
        else:
            with pytest.raises(Conflict) as error:
                target(status, act, to)
            assert error.value.code == "illegal_step"
    if len(ways) == 1:
        assert {target(status, act)} == ways
    else:
        with pytest.raises(Conflict):
            target(status, act)


def test_the_conflict_says_what_is_possible() -> None:
    with pytest.raises(Conflict, match="an idea that is approved cannot close; possible now: cancel, expire"):
        target(Status.APPROVED, Act.CLOSE)
    with pytest.raises(Conflict, match="possible now: nothing"):
        target(Status.REJECTED, Act.APPROVE, Status.APPROVED)


def test_final_statuses_lead_nowhere_and_every_status_is_reached() -> None:
    assert {"closed", "failed", "rejected", "expired", "superseded", "cancelled", "refused"} == FINAL
    reached = set(BORN)
    while more := {to for (start, _), ways in TABLE.items() if start in reached for to in ways} - reached:
        reached |= more
    assert reached == set(Status)


def step(version: int, action: str, before: str | None, after: str) -> dict[str, Any]:
    return {"version": version, "action": action, "from": before, "status": after}


def test_a_history_leads_to_its_status() -> None:
    born = step(1, "propose", None, "pending_approval")
    assert replayed([born]) is Status.PENDING_APPROVAL
    assert replayed([born, step(2, "reject", "pending_approval", "rejected")]) is Status.REJECTED


@pytest.mark.parametrize(
    "history",
    [
        [],
        [step(1, "approve", None, "approved")],
        [step(1, "propose", None, "open")],
        [step(1, "propose", None, "approved"), step(2, "approve", "pending_approval", "approved")],
        [step(1, "propose", None, "approved"), step(3, "send", "approved", "sending")],
        [step(1, "propose", None, "approved"), step(2, "send", "approved", "open")],
    ],
)
def test_a_history_that_was_made_up_is_told(history: list[dict[str, Any]]) -> None:
    with pytest.raises((Conflict, Invalid)):
        replayed(history)
