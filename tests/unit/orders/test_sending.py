"""From an approved idea to an order: once, on record, and what follows each answer."""

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.mt5 import constants
from backend.orders.intents import opening_id
from backend.orders.sending import LOCK
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault
from tests.fakes.broker_rows import MAGIC
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def desk(tmp_path: Path) -> OrderDesk:
    return OrderDesk(tmp_path)


def broken(tmp_path: Path, *faults: Fault, **more: Any) -> OrderDesk:
    return OrderDesk(tmp_path, script=dict(enumerate(faults, 1)), **more)


def acts(idea: dict[str, Any]) -> list[str]:
    return [step["action"] for step in idea["history"]][1:]


def answering(desk: OrderDesk, *codes: int, **fields: Any) -> None:
    """The broker answers so, once each, and carries nothing out; then as it is."""
    send = desk.stage.api.order_send
    left = list(codes)

    def order_send(request: dict[str, Any]) -> Any:
        if not left:
            return send(request)
        return send({"action": 99, "symbol": "EURUSD"})._replace(retcode=left.pop(0), comment="", **fields)

    desk.stage.api.order_send = order_send


def test_a_market_order_is_dealt_with_its_stop_and_target(desk: OrderDesk) -> None:
    desk.idea()
    idea = desk.send()
    (position,) = desk.client.positions()
    assert (idea["status"], acts(idea)) == ("open", ["send", "dealt"])
    assert (position.volume, position.stop, position.target) == (Decimal("0.1"), 1.0992, 1.1022)
    assert (position.magic, position.comment) == (MAGIC, opening_id("i-1", 1))
    assert idea["intent"] == opening_id("i-1", 1)
    assert idea["order"]["ticket"] == position.ticket
    facts = idea["position"]
    assert (facts["id"], facts["price_open"], facts["volume"]) == (position.identifier, 1.1002, 0.1)
    assert (facts["initial_stop"], facts["initial_target"]) == (1.0992, 1.1022)
    assert desk.journal.verify().broken_at is None


def test_the_intent_is_on_record_with_the_step_before_the_broker_is_asked(desk: OrderDesk) -> None:
    desk.idea()
    seen: list[tuple[str, Any]] = []
    send = desk.stage.api.order_send

    def order_send(request: dict[str, Any]) -> Any:
        seen.append((desk.book.get("i-1")["status"], desk.journalled()))
        return send(request)

    desk.stage.api.order_send = order_send
    desk.send()
    name = opening_id("i-1", 1)
    assert seen == [("sending", [("order_intent", name)])]
    assert desk.journalled() == [("order_intent", name), ("order_outcome", name)]


def test_a_second_send_sends_nothing(desk: OrderDesk) -> None:
    desk.idea()
    desk.send()
    again = desk.sender.send("i-1", actor="test")
    assert (again["status"], len(desk.sent)) == ("open", 1)


def test_a_sell_is_anchored_at_the_bid(desk: OrderDesk) -> None:
    desk.idea(side="sell")
    idea = desk.send()
    assert idea["position"]["price_open"] == 1.1
    assert (idea["stop"], idea["target"]) == (1.101, 1.098)


def test_a_waiting_order_is_placed_until_its_last_bar_closes(desk: OrderDesk) -> None:
    desk.idea(order_type="limit", offset_ticks=-50, expiry_bars=3)
    idea = desk.send()
    assert (idea["status"], acts(idea)) == ("placed", ["send", "place"])
    (order,) = desk.dealer.orders()
    assert (order.price, order.stop, order.target) == (
        Decimal("1.0997"),
        Decimal("1.0987"),
        Decimal("1.1017"),
    )
    assert str(order.time_type) == "specified"
    assert idea["order"]["expires_at"] == "2025-11-17T10:45:00Z", "10:00 is the first of three M15 bars"
    assert order.expires_at is not None
    assert order.expires_at.isoformat() == "2025-11-17T10:45:00+00:00"


def test_without_an_expiry_at_the_broker_the_desk_keeps_it(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, symbols={"EURUSD": {"expirations": 1}})
    desk.idea(order_type="limit", offset_ticks=-50, expiry_bars=3)
    idea = desk.send()
    assert str(desk.dealer.orders()[0].time_type) == "gtc"
    assert idea["order"]["expires_at"] == "2025-11-17T10:45:00Z"


