"""The files of a report under ``data/backtests/{id}/``, and finding them again."""

import io
from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from backend.backtest.model import Job, Result
from backend.backtest.page import report_page
from backend.backtest.provenance import Provenance
from backend.backtest.trades_csv import trades_csv
from backend.core.errors import Invalid

FOLDER = "backtests"
BESIDE = ("trades.csv", "equity.parquet", "report.html")
FILES = ("report.json", *BESIDE, "run.json")
"""The report first: what stands without it is none."""


class Files(Protocol):
    """Where reports are kept."""

    def write_json(self, name: str, value: Any) -> None:
        """Replace a JSON file atomically."""

    def write_bytes(self, name: str, data: bytes) -> None:
        """Replace a file atomically."""

    def read_json_or(self, name: str, default: Any) -> Any:
        """A JSON file, or the default where there is none."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""


def report_name(run_id: str) -> str:
    """Name of report.json under the storage's root."""
    return f"{FOLDER}/{run_id}/report.json"


def write_report(
    files: Files, report: Mapping[str, Any], job: Job, result: Result, run: Mapping[str, Any]
) -> str:
    """Write all files, report.json last: where it stands, the others do too.

    Args:
        files: The desk's data folder.
        report: What `build_report` gave.
        job: The inputs.
        result: The run that counts.
        run: How this computation went; differs from time to time, so it has its own file, ``run.json``.

    Returns:
        Name of report.json under the storage's root.
    """
    folder = f"{FOLDER}/{report['id']}"
    files.write_bytes(f"{folder}/trades.csv", trades_csv(result.trades))
    files.write_bytes(f"{folder}/equity.parquet", equity_parquet(result))
    files.write_bytes(f"{folder}/report.html", report_page(report, job, result))
    files.write_json(f"{folder}/run.json", run)
    name = report_name(report["id"])
    files.write_json(name, report)
    return name


def find_report(files: Files, made: Provenance) -> dict[str, Any] | None:
    """The report of these very hashes, if all of its files are there; None else."""
    name = report_name(made.id)
    if not all(files.exists(f"{FOLDER}/{made.id}/{one}") for one in BESIDE):
        return None
    try:
        report = files.read_json_or(name, None)
    except Invalid:
        return None  # it was no JSON, and now stands aside
    whole = isinstance(report, dict) and report.get("provenance") == made.as_dict()
    return report if whole else None


def equity_parquet(result: Result) -> bytes:
    """Equity at each close: time (UTC), equity, worst since the close before, server_day."""
    table = pa.table(
        {
            "time": pa.array(result.time * 1000, type=pa.timestamp("ms", tz="UTC")),
            "equity": result.equity,
            "worst": result.worst,
            "server_day": result.server_day.astype("int32"),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", use_dictionary=False)
    return out.getvalue()
