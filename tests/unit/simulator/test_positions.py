"""Positions on both kinds of account, every cent worked by hand.

One lot of EURUSD is 100,000 euros: a pip (0.0001) is 10 dollars, and 1:100 takes 1,000 euros of margin.
"""

from decimal import Decimal
from typing import Any

import pytest

from backend.simulator.account import SimulatedAccount
from tests.fakes.scripted_market import START, Stage

BUY, SELL = 0, 1
IN, OUT, INOUT, OUT_BY = 0, 1, 2, 3


def account(**terms: Any) -> SimulatedAccount:
    return SimulatedAccount(**terms)


@pytest.fixture
def stage() -> Stage:
    return Stage(account(commission=Decimal("3.5")))


@pytest.fixture
def netting() -> Stage:
    return Stage(account(hedging=False))


def money(stage: Stage) -> tuple[float, float, float, float, float, float]:
    info = stage.api.account_info()
    return (info.balance, info.profit, info.equity, info.margin, info.margin_free, info.margin_level)


def test_a_new_account_has_its_deposit_and_nothing_else(stage: Stage) -> None:
    assert money(stage) == (10_000.0, 0.0, 10_000.0, 0.0, 10_000.0, 0.0)
    (deposit,) = stage.api.history_deals_get(1, int(START.timestamp()) + 1)
    assert (deposit.type, deposit.profit, deposit.symbol, deposit.order) == (2, 10_000.0, "", 0)
    assert stage.api.history_orders_total(1, int(START.timestamp()) + 1) == 0


def test_a_buy_opens_at_the_ask_and_is_worth_the_bid(stage: Stage) -> None:
    sent = stage.deal(BUY, 1.0, sl=1.0950, tp=1.1100, magic=77, comment="mine")
    assert (sent.retcode, sent.volume, sent.price, sent.bid, sent.ask) == (10_009, 1.0, 1.1002, 1.1, 1.1002)
    (position,) = stage.api.positions_get()
    at = int(START.timestamp())
    assert position._asdict() == {
        "ticket": sent.order,
        "time": at,
        "time_msc": at * 1000,
        "time_update": at,
        "time_update_msc": at * 1000,
        "type": 0,
        "magic": 77,
        "identifier": sent.order,
        "reason": 3,
        "volume": 1.0,
        "price_open": 1.1002,
        "sl": 1.095,
        "tp": 1.11,
        "price_current": 1.1,
        "swap": 0.0,
        "profit": -20.0,
        "symbol": "EURUSD",
        "comment": "mine",
        "external_id": "",
    }
    # 3.50 commission is booked; margin is 1,000 euros at 1.1002; the level is 9,976.50 / 1,100.20.
    assert money(stage) == (9_996.5, -20.0, 9_976.5, 1_100.2, 8_876.3, 906.79)
    (deal,) = stage.deals()
    assert (deal.ticket, deal.order, deal.position_id) == (sent.deal, sent.order, sent.order)
    assert (deal.type, deal.entry, deal.reason, deal.magic, deal.comment) == (0, IN, 3, 77, "mine")
    assert (deal.volume, deal.price, deal.commission, deal.profit) == (1.0, 1.1002, -3.5, 0.0)
    (order,) = stage.api.history_orders_get(ticket=sent.order)
    assert (order.state, order.volume_initial, order.volume_current, order.price_open) == (4, 1, 0, 1.1002)
    assert (order.position_id, order.time_done_msc) == (sent.order, at * 1000)


def test_what_floats_make_of_numbers_is_put_right(stage: Stage) -> None:
    # As scripts reckon: 0.30000000000000004 lots, and a stop at 1.0990000000000002.
    stage.deal(BUY, 0.1 + 0.2, sl=1.1 - 100 * 0.00001, tp=1.1 + 1 / 300)
    (position,) = stage.api.positions_get()
    assert (position.volume, position.sl, position.tp) == (0.3, 1.099, 1.10333)
    beyond = {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 4, "type_filling": 2, "price": 1e300}
    assert stage.refused(**beyond) == 10_015