# The price has passed a waiting order

PASSED: list[tuple[str, str, int]] = [
    ("buy", "stop", -10),
    ("sell", "stop", 10),
    ("buy", "limit", 10),
    ("sell", "limit", -10),
]


@pytest.mark.parametrize(("side", "kind", "offset"), PASSED)
def test_a_passed_order_is_dealt_at_once_and_keeps_its_levels(
    desk: OrderDesk, side: str, kind: str, offset: int
) -> None:
    reference = 1.1002 if side == "buy" else 1.1
    desk.idea(side=side, order_type=kind, offset_ticks=offset, reference=reference)
    idea = desk.send()
    assert (idea["status"], idea["position"]["price_open"]) == ("open", reference)
    sign = 1 if side == "buy" else -1
    entry = Decimal(repr(reference)) + offset * Decimal("0.00001")
    assert Decimal(repr(idea["stop"])) == entry - sign * Decimal("0.001")
    assert desk.client.positions()[0].stop == idea["stop"]


def test_a_passed_limit_is_never_dealt_worse_where_the_broker_takes_a_price(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, symbols={"EURUSD": {"execution": 1}})
    desk.idea(order_type="limit", offset_ticks=7)
    desk.send()
    assert (desk.sent[0]["price"], desk.sent[0]["deviation"]) == (1.1002, 7)


@pytest.mark.parametrize(("kind", "offset"), [("limit", 300), ("stop", -300)])
def test_what_has_run_through_its_stop_or_target_is_not_sent(desk: OrderDesk, kind: str, offset: int) -> None:
    desk.idea(order_type=kind, offset_ticks=offset)
    idea = desk.send()
    assert (idea["status"], desk.sent) == ("refused", [])
    assert "reached the" in idea["history"][-1]["why"]


# What keeps it from being sent


def test_a_refusal_of_the_gate_is_recorded_and_nothing_is_sent(desk: OrderDesk) -> None:
    desk.judge.refuse = "too much"
    desk.idea()
    idea = desk.send()
    assert (idea["status"], idea["history"][-1]["why"], desk.sent) == ("refused", "too much", [])


def test_a_halt_cancels_and_an_expired_idea_expires(desk: OrderDesk) -> None:
    desk.idea()
    desk.stage.go(minutes=16)
    assert desk.send()["status"] == "expired"
    desk.switch.halt_reason = "kill switch"
    desk.idea("i-2")
    idea = desk.send("i-2")
    assert (idea["status"], desk.sent) == ("cancelled", [])
    assert "kill switch" in idea["history"][-1]["why"]


def test_a_paused_desk_leaves_the_idea_approved(desk: OrderDesk) -> None:
    desk.switch.pauses.append("click Algo Trading")
    desk.idea()
    assert (desk.send()["status"], desk.sent) == ("approved", [])


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        ({"trade_mode": 3}, "10044 CLOSE_ONLY"),
        ({"trade_mode": 2}, "10043 SHORT_ONLY"),
        ({"volume_max": 0.05}, "10014 INVALID_VOLUME"),
        ({"fillings": 0}, "10030 INVALID_FILL"),
    ],
)
def test_what_the_broker_would_refuse_is_not_sent(
    tmp_path: Path, symbols: dict[str, Any], words: str
) -> None:
    desk = OrderDesk(tmp_path, symbols={"EURUSD": symbols})
    desk.idea()
    idea = desk.send()
    assert (idea["status"], desk.sent) == ("refused", [])
    assert words in idea["history"][-1]["why"]


def test_money_that_is_not_there_refuses(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, account=SimulatedAccount(balance=Decimal(50)))
    desk.idea()
    assert "10019" in desk.send()["history"][-1]["why"]


def test_a_closed_market_refuses(desk: OrderDesk) -> None:
    desk.stage.market.closed.add("EURUSD")
    desk.idea()
    assert (desk.send()["status"], desk.sent) == ("refused", [])


def test_a_terminal_that_is_down_leaves_the_idea_approved(desk: OrderDesk) -> None:
    desk.idea()
    desk.stage.api.shutdown()
    desk.stage.api.initialize = lambda: False
    with pytest.raises(Unavailable):
        desk.send()
    assert desk.book.get("i-1")["status"] == "approved"


