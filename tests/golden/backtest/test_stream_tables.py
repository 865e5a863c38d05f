"""Several strategies and symbols on one account, what halts it, and what a desk alone refuses, by hand."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend.backtest.model import Job, Result
from backend.backtest.running import run_backtest
from backend.risk.limits import DailyLoss, Drawdown
from backend.trading.desk import Mode
from backend.trading.reasons import Reason
from backend.trading.scoring import Thresholds
from tests.fakes.backtests import EXIT_LONG, MONDAY, QUIET, Row, table
from tests.golden.backtest.hand import (
    BOTH,
    CALM,
    SELL_SIGNAL,
    SIGNAL,
    START,
    D,
    at,
    chosen,
    limits,
    on_account,
    only,
    run,
    together,
    with_asks,
)

THIN: dict[str, Any] = {"max_risk_pct": 0.001}
GAP: Row = (9800, 9850, 9700, 9800, QUIET)
LATE = MONDAY.replace(hour=18)
LONGS = [START, SIGNAL, CALM, CALM]
SHORTS = [START, SELL_SIGNAL, CALM, CALM]


@pytest.fixture(autouse=True)
def chosen_engine() -> Iterator[None]:
    """The plain engine knows one stream, no halt and no autonomous mode."""
    with chosen(run_backtest):
        yield


def pair(first: list[Row], second: list[Row], symbol: str = "GBPUSD", **more: Any) -> Job:
    """The first on EURUSD, the second on another symbol or the same one."""
    return together(table(first, **more), table(second, symbol=symbol, **more))


def held(result: Result) -> list[tuple[str, str]]:
    return [(trade.symbol, str(trade.volume)) for trade in result.trades]


def test_a_night_is_paid_before_another_symbol_is_sized_though_its_own_bar_comes_later() -> None:
    held_over = at("2026-03-02T20", "2026-03-02T21", "2026-03-02T22", "2026-03-03T03")
    sent_after = at("2026-03-02T22", "2026-03-02T23", "2026-03-03T00", "2026-03-03T01")
    dear = {"swap_mode": 4, "swap_long": D(-500)}
    first = table(LONGS, times=held_over, specification=dear)
    second = table(LONGS, times=sent_after, symbol="GBPUSD", specification=dear)
    # at 00:00 equity is 10,000 − 5 of spread − 250 of swap: 97.45 over 200 a lot
    assert held(run(together(first, second))) == [("GBPUSD", "0.48"), ("EURUSD", "0.50")]


# --- two on one symbol


def opposite(**account: Any) -> Job:
    return on_account(pair(LONGS, SHORTS, "EURUSD", rules=BOTH), **account)


def opposite_with(**specification: Any) -> Job:
    return pair(LONGS, SHORTS, "EURUSD", rules=BOTH, specification=specification)


def test_a_hedged_pair_takes_the_margin_of_its_larger_side_once() -> None:
    # long 0.50 at 10110: 550.55. The spread of 5.00 is then lost: 99.95 ÷ 200 = 0.49 short at 10100: 539.49.
    # unhedged 0.01 of the long, 11.011; hedged 0.49 at (550.55 + 539.49) ÷ 0.99 a lot: 539.5149
    # the worst: at 10050 the long has −30.00 and the short +19.60; at 10150 they have +20.00 and −29.40
    result = run(opposite())
    assert sorted(held(result)) == [("EURUSD", "0.49"), ("EURUSD", "0.50")]
    assert result.min_margin_level == pytest.approx((10_000 - 30.0 + 19.6) / (11.011 + 539.51487), abs=1e-5)


def test_a_hedged_pair_takes_what_the_broker_says_a_hedged_lot_takes() -> None:
    # as above, and half of the hedged 0.49: 539.5149 ÷ 2
    result = run(opposite_with(margin_hedged=D(50_000)))
    assert result.min_margin_level == pytest.approx(
        (10_000 - 30.0 + 19.6) / (11.011 + 539.51487 / 2), abs=1e-5
    )


def test_a_hedged_pair_takes_its_larger_side_where_the_broker_counts_that() -> None:
    # the long alone: 0.50 × 1,101.10
    result = run(opposite_with(margin_larger_leg=True))
    assert result.min_margin_level == pytest.approx((10_000 - 30.0 + 19.6) / 550.55, abs=1e-5)


def test_a_netting_account_gives_a_symbol_to_one_strategy() -> None:
    result = run(opposite(hedging=False))
    assert (len(result.trades), result.refusals) == (1, {"symbol_occupied": 1})
    assert result.trades[0].side.direction == "long"


def test_a_netting_account_refuses_a_signal_while_the_symbol_is_taken_and_takes_the_next() -> None:
    leave: Row = (10100, 10200, 10000, 10100, EXIT_LONG)
    first = [START, SIGNAL, CALM, leave, CALM, CALM, CALM]
    second = [START, CALM, SELL_SIGNAL, CALM, SELL_SIGNAL, CALM, CALM]
    result = run(on_account(pair(first, second, "EURUSD", rules=BOTH), hedging=False))
    assert [trade.side.direction for trade in result.trades] == ["long", "short"]
    assert result.refusals == {"symbol_occupied": 1}


def test_positions_of_a_symbol_are_counted() -> None:
    result = run(pair(LONGS, SHORTS, "EURUSD", rules=BOTH, limits=limits(max_positions_per_symbol=1)))
    assert (len(result.trades), result.refusals) == (1, {"positions_symbol": 1})


# --- two symbols


def test_positions_of_the_account_are_counted() -> None:
    result = run(pair(LONGS, LONGS, limits=limits(max_positions=1)))
    assert (held(result), result.refusals) == ([("EURUSD", "0.50")], {"positions_total": 1})


def test_the_trades_of_all_streams_make_the_day() -> None:
    result = run(pair(LONGS, LONGS, limits=limits(max_trades_per_day=1)))
    assert (len(result.trades), result.refusals) == (1, {"trades_day": 1})


def test_a_strategys_trades_of_all_its_symbols_make_its_day() -> None:
    job = pair(LONGS, LONGS, rules={"max_trades_per_day": 1})
    first, second = job.streams
    same = second.strategy.model_copy(update={"id": first.strategy.id})
    result = run(replace(job, streams=(first, replace(second, strategy=same))))
    assert (len(result.trades), result.refusals) == (1, {"trades_strategy": 1})
    assert len(run(job).trades) == 2  # two strategies have a day each


def test_the_risk_of_all_open_trades_is_one() -> None:
    # 95 to the stop of the first from its bid, 98 of the second (0.49 lots): 1.93 % of 9,995
    assert run(pair(LONGS, LONGS, limits=limits(open_risk_limit=0.0194))).refusals == {}
    assert run(pair(LONGS, LONGS, limits=limits(open_risk_limit=0.0193))).refusals == {"open_risk": 1}


def test_the_exposure_of_two_strategies_to_a_currency_is_one() -> None:
    # 5.5 times the equity each
    job = pair(LONGS, LONGS, "EURUSD", limits=limits(exposure_cap=10.0))
    assert run(job).refusals == {"exposure": 1}
    assert run(pair(LONGS, LONGS, limits=limits(exposure_cap=10.0))).refusals == {}


def test_a_trade_against_the_others_exposure_makes_it_smaller() -> None:
    assert run(pair(LONGS, SHORTS, "EURUSD", rules=BOTH, limits=limits(exposure_cap=6.0))).refusals == {}


def test_a_trade_is_sized_on_what_the_others_have_left() -> None:
    # the first stands at 9960: −75.00; 99.25 ÷ 200 = 0.49, and 0.50 on an untouched account
    first = [START, SIGNAL, (10100, 10150, 9950, 9960, QUIET), (9960, 9970, 9950, 9960, QUIET), CALM]
    second = [START, CALM, SIGNAL, CALM, CALM]
    assert dict(held(run(pair(first, second))))["GBPUSD"] == "0.49"


def test_equity_is_told_at_each_instant_at_which_a_bar_closes() -> None:
    first = table([START, SIGNAL, CALM, CALM, CALM])
    second = table(
        [START, CALM, CALM], symbol="GBPUSD", times=at("2026-03-02T00", "2026-03-02T01", "2026-03-02T04")
    )
    result = run(together(first, second))
    # server 02, 03, 04 and 05 are UTC 00 to 03
    opened = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    assert [int(moment) - opened for moment in result.time] == [0, 3600, 7200, 10800]
    assert list(result.equity) == [10_000.0, 9_995.0, 9_995.0, 9_995.0]


# --- stop-out: at 1:1 and 0.1 % each 0.05 lots; their margins are 11,011 and 9.00 of 11,020 may be lost


def thin(first: list[Row], second: list[Row]) -> Job:
    job = pair(first, second, rules={"max_risk_pct": 0.001}, balance="11020")
    return on_account(job, leverage=1, stop_out=1.0)


STILL: Row = (10100, 10110, 10090, 10100, QUIET)


def test_a_stop_out_counts_the_loss_of_all_positions() -> None:
    # GBPUSD has lost its spread, 0.50; 8.50 of EURUSD are 170 points: 9940
    falls: Row = (10100, 10110, 9930, 9950, QUIET)
    result = run(thin([START, SIGNAL, STILL, falls, STILL], [START, SIGNAL, STILL, STILL, STILL]))
    assert [(t.symbol, t.exit_reason, str(t.net)) for t in result.trades] == [
        ("EURUSD", Reason.STOP_OUT, "-8.50"),
        ("GBPUSD", Reason.END, "-0.50"),
    ]


def test_a_stop_out_takes_the_largest_loss_first() -> None:
    # GBPUSD stands at 9960, −7.50; EURUSD falls to 10080, −1.50: together 9.00
    falls: Row = (10100, 10110, 10080, 10100, QUIET)
    lower: list[Row] = [(10100, 10110, 9960, 9960, QUIET), (9960, 9970, 9960, 9960, QUIET), STILL]
    result = run(thin([START, SIGNAL, STILL, falls, STILL], [START, SIGNAL, *lower]))
    assert [(t.symbol, t.exit_reason, str(t.net)) for t in result.trades] == [
        ("GBPUSD", Reason.STOP_OUT, "-7.50"),
        ("EURUSD", Reason.END, "-0.50"),
    ]


def test_every_symbols_open_is_met_before_anything_is_sent() -> None:
    # GBPUSD opens 510 points under its entry: 255.00 of 0.50 lots. 1 % of 9,745 ÷ 200 a lot are 0.48
    gap: Row = (9600, 9650, 9550, 9600, QUIET)
    result = run(pair([START, CALM, SIGNAL, CALM], [START, SIGNAL, CALM, gap]))
    assert held(result) == [("GBPUSD", "0.50"), ("EURUSD", "0.48")]


# --- halts


def test_a_days_loss_halts_until_the_next_day() -> None:
    # 110 points beyond the stop: 155 of 10,000 are 1.55 %
    rows = [START, SIGNAL, CALM, GAP, SIGNAL, CALM, CALM, SIGNAL, CALM]
    result = run(table(rows, start=LATE, limits=limits(daily_loss=DailyLoss(limit=0.015))))
    assert (len(result.trades), result.refusals) == (2, {"halted": 1})
    assert result.trades[1].entry_time > result.trades[0].exit_time + 3 * 3600


def test_a_floating_loss_halts_too() -> None:
    # 3.00 a lot: 1.50 at the entry, −99.50 at 9911, though it closes higher; 101 are 1.01 %
    leave: Row = (10100, 10150, 10050, 10100, EXIT_LONG)
    halting = limits(daily_loss=DailyLoss(limit=0.0101))
    for low, refused in ((9911, "halted"), (9912, "daily_loss")):  # a second trade would lose too much anyway
        rows = [START, SIGNAL, (10100, 10150, low, 10100, QUIET), leave, SIGNAL, CALM]
        assert run(table(rows, commission="3", limits=halting)).refusals == {refused: 1}


def test_a_drawdown_halts_for_good() -> None:
    rows = [START, SIGNAL, CALM, GAP, SIGNAL, CALM, CALM, SIGNAL, CALM]
    down = Drawdown(limit=0.015, kind="static")
    result = run(table(rows, start=LATE, limits=limits(drawdown=down)))
    assert (len(result.trades), result.refusals) == (1, {"halted": 2})


@pytest.mark.parametrize(
    ("kind", "refused"), [("static", {}), ("trailing", {"halted": 1}), ("trailing_end_of_day", {})]
)
def test_a_trailing_drawdown_is_measured_from_the_peak(kind: Any, refused: dict[str, int]) -> None:
    # 10,200 after the first; 1 % of it are 0.51 lots: −102 from the peak, 98 above the beginning
    win: Row = (10100, 10510, 10050, 10100, QUIET)
    lose: Row = (10100, 10150, 9910, 10000, QUIET)
    rows = [START, SIGNAL, win, SIGNAL, lose, SIGNAL, CALM]
    down = Drawdown(limit=0.0099, kind=kind)
    assert run(table(rows, limits=limits(drawdown=down))).refusals == refused


def test_the_end_of_a_day_moves_the_peak_of_a_drawdown() -> None:
    # the same, with a midnight after the win
    win: Row = (10100, 10510, 10050, 10100, QUIET)
    lose: Row = (10100, 10150, 9910, 10000, QUIET)
    rows = [START, SIGNAL, win, SIGNAL, lose, SIGNAL, CALM]
    down = Drawdown(limit=0.0099, kind="trailing_end_of_day")
    result = run(table(rows, start=MONDAY.replace(hour=21), limits=limits(drawdown=down)))
    assert result.refusals == {"halted": 1}


def fallen(opened: int, *, lock: bool, credit: str) -> Mapping[str, int]:
    """10,000 rise to 10,200; 0.50 at 10110 then open lower after a midnight that credits so much a lot."""
    win: Row = (10100, 10510, 10050, 10100, QUIET)
    gap: Row = (opened, opened + 10, opened - 10, opened, QUIET)
    job = table(
        [START, SIGNAL, win, SIGNAL, CALM, gap, SIGNAL, CALM],
        start=MONDAY.replace(hour=19),
        limits=limits(drawdown=Drawdown(limit=0.01, lock_at_initial=lock)),
        specification={"volume_max": D("0.50"), "swap_mode": 4, "swap_long": D(credit)},
    )
    return run(job).refusals


def test_a_trailing_floor_is_reached_to_the_cent() -> None:
    # 99 % of 10,200 are 10,098: 204 points × 0.50 are 102.00 under the peak, and a cent less is not there
    assert fallen(9906, lock=False, credit="0") == {"halted": 1}
    assert fallen(9906, lock=False, credit="0.02") == {}


def test_a_locked_floor_stays_at_the_initial_balance_and_is_reached_to_the_cent() -> None:
    # the floor that has risen with the peak would be 10,098; locked it is 10,000: 400 points × 0.50
    assert fallen(9906, lock=True, credit="0") == {}
    assert fallen(9710, lock=True, credit="0") == {"halted": 1}
    assert fallen(9710, lock=True, credit="0.02") == {}


def test_a_lock_leaves_a_floor_under_the_initial_balance_alone() -> None:
    # without a win the peak is 10,000 and the floor 9,900, locked or not: 200 points × 0.50 are at it
    for lock in (True, False):
        down = limits(drawdown=Drawdown(limit=0.01, lock_at_initial=lock))
        for low, refused in ((9910, {"halted": 1}), (9911, {})):
            hit: Row = (10100, 10150, low, 10100, QUIET)
            leave: Row = (10100, 10150, 10050, 10100, EXIT_LONG)
            assert (
                run(table([START, SIGNAL, hit, leave, CALM, SIGNAL, CALM], limits=down)).refusals == refused
            )


def test_a_halt_cancels_resting_orders() -> None:
    # EURUSD loses 205, which is 2.05 %; the order of GBPUSD at 10060 is gone before it is reached
    high: Row = (10120, 10150, 10100, 10120, QUIET)
    low: Row = (10100, 10150, 10000, 10100, QUIET)
    gap: Row = (9700, 9750, 9600, 9700, QUIET)
    caps = limits(daily_loss=DailyLoss(limit=0.02))
    order = {"order": {"type": "limit", "offset_atr": 0.25}}
    losing = table([START, SIGNAL, CALM, CALM, gap, CALM], limits=caps)
    resting = table([START, CALM, SIGNAL, high, high, low], symbol="GBPUSD", rules=order, limits=caps)
    result = run(together(losing, resting))
    assert (held(result), result.refusals) == ([("EURUSD", "0.50")], {"order_cancelled": 1})


# --- a desk that sends by itself


def alone(profile: dict[str, Any] | None = None, **changes: Any) -> Mapping[str, int]:
    """What an autonomous desk refuses of one signal."""
    given = {"mode": Mode.AUTONOMOUS, "commission_per_lot": 0.0} | changes
    result = run(table(LONGS, limits=limits(**given), profile=profile))
    assert len(result.trades) == (0 if result.refusals else 1)
    return result.refusals


def test_an_autonomous_desk_trades_from_its_own_confidence_on() -> None:
    # entry and strong 50; market 25 − 5 − 7.5, for spreads and ATRs of the past are unknown;
    # account 25 − 10 × 0.0551 − 10 × 0.0055 = 24.394: 86.894, said to a tenth
    for threshold, refused in ((80, {}), (86.9, {}), (87, {"autonomous_confidence": 1})):
        levels = Thresholds(pending_only=0, open_or_scale=0, autonomous=threshold)
        assert alone(thresholds=levels) == refused


def test_an_autonomous_desk_trades_only_at_a_known_commission() -> None:
    # one that is known to be nothing is known; profile or desk may say it
    assert alone(commission_per_lot=None) == {"commission_known": 1}
    assert alone({"commission_per_lot": 0.0}, commission_per_lot=None) == {}
    assert alone(commission_per_lot=0.0) == {}
    supervised = run(table(LONGS, limits=limits(commission_per_lot=None)))
    assert (len(supervised.trades), supervised.refusals) == (1, {})


# --- an account without cents


def test_a_yen_account_books_whole_yen() -> None:
    # 10,000 JPY ÷ 20,000 a lot; 400 × 100 × 0.50 = 20,000; 333.3 × 0.50 = 166.65 → 167, twice
    job = table(
        [START, SIGNAL, (10100, 10510, 10050, 10400, QUIET)],
        symbol="USDJPY",
        base=140.0,
        point=0.001,
        currency="JPY",
        balance="1000000",
        commission="333.3",
    )
    result = run(on_account(job, digits=0))
    trade = only(result)
    assert (trade.volume, trade.commission, trade.net) == (D("0.50"), D(334), D(19_666))
    assert result.balance == D(1_019_666)


# --- several strategies on one symbol: its price is one


def test_two_positions_of_one_symbol_fall_together() -> None:
    # 0.10 USD a point together: 9.00 are 90 points. The older one is closed at 10020, the other is carried
    falls: Row = (10100, 10110, 10010, 10050, QUIET)
    rows = [START, SIGNAL, STILL, falls, STILL]
    job = pair(rows, rows, "EURUSD", rules={"max_risk_pct": 0.001}, balance="11020")
    result = run(on_account(job, leverage=1, stop_out=1.0))
    assert [(t.strategy, t.exit_reason, t.exit_price, str(t.net)) for t in result.trades] == [
        ("TABLE", Reason.STOP_OUT, D("1.10020"), "-4.50"),
        ("TABLE1", Reason.END, D("1.10100"), "-0.50"),
    ]


# long at 10110 and short at 10100, 0.05 each; twice the larger margin, 2 × 5,505.50, is the stop-out's level


def stopped_beside(balance: str, last: Row, asks: tuple[int, int, int, int]) -> tuple[int, Decimal]:
    """Side and price of what a stop-out closes in the last bar."""
    beside = [
        (opened + 10, high + 10, low + 10, close + 10)
        for opened, high, low, close, _ in (START, SIGNAL, STILL)
    ]
    jobs = [
        table(
            [START, signal, STILL, last],
            rules=BOTH | THIN,
            balance=balance,
            specification={"margin_larger_leg": True},
        )
        for signal in (SIGNAL, SELL_SIGNAL)
    ]
    job = together(*(with_asks(each, [*beside, asks]) for each in jobs))
    first, *_ = run(on_account(job, leverage=1, stop_out=2.0)).trades
    assert first.exit_reason is Reason.STOP_OUT
    return first.side.sign, first.exit_price


@pytest.mark.parametrize(
    ("balance", "ask_low", "price"),
    [
        # 7.98 may be lost, 160 points: of the bid's way of 200 the ask goes 21, at 178 of it 18.69, so 19
        ("11019.98", 10089, "1.09921"),
        # it goes 10: at 168 of it 8.4, so 8
        ("11019.98", 10100, "1.09932"),
        # it goes half of the way: at 3 of it 1.5, so 2, and at 4 of it 2; 0.08 are 2 points
        ("11012.08", 10010, "1.10096"),
        # at 9 of it 4.5, so 4; 0.23 are 5 points
        ("11012.23", 10010, "1.10091"),
    ],
)
def test_the_asks_go_their_part_of_the_bids_way_down(balance: str, ask_low: int, price: str) -> None:
    asks = (10110, 10120, ask_low, 10110)
    assert stopped_beside(balance, (10100, 10110, 9900, 10100, QUIET), asks) == (1, D(price))


def test_the_bids_go_their_part_of_the_asks_way_up() -> None:
    # 7.98, 160 points: of the ask's way of 200 the bid goes 21; 179 of it are 10289
    rises: Row = (10100, 10121, 10090, 10100, QUIET)
    assert stopped_beside("11019.98", rises, (10110, 10310, 10100, 10110)) == (-1, D("1.10289"))


def test_the_stop_of_one_comes_before_the_target_of_another() -> None:
    # short at 10100 to 9700, its ask comes to 9610; long at 10110 with the stop at 9910
    falls: Row = (10100, 10150, 9600, 9650, QUIET)
    result = run(pair([START, SELL_SIGNAL, CALM, falls], [START, SIGNAL, CALM, falls], "EURUSD", rules=BOTH))
    assert [(t.side.sign, t.exit_reason, t.exit_price) for t in result.trades] == [
        (1, Reason.STOP, D("1.09910")),
        (-1, Reason.TARGET, result.trades[1].initial_target),
    ]


def test_at_an_open_the_broker_comes_before_the_desk() -> None:
    # the long was to leave; the short's stop lies under the open
    up: Row = (10400, 10450, 10350, 10400, QUIET)
    longs = [START, SIGNAL, (*CALM[:4], EXIT_LONG), up]
    result = run(pair(longs, [START, SELL_SIGNAL, CALM, up], "EURUSD", rules=BOTH))
    assert [(t.side.sign, t.exit_reason, t.exit_price) for t in result.trades] == [
        (-1, Reason.GAP_STOP, D("1.10410")),
        (1, Reason.EXIT_RULE, D("1.10400")),
    ]


# --- orders share the margin: at 1:1 and 0.1 % each 0.05 lots of 10,000 USD, one of them at a time

BETTER = {"order": {"type": "limit", "offset_atr": 0.5, "expiry_bars": None}}


def beside_an_order(first: list[Row], second: list[Row]) -> Job:
    """A limit 100 points under the reference on EURUSD, market orders on GBPUSD."""
    job = together(table(first, rules=THIN | BETTER), table(second, symbol="GBPUSD", rules=THIN))
    return on_account(job, leverage=1, stop_out=0.0)


def test_an_order_for_which_another_has_left_no_margin_is_rejected() -> None:
    # 5,505.50 are taken by GBPUSD when EURUSD comes to 10010, where it needs 5,500.50 of 4,494
    falls: Row = (10100, 10110, 9990, 10100, QUIET)
    result = run(beside_an_order([START, SIGNAL, STILL, CALM, falls], [*LONGS, CALM]))
    assert (held(result), result.refusals) == ([("GBPUSD", "0.05")], {"order_rejected": 1})


def test_an_order_that_the_open_fills_takes_margin_before_anything_is_sent() -> None:
    # EURUSD is bought at 10010 with a bid of 9990: 9,999 − 5,500.50 = 4,498.50 carry 0.04 at 110,110
    gap: Row = (9990, 10050, 9980, 10000, QUIET)
    result = run(beside_an_order([START, SIGNAL, STILL, gap, gap], [START, CALM, SIGNAL, CALM, CALM]))
    assert sorted(held(result)) == [("EURUSD", "0.05"), ("GBPUSD", "0.04")]
