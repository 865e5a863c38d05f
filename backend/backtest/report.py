"""The report of a run: report.json and trades.csv under ``data/backtests/{id}/``. Same inputs, same bytes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np

from backend.backtest.columns import Trade, Trades
from backend.backtest.metrics import breakdowns, compute_metrics, cost_waterfall
from backend.backtest.model import ENGINE_VERSION, Job, Result, Stream
from backend.core.bars import COLUMNS, Bars
from backend.core.clock import from_epoch, iso
from backend.strategies.model import dumped

FOLDER = "backtests"
CSV_COLUMNS = (
    "id",
    "symbol",
    "side",
    "volume",
    "signal_time",
    "entry_time",
    "entry_price",
    "initial_stop",
    "initial_target",
    "exit_time",
    "exit_price",
    "exit_reason",
    "ambiguous",
    "gross",
    "spread_cost",
    "slippage_cost",
    "gap_cost",
    "commission",
    "swap",
    "net",
    "r",
    "mae",
    "mfe",
    "strategy",
)
_TIMES = frozenset({"signal_time", "entry_time", "exit_time"})
_FEW_TRADES = 30
_CARRIED = 0.5
_GOOD_COVERAGE = 99.0
_CURVE_POINTS = 1000


class Writer(Protocol):
    """Where a report is written."""

    def write_json(self, name: str, value: Any) -> None:
        """Replace a JSON file atomically."""

    def write_bytes(self, name: str, data: bytes) -> None:
        """Replace a file atomically."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Hashes of everything that a result depends on."""

    engine: str
    strategy: str
    data: str
    costs: str
    configuration: str

    @property
    def id(self) -> str:
        """The run's id: it changes when any of them does."""
        whole = [self.engine, self.strategy, self.data, self.costs, self.configuration]
        return _hash("|".join(whole).encode())[:16]

    def as_dict(self) -> dict[str, Any]:
        """The hashes as JSON values."""
        return {
            "engine_version": self.engine,
            "strategy_hash": self.strategy,
            "data_hash": self.data,
            "costs_hash": self.costs,
            "configuration_hash": self.configuration,
            "seed": None,
        }


def provenance(job: Job) -> Provenance:
    """The hashes of a job."""
    streams = [_stream_hashes(stream) for stream in job.streams]
    whole = {
        "account": job.account.as_dict(),
        "limits": job.limits.model_dump(mode="json"),
        "streams": [stream["configuration"] for stream in streams],
    }
    return Provenance(
        engine=ENGINE_VERSION,
        strategy=_joined(streams, "strategy"),
        data=_joined(streams, "data"),
        costs=_joined(streams, "costs"),
        configuration=_json_hash(whole),
    )


def _stream_hashes(stream: Stream) -> dict[str, str]:
    others = [bars for _, bars in sorted(stream.higher.items())]
    if stream.spread_bars is not None:
        others.append(stream.spread_bars)
    data = [bars_hash(stream.bars), *(bars_hash(bars) for bars in others), str(stream.first)]
    configuration = {
        "profile": stream.profile.model_dump(mode="json"),
        "conversion": str(stream.conversion),
        "instrument": str(stream.instrument),
        "source": stream.source,
        "quality": dict(stream.facts),
    }
    return {
        "strategy": _json_hash(dumped(stream.strategy)),
        "data": _hash("".join(data).encode()),
        "costs": _json_hash({**stream.costs.as_dict(), "warnings": list(stream.costs.warnings)}),
        "configuration": _json_hash(configuration),
    }


def _joined(streams: Sequence[dict[str, str]], name: str) -> str:
    """The hash itself where there is one stream."""
    hashes = [stream[name] for stream in streams]
    return hashes[0] if len(hashes) == 1 else _hash("".join(hashes).encode())


