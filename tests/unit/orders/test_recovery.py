"""After a crash or a lost answer every idea stands where its order does, and nothing is sent twice."""

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Conflict, Unavailable
from backend.ideas.lifecycle import Status
from backend.ideas.steps import replayed
from backend.simulator.faults import Fault
from tests.fakes.broker_rows import MAGIC
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def desk(tmp_path: Path) -> OrderDesk:
    return OrderDesk(tmp_path)


class Killed(BaseException):
    """The process ends here."""


def broken(tmp_path: Path, *faults: Fault, **more: Any) -> OrderDesk:
    return OrderDesk(tmp_path, script=dict(enumerate(faults, 1)), **more)


def status(desk: OrderDesk, name: str = "i-1") -> str:
    idea = desk.book.get(name)
    assert replayed(idea["history"]) == idea["status"], "every step is one of the table"
    return str(idea["status"])


def killed_in_sending(desk: OrderDesk, *, before: bool) -> None:
    """The process dies as it asks the broker, just before or just after that has acted."""
    send = desk.stage.api.order_send

    def order_send(request: dict[str, Any]) -> Any:
        if not before:
            send(request)
        raise Killed

    desk.stage.api.order_send = order_send
    with pytest.raises(Killed):
        desk.send()
    desk.stage.api.order_send = send
    desk.stage.go(seconds=3)


LIMIT: dict[str, Any] = {"order_type": "limit", "offset_ticks": -50, "expiry_bars": 3}


@pytest.mark.parametrize("fault", [Fault.NO_ANSWER_EXECUTED, None])
def test_a_position_whose_answer_was_lost_is_found(tmp_path: Path, fault: Fault | None) -> None:
    desk = broken(tmp_path, *([fault] if fault else []))
    desk.idea()
    if fault:
        desk.send()
    else:
        killed_in_sending(desk, before=False)
    result = desk.recovery.run()
    idea = desk.book.get("i-1")
    (position,) = desk.client.positions()
    assert (status(desk), result["resolved"], len(desk.sent)) == ("open", {"i-1": "open"}, 1)
    assert (idea["position"]["id"], idea["position"]["price_open"]) == (position.identifier, 1.1002)
    assert (idea["order"]["ticket"], idea["position"]["initial_stop"]) == (position.ticket, 1.0992)
    assert desk.waited == [], "what is found needs no second look"


def test_a_waiting_order_whose_answer_was_lost_is_found(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER_EXECUTED)
    desk.idea(**LIMIT)
    desk.send()
    desk.recovery.run()
    assert (status(desk), desk.book.get("i-1")["order"]["left"]) == ("placed", 0.1)


def test_what_never_reached_the_broker_has_failed_once_nothing_can_come_any_more(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER)
    desk.idea()
    desk.send()
    desk.recovery.run()
    assert (status(desk), desk.waited, len(desk.sent)) == ("failed", [40.0], 1)


def test_of_an_old_intent_the_second_look_comes_ten_seconds_after_the_first(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER)
    desk.idea()
    desk.send()
    desk.stage.go(minutes=5)
    desk.recovery.run()
    assert (status(desk), desk.waited) == ("failed", [10.0])


