"""Metrics of a finished run. What is undefined is None with a reason, never 0 and never infinite."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from backend.backtest.columns import Trade, Trades
from backend.backtest.model import Result
from backend.core.bars import Floats
from backend.core.clock import from_epoch, iso

TRADING_DAYS = 252
YEAR_DAYS = 365.25
_TAIL = 0.05
_SECONDS_A_DAY = 86_400


@dataclass(slots=True)
class Metrics:
    """Values by key, and for each that is None the reason.

    Attributes:
        values: The keys of the metrics table; money and ratios, times ISO.
        undefined: Reason of each None.
    """

    values: dict[str, Any] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, value: float | None, reason: str = "") -> None:
        """A number, or why there is none."""
        if value is None or not math.isfinite(value):
            self.values[key] = None
            self.undefined[key] = reason or "the figures give no finite number"
        else:
            self.values[key] = round(float(value), 10)

    def ratio(self, key: str, over: float, under: float, reason: str, *, scale: float = 1.0) -> None:
        """A quotient; None with the reason where the divisor is zero."""
        self.put(key, None if under == 0 else scale * over / under, reason)


def compute_metrics(result: Result, initial: Decimal) -> Metrics:
    """Every metric that a plain run supports.

    Args:
        result: The run.
        initial: Balance at the start.
    """
    metrics = Metrics()
    start = float(initial)
    days = daily_equity(result)
    _returns(metrics, result, start, days)
    _drawdown(metrics, result, start)
    rows = tuple(result.trades)
    _trades(metrics, rows)
    _sequence(metrics, rows)
    bars = len(result.equity)
    metrics.ratio("exposure_time_pct", result.in_position, bars, "no bar was traded", scale=100)
    metrics.put("max_margin_used_pct", 100 * result.max_margin)
    _with_drawdown(metrics)
    return metrics


def daily_equity(result: Result) -> Floats:
    """Equity at the last close of each server day that has bars, shape (days,)."""
    last = np.flatnonzero(np.diff(result.server_day, append=result.server_day[-1] + 1))
    values: Floats = result.equity[last]
    return values


def _returns(metrics: Metrics, result: Result, start: float, days: Floats) -> None:
    profit = float(result.balance) - start
    metrics.put("net_profit", profit)
    metrics.put("final_balance", float(result.balance))
    metrics.put("total_return_pct", 100 * profit / start)
    length = (int(result.time[-1]) - int(result.time[0])) / _SECONDS_A_DAY
    metrics.put("days", length)
    end = float(result.equity[-1])
    if end <= 0:
        metrics.put("cagr_pct", None, "equity ended at zero or below")
    elif length <= 0:
        metrics.put("cagr_pct", None, "the period has no length")
    else:
        growth = math.log(end / start) * YEAR_DAYS / length
        metrics.put("cagr_pct", 100 * math.expm1(growth) if growth < 700 else None, "too large to state")  # noqa: PLR2004 - exp overflows there
    path = np.concatenate(([start], days))
    if bool((path <= 0).any()):
        for key in ("volatility_ann_pct", "sharpe", "sortino", "var_95_pct", "cvar_95_pct"):
            metrics.put(key, None, "equity was zero or below on some day")
        return
    daily = np.diff(path) / path[:-1]
    if len(daily) < 2:  # noqa: PLR2004 - a deviation needs two values
        for key in ("volatility_ann_pct", "sharpe", "sortino", "var_95_pct", "cvar_95_pct"):
            metrics.put(key, None, "fewer than two trading days")
        return
    mean, deviation = float(daily.mean()), float(daily.std(ddof=1))
    downside = math.sqrt(float(np.mean(np.minimum(daily, 0.0) ** 2)))
    year = math.sqrt(TRADING_DAYS)
    metrics.put("volatility_ann_pct", 100 * deviation * year)
    metrics.ratio("sharpe", mean * year, deviation, "daily returns do not vary")
    metrics.ratio("sortino", mean * year, downside, "no day lost money")
    tail = np.sort(daily)[: max(math.ceil(_TAIL * len(daily)), 1)]
    metrics.put("var_95_pct", -100 * float(tail[-1]))
    metrics.put("cvar_95_pct", -100 * float(tail.mean()))


def _drawdown(metrics: Metrics, result: Result, start: float) -> None:
    peaks = np.maximum.accumulate(np.concatenate(([start], result.equity)))
    before = peaks[:-1]
    fall = np.maximum(before - result.worst, peaks[1:] - result.equity)
    share = np.maximum((before - result.worst) / before, (peaks[1:] - result.equity) / peaks[1:])
    deepest = int(np.argmax(fall))
    metrics.put("max_drawdown_abs", float(fall[deepest]))
    metrics.put("max_drawdown_pct", 100 * float(share.max()))
    if fall[deepest] > 0:
        risen = np.flatnonzero(result.equity[: deepest + 1] >= before[deepest])
        top = int(risen[0]) if risen.size and before[deepest] > start else 0
        metrics.values["max_drawdown_from"] = iso(from_epoch(int(result.time[top])))
        metrics.values["max_drawdown_to"] = iso(from_epoch(int(result.time[deepest])))
    else:
        for key in ("max_drawdown_from", "max_drawdown_to"):
            metrics.values[key] = None
            metrics.undefined[key] = "equity never fell"
    metrics.put("longest_underwater_days", _underwater(result, peaks[1:]))
    below = (peaks[1:] - result.equity) / peaks[1:]
    metrics.put("ulcer_index", 100 * math.sqrt(float(np.mean(below**2))))


def _underwater(result: Result, peaks: Floats) -> float:
    under = result.equity < peaks
    edges = np.flatnonzero(np.diff(np.concatenate(([False], under, [False])).astype(np.int8)))
    last = len(under) - 1
    # from the close of the last high to the close that reached it again, or to the end
    lengths = [
        int(result.time[min(end, last)]) - int(result.time[max(start - 1, 0)])
        for start, end in edges.reshape(-1, 2)
    ]
    return max(lengths, default=0) / _SECONDS_A_DAY


def _with_drawdown(metrics: Metrics) -> None:
    values = metrics.values
    percent, money = values["max_drawdown_pct"], values["max_drawdown_abs"]
    cagr = values["cagr_pct"]
    metrics.put(
        "calmar", None if not percent or cagr is None else cagr / percent, "no drawdown or no growth rate"
    )
    metrics.ratio("recovery_factor", values["net_profit"], money or 0.0, "equity never fell")


def _trades(metrics: Metrics, trades: Sequence[Trade]) -> None:
    count = len(trades)
    nets = [trade.net for trade in trades]
    wins, losses = [n for n in nets if n > 0], [n for n in nets if n < 0]
    metrics.values |= {
        "trades": count,
        "wins": len(wins),
        "losses": len(losses),
        "draws": count - len(wins) - len(losses),
    }
    none = "there were no trades"
    metrics.ratio("win_rate_pct", len(wins), count, none, scale=100)
    metrics.ratio("expectancy", float(sum(nets)), count, none)
    metrics.ratio("average_win", float(sum(wins)), len(wins), "no trade won")
    metrics.ratio("average_loss", float(sum(losses)), len(losses), "no trade lost")
    metrics.ratio("profit_factor", float(sum(wins)), abs(float(sum(losses))), "no trade lost")
    if wins and losses:
        payoff = float(sum(wins)) / len(wins) / (abs(float(sum(losses))) / len(losses))
        share = len(wins) / count
        metrics.put("payoff_ratio", payoff)
        metrics.put("kelly_pct", 100 * (share - (1 - share) / payoff))
    else:
        for key in ("payoff_ratio", "kelly_pct"):
            metrics.put(key, None, "it needs winning and losing trades")
    _in_r(metrics, [trade.r for trade in trades if trade.r is not None])


def _in_r(metrics: Metrics, multiples: list[float]) -> None:
    count = len(multiples)
    metrics.ratio("expectancy_r", sum(multiples), count, "no trade had a first stop to measure by")
    deviation = float(np.std(multiples, ddof=1)) if count > 1 else 0.0
    reason = "fewer than two trades" if count < 2 else "all trades gave the same R"  # noqa: PLR2004
    metrics.ratio("sqn", math.sqrt(count) * sum(multiples) / max(count, 1), deviation, reason)


def _sequence(metrics: Metrics, trades: Sequence[Trade]) -> None:
    metrics.values["max_consecutive_wins"] = _longest(trades, lambda t: t.net > 0)
    metrics.values["max_consecutive_losses"] = _longest(trades, lambda t: t.net < 0)
    held = [(trade.exit_time - trade.entry_time) / 3600 for trade in trades]
    metrics.ratio("average_hold_hours", sum(held), len(held), "there were no trades")
    metrics.put("longest_hold_hours", max(held, default=None), "there were no trades")
    for key, values in (("mae", [t.mae for t in trades]), ("mfe", [t.mfe for t in trades])):
        metrics.ratio(f"average_{key}", float(sum(values)), len(values), "there were no trades")


def _longest(trades: Sequence[Trade], of: Callable[[Trade], bool]) -> int:
    best = run = 0
    for trade in trades:
        run = run + 1 if of(trade) else 0
        best = max(best, run)
    return best


def cost_waterfall(trades: Trades) -> dict[str, Any]:
    """Gross − spread − slippage − gap − commission + swap = net, to the cent, over all trades."""
    totals = {
        name: trades.total(name)
        for name in ("gross", "spread_cost", "slippage_cost", "gap_cost", "commission", "swap", "net")
    }
    costs = sum((totals[n] for n in ("spread_cost", "slippage_cost", "gap_cost", "commission")), Decimal(0))
    earned = totals["gross"] + totals["swap"]
    multiplier = float(earned / costs) if costs > 0 and earned > 0 else None
    waterfall: dict[str, Any] = {name: float(value) for name, value in totals.items()}
    waterfall["costs"] = float(costs)
    waterfall["break_even_cost_multiplier"] = None if multiplier is None else round(multiplier, 6)
    return waterfall


def breakdowns(trades: Trades) -> dict[str, dict[str, dict[str, Any]]]:
    """Trades, wins and net by side, exit reason, weekday, hour and month of entry (UTC)."""
    keys: dict[str, Callable[[Trade], str]] = {
        "side": lambda t: t.side.direction,
        "exit_reason": lambda t: str(t.exit_reason),
        "weekday": lambda t: from_epoch(t.entry_time).strftime("%a"),
        "hour": lambda t: from_epoch(t.entry_time).strftime("%H"),
        "month": lambda t: from_epoch(t.entry_time).strftime("%Y-%m"),
    }
    rows = tuple(trades)
    return {name: _grouped(rows, key) for name, key in keys.items()}


def _grouped(trades: Sequence[Trade], key: Callable[[Trade], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Trade]] = {}
    for trade in trades:
        groups.setdefault(key(trade), []).append(trade)
    return {
        name: {
            "trades": len(group),
            "wins": sum(trade.net > 0 for trade in group),
            "net": float(sum((trade.net for trade in group), Decimal(0))),
        }
        for name, group in sorted(groups.items())
    }
