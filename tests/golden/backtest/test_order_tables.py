"""Opposite signals and resting orders, worked by hand."""

import pytest

from backend.backtest.model import Reading
from backend.trading.reasons import Reason
from tests.fakes.backtests import INVALID_LONG, QUIET, Row, table
from tests.golden.backtest.hand import CALM, SELL_SIGNAL, SIGNAL, START, D, only, run

# --- both directions


@pytest.mark.parametrize(
    ("wish", "reasons", "refused"),
    [
        ("ignore", [Reason.END], {"opposite_open": 1}),
        ("close", [Reason.OPPOSITE], {"opposite_open": 1}),
        ("reverse", [Reason.OPPOSITE, Reason.END], {}),
    ],
)
def test_an_opposite_signal(wish: str, reasons: list[Reason], refused: dict[str, int]) -> None:
    rows = [START, SIGNAL, CALM, SELL_SIGNAL, CALM, CALM]
    result = run(table(rows, rules={"short": True, "on_opposite": wish}))
    assert [trade.exit_reason for trade in result.trades] == reasons
    assert result.refusals == refused
    if wish == "reverse":  # out at the bid 10100, and short from there
        assert [trade.side.direction for trade in result.trades] == ["long", "short"]
        assert result.trades[1].entry_time == result.trades[0].exit_time


# --- resting orders: 0.25 ATR are 50 points from the reference 10110

LIMIT = {"order": {"type": "limit", "offset_atr": 0.25, "expiry_bars": 2}}
STOP = {"order": {"type": "stop", "offset_atr": 0.25, "expiry_bars": 2}}


def test_a_limit_fills_at_its_price_without_slippage() -> None:
    rows = [START, SIGNAL, (10100, 10150, 10050, 10100, QUIET), CALM]
    trade = only(run(table(rows, rules=LIMIT, slippage="3")))
    assert trade.entry_price == D("1.10060")  # an ask low of 10060 touches it
    assert (trade.initial_stop, trade.initial_target) == (D("1.09860"), D("1.10460"))


def test_a_limit_that_the_open_lies_beyond_is_not_improved() -> None:
    rows = [START, SIGNAL, (10000, 10050, 9950, 10000, QUIET), CALM]
    assert only(run(table(rows, rules=LIMIT))).entry_price == D("1.10060")


def test_a_limit_expires() -> None:
    high: Row = (10120, 10150, 10100, 10120, QUIET)
    low: Row = (10100, 10150, 10000, 10100, QUIET)
    assert run(table([START, SIGNAL, high, high, low], rules=LIMIT)).refusals == {"order_expired": 1}
    assert len(run(table([START, SIGNAL, high, low], rules=LIMIT)).trades) == 1


def test_an_invalidation_cancels_a_resting_order() -> None:
    rows = [START, SIGNAL, (10120, 10150, 10100, 10120, INVALID_LONG), (10100, 10150, 10000, 10100, QUIET)]
    assert run(table(rows, rules=LIMIT)).refusals == {"order_cancelled": 1}


def test_after_a_limit_inside_a_bar_the_stop_counts_and_a_high_before_it_is_no_target() -> None:
    stopped = [START, SIGNAL, (10100, 10150, 9860, 9900, QUIET)]
    trade = only(run(table(stopped, rules=LIMIT)))
    assert (trade.exit_reason, trade.ambiguous, trade.net) == (Reason.STOP, False, D("-100.00"))
    # the high of 10460 may have been before the fill: not counted, but in the band
    unclear = table([START, SIGNAL, (10100, 10460, 10050, 10300, QUIET)], rules=LIMIT)
    worst, best = only(run(unclear)), only(run(unclear, Reading.BEST))
    assert (worst.exit_reason, worst.ambiguous) == (Reason.END, True)
    assert (best.exit_reason, best.net) == (Reason.TARGET, D("200.00"))
    # a close beyond the target proves it
    proved = only(run(table([START, SIGNAL, (10100, 10500, 10050, 10470, QUIET)], rules=LIMIT)))
    assert (proved.exit_reason, proved.ambiguous) == (Reason.TARGET, False)


def test_a_stop_entry_fills_worse_by_slippage_and_by_a_gap() -> None:
    touched = only(run(table([START, SIGNAL, (10100, 10150, 10090, 10140, QUIET)], rules=STOP, slippage="3")))
    assert (touched.entry_price, touched.gap_cost) == (D("1.10163"), D(0))
    beyond = [START, SIGNAL, (10200, 10250, 10190, 10240, QUIET)]
    gapped = only(run(table(beyond, rules=STOP, slippage="3")))
    assert gapped.entry_price == D("1.10213")  # ask open 10210 is 50 above the order, + 3
    assert gapped.volume == D("0.40")  # 100 over the 250 points from that open to the stop
    assert gapped.gap_cost == D("20.00")


def test_after_a_stop_entry_inside_a_bar_a_possible_stop_counts() -> None:
    # order 10160, stop 9960; the low of 9960 may have been before the fill
    unclear = table([START, SIGNAL, (10100, 10160, 9960, 10100, QUIET), CALM], rules=STOP)
    worst, best = only(run(unclear)), only(run(unclear, Reading.BEST))
    assert (worst.exit_reason, worst.ambiguous, worst.net) == (Reason.STOP, True, D("-100.00"))
    assert best.exit_reason is Reason.END