def test_closing_by_ticket_pays_out(stage: Stage) -> None:
    opened = stage.deal(BUY, 1.0)
    stage.price(1.1010)
    closed = stage.deal(SELL, 1.0, position=opened.order, comment="out")
    assert closed.price == 1.1010
    assert stage.api.positions_get() == ()
    # (1.1010 − 1.1002) × 100,000 = 80.00, less 3.50 twice.
    assert money(stage) == (10_073.0, 0.0, 10_073.0, 0.0, 10_073.0, 0.0)
    deal = stage.deals()[-1]
    assert (deal.type, deal.entry, deal.profit, deal.commission) == (1, OUT, 80.0, -3.5)
    assert deal.position_id == opened.order
    assert [d.entry for d in stage.api.history_deals_get(position=opened.order)] == [IN, OUT]
    assert [o.ticket for o in stage.api.history_orders_get(position=opened.order)] == [
        opened.order,
        closed.order,
    ]


def test_a_part_is_closed_and_the_rest_keeps_its_ticket(stage: Stage) -> None:
    opened = stage.deal(SELL, 1.0)  # at the bid, 1.1000
    stage.price(1.0988, 1.0990)
    stage.deal(BUY, 0.4, position=opened.order)  # at the ask: 0.4 × 100,000 × 0.0010 = 40.00
    (position,) = stage.api.positions_get(ticket=opened.order)
    assert (position.volume, position.price_open, position.profit) == (0.6, 1.1, 60.0)
    # Balance 10,000 − 3.50 + 40.00 − 1.40; margin 600 euros at 1.1000.
    assert money(stage)[:4] == (10_035.1, 60.0, 10_095.1, 660.0)


def test_yen_become_dollars_by_the_closing_price(stage: Stage) -> None:
    opened = stage.deal(BUY, 1.0, symbol="USDJPY")  # at 150.020
    stage.price(150.320, symbol="USDJPY")
    stage.deal(SELL, 1.0, symbol="USDJPY", position=opened.order)
    # 0.300 × 100,000 = 30,000 yen ÷ 150.320 = 199.574…
    assert stage.deals()[-1].profit == 199.57


def test_a_cross_gains_at_the_dearer_and_loses_at_the_cheaper_yen(stage: Stage) -> None:
    first, second = (stage.deal(SELL, 1.0, symbol="EURJPY").order for _ in range(2))  # at 165.000
    assert stage.api.account_info().margin == 2_200.4  # 2,000 euros at EURUSD's ask, 1.1002
    stage.price(164.660, 164.700, symbol="EURJPY")
    stage.deal(BUY, 1.0, symbol="EURJPY", position=first)
    assert stage.deals()[-1].profit == 199.97  # 30,000 yen ÷ 150.020, the price that they buy dollars at
    stage.price(165.260, 165.300, symbol="EURJPY")
    stage.deal(BUY, 1.0, symbol="EURJPY", position=second)
    assert stage.deals()[-1].profit == -200.0  # 30,000 yen ÷ 150.000, the price that dollars buy them at


def test_opposite_positions_stand_side_by_side_and_share_margin(stage: Stage) -> None:
    stage.deal(BUY, 1.0)  # 1.1002: 1,100.20 alone
    stage.deal(SELL, 0.4)  # 1.1000: 440.00 alone
    assert len(stage.api.positions_get()) == 2
    # 0.6 lots uncovered take 0.6 × 1,100.20 = 660.12; 0.4 covered at the mean of both sides,
    # (1,100.20 + 440.00) / 1.4 × 0.4 = 440.057…
    assert stage.api.account_info().margin == 1_100.18


@pytest.mark.parametrize(("hedged", "margin"), [(100_000.0, 1_100.1), (50_000.0, 550.05), (0.0, 0.0)])
def test_a_hedged_lot_takes_margin_hedged(hedged: float, margin: float) -> None:
    stage = Stage(symbols={"EURUSD": {"margin_hedged": hedged}})
    stage.deal(BUY, 1.0)
    stage.deal(SELL, 1.0)
    # Mean price 1.1001 of one hedged lot; half of it, or nothing, as the broker says.
    assert stage.api.account_info().margin == margin


