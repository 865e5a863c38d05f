"""A real desk decides each bar within 5 s of its close."""

import json
import os
import shutil
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.config import Settings
from backend.core.clock import parse_iso
from backend.mt5.constants import COPY_TICKS_ALL
from backend.mt5.server_time import ServerClock
from backend.simulator.build import build_simulated_terminal
from tests.acceptance.clones import ROOT
from tests.acceptance.desk_process import READY, DeskProcess, start_desk

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.full,
    pytest.mark.xdist_group("desk"),
    pytest.mark.timeout(420),
]

SYMBOLS = ("EURUSD", "XAUUSD")
BARS = 3
CLOSED_AFTER = timedelta(seconds=10)
STRATEGY = {
    "id": "MINUTES",
    "symbols": SYMBOLS,
    "timeframe": "M1",
    "conditions": {"entry": ["close > ema(20)"]},
    "strategy": {"direction": "long"},
}


def minutes_decided(desk: DeskProcess) -> dict[tuple[str, datetime], dict[str, Any]]:
    """The journal's record of each minute bar, by symbol and the bar's end."""
    found = {}
    for path in (desk.home / "data" / "decisions").glob("decisions_*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            record = json.loads(line) if line.endswith("\n") else {}
            payload = record.get("payload", {})
            if record.get("kind") == "decision" and payload["timeframe"] == "M1":
                found[payload["symbol"], parse_iso(payload["bar_close"])] = record
    return found


def next_tick(symbol: str, after: datetime) -> datetime | None:
    """The simulated market's next tick within 10 s."""
    settings = Settings()
    clock = ServerClock.parse(settings.server_clock)
    start = clock.server_epoch(after)
    terminal = build_simulated_terminal(
        seed=settings.seed, replay=None, server_clock=clock, now=lambda: after + CLOSED_AFTER
    )
    terminal.initialize()
    ticks = terminal.copy_ticks_from(symbol, start, 1, COPY_TICKS_ALL)
    assert ticks is not None
    return after + timedelta(milliseconds=int(ticks["time_msc"][0]) - start * 1000) if len(ticks) else None


def test_each_minute_is_decided_within_five_seconds_of_its_close(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config" / "ai" / "strategies" / "MINUTES.json"
    path.write_text(json.dumps(STRATEGY), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    desk = start_desk(tmp_path, port, dict(os.environ) | {"MT5UI_HOME": str(tmp_path)})
    try:
        desk.wait_for_line(READY, 90)
        first = datetime.fromtimestamp(time.time() // 60 * 60 + 120, UTC)  # the first whole minute's end
        if next_tick("EURUSD", first) is None or next_tick("XAUUSD", first) is None:
            pytest.skip("the market is closed now, so no bar closes")
        ends = [first + timedelta(minutes=number) for number in range(BARS)]
        wanted = {(symbol, end) for symbol in SYMBOLS for end in ends}
        desk.wait_until(
            lambda: wanted <= minutes_decided(desk).keys(), 60 * (BARS + 2) + 20, "a decision of each minute"
        )
        for key in wanted:
            record = minutes_decided(desk)[key]
            late = parse_iso(record["at_wall"]) - (next_tick(*key) or key[1] + CLOSED_AFTER)
            assert timedelta(0) <= late <= timedelta(seconds=5), key
            assert not record["payload"]["missed"]
        desk.stop(15)
    finally:
        desk.destroy()
