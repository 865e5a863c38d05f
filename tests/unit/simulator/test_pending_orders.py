"""Pending orders, stops and targets: when they fill, at what price, and what may be changed."""

from datetime import timedelta
from typing import Any

import pytest

from backend.simulator.account import SimulatedAccount
from tests.fakes.scripted_market import START, Stage

BUY, SELL, BUY_LIMIT, SELL_LIMIT, BUY_STOP, SELL_STOP, BUY_STOP_LIMIT, SELL_STOP_LIMIT = range(8)
PLACED, CANCELED, FILLED, REJECTED, EXPIRED = 1, 2, 4, 5, 6


@pytest.fixture
def stage() -> Stage:
    return Stage()


def state_of(stage: Stage, ticket: int) -> tuple[int, int]:
    """State and time done, seconds after the start."""
    (order,) = stage.api.history_orders_get(ticket=ticket)
    return order.state, order.time_done - int(START.timestamp())


@pytest.mark.parametrize(
    ("kind", "price", "ticks", "filled"),
    [
        # The market is 1.1000 / 1.1002; asks are 2 pips above these bids.
        (BUY_LIMIT, 1.0990, [1.0995, 1.0989, 1.0988], (1.0990, 3)),  # the ask comes to it at the third tick
        (BUY_LIMIT, 1.0990, [1.0950], (1.0990, 1)),  # no improvement where the price leaps over it
        (SELL_LIMIT, 1.1010, [1.1009, 1.1010], (1.1010, 2)),
        (SELL_LIMIT, 1.1010, [1.1050], (1.1010, 1)),
        (BUY_STOP, 1.1010, [1.1007, 1.1008], (1.1010, 2)),
        (BUY_STOP, 1.1010, [1.1030], (1.1032, 1)),  # leapt over: the worse price counts
        (SELL_STOP, 1.0990, [1.0991, 1.0990], (1.0990, 2)),
        (SELL_STOP, 1.0990, [1.0970], (1.0970, 1)),
    ],
)
def test_where_a_pending_order_fills(
    stage: Stage, kind: int, price: float, ticks: list[float], filled: tuple[float, int]
) -> None:
    placed = stage.pend(kind, price, magic=3, comment="resting")
    assert placed.retcode == 10_008
    (order,) = stage.api.orders_get()
    assert (order.ticket, order.state, order.price_open, order.volume_current) == (
        placed.order,
        PLACED,
        price,
        1.0,
    )
    for bid in ticks:
        assert stage.api.positions_total() == 0
        stage.price(bid)
    (position,) = stage.api.positions_get()
    assert (position.price_open, position.time - int(START.timestamp())) == filled
    assert (position.ticket, position.magic, position.comment) == (placed.order, 3, "resting")
    assert stage.api.orders_get() == ()
    assert state_of(stage, placed.order) == (FILLED, filled[1])


def test_a_stop_limit_becomes_a_limit_and_then_fills(stage: Stage) -> None:
    placed = stage.pend(BUY_STOP_LIMIT, 1.1020, stoplimit=1.1010)
    assert stage.api.orders_get()[0].price_stoplimit == 1.1010
    stage.price(1.1019)  # ask 1.1021: past the stop
    (order,) = stage.api.orders_get()
    assert (order.ticket, order.type, order.price_open, order.price_stoplimit) == (
        placed.order,
        BUY_LIMIT,
        1.1010,
        0.0,
    )
    stage.price(1.1008)  # ask 1.1010
    assert stage.api.positions_get()[0].price_open == 1.1010


@pytest.mark.parametrize(
    ("kind", "levels", "bids", "closed"),
    [
        # A long from 1.1002; its stop and target look at the bid.
        (BUY, {"sl": 1.0990}, [1.0991, 1.0990], (1.0990, -120.0, 4, "[sl 1.09900]")),
        (BUY, {"sl": 1.0990}, [1.0950], (1.0950, -520.0, 4, "[sl 1.09900]")),  # gap
        (BUY, {"tp": 1.1012}, [1.1011, 1.1012], (1.1012, 100.0, 5, "[tp 1.10120]")),
        (BUY, {"tp": 1.1012}, [1.1100], (1.1012, 100.0, 5, "[tp 1.10120]")),  # no improvement
        # A short from 1.1000; its stop and target look at the ask, 2 pips above the bid.
        (SELL, {"sl": 1.1010}, [1.1007, 1.1008], (1.1010, -100.0, 4, "[sl 1.10100]")),
        (SELL, {"sl": 1.1010}, [1.1028], (1.1030, -300.0, 4, "[sl 1.10100]")),
        (SELL, {"tp": 1.0990}, [1.0990, 1.0988], (1.0990, 100.0, 5, "[tp 1.09900]")),
    ],
)
def test_where_stops_and_targets_close(
    stage: Stage,
    kind: int,
    levels: dict[str, float],
    bids: list[float],
    closed: tuple[float, float, int, str],
) -> None:
    opened = stage.deal(
        kind, 1.0, magic=9, comment="entry", sl=levels.get("sl", 0.0), tp=levels.get("tp", 0.0)
    )
    for bid in bids:
        assert stage.api.positions_total() == 1
        stage.price(bid)
    assert stage.api.positions_total() == 0
    deal = stage.deals()[-1]
    assert (deal.price, deal.profit, deal.reason, deal.comment) == closed
    assert (deal.time - int(START.timestamp()), deal.magic) == (len(bids), 9)
    assert deal.position_id == opened.order
    assert stage.api.account_info().balance == 10_000 + closed[1]


