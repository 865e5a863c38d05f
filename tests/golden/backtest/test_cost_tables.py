"""Swap by mode and night, rounding and conversion, worked by hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backend.trading.reasons import Reason
from tests.fakes.backtests import QUIET, Row, table
from tests.golden.backtest.hand import CALM, SIGNAL, START, D, at, money, only, run

SWAP: dict[str, Any] = {"swap_long": D(-7), "swap_short": D(2)}
TARGET: Row = (10100, 10510, 10050, 10400, QUIET)
FRIDAY_TO_MONDAY = at("2026-03-13T21", "2026-03-13T22", "2026-03-13T23", "2026-03-16T00")
TUESDAY_NIGHT = at("2026-03-02T21", "2026-03-02T22", "2026-03-02T23", "2026-03-03T00")


def test_the_autumn_weekend_in_which_new_york_changes_its_clocks_is_one_night() -> None:
    # winter time from 1 November 2026: Friday 23:00 on the server is 20:00 UTC, Monday 00:00 is 22:00 UTC
    times = at("2026-10-30T21", "2026-10-30T22", "2026-10-30T23", "2026-11-02T00")
    rows = [START, SIGNAL, CALM, (10100, 10150, 9910, 10000, QUIET)]
    trade = only(run(table(rows, times=times, specification=SWAP)))
    assert trade.entry_time == int(datetime(2026, 10, 30, 20, tzinfo=UTC).timestamp())
    assert trade.exit_time == int(datetime(2026, 11, 1, 22, tzinfo=UTC).timestamp())
    assert (trade.swap, trade.net) == (D("-3.50"), D("-103.50"))


def test_the_triple_night_is_the_symbols_own() -> None:
    # Friday is day 5: 0.50 × −7 × 3
    job = table(
        [START, SIGNAL, CALM, CALM], times=FRIDAY_TO_MONDAY, specification=SWAP | {"swap_triple_day": 5}
    )
    assert only(run(job)).swap == D("-10.50")


def test_weekend_nights_count_where_the_symbol_trades_then() -> None:
    # the nights that end Friday, Saturday and Sunday, −3.50 each
    times = at("2026-03-13T21", "2026-03-13T22", "2026-03-13T23", "2026-03-14T12", "2026-03-16T00")
    job = table([START, SIGNAL, CALM, CALM, CALM], times=times, specification=SWAP)
    assert only(run(job)).swap == D("-10.50")


def test_every_midnight_in_a_hole_of_days_is_booked() -> None:
    # Thursday 23:00, then Tuesday 05:00: the nights that end Thursday, Friday and Monday
    times = at("2026-03-12T21", "2026-03-12T22", "2026-03-12T23", "2026-03-17T05")
    job = table([START, SIGNAL, CALM, CALM], times=times, specification=SWAP)
    assert only(run(job)).swap == D("-10.50")


def test_swap_in_points_of_a_yen_pair_is_divided_by_the_price_at_midnight() -> None:
    # 0.74 × −7 × 100 JPY = −518 JPY; the last close is 150.100: −3.451 USD
    rows = [START, SIGNAL, CALM, CALM]
    job = table(rows, times=TUESDAY_NIGHT, symbol="USDJPY", base=140.0, point=0.001, specification=SWAP)
    assert only(run(job)).swap == D("-3.45")


def test_swap_in_money_is_not_converted() -> None:
    # 0.74 × −7 USD
    rows = [START, SIGNAL, CALM, CALM]
    specification = SWAP | {"swap_mode": 4}
    job = table(
        rows, times=TUESDAY_NIGHT, symbol="USDJPY", base=140.0, point=0.001, specification=specification
    )
    assert only(run(job)).swap == D("-5.18")


def test_swap_in_base_currency_is_worth_the_price_at_midnight() -> None:
    # 0.50 × −7 EUR × 1.10100
    job = table([START, SIGNAL, CALM, CALM], times=TUESDAY_NIGHT, specification=SWAP | {"swap_mode": 2})
    assert only(run(job)).swap == D("-3.85")


def test_swap_in_margin_currency_that_is_the_accounts_is_not_converted() -> None:
    # 0.50 × −7 USD, the margin currency here
    terms = SWAP | {"swap_mode": 3, "currency_margin": "USD"}
    job = table([START, SIGNAL, CALM, CALM], times=TUESDAY_NIGHT, specification=terms)
    assert only(run(job)).swap == D("-3.50")


def test_swap_in_percent_of_the_price_at_midnight() -> None:
    # 0.50 × 100,000 × 1.10100 × −7 % ÷ 360 = −10.7042
    job = table([START, SIGNAL, CALM, CALM], times=TUESDAY_NIGHT, specification=SWAP | {"swap_mode": 5})
    assert only(run(job)).swap == D("-10.70")


def test_swap_in_percent_of_the_open_price() -> None:
    # 0.50 × 100,000 × 1.10110 × −7 % ÷ 360 = −10.7051
    job = table([START, SIGNAL, CALM, CALM], times=TUESDAY_NIGHT, specification=SWAP | {"swap_mode": 6})
    assert only(run(job)).swap == D("-10.71")


def test_half_a_cent_is_rounded_away_from_zero() -> None:
    # 0.01 lots at 0.50 a lot and side: 0.005 → 0.01, twice
    trade = only(run(table([START, SIGNAL, TARGET], balance="200", commission="0.5")))
    assert (trade.volume, trade.commission, trade.net) == (D("0.01"), D("0.02"), D("3.98"))


def test_a_euro_account_divides_by_the_closing_price() -> None:
    # loss a lot: 200 USD ÷ 1.09910 = 181.97 EUR → 0.549; target: 216 USD ÷ 1.10510 = 195.457 EUR
    trade = only(run(table([START, SIGNAL, TARGET], currency="EUR")))
    assert (trade.volume, trade.net) == (D("0.54"), D("195.46"))


@pytest.mark.parametrize(
    ("last", "net"),
    [(TARGET, "194.68"), ((10100, 10150, 9910, 10000, QUIET), "-99.28")],
    ids=["gain", "loss"],
)
def test_a_cross_is_converted_by_the_tick_value_of_its_side(last: Row, net: str) -> None:
    # loss a lot: 200 × 0.68 = 136 USD → 0.73 lots; gain 400 × 0.6667 × 0.73, loss 200 × 0.68 × 0.73
    rates = {"tick_value": D("0.6667"), "tick_value_loss": D("0.68")}
    job = table([START, SIGNAL, last], symbol="GBPJPY", base=140.0, point=0.001, specification=rates)
    trade = only(run(job))
    assert (trade.volume, trade.net) == (D("0.73"), D(net))


def test_gold_counts_a_hundred_ounces_a_lot() -> None:
    # 2,001.10 in, stop 1,999.10: 2.00 USD × 100 ounces × 0.50 lots
    rows = [START, SIGNAL, (10100, 10150, 9910, 9950, QUIET)]
    trade = only(run(table(rows, symbol="XAUUSD", base=1900.0, point=0.01)))
    assert (trade.entry_price, trade.exit_price) == (D("2001.10"), D("1999.10"))
    assert (trade.volume, trade.net) == (D("0.50"), D("-100.00"))


def test_a_target_has_no_slippage_and_the_entry_has() -> None:
    # ask 10110 + 3 in; the target stays 400 points from the ask: 397 points × 0.50
    trade = only(run(table([START, SIGNAL, TARGET], slippage="3")))
    assert money(trade) == (D("205.00"), D("5.00"), D("1.50"), D(0), D(0), D(0), D("198.50"))


def test_the_worst_and_the_best_of_a_trade_are_marked_on_its_closing_side() -> None:
    # bid 10000 is 110 points under 10110, bid 10300 is 190 above
    trade = only(run(table([START, SIGNAL, (10100, 10300, 10000, 10200, QUIET)])))
    assert (trade.mae, trade.mfe, trade.net) == (D("-55.00"), D("95.00"), D("45.00"))


def test_the_stop_is_the_worst_that_a_stopped_trade_has_seen() -> None:
    # the bar falls on to 9700 after the stop at 9910; its high may have been before: 10150 is not claimed
    trade = only(run(table([START, SIGNAL, (10100, 10150, 9700, 9800, QUIET)])))
    assert (trade.exit_reason, trade.mae, trade.mfe) == (Reason.STOP, D("-100.00"), D("0.00"))
