"""The computation of a backtest, as it runs in its own process."""

import pickle
import platform
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from backend.backtest.compiling import prepare
from backend.backtest.lifetime import end_with
from backend.backtest.model import Job, Reading
from backend.backtest.pauses import untold
from backend.backtest.provenance import Options, Provenance, provenance
from backend.backtest.report import build_report
from backend.backtest.report_files import write_report
from backend.backtest.running import Progress, run_backtest, warm
from backend.core.clock import SystemClock, iso
from backend.core.errors import DeskError
from backend.core.version import VERSION
from backend.storage.files import FileStorage

HEAD_BYTES = 8


class Work(Protocol):
    """What a child process can do; it is pickled on its way there."""

    def run(self, progress: Progress) -> dict[str, Any]:
        """Do it, telling parts done and parts in all; gives JSON values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the child is to do.

    Attributes:
        job: What to run.
        root: The data folder.
        options: How to run and tell it.
        made: The hashes of job and options, if they are known.
    """

    job: Job
    root: Path
    options: Options = field(default_factory=Options)
    made: Provenance | None = None

    def run(self, progress: Progress) -> dict[str, Any]:
        """Compute the report."""
        return compute(self, progress)


def compute(order: Order, progress: Progress | None = None) -> dict[str, Any]:
    """Run a job in both readings if they differ, write the report, give its summary."""
    prepare(order.root / "compiled")
    warm()
    job, options = order.job, order.options
    started, begin = SystemClock().wall(), time.perf_counter()
    result = run_backtest(job, reading=options.reading, progress=progress)
    ran = time.perf_counter()
    other = result
    if result.trades.ambiguous.any():
        opposite = Reading.BEST if options.reading is Reading.WORST else Reading.WORST
        other = run_backtest(job, reading=opposite)
    unpaused = None if untold(job) else run_backtest(job, reading=options.reading, embargo=False)
    made = order.made or provenance(job, options)
    report = build_report(job, result, other, made, options, unpaused=unpaused)
    run = {
        "id": made.id,
        "started_at": iso(started),
        "engine_seconds": round(ran - begin, 6),
        "report_seconds": round(time.perf_counter() - ran, 6),
        "bars_per_second": round(report["period"]["bars"] / max(ran - begin, 1e-9)),
        "version": VERSION,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    return summary(report, write_report(FileStorage(order.root), report, job, result, run))


def summary(report: dict[str, Any], name: str) -> dict[str, Any]:
    """What the task answers: id, path and the figures that a person looks at first."""
    metrics = report["metrics"]
    shown = (
        "trades",
        "wins",
        "losses",
        "win_rate_pct",
        "net_profit",
        "total_return_pct",
        "max_drawdown_pct",
        "profit_factor",
        "expectancy_r",
        "sharpe",
    )
    return {
        "id": report["id"],
        "path": f"data/{name}",
        "page": f"data/{name.removesuffix('json')}html",
        "strategy": report["strategy_id"],
        "symbol": report["symbol"],
        "timeframe": report["timeframe"],
        "period": report["period"],
        "metrics": {key: metrics[key] for key in shown},
        "cost_waterfall": report["cost_waterfall"],
        "signals": report["signals"],
        "refusals": report["refusals"],
        "notes": report["notes"],
        "criticism": report["criticism"],
    }


def main() -> int:
    """Read what to do from standard input, tell progress and the outcome on standard output, line by line.

    The parent keeps standard input open; when it ends, so does this process: a parent that was killed
    leaves no computation behind.
    """
    source, out = sys.stdin.buffer, sys.stdout.buffer
    size = int.from_bytes(source.read(HEAD_BYTES), "big")
    work: Work = pickle.loads(source.read(size))  # noqa: S301 - written by our own parent
    end_with(source)

    def tell(message: dict[str, Any]) -> None:
        out.write(orjson.dumps(message) + b"\n")
        out.flush()

    def progress(done: int, total: int) -> None:
        tell({"progress": [done, total]})

    try:
        tell({"done": work.run(progress)})
    except DeskError as error:
        tell({"error": error.as_dict()})
    return 0
