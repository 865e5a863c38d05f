"""What a refused idea would have earned: the engine's own run of that one signal, with no check asked.

The idea is decided at its bar, sent at the next open, managed and closed as the backtest does it: one
strategy on one symbol, whose signal counts at this bar alone. Only what the desk's checks say is left out,
since what they cost or saved is the question. News embargoes do not cancel its resting order.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backend.backtest.collecting import costs_of
from backend.backtest.columns import Trades
from backend.backtest.kernel import records
from backend.backtest.model import ENGINE_VERSION, AccountSettings, Job, Reading, Result, Stream
from backend.backtest.request import CostChanges
from backend.backtest.running import run_tables
from backend.backtest.tables import Tables, tables
from backend.backtest.usual import read_only
from backend.core.clock import from_epoch, iso, parse_iso
from backend.core.errors import DeskError
from backend.core.timeframes import Timeframe
from backend.ideas.replaying import Replayer
from backend.market.store import MarketStore
from backend.risk.limits import RiskLimits
from backend.trading.conversion import conversion
from backend.trading.reasons import Reason

_BARS_AFTER: Final = 1500
_CENTS: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """What one refused idea would have come to.

    Attributes:
        status: ``closed``; ``not_filled``: its order was never reached; ``unknown``.
        reason: Why it is not known; empty when it is.
        final: Whether asking again later gives the same.
        trade: What the closed trade was, as JSON values; None without one.
    """

    status: str
    reason: str = ""
    final: bool = True
    trade: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        trade = None if self.trade is None else dict(self.trade)
        return {"status": self.status, "reason": self.reason, "trade": trade, "engine": ENGINE_VERSION}


def what_if(payload: Mapping[str, Any], source: Replayer, store: MarketStore, now: datetime) -> WhatIf:
    """What the idea of a decision would have earned, up to the bars closed by `now`.

    Args:
        payload: The decision, with a signal, levels and a size.
        source: Gives what it was computed from.
        store: Bars before and after it.
        now: Desk time.
    """
    if not payload["size"]["lots"] > 0:
        return WhatIf(status="unknown", reason="no volume")
    after = _BARS_AFTER
    while True:
        try:
            job, more = _job(payload, source, store, now, after)
            if isinstance(job, str):
                return WhatIf(status="unknown", reason=job, final=False)
            result = _run(job, payload)
        except DeskError as error:
            return WhatIf(status="unknown", reason=f"{error.code}: {error.message}", final=False)
        found = _found(result, payload, job)
        if found.status != "unknown" or found.final or not more:
            return found
        after *= 2


def _job(
    payload: Mapping[str, Any], source: Replayer, store: MarketStore, now: datetime, after: int
) -> tuple[Job | str, bool]:
    """The run or why there is none, and whether there are bars after those that it takes."""
    inputs = payload["inputs"]
    strategy, profile, instrument, account, limits = (
        source.made(name, str(inputs[name]))
        for name in ("strategy", "profile", "instrument", "account", "limits")
    )
    symbol = str(payload["symbol"])
    parts = {}
    for reference in inputs["bars"]:
        timeframe = Timeframe(reference["timeframe"])
        since = parse_iso(reference["first"])
        parts[timeframe] = store.bars(symbol, timeframe, since=since, until=now)
    bars = parts.pop(strategy.timeframe)
    opened = int(parse_iso(payload["bar_time"]).timestamp())
    at = int(np.searchsorted(bars.time, opened))
    if at >= len(bars) or int(bars.time[at]) != opened:
        return "its bar is not in the market store", False
    if at + 1 == len(bars):
        return "no bar closed after it yet", False
    more = len(bars) > at + 1 + after
    bars = bars[: at + 1 + after]
    fine = None
    if strategy.timeframe is not Timeframe.M1:
        fine = store.bars(symbol, Timeframe.M1, since=from_epoch(int(bars.time[at + 1])), until=now)
    stream = Stream(
        strategy=strategy,
        profile=profile,
        instrument=instrument,
        bars=bars,
        higher=parts,
        first=at + 1,
        costs=costs_of(profile, limits, bars, CostChanges()),
        conversion=conversion(instrument, account.currency),
        fine=fine if fine is not None and len(fine) else None,
    )
    settings = AccountSettings(
        currency=account.currency,
        balance=max(min(account.balance, account.equity), Decimal(1)),
        leverage=account.leverage,
        digits=_CENTS,
    )
    return Job(streams=(stream,), account=settings, limits=limits), more


def _run(job: Job, payload: Mapping[str, Any]) -> Result:
    """The run of this one signal, no check refusing."""
    made = tables(job, Reading.WORST)
    (stream,) = job.streams
    side = records.LONG if payload["signal"] == "long" else records.SHORT
    flags = np.array(made.signals.flags)
    flags[stream.first :] &= np.uint16(0xFFFF ^ side)
    _unchecked(made, half=_is_half(payload, job.limits))
    return run_tables(job, replace(made, signals=made.signals._replace(flags=read_only(flags))))


def _unchecked(made: Tables, *, half: bool) -> None:
    """No limit refuses, halts or closes; half risk only where the score said so."""
    desk = made.desk[0]
    desk["blocking"] = 0
    desk["pending_only"], desk["open_or_scale"] = -1.0, math.inf if half else -1.0
    desk["daily_loss"] = desk["drawdown"] = math.inf
    desk["ruled"] = False
    made.lanes["rr_over"] = 0


def _is_half(payload: Mapping[str, Any], limits: RiskLimits) -> bool:
    confidence, thresholds = payload["confidence"], limits.thresholds
    score = -1.0 if confidence is None else confidence["score"]
    return bool(thresholds.pending_only <= score < thresholds.open_or_scale)


def _found(result: Result, payload: Mapping[str, Any], job: Job) -> WhatIf:
    (stream,) = job.streams
    opened, closed = (int(parse_iso(payload[name]).timestamp()) for name in ("bar_time", "bar_close"))
    trades = result.trades
    # along minutes a bar ends with its last minute that there is
    mine = np.flatnonzero((trades.signal_time > opened) & (trades.signal_time <= closed))
    if not len(mine):
        expiry = payload["order"]["expiry_bars"] if payload["order"] is not None else None
        waited = len(stream.bars) - stream.first
        if expiry is not None and waited > expiry:
            return WhatIf(status="not_filled")
        refused = ", ".join(result.refusals)
        if refused and payload["order"]["type"] == "market":
            return WhatIf(status="unknown", reason=f"it could not have been sent: {refused}")
        return WhatIf(status="unknown", reason="its order waits", final=False)
    if any(trades[index].exit_reason is Reason.END for index in mine.tolist()):
        return WhatIf(status="unknown", reason="it would still be open", final=False)
    return WhatIf(status="closed", trade=_trade(trades, mine.tolist(), job))


def _trade(trades: Trades, mine: list[int], job: Job) -> dict[str, Any]:
    """The trade with all its parts."""
    first, last = trades[mine[0]], trades[mine[-1]]
    net = sum((trades[index].net for index in mine), Decimal(0))
    risk = sum((trades[index].initial_risk for index in mine), Decimal(0))
    return {
        "net": float(net),
        "currency": job.account.currency,
        "r": float(net / risk) if risk > 0 else None,
        "volume": float(sum((trades[index].volume for index in mine), Decimal(0))),
        "entry_time": iso(from_epoch(first.entry_time)),
        "entry_price": float(first.entry_price),
        "exit_time": iso(from_epoch(last.exit_time)),
        "exit_price": float(last.exit_price),
        "exit_reason": str(last.exit_reason),
        "ambiguous": any(trades[index].ambiguous for index in mine),
    }
