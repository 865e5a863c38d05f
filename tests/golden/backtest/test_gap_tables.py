"""Opens beyond a level, and bars on which an order is filled, worked by hand."""

import pytest

from backend.backtest.model import Reading
from backend.trading.reasons import Reason
from tests.fakes.backtests import EXIT_LONG, LONG, QUIET, SHORT, WIDE_OPEN, Row, table
from tests.golden.backtest.hand import BOTH, CALM, SELL_SIGNAL, SIGNAL, START, D, limits, only, run

LIMIT = {"order": {"type": "limit", "offset_atr": 0.25, "expiry_bars": 2}}
STOP = {"order": {"type": "stop", "offset_atr": 0.25, "expiry_bars": 2}}
HIGH: Row = (10120, 10150, 10100, 10120, QUIET)


def test_stop_and_target_stand_from_the_open_that_filled() -> None:
    # the signal closed at 10100, the next bar opens at 10150: ask 10160, stop 9960, target 10560
    trade = only(run(table([START, SIGNAL, (10150, 10200, 10100, 10150, QUIET)])))
    assert (trade.entry_price, trade.initial_stop) == (D("1.10160"), D("1.09960"))
    assert trade.initial_target == D("1.10560")


def test_an_open_at_the_stop_itself_has_no_gap() -> None:
    trade = only(run(table([START, SIGNAL, CALM, (9910, 9950, 9900, 9920, QUIET)])))
    assert (trade.exit_price, trade.exit_reason) == (D("1.09910"), Reason.GAP_STOP)
    assert (trade.gap_cost, trade.net) == (D(0), D("-100.00"))


def test_a_gap_through_the_target_of_a_short_is_not_improved() -> None:
    # target 9700 at the ask; the open's ask is 9510
    rows = [START, SELL_SIGNAL, CALM, (9500, 9550, 9450, 9500, QUIET)]
    trade = only(run(table(rows, rules=BOTH)))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.09700"), Reason.TARGET, D("200.00"))


def test_a_short_with_stop_and_target_in_one_bar_is_stopped_and_both_readings_are_there() -> None:
    job = table([START, SELL_SIGNAL, (10100, 10290, 9690, 10100, QUIET)], rules=BOTH)
    worst, best = only(run(job)), only(run(job, Reading.BEST))
    assert (worst.exit_reason, worst.ambiguous, worst.net) == (Reason.STOP, True, D("-100.00"))
    assert (best.exit_reason, best.ambiguous, best.net) == (Reason.TARGET, True, D("200.00"))


def test_a_sell_limit_fills_at_its_price_on_the_bid() -> None:
    # 50 points above the bid's close: 10150; stop 10350, target 9750
    rows = [START, SELL_SIGNAL, (10100, 10150, 10050, 10100, QUIET)]
    trade = only(run(table(rows, rules=LIMIT | BOTH, slippage="3")))
    assert (trade.entry_price, trade.initial_stop) == (D("1.10150"), D("1.10350"))
    assert trade.initial_target == D("1.09750")
    missed = run(table([START, SELL_SIGNAL, (10100, 10149, 10050, 10100, QUIET)], rules=LIMIT | BOTH))
    assert len(missed.trades) == 0


def test_a_sell_stop_fills_on_the_bid_worse_by_slippage() -> None:
    # 50 points under the bid's close: 10050 − 3; stop 200 points from the order
    rows = [START, SELL_SIGNAL, (10100, 10150, 10050, 10060, QUIET)]
    trade = only(run(table(rows, rules=STOP | BOTH, slippage="3")))
    assert (trade.entry_price, trade.initial_stop) == (D("1.10047"), D("1.10250"))


def test_a_limit_that_the_open_carries_beyond_its_own_stop_loses_the_gap_too() -> None:
    # in at 10060, stop 9860, open 9800: 260 points × 0.50, 60 of them a gap
    trade = only(run(table([START, SIGNAL, (9800, 9850, 9750, 9800, QUIET)], rules=LIMIT)))
    assert (trade.entry_price, trade.exit_price) == (D("1.10060"), D("1.09800"))
    assert (trade.exit_reason, trade.gap_cost, trade.net) == (Reason.GAP_STOP, D("30.00"), D("-130.00"))


