"""The kill switch: nothing new, orders gone, positions closed if asked, and the truth about what is left."""

import threading
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.orders.sending import LOCK
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault
from tests.fakes.order_desk import OrderDesk, kill_switch


def pull(desk: OrderDesk, *, close: bool = False, all_: bool = False, **changes: Any) -> dict[str, Any]:
    return kill_switch(desk, **changes).pull(close=close, all_=all_, actor="me", reason="enough")


@pytest.fixture
def desk(tmp_path: Path) -> OrderDesk:
    made = OrderDesk(tmp_path)
    made.open()
    made.open(magic=7)
    made.pend(2, 1.08)
    made.pend(4, 1.12)
    made.pend(2, 1.07, magic=7)
    return made


def test_orders_of_ours_go_and_positions_stay(desk: OrderDesk) -> None:
    report = pull(desk)
    assert (report["halted"], len(report["cancelled"]), report["closed"]) == (True, 2, [])
    assert desk.switch.halted() == "enough"
    assert [order.magic for order in desk.dealer.orders()] == [7]
    assert (report["orders_left"], len(report["positions_left"])) == ([], 1)
    assert report["problems"] == []
    kinds = [kind for kind, _ in desk.journalled()]
    assert kinds == ["order_intent"] * 2 + ["order_outcome"] * 2


def test_positions_are_closed_if_asked(desk: OrderDesk) -> None:
    report = pull(desk, close=True)
    assert (len(report["closed"]), report["positions_left"]) == (1, [])
    assert [position.magic for position in desk.client.positions()] == [7]


def test_what_is_not_ours_goes_only_if_all_are_meant(desk: OrderDesk) -> None:
    report = pull(desk, close=True, all_=True)
    assert (len(report["cancelled"]), len(report["closed"])) == (3, 2)
    assert (desk.dealer.orders(), desk.client.positions()) == ((), ())


def test_a_market_that_is_closed_is_told(desk: OrderDesk) -> None:
    desk.stage.market.closed.add("EURUSD")
    report = pull(desk, close=True)
    assert (len(report["orders_left"]), len(report["positions_left"])) == (2, 1)
    assert all("10018" in problem for problem in report["problems"])
    assert report["cancelled"] == report["closed"] == []


def test_it_tries_again_what_failed_at_first(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, script={2: Fault.REJECT})
    ticket = desk.pend(2, 1.08)
    report = pull(desk)
    assert (len(desk.sent), report["cancelled"], report["orders_left"]) == (2, [ticket], [])


def test_an_order_that_is_on_its_way_is_met_too(desk: OrderDesk) -> None:
    """A sender that was past its checks sends; the kill switch waits for it and cancels what it placed."""
    desk.idea(order_type="limit", offset_ticks=-50, expiry_bars=3)
    send, asked, pulled = desk.stage.api.order_send, threading.Event(), threading.Event()

    def order_send(request: dict[str, Any]) -> Any:
        if request["action"] == 5:
            asked.set()
            assert pulled.wait(10)
        return send(request)

    desk.stage.api.order_send = order_send
    sender = threading.Thread(target=lambda: desk.sender.send("i-1", actor="test"))
    sender.start()
    assert asked.wait(10)
    real = desk.storage.lock

    def lock(name: str, seconds: float) -> Any:
        pulled.set()
        return real(name, seconds)

    report = pull(desk, lock=lock)
    sender.join(10)
    assert len(report["cancelled"]) == 3
    assert [order.magic for order in desk.dealer.orders()] == [7]
    assert desk.book.get("i-1")["status"] == "cancelled"


def test_nothing_is_sent_after_it(desk: OrderDesk) -> None:
    pull(desk)
    desk.idea("i-9")
    assert desk.send("i-9")["status"] == "cancelled"


def test_a_sender_that_hangs_does_not_hold_it_up(desk: OrderDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.orders.kill._SENDER_WAIT", 0.05)
    with desk.storage.lock(LOCK, 1):
        found: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: found.append(pull(desk)))
        thread.start()
        thread.join(10)
    assert len(found[0]["cancelled"]) == 2
    assert "a sender is at work still" in found[0]["problems"][0]


def test_a_full_disk_does_not_keep_an_order_alive(desk: OrderDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **more: Any) -> Any:
        raise Unavailable("disk_refuses", "no space left")

    monkeypatch.setattr(desk.journal, "append_many", full)
    monkeypatch.setattr(desk.switch, "halt", full)
    report = pull(desk)
    assert (len(report["cancelled"]), report["orders_left"], report["halted"]) == (2, [], False)
    assert any("not on record" in problem for problem in report["problems"])


def test_ideas_follow(desk: OrderDesk) -> None:
    desk.idea(order_type="limit", offset_ticks=-50, expiry_bars=3)
    assert desk.send()["status"] == "placed"
    pull(desk)
    assert desk.book.get("i-1")["status"] == "cancelled"


def test_a_terminal_that_is_down_leaves_the_desk_halted(desk: OrderDesk) -> None:
    desk.stage.api.shutdown()
    desk.stage.api.initialize = lambda: False
    with pytest.raises(Unavailable):
        pull(desk)
    assert desk.switch.halted() == "enough"


def test_a_hundred_orders(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, account=SimulatedAccount(limit_orders=200))
    for _ in range(100):
        desk.pend(2, 1.08, volume=0.01)
    report = pull(desk)
    assert (len(report["cancelled"]), report["orders_left"]) == (100, [])
    assert desk.journal.verify().broken_at is None