def test_an_unknown_order_blocks_its_symbol(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.NO_ANSWER)
    desk.idea()
    desk.idea("i-2")
    desk.idea("i-3", symbol="EURJPY", reference=165.04)
    assert desk.send()["status"] == "unknown"
    idea = desk.send("i-2")
    assert (idea["status"], len(desk.sent)) == ("refused", 1)
    assert "i-1" in idea["history"][-1]["why"]
    assert desk.send("i-3")["status"] == "open"


# What follows each answer


@pytest.mark.parametrize(
    ("fault", "status", "tries"),
    [
        (Fault.REQUOTE, "open", 2),
        (Fault.OFF_QUOTES, "open", 2),
        (Fault.REJECT, "failed", 1),
        (Fault.NO_MONEY, "failed", 1),
        (Fault.PARTIAL, "failed", 1),  # fill or kill
        (Fault.NO_ANSWER, "unknown", 1),
        (Fault.NO_ANSWER_EXECUTED, "unknown", 1),
        (Fault.DISCONNECT, "unknown", 1),
        (Fault.BLANK_COMMENT, "open", 1),
        (Fault.REWRITE_COMMENT, "open", 1),
        (Fault.SLOW, "open", 1),
    ],
)
def test_what_follows_each_fault(tmp_path: Path, fault: Fault, status: str, tries: int) -> None:
    desk = broken(tmp_path, fault)
    desk.idea()
    idea = desk.send()
    assert (idea["status"], len(desk.sent)) == (status, tries)
    assert [request["comment"] for request in desk.sent] == [
        opening_id("i-1", number) for number in range(1, tries + 1)
    ]
    assert len(desk.journalled()) == 2 * tries, "an intent and an outcome for each"


def test_a_second_requote_is_the_end(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.REQUOTE, Fault.OFF_QUOTES)
    desk.idea()
    idea = desk.send()
    assert (idea["status"], len(desk.sent), desk.client.positions()) == ("failed", 2, ())


def test_a_requote_is_judged_again_at_the_new_price(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.REQUOTE)
    desk.idea()
    send = desk.stage.api.order_send

    def moved(request: dict[str, Any]) -> Any:
        answer = send(request)
        desk.stage.price(1.1003)
        return answer

    desk.stage.api.order_send = moved
    idea = desk.send()
    assert (idea["status"], idea["position"]["price_open"]) == ("open", 1.1005)
    assert desk.sent[1]["sl"] == 1.0995, "the stop keeps its distance from the new price"
    assert idea["position"]["initial_stop"] == 1.0995


def test_a_requote_that_is_not_allowed_any_more_fails(tmp_path: Path) -> None:
    for name, stop in (("refused", "too far"), ("halted", "kill switch")):
        desk = broken(tmp_path / name, Fault.REQUOTE)
        desk.idea()
        send = desk.stage.api.order_send

        def then(request: dict[str, Any], desk: OrderDesk = desk, stop: str = stop, send: Any = send) -> Any:
            answer = send(request)
            if stop == "too far":
                desk.judge.refuse = stop
            else:
                desk.switch.halt_reason = stop
            return answer

        desk.stage.api.order_send = then
        idea = desk.send()
        assert (idea["status"], len(desk.sent)) == ("failed", 1)
        assert stop in idea["history"][-1]["why"]


def test_a_partial_fill_is_open_with_what_was_dealt_and_the_rest_is_not_sent(tmp_path: Path) -> None:
    desk = broken(tmp_path, Fault.PARTIAL, symbols={"EURUSD": {"fillings": 2}})
    desk.idea()
    idea = desk.send()
    assert (idea["status"], idea["position"]["volume"], len(desk.sent)) == ("open", 0.05, 1)
    assert idea["order"]["left"] == 0.0


def test_the_next_filling_mode_is_asked_for(desk: OrderDesk) -> None:
    answering(desk, constants.TRADE_RETCODE_INVALID_FILL)
    desk.idea()
    assert desk.send()["status"] == "open"
    assert [request["type_filling"] for request in desk.sent] == [0, 1]


def test_no_filling_mode_left_fails(desk: OrderDesk) -> None:
    answering(desk, *[constants.TRADE_RETCODE_INVALID_FILL] * 3)
    desk.idea()
    assert (desk.send()["status"], len(desk.sent)) == ("failed", 3)