def bars_hash(bars: Bars) -> str:
    """SHA-256 of all columns, little-endian."""
    digest = hashlib.sha256(f"{bars.symbol} {bars.timeframe} {len(bars)}".encode())
    for name in COLUMNS:
        column = getattr(bars, name)
        digest.update(np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json_hash(value: Any) -> str:
    return _hash(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def build_report(job: Job, result: Result, best: Result) -> dict[str, Any]:
    """The report as JSON values.

    Args:
        job: The inputs.
        result: The run that reads ambiguous bars in the worst way: the one that counts.
        best: The run that reads them in the best way.
    """
    made, stream = provenance(job), job.streams[0]
    metrics = compute_metrics(result, job.account.balance)
    waterfall = cost_waterfall(result.trades)
    band = sorted(float(run.balance - job.account.balance) for run in (result, best))
    report = {
        "id": made.id,
        "strategy_id": stream.strategy.id,
        "strategy": dumped(stream.strategy),
        "symbol": stream.bars.symbol,
        "timeframe": str(stream.bars.timeframe),
        "period": {
            "from": iso(stream.bars.opened(stream.first)),
            "to": iso(from_epoch(int(result.time[-1]))),
            "bars": len(result.equity),
            "warm_up_bars": stream.first,
        },
        "account": job.account.as_dict(),
        "limits": job.limits.model_dump(mode="json"),
        "profile": stream.profile.model_dump(mode="json"),
        "costs": stream.costs.as_dict(),
        "metrics": metrics.values,
        "undefined": metrics.undefined,
        "cost_waterfall": waterfall,
        "ambiguity_band": {
            "ambiguous_trades": int(result.trades.ambiguous.sum()),
            "net_worst_reading": band[0],
            "net_best_reading": band[1],
        },
        "breakdowns": breakdowns(result.trades),
        "signals": result.signals,
        "refusals": dict(result.refusals),
        "data_quality": _quality(stream, result),
        "provenance": made.as_dict(),
        "notes": list(result.notes),
        "equity_curve": _curve(result),
    }
    report["criticism"] = criticism(report, result.trades)
    return report


def criticism(report: dict[str, Any], trades: Trades) -> list[str]:
    """What a careful reader would hold against this result."""
    found = []
    net = trades.total("net")
    waterfall = report["cost_waterfall"]
    if len(trades) < _FEW_TRADES:
        found.append(f"Only {len(trades)} trades: fewer than {_FEW_TRADES} say little.")
    largest = Decimal(int(trades.net.max(initial=0))).scaleb(-trades.digits)
    if net > 0 and largest > Decimal(repr(_CARRIED)) * net:
        found.append(f"One trade of {largest} carries more than half of the result of {net}.")
    if net > 0 and float(net) - waterfall["costs"] <= 0:
        found.append("The result vanishes when costs double.")
    ambiguous = report["ambiguity_band"]["ambiguous_trades"]
    if ambiguous:
        found.append(f"{ambiguous} trades were decided inside one bar; see the ambiguity band.")
    coverage = report["data_quality"]["coverage_pct"]
    if coverage is not None and coverage < _GOOD_COVERAGE:
        found.append(f"{100 - coverage:.1f} % of the bars are missing.")
    if report["data_quality"]["bars_without_spread"]:
        found.append("Some bars state no spread; the learned one of their hour was taken.")
    return found


def _quality(stream: Stream, result: Result) -> dict[str, Any]:
    traded = stream.bars[stream.first :]
    missing = stream.facts.get("missing_bars")
    coverage = None if missing is None else round(100 * len(traded) / (len(traded) + missing), 4)
    return {
        "bars": len(traded),
        "first": iso(traded.opened(0)),
        "last_close": iso(from_epoch(int(result.time[-1]))),
        "gaps": stream.facts.get("gaps"),
        "missing_bars": missing,
        "coverage_pct": coverage,
        "bars_without_spread": int((traded.spread == 0).sum()),
        "source": stream.source or None,
        "hash": bars_hash(stream.bars),
    }


def _curve(result: Result) -> list[list[Any]]:
    """Equity at closes, at most a thousand points and always the last: [time, equity]."""
    count = len(result.equity)
    picked = np.unique(np.linspace(0, count - 1, min(count, _CURVE_POINTS)).astype(np.int64))
    return [[iso(from_epoch(int(result.time[i]))), round(float(result.equity[i]), 2)] for i in picked]


def trade_rows(trades: Trades) -> list[dict[str, str]]:
    """Trades as text, in the columns of trades.csv; prices and money exact, times UTC ISO-8601."""
    return [{name: _cell(trade, name) for name in CSV_COLUMNS} for trade in trades]


def _cell(trade: Trade, name: str) -> str:
    value = getattr(trade, name)
    if name in _TIMES:
        return iso(from_epoch(value))
    if name == "side":
        return trade.side.direction
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def write_report(writer: Writer, report: dict[str, Any], trades: Trades) -> str:
    """Write both files, the report last: where it stands, the rest does too.

    Returns:
        Name of report.json under the storage's root.
    """
    folder = f"{FOLDER}/{report['id']}"
    lines = [",".join(CSV_COLUMNS)]
    lines += [",".join(_quoted(cell) for cell in row.values()) for row in trade_rows(trades)]
    writer.write_bytes(f"{folder}/trades.csv", ("\r\n".join(lines) + "\r\n").encode())
    name = f"{folder}/report.json"
    writer.write_json(name, report)
    return name


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell
