"""What may go wrong between the desk and a broker, one fault at a time, by script and by seed."""

import pytest

from backend.simulator.faults import Fault, Faults
from tests.fakes.scripted_market import Stage

BUY, SELL, BUY_LIMIT = 0, 1, 2
DEAL = {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": BUY, "type_filling": 1, "comment": "mine"}
LIMIT = DEAL | {"action": 5, "type": BUY_LIMIT, "price": 1.09, "type_filling": 2}


def stage_with(*faults: Fault | None, **more: float) -> Stage:
    """The first request meets the first fault, and so on."""
    script = {number: fault for number, fault in enumerate(faults, 1) if fault is not None}
    return Stage(faults=Faults(script=script, **more))  # type: ignore[arg-type]  # seconds


@pytest.mark.parametrize(
    ("fault", "retcode"),
    [
        (Fault.REQUOTE, 10_004),
        (Fault.REJECT, 10_006),
        (Fault.OFF_QUOTES, 10_021),
        (Fault.NO_MONEY, 10_019),
    ],
)
def test_a_refusal_does_nothing_and_the_next_request_goes_through(fault: Fault, retcode: int) -> None:
    stage = stage_with(fault)
    assert stage.refused(**DEAL) == retcode
    assert stage.deals() == ()
    assert stage.done(DEAL).retcode == 10_009


def test_a_pending_order_is_not_quoted_again_and_a_bad_request_is_bad_first() -> None:
    assert stage_with(Fault.REQUOTE).done(LIMIT).retcode == 10_008
    assert stage_with(Fault.REJECT).refused(**(DEAL | {"volume": 0.001})) == 10_014


@pytest.mark.parametrize(("fault", "executed"), [(Fault.NO_ANSWER_EXECUTED, 1), (Fault.NO_ANSWER, 0)])
@pytest.mark.parametrize("fields", [DEAL, LIMIT])
def test_no_answer_tells_nothing_of_what_was_done(
    fault: Fault, executed: int, fields: dict[str, object]
) -> None:
    stage = stage_with(fault)
    assert stage.api.order_send(fields) is None
    assert stage.api.last_error() == (-10_005, "IPC timeout")
    found = stage.api.positions_total() + stage.api.orders_total()
    assert found == executed
    assert stage.api.order_send(fields).retcode in {10_008, 10_009}


def test_a_lost_broker_is_seen_and_comes_back() -> None:
    stage = stage_with(Fault.DISCONNECT, disconnect_seconds=30)
    assert stage.api.terminal_info().connected is True
    assert stage.refused(**DEAL) == 10_031
    assert stage.api.terminal_info().connected is False
    stage.go(seconds=29)
    assert stage.refused(**DEAL) == 10_031
    stage.go(seconds=1)
    assert stage.api.terminal_info().connected is True
    stage.done(DEAL)
    assert len(stage.deals()) == 1


def test_a_slow_answer_waits_and_is_then_as_any_other() -> None:
    stage = stage_with(Fault.SLOW, slow_seconds=7.5)
    waited: list[float] = []
    stage.api._room._sleep = waited.append
    assert stage.done(DEAL).retcode == 10_009
    assert waited == [7.5]


def test_half_the_volume() -> None:
    stage = stage_with(Fault.PARTIAL, Fault.PARTIAL, Fault.PARTIAL)
    sent = stage.done(DEAL | {"volume": 0.25})
    assert (sent.retcode, sent.volume) == (10_010, 0.12)  # floored to the step
    (order,) = stage.api.history_orders_get(ticket=sent.order)
    assert (order.state, order.volume_initial, order.volume_current) == (2, 0.25, 0.13)
    assert stage.api.positions_get()[0].volume == 0.12
    assert stage.refused(**(DEAL | {"type_filling": 0})) == 10_006  # fill or kill
    assert stage.done(DEAL | {"volume": 0.01}).retcode == 10_009  # not less than the least
    assert len(stage.deals()) == 2


def test_a_pending_order_is_filled_in_parts() -> None:
    stage = stage_with(Fault.PARTIAL)
    placed = stage.done(LIMIT | {"volume": 0.5, "sl": 1.08})
    stage.price(1.0890)
    (position,) = stage.api.positions_get()
    (order,) = stage.api.orders_get()
    assert (position.ticket, position.volume) == (placed.order, 0.25)
    assert (order.ticket, order.state, order.volume_initial, order.volume_current) == (
        placed.order,
        3,
        0.5,
        0.25,
    )
    stage.price(1.0950)
    assert stage.api.orders_total() == 1  # the rest waits for its price
    stage.price(1.0890)
    (position,) = stage.api.positions_get()
    assert (position.ticket, position.volume, position.price_open, position.sl) == (
        placed.order,
        0.5,
        1.09,
        1.08,
    )
    assert stage.api.orders_get() == ()
    (done,) = stage.api.history_orders_get(ticket=placed.order)
    assert (done.state, done.volume_current) == (4, 0.0)
    assert [(d.entry, d.volume) for d in stage.api.history_deals_get(ticket=placed.order)] == [(0, 0.25)] * 2


@pytest.mark.parametrize(("filling", "state", "volume"), [(0, 5, 0.0), (1, 2, 0.25)])
def test_a_part_is_nothing_for_fill_or_kill_and_all_for_immediate_or_cancel(
    filling: int, state: int, volume: float
) -> None:
    stage = stage_with(Fault.PARTIAL)
    placed = stage.done(LIMIT | {"volume": 0.5, "type_filling": filling})
    stage.price(1.0890)
    assert stage.api.orders_get() == ()
    assert sum(p.volume for p in stage.api.positions_get()) == volume
    (done,) = stage.api.history_orders_get(ticket=placed.order)
    assert (done.state, done.volume_current) == (state, 0.5 - volume)


@pytest.mark.parametrize(("fault", "comment"), [(Fault.BLANK_COMMENT, ""), (Fault.REWRITE_COMMENT, "broker")])
def test_comments_that_do_not_survive(fault: Fault, comment: str) -> None:
    stage = stage_with(fault, fault)
    sent = stage.done(DEAL | {"magic": 5})
    assert sent.request.comment == "mine"
    position = stage.api.positions_get()[0]
    assert (position.comment, position.magic) == (comment, 5)
    assert stage.deals()[0].comment == comment
    stage.done(LIMIT)
    assert stage.api.orders_get()[0].comment == comment


def test_chance_is_the_seed_s_and_the_request_s_number_s_alone() -> None:
    faults = Faults(seed=5, chances={Fault.REJECT: 0.2, Fault.SLOW: 0.1})
    drawn = [faults.of(number) for number in range(1, 2_001)]
    assert drawn == [faults.of(number) for number in range(1, 2_001)]
    assert drawn != [Faults(seed=6, chances=faults.chances).of(number) for number in range(1, 2_001)]
    assert 320 < drawn.count(Fault.REJECT) < 480
    assert 140 < drawn.count(Fault.SLOW) < 260
    assert set(drawn) == {Fault.REJECT, Fault.SLOW, None}


def test_nothing_goes_wrong_unless_asked_for() -> None:
    assert {Faults(seed=9).of(number) for number in range(1, 500)} == {None}
