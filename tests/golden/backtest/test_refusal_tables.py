"""What the gate refuses, each by its own limit, and what only makes a trade smaller, worked by hand."""

from typing import Any

import pytest

from backend.risk.limits import DailyLoss, RiskLimits
from tests.fakes.backtests import LONG, MONDAY, QUIET, Row, table
from tests.golden.backtest.hand import (
    BOTH,
    CALM,
    SELL_SIGNAL,
    SIGNAL,
    START,
    D,
    at,
    limits,
    on_account,
    only,
    run,
)

PLAIN = [START, SIGNAL, CALM]
WIN: Row = (10100, 10510, 10050, 10400, QUIET)


def test_margin_after_the_trade_above_its_share_is_refused() -> None:
    # 0.50 lots at 1:100 and 1.1011 take 550.55 of 10,000
    assert run(table(PLAIN, limits=limits(margin_limit=0.0551))).refusals == {}
    assert run(table(PLAIN, limits=limits(margin_limit=0.0550))).refusals == {"margin": 1}


def test_a_volume_is_cut_to_the_free_margin() -> None:
    # at 1:1 a lot takes 110,110: 10,000 are 0.0908 lots
    assert only(run(on_account(table(PLAIN), leverage=1))).volume == D("0.09")


@pytest.mark.parametrize(("largest", "traded"), [("0.20", "0.20"), ("0.50", "0.50"), ("0.51", "0.50")])
def test_a_volume_is_cut_to_the_symbols_largest(largest: str, traded: str) -> None:
    result = run(table(PLAIN, specification={"volume_max": D(largest)}))
    assert (only(result).volume, result.refusals) == (D(traded), {})


def test_exposure_above_its_cap_is_refused() -> None:
    # 50,000 EUR at 1.1011 are 5.5055 times the equity
    assert run(table(PLAIN, limits=limits(exposure_cap=5.51))).refusals == {}
    assert run(table(PLAIN, limits=limits(exposure_cap=5.50))).refusals == {"exposure": 1}


def test_open_risk_above_its_limit_is_refused() -> None:
    assert run(table(PLAIN, limits=limits(open_risk_limit=0.01))).refusals == {}
    assert run(table(PLAIN, limits=limits(open_risk_limit=0.0099))).refusals == {"open_risk": 1}


def test_a_daily_target_ends_the_day() -> None:
    # 200 of 10,000 are 2 %: no entry for the rest of Monday, one on Tuesday
    rows = [START, SIGNAL, WIN, SIGNAL, CALM, CALM, SIGNAL, CALM]
    start = MONDAY.replace(hour=18)
    result = run(table(rows, start=start, limits=limits(daily_loss=DailyLoss(limit=1.0, target=0.02))))
    assert (len(result.trades), result.refusals) == (2, {"daily_target": 1})


def test_an_idea_that_is_too_old_at_the_open_is_refused() -> None:
    # the signal's bar closes at 02:00, the next one opens an hour later
    times = at("2026-03-03T00", "2026-03-03T01", "2026-03-03T03")
    assert run(table(PLAIN, times=times, limits=limits(max_idea_age_seconds=3600.0))).refusals == {}
    assert run(table(PLAIN, times=times, limits=limits(max_idea_age_seconds=3599.0))).refusals == {"age": 1}


def test_trades_of_all_strategies_are_counted_by_day() -> None:
    rows = [START, SIGNAL, WIN, SIGNAL, CALM]
    assert run(table(rows, limits=limits(max_trades_per_day=1))).refusals == {"trades_day": 1}


def test_a_side_that_the_symbol_does_not_take_is_refused() -> None:
    long_only = {"trade_mode": 1}
    result = run(table([START, SELL_SIGNAL, CALM], rules=BOTH, specification=long_only))
    assert result.refusals == {"symbol_trading": 1}
    assert len(run(table(PLAIN, specification=long_only)).trades) == 1


def test_a_signal_without_an_atr_has_no_levels() -> None:
    # the first bar has no bar before it to measure from
    first: Row = (10100, 10150, 10050, 10100, LONG)
    assert run(table([first, CALM, CALM])).refusals == {"levels": 1}


def test_both_directions_at_once_are_a_conflict() -> None:
    assert run(table(PLAIN, rules={"short": LONG})).refusals == {"conflict": 1}


@pytest.mark.parametrize(
    ("above", "refused", "target"),
    [("0.00400", {"reward_to_risk": 1}, None), ("0.00500", {}, "1.10600")],
    ids=["too near", "far enough"],
)
def test_a_target_of_its_own_must_be_worth_the_risk(
    above: str, refused: dict[str, int], target: str | None
) -> None:
    # from the ask 10110: 390 points are less than twice the stop's 200, 490 are more
    result = run(table(PLAIN, rules={"target": f"close + {above}"}))
    assert result.refusals == refused
    assert [trade.initial_target for trade in result.trades] == ([D(target)] if target else [])


def test_the_brokers_level_widens_the_stop() -> None:
    # 250 points and the spread of 10: stop 260, target 520; 100 ÷ 260 = 0.384
    trade = only(run(table(PLAIN, specification={"stops_level": 250})))
    assert (trade.volume, trade.initial_stop) == (D("0.38"), D("1.09850"))
    assert trade.initial_target == D("1.10630")


@pytest.mark.parametrize(
    ("minutes", "refused"), [(60.0, {}), (61.0, {"weekend": 1})], ids=["just in time", "too late"]
)
def test_no_entry_in_the_minutes_before_the_weekend(minutes: float, refused: dict[str, int]) -> None:
    # the signal's bar closes on Friday at 23:00
    times = at("2026-03-13T21", "2026-03-13T22", "2026-03-13T23")
    near: RiskLimits = limits(no_entries_before_weekend_minutes=minutes)
    assert run(table(PLAIN, times=times, limits=near)).refusals == refused


def test_a_strategy_that_leaves_before_the_weekend_does_not_enter_on_the_last_bar() -> None:
    times = at("2026-03-13T21", "2026-03-13T22", "2026-03-13T23", "2026-03-16T00")
    rules: dict[str, Any] = {"management": {"close_before_weekend": True}}
    assert run(table([START, SIGNAL, CALM, CALM], times=times, rules=rules)).refusals == {"weekend": 1}
