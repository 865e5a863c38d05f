"""A kept backtest as days of its account, and a rulebook's chances over them."""

import csv
import io
import re
from decimal import Decimal
from typing import Any, Final, Protocol

import numpy as np
import pyarrow.parquet as pq

from backend.backtest.account_days import Run, account_days
from backend.backtest.monte_carlo import Draws
from backend.backtest.report_files import FOLDER, report_name
from backend.backtest.ruling import AT_A_CLOSE, HALTED, drawn
from backend.core.clock import parse_iso
from backend.core.errors import Invalid, NotFound
from backend.risk.rulebook import Rulebook

_ID: Final = re.compile(r"[0-9a-f]{16}")


class Files(Protocol):
    """The desk's data folder."""

    def read_bytes(self, name: str) -> bytes:
        """A file's bytes; `NotFound` if there is none."""

    def read_json(self, name: str) -> Any:
        """A JSON file; `NotFound` if there is none."""


def chances(
    files: Files, run_id: str, rulebook: Rulebook, *, zone: str | None, draws: Draws | None = None
) -> dict[str, Any]:
    """What could become of a rulebook's challenge over the days of a kept backtest, as JSON values.

    Args:
        files: The desk's data folder.
        run_id: Of the backtest.
        rulebook: The rules, whatever the run itself was under.
        zone: Whose midnight begins the day where the rulebook has no day's loss; None is the broker's.
        draws: How days are drawn.

    Raises:
        NotFound: There is no such backtest.
        Invalid: Its files are damaged.
    """
    if not _ID.fullmatch(run_id):
        raise NotFound("unknown_backtest", f"there is no backtest {run_id!r}", id=run_id)
    try:
        report = files.read_json(report_name(run_id))
        run = _run(files, run_id, float(Decimal(report["account"]["balance"])))
    except NotFound as error:
        raise NotFound("unknown_backtest", f"there is no backtest {run_id!r}", id=run_id) from error
    except (KeyError, ValueError, ArithmeticError) as error:
        raise Invalid("bad_backtest", f"data/{FOLDER}/{run_id} is damaged: {error!r}", id=run_id) from error
    day = rulebook.daily_loss
    initial = run.initial if rulebook.initial_balance is None else rulebook.initial_balance
    found = drawn(
        rulebook,
        account_days(run, zone if day is None else day.reset_tz),
        initial,
        halted=report["refusals"].get(HALTED, 0),
        draws=draws,
    )
    return {"backtest": run_id, "rulebook": rulebook.name, "initial_balance": initial, **found}


def _run(files: Files, run_id: str, initial: float) -> Run:
    table = pq.read_table(io.BytesIO(files.read_bytes(f"{FOLDER}/{run_id}/equity.parquet")))
    text = files.read_bytes(f"{FOLDER}/{run_id}/trades.csv").decode("utf-8-sig")
    trades = list(csv.DictReader(io.StringIO(text)))
    entries = [int(parse_iso(row["entry_time"]).timestamp()) for row in trades]
    exits = [
        int(parse_iso(row["exit_time"]).timestamp()) - (row["exit_reason"] in AT_A_CLOSE) for row in trades
    ]
    return Run(
        time=table["time"].to_numpy().astype("datetime64[s]").astype(np.int64),
        equity=table["equity"].to_numpy(),
        worst=table["worst"].to_numpy(),
        server_day=table["server_day"].to_numpy().astype(np.int64),
        entry_time=np.array(entries, dtype=np.int64),
        exit_time=np.array(exits, dtype=np.int64),
        net=np.array([float(row["net"]) for row in trades]),
        commission=np.array([float(row["commission"]) for row in trades]),
        initial=initial,
    )
