"""Killed with -9 at every write of the order flow: afterwards one position or none, and the journal says why.

Writes are the desk's (journal, idea files) and the broker's own, whole or torn: a death at one of the latter
is that of the connector with the request in its hands. The process that dies is the worker, or the API while
it answers an approval or a ticket.
"""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.core.trust import authorities
from backend.ideas.steps import replayed
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.words import DealEntry
from backend.orders.intents import named_in
from backend.simulator.faults import Fault
from tests.fakes.children import Child
from tests.fakes.dying_api import kept
from tests.fakes.live_orders import WEDNESDAY
from tests.fakes.order_desk import OrderDesk, kill_switch
from tests.fakes.scripted_market import START

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
SEEDS = [*range(10), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(10, 300))]
LIMIT = {"order_type": "limit", "offset_ticks": -50, "expiry_bars": 40}

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


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
    status = holds(idea, desk.journal, desk.client, desk.dealer)
    assert status in {"open", "placed", "failed"}, "nothing is stuck"
    for position in desk.client.positions():
        assert position.stop == 1.0992
        assert position.target is not None
    return status


def holds(idea: dict[str, Any] | None, journal: Journal, client: MT5Client, dealer: Dealer) -> str:
    """What must hold of the only idea of a desk, or of none; gives where it ended, if there is one."""
    status = "" if idea is None else str(idea["status"])
    assert idea is None or replayed(idea["history"]) == status
    assert journal.verify().broken_at is None
    positions, orders = client.positions(), dealer.orders()
    entered = [deal for deal in dealer.deals(LONG_AGO) if deal.trade and deal.entry is DealEntry.IN]
    assert len(entered) <= 1, "never twice"
    assert len(orders) <= 1
    assert (status == "open") == (len(positions) == 1), (status, positions)
    assert (status == "placed") == (len(orders) == 1), (status, orders)
    intents = {str(record.key) for record in journal.newest(kind=Kind.ORDER_INTENT)}
    comments = [*(deal.comment for deal in entered), *(order.comment for order in orders)]
    named = {named_in(comment) for comment in comments} - {None}  # a comment may be blanked
    assert named <= intents, "the journal tells why"
    assert not entered or intents
    if positions:
        assert idea is not None
        assert idea["position"]["id"] == positions[0].identifier
        assert positions[0].stop is not None
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
    with Child("dying_orders", data) as child:
        child.ask({"do": "idea", "idea": idea or {}})
        return child.ask({"do": "send", "nth": nth, "torn": torn, "script": script or {}}) is None


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
    with Child("dying_orders", tmp_path) as child:
        child.ask({"do": "idea"})
        child.ask({"do": "send", "script": {1: Fault.NO_ANSWER_EXECUTED}})
        child.ask({"do": "recover", "at": 30, "nth": nth})
    assert check(tmp_path) == "open"


@pytest.mark.parametrize("nth", [1, 2, 4, 6])
def test_in_the_midst_of_the_kill_switch(tmp_path: Path, nth: int) -> None:
    with Child("dying_orders", tmp_path) as child:
        child.ask({"do": "orders"})
        child.ask({"do": "open"})
        assert child.ask({"do": "kill", "nth": nth, "torn": nth == 1}) is None
    desk = restarted(tmp_path, 30)
    report = kill_switch(desk).pull(close=True, all_=False, actor="test", reason="again")
    assert (report["orders_left"], report["positions_left"]) == ([], [])
    assert desk.journal.verify().broken_at is None


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_in_the_midst_of_a_close(tmp_path: Path, nth: int) -> None:
    with Child("dying_orders", tmp_path) as child:
        child.ask({"do": "open"})
        child.ask({"do": "close", "nth": nth})
    desk = restarted(tmp_path, 30)
    for position in desk.client.positions():
        assert desk.positions.close(position.ticket, actor="test", why="again").done
    assert desk.client.positions() == ()
    assert desk.journal.verify().broken_at is None


# The API


TICKET = {"symbol": "EURUSD", "side": "buy", "volume": 0.02, "stop": {"points": 1000}, "note": "by hand"}


def post(data: Path, what: str, nth: int, *, torn: bool = False, of: str = "") -> bool:
    """Post an approval or a ticket to an API that dies at that write of a folder; whether it came to that."""
    with Child("dying_api", data, what, nth, torn, of) as child:
        told = child.told()
        path, body = f"/api/trade-ideas/{told['idea']}/approve", {}
        if what == "ticket":
            path, body = "/api/orders", TICKET
        try:
            answer = httpx.post(told["url"] + path, json=body, verify=authorities(told["url"]), timeout=30)
        except httpx.TransportError:
            assert child.died()
            return True
        assert answer.status_code == 200, answer.text
    return False


def api_check(data: Path, *, after: float) -> str:
    """What must hold of what was posted, the desk being started again so many seconds after it."""
    for seconds in (after, after + 60):
        live = kept(data, WEDNESDAY + timedelta(seconds=seconds))
        assert live.desk.acts.expire()["problems"] == []
        assert live.orders.recovery.run()["problems"] == []
    live = kept(data, WEDNESDAY + timedelta(seconds=after + 120))
    ideas = live.desk.book.find()
    assert len(ideas) <= 1
    made = [r for r in live.desk.journal.newest(kind=Kind.IDEA_STEP) if r.payload["version"] == 1]
    assert len(ideas) == len(made), "what is on record is in the book"
    return holds(ideas[0] if ideas else None, live.desk.journal, live.desk.client, live.dealer)


@pytest.mark.parametrize("torn", [False, pytest.param(True, marks=pytest.mark.full)])
def test_the_api_at_every_write_of_a_ticket(tmp_path: Path, torn: bool) -> None:
    ends, nth = [], 1
    while post(tmp_path / str(nth), "ticket", nth, torn=torn):
        ends.append(api_check(tmp_path / str(nth), after=30))
        nth += 1
    assert api_check(tmp_path / str(nth), after=30) == "open", "it came through"
    assert set(ends) == {"", "open", "failed"}, ends
    assert ends.index("open") < ends.index("failed"), (
        "approved and not sent yet, it is sent within its minute"
    )


@pytest.mark.parametrize("torn", [False, pytest.param(True, marks=pytest.mark.full)])
def test_the_api_at_every_write_of_an_approval(tmp_path: Path, torn: bool) -> None:
    ends, nth = [], 1
    while post(tmp_path / str(nth), "approval", nth, torn=torn):
        ends.append(api_check(tmp_path / str(nth), after=30))
        nth += 1
    assert set(ends) == {"pending_approval", "open"}, "it waits for a person as before, or is sent"


@pytest.mark.parametrize(("after", "end"), [(30, "open"), (59, "open"), (61, "expired"), (3600, "expired")])
def test_a_ticket_on_record_without_a_file_is_not_lost_and_not_sent_late(
    tmp_path: Path, after: float, end: str
) -> None:
    assert post(tmp_path, "ticket", 1, of="trade_ideas")
    assert not list((tmp_path / "trade_ideas").glob("*.json"))
    assert api_check(tmp_path, after=after) == end


@pytest.mark.parametrize("seed", SEEDS)
def test_the_api_anywhere(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    what = chance.choice(["ticket", "approval"])
    post(tmp_path, what, chance.randint(1, 12), torn=chance.random() < 0.5)
    assert api_check(tmp_path, after=chance.choice([1, 30, 59, 61, 600])) not in {"approved", "sending"}


@pytest.mark.parametrize("seed", SEEDS)
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
