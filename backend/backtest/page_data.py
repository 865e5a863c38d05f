"""What the page of a report draws: a run thinned out to what a screen can show."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.backtest.breakdowns import of_stream
from backend.backtest.columns import Trades
from backend.backtest.model import Job, Result, Stream
from backend.core.bars import Floats, Ints
from backend.trading.reasons import REASONS

CURVE_BUCKETS = 1200
CANDLES = 700
"""Of the whole period: bars are joined until no more are left."""
MARKED_TRADES = 1500
"""On candles and in scatters: those that won or lost most."""
OPENED_TRADES = 60
"""With their own bars: a third each of the best, the worst and the latest."""
_BARS_BEFORE, _BARS_AFTER, _BARS_OF_A_TRADE = 40, 20, 240
_DEEPEST = 5
_MS = 1000


def page_data(job: Job, result: Result) -> dict[str, Any]:
    """Everything drawn, as JSON values; times are UTC epochs in milliseconds, money is account currency."""
    start = float(job.account.balance)
    highs = np.maximum.accumulate(np.concatenate(([start], result.equity)))
    return {
        "curve": _curve(result, highs),
        "months": _months(result, start),
        "drawdowns": _drawdowns(result, highs),
        "streams": [_stream(stream, of_stream(result.trades, at)) for at, stream in enumerate(job.streams)],
    }


def _curve(result: Result, highs: Floats) -> dict[str, Any]:
    """Lowest and highest close of each bucket in their order, the worst between them, never the mean."""
    count = len(result.equity)
    edges = np.unique(np.linspace(0, count, min(count, CURVE_BUCKETS) + 1).astype(np.int64))
    parts = [*pairwise(edges.tolist())]
    picked = sorted(
        {a + int(pick(result.equity[a:b])) for a, b in parts for pick in (np.argmin, np.argmax)} | {count - 1}
    )
    at = np.array(picked, dtype=np.int64)
    share = 100 * np.minimum(result.equity / highs[1:] - 1, 0)
    worst = 100 * np.minimum(np.minimum(result.worst, result.equity) / highs[:-1] - 1, 0)
    deepest = np.minimum.reduceat(worst, np.concatenate(([0], at[:-1] + 1)))
    return {
        "time": _milliseconds(result.time[at]),
        "equity": _rounded(result.equity[at], 2),
        "high": _rounded(highs[1:][at], 2),
        "below": _rounded(share[at], 3),
        "worst": _rounded(deepest, 3),
    }


def _months(result: Result, start: float) -> list[list[float | None]]:
    """[year, month, return in percent, profit] of each UTC month that has closes."""
    months = result.time.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.diff(months, append=months[-1] + 1))
    ends = result.equity[last]
    begins = np.concatenate(([start], ends[:-1]))
    shares = np.where(begins > 0, 100 * (ends / np.where(begins > 0, begins, 1) - 1), np.nan)
    return [
        [
            int(month) // 12 + 1970,
            int(month) % 12 + 1,
            None if np.isnan(share) else round(float(share), 3),
            round(float(gain), 2),
        ]
        for month, share, gain in zip(months[last], shares, ends - begins, strict=True)
    ]


def _drawdowns(result: Result, highs: Floats) -> list[dict[str, Any]]:
    """The deepest stretches under water, at closes."""
    under = result.equity < highs[1:]
    edges = np.flatnonzero(np.diff(under.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    depth = result.equity / highs[1:] - 1
    lows = [begin + int(np.argmin(depth[begin:end])) for begin, end in edges]
    found = sorted(zip(edges.tolist(), lows, strict=True), key=lambda one: float(depth[one[1]]))[:_DEEPEST]
    count = len(result.time)
    return [
        {
            "from": int(result.time[max(begin - 1, 0)]) * _MS,
            "low": int(result.time[low]) * _MS,
            "to": int(result.time[end]) * _MS if end < count else None,
            "days": round(
                (int(result.time[min(end, count - 1)]) - int(result.time[max(begin - 1, 0)])) / 86_400, 1
            ),
            "pct": round(100 * float(depth[low]), 3),
            "money": round(float(result.equity[low] - highs[low + 1]), 2),
        }
        for (begin, end), low in found
    ]


def _stream(stream: Stream, trades: Trades) -> dict[str, Any]:
    order = np.argsort(-np.abs(trades.net), kind="stable")[:MARKED_TRADES]
    marked = np.sort(order)
    digits = stream.instrument.digits
    tick = float(stream.instrument.tick_size)
    risk = trades.risk[marked]
    known = risk > 0
    return {
        "symbol": stream.bars.symbol,
        "strategy": stream.strategy.name or stream.strategy.id,
        "timeframe": str(stream.bars.timeframe),
        "digits": digits,
        "count": len(trades),
        "candles": _candles(stream, stream.first, len(stream.bars), CANDLES),
        "trades": {
            "id": (marked + 1).tolist(),
            "side": trades.side[marked].tolist(),
            "entry": _milliseconds(trades.entry_time[marked]),
            "exit": _milliseconds(trades.exit_time[marked]),
            "entry_price": _rounded(trades.entry_price[marked] * tick, digits),
            "exit_price": _rounded(trades.exit_price[marked] * tick, digits),
            "net": _rounded(trades.in_account("net")[marked], 2),
            "r": [None if np.isnan(value) else round(float(value), 3) for value in trades.r[marked]],
            "mae": _multiples(trades.mae[marked], risk, known),
            "mfe": _multiples(trades.mfe[marked], risk, known),
            "reason": [str(REASONS[code]) for code in trades.reason[marked].tolist()],
        },
        "opened": [_opened(stream, trades, at) for at in _telling(trades)],
    }


def _telling(trades: Trades) -> list[int]:
    third = OPENED_TRADES // 3
    order = np.argsort(trades.net, kind="stable")
    chosen = {
        *order[:third].tolist(),
        *order[-third:].tolist(),
        *range(max(len(trades) - third, 0), len(trades)),
    }
    return sorted(chosen)


def _opened(stream: Stream, trades: Trades, at: int) -> dict[str, Any]:
    """One trade with the bars around it."""
    bars, trade = stream.bars, trades[at]
    first = int(np.searchsorted(bars.time, trade.entry_time, side="right")) - 1
    last = int(np.searchsorted(bars.time, trade.exit_time, side="right")) - 1
    begin, end = max(first - _BARS_BEFORE, 0), min(last + _BARS_AFTER, len(bars) - 1) + 1
    return {
        "id": at + 1,
        "side": trade.side.direction,
        "volume": str(trade.volume),
        "entry": trade.entry_time * _MS,
        "exit": trade.exit_time * _MS,
        "entry_price": float(trade.entry_price),
        "exit_price": float(trade.exit_price),
        "stop": float(trade.initial_stop),
        "target": float(trade.initial_target),
        "reason": str(trade.exit_reason),
        "net": float(trade.net),
        "r": None if trade.r is None else round(trade.r, 3),
        "mae": float(trade.mae),
        "mfe": float(trade.mfe),
        "costs": float(trade.spread_cost + trade.slippage_cost + trade.gap_cost + trade.commission),
        "swap": float(trade.swap),
        "ambiguous": trade.ambiguous,
        "candles": _candles(stream, begin, end, _BARS_OF_A_TRADE),
    }


def _candles(stream: Stream, begin: int, end: int, most: int) -> dict[str, Any]:
    """Bid bars from `begin` to before `end`, neighbours joined until no more than `most` are left."""
    bars, digits = stream.bars[begin:end], stream.instrument.digits
    joined = -(-len(bars) // most)
    starts = np.arange(0, len(bars), joined)
    ends = np.minimum(starts + joined, len(bars)) - 1
    return {
        "joined": joined,
        "time": _milliseconds(bars.time[starts]),
        "open": _rounded(bars.open[starts], digits),
        "high": _rounded(np.maximum.reduceat(bars.high, starts), digits),
        "low": _rounded(np.minimum.reduceat(bars.low, starts), digits),
        "close": _rounded(bars.close[ends], digits),
    }


def _multiples(values: Ints, risk: Ints, known: npt.NDArray[np.bool_]) -> list[float | None]:
    return [
        round(value / at, 3) if good else None
        for value, at, good in zip(values.tolist(), risk.tolist(), known.tolist(), strict=True)
    ]


def _milliseconds(epochs: Ints) -> list[int]:
    return [epoch * _MS for epoch in epochs.tolist()]


def _rounded(values: npt.NDArray[np.floating], digits: int) -> list[float]:
    rounded: list[float] = np.round(values, digits).tolist()
    return rounded
