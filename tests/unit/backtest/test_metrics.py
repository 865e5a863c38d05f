"""Metrics worked by hand on a few bars and trades."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from backend.backtest.measures import Measures
from backend.backtest.metrics import compute_metrics
from backend.backtest.significance import (
    Shape,
    Trials,
    expected_best_sharpe,
    probabilistic_sharpe,
    two_sided_t,
)
from backend.core.errors import Invalid
from tests.fakes.trades import HOUR, MONDAY, result_of, trades_of

START = Decimal(10_000)
DAY = 24 * HOUR
YEAR = math.sqrt(252)

# Six closes on four server days. Ends of days: 10200, 10098, 10098, 10299.96, so the daily returns are
# +2 %, −1 %, 0, +2 %: mean 0.75 %, squared distances (1.5625 + 3.0625 + 0.5625 + 1.5625)e-4 = 6.75e-4,
# over n − 1 = 3 that is 2.25e-4, so the standard deviation is 1.5 %.
SIX: dict[str, Any] = {
    "equity": [10_000.0, 10_200.0, 9_900.0, 10_098.0, 10_098.0, 10_299.96],
    "worst": [9_990.0, 10_000.0, 9_780.0, 9_900.0, 10_090.0, 10_000.0],
    "time": [MONDAY + hours * HOUR for hours in (12, 24, 36, 48, 72, 96)],
    "server_day": [1, 1, 2, 2, 3, 4],
}


def six(**more: Any) -> Measures:
    result = result_of(**SIX, balance=Decimal("10299.96"), **more)
    return compute_metrics(result, START, began=MONDAY)


def test_growth() -> None:
    values = six().values
    assert values["net_profit"] == 299.96
    assert values["total_return_pct"] == pytest.approx(2.9996)
    # four days, so the year holds 365.25 / 4 = 91.3125 such periods
    assert values["cagr_pct"] == pytest.approx(100 * (1.029996**91.3125 - 1))


def test_daily_returns_are_cut_at_the_server_day_and_start_from_the_initial_balance() -> None:
    values = six().values
    assert values["trading_days"] == 4
    assert values["volatility_ann_pct"] == pytest.approx(1.5 * YEAR)
    assert values["sharpe"] == pytest.approx(0.5 * YEAR)
    # the only loss: √(0.0001 / 4) = 0.5 %
    assert values["sortino"] == pytest.approx(1.5 * YEAR)
    # 5 % of four days is less than one day: the worst day
    assert (values["var_95"], values["cvar_95"]) == (pytest.approx(0.01), pytest.approx(0.01))


def test_the_worst_twentieth_of_thirty_days_is_two_days() -> None:
    # −3 %, −2 % and −1 % among days of +0.1 %: 1.5 days are two whole ones
    returns = [0.001] * 27 + [-0.02, -0.03, -0.01]
    values = compute_metrics(result_of(list(10_000 * np.cumprod(1 + np.array(returns)))), START).values
    assert values["var_95"] == pytest.approx(0.02)
    assert values["cvar_95"] == pytest.approx(0.025)


def test_drawdown_at_closes_and_at_the_worst_of_bars() -> None:
    values = six().values
    # worst 9780 below the high close of 10200: 420; the close itself 300 below
    assert values["max_drawdown_abs"] == pytest.approx(420)
    assert values["max_drawdown_pct"] == pytest.approx(100 * 420 / 10_200)
    assert values["max_drawdown_close_abs"] == pytest.approx(300)
    assert values["max_drawdown_close_pct"] == pytest.approx(100 * 300 / 10_200)
    assert values["max_drawdown_pct_from"] == "2026-01-06T00:00:00Z"
    assert values["max_drawdown_pct_to"] == "2026-01-06T12:00:00Z"
    assert values["max_drawdown_recovered"] == "2026-01-09T00:00:00Z"
    assert values["longest_underwater_days"] == 3
    # 300, 102 and 102 below 10200, the other three closes at a high
    assert values["ulcer_index"] == pytest.approx(100 * math.sqrt(((300 / 10_200) ** 2 + 2 * 0.01**2) / 6))
    assert values["calmar"] == pytest.approx(values["cagr_pct"] / values["max_drawdown_pct"])
    assert values["recovery_factor"] == pytest.approx(299.96 / 420)


def test_a_fall_from_the_start_counts_from_when_trading_began() -> None:
    result = result_of([9_000.0, 9_500.0], time=[MONDAY + DAY, MONDAY + 2 * DAY])
    metrics = compute_metrics(result, START, began=MONDAY)
    assert metrics.values["max_drawdown_pct_from"] == "2026-01-05T00:00:00Z"
    assert metrics.values["max_drawdown_recovered"] is None
    assert metrics.undefined["max_drawdown_recovered"] == "the high was not reached again"
    assert metrics.values["longest_underwater_days"] == 2


def test_the_deepest_fall_in_money_and_the_deepest_in_percent_may_be_two() -> None:
    # 10000 → 9000 is 10 % and 1000; later 20000 → 18500 is 7.5 % and 1500
    values = compute_metrics(result_of([9_000.0, 20_000.0, 18_500.0]), START).values
    assert (values["max_drawdown_pct"], values["max_drawdown_abs"]) == (
        pytest.approx(10),
        pytest.approx(1500),
    )
    assert values["max_drawdown_pct_to"] == "2026-01-05T01:00:00Z"
    assert values["max_drawdown_abs_to"] == "2026-01-05T03:00:00Z"


def test_the_probability_of_a_positive_sharpe_on_four_days() -> None:
    # Sharpe 0.5; m2 = 1.6875e-4, m3 = −4.6875e-7, m4 = 3.64453e-8: skewness −0.21383, kurtosis 1.27984.
    # 1 + 0.21383·0.5 + 0.27984/4·0.25 = 1.12441; z = 0.5·√3 / √1.12441 = 0.81671; Φ = 0.7930 by table
    assert six().values["psr"] == pytest.approx(0.7930, abs=1e-4)


def test_the_deflated_sharpe_ratio_of_its_authors_example() -> None:
    # Bailey and López de Prado (2014): annual Sharpe 2.5 over 1250 of 250 days a year, skewness −3,
    # kurtosis 10, 100 trials whose annual Sharpes have a variance of 0.5: SR0 = 0.1132, DSR = 0.9004
    shape = Shape(count=1250, sharpe=2.5 / math.sqrt(250), skewness=-3.0, kurtosis=10.0)
    best = expected_best_sharpe(Trials(count=100, sharpe_variance=0.5 / 250))
    assert best == pytest.approx(0.1132, abs=5e-5)
    assert probabilistic_sharpe(shape, best) == pytest.approx(0.9004, abs=5e-5)


def test_the_deflated_sharpe_ratio_needs_a_ledger_of_trials() -> None:
    without = six()
    assert without.values["dsr"] is None
    assert "ledger" in without.undefined["dsr"]
    result = result_of(**SIX)
    deflated = compute_metrics(result, START, trials=Trials(count=10, sharpe_variance=0.01)).values["dsr"]
    assert 0 < deflated < without.values["psr"]


@pytest.mark.parametrize(("count", "variance"), [(1, 0.1), (0, 0.1), (5, -0.1), (5, math.nan), (5, math.inf)])
def test_a_ledger_that_cannot_be_is_refused(count: int, variance: float) -> None:
    with pytest.raises(Invalid):
        Trials(count=count, sharpe_variance=variance)


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (12.7062, 1, 0.05),
        (63.6567, 1, 0.01),
        (4.30265, 2, 0.05),
        (2.22814, 10, 0.05),
        (3.16927, 10, 0.01),
        (2.04227, 30, 0.05),
        (1.98397, 100, 0.05),
        (1.959966, 1_000_000, 0.05),
        (0.0, 7, 1.0),
    ],
)
def test_students_t_against_its_tables(t: float, freedom: int, p: float) -> None:
    assert two_sided_t(t, freedom) == pytest.approx(p, rel=1e-5)
    assert two_sided_t(-t, freedom) == two_sided_t(t, freedom)


@pytest.mark.parametrize("t", [1e-9, 0.01, 0.3, 1.0, 2.5, 10.0, 1e4])
def test_students_t_against_its_closed_forms(t: float) -> None:
    assert two_sided_t(t, 1) == pytest.approx(2 / math.pi * math.atan(1 / t), rel=1e-12)
    assert two_sided_t(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-7)


def test_a_t_far_out_is_small_and_not_zero() -> None:
    assert 0 < two_sided_t(40.0, 50) < 1e-35


# Nets of seven trades in USD: +100 −50 +200 0 −50 −100 +150; the sixth has no first stop.
SEVEN = [
    {"net": 10_000, "risk": 10_000, "mae": -2_000, "mfe": 12_000},
    {"net": -5_000, "risk": 10_000, "mae": -6_000, "mfe": 1_000},
    {"net": 20_000, "risk": 10_000, "mae": 0, "mfe": 20_000},
    {"net": 0, "risk": 10_000, "mae": -1_000, "mfe": 3_000},
    {"net": -5_000, "risk": 5_000, "mae": -5_000, "mfe": 0},
    {"net": -10_000, "risk": 0, "mae": -11_000, "mfe": 0},
    {"net": 15_000, "risk": 10_000, "mae": -3_000, "mfe": 18_000},
]


def seven() -> dict[str, Any]:
    return compute_metrics(result_of([10_250.0], trades=trades_of(SEVEN)), START).values


def test_wins_losses_and_draws() -> None:
    values = seven()
    assert [values[key] for key in ("trades", "wins", "losses", "draws")] == [7, 3, 3, 1]
    assert values["win_rate_pct"] == pytest.approx(300 / 7)
    assert values["profit_factor"] == 450 / 200
    assert values["payoff_ratio"] == pytest.approx((450 / 3) / (200 / 3))
    assert values["expectancy"] == pytest.approx(250 / 7)
    assert (values["largest_win"], values["largest_loss"]) == (200, -100)
    # half of the decided trades won: 0.5 − 0.5 / 2.25
    assert values["kelly_pct"] == pytest.approx(100 * (0.5 - 0.5 / 2.25))
    assert (values["max_consecutive_wins"], values["max_consecutive_losses"]) == (1, 2)


def test_multiples_of_the_initial_risk_leave_out_what_has_no_stop() -> None:
    values = seven()
    # 1, −0.5, 2, 0, −1, 1.5: mean 0.5, squared distances 0.25 + 1 + 2.25 + 0.25 + 2.25 + 1 = 7, over 5: 1.4
    assert values["trades_with_r"] == 6
    assert values["expectancy_r"] == pytest.approx(0.5)
    assert values["sqn"] == pytest.approx(math.sqrt(6) * 0.5 / math.sqrt(1.4))
    # against: 0.2 0.6 0 0.1 1 0.3 of the risk; for: 1.2 0.1 2 0.3 0 1.8
    assert values["average_mae_r"] == pytest.approx(-2.2 / 6)
    assert values["worst_mae_r"] == -1
    assert values["average_mfe_r"] == pytest.approx(5.4 / 6)
    assert (values["worst_mae"], values["best_mfe"]) == (-110, 200)


def test_the_t_test_of_the_mean_trade() -> None:
    # mean 250/7, squares sum to 87500, so s² = (87500 − 7·(250/7)²)/6 = 13095.24 and t² = 15/22.
    # With 6 degrees: sinθ(1 + cos²θ/2 + 3cos⁴θ/8), cos²θ = 6/(6 + t²) = 0.897959, is 0.559449
    assert seven()["p_value_mean_trade"] == pytest.approx(1 - 0.559449, abs=2e-6)


def test_hold_times() -> None:
    rows = [{"net": 1, "exit_time": MONDAY + (8 + hours) * HOUR, "bars_held": hours} for hours in (1, 2, 9)]
    values = compute_metrics(result_of([10_000.0], trades=trades_of(rows)), START).values
    assert values["average_hold_hours"] == 4
    assert values["median_hold_hours"] == 2
    assert values["longest_hold_hours"] == 9
    assert values["average_bars_held"] == 4


def test_ruin_is_certain_where_every_trade_loses_a_tenth_and_absent_where_none_loses() -> None:
    # seven losses of 10 % leave 0.478
    balance, losses = 1_000_000, []
    for _ in range(7):
        losses.append({"net": -balance // 10})
        balance -= balance // 10
    assert compute_metrics(result_of([1.0], trades=trades_of(losses)), START).values["risk_of_ruin"] == 1
    # six of them leave 0.53: never at half
    assert compute_metrics(result_of([1.0], trades=trades_of(losses[:6])), START).values["risk_of_ruin"] == 0
    gains = trades_of([{"net": 100}] * 5)
    values = compute_metrics(result_of([1.0], trades=gains), START).values
    assert values["risk_of_ruin"] == 0
    assert (values["ruin_level_pct"], values["ruin_trades_of_a_path"]) == (50, 5)


def test_ruin_of_a_coin_agrees_with_counting_its_paths() -> None:
    # two trades a path, each −30 % or −1 %: half is lost only by −30 % twice (0.49): one path in four
    rows = [{"net": -300_000}, {"net": -7_000}]
    share = compute_metrics(result_of([1.0], trades=trades_of(rows)), START).values["risk_of_ruin"]
    assert share == pytest.approx(0.25, abs=0.05)


def test_margin_figures_come_from_the_engine() -> None:
    values = six(in_position=3, max_margin=0.25, max_leverage=12.5, min_margin_level=3.5).values
    assert values["exposure_time_pct"] == 50
    assert (values["max_margin_used_pct"], values["max_leverage"]) == (25, 12.5)
    assert values["min_margin_level"] == 3.5


def test_without_trades_each_figure_of_them_is_none_for_a_reason() -> None:
    metrics = compute_metrics(result_of([10_000.0, 10_000.0]), START)
    for key in (
        "win_rate_pct",
        "profit_factor",
        "expectancy",
        "expectancy_r",
        "sqn",
        "kelly_pct",
        "average_mae",
    ):
        assert metrics.values[key] is None
        assert metrics.undefined[key]
    assert metrics.values["sharpe"] is None
    assert metrics.undefined["sharpe"] == "daily returns do not vary"
    assert metrics.values["max_drawdown_pct"] == 0
    assert metrics.undefined["max_drawdown_pct_from"] == "equity never fell"


def test_constant_growth_has_no_sharpe_ratio_although_rounding_makes_its_returns_differ() -> None:
    metrics = compute_metrics(result_of(list(10_000 * np.cumprod([1.01] * 50))), START)
    assert metrics.values["sharpe"] is None
    assert metrics.undefined["sharpe"] == "daily returns do not vary"


def test_an_account_that_was_lost_has_no_ratios_of_returns() -> None:
    metrics = compute_metrics(result_of([5_000.0, -100.0]), START)
    for key in ("sharpe", "sortino", "var_95", "psr"):
        assert metrics.undefined[key] == "equity was zero or below at the end of a day"
    assert metrics.undefined["cagr_pct"] == "equity ended at zero or below"
    assert metrics.undefined["calmar"] == "equity ended at zero or below"
    assert metrics.values["max_drawdown_pct"] == pytest.approx(101)
