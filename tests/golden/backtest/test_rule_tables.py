"""Leaving by rule, moving the stop, and what keeps a signal from becoming a trade, worked by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.core.timeframes import Timeframe
from backend.trading.reasons import Reason
from tests.fakes.backtests import EXIT_LONG, INVALID_LONG, MONDAY, QUIET, WIDE_OPEN, Row, table
from tests.golden.backtest.hand import CALM, SELL_SIGNAL, SIGNAL, START, D, at, only, run

# --- leaving by rule


@pytest.mark.parametrize(
    ("volume", "reason"), [(EXIT_LONG, Reason.EXIT_RULE), (INVALID_LONG, Reason.INVALIDATION)]
)
def test_exit_rules_leave_at_the_next_open(volume: int, reason: Reason) -> None:
    rows = [START, SIGNAL, (10100, 10200, 10050, 10180, volume), (10160, 10200, 10150, 10190, QUIET)]
    trade = only(run(table(rows, slippage="1")))
    # 10111 in, 10160 − 1 out: 48 points × 0.50
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10159"), reason, D("24.00"))


def test_the_brokers_stop_is_first_at_the_open_on_which_a_rule_leaves() -> None:
    rows = [START, SIGNAL, (10100, 10200, 10050, 10100, EXIT_LONG), (9900, 9950, 9850, 9900, QUIET)]
    trade = only(run(table(rows)))
    assert (trade.exit_price, trade.exit_reason) == (D("1.09900"), Reason.GAP_STOP)


def test_time_stop_counts_the_bars_of_the_position() -> None:
    rules = {"management": {"time_stop_bars": 2}}
    rows = [START, SIGNAL, CALM, CALM, (10120, 10150, 10100, 10130, QUIET), CALM]
    trade = only(run(table(rows, rules=rules)))
    assert (trade.exit_price, trade.exit_reason, trade.bars_held) == (D("1.10120"), Reason.TIME_STOP, 3)


def test_weekend_close_at_the_open_of_the_weeks_last_bar() -> None:
    times = at("2026-03-13T20", "2026-03-13T21", "2026-03-13T22", "2026-03-13T23", "2026-03-16T00")
    rows = [START, SIGNAL, CALM, (10130, 10200, 10100, 10150, QUIET), CALM]
    trade = only(run(table(rows, times=times, rules={"management": {"close_before_weekend": True}})))
    assert (trade.exit_price, trade.exit_reason) == (D("1.10130"), Reason.WEEKEND)
    # 23:00 on the server is 20:00 UTC: America went to summer time on 8 March
    assert trade.exit_time == int(datetime(2026, 3, 13, 20, tzinfo=UTC).timestamp())


def test_what_is_open_at_the_end_is_closed_at_the_last_close() -> None:
    trade = only(run(table([START, SIGNAL, (10100, 10200, 10050, 10180, QUIET)])))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10180"), Reason.END, D("35.00"))
    assert trade.exit_time == trade.entry_time + 3600


def test_a_signal_on_the_last_bar_is_never_filled() -> None:
    result = run(table([START, CALM, SIGNAL]))
    assert (len(result.trades), result.signals) == (0, 0)


# --- moving the stop


def test_breakeven_moves_on_the_close_and_holds_from_the_next_bar() -> None:
    rules = {"management": {"breakeven_after_r": 1.0}}
    rows = [
        START,
        SIGNAL,
        (10100, 10320, 10090, 10310, QUIET),  # closes 200 points above the fill: 1 R
        (10310, 10320, 10105, 10200, QUIET),  # comes back through 10110
        CALM,
    ]
    trade = only(run(table(rows, rules=rules)))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10110"), Reason.BREAKEVEN, D("0.00"))


def test_breakeven_does_not_work_inside_the_bar_that_earns_it() -> None:
    rules = {"management": {"breakeven_after_r": 1.0}}
    rows = [START, SIGNAL, (10100, 10320, 10000, 10310, QUIET), (10310, 10320, 10300, 10310, QUIET)]
    assert only(run(table(rows, rules=rules))).exit_reason is Reason.END


def test_the_trail_follows_the_close_and_never_falls_back() -> None:
    rules = {"management": {"trail_atr": 1.0}}
    rows = [
        START,
        SIGNAL,
        (10100, 10300, 10100, 10300, QUIET),  # true range 200: stop to 10100
        (10300, 10310, 10210, 10220, QUIET),  # true range 100: stop to 10120
        (10220, 10300, 10200, 10210, QUIET),  # true range 100: 10110 would be lower, stays
        (10210, 10220, 10110, 10200, QUIET),
    ]
    trade = only(run(table(rows, rules=rules)))
    assert (trade.exit_price, trade.exit_reason) == (D("1.10120"), Reason.TRAIL)


# --- what keeps a signal from becoming a trade


def test_cooldown_counts_bars_since_the_exit() -> None:
    leave = (10100, 10200, 10050, 10100, EXIT_LONG)
    rows = [START, SIGNAL, leave, CALM, SIGNAL, SIGNAL, CALM, CALM]
    # the exit fills on bar 3; with a cooldown of 2 the first signal that counts is that of bar 5
    result = run(table(rows, rules={"cooldown_bars": 2}))
    assert [trade.entry_time - result.trades[0].entry_time for trade in result.trades] == [0, 4 * 3600]
    assert result.refusals == {"cooldown": 1}


def test_trades_per_day_are_counted_by_the_servers_day() -> None:
    leave = (10100, 10200, 10050, 10100, EXIT_LONG)
    start = MONDAY + timedelta(hours=18)
    rows = [START, SIGNAL, leave, CALM, SIGNAL, SIGNAL, CALM]  # bar 5 closes at 24:00
    result = run(table(rows, rules={"max_trades_per_day": 1}, start=start))
    assert len(result.trades) == 2
    assert result.refusals == {"trades_strategy": 1}


def test_sessions_are_tested_at_the_bars_close() -> None:
    # London opens at 08:00 UTC, server 10:00 in winter: the bar 09–10 closes in session, 08–09 does not
    rows = [START, SIGNAL, SIGNAL, CALM]
    result = run(table(rows, rules={"sessions": ["London"]}, start=MONDAY + timedelta(hours=7)))
    assert only(result).signal_time == int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp())
    assert result.refusals == {"session": 1}


def test_a_price_that_ran_away_is_refused() -> None:
    limits = WIDE_OPEN.model_copy(update={"max_drift_atr": 0.25})
    near: Row = (10150, 10160, 10140, 10150, QUIET)  # 50 points = 0.25 ATR
    far: Row = (10151, 10160, 10140, 10150, QUIET)
    assert len(run(table([START, SIGNAL, near], limits=limits)).trades) == 1
    assert run(table([START, SIGNAL, far], limits=limits)).refusals == {"drift": 1}


def test_a_wide_spread_at_the_open_is_refused() -> None:
    job = table([START, SIGNAL, CALM], spread=[10, 10, 31], profile={"max_spread_points": 30})
    assert run(job).refusals == {"spread": 1}


def test_a_stop_closer_than_the_broker_takes_is_refused() -> None:
    # with a spread of 101 the broker's minimum is 101 + 101 = 202 points, the stop is 200 away
    assert run(table([START, SIGNAL, CALM], spread=[10, 10, 101])).refusals == {"stop_too_close": 1}


def test_below_the_smallest_volume_nothing_is_sent() -> None:
    result = run(table([START, SIGNAL, CALM], balance="199"))  # 1.99 USD buys 0.00995 lots
    assert (len(result.trades), result.refusals) == (0, {"volume_minimum": 1})


def test_volume_steps_are_counted_in_integers() -> None:
    assert only(run(table([START, SIGNAL, CALM], balance="5800"))).volume == D("0.29")


def test_one_position_at_a_time() -> None:
    assert run(table([START, SIGNAL, SIGNAL, CALM])).refusals == {"duplicate": 1}


# --- moving the stop, once more


def test_breakeven_pays_the_costs_of_the_round_turn() -> None:
    # in at 10111; 2 × 3.50 a lot are 7 points, the stop's slippage 1: stop to 10119, out at 10118
    rows = [
        START,
        SIGNAL,
        (10100, 10320, 10100, 10312, QUIET),  # 201 points are 1 R from the fill to 9910
        (10310, 10320, 10119, 10200, QUIET),
    ]
    job = table(rows, rules={"management": {"breakeven_after_r": 1.0}}, commission="3.5", slippage="1")
    trade = only(run(job))
    assert (trade.exit_price, trade.exit_reason) == (D("1.10118"), Reason.BREAKEVEN)
    assert (trade.commission, trade.net) == (D("3.50"), D("0.00"))  # 7 points × 0.50 pay it


def test_breakeven_one_point_short_of_its_r_does_not_move() -> None:
    rules = {"management": {"breakeven_after_r": 1.0}}
    rows = [START, SIGNAL, (10100, 10320, 10090, 10309, QUIET), (10310, 10320, 10105, 10200, QUIET)]
    assert only(run(table(rows, rules=rules))).exit_reason is Reason.END


def test_the_trail_does_not_work_inside_the_bar_that_moves_it() -> None:
    # the close at 10300 lifts the stop to 10050, above this bar's low
    rows = [START, SIGNAL, (10100, 10300, 10050, 10300, QUIET), (10300, 10310, 10210, 10220, QUIET)]
    assert only(run(table(rows, rules={"management": {"trail_atr": 1.0}}))).exit_reason is Reason.END


def test_the_trail_of_a_short_follows_the_ask() -> None:
    # close bid 9900 is ask 9910, true range 200: stop to 10110 at the ask
    rows = [
        START,
        SELL_SIGNAL,
        (10100, 10100, 9900, 9900, QUIET),
        (9900, 10100, 9890, 9950, QUIET),
    ]
    trade = only(run(table(rows, rules={"short": True, "management": {"trail_atr": 1.0}})))
    assert (trade.exit_price, trade.exit_reason, trade.net) == (D("1.10110"), Reason.TRAIL, D("-5.00"))


def test_a_gap_through_a_moved_stop_is_a_gap() -> None:
    # stop at 10110 after breakeven; open 10050: 60 points × 0.50
    rows = [START, SIGNAL, (10100, 10320, 10090, 10310, QUIET), (10050, 10060, 10040, 10050, QUIET)]
    trade = only(run(table(rows, rules={"management": {"breakeven_after_r": 1.0}})))
    assert (trade.exit_price, trade.exit_reason) == (D("1.10050"), Reason.GAP_STOP)
    assert (trade.gap_cost, trade.net) == (D("30.00"), D("-30.00"))


def test_r_is_measured_to_the_first_stop_also_if_it_moved() -> None:
    # out at 10210, 100 points × 0.50, over the 100 USD from the fill to 9910
    rows = [START, SIGNAL, (10100, 10410, 10100, 10410, QUIET), (10400, 10410, 10100, 10200, QUIET)]
    trade = only(run(table(rows, rules={"management": {"trail_atr": 0.645}})))
    # true range 310 × 0.645 = 199.95, rounded up to 200 points: stop to 10210
    assert (trade.exit_price, trade.initial_risk, trade.r) == (D("1.10210"), D("100.00"), 0.5)


def test_on_days_the_weekend_close_is_at_fridays_close() -> None:
    times = [datetime(2026, 3, day, tzinfo=UTC) for day in (10, 11, 12, 13, 16)]
    rows = [START, SIGNAL, CALM, (10100, 10150, 10050, 10130, QUIET), CALM]
    job = table(
        rows, times=times, timeframe=Timeframe.D1, rules={"management": {"close_before_weekend": True}}
    )
    trade = only(run(job))
    assert (trade.exit_price, trade.exit_reason) == (D("1.10130"), Reason.WEEKEND)
    # midnight between Friday and Saturday on the server is 21:00 UTC
    assert trade.exit_time == int(datetime(2026, 3, 13, 21, tzinfo=UTC).timestamp())
