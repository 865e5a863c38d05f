"""The computation of a backtest, as it runs in its own process."""

import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from backend.backtest.engine import Progress, run_backtest
from backend.backtest.model import Job, Reading
from backend.backtest.report import build_report, write_report
from backend.core.errors import DeskError
from backend.storage.files import FileStorage

HEAD_BYTES = 8


def compute(job: Job, root: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Run a job in both readings if they differ, write the report, give its summary."""
    result = run_backtest(job, progress=progress)
    best = result
    if result.trades.ambiguous.any():
        best = run_backtest(job, reading=Reading.BEST)
    report = build_report(job, result, best)
    name = write_report(FileStorage(root), report, result.trades)
    return summary(report, name)


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
        "strategy": report["strategy_id"],
        "symbol": report["symbol"],
        "timeframe": report["timeframe"],
        "period": report["period"],
        "metrics": {key: metrics[key] for key in shown},
        "signals": report["signals"],
        "refusals": report["refusals"],
        "notes": report["notes"],
        "criticism": report["criticism"],
    }


def main() -> int:
    """Read a job from standard input, tell progress and the outcome on standard output, line by line.

    The parent keeps standard input open; when it ends, so does this process: a parent that was killed
    leaves no computation behind.
    """
    source, out = sys.stdin.buffer, sys.stdout.buffer
    size = int.from_bytes(source.read(HEAD_BYTES), "big")
    job, root = pickle.loads(source.read(size))  # noqa: S301 - written by our own parent
    threading.Thread(target=_end_with, args=(source,), daemon=True).start()

    def tell(message: dict[str, Any]) -> None:
        out.write(orjson.dumps(message) + b"\n")
        out.flush()

    def progress(done: int, total: int) -> None:
        tell({"progress": [done, total]})

    try:
        tell({"done": compute(job, root, progress)})
    except DeskError as error:
        tell({"error": error.as_dict()})
    return 0


def _end_with(source: BinaryIO) -> None:
    source.read()
    os._exit(1)