def test_closing_by_an_opposite_position_saves_the_spread(stage: Stage) -> None:
    long = stage.deal(BUY, 1.0)  # 1.1002
    stage.price(1.1020)
    short = stage.deal(SELL, 0.4)  # 1.1020
    balance = stage.api.account_info().balance
    sent = stage.done({"action": 10, "position": long.order, "position_by": short.order})
    # 0.4 lots from 1.1002 to 1.1020: 72.00, on the first; 1.40 commission on each of both deals.
    first, second = stage.deals()[-2:]
    assert (first.entry, first.type, first.price, first.profit, first.position_id) == (
        OUT_BY,
        1,
        1.1020,
        72.0,
        long.order,
    )
    assert (second.entry, second.type, second.price, second.profit, second.position_id) == (
        OUT_BY,
        0,
        1.1002,
        0.0,
        short.order,
    )
    assert stage.api.account_info().balance == pytest.approx(balance + 72.0 - 2.8)
    (left,) = stage.api.positions_get()
    assert (left.ticket, left.volume) == (long.order, 0.6)
    (order,) = stage.api.history_orders_get(ticket=sent.order)
    assert (order.type, order.position_id, order.position_by_id) == (8, long.order, short.order)


def test_what_cannot_be_closed_by(stage: Stage, netting: Stage) -> None:
    a, b = stage.deal(BUY).order, stage.deal(BUY).order
    other = stage.deal(SELL, symbol="USDJPY").order
    assert stage.refused(action=10, position=a, position_by=b) == 10_013  # same side
    assert stage.refused(action=10, position=a, position_by=other) == 10_013  # another symbol
    assert stage.refused(action=10, position=a, position_by=999) == 10_036
    c = netting.deal(BUY).order
    assert netting.refused(action=10, position=c, position_by=c) == 10_035


def test_closing_more_than_there_is_or_the_wrong_way(stage: Stage) -> None:
    long = stage.deal(BUY, 0.5).order
    close = {"action": 1, "symbol": "EURUSD", "type_filling": 1, "position": long}
    assert stage.refused(**close, type=SELL, volume=0.6) == 10_038
    assert stage.refused(**close, type=BUY, volume=0.5) == 10_013
    assert stage.refused(**(close | {"symbol": "USDJPY"}), type=SELL, volume=0.5) == 10_013
    stage.deal(SELL, 0.5, position=long)
    assert stage.refused(**close, type=SELL, volume=0.5) == 10_036


def test_netting_averages_reduces_and_closes(netting: Stage) -> None:
    first = netting.deal(BUY, 1.0, sl=1.09)  # 1.1002
    netting.price(1.1030)
    netting.deal(BUY, 0.5, sl=1.095)  # 1.1032
    (position,) = netting.api.positions_get()
    # (1.1002 + 0.5 × 1.1032) / 1.5 = 1.1012; the later stop counts.
    assert (position.ticket, position.volume, position.sl) == (first.order, 1.5, 1.095)
    assert position.price_open == pytest.approx(1.1012, abs=1e-12)
    assert position.profit == 270.0  # 1.5 × 100,000 × 0.0018
    netting.deal(SELL, 0.9)  # at 1.1030: 0.9 × 100,000 × 0.0018 = 162.00
    deal = netting.deals()[-1]
    assert (deal.entry, deal.profit, deal.position_id) == (OUT, 162.0, first.order)
    assert netting.api.positions_get()[0].volume == 0.6
    netting.deal(SELL, 0.6, position=first.order)
    assert netting.deals()[-1].profit == 108.0
    assert netting.api.positions_get() == ()
    assert netting.api.account_info().balance == 10_270.0


