"""Closing, moving and cancelling: on record before it is asked, and what follows each answer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from backend.core.errors import Conflict, DeskError, Invalid, NotFound
from backend.orders.asking import Became
from backend.simulator.account import SimulatedAccount
from backend.simulator.faults import Fault
from tests.fakes.order_desk import OrderDesk

WHO: dict[str, Any] = {"actor": "me", "why": "test"}


@pytest.fixture
def desk(tmp_path: Path) -> OrderDesk:
    return OrderDesk(tmp_path)


def broken(tmp_path: Path, **script: Fault) -> OrderDesk:
    """Request numbers count from 1; the position is the first."""
    return OrderDesk(tmp_path, script={int(number[1:]): fault for number, fault in script.items()})


def lots(desk: OrderDesk) -> list[Decimal]:
    return [position.volume for position in desk.client.positions()]


def test_a_position_is_closed_and_both_records_stand(desk: OrderDesk) -> None:
    ticket = desk.open()
    change = desk.positions.close(ticket, **WHO)
    assert (change.became, change.retcode, change.volume) == (Became.DONE, 10009, Decimal(1))
    assert lots(desk) == []
    assert desk.journalled() == [("order_intent", change.intent), ("order_outcome", change.intent)]
    assert desk.sent[0]["comment"] == change.intent
    assert desk.journal.verify().broken_at is None


def test_the_intent_is_on_record_when_the_broker_is_asked(desk: OrderDesk) -> None:
    ticket = desk.open()
    seen: list[list[tuple[str, str]]] = []
    api: Any = desk.stage.api

    class Looking:
        def __getattr__(self, name: str) -> Any:
            return getattr(api, name)

        def order_send(self, request: dict[str, Any]) -> Any:
            seen.append(desk.journalled())
            return api.order_send(request)

    desk.dealer._asker.api = cast("Any", Looking())
    change = desk.positions.close(ticket, **WHO)
    assert seen == [[("order_intent", change.intent)]]


def test_a_part_leaves_the_rest(desk: OrderDesk) -> None:
    ticket = desk.open(volume=1.0)
    assert desk.positions.close(ticket, Decimal("0.4"), **WHO).done
    assert lots(desk) == [Decimal("0.6")]


@pytest.mark.parametrize("volume", ["0", "-0.1", "NaN", "Infinity", "0.015", "0.001", "0.495", "1.01"])
def test_no_volume_that_the_position_cannot_give(desk: OrderDesk, volume: str) -> None:
    ticket = desk.open(volume=1.0)
    with pytest.raises(Invalid) as refusal:
        desk.positions.close(ticket, Decimal(volume), **WHO)
    assert refusal.value.code == "bad_volume"
    assert (desk.sent, lots(desk)) == ([], [Decimal(1)])


def test_what_is_not_ours_is_left_alone_unless_all_are_meant(desk: OrderDesk) -> None:
    position, order = desk.open(magic=7), desk.pend(2, 1.08, magic=7)
    attempts: list[Callable[[], Any]] = [
        lambda: desk.positions.close(position, **WHO),
        lambda: desk.positions.move(position, stop=Decimal("1.08"), **WHO),
        lambda: desk.waiting.cancel(order, **WHO),
        lambda: desk.waiting.modify(order, price=Decimal("1.07"), **WHO),
    ]
    for refused in attempts:
        with pytest.raises(Conflict) as refusal:
            refused()
        assert refusal.value.code == "not_ours"
    assert desk.sent == []
    assert desk.positions.close(position, all_=True, **WHO).done
    assert desk.waiting.cancel(order, all_=True, **WHO).done


def test_what_is_not_there_is_not_found(desk: OrderDesk) -> None:
    with pytest.raises(NotFound):
        desk.positions.close(99, **WHO)
    with pytest.raises(NotFound):
        desk.waiting.cancel(99, **WHO)


@pytest.mark.parametrize(
    ("fault", "tries", "became"),
    [
        (Fault.REQUOTE, 2, Became.DONE),
        (Fault.OFF_QUOTES, 2, Became.DONE),
        (Fault.REJECT, 1, Became.REFUSED),
        (Fault.PARTIAL, 1, Became.REFUSED),  # fill or kill: nothing was dealt
        (Fault.NO_ANSWER_EXECUTED, 1, Became.GONE),
        (Fault.NO_ANSWER, 1, Became.UNKNOWN),
        (Fault.DISCONNECT, 1, Became.UNKNOWN),
        (Fault.BLANK_COMMENT, 1, Became.DONE),
    ],
)
def test_what_follows_each_answer_to_a_close(
    tmp_path: Path, fault: Fault, tries: int, became: Became
) -> None:
    desk = broken(tmp_path, n2=fault)
    ticket = desk.open()
    change = desk.positions.close(ticket, **WHO)
    assert (change.became, len(desk.sent)) == (became, tries)
    left = became in {Became.REFUSED, Became.UNKNOWN}
    assert lots(desk) == ([Decimal(1)] if left else [])
    assert len(desk.journalled()) == 2 * tries


def test_a_part_whose_answer_was_lost_is_looked_at(tmp_path: Path) -> None:
    desk = broken(tmp_path, n2=Fault.NO_ANSWER_EXECUTED)
    change = desk.positions.close(desk.open(), Decimal("0.4"), **WHO)
    assert (change.became, change.volume) == (Became.DONE, Decimal("0.4"))
    assert lots(desk) == [Decimal("0.6")]


def test_a_partial_fill_of_a_close_is_told(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, script={2: Fault.PARTIAL}, symbols={"EURUSD": {"fillings": 2}})
    change = desk.positions.close(desk.open(), **WHO)
    assert (change.became, change.volume) == (Became.PARTLY, Decimal("0.5"))


def test_a_filling_mode_that_is_not_offered_leads_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = OrderDesk(tmp_path, symbols={"EURUSD": {"fillings": 2}})
    ticket = desk.open()
    stated = replace(desk.dealer.terms("EURUSD"), fillings=3)
    monkeypatch.setattr(desk.dealer, "terms", lambda *_: stated)
    assert desk.positions.close(ticket, **WHO).done
    assert [request["type_filling"] for request in desk.sent] == [0, 1]


def test_a_closed_market_is_for_the_next_cycle(desk: OrderDesk) -> None:
    position, order = desk.open(), desk.pend(2, 1.08)
    desk.stage.market.closed.add("EURUSD")
    for change in (
        desk.positions.close(position, **WHO),
        desk.positions.move(position, stop=Decimal("1.08"), **WHO),
        desk.waiting.cancel(order, **WHO),
    ):
        assert (change.became, change.retcode) == (Became.LATER, 10018)
    assert desk.switch.pauses == []


def test_a_stop_is_moved_and_what_is_not_given_stays(desk: OrderDesk) -> None:
    ticket = desk.open(tp=1.12)
    assert desk.positions.move(ticket, stop=Decimal("1.095"), **WHO).done
    position = desk.client.positions()[0]
    assert (position.stop, position.target) == (1.095, 1.12)
    assert desk.positions.move(ticket, target=None, **WHO).done
    position = desk.client.positions()[0]
    assert (position.stop, position.target) == (1.095, None)
    again = desk.positions.move(ticket, stop=Decimal("1.095"), **WHO)
    assert (again.became, again.retcode) == (Became.DONE, 10025)


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ({"stop": Decimal("1.1001")}, "bad_stop"),  # above the bid of a long
        ({"stop": Decimal("1.10000")}, "bad_stop"),
        ({"stop": Decimal("1.0951234")}, "bad_stop"),  # between ticks
        ({"stop": Decimal("NaN")}, "bad_stop"),
        ({"target": Decimal("1.09")}, "bad_target"),
        ({"target": Decimal(-1)}, "bad_target"),
        ({"stop": None}, "stop_required"),
    ],
)
def test_no_level_that_a_broker_would_refuse(desk: OrderDesk, levels: Mapping[str, Any], code: str) -> None:
    ticket = desk.open()
    with pytest.raises(DeskError) as refusal:
        desk.positions.move(ticket, **levels, **WHO)
    assert refusal.value.code == code
    assert desk.sent == []


def test_no_stop_inside_the_stops_level(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, symbols={"*": {"stops_level": 50}})
    ticket = desk.open()
    with pytest.raises(Invalid) as refusal:
        desk.positions.move(ticket, stop=Decimal("1.09951"), **WHO)
    assert refusal.value.details["minimum"] == "0.00050"
    assert desk.positions.move(ticket, stop=Decimal("1.0995"), **WHO).done


def test_a_frozen_position_is_for_the_next_cycle(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, symbols={"*": {"freeze_level": 100}})
    ticket = desk.open(sl=1.0995)
    assert desk.positions.move(ticket, stop=Decimal("1.09"), **WHO).retcode == 10029
    assert desk.positions.close(ticket, **WHO).became is Became.LATER


def test_an_order_is_moved_and_cancelled(desk: OrderDesk) -> None:
    ticket = desk.pend(2, 1.09)
    changed = desk.waiting.modify(ticket, price=Decimal("1.08"), stop=Decimal("1.07"), **WHO)
    assert changed.done
    order = desk.dealer.order(ticket)
    assert order is not None
    assert (order.price, order.stop) == (Decimal("1.08"), Decimal("1.07"))
    assert desk.waiting.cancel(ticket, **WHO).done
    assert desk.dealer.orders() == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": Decimal("1.11")}, "bad_price"),  # a buy limit above the ask
        ({"stop": Decimal("1.095")}, "bad_stop"),
        ({"target": Decimal("1.08")}, "bad_target"),
        ({"price": Decimal("1.08")}, "bad_stop"),  # below its own stop
        ({"stop": None}, "stop_required"),
    ],
)
def test_no_order_that_a_broker_would_refuse(desk: OrderDesk, changes: Mapping[str, Any], code: str) -> None:
    ticket = desk.pend(2, 1.09)
    with pytest.raises(DeskError) as refusal:
        desk.waiting.modify(ticket, **changes, **WHO)
    assert refusal.value.code == code
    assert desk.sent == []


def test_a_second_requote_is_for_the_next_cycle(tmp_path: Path) -> None:
    desk = broken(tmp_path, n2=Fault.REQUOTE, n3=Fault.REQUOTE)
    change = desk.positions.close(desk.open(), **WHO)
    assert (change.became, change.retcode, len(desk.sent)) == (Became.LATER, 10004, 2)


def test_a_lost_answer_to_a_cancel_is_looked_at(tmp_path: Path) -> None:
    desk = broken(tmp_path, n2=Fault.NO_ANSWER_EXECUTED, n4=Fault.NO_ANSWER)
    assert desk.waiting.cancel(desk.pend(2, 1.09), **WHO).became is Became.GONE
    assert desk.waiting.cancel(desk.pend(2, 1.09), **WHO).became is Became.UNKNOWN
    assert len(desk.dealer.orders()) == 1


def test_too_many_requests_are_waited_out(desk: OrderDesk) -> None:
    ticket = desk.open()
    desk.stage.api.order_send = busy(desk.stage.api.order_send, times=2)
    assert desk.positions.close(ticket, **WHO).done
    assert (desk.waited, len(desk.sent)) == ([0.3, 0.6], 3)


def test_too_many_requests_for_ever_end(desk: OrderDesk) -> None:
    ticket = desk.open()
    desk.stage.api.order_send = busy(desk.stage.api.order_send, times=99)
    change = desk.positions.close(ticket, **WHO)
    assert (change.became, change.retcode, len(desk.sent)) == (Became.LATER, 10024, 4)


@pytest.mark.parametrize(
    ("code", "words"), [(10017, "master password"), (10026, "ask the broker"), (10027, "Algo Trading")]
)
def test_where_a_person_must_click_the_desk_is_paused(desk: OrderDesk, code: int, words: str) -> None:
    ticket = desk.open()
    desk.stage.api.order_send = busy(desk.stage.api.order_send, times=1, code=code)
    change = desk.positions.close(ticket, **WHO)
    assert (change.became, len(desk.sent)) == (Became.REFUSED, 1)
    assert words in desk.switch.pauses[0]


def busy(send: Any, *, times: int, code: int = 10024) -> Any:
    left = [times]

    def order_send(request: dict[str, Any]) -> Any:
        if not left[0]:
            return send(request)
        left[0] -= 1
        answer = send({"action": 99, "symbol": "EURUSD"})
        return answer._replace(retcode=code, comment="")

    return order_send


def test_a_netting_account_closes_too(tmp_path: Path) -> None:
    desk = OrderDesk(tmp_path, account=SimulatedAccount(hedging=False))
    ticket = desk.open()
    assert desk.positions.close(ticket, Decimal("0.4"), **WHO).done
    assert lots(desk) == [Decimal("0.6")]
    assert desk.positions.close(ticket, **WHO).done
    assert lots(desk) == []
