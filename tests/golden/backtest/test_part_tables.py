"""A part taken at so many R, and the broker's stop-out, worked by hand.

The fill is 10110 and the stop 9910: one R is 10310. Half of 0.50 lots are 0.25.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from backend.backtest.model import Reading
from backend.backtest.running import run_backtest
from backend.trading.reasons import Reason
from tests.fakes.backtests import QUIET, Row, table
from tests.golden.backtest.hand import (
    BOTH,
    CALM,
    SELL_SIGNAL,
    SIGNAL,
    START,
    D,
    at,
    chosen,
    on_account,
    only,
    run,
)

PART: dict[str, Any] = {"management": {"partial_at_r": 1.0, "partial_fraction": 0.5}}
TO_ONE_R: Row = (10100, 10310, 10050, 10300, QUIET)
STOPPED: Row = (10300, 10320, 9910, 10000, QUIET)


@pytest.fixture(autouse=True)
def chosen_engine() -> Iterator[None]:
    """The plain engine knows neither parts nor a stop-out."""
    with chosen(run_backtest):
        yield


def outcomes(job: Any, reading: Reading = Reading.WORST) -> list[tuple[Reason, str, str]]:
    trades = run(job, reading).trades
    return [(trade.exit_reason, str(trade.volume), str(trade.net)) for trade in trades]


def test_a_part_is_taken_at_its_level_and_the_rest_is_stopped() -> None:
    # 200 points × 0.25, then −200 × 0.25
    assert outcomes(table([START, SIGNAL, TO_ONE_R, STOPPED], rules=PART)) == [
        (Reason.PARTIAL, "0.25", "50.00"),
        (Reason.STOP, "0.25", "-50.00"),
    ]


def test_a_short_takes_its_part_on_the_ask() -> None:
    # fill 10100, stop 10300: one R is 9900 at the ask, a bid of 9890
    rows = [START, SELL_SIGNAL, (10100, 10200, 9890, 10000, QUIET), (10000, 10050, 9950, 10000, QUIET)]
    first = run(table(rows, rules=PART | BOTH)).trades[0]
    assert (first.exit_reason, first.exit_price, first.net) == (Reason.PARTIAL, D("1.09900"), D("50.00"))
    rows[2] = (10100, 10200, 9891, 10000, QUIET)
    assert only(run(table(rows, rules=PART | BOTH))).exit_reason is Reason.END


def test_a_part_and_the_target_in_one_bar() -> None:
    # 200 points × 0.25, then 400 × 0.25
    assert outcomes(table([START, SIGNAL, (10100, 10510, 10050, 10400, QUIET)], rules=PART)) == [
        (Reason.PARTIAL, "0.25", "50.00"),
        (Reason.TARGET, "0.25", "100.00"),
    ]


def test_a_part_and_the_stop_in_one_bar_is_the_stop_of_all_and_both_readings_are_there() -> None:
    job = table([START, SIGNAL, (10100, 10310, 9910, 10000, QUIET)], rules=PART)
    worst = only(run(job))
    assert (worst.exit_reason, worst.volume, worst.net) == (Reason.STOP, D("0.50"), D("-100.00"))
    assert outcomes(job, Reading.BEST) == [
        (Reason.PARTIAL, "0.25", "50.00"),
        (Reason.STOP, "0.25", "-50.00"),
    ]
    assert [trade.ambiguous for trade in (worst, *run(job, Reading.BEST).trades)] == [True, True, True]


def test_a_part_below_the_smallest_volume_is_left_and_counted() -> None:
    # half of 0.01 lots
    result = run(
        table([START, SIGNAL, TO_ONE_R, (10300, 10510, 10200, 10500, QUIET)], rules=PART, balance="200")
    )
    trade = only(result)
    assert (trade.volume, trade.exit_reason, trade.net) == (D("0.01"), Reason.TARGET, D("4.00"))
    assert result.refusals == {"partial_below_minimum": 1}


def test_a_part_of_some_steps_below_the_smallest_volume_is_left_and_counted() -> None:
    # 10 % of 0.50 lots are 0.05, and 0.10 is the smallest
    rules = {"management": {"partial_at_r": 1.0, "partial_fraction": 0.1}}
    job = table([START, SIGNAL, TO_ONE_R, CALM], rules=rules, specification={"volume_min": D("0.10")})
    result = run(job)
    assert (only(result).volume, result.refusals) == (D("0.50"), {"partial_below_minimum": 1})


def test_a_part_that_would_leave_less_than_the_smallest_volume_is_left_and_counted() -> None:
    # 90 % of 0.50 lots would leave 0.05
    rules = {"management": {"partial_at_r": 1.0, "partial_fraction": 0.9}}
    job = table([START, SIGNAL, TO_ONE_R, CALM], rules=rules, specification={"volume_min": D("0.10")})
    result = run(job)
    assert (only(result).volume, result.refusals) == (D("0.50"), {"partial_below_minimum": 1})


def test_a_part_beyond_which_the_bar_opens_is_not_improved() -> None:
    rows = [START, SIGNAL, CALM, (10350, 10360, 10340, 10350, QUIET)]
    first = run(table(rows, rules=PART)).trades[0]
    assert (first.exit_reason, first.exit_price, first.net) == (Reason.PARTIAL, D("1.10310"), D("50.00"))


def test_parts_share_the_commission_of_the_entry_to_the_cent() -> None:
    # 3.33 × 0.50 = 1.665 → 1.67 in: 0.84 and 0.83; out 0.8325 → 0.83 each
    trades = run(table([START, SIGNAL, TO_ONE_R, STOPPED], rules=PART, commission="3.33")).trades
    assert [trade.commission for trade in trades] == [D("1.67"), D("1.66")]
    assert [trade.net for trade in trades] == [D("48.33"), D("-51.66")]


def test_parts_share_the_swap_of_the_nights_before() -> None:
    # one night of 0.50 × −7 = −3.50
    times = at("2026-03-02T21", "2026-03-02T22", "2026-03-02T23", "2026-03-03T00", "2026-03-03T01")
    rows = [START, SIGNAL, CALM, TO_ONE_R, STOPPED]
    job = table(rows, rules=PART, times=times, specification={"swap_long": D(-7)})
    assert [trade.swap for trade in run(job).trades] == [D("-1.75"), D("-1.75")]


def test_a_part_on_the_bar_of_a_limit_is_taken_only_if_proved() -> None:
    # in at 10060, stop 9860: one R is 10260, whose high may have been before the fill
    rules = PART | {"order": {"type": "limit", "offset_atr": 0.25}}
    unclear = table([START, SIGNAL, (10100, 10260, 10050, 10200, QUIET)], rules=rules)
    worst = only(run(unclear))
    assert (worst.exit_reason, worst.ambiguous, worst.net) == (Reason.END, True, D("70.00"))
    assert outcomes(unclear, Reading.BEST)[0] == (Reason.PARTIAL, "0.25", "50.00")
    proved = table([START, SIGNAL, (10100, 10270, 10050, 10260, QUIET)], rules=rules)
    assert outcomes(proved)[0] == (Reason.PARTIAL, "0.25", "50.00")


# --- the broker's stop-out: at 1:1, 9,915 USD carry 0.09 lots, whose margin is 9,909.90

NARROW: Row = (10100, 10110, 10090, 10100, QUIET)


def narrow_account(rows: list[Row], level: float = 1.0, **more: Any) -> Any:
    return on_account(table(rows, balance="9915", **more), leverage=1, stop_out=level)


def test_a_stop_out_is_at_the_first_price_that_reaches_the_level() -> None:
    # 5.10 USD may be lost: 56.7 points; at 10053 it is 5.13, at 10054 5.04
    trade = only(run(narrow_account([START, SIGNAL, CALM])))
    assert (trade.volume, trade.exit_reason) == (D("0.09"), Reason.STOP_OUT)
    assert (trade.exit_price, trade.net) == (D("1.10053"), D("-5.13"))
    kept = only(run(narrow_account([START, SIGNAL, (10100, 10150, 10054, 10100, QUIET)])))
    assert kept.exit_reason is Reason.END


def test_a_stop_out_is_filled_worse_by_slippage() -> None:
    # in at 10112, margin 9,910.08: 4.92 may be lost, 54.7 points: 10057, filled at 10055: −57 × 0.09
    trade = only(run(narrow_account([START, SIGNAL, CALM], slippage="2")))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10055"), Reason.STOP_OUT, D("-5.13"))


def test_an_open_under_the_stop_out_is_its_price() -> None:
    trade = only(run(narrow_account([START, SIGNAL, NARROW, (10000, 10010, 9990, 10000, QUIET)])))
    assert (trade.exit_reason, trade.exit_price, trade.net) == (Reason.STOP_OUT, D("1.10000"), D("-9.90"))


def test_without_a_stop_out_nothing_but_the_stop_ends_it() -> None:
    assert only(run(narrow_account([START, SIGNAL, CALM], level=0.0))).exit_reason is Reason.END


def test_a_stop_above_the_stop_out_comes_first() -> None:
    # the stop at 9910 loses 18.00: at 99.7 % of the margin, 9,880.17, 34.83 may be lost
    rows = [START, SIGNAL, (10100, 10150, 9000, 9100, QUIET)]
    trade = only(run(narrow_account(rows, level=0.997)))
    assert (trade.exit_reason, trade.exit_price) == (Reason.STOP, D("1.09910"))


def test_a_short_is_stopped_out_on_the_ask() -> None:
    # 9,915 at 110,100 a lot are 0.09; margin 9,909.00: 6.00 may be lost, 66.7 points: ask 10167
    rows = [START, SELL_SIGNAL, (10100, 10157, 10050, 10100, QUIET)]
    trade = only(run(narrow_account(rows, rules=BOTH)))
    assert (trade.exit_reason, trade.exit_price, trade.net) == (Reason.STOP_OUT, D("1.10167"), D("-6.03"))


def test_an_order_filled_inside_a_bar_is_stopped_out_at_its_close() -> None:
    # 0.09 at 10060: margin 9,905.40, so 9.60 may be lost: 106.7 points. Only the close is known to come later
    rules = {"order": {"type": "limit", "offset_atr": 0.25}}
    trade = only(run(narrow_account([START, SIGNAL, (10100, 10150, 9940, 9953, QUIET), NARROW], rules=rules)))
    assert (trade.volume, trade.exit_reason, trade.exit_time) == (
        D("0.09"),
        Reason.STOP_OUT,
        trade.entry_time,
    )
    assert (trade.exit_price, trade.net) == (D("1.09953"), D("-9.63"))
    kept = only(run(narrow_account([START, SIGNAL, (10100, 10150, 9940, 9954, QUIET)], rules=rules)))
    assert kept.exit_reason is Reason.END


def test_a_negative_balance_is_kept() -> None:
    # a gap to 0.90100: −20,010 points × 0.50 of 10,000
    result = run(table([START, SIGNAL, CALM, (-9900, -9850, -9950, -9900, QUIET)]))
    assert (only(result).exit_reason, result.balance) == (Reason.GAP_STOP, D("-5.00"))
    assert result.equity[-1] == -5.0
    # 10,000 − 30 at the low of the bar before, over 550.55
    assert result.min_margin_level == pytest.approx(9_970 / 550.55)


def test_a_part_behind_the_target_is_never_taken() -> None:
    # half the stop's distance is the target, 10210; the bar goes on to 10320, beyond one R
    rows = [START, SIGNAL, (10100, 10320, 10050, 10300, QUIET)]
    assert outcomes(table(rows, rules=PART | {"min_rr": 0.5})) == [(Reason.TARGET, "0.50", "50.00")]
