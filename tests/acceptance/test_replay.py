"""Real prices of May 2014 replayed by a real desk; its decisions are held against the files themselves."""

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.desk_process import READY, DeskProcess, start_desk

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("replay"), pytest.mark.timeout(420)]

FIRST = datetime(2014, 5, 1, tzinfo=UTC)
LAST = datetime(2014, 5, 16, tzinfo=UTC)
MINUTES = {"M15": 15, "H1": 60}
SYMBOLS = {"EURUSD", "XAUUSD"}
WANTED_DECISIONS = 60


@cache
def bid_closes(folder: Path, symbol: str) -> dict[datetime, Decimal]:
    """Bid close of each minute, by its open, read straight from the zips."""
    closes = {}
    for path in sorted((folder / "lean" / "minute" / symbol.lower()).glob("*_quote.zip")):
        day = datetime.strptime(path.name[:8], "%Y%m%d").replace(tzinfo=UTC)
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
        for row in csv.reader(io.StringIO(text)):
            if row[4]:
                closes[day + timedelta(milliseconds=int(row[0]))] = Decimal(row[4])
    return closes


def close_of_bar(closes: dict[datetime, Decimal], opened: datetime, minutes: int) -> Decimal:
    """The last minute's close inside the bar; quiet minutes are missing from the files."""
    inside = [opened + timedelta(minutes=minute) for minute in range(minutes)]
    return next(closes[minute] for minute in reversed(inside) if minute in closes)


@pytest.fixture(scope="module")
def desk(market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    import shutil
    import socket

    home = tmp_path_factory.mktemp("replay")
    shutil.copytree(Path(__file__).resolve().parents[2] / "config", home / "config")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = dict(os.environ) | {"MT5UI_HOME": str(home)}
    desk = start_desk(home, port, env, "--replay", str(market_data / "lean"), "--speed", "1000000")
    try:
        desk.wait_for_line(READY, 60)
        yield desk
        desk.stop(15)
    finally:
        desk.destroy()


def decisions(desk: DeskProcess) -> list[dict[str, Any]]:
    found = []
    for path in sorted((desk.home / "data" / "decisions").glob("decisions_*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                record = json.loads(line)
                if record["kind"] == "decision":
                    found.append(record["payload"])
    return found


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def made(desk: DeskProcess) -> list[dict[str, Any]]:
    def enough() -> list[dict[str, Any]]:
        found = decisions(desk)
        ideas = list((desk.home / "data" / "trade_ideas").glob("*.json"))
        symbols = {decision["symbol"] for decision in found if decision["levels"]}
        return found if len(found) >= WANTED_DECISIONS and ideas and symbols == SYMBOLS else []

    found: list[dict[str, Any]] = desk.wait_until(
        enough, 240, f"{WANTED_DECISIONS} decisions, an idea, levels of both symbols"
    )
    return found


def test_decisions_are_made_at_closed_bars_of_the_replayed_time(made: list[dict[str, Any]]) -> None:
    for decision in made:
        opened, closed = instant(decision["bar_time"]), instant(decision["bar_close"])
        assert closed - opened == timedelta(minutes=MINUTES[decision["timeframe"]])
        assert closed <= instant(decision["decided_at"])
        assert FIRST - timedelta(days=7) < closed < LAST


def test_one_decision_a_strategy_symbol_and_bar(made: list[dict[str, Any]]) -> None:
    keys = [(d["strategy_id"], d["symbol"], d["timeframe"], d["bar_time"]) for d in made]
    assert len(set(keys)) == len(keys)
    assert len({decision["id"] for decision in made}) == len(made)


def test_levels_follow_from_the_real_bars(made: list[dict[str, Any]], market_data: Path) -> None:
    checked = 0
    for decision in made:
        levels = decision["levels"]
        if levels is None or instant(decision["bar_time"]) < FIRST:
            continue
        symbol, tick = decision["symbol"], Decimal(str(levels["tick_size"]))
        closes = bid_closes(market_data, symbol)
        close = close_of_bar(closes, instant(decision["bar_time"]), MINUTES[decision["timeframe"]])
        half_tick = tick / 2
        reference = Decimal(str(levels["reference"]))
        if levels["side"] == "sell":
            assert abs(reference - close) <= half_tick, decision
        else:
            spread = tick * levels["spread_ticks"]
            assert abs(reference - spread - close) <= half_tick, decision
        sign = 1 if levels["side"] == "buy" else -1
        entry, stop, target = (Decimal(str(levels[name])) for name in ("entry", "stop", "target"))
        assert sign * (entry - stop) == tick * levels["stop_ticks"] > 0
        assert sign * (target - entry) == tick * levels["target_ticks"] > 0
        checked += 1
    assert checked >= 10


def test_ideas_carry_the_levels_of_their_decisions(desk: DeskProcess, made: list[dict[str, Any]]) -> None:
    by_id = {decision["id"]: decision for decision in decisions(desk)}
    assert made
    for path in sorted((desk.home / "data" / "trade_ideas").glob("*.json")):
        idea = json.loads(path.read_bytes())
        decision = by_id[idea["decision_id"]]
        assert path.name.startswith(f"{decision['symbol']}_2014")
        assert decision["action"] in {"open_or_scale", "pending_only"}
        assert idea["status"] in {"pending_approval", "superseded", "expired"}
        for name in ("entry", "stop", "target"):
            assert idea[name] == decision["levels"][name]


def test_the_status_tells_both_times(desk: DeskProcess, made: list[dict[str, Any]]) -> None:
    assert made
    status = desk.get("/api/status").json()
    assert status["mode"] == "replay"
    assert FIRST <= instant(status["desk_time"]) < LAST
    assert instant(status["wall_time"]) > LAST
