"""Killed with -9 at every write of the order flow: afterwards one position or none, and the journal says why.

Writes are the desk's (journal, idea files) and the broker's own, whole or torn: a death at one of the latter
is that of the connector with the request in its hands.
"""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from backend.ideas.steps import replayed
from backend.mt5.words import DealEntry
from backend.orders.intents import named_in
from backend.simulator.faults import Fault
from tests.fakes.evaluation_children import DEAD
from tests.fakes.order_desk import OrderDesk, kill_switch
from tests.fakes.scripted_market import START

ROOT = Path(__file__).resolve().parents[2]
LIMIT = {"order_type": "limit", "offset_ticks": -50, "expiry_bars": 40}

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


class Child:
    """The desk's process."""

    def __init__(self, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.dying_orders", str(data)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def do(self, act: str, **how: Any) -> Any:
        """What it answers; None if it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": act, **how}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            assert self._process.wait(20) == DEAD
            return None
        return json.loads(line)


def restarted(data: Path, seconds: float) -> OrderDesk:
    desk = OrderDesk(data, kept=True)
    desk.stage.now = START
    desk.stage.go(seconds=seconds)
    return desk


def settled(data: Path) -> OrderDesk:
    """The desk after a restart and two passes of the reconcile."""
    for seconds in (60, 120):
        desk = restarted(data, seconds)
        assert desk.recovery.run()["problems"] == []
    return desk


def check(data: Path) -> str:
    """What must hold of one idea after any crash; gives where it ended."""
    desk = settled(data)
    idea = desk.book.get("i-1")
    status = str(idea["status"])
    assert replayed(idea["history"]) == status
    assert desk.journal.verify().broken_at is None
    positions, orders = desk.client.positions(), desk.dealer.orders()
    entered = [deal for deal in desk.dealer.deals(START) if deal.trade and deal.entry is DealEntry.IN]
    assert len(entered) <= 1, "never twice"
    assert len(orders) <= 1
    assert (status == "open") == (len(positions) == 1), (status, positions)
    assert (status == "placed") == (len(orders) == 1), (status, orders)
    assert status in {"open", "placed", "failed"}, "nothing is stuck"
    intents = {key for kind, key in desk.journalled() if kind == "order_intent"}
    comments = [*(deal.comment for deal in entered), *(order.comment for order in orders)]
    named = {named_in(comment) for comment in comments} - {None}  # a comment may be blanked
    assert named <= intents, "the journal tells why"
    assert not entered or intents
    if positions:
        assert (idea["position"]["id"], positions[0].stop) == (positions[0].identifier, 1.0992)
        assert positions[0].target is not None
    return status


def crash(
    data: Path,
    nth: int,
    *,
    torn: bool = False,
    idea: dict[str, Any] | None = None,
    script: dict[int, Fault] | None = None,
) -> bool:
    """Send an idea and die at that write; whether it came to that."""
    how = {"script": {str(number): str(fault) for number, fault in (script or {}).items()}}
    with Child(data) as child:
        child.do("idea", idea=idea or {})
        return child.do("send", nth=nth, torn=torn, **how) is None


def test_at_every_write_of_a_market_order(tmp_path: Path) -> None:
    ends, nth = [], 1
    while crash(tmp_path / str(nth), nth):
        ends.append(check(tmp_path / str(nth)))
        nth += 1
    assert nth > 5, "intent, step, the broker's book, outcome, step"
    assert set(ends) == {"open", "failed"}, "it died before the broker acted, and after"


@pytest.mark.parametrize("nth", [1, 3, 4])
def test_at_a_torn_write(tmp_path: Path, nth: int) -> None:
    crash(tmp_path, nth, torn=True)
    check(tmp_path)


@pytest.mark.parametrize("nth", [2, 3, 4, 5])
def test_at_a_write_of_a_waiting_order(tmp_path: Path, nth: int) -> None:
    assert crash(tmp_path, nth, idea=LIMIT)
    assert check(tmp_path) in {"placed", "failed", "open"}


@pytest.mark.parametrize("nth", [4, 6, 7, 8])
def test_between_two_attempts(tmp_path: Path, nth: int) -> None:
    crash(tmp_path, nth, script={1: Fault.REQUOTE})
    check(tmp_path)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_in_the_midst_of_recovery(tmp_path: Path, nth: int) -> None:
    with Child(tmp_path) as child:
        child.do("idea")
        child.do("send", script={"1": "no_answer_executed"})
        child.do("recover", at=30, nth=nth)
    assert check(tmp_path) == "open"


@pytest.mark.parametrize("nth", [1, 2, 4, 6])
def test_in_the_midst_of_the_kill_switch(tmp_path: Path, nth: int) -> None:
    with Child(tmp_path) as child:
        child.do("orders")
        child.do("open")
        assert child.do("kill", nth=nth, torn=nth == 1) is None
    desk = restarted(tmp_path, 30)
    report = kill_switch(desk).pull(close=True, all_=False, actor="test", reason="again")
    assert (report["orders_left"], report["positions_left"]) == ([], [])
    assert desk.journal.verify().broken_at is None


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_in_the_midst_of_a_close(tmp_path: Path, nth: int) -> None:
    with Child(tmp_path) as child:
        child.do("open")
        child.do("close", nth=nth)
    desk = restarted(tmp_path, 30)
    for position in desk.client.positions():
        assert desk.positions.close(position.ticket, actor="test", why="again").done
    assert desk.client.positions() == ()
    assert desk.journal.verify().broken_at is None


@pytest.mark.full
@pytest.mark.parametrize("seed", range(300))
def test_anywhere(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    script = {number: chance.choice([*Fault, None, None]) for number in range(1, 4) if chance.random() < 0.4}
    crash(
        tmp_path,
        chance.randint(1, 10),
        torn=chance.random() < 0.5,
        idea=chance.choice([{}, LIMIT]),
        script={number: fault for number, fault in script.items() if fault is not None},
    )
    check(tmp_path)