def test_slippage_makes_market_orders_and_stops_worse_and_limits_not() -> None:
    stage = Stage(SimulatedAccount(slippage=3))  # 0.3 pips
    assert stage.deal(BUY, 1.0, sl=1.0990).price == 1.10023
    stage.pend(BUY_LIMIT, 1.0995)
    stage.pend(SELL_STOP, 1.0980)
    stage.price(1.0993)
    assert stage.api.positions_get()[1].price_open == 1.0995
    stage.price(1.0990)
    assert stage.deals()[-1].price == 1.09897
    stage.price(1.0980)
    assert stage.api.positions_get()[1].price_open == 1.09797


def test_nothing_changes_while_the_price_is_elsewhere(stage: Stage) -> None:
    stage.deal(BUY, 1.0, sl=1.09, tp=1.12)
    for bid in (1.1100, 1.0901, 1.1199, 1.0950):
        stage.price(bid, hours=1)
    assert len(stage.deals()) == 1


@pytest.mark.parametrize(
    ("lifetime", "expiration", "ends"),
    [
        (0, 0, None),
        (1, 0, timedelta(hours=14)),  # the server's midnight
        (2, 3_600, timedelta(hours=1)),
        (3, 26 * 3_600, timedelta(hours=38)),  # the midnight after that day
    ],
)
def test_lifetimes(stage: Stage, lifetime: int, expiration: int, ends: timedelta | None) -> None:
    at = int(START.timestamp())
    placed = stage.pend(BUY_LIMIT, 1.09, type_time=lifetime, expiration=at + expiration if expiration else 0)
    if ends is None:
        stage.go(days=30)
        assert stage.api.orders_total() == 1
        return
    stage.now = START + ends - timedelta(milliseconds=1)
    assert stage.api.orders_total() == 1
    stage.now = START + timedelta(days=30)  # asked long after, it ended when it ended
    assert stage.api.orders_total() == 0
    assert state_of(stage, placed.order) == (EXPIRED, ends.total_seconds())


def test_a_price_after_the_expiry_does_not_fill(stage: Stage) -> None:
    at = int(START.timestamp())
    stage.pend(BUY_LIMIT, 1.09, type_time=2, expiration=at + 60)
    stage.price(1.0800, seconds=60)  # the very instant
    stage.go(days=1)
    assert stage.api.positions_total() == 0


@pytest.mark.parametrize(("mask", "lifetime"), [(14, 0), (13, 1), (11, 2), (7, 3)])
def test_lifetimes_that_the_symbol_does_not_offer(mask: int, lifetime: int) -> None:
    stage = Stage(symbols={"*": {"expirations": mask}})
    far = int(START.timestamp()) + 86_400
    fields = {"action": 5, "symbol": "EURUSD", "volume": 1.0, "type": BUY_LIMIT, "price": 1.09}
    assert stage.refused(**fields, type_filling=2, type_time=lifetime, expiration=far) == 10_022


def test_an_order_is_changed_and_removed(stage: Stage) -> None:
    placed = stage.pend(BUY_LIMIT, 1.09)
    change = {"action": 7, "order": placed.order, "symbol": "EURUSD"}
    assert stage.done(change | {"price": 1.0950, "sl": 1.09, "tp": 1.12}).retcode == 10_009
    (order,) = stage.api.orders_get(ticket=placed.order)
    assert (order.price_open, order.sl, order.tp) == (1.0950, 1.09, 1.12)
    assert stage.refused(**change, price=1.0950, sl=1.09, tp=1.12) == 10_025
    assert stage.refused(**change, price=1.1010) == 10_015
    assert stage.refused(**change, price=1.0950, sl=1.0960) == 10_016
    stage.go(seconds=5)
    assert stage.done({"action": 8, "order": placed.order}).order == placed.order
    assert stage.api.orders_get() == ()
    assert state_of(stage, placed.order) == (CANCELED, 5)
    assert stage.refused(action=8, order=placed.order) == 10_023
    assert stage.refused(action=8, order=123) == 10_013


def test_stops_are_set_changed_and_cleared(stage: Stage) -> None:
    opened = stage.deal(BUY, 1.0)
    change = {"action": 6, "symbol": "EURUSD", "position": opened.order}
    assert stage.done(change | {"sl": 1.09, "tp": 1.12}).retcode == 10_009
    assert stage.refused(**change, sl=1.09, tp=1.12) == 10_025
    assert stage.refused(**change, sl=1.1) == 10_016  # at the bid
    stage.go(seconds=7)
    stage.done(change | {"sl": 1.095})  # a target that is left out is taken away
    (position,) = stage.api.positions_get()
    assert (position.sl, position.tp) == (1.095, 0.0)
    assert position.time_update - position.time == 7
    assert stage.refused(**(change | {"symbol": "USDJPY"}), sl=1.09) == 10_013


