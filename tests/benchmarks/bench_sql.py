"""What do questions over many files take? ``python -m tests.benchmarks.bench_sql``.

Makes a desk's folder with 1,000,000 minutes of bars, 20,000 ideas and 100,000 decisions of some two thousand
bytes, asks it to count and group them, and prints the medians of the rounds, the start of DuckDB and the
making of the views within. At last the whole command, with the start of Python.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import FixedClock, iso
from backend.core.timeframes import Timeframe
from backend.history.service import HistoryService
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.queries.service import Queries
from backend.storage.files import FileStorage

ROOT = Path(__file__).resolve().parents[2]
MINUTES, IDEAS, DECISIONS, ROUNDS = 1_000_000, 20_000, 100_000, 5
FIRST = datetime(2023, 1, 2, tzinfo=UTC)
CLOCK = ServerClock.parse("America/New_York+7")
QUESTIONS = {
    "count of the minutes": "SELECT count(*) FROM bars",
    "range by month of the minutes": "SELECT date_trunc('month', time) AS month, max(high) - min(low) "
    "FROM bars WHERE symbol = 'EURUSD' AND timeframe = 'M1' GROUP BY month ORDER BY month",
    "ideas by status": "SELECT status, count(*), sum(net) FROM ideas GROUP BY status",
    "count of the decisions": "SELECT count(*) FROM decisions",
    "decisions by strategy and action": "SELECT strategy, action, count(*), avg(confidence) FROM decisions "
    "GROUP BY ALL ORDER BY ALL",
    "decisions by refusing check": "SELECT check_name, count(*) FROM decisions, "
    "unnest(refused_by) AS refusal(check_name) GROUP BY check_name",
}


def make(home: Path) -> Queries:
    """The folder and what asks it."""
    data = FileStorage(home / "data", fsync=False)
    store = MarketStore(data, CLOCK)
    source = np.random.default_rng(7)
    times = int(FIRST.timestamp()) + np.arange(MINUTES) * 60
    close = 1.1 + np.cumsum(source.integers(-9, 10, MINUTES)) % 20_000 / 1e5
    store.append(
        Bars(
            symbol="EURUSD",
            timeframe=Timeframe.M1,
            time=times,
            server_time=np.asarray(CLOCK.to_server(times), dtype=np.int64),
            open=close,
            high=close + 1e-4,
            low=close - 1e-4,
            close=close,
            volume=source.integers(1, 400, MINUTES),
            spread=source.integers(1, 30, MINUTES),
        )
    )
    for number in range(IDEAS):
        data.write_json(f"trade_ideas/EURUSD_{number:05}.json", idea(number))
    for day in range(100):
        name = f"decisions/decisions_{FIRST + timedelta(days=day):%Y%m%d}.jsonl"
        data.append_jsonl(name, decisions(day * 1000))
    history = HistoryService(
        data, store, CLOCK, FixedClock(FIRST), canonical=lambda _: None, usual=lambda _: None
    )
    return Queries(FileStorage(home, fsync=False), history.files)


def idea(number: int) -> dict[str, Any]:
    """A closed or expired idea with its history."""
    at = iso(FIRST + timedelta(minutes=number))
    steps = [
        {"version": one, "action": "step", "at": at, "by": "desk", "why": "made", "changes": {}}
        for one in range(6)
    ]
    return {
        "id": f"i-{number}",
        "symbol": "EURUSD",
        "strategy_id": f"S{number % 10}",
        "status": "closed" if number % 3 else "expired",
        "created_at": at,
        "entry": 1.1,
        "stop": 1.09,
        "target": 1.12,
        "volume": 0.1,
        "result": {"net": (number % 200) - 90.5, "r": 0.5, "closed_at": at} if number % 3 else None,
        "history": steps,
        "reasons": ["a reason in some words"] * 4,
    }


def decisions(first: int) -> Iterator[dict[str, Any]]:
    """Records of a day."""
    facts = {f"fact_{one}": one / 7 for one in range(60)}
    for number in range(first, first + 1000):
        at = iso(FIRST + timedelta(minutes=number))
        payload = {
            "id": f"d-{number}",
            "strategy_id": f"S{number % 10}",
            "symbol": "EURUSD",
            "timeframe": "M15",
            "decided_at": at,
            "signal": "long" if number % 2 else None,
            "action": ("observe", "blocked", "pending_approval")[number % 3],
            "confidence": {"score": number % 100, "parts": facts},
            "refusals": [{"check": f"check_{one}", "reason": "in words"} for one in range(number % 4)],
            "reasons": ["a reason in some words"] * 4,
            "facts": facts,
        }
        yield {
            "seq": number + 1,
            "kind": "decision",
            "at": at,
            "at_wall": at,
            "actor": "schedule",
            "payload": payload,
        }


def seconds(queries: Queries, sql: str) -> float:
    """What one answer takes."""
    began = time.perf_counter()
    queries.ask(sql, lambda _, rows: [*rows])
    return time.perf_counter() - began


def main() -> None:
    """Make, ask, print."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        queries = make(home)
        size = sum(path.stat().st_size for path in home.rglob("*.jsonl")) / 1e6
        print(f"{MINUTES:,} bars, {IDEAS:,} ideas, {DECISIONS:,} decisions in {size:.0f} MB")
        for name, sql in QUESTIONS.items():
            taken = [seconds(queries, sql) for _ in range(ROUNDS)]
            print(f"{name}: median {statistics.median(taken):.2f} s of {ROUNDS} rounds")
        command = [sys.executable, "-m", "backend.cli", "sql", "--csv", QUESTIONS["ideas by status"]]
        (home / "config").mkdir()
        began = time.perf_counter()
        subprocess.run(
            command, cwd=ROOT, env=os.environ | {"MT5UI_HOME": str(home)}, check=True, capture_output=True
        )
        print(f"the whole command, ideas by status: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
