"""Stops, targets, gaps, bars that do not tell, swap and spread, worked by hand."""

from datetime import UTC, datetime

import pytest

from backend.backtest.model import Reading
from backend.core.errors import Invalid
from backend.trading.reasons import Reason
from tests.fakes.backtests import QUIET, table
from tests.golden.backtest.hand import BOTH, CALM, SELL_SIGNAL, SIGNAL, START, D, at, money, only, run

# --- sides, stop, target


def test_long_buys_at_the_ask_and_its_target_triggers_on_the_bid() -> None:
    # ask open 10110; stop 9910, target 10510; the bid's high touches it exactly
    trade = only(run(table([START, SIGNAL, (10100, 10510, 10050, 10400, QUIET)])))
    assert (trade.volume, trade.entry_price, trade.exit_price) == (D("0.50"), D("1.10110"), D("1.10510"))
    assert (trade.initial_stop, trade.initial_target) == (D("1.09910"), D("1.10510"))
    assert trade.exit_reason is Reason.TARGET
    # 400 points × 0.50 USD; half a spread of 10 points at each end
    assert money(trade) == (D("205.00"), D("5.00"), D(0), D(0), D(0), D(0), D("200.00"))
    assert trade.initial_risk == D("100.00")
    assert trade.r == 2.0


def test_a_high_one_point_short_of_the_target_is_no_target() -> None:
    result = run(table([START, SIGNAL, (10100, 10509, 10050, 10400, QUIET)]))
    assert only(result).exit_reason is Reason.END


def test_long_stop_with_slippage_and_commission() -> None:
    # sized with costs: 200 + 2 × 3.50 + 2 × 3 = 213 USD a lot, 100 / 213 = 0.469 → 0.46 lots
    job = table(
        [START, SIGNAL, (10100, 10150, 9910, 9950, QUIET)],
        commission="3.5",
        slippage="3",
        profile={"commission_per_lot": 3.5, "slippage_points": 3},
    )
    trade = only(run(job))
    assert (trade.volume, trade.entry_price, trade.exit_price) == (D("0.46"), D("1.10113"), D("1.09907"))
    assert trade.exit_reason is Reason.STOP
    # −206 × 0.46 = −94.76; spread 10 × 0.46; slippage 6 × 0.46; commission 2 × 1.61
    assert money(trade) == (
        D("-87.40"),
        D("4.60"),
        D("2.76"),
        D(0),
        D("3.22"),
        D(0),
        D("-97.98"),
    )
    assert trade.initial_risk == D("93.38")  # 203 points from the fill to the stop


def test_short_sells_at_the_bid_and_its_target_triggers_on_the_ask() -> None:
    # entry 10100, stop 10300, target 9700 at the ask: a bid low of 9690 is an ask low of 9700
    trade = only(run(table([START, SELL_SIGNAL, (10100, 10200, 9690, 9800, QUIET)], rules=BOTH)))
    assert (trade.entry_price, trade.exit_price) == (D("1.10100"), D("1.09700"))
    assert trade.exit_reason is Reason.TARGET
    assert money(trade) == (D("205.00"), D("5.00"), D(0), D(0), D(0), D(0), D("200.00"))
    missed = only(run(table([START, SELL_SIGNAL, (10100, 10200, 9691, 9800, QUIET)], rules=BOTH)))
    assert missed.exit_reason is Reason.END


def test_short_stop_triggers_on_the_ask() -> None:
    # a bid high of 10290 is an ask high of 10300
    trade = only(run(table([START, SELL_SIGNAL, (10100, 10290, 10050, 10200, QUIET)], rules=BOTH)))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10300"), Reason.STOP, D("-100.00"))
    kept = only(run(table([START, SELL_SIGNAL, (10100, 10289, 10050, 10200, QUIET)], rules=BOTH)))
    assert kept.exit_reason is Reason.END


# --- gaps


def test_a_gap_through_the_stop_fills_at_the_open_and_is_its_own_cost() -> None:
    # stop 9910, open 9800: 110 points of gap
    trade = only(run(table([START, SIGNAL, CALM, (9800, 9850, 9700, 9800, QUIET)])))
    assert (trade.exit_price, trade.exit_reason) == (D("1.09800"), Reason.GAP_STOP)
    assert money(trade) == (D("-95.00"), D("5.00"), D(0), D("55.00"), D(0), D(0), D("-155.00"))


def test_a_gap_through_the_stop_of_a_short_fills_at_the_ask_worse_by_slippage() -> None:
    # stop 10300; open bid 10400 is ask 10410: gap 110; entry 10100 − 2, exit 10410 + 2
    rows = [START, SELL_SIGNAL, CALM, (10400, 10450, 10350, 10400, QUIET)]
    trade = only(run(table(rows, rules=BOTH, slippage="2")))
    assert (trade.entry_price, trade.exit_price) == (D("1.10098"), D("1.10412"))
    assert (trade.slippage_cost, trade.gap_cost, trade.net) == (D("2.00"), D("55.00"), D("-157.00"))


