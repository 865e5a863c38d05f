"""Metrics of closed trades, from their columns."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from backend.backtest.columns import Trades
from backend.backtest.measures import Measures, varies
from backend.backtest.passes import ruin_share
from backend.backtest.significance import mean_p_value
from backend.core.bars import Floats, Ints

RUIN_LEVEL = 0.5
"""Ruin is the loss of this share of the balance."""
RUIN_PATHS = 1000
RUIN_TRADES = 500
"""Trades of a resampled path; fewer where the run had fewer."""

_NO_TRADES = "there were no trades"
_NO_RISK = "no trade had a first stop to measure by"
_HOUR = 3600
_TWO = 2  # values that a deviation needs


def put_trades(measures: Measures, trades: Trades) -> None:
    """Everything that closed trades tell; money net of costs."""
    put_money(measures, trades.net, trades.digits)
    put_r(measures, trades.r[trades.risk > 0])
    put_held(measures, (trades.exit_time - trades.entry_time) / _HOUR)
    _of(measures, "average_bars_held", trades.bars_held.astype(np.float64), np.mean, _NO_TRADES)
    put_runs(measures, trades.net)
    _excursions(measures, trades)


def put_money(measures: Measures, net: Ints, digits: int) -> None:
    """What trades earned.

    Args:
        measures: Takes the figures.
        net: Their results in order of their exits, in whole units, shape (m,).
        digits: Decimals of money of which a unit is the last.
    """
    count, unit = len(net), 10.0**digits
    won, lost = net > 0, net < 0
    wins, losses = int(won.sum()), int(lost.sum())
    gained, given = int(net[won].sum()) / unit, -int(net[lost].sum()) / unit
    measures.values |= {"trades": count, "wins": wins, "losses": losses, "draws": count - wins - losses}
    measures.ratio("win_rate_pct", wins, count, _NO_TRADES, scale=100)
    measures.ratio("expectancy", int(net.sum()) / unit, count, _NO_TRADES)
    none_won = "no trade won" if count else _NO_TRADES
    none_lost = "no trade lost" if count else _NO_TRADES
    measures.ratio("average_win", gained, wins, none_won)
    measures.ratio("average_loss", -given, losses, none_lost)
    measures.put("largest_win", int(net.max()) / unit if wins else None, none_won)
    measures.put("largest_loss", int(net.min()) / unit if losses else None, none_lost)
    measures.ratio("profit_factor", gained, given, none_lost)
    if wins and losses:
        payoff = (gained / wins) / (given / losses)
        share = wins / (wins + losses)
        measures.put("payoff_ratio", payoff)
        measures.put("kelly_pct", 100 * (share - (1 - share) / payoff))
    else:
        measures.absent(("payoff_ratio", "kelly_pct"), "it needs winning and losing trades")
    earned: Floats = net / unit
    tested = count >= _TWO and varies(earned)
    reason = "fewer than two trades" if count < _TWO else "all trades gave the same"
    measures.put("p_value_mean_trade", mean_p_value(earned) if tested else None, reason)


def put_r(measures: Measures, multiples: Floats) -> None:
    """What trades earned in R, of those that had a first stop to measure by."""
    count = len(multiples)
    measures.put("trades_with_r", count)
    measures.put("expectancy_r", float(multiples.mean()) if count else None, _NO_RISK)
    if count < _TWO:
        measures.put("sqn", None, "fewer than two trades had a first stop to measure by")
    elif not varies(multiples):
        measures.put("sqn", None, "all trades gave the same R")
    else:
        measures.put("sqn", math.sqrt(count) * float(multiples.mean()) / float(multiples.std(ddof=1)))


def put_held(measures: Measures, hours: Floats) -> None:
    """How long trades were open."""
    for name, figure in (("average", np.mean), ("median", np.median), ("longest", np.max)):
        _of(measures, f"{name}_hold_hours", hours, figure, _NO_TRADES)


def put_runs(measures: Measures, net: Ints) -> None:
    """The longest rows of wins and of losses, in order of the exits."""
    measures.put("max_consecutive_wins", _longest(net > 0))
    measures.put("max_consecutive_losses", _longest(net < 0))


def _longest(flags: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _excursions(measures: Measures, trades: Trades) -> None:
    known = trades.risk > 0
    for name, extreme in (("mae", np.min), ("mfe", np.max)):
        money = trades.in_account(name)
        multiples = getattr(trades, name)[known] / trades.risk[known]
        word = "worst" if name == "mae" else "best"
        _of(measures, f"average_{name}", money, np.mean, _NO_TRADES)
        _of(measures, f"{word}_{name}", money, extreme, _NO_TRADES)
        _of(measures, f"average_{name}_r", multiples, np.mean, _NO_RISK)
        _of(measures, f"{word}_{name}_r", multiples, extreme, _NO_RISK)


def _of(
    measures: Measures, key: str, values: Floats, figure: Callable[[Floats], np.floating], reason: str
) -> None:
    measures.put(key, float(figure(values)) if len(values) else None, reason)


def risk_of_ruin(measures: Measures, trades: Trades, start: float, *, seed: int) -> None:
    """Share of resampled futures that lose `RUIN_LEVEL` of the balance; states how it was found."""
    net = trades.in_account("net")
    before = start + np.concatenate(([0.0], np.cumsum(net)[:-1])) if len(net) else np.empty(0)
    steps = min(len(net), RUIN_TRADES)
    measures.values |= {
        "ruin_level_pct": 100 * RUIN_LEVEL,
        "ruin_paths": RUIN_PATHS,
        "ruin_trades_of_a_path": steps,
    }
    if not len(net):
        measures.put("risk_of_ruin", None, _NO_TRADES)
    elif bool((before <= 0).any()):
        measures.put("risk_of_ruin", None, "the balance was zero or below before some trade")
    else:
        share = ruin_share(net / before, paths=RUIN_PATHS, steps=steps, floor=1 - RUIN_LEVEL, seed=seed)
        measures.put("risk_of_ruin", share)