def test_netting_turns_round_in_one_deal(netting: Stage) -> None:
    first = netting.deal(BUY, 1.0, sl=1.09)
    netting.price(1.1012)
    turned = netting.deal(SELL, 1.5, magic=5)
    deal = netting.deals()[-1]
    assert (deal.entry, deal.volume, deal.profit) == (INOUT, 1.5, 100.0)  # 1 lot × 10 pips
    assert deal.position_id == first.order
    (position,) = netting.api.positions_get()
    assert (position.type, position.volume, position.price_open, position.sl) == (1, 0.5, 1.1012, 0.0)
    assert (position.ticket, position.identifier, position.magic) == (turned.order, first.order, 5)
    assert netting.api.account_info().margin == 550.6  # 500 euros at 1.1012
    assert netting.api.account_info().margin_mode == 0


def test_netting_changes_stops_by_symbol(netting: Stage) -> None:
    netting.deal(BUY, 1.0)
    assert netting.done({"action": 6, "symbol": "EURUSD", "sl": 1.09}).retcode == 10_009
    assert netting.api.positions_get()[0].sl == 1.09
    assert netting.refused(action=6, symbol="USDJPY", sl=149.0) == 10_013


@pytest.mark.parametrize(
    ("currency", "digits", "margin", "profit"),
    [
        # One lot from 1.1002 to 1.1102 is 1,000 dollars; 1,000 euros of margin.
        ("EUR", 2, 1_000.0, 900.74),  # ÷ 1.1102, the price it was closed at
        ("JPY", 0, 165_040.0, 150_000.0),  # euros at the ask of EURJPY, 165.040; dollars at 150.000
    ],
)
def test_accounts_in_other_currencies(currency: str, digits: int, margin: float, profit: float) -> None:
    terms = account(currency=currency, digits=digits, balance=Decimal(1_000_000))
    stage = Stage(terms)
    opened = stage.deal(BUY, 1.0)
    assert stage.api.account_info().margin == margin
    stage.price(1.1102)
    stage.deal(SELL, 1.0, position=opened.order)
    assert stage.deals()[-1].profit == profit
    assert stage.api.account_info().balance == 1_000_000 + profit
    assert stage.api.account_info().currency_digits == digits


def test_check_tells_the_account_after_the_deal(stage: Stage) -> None:
    stage.deal(BUY, 1.0)
    fields = {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": SELL, "type_filling": 1}
    more = stage.api.order_check(fields | {"type": BUY})
    assert (more.retcode, more.comment, more.balance, more.profit) == (0, "Done", 9_996.5, -20.0)
    assert (more.margin, more.margin_free) == (2_200.4, 7_776.1)
    position = stage.api.positions_get()[0].ticket
    closing = stage.api.order_check(fields | {"position": position, "volume": 0.5})
    assert closing.margin == 550.1
    assert stage.api.order_check(fields | {"position": position}).margin_level == 0.0


def test_filters_take_ticket_before_symbol_before_group(stage: Stage) -> None:
    euro, yen = stage.deal(BUY).order, stage.deal(BUY, symbol="USDJPY").order
    get = stage.api.positions_get
    assert [p.ticket for p in get()] == [euro, yen]
    assert [p.ticket for p in get(symbol="USDJPY")] == [yen]
    assert [p.ticket for p in get(group="*,!*EUR*")] == [yen]
    assert [p.ticket for p in get(ticket=euro, symbol="USDJPY")] == [euro]
    assert get(symbol="GBPUSD") == ()
    assert get("EURUSD") is None
    assert stage.api.positions_total() == 2
    now = int(START.timestamp())
    deals = stage.api.history_deals_get
    assert [d.symbol for d in deals(now, now, group="*JPY*")] == ["USDJPY"]
    assert [d.order for d in deals(ticket=yen)] == [yen]  # of deals it is the order's ticket
    assert deals(now + 1, now + 9) == ()
    assert stage.api.history_deals_total(now, now) == 3
    assert stage.api.history_orders_total(now, now) == 2
    assert stage.api.history_deals_get() is None
    assert stage.api.last_error()[0] == -2
