"""What the broker's stops level and the week's end keep from happening, worked by hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backend.core.timeframes import Timeframe
from backend.trading.reasons import Reason
from tests.fakes.backtests import QUIET, Row, table
from tests.golden.backtest.hand import BOTH, CALM, SELL_SIGNAL, SIGNAL, START, D, at, only, run

LEVEL = {"stops_level": 250}
HALF_WAY = {"management": {"breakeven_after_r": 0.5}}
LEAVES: dict[str, Any] = {"management": {"close_before_weekend": True}}
LIMIT = {"order": {"type": "limit", "offset_atr": 0.25}}
STOP = {"order": {"type": "stop", "offset_atr": 0.25}}

# --- stops that move: in at 10110, the stop at 9850, since a level of 250 and the spread of 10 widen it


@pytest.mark.parametrize(("close", "reason"), [(10359, Reason.END), (10360, Reason.BREAKEVEN)])
def test_a_stop_is_not_moved_nearer_than_the_level(close: int, reason: Reason) -> None:
    # both closes are more than the 130 points away that half an R asks for; 10110 + 250 = 10360
    rows = [START, SIGNAL, (10100, 10400, 10090, close, QUIET), (10300, 10310, 10100, 10200, QUIET)]
    trade = only(run(table(rows, rules=HALF_WAY, specification=LEVEL)))
    assert trade.exit_reason is reason


def test_a_move_that_came_too_near_is_tried_again_at_the_next_close() -> None:
    rows = [
        START,
        SIGNAL,
        (10100, 10400, 10090, 10300, QUIET),  # 190 points above the new stop: too near
        (10300, 10380, 10105, 10360, QUIET),  # passes below 10110, where no stop stands; closes 250 above
        (10360, 10370, 10100, 10200, QUIET),
        CALM,
    ]
    trade = only(run(table(rows, rules=HALF_WAY, specification=LEVEL)))
    assert (trade.exit_price, trade.exit_reason) == (D("1.10110"), Reason.BREAKEVEN)
    assert trade.bars_held == 3


@pytest.mark.parametrize(("high", "reason"), [(10304, Reason.END), (10306, Reason.TRAIL)])
def test_where_no_level_is_stated_a_stop_keeps_the_spread(high: int, reason: Reason) -> None:
    # a tenth of a true range of 99 is 10 points, rounded up: nearer than the spread of 11, so 10290 is not
    # sent; of 101 it is 11, and the stop goes to 10289
    rows = [
        START,
        SIGNAL,
        (10100, 10230, 10060, 10220, QUIET),  # the stop goes to 10203
        (10220, high, 10205, 10300, QUIET),
        (10300, 10305, 10289, 10300, QUIET),
    ]
    trade = only(run(table(rows, rules={"management": {"trail_atr": 0.1}}, spread=11)))
    assert trade.exit_reason is reason


@pytest.mark.parametrize(("close", "reason"), [(10120, Reason.TRAIL), (10121, Reason.END)])
def test_a_target_within_the_level_keeps_the_stop_where_it_is(close: int, reason: Reason) -> None:
    # once the stop, which the level widens to 260: the target is 10370, 250 above the first close, 249 above
    # the second; a true range of 200 puts the trail 250 below either, above the stop of 9850
    rows = [START, SIGNAL, (10100, 10220, 10020, close, QUIET), (10100, 10150, 9860, 10100, QUIET)]
    rules = {"min_rr": 1.0, "management": {"trail_atr": 1.25}}
    assert only(run(table(rows, rules=rules, specification=LEVEL))).exit_reason is reason


@pytest.mark.parametrize(("spread", "refused"), [(10, {}), (9, {"target_too_close": 1})])
def test_a_target_nearer_than_the_broker_takes_is_refused(spread: int, refused: dict[str, int]) -> None:
    # half the stop of 260 is widened to 240: with the decided spread of 10 the bid is 250 away, with 9 249
    job = table([START, SIGNAL, CALM], spread=[10, 10, spread], rules={"min_rr": 0.5}, specification=LEVEL)
    assert run(job).refusals == refused


@pytest.mark.parametrize(("opened", "refused"), [(10170, {}), (10171, {"target_too_close": 1})])
def test_the_target_of_a_passed_stop_order_is_measured_from_the_price(
    opened: int, refused: dict[str, int]
) -> None:
    # the stop order of 10160 has its target once the stop of 260 above, at 10420: 250 from a bid of 10170
    rows = [START, SIGNAL, (opened, opened + 20, opened - 20, opened, QUIET), CALM]
    assert run(table(rows, rules=STOP | {"min_rr": 1.0}, specification=LEVEL)).refusals == refused


# --- pending orders: 50 points from the ask of 10110


@pytest.mark.parametrize(
    ("order", "level", "refused"),
    [
        (order, level, {"order_too_close": 1} if level > 50 else {})
        for order in (LIMIT, STOP)
        for level in (50, 51)
    ],
    ids=["limit at it", "limit inside", "stop at it", "stop inside"],
)
def test_a_pending_order_inside_the_level_is_refused(
    order: dict[str, Any], level: int, refused: dict[str, int]
) -> None:
    rows = [START, SIGNAL, CALM, CALM]
    assert run(table(rows, rules=order, specification={"stops_level": level})).refusals == refused


def test_a_pending_short_is_measured_from_the_bid() -> None:
    rows = [START, SELL_SIGNAL, (10120, 10130, 10050, 10100, QUIET), CALM]
    # the limit of 10150 is 30 points above the bid of the open
    for level, refused in ((30, {}), (31, {"order_too_close": 1})):
        job = table(rows, rules=LIMIT | BOTH, specification={"stops_level": level})
        assert run(job).refusals == refused


def test_a_limit_that_the_open_has_passed_is_inside_the_level_and_a_stop_is_a_market_order() -> None:
    rows = [START, SIGNAL, (10000, 10050, 9950, 10000, QUIET), CALM]
    assert run(table(rows, rules=LIMIT, specification={"stops_level": 1})).refusals == {"order_too_close": 1}
    rows = [START, SIGNAL, (10200, 10250, 10150, 10200, QUIET), CALM]
    job = table(rows, rules=STOP, specification={"stops_level": 100})
    assert only(run(job)).entry_price == D("1.10210")


# --- the week's end


def test_a_resting_order_is_taken_back_before_the_weeks_last_bar() -> None:
    times = at("2026-03-13T20", "2026-03-13T21", "2026-03-13T22", "2026-03-13T23", "2026-03-16T00")
    away: Row = (10120, 10150, 10100, 10120, QUIET)
    touched: Row = (10100, 10150, 10000, 10100, QUIET)  # an ask of 10010 fills the limit of 10060
    result = run(table([START, SIGNAL, away, touched, CALM], times=times, rules=LIMIT | LEAVES))
    assert (len(result.trades), result.refusals) == (0, {"order_cancelled": 1})
    # who stays over the weekend keeps the order
    assert len(run(table([START, SIGNAL, away, touched, CALM], times=times, rules=LIMIT)).trades) == 1
    # before the last bar it may fill
    assert (
        len(run(table([START, SIGNAL, touched, CALM, CALM], times=times, rules=LIMIT | LEAVES)).trades) == 1
    )


def test_on_days_a_resting_order_is_taken_back_before_friday() -> None:
    times = [datetime(2026, 3, day, tzinfo=UTC) for day in (10, 11, 12, 13, 16)]
    away: Row = (10120, 10150, 10100, 10120, QUIET)
    touched: Row = (10100, 10150, 10000, 10100, QUIET)
    rows = [START, SIGNAL, away, touched, CALM]
    result = run(table(rows, times=times, timeframe=Timeframe.D1, rules=LIMIT | LEAVES))
    assert (len(result.trades), result.refusals) == (0, {"order_cancelled": 1})
