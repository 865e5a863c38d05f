"""What happens to an account by itself: stop-out, swap, closed markets; and its limits. Worked by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.mt5.server_time import ServerClock
from backend.simulator.account import SimulatedAccount
from backend.simulator.build import build_simulated_terminal
from backend.simulator.statefile import BookFile
from backend.storage.files import FileStorage
from tests.fakes.scripted_market import START, Stage

BUY, SELL, BUY_LIMIT = 0, 1, 2
SO = 6


def deal(**fields: Any) -> dict[str, Any]:
    return {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": BUY, "type_filling": 1} | fields


# Stop-out.


def test_the_largest_loss_goes_first_and_only_as_much_as_needed() -> None:
    stage = Stage(SimulatedAccount(stop_out=Decimal(50)))
    small = stage.deal(BUY, 2.0).order  # 1.1002: 2,200.40
    stage.price(1.1040)
    large = stage.deal(BUY, 4.0).order  # 1.1042: 4,416.80; together 6,617.20, half of it 3,308.60
    # At a bid of 1.0921 equity is 10,000 − 2 × 810 − 4 × 1,210 = 3,540; at 1.0917 it is 3,300.
    stage.price(1.0921)
    assert stage.api.positions_total() == 2
    stage.price(1.0917)
    (left,) = stage.api.positions_get()
    assert left.ticket == small
    closed = stage.deals()[-1]
    assert (closed.position_id, closed.price, closed.profit, closed.reason) == (large, 1.0917, -5_000.0, SO)
    assert closed.comment == "[so 49.87%]"  # 3,300 / 6,617.20
    assert stage.api.account_info().equity == 3_300.0


def test_everything_goes_and_a_negative_balance_is_kept() -> None:
    stage = Stage()
    stage.deal(BUY, 5.0)
    stage.deal(BUY, 3.0)
    stage.price(1.0800)  # a gap of 202 pips: 10,100 and 6,060
    assert stage.api.positions_get() == ()
    assert [d.profit for d in stage.deals()[-2:]] == [-10_100.0, -6_060.0]
    assert stage.api.account_info().balance == -6_160.0
    assert stage.api.account_info().margin_level == 0.0
    assert stage.refused(**deal(volume=0.01)) == 10_019


def test_pending_orders_that_take_margin_go_before_positions() -> None:
    stage = Stage(SimulatedAccount(pending_margin=True, stop_out=Decimal(100)))
    small = stage.pend(BUY_LIMIT, 1.0500, 1.0).order  # 1,050
    large = stage.pend(BUY_LIMIT, 1.0500, 3.0).order  # 3,150
    stage.deal(BUY, 4.0)  # 4,400.80; together 8,600.80
    assert stage.api.account_info().margin == 8_600.8
    stage.price(1.0950)  # equity 10,000 − 2,080 = 7,920
    # Without the larger order 5,450.80 are taken, and that is enough.
    assert [o.ticket for o in stage.api.orders_get()] == [small]
    (gone,) = stage.api.history_orders_get(ticket=large)
    assert gone.state == 2
    assert stage.api.positions_total() == 1


def test_opposite_positions_of_one_symbol_can_be_stopped_out_by_the_spread() -> None:
    stage = Stage(symbols={"EURUSD": {"margin_hedged": 0.0}})
    stage.deal(BUY, 9.0)
    stage.deal(SELL, 9.0)  # hedged without margin: nothing to stop out
    stage.price(1.0500, 1.0700)
    assert stage.api.positions_total() == 2
    assert stage.api.account_info().equity == -8_180.0  # 9 lots × (spread of 202 pips)


# Swap: EURUSD −7 points a lot and night for longs, +2 for shorts; a point of a lot is a dollar.


def swap_after(day: datetime, nights: timedelta, *, kind: int = BUY, volume: float = 1.0) -> float:
    stage = Stage()
    stage.now = day
    stage.market.tick("EURUSD", day, 1.1, 1.1002)
    stage.deal(kind, volume)
    stage.now = day + nights  # no tick anywhere, and nobody asks in between
    return float(stage.api.positions_get()[0].swap)


MONDAY = datetime(2025, 11, 17, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("weekday", "nights", "times"),
    [
        (0, 0.58, 0),  # Monday until 23:55
        (0, 0.59, 1),  # and past midnight
        (2, 1, 3),  # the night that ends Wednesday counts three times
        (3, 1, 1),
        (4, 1, 1),  # Friday's
        (4, 3, 1),  # Saturday's and Sunday's count nothing
        (0, 7, 7),  # a whole week: 1 + 1 + 3 + 1 + 1
        (0, 28, 28),
    ],
)
def test_swap_of_a_long(weekday: int, nights: float, times: int) -> None:
    day = MONDAY + timedelta(days=weekday)
    assert swap_after(day, timedelta(days=nights)) == -7.0 * times


def test_a_short_earns_and_cents_are_booked_each_night() -> None:
    assert swap_after(MONDAY, timedelta(days=1), kind=SELL) == 2.0
    # 0.07 lots × 7 points = 0.49 a night, three nights of it on Wednesday.
    assert swap_after(MONDAY, timedelta(days=3), volume=0.07) == -2.45


def test_swap_is_paid_with_the_part_that_closes() -> None:
    stage = Stage()
    opened = stage.deal(BUY, 1.0)
    stage.price(1.1002, days=1)
    assert stage.api.account_info().equity == 9_993.0
    assert stage.api.account_info().balance == 10_000.0
    stage.deal(SELL, 0.3, position=opened.order)
    assert (stage.deals()[-1].swap, stage.deals()[-1].profit) == (-2.1, 0.0)
    assert stage.api.positions_get()[0].swap == -4.9
    stage.deal(SELL, 0.7, position=opened.order)
    assert stage.api.account_info().balance == 9_993.0


@pytest.mark.parametrize(
    ("mode", "rate", "swap"),
    [
        (0, -7.0, 0.0),
        (2, -3.0, -3.3),  # three euros, at 1.1001
        (3, -3.0, -3.3),
        (4, -3.0, -3.0),  # dollars
        (5, -3.6, -11.0),  # 3.6 % of 110,000 a year of 360 days
        (6, -3.6, -11.0),
    ],
)
def test_other_units_of_swap(mode: int, rate: float, swap: float) -> None:
    stage = Stage(symbols={"EURUSD": {"swap_mode": mode, "swap_long": rate}})
    stage.deal(BUY, 1.0)
    stage.go(days=1)
    assert stage.api.positions_get()[0].swap == swap


def test_swap_in_yen_becomes_dollars_at_the_last_price_before_midnight() -> None:
    stage = Stage(symbols={"USDJPY": {"swap_long": 10.0}})
    stage.deal(BUY, 1.0, symbol="USDJPY")
    stage.price(152.000, symbol="USDJPY", hours=13, minutes=59)
    stage.price(155.000, symbol="USDJPY", minutes=2)
    # 10 points × 100 yen ÷ 152.000 = 6.578…
    assert stage.api.positions_get()[0].swap == 6.58


@pytest.mark.parametrize(
    "day", [datetime(2025, 10, 30, 10, tzinfo=UTC), datetime(2025, 3, 6, 10, tzinfo=UTC)]
)
@pytest.mark.parametrize("rule", ["America/New_York+7", "Europe/Athens", "UTC"])
def test_swap_over_the_days_on_which_clocks_change(day: datetime, rule: str) -> None:
    now = [day]  # a Thursday
    api = build_simulated_terminal(
        seed=7, replay=None, server_clock=ServerClock.parse(rule), now=lambda: now[0]
    )
    assert api.initialize()
    sent = api.order_send(deal())
    assert sent is not None
    now[0] = day + timedelta(days=5)  # the nights that end Thursday, Friday and Monday
    (position,) = api.positions_get() or ()
    assert (position.ticket, position.swap) == (sent.order, -21.0)


# Markets and limits.


def test_a_closed_market_takes_nothing() -> None:
    stage = Stage()
    held = stage.deal(BUY, 1.0).order
    order = stage.pend(BUY_LIMIT, 1.09).order
    stage.market.closed.add("EURUSD")
    for fields in (
        deal(),
        deal(type=SELL, position=held),
        {"action": 6, "position": held, "sl": 1.08},
        {"action": 7, "order": order, "price": 1.08},
        {"action": 8, "order": order},
        {"action": 5, "symbol": "EURUSD", "volume": 1.0, "type": BUY_LIMIT, "price": 1.08, "type_filling": 2},
    ):
        assert stage.refused(**fields) == 10_018
    stage.deal(BUY, 1.0, symbol="USDJPY")


@pytest.mark.parametrize(
    ("mode", "buy", "sell", "close"),
    [
        (0, 10_017, 10_017, 10_017),
        (1, 10_009, 10_042, 10_009),
        (2, 10_043, 10_009, 10_009),
        (3, 10_044, 10_044, 10_009),
        (4, 10_009, 10_009, 10_009),
    ],
)
@pytest.mark.parametrize("hedging", [True, False])
def test_trade_modes(hedging: bool, mode: int, buy: int, sell: int, close: int) -> None:
    stage = Stage(SimulatedAccount(hedging=hedging), symbols={"EURUSD": {"trade_mode": mode}})
    send = stage.api.order_send
    assert send(deal(volume=0.1)).retcode == buy
    if hedging or buy != 10_009:
        assert send(deal(type=SELL, volume=0.1)).retcode == sell
    pending = deal(action=5, type=BUY_LIMIT, price=1.09, type_filling=2, volume=0.1)
    assert send(pending).retcode == (10_008 if buy == 10_009 else buy)
    if stage.api.positions_total():
        held = stage.api.positions_get()[0]
        request = deal(type=1 - held.type, volume=held.volume, position=held.ticket)
        assert send(request).retcode == close


def test_netting_closes_and_does_not_turn_round_where_closing_only_is_allowed(tmp_path: Path) -> None:
    file = BookFile(FileStorage(tmp_path), "book.jsonl")
    stage = Stage(SimulatedAccount(hedging=False), file=file)
    stage.deal(BUY, 1.0)
    stage.terms = replace(stage.terms, symbols={"EURUSD": {"trade_mode": 3}})
    stage.api = stage.terminal(BookFile(FileStorage(tmp_path), "book.jsonl"))
    assert stage.refused(**deal(type=SELL, volume=1.5)) == 10_044  # half a lot would open
    stage.deal(SELL, 1.0)


def test_limits_of_orders_positions_and_volume() -> None:
    stage = Stage(SimulatedAccount(limit_orders=2, limit_positions=2), symbols={"*": {"volume_limit": 3.0}})
    pending = deal(action=5, type=BUY_LIMIT, price=1.09, type_filling=2)
    stage.done(pending)
    stage.done(pending | {"price": 1.08})
    assert stage.refused(**pending) == 10_033
    stage.deal(BUY, 0.5)
    assert stage.refused(**deal(volume=0.6)) == 10_034  # 2 pending and 0.5 held
    stage.deal(SELL, 0.6)
    assert stage.refused(**deal(symbol="USDJPY")) == 10_040
    assert stage.api.account_info().limit_orders == 2
    assert stage.api.symbol_info("EURUSD").volume_limit == 3.0


@pytest.mark.parametrize(
    ("fields", "retcode"),
    [
        ({"price": 1.1002}, 10_009),
        ({"price": 1.1003, "deviation": 10}, 10_009),  # one pip away, one allowed
        ({"price": 1.1003, "deviation": 9}, 10_004),
        ({"price": 1.1001}, 10_004),
        ({}, 10_015),
        ({"type": SELL, "price": 1.1000}, 10_009),
    ],
)
def test_instant_execution_deals_at_the_price_asked_for_or_quotes_again(
    fields: dict[str, Any], retcode: int
) -> None:
    stage = Stage(SimulatedAccount(slippage=5), symbols={"EURUSD": {"execution": 1}})
    sent = stage.api.order_send(deal(**fields))
    assert sent.retcode == retcode
    assert (sent.bid, sent.ask) == (1.1, 1.1002)
    if retcode == 10_009:
        assert sent.price == (1.1002 if fields.get("type", BUY) == BUY else 1.1)


def test_what_the_money_allows() -> None:
    stage = Stage()
    assert stage.refused(**deal(volume=9.09)) == 10_019  # 10,000.82
    stage.deal(BUY, 9.08)  # 9,989.82
    # A hedge takes no more margin than there is, so it is allowed though nothing is free.
    assert stage.api.account_info().margin_free < 0
    stage.deal(SELL, 9.08)


def test_a_currency_without_a_rate_is_not_dealt() -> None:
    stage = Stage(SimulatedAccount(currency="SEK"))
    assert stage.refused(**deal()) == 10_021
    assert stage.api.order_calc_profit(0, "EURUSD", 1.0, 1.1, 1.2) is None
    assert "SEK" in stage.api.last_error()[1]


def test_nothing_happens_twice_however_often_it_is_asked() -> None:
    stage = Stage()
    stage.deal(BUY, 1.0, sl=1.09)
    stage.price(1.0890)
    for _ in range(3):
        assert len(stage.deals()) == 2
        stage.go(days=2)
    assert int(START.timestamp()) == stage.deals()[0].time