def test_a_request_that_waited_for_calls_before_it_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sent it is gone, and half a minute later the terminal comes to it."""
    desk = broken(tmp_path, Fault.NO_ANSWER)
    desk.idea()
    desk.send()
    pause = desk.pause

    def meanwhile(seconds: float) -> None:
        pause(min(seconds, 29.0))
        desk.stage.api.order_send(desk.sent[0])
        pause(max(seconds - 29.0, 0.0))

    monkeypatch.setattr(desk.recovery, "_pause", meanwhile)
    desk.recovery.run()
    assert status(desk) == "open"
    assert desk.stage.api.positions_total() == 1


def test_one_empty_look_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER_EXECUTED)
    desk.idea()
    desk.send()
    hidden = {desk.client: ["positions"], desk.dealer: ["deals", "history_orders"]}
    for part, names in hidden.items():
        for name in names:
            monkeypatch.setattr(part, name, late(desk, getattr(part, name)))
    desk.recovery.run()
    assert (status(desk), desk.waited) == ("open", [40.0])


def late(desk: OrderDesk, look: Any) -> Any:
    """The terminal shows nothing at the first look."""
    return lambda *args: look(*args) if desk.waited else ()


def test_a_terminal_that_is_not_connected_proves_nothing(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.DISCONNECT)
    desk.idea()
    desk.send()
    with pytest.raises(Unavailable):
        desk.recovery.run()
    assert status(desk) == "unknown"
    desk.stage.go(seconds=31)
    desk.recovery.run()
    assert status(desk) == "failed"


def test_a_sender_that_died_before_the_broker_acted(desk: OrderDesk) -> None:
    desk.idea()
    killed_in_sending(desk, before=True)
    assert status(desk) == "sending"
    assert desk.recovery.run()["lost"] == ["i-1"]
    assert (status(desk), len(desk.client.positions())) == ("failed", 0)


def test_a_sender_that_lives_is_left_alone(desk: OrderDesk) -> None:
    desk.idea()
    send = desk.stage.api.order_send
    ran: list[dict[str, Any]] = []

    def order_send(request: dict[str, Any]) -> Any:
        def look() -> None:
            with pytest.raises(Unavailable):
                desk.recovery.run()
            ran.append({})

        other = threading.Thread(target=look)
        other.start()
        other.join(20)
        return send(request)

    desk.stage.api.order_send = order_send
    assert (desk.send()["status"], ran) == ("open", [{}])


def test_a_position_that_was_closed_meanwhile_is_closed(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER_EXECUTED)
    desk.idea()
    desk.send()
    desk.stage.price(1.0990)  # through the stop
    desk.recovery.run()
    assert (status(desk), desk.client.positions()) == ("closed", ())


def test_a_blanked_comment_is_no_obstacle(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.BLANK_COMMENT)
    desk.idea()
    killed_in_sending(desk, before=False)
    desk.recovery.run()
    assert status(desk) == "open"


def test_two_candidates_wait_for_a_person_and_block_their_symbol(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.BLANK_COMMENT)
    desk.idea()
    killed_in_sending(desk, before=False)
    twin = desk.open(volume=0.1)  # of our magic, without a comment or a record
    result = desk.recovery.run()
    assert status(desk) == "unknown"
    mine = min(position.ticket for position in desk.client.positions())
    assert result["uncertain"] == {"i-1": [mine, twin]}
    desk.idea("i-2")
    assert desk.send("i-2")["status"] == "refused"

    with pytest.raises(Conflict) as refusal:
        desk.recovery.resolve("i-1", Status.PLACED, actor="me", why="I looked", ticket=mine)
    assert refusal.value.code == "not_so"
    with pytest.raises(Conflict):
        desk.recovery.resolve("i-1", Status.OPEN, actor="me", why="I looked", ticket=999)
    idea = desk.recovery.resolve("i-1", Status.OPEN, actor="me", why="I looked", ticket=mine)
    assert (idea["status"], idea["position"]["id"], idea["history"][-1]["by"]) == ("open", mine, "me")
    with pytest.raises(Conflict):
        desk.recovery.resolve("i-1", Status.FAILED, actor="me", why="again")
    desk.idea("i-3")
    assert desk.send("i-3")["status"] == "open", "its symbol is free again"


def test_a_person_may_say_that_there_is_nothing(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER)
    desk.idea()
    desk.send()
    assert desk.recovery.resolve("i-1", Status.FAILED, actor="me", why="I looked")["status"] == "failed"


def test_the_order_of_another_idea_is_not_taken(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.BLANK_COMMENT, Fault.NO_ANSWER)
    desk.idea()
    desk.idea("i-2")
    assert desk.send()["status"] == "open"
    assert desk.send("i-2")["status"] == "unknown"
    desk.recovery.run()
    assert status(desk, "i-2") == "failed"


def test_only_the_attempt_without_an_answer_is_looked_for(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.REQUOTE, Fault.NO_ANSWER_EXECUTED)
    desk.idea()
    assert (desk.send()["status"], len(desk.sent)) == ("unknown", 2)
    desk.recovery.run()
    assert (status(desk), desk.book.get("i-1")["intent"]) == ("open", desk.sent[1]["comment"])


def test_a_placed_market_order_is_followed_by_its_ticket(desk: OrderDesk) -> None:
    send = desk.stage.api.order_send
    deals = desk.dealer.deals_of_order
    desk.stage.api.order_send = lambda request: send(request)._replace(retcode=10008, deal=0)
    desk.dealer.deals_of_order = lambda ticket: ()  # type: ignore[method-assign]
    desk.idea()
    assert desk.send()["status"] == "unknown"
    desk.dealer.deals_of_order = deals  # type: ignore[method-assign]
    desk.recovery.run()
    assert status(desk) == "open"


def test_approved_ideas_whose_job_was_lost_are_sent(desk: OrderDesk) -> None:
    desk.idea()
    assert desk.recovery.run()["sent"] == {}, "its job may be on its way"
    desk.stage.go(seconds=21)
    assert desk.recovery.run()["sent"] == {"i-1": "open"}
    assert (status(desk), len(desk.sent)) == ("open", 1)


# Orders that wait


def placed(desk: OrderDesk, **fields: Any) -> None:
    desk.idea(**(LIMIT | fields))
    assert desk.send()["status"] == "placed"


def test_a_waiting_order_that_fills_is_open(desk: OrderDesk) -> None:
    placed(desk)
    desk.stage.price(1.0990, 1.0992)
    assert desk.recovery.run()["moved"] == {"i-1": "open"}
    idea = desk.book.get("i-1")
    assert (status(desk), idea["position"]["price_open"], idea["order"]["left"]) == ("open", 1.0997, 0.0)
    assert idea["position"]["initial_stop"] == 1.0987
    assert desk.recovery.run()["moved"] == {}


def test_a_partial_fill_keeps_the_rest_and_then_takes_it(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.PARTIAL)
    placed(desk)
    desk.stage.price(1.0993, 1.0995)
    desk.recovery.run()
    idea = desk.book.get("i-1")
    assert (idea["status"], idea["position"]["volume"], idea["order"]["left"]) == ("open", 0.05, 0.05)
    desk.stage.price(1.0992, 1.0994)
    desk.recovery.run()
    idea = desk.book.get("i-1")
    assert (status(desk), idea["position"]["volume"], idea["order"]["left"]) == ("open", 0.1, 0.0)


def test_an_order_cancelled_elsewhere_is_cancelled(desk: OrderDesk) -> None:
    placed(desk)
    desk.stage.done({"action": 8, "order": desk.dealer.orders()[0].ticket})
    desk.recovery.run()
    assert status(desk) == "cancelled"


def test_an_order_expires_at_the_broker_or_by_our_clock(tmp_path: Path) -> None:
    for mask in (15, 1):
        desk = OrderDesk(tmp_path / str(mask), symbols={"EURUSD": {"expirations": mask}})
        placed(desk)
        desk.stage.go(minutes=44)
        desk.recovery.run()
        assert status(desk) == "placed"
        desk.stage.price(1.1000, minutes=2)
        desk.recovery.run()
        assert (status(desk), desk.dealer.orders()) == ("expired", ())


def test_the_rest_of_a_partly_filled_order_is_cancelled_when_its_time_is_over(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.PARTIAL, symbols={"EURUSD": {"expirations": 1}})
    placed(desk)
    desk.stage.price(1.0993, 1.0995)
    desk.recovery.run()
    desk.stage.price(1.1000, minutes=46)
    desk.recovery.run()
    idea = desk.book.get("i-1")
    assert (status(desk), idea["position"]["volume"], desk.dealer.orders()) == ("open", 0.05, ())
    assert idea["order"]["left"] == 0.0


def test_what_is_in_order_is_left_as_it_is(desk: OrderDesk) -> None:
    placed(desk)
    desk.idea("i-2")
    desk.send("i-2")
    before = desk.journal.verify().records
    desk.recovery.run()
    assert desk.journal.verify().records == before
    assert all(position.magic == MAGIC for position in desk.client.positions())
    assert desk.client.positions()[0].volume == Decimal("0.1")
