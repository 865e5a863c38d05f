"""The report of a run as JSON values. Same inputs, same values."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from backend.backtest.breakdowns import breakdowns, cost_waterfall, of_stream
from backend.backtest.criticism import NOT_EXAMINED, criticism
from backend.backtest.measures import Measures
from backend.backtest.metrics import compute_metrics
from backend.backtest.model import Job, Result, Stream
from backend.backtest.pauses import KEY, embargo_effect, untold
from backend.backtest.prices import hours_of_week
from backend.backtest.provenance import Options, Provenance
from backend.backtest.ruling import ruled
from backend.backtest.trade_metrics import put_trades
from backend.backtest.trades_csv import iso_times
from backend.core.clock import from_epoch, iso
from backend.strategies.model import dumped

_CURVE_POINTS = 1000


def build_report(
    job: Job,
    result: Result,
    other: Result,
    made: Provenance,
    options: Options | None = None,
    *,
    unpaused: Result | None = None,
) -> dict[str, Any]:
    """The report as JSON values.

    Args:
        job: The inputs.
        result: The run that counts.
        other: The run that reads ambiguous bars the other way; the same one where none is.
        made: The hashes of job and options.
        options: How it was run.
        unpaused: The run without a news embargo, where `untold` finds nothing against it.
    """
    chosen = options or Options()
    began = min(int(stream.bars.time[stream.first]) for stream in job.streams)
    metrics = compute_metrics(result, job.account.balance, began=began, trials=chosen.trials)
    waterfall = cost_waterfall(result.trades)
    undefined = dict(metrics.undefined)
    undefined |= {f"cost_waterfall.{key}": reason for key, reason in waterfall.undefined.items()}
    undefined["breakdowns.news_distance"] = (
        "trades are not grouped by it" if job.calendar.known else "there is no calendar of the past"
    )
    streams = [_stream(job, result, made, at) for at in range(len(job.streams))]
    for at, (_, reasons) in enumerate(streams):
        undefined |= {f"streams.{at}.metrics.{key}": reason for key, reason in reasons.items()}
    band = sorted(float(run.balance - job.account.balance) for run in (result, other))
    report: dict[str, Any] = {
        "id": made.id,
        "strategy_id": _joined(stream.strategy.id for stream in job.streams),
        "symbol": _joined(stream.bars.symbol for stream in job.streams),
        "timeframe": _joined(str(stream.bars.timeframe) for stream in job.streams),
        "period": {
            "from": iso(from_epoch(began)),
            "to": iso(from_epoch(int(result.time[-1]))),
            "bars": sum(len(stream.bars) - stream.first for stream in job.streams),
            "warm_up_bars": sum(stream.first for stream in job.streams),
        },
        "account": job.account.as_dict(),
        "limits": job.limits.model_dump(mode="json"),
        "options": chosen.as_dict(),
        "metrics": metrics.values,
        "cost_waterfall": waterfall.values,
        "ambiguity_band": {
            "ambiguous_trades": int(result.trades.ambiguous.sum()),
            "net_worst_reading": band[0],
            "net_best_reading": band[1],
        },
        "breakdowns": {**breakdowns(result.trades), "news_distance": None},
        "streams": [values for values, _ in streams],
        "signals": result.signals,
        "refusals": dict(result.refusals),
        "provenance": made.as_dict(),
        "notes": list(result.notes),
        "not_examined": list(NOT_EXAMINED),
        "equity_curve": _curve(result),
    }
    report["data_quality"] = _quality_of_all([values["data_quality"] for values, _ in streams], made)
    undefined |= {
        f"data_quality.{key}": "nobody counted the bars that are missing"
        for key, value in report["data_quality"].items()
        if value is None
    }
    report[KEY] = None if unpaused is None else embargo_effect(job, result, unpaused)
    if unpaused is None:
        undefined[KEY] = untold(job) or "the run without the embargo was not made"
    if chosen.benchmark:
        report["benchmark"] = {stream.bars.symbol: _held(stream) for stream in job.streams}
    else:
        report["benchmark"] = None
        undefined["benchmark"] = "buying and holding was not asked for"
    under = ruled(job, result)
    if under is not None:
        report["rulebook"] = under
    report["undefined"] = undefined
    report["criticism"] = criticism(report, job, result.trades, chosen)
    return report


def _joined(names: Any) -> str:
    return ", ".join(dict.fromkeys(names))


def _stream(job: Job, result: Result, made: Provenance, at: int) -> tuple[dict[str, Any], Mapping[str, str]]:
    """One strategy on one symbol: what it was given and what its trades gave."""
    stream, measures = job.streams[at], Measures()
    put_trades(measures, of_stream(result.trades, at))
    values = {
        "strategy_id": stream.strategy.id,
        "symbol": stream.bars.symbol,
        "timeframe": str(stream.bars.timeframe),
        "bars": len(stream.bars) - stream.first,
        "warm_up_bars": stream.first,
        "strategy": dumped(stream.strategy),
        "profile": stream.profile.model_dump(mode="json"),
        "costs": stream.costs.as_dict(),
        "net_profit": float(of_stream(result.trades, at).total("net")),
        "metrics": measures.values,
        "data_quality": _quality(stream, made.bars[at]),
    }
    return values, measures.undefined


def _quality(stream: Stream, digest: str) -> dict[str, Any]:
    traded = stream.bars[stream.first :]
    facts = stream.facts
    missing = facts.get("missing_bars")
    coverage = None if missing is None else round(100 * len(traded) / (len(traded) + missing), 4)
    return {
        "bars": len(traded),
        "first": iso(traded.opened(0)),
        "last": iso(traded.opened(-1)),
        "gaps": facts.get("gaps"),
        "missing_bars": missing,
        "coverage_pct": coverage,
        "days_missing_at_start": facts.get("days_missing_at_start"),
        "days_missing_at_end": facts.get("days_missing_at_end"),
        "bars_without_spread": int((traded.spread == 0).sum()),
        "source": stream.source or None,
        "hash": digest,
    }


def _quality_of_all(streams: list[dict[str, Any]], made: Provenance) -> dict[str, Any]:
    """Sums over the streams; what one of them does not know, the whole does not."""

    def total(key: str) -> int | None:
        values = [stream[key] for stream in streams]
        return None if None in values else sum(values)

    bars, missing = total("bars") or 0, total("missing_bars")
    return {
        "bars": bars,
        "gaps": total("gaps"),
        "missing_bars": missing,
        "coverage_pct": None if missing is None else round(100 * bars / (bars + missing), 4),
        "bars_without_spread": total("bars_without_spread"),
        "source": _joined(stream["source"] or "unknown" for stream in streams),
        "hash": made.data,
    }


def _held(stream: Stream) -> dict[str, Any]:
    """Buying at the first traded open without leverage and holding to the last close; no swap."""
    bars = stream.bars[stream.first :]
    points = max(int(bars.spread[0]), stream.costs.spread_points[int(hours_of_week(bars[:1])[0])])
    paid = float(bars.open[0]) + points * float(stream.instrument.point)
    closes = bars.close
    high = np.maximum(np.maximum.accumulate(closes), paid)
    return {
        "return_pct": round(100 * (float(closes[-1]) / paid - 1), 6),
        "max_drawdown_pct": round(100 * float((1 - closes / high).max()), 6),
    }


def _curve(result: Result) -> list[list[Any]]:
    """Equity at closes, at most a thousand points and always the last: [time, equity]."""
    count = len(result.equity)
    picked = np.unique(np.linspace(0, count - 1, min(count, _CURVE_POINTS)).astype(np.int64))
    equity = np.round(result.equity[picked], 2).tolist()
    return [list(point) for point in zip(iso_times(result.time[picked]), equity, strict=True)]
