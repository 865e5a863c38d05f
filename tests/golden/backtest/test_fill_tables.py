"""Bar sequences worked by hand, each with the exact fills that the fill rules demand.

The signal bar is 100.00 – 102.00 points high-low, so ATR(1) is 200 points: the stop stands 200 points
away, the target 400. 10,000 USD at 1 % over 200 USD a lot are 0.50 lots.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backend.backtest import running
from backend.backtest.columns import Reason, Trade
from backend.backtest.model import Job, Reading, Result
from backend.core.errors import Invalid
from tests.fakes.backtests import EXIT_LONG, INVALID_LONG, LONG, MONDAY, QUIET, SHORT, WIDE_OPEN, Row, table
from tests.reference import engine

if TYPE_CHECKING:
    from backend.core.bars import Bars

D = Decimal
START: Row = (10100, 10150, 10050, 10100, QUIET)
SIGNAL: Row = (10100, 10200, 10000, 10100, LONG)
SELL_SIGNAL: Row = (10100, 10200, 10000, 10100, SHORT)
CALM: Row = (10100, 10150, 10050, 10100, QUIET)
BOTH = {"short": True}


def only(result: Result) -> Trade:
    assert len(result.trades) == 1, (list(result.trades), result.refusals)
    return result.trades[0]


def money(trade: Trade) -> tuple[Decimal, ...]:
    return (
        trade.gross,
        trade.spread_cost,
        trade.slippage_cost,
        trade.gap_cost,
        trade.commission,
        trade.swap,
        trade.net,
    )


ENGINES: dict[str, Callable[..., Result]] = {"compiled": running.run_backtest, "plain": engine.run_backtest}
_chosen: list[str] = []


@pytest.fixture(autouse=True, params=ENGINES)
def chosen_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each table holds for the compiled engine and for the plain one."""
    _chosen.append(request.param)
    yield
    _chosen.pop()


def run(job: Job, reading: Reading = Reading.WORST) -> Result:
    return ENGINES[_chosen[-1]](job, reading=reading)


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


def at(*hours: str) -> list[datetime]:
    return [datetime.fromisoformat(hour).replace(tzinfo=UTC) for hour in hours]


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
    assert gapped.gap_cost == D("25.00")


def test_after_a_stop_entry_inside_a_bar_a_possible_stop_counts() -> None:
    # order 10160, stop 9960; the low of 9960 may have been before the fill
    unclear = table([START, SIGNAL, (10100, 10160, 9960, 10100, QUIET), CALM], rules=STOP)
    worst, best = only(run(unclear)), only(run(unclear, Reading.BEST))
    assert (worst.exit_reason, worst.ambiguous, worst.net) == (Reason.STOP, True, D("-100.00"))
    assert best.exit_reason is Reason.END


# --- currencies


def test_yen_profit_is_divided_by_the_closing_price() -> None:
    # loss a lot: 20,000 JPY / 149.910 = 133.41 USD → 0.74 lots; target 29,600 JPY / 150.510 = 196.66
    rows = [START, SIGNAL, (10100, 10510, 10050, 10400, QUIET)]
    trade = only(run(table(rows, symbol="USDJPY", base=140.0, point=0.001)))
    assert (trade.volume, trade.entry_price, trade.exit_price) == (D("0.74"), D("150.110"), D("150.510"))
    assert trade.net == D("196.66")


# --- the account


def test_equity_is_marked_at_the_bid_with_the_worst_of_each_bar() -> None:
    result = run(table([START, SIGNAL, (10100, 10200, 10000, 10150, QUIET), CALM], commission="2"))
    # entry 10110: close 10150 is +40 × 0.50, less 1.00 commission paid; worst 10000 is −110 × 0.50
    assert result.equity[1] == 10_019.0
    assert result.worst[1] == 9_944.0
    assert result.equity[0] == 10_000.0
    assert result.equity[-1] == float(result.balance) == 10_000 - 5 - 2


def test_a_daily_loss_limit_stops_entries_until_the_next_server_day() -> None:
    daily_loss = WIDE_OPEN.daily_loss.model_copy(update={"limit": 0.015})
    limits = WIDE_OPEN.model_copy(update={"daily_loss": daily_loss})
    stopped: Row = (10100, 10150, 9900, 10100, QUIET)
    start = MONDAY + timedelta(hours=18)
    # Monday: −100 of 10,000; a second trade would risk 99 more, together above 150; Tuesday is new
    rows = [START, SIGNAL, stopped, SIGNAL, CALM, CALM, SIGNAL, CALM]
    result = run(table(rows, limits=limits, start=start))
    assert len(result.trades) == 2
    assert result.refusals == {"daily_loss": 1}
    assert result.trades[1].volume == D("0.49")  # 1 % of 9,900


def test_half_risk_at_a_better_limit_between_the_two_thresholds() -> None:
    thresholds = WIDE_OPEN.thresholds.model_copy(update={"open_or_scale": 100, "autonomous": 100})
    limits = WIDE_OPEN.model_copy(update={"thresholds": thresholds})
    trade = only(run(table([START, SIGNAL, (10100, 10150, 10050, 10100, QUIET)], limits=limits)))
    assert (trade.volume, trade.entry_price) == (D("0.25"), D("1.10060"))


def test_a_score_below_every_threshold_is_only_observed() -> None:
    thresholds = WIDE_OPEN.thresholds.model_copy(
        update={"pending_only": 100, "open_or_scale": 100, "autonomous": 100}
    )
    limits = WIDE_OPEN.model_copy(update={"thresholds": thresholds})
    assert run(table([START, SIGNAL, CALM], limits=limits)).refusals == {"confidence": 1}


def test_bars_with_impossible_prices_are_refused_with_the_first_place() -> None:
    job = table([START, SIGNAL, CALM])
    (stream,) = job.streams
    high = stream.bars.high.copy()
    high[2] = 1.0
    broken: dict[str, Any] = {"high": high}
    bars: Bars = replace(stream.bars, **broken)
    with pytest.raises(Invalid) as caught:
        run(replace(job, streams=(replace(stream, bars=bars),)))
    assert (caught.value.code, caught.value.details["index"]) == ("bad_bars", 2)