@pytest.mark.parametrize("code", [10024, 10028])
def test_a_busy_server_is_waited_for_but_not_for_ever(tmp_path: Path, code: int, desk: OrderDesk) -> None:
    answering(desk, code, code)
    desk.idea()
    assert (desk.send()["status"], desk.waited) == ("open", [0.3, 0.6])
    other = OrderDesk(tmp_path / "other")
    answering(other, *[code] * 9)
    other.idea()
    assert (other.send()["status"], len(other.sent)) == ("failed", 4)


@pytest.mark.parametrize(
    ("code", "words"), [(10017, "master password"), (10026, "ask the broker"), (10027, "Algo Trading")]
)
def test_where_a_person_must_click_the_desk_is_paused(desk: OrderDesk, code: int, words: str) -> None:
    answering(desk, code)
    desk.idea()
    assert desk.send()["status"] == "failed"
    assert words in desk.switch.paused()


@pytest.mark.parametrize("code", [10011, 10012, 10031])
def test_an_answer_that_says_nothing_is_unknown(desk: OrderDesk, code: int) -> None:
    answering(desk, code)
    desk.idea()
    assert (desk.send()["status"], len(desk.sent)) == ("unknown", 1)


@pytest.mark.parametrize(
    "code",
    sorted(
        {10006, 10007, 10013, 10014, 10015, 10016, 10018, 10019, 10022, 10023, 10025, 10029, 10032, 10033}
        | {10034, 10035, 10036, 10038, 10039, 10040, 10041, 10042, 10043, 10044, 10045, 10046, 10999}
    ),
)
def test_every_other_code_is_final(desk: OrderDesk, code: int) -> None:
    answering(desk, code)
    desk.idea()
    idea = desk.send()
    assert (idea["status"], len(desk.sent), desk.client.positions()) == ("failed", 1, ())
    assert str(code) in idea["history"][-1]["why"]


def test_a_market_order_that_is_only_placed_is_no_fill(desk: OrderDesk) -> None:
    answering(desk, constants.TRADE_RETCODE_PLACED, order=77)
    desk.idea()
    idea = desk.send()
    assert (idea["status"], idea["order"]["ticket"]) == ("unknown", 77)
    assert desk.waited == [0.1, 0.2, 0.4, 0.8]


def test_a_market_order_that_is_placed_and_then_dealt_is_open(desk: OrderDesk) -> None:
    send = desk.stage.api.order_send
    desk.stage.api.order_send = lambda request: send(request)._replace(retcode=10008, deal=0, price=0.0)
    desk.idea()
    idea = desk.send()
    assert (idea["status"], idea["position"]["price_open"]) == ("open", 1.1002)


def test_a_request_that_never_left_has_failed(desk: OrderDesk) -> None:
    def refuse(request: dict[str, Any]) -> None:
        desk.stage.api.last_error = lambda: (-8, "Auto-Trading using Python API disabled in Terminal")

    desk.stage.api.order_send = refuse
    desk.idea()
    assert desk.send()["status"] == "failed"
    assert "external Python API" in desk.switch.paused()


def test_two_senders_at_once_send_once(tmp_path: Path) -> None:
    first, second = OrderDesk(tmp_path), OrderDesk(tmp_path)
    second.stage.api.order_send = first.stage.api.order_send
    first.idea()
    barrier = threading.Barrier(2)

    def run(desk: OrderDesk) -> None:
        barrier.wait(10)
        desk.sender.send("i-1", actor="test")

    threads = [threading.Thread(target=run, args=(desk,)) for desk in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(first.sent) + len(second.sent) == 1
    assert first.book.get("i-1")["status"] == "open"


def test_a_sender_holds_the_desk_until_its_answer_is_on_record(desk: OrderDesk) -> None:
    desk.idea()
    send, refused = desk.stage.api.order_send, []

    def order_send(request: dict[str, Any]) -> Any:
        def other() -> None:
            with pytest.raises(Unavailable), desk.storage.lock(LOCK, 0.05):
                pass
            refused.append(1)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        return send(request)

    desk.stage.api.order_send = order_send
    assert (desk.send()["status"], refused) == ("open", [1])