def test_a_gap_through_the_target_fills_at_the_target_without_improvement() -> None:
    trade = only(run(table([START, SIGNAL, CALM, (10600, 10650, 10550, 10600, QUIET)])))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10510"), Reason.TARGET, D("200.00"))


# --- one bar that does not tell


def test_stop_and_target_in_one_bar_is_the_stop_and_both_readings_are_there() -> None:
    job = table([START, SIGNAL, (10100, 10510, 9910, 10100, QUIET)])
    worst, best = only(run(job)), only(run(job, Reading.BEST))
    assert (worst.exit_reason, worst.ambiguous, worst.net) == (Reason.STOP, True, D("-100.00"))
    assert (best.exit_reason, best.ambiguous, best.net) == (Reason.TARGET, True, D("200.00"))


def test_a_bar_that_opens_beyond_the_stop_is_not_ambiguous() -> None:
    trade = only(run(table([START, SIGNAL, CALM, (9900, 10600, 9800, 10000, QUIET)])))
    assert (trade.exit_reason, trade.ambiguous) == (Reason.GAP_STOP, False)


# --- swap: −7 points a lot and night for longs, 0.50 lots → −3.50

SWAP = {"swap_long": D(-7), "swap_short": D(2)}


def test_the_night_that_ends_wednesday_counts_three_times() -> None:
    times = at("2026-03-03T21", "2026-03-03T22", "2026-03-03T23", "2026-03-04T00", "2026-03-05T00")
    trade = only(run(table([START, SIGNAL, CALM, CALM, CALM], times=times, specification=SWAP)))
    assert trade.swap == D("-3.50") - D("10.50")  # Tuesday once, Wednesday three times


def test_swap_is_booked_where_no_bar_stands_at_midnight() -> None:
    times = at("2026-03-03T10", "2026-03-03T11", "2026-03-03T12", "2026-03-04T07")
    trade = only(run(table([START, SIGNAL, CALM, CALM], times=times, specification=SWAP)))
    assert (trade.swap, trade.net) == (D("-3.50"), D("-8.50"))  # and the spread of 10 points


def test_a_position_opened_at_midnight_pays_nothing_for_it() -> None:
    times = at("2026-03-02T22", "2026-03-02T23", "2026-03-03T00", "2026-03-03T01")
    trade = only(run(table([START, SIGNAL, CALM, CALM], times=times, specification=SWAP)))
    assert trade.swap == D(0)


def test_over_a_weekend_only_the_friday_night_counts() -> None:
    times = at("2026-03-13T21", "2026-03-13T22", "2026-03-13T23", "2026-03-16T00")
    trade = only(run(table([START, SIGNAL, CALM, CALM], times=times, specification=SWAP)))
    assert trade.swap == D("-3.50")


def test_a_short_is_paid_its_own_swap() -> None:
    times = at("2026-03-02T21", "2026-03-02T22", "2026-03-02T23", "2026-03-03T00")
    rows = [START, SELL_SIGNAL, CALM, CALM]
    trade = only(run(table(rows, times=times, rules=BOTH, specification=SWAP)))
    assert (trade.swap, trade.net) == (D("1.00"), D("-4.00"))


def test_the_week_in_which_new_york_changes_its_clocks() -> None:
    # New York went to summer time on 8 March 2026: server midnight is 22:00 UTC before and 21:00 after
    times = at("2026-03-06T21", "2026-03-06T22", "2026-03-06T23", "2026-03-09T00")
    rows = [START, SIGNAL, CALM, (10100, 10150, 9910, 10000, QUIET)]
    trade = only(run(table(rows, times=times, specification=SWAP)))
    assert trade.signal_time == int(datetime(2026, 3, 6, 21, tzinfo=UTC).timestamp())
    assert trade.entry_time == int(datetime(2026, 3, 6, 21, tzinfo=UTC).timestamp())
    assert trade.exit_time == int(datetime(2026, 3, 8, 21, tzinfo=UTC).timestamp())
    assert (trade.swap, trade.net) == (D("-3.50"), D("-103.50"))


# --- where the spread comes from


@pytest.mark.parametrize(
    ("stated", "learned", "entry"),
    [(10, 25, "1.10125"), (30, 25, "1.10130"), (0, 25, "1.10125")],
    ids=["learned is larger", "bar is larger", "bar does not know"],
)
def test_the_spread_is_the_larger_of_the_bar_and_its_learned_hour(
    stated: int, learned: int, entry: str
) -> None:
    hours = [10] * 168
    hours[2] = learned  # Monday 02:00, the bar of the entry
    job = table([START, SIGNAL, CALM], spread=[10, 10, stated], learned=hours)
    assert only(run(job)).entry_price == D(entry)


def test_a_spread_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        run(table([START, SIGNAL, CALM], spread=[10, 10, 0]))
    assert (caught.value.code, caught.value.details["index"]) == ("unknown_spread", 2)
