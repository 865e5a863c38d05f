"""Where the money came from: trades by group, and from gross to net cost by cost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backend.backtest.columns import COLUMNS, Trades
from backend.backtest.measures import Measures
from backend.core.bars import Floats, Ints
from backend.strategies.sessions import SESSIONS, in_session
from backend.trading.reasons import REASONS

COSTS = ("spread_cost", "slippage_cost", "gap_cost", "commission")
_WATERFALL = ("gross", *COSTS, "swap", "net")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR, _DAY = 3600, 86_400
_THURSDAY = 3  # 1970-01-01, Monday 0
_HOURS_A_DAY, _WEEK = 24, 7

Codes = tuple[Ints, Callable[[int], str]]


def cost_waterfall(trades: Trades) -> Measures:
    """Gross − spread − slippage − gap − commission + swap = net, to the cent, over all trades."""
    measures = Measures()
    unit = 10**trades.digits
    totals = {name: int(getattr(trades, name).sum()) for name in _WATERFALL}
    for name, total in totals.items():
        measures.put(name, total / unit)
    costs = sum(totals[name] for name in COSTS)
    earned = totals["gross"] + totals["swap"]
    measures.put("costs", costs / unit)
    if costs <= 0:
        measures.put("break_even_cost_multiplier", None, "there were no costs")
    elif earned <= 0:
        measures.put(
            "break_even_cost_multiplier", None, "gross result and swap leave nothing to pay costs from"
        )
    else:
        measures.put("break_even_cost_multiplier", earned / costs)
    return measures


def breakdowns(trades: Trades) -> dict[str, dict[str, dict[str, Any]]]:
    """Trades by side, strategy, symbol, session, hour, weekday and month of entry (UTC), exit reason."""
    net = trades.net.astype(np.float64)  # whole units: exact below 2^53 of them
    results = net, (net > 0).astype(np.float64), (net < 0).astype(np.float64)
    unit = 10**trades.digits
    return {name: _grouped(*codes, results, unit) for name, codes in _groups(trades)}


def of_stream(trades: Trades, stream: int) -> Trades:
    """The trades of one stream."""
    chosen = trades.stream == stream
    return replace(trades, **{name: getattr(trades, name)[chosen] for name in COLUMNS})


def _groups(trades: Trades) -> Iterator[tuple[str, Codes]]:
    entry = trades.entry_time
    yield "side", ((trades.side < 0).astype(np.int64), ("long", "short").__getitem__)
    for name, labels in (
        ("strategy", [book.strategy for book in trades.books]),
        ("symbol", [book.instrument.symbol for book in trades.books]),
    ):
        yield name, _by_label(trades.stream, labels)
    yield "session", (_sessions(entry), _session_name)
    yield "hour", (entry // _HOUR % _HOURS_A_DAY, "{:02d}".format)
    yield "weekday", ((entry // _DAY + _THURSDAY) % _WEEK, _WEEKDAYS.__getitem__)
    months: Ints = entry.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    first = int(months.min()) if len(months) else 0
    yield "month", (months - first, lambda code: str(np.datetime64(code + first, "M")))
    yield "exit_reason", (trades.reason, lambda code: str(REASONS[code]))


def _by_label(streams: Ints, labels: Sequence[str]) -> Codes:
    """Streams of the same label are one group."""
    names = list(dict.fromkeys(labels))
    code = np.array([names.index(label) for label in labels], dtype=np.int64)
    return code[streams], names.__getitem__


def _sessions(entry: Ints) -> Ints:
    """Which sessions are open at each entry, a bit each."""
    code = np.zeros(len(entry), dtype=np.int64)
    for bit, name in enumerate(SESSIONS):
        code |= in_session(name, entry).astype(np.int64) << bit
    return code


def _session_name(code: int) -> str:
    return "+".join(name for bit, name in enumerate(SESSIONS) if code >> bit & 1) or "none"


def _grouped(
    codes: Ints, label: Callable[[int], str], results: tuple[Floats, Floats, Floats], unit: int
) -> dict[str, dict[str, Any]]:
    counts = np.bincount(codes)
    net, wins, losses = (np.bincount(codes, weights=values) for values in results)
    return {
        label(code): {
            "trades": int(counts[code]),
            "wins": int(wins[code]),
            "losses": int(losses[code]),
            "win_rate_pct": round(100 * wins[code] / counts[code], 4),
            "net": int(net[code]) / unit,
            "expectancy": round(net[code] / unit / counts[code], 6),
        }
        for code in np.flatnonzero(counts).tolist()
    }