def test_the_stops_level_keeps_a_distance() -> None:
    stage = Stage(symbols={"EURUSD": {"stops_level": 50}})  # 5 pips
    fields = {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": BUY, "type_filling": 1}
    assert stage.refused(**fields, sl=1.09951) == 10_016
    assert stage.refused(**fields, tp=1.10049) == 10_016
    stage.deal(BUY, 1.0, sl=1.0995, tp=1.1005)
    pending = {"action": 5, "symbol": "EURUSD", "volume": 1.0, "type": BUY_LIMIT, "type_filling": 2}
    assert stage.refused(**pending, price=1.09971) == 10_015  # less than 5 pips below the ask
    stage.pend(BUY_LIMIT, 1.0997, sl=1.0992)
    assert stage.refused(**pending, price=1.0990, sl=1.09851) == 10_016
    assert stage.api.symbol_info("EURUSD").trade_stops_level == 50


def test_what_is_frozen_cannot_be_changed() -> None:
    stage = Stage(symbols={"EURUSD": {"freeze_level": 30}})  # 3 pips
    near = stage.deal(BUY, 1.0, sl=1.0997).order
    far = stage.deal(BUY, 1.0, sl=1.0990).order
    assert stage.refused(action=6, position=near, sl=1.0990) == 10_029
    assert (
        stage.refused(action=1, symbol="EURUSD", volume=1.0, type=SELL, type_filling=1, position=near)
        == 10_029
    )
    stage.done({"action": 6, "position": far, "sl": 1.0980})
    order = stage.pend(BUY_LIMIT, 1.0999).order  # 3 pips below the ask
    assert stage.refused(action=7, order=order, price=1.0990) == 10_029
    assert stage.refused(action=8, order=order) == 10_029
    stage.price(1.1001)
    stage.done({"action": 8, "order": order})


@pytest.mark.parametrize(
    ("fillings", "execution", "filling", "market", "pending"),
    [
        (3, 2, 0, 10_009, 10_008),
        (3, 2, 1, 10_009, 10_008),
        (1, 2, 1, 10_030, 10_030),  # IOC is not offered; bits are 1, 2, 4 for modes 0, 1, 3
        (2, 2, 0, 10_030, 10_030),
        (3, 2, 2, 10_030, 10_008),  # RETURN suits pending orders, and market orders on an exchange
        (3, 3, 2, 10_009, 10_008),
        (7, 2, 3, 10_030, 10_008),  # book or cancel is for limits
        (3, 2, 3, 10_030, 10_030),
        (1, 1, 2, 10_009, 10_008),  # instant execution deals all or nothing, whatever is asked
    ],
)
def test_filling_modes(fillings: int, execution: int, filling: int, market: int, pending: int) -> None:
    stage = Stage(symbols={"*": {"fillings": fillings, "execution": execution}})
    order = {"symbol": "EURUSD", "volume": 0.1, "type_filling": filling}
    sent = stage.api.order_send(order | {"action": 1, "type": BUY, "price": 1.1002})
    assert sent.retcode == market
    assert stage.api.order_send(order | {"action": 5, "type": BUY_LIMIT, "price": 1.09}).retcode == pending


def test_book_or_cancel_is_no_stop_order() -> None:
    stage = Stage(symbols={"*": {"fillings": 7}})
    fields: dict[str, Any] = {"action": 5, "symbol": "EURUSD", "volume": 1.0, "type_filling": 3}
    assert stage.refused(**fields, type=BUY_STOP, price=1.11) == 10_030


@pytest.mark.parametrize(("kinds", "kind"), [(125, BUY_LIMIT), (123, BUY_STOP), (119, BUY_STOP_LIMIT)])
def test_kinds_of_order_that_the_symbol_does_not_offer(kinds: int, kind: int) -> None:
    stage = Stage(symbols={"*": {"orders": kinds}})
    price = 1.09 if kind == BUY_LIMIT else 1.11
    fields = {"action": 5, "symbol": "EURUSD", "volume": 1.0, "type": kind, "price": price}
    assert stage.refused(**fields, type_filling=2, stoplimit=1.105) == 10_035


def test_an_order_that_cannot_be_paid_for_when_its_price_comes_is_rejected(stage: Stage) -> None:
    placed = stage.pend(BUY_STOP, 1.1100, 9.0)
    stage.deal(BUY, 5.0)
    stage.price(1.1100)
    # 5 lots take 5,501; 9 more would take 9,991.80 together with them far above the equity of 14,900.
    assert stage.api.positions_total() == 1
    assert state_of(stage, placed.order)[0] == REJECTED


def test_a_new_position_s_own_stop_is_looked_at_on_the_same_price(stage: Stage) -> None:
    stage.pend(SELL_LIMIT, 1.1010, sl=1.1020)
    stage.price(1.1030)  # sold at 1.1010; the ask is 1.1032 by then
    sold, stopped = stage.deals()
    assert (sold.price, stopped.price, stopped.profit) == (1.1010, 1.1032, -220.0)
