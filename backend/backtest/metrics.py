"""Metrics of a finished run, as the guide to reports defines them: every key has a value, or None and why."""

import math
from decimal import Decimal

import numpy as np

from backend.backtest.measures import Measures, varies
from backend.backtest.model import Result
from backend.backtest.passes import Depth, EquityPass, equity_pass
from backend.backtest.significance import (
    Trials,
    expected_best_sharpe,
    probabilistic_sharpe,
    shape_of,
)
from backend.backtest.trade_metrics import put_trades, risk_of_ruin
from backend.core.bars import Floats

TRADING_DAYS = 252
YEAR_DAYS = 365.25
DAY_SECONDS = 86_400
SEED = 0
_TAIL = 0.05
_LARGEST_EXPONENT = 700.0  # e to that is still a finite number
_DAILY = ("volatility_ann_pct", "sharpe", "sortino", "var_95", "cvar_95", "psr", "dsr")


def compute_metrics(
    result: Result, initial: Decimal, *, began: int | None = None, trials: Trials | None = None
) -> Measures:
    """Every metric of one run.

    Args:
        result: The run.
        initial: Balance at the start.
        began: UTC epoch at which trading could begin; the first close if not given.
        trials: What was tried before this result was chosen.
    """
    measures = Measures()
    start = float(initial)
    first = _moment(result, 0) if began is None else began
    with np.errstate(all="ignore"):  # what is not finite is told as undefined
        passed = equity_pass(
            equity=result.equity,
            moved=result.moved,
            lowest=result.lowest,
            instants=result.instants,
            start=start,
            began=first,
        )
        _growth(measures, result, initial, first)
        _daily(measures, np.concatenate(([start], passed.daily)), trials)
        _drawdown(measures, result, passed, first)
        put_trades(measures, result.trades)
        risk_of_ruin(measures, result.trades, start, seed=SEED)
    _margin(measures, result)
    measures.absent(("pbo",), "one run has no choice among variants that could be overfitted")
    return measures


def _moment(result: Result, index: int) -> int:
    """UTC epoch of one instant."""
    return int(result.instants.time[index]) + result.instants.after


def _growth(measures: Measures, result: Result, initial: Decimal, began: int) -> None:
    start, end = float(initial), float(result.equity[-1])
    profit = float(result.balance - initial)
    days = (_moment(result, -1) - began) / DAY_SECONDS
    measures.put("net_profit", profit)
    measures.put("final_balance", float(result.balance))
    measures.put("total_return_pct", 100 * profit / start)
    measures.put("days", days)
    if end / start <= 0:  # also where what is left is too little to be told from nothing
        measures.put("cagr_pct", None, "equity ended at zero or below")
    elif days <= 0:
        measures.put("cagr_pct", None, "the period has no length")
    else:
        exponent = math.log(end / start) * YEAR_DAYS / days
        growth = math.expm1(exponent) if exponent < _LARGEST_EXPONENT else None
        measures.put("cagr_pct", None if growth is None else 100 * growth, "it is too large to be stated")


def _daily(measures: Measures, path: Floats, trials: Trials | None) -> None:
    """Figures of daily returns; `path` is the initial balance and equity at the end of each day."""
    measures.put("trading_days", len(path) - 1)
    if bool((path <= 0).any()):
        measures.absent(_DAILY, "equity was zero or below at the end of a day")
        return
    returns = np.diff(path) / path[:-1]
    tail = np.sort(returns)[: max(math.ceil(_TAIL * len(returns)), 1)]
    measures.put("var_95", -float(tail[-1]))
    measures.put("cvar_95", -float(tail.mean()))
    if len(returns) < 2:  # noqa: PLR2004 - a deviation needs two values
        measures.absent(
            ("volatility_ann_pct", "sharpe", "sortino", "psr", "dsr"), "fewer than two trading days"
        )
        return
    year = math.sqrt(TRADING_DAYS)
    measures.put("volatility_ann_pct", 100 * float(returns.std(ddof=1)) * year)
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    measures.ratio("sortino", float(returns.mean()) * year, downside, "no day lost money")
    if not varies(returns):
        measures.absent(("sharpe", "psr", "dsr"), "daily returns do not vary")
        return
    shape = shape_of(returns)
    impossible = "the moments of the daily returns leave the Sharpe ratio no variance"
    measures.put("sharpe", shape.sharpe * year)
    measures.put("psr", probabilistic_sharpe(shape), impossible)
    if trials is None:
        measures.put("dsr", None, "no ledger of trials says how many were made and how their Sharpes vary")
    else:
        measures.put("dsr", probabilistic_sharpe(shape, expected_best_sharpe(trials)), impossible)


def _drawdown(measures: Measures, result: Result, passed: EquityPass, began: int) -> None:
    def dated(key: str, depth: Depth, scale: float) -> None:
        measures.put(key, scale * depth.amount)
        fell = depth.low >= 0
        high = began if depth.high < 0 else _moment(result, depth.high)
        measures.moment(f"{key}_from", high if fell else None, "equity never fell")
        measures.moment(f"{key}_to", _moment(result, depth.low) if fell else None, "equity never fell")

    dated("max_drawdown_pct", passed.share, 100.0)
    dated("max_drawdown_abs", passed.fall, 1.0)
    dated("max_drawdown_close_pct", passed.share_at_closes, 100.0)
    dated("max_drawdown_close_abs", passed.fall_at_closes, 1.0)
    measures.moment(
        "max_drawdown_recovered",
        _moment(result, passed.recovered) if passed.recovered >= 0 else None,
        "equity never fell" if passed.share.low < 0 else "the high was not reached again",
    )
    measures.put("longest_underwater_days", passed.underwater / DAY_SECONDS)
    measures.put("ulcer_index", 100 * math.sqrt(passed.squares / len(result.equity)))
    cagr = measures.values["cagr_pct"]
    if cagr is None:
        measures.put("calmar", None, measures.undefined["cagr_pct"])
    else:
        measures.ratio("calmar", cagr, 100 * passed.share.amount, "equity never fell")
    measures.ratio("recovery_factor", measures.values["net_profit"], passed.fall.amount, "equity never fell")


def _margin(measures: Measures, result: Result) -> None:
    measures.ratio(
        "exposure_time_pct", result.in_position, len(result.equity), "no bar was traded", scale=100
    )
    known = result.max_leverage > 0 or not len(result.trades)
    measures.put("max_leverage", result.max_leverage if known else None, "the engine did not follow it")
    measures.put("max_margin_used_pct", 100 * result.max_margin)
    measures.put("min_margin_level", result.min_margin_level, "no margin was taken")
