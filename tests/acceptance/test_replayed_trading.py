"""A real desk in autonomous mode over recorded minutes, and `mt5ui backtest` of the same: equal to the cent.

Decisions, approval, sending, management, closing and the file of trades by the processes of a desk, the clock
standing at each closed bar until their work is done.
"""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import iso
from backend.trading.reasons import Reason
from tests.acceptance.desk_process import READY, DeskProcess, start_desk
from tests.fakes.desk import ROOT
from tests.fakes.replayed import COMMISSION, STRATEGY, SYMBOL, autonomous_config

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("replay"), pytest.mark.market_data]

SAME = (
    "symbol",
    "side",
    "strategy",
    "entry_time",
    "exit_reason",
    "volume",
    "entry_price",
    "initial_stop",
    "initial_target",
    "exit_price",
    "commission",
    "swap",
    "net",
    "r",
)
"""Columns that are the same. `gross` is not: the broker's has the spread in it."""
BEGIN = datetime(2014, 5, 1, tzinfo=UTC)
"""Where a replay of these files begins."""
TEXTS = {"symbol", "side", "strategy", "entry_time", "exit_reason"}


def minutes(data: Path, to: Path) -> Path:
    """A folder with the minutes and hours of the symbol alone: a day of ticks has other prices than they."""
    for part in ("hour/eurusd.zip", "minute/eurusd"):
        source, target = data / "lean" / part, to / part
        target.parent.mkdir(parents=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return to.resolve()


def configured(folder: Path, management: dict[str, float]) -> None:
    """Configure a desk that trades one strategy by itself, at the broker's known costs."""
    autonomous_config(folder / "config")
    (folder / "config/simulator.json").write_text(json.dumps({"account": {"commission": float(COMMISSION)}}))
    strategy = folder / f"config/ai/strategies/{STRATEGY}.json"
    stated = json.loads(strategy.read_text(encoding="utf-8"))
    stated["strategy"]["management"] = management
    strategy.write_text(json.dumps(stated), encoding="utf-8")
    rows = (folder / "config/symbol_map.csv").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if row.startswith(("canonical", f"{SYMBOL},"))]
    (folder / "config/symbol_map.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")


def played(home: Path, data: Path, until: datetime, patience: float) -> list[dict[str, Any]]:
    """Let a desk play a folder; the rows of the trades closed by then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = dict(os.environ) | {"MT5UI_HOME": str(home)}
    desk = start_desk(home, port, env, "--replay", str(data), "--speed", "1000000")
    try:
        desk.wait_for_line(READY, 60)
        desk.wait_until(lambda: _now(desk) > until, patience, f"desk time is {until}")
        lost = desk.get("/api/trade-ideas", status=["unknown", "sending", "failed"]).json()
        assert lost["items"] == []
        desk.stop(15)
    finally:
        desk.destroy()
    rows = rows_of(sorted((home / "logs").glob("trades_*.csv")))
    return [row for row in rows if datetime.fromisoformat(row["exit_time"]) < until]


def _now(desk: DeskProcess) -> datetime:
    return datetime.fromisoformat(desk.get("/api/status").json()["desk_time"])


def backtested(home: Path, data: Path, until: datetime) -> list[dict[str, Any]]:
    """The rows of `mt5ui backtest` of the same time, without a trade that the end cuts off."""
    span = ["--from", iso(BEGIN), "--to", iso(until), "--balance", "10000"]
    costs = ["--costs", "slippage_points=0", "--costs", f"commission_per_lot={COMMISSION}"]
    run = subprocess.run(
        [sys.executable, "-m", "backend.cli", "backtest", STRATEGY, "--data", data, *span, *costs, "--json"],
        cwd=ROOT,
        env=dict(os.environ) | {"MT5UI_HOME": str(home)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    rows = rows_of([home / "data/backtests" / json.loads(run.stdout)["id"] / "trades.csv"])
    return [row for row in rows if row["exit_reason"] != Reason.END]


def rows_of(files: list[Path]) -> list[dict[str, Any]]:
    rows = [row for path in files for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    return sorted(rows, key=lambda row: row["entry_time"])


def figures(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] if name in TEXTS else float(row[name]) for name in SAME)


def compared(
    home: Path, market_data: Path, until: datetime, *, patience: float = 3000.0, **management: float
) -> int:
    """Play and backtest the same time; gives how many trades were closed."""
    data = minutes(market_data, home / "recorded")
    configured(home, management)
    live, test = played(home, data, until, patience), backtested(home, data, until)
    assert [figures(row) for row in live] == [figures(row) for row in test]
    for one, other in zip(live, test, strict=True):
        late = datetime.fromisoformat(one["exit_time"]) - datetime.fromisoformat(other["exit_time"])
        assert timedelta(0) <= late < timedelta(minutes=1), "a minute does not say when in it"
    return len(live)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_the_first_trades_are_those_of_the_backtest(tmp_path: Path, market_data: Path) -> None:
    assert compared(tmp_path, market_data, datetime(2014, 5, 2, 7, tzinfo=UTC), patience=240) == 3


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_two_weeks_are_traded_as_the_backtest_says_to_the_cent(tmp_path: Path, market_data: Path) -> None:
    assert compared(tmp_path, market_data, datetime(2014, 5, 15, tzinfo=UTC)) >= 20