def test_after_a_limit_at_the_open_the_whole_bar_counts() -> None:
    # the ask opens at 10050, under the order at 10060: the high at 10460 came after
    trade = only(run(table([START, SIGNAL, (10040, 10460, 10000, 10100, QUIET)], rules=LIMIT)))
    assert (trade.exit_reason, trade.ambiguous, trade.net) == (Reason.TARGET, False, D("200.00"))


def test_after_a_limit_inside_a_bar_that_reaches_both_the_target_is_in_the_band() -> None:
    job = table([START, SIGNAL, (10100, 10460, 9860, 10000, QUIET)], rules=LIMIT)
    worst, best = only(run(job)), only(run(job, Reading.BEST))
    assert (worst.exit_reason, worst.ambiguous, worst.net) == (Reason.STOP, True, D("-100.00"))
    assert (best.exit_reason, best.ambiguous, best.net) == (Reason.TARGET, True, D("200.00"))


def test_after_a_stop_entry_a_high_at_the_target_is_proved() -> None:
    # order 10160, target 10560: on its way there the price passed the order first
    trade = only(run(table([START, SIGNAL, (10100, 10560, 10090, 10200, QUIET)], rules=STOP)))
    assert (trade.exit_reason, trade.ambiguous, trade.net) == (Reason.TARGET, False, D("200.00"))


def test_after_a_stop_entry_a_close_beyond_the_stop_proves_it() -> None:
    # order 10160, stop 9960, close 9955
    job = table([START, SIGNAL, (10100, 10160, 9950, 9955, QUIET)], rules=STOP)
    for reading in Reading:
        trade = only(run(job, reading))
        assert (trade.exit_reason, trade.ambiguous, trade.net) == (Reason.STOP, False, D("-100.00"))


@pytest.mark.parametrize("code", [SHORT, EXIT_LONG], ids=["opposite signal", "exit rule"])
def test_what_speaks_against_a_resting_order_cancels_it(code: int) -> None:
    rows = [START, SIGNAL, (10120, 10150, 10100, 10120, code), (10100, 10150, 10000, 10100, QUIET)]
    result = run(table(rows, rules=LIMIT | BOTH))
    assert result.refusals["order_cancelled"] == 1
    assert not [trade for trade in result.trades if trade.side.sign > 0]


def test_a_signal_beside_a_resting_order_is_a_duplicate() -> None:
    rows = [START, SIGNAL, (10120, 10150, 10100, 10120, LONG), (10120, 10150, 10100, 10120, QUIET), CALM]
    assert run(table(rows, rules=LIMIT)).refusals == {"duplicate": 1, "order_expired": 1}


def test_half_risk_orders_rest_for_three_bars() -> None:
    thresholds = WIDE_OPEN.thresholds.model_copy(update={"open_or_scale": 100, "autonomous": 100})
    half = limits(thresholds=thresholds)
    low: Row = (10100, 10150, 10000, 10100, QUIET)
    assert len(run(table([START, SIGNAL, HIGH, HIGH, low], limits=half)).trades) == 1
    late = run(table([START, SIGNAL, HIGH, HIGH, HIGH, low], limits=half))
    assert (len(late.trades), late.refusals) == (0, {"order_expired": 1})


def test_half_risk_keeps_a_limit_that_is_further_away() -> None:
    # the strategy's own 0.5 ATR are 100 points: 10010
    thresholds = WIDE_OPEN.thresholds.model_copy(update={"open_or_scale": 100, "autonomous": 100})
    rules = {"order": {"type": "limit", "offset_atr": 0.5}}
    job = table(
        [START, SIGNAL, (10100, 10150, 10000, 10100, QUIET)],
        rules=rules,
        limits=limits(thresholds=thresholds),
    )
    trade = only(run(job))
    assert (trade.entry_price, trade.volume) == (D("1.10010"), D("0.25"))
