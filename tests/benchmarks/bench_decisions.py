"""100,000 decisions: ``python tests/benchmarks/bench_decisions.py``; exits with 1 when a goal is missed.

Goals: a page with filters in at most 200 ms, statistics too, the first one after a start included, and at
most 40 MB of memory for the index. Also prints how long a start takes with and without side files, and what
an append costs among so many.
"""

import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.core.clock import FixedClock, iso
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.files import FileStorage

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
COUNT, DAYS = 100_000, 40
MOST_MS, MOST_MB = 200.0, 40.0
ROUNDS = 9
WANTED = (
    ("no filter", Wanted()),
    ("symbol and action", Wanted(symbol="XAUUSD", action="blocked")),
    ("a check that refused", Wanted(refused_by="news_embargo", since=BEGIN)),
    ("confidence, signal, strategy", Wanted(min_confidence=60, signal="long", strategy="S7")),
    ("one hour, long ago", Wanted(since=BEGIN, until=BEGIN + timedelta(hours=1))),
    ("nothing has it", Wanted(symbol="NOSUCH")),
)


def made(count: int) -> Iterator[Entry]:
    """So many decisions as the desk makes them, for its journal; they vary in what one filters by."""
    from tests.fakes.desk import simulated_desk  # what measures is to carry what the API carries

    with tempfile.TemporaryDirectory() as sample:
        desk = simulated_desk(Path(sample), datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC))
        desk.ideas.evaluate_all(trigger="benchmark")
        shapes = [dict(record.payload) for record in desk.journal.newest(kind=Kind.DECISION)]
    each = max(1, count // DAYS)
    for number in range(count):
        changes: dict[str, Any] = {
            "id": f"d-{number:024x}",
            "decided_at": iso(_noon(number // each)),
            "strategy_id": f"S{number % 20}",
            "symbol": ("EURUSD", "XAUUSD", "GBPUSD", "USDJPY")[number % 4],
            "action": ("observe", "blocked", "wait_rr", "open_or_scale")[number // 4 % 4],
            "signal": (None, None, "long", "short")[number // 16 % 4],
            "refusals": [{"check": ("news_embargo", "session", "exposure")[number % 3]}],
        }
        payload = shapes[number % len(shapes)] | changes
        yield Entry(kind=Kind.DECISION, payload=payload, key=str(payload["id"]))


def written(folder: Path, count: int = COUNT) -> None:
    """Keep so many of them over forty days below a data folder, as the desk does."""
    storage = FileStorage(folder, fsync=False)
    entries = made(count)
    for day in range(DAYS):
        Journal(storage, FixedClock(_noon(day))).append_many(
            list(islice(entries, count // DAYS)), actor="benchmark"
        )


def _noon(day: int) -> datetime:
    return BEGIN + timedelta(days=day, hours=12)


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def opened(folder: Path) -> Journal:
    return Journal(FileStorage(folder), FixedClock(BEGIN + timedelta(days=DAYS + 1)))


def measured(folder: Path) -> None:
    """In a process that has done nothing yet; prints, and ends with 1 where a goal is missed."""
    book = opened(folder)
    first = milliseconds(lambda: book.decisions(WANTED[1][1], limit=50))
    print(f"first page after a start with side files: {first:.0f} ms")
    worst = first
    for name, wanted in WANTED:
        page = statistics.median(
            milliseconds(lambda: book.decisions(wanted, limit=50))  # noqa: B023 - used at once
            for _ in range(ROUNDS)
        )
        count = statistics.median(
            milliseconds(lambda: book.count(wanted))  # noqa: B023
            for _ in range(ROUNDS)
        )
        worst = max(worst, page, count)
        print(f"{name}: a page of 50 in {page:.1f} ms, statistics in {count:.1f} ms (at most {MOST_MS:.0f})")
    appended = [
        milliseconds(lambda: book.append(Kind.HALT, {"n": 1}, actor="benchmark", key=None))
        for _ in range(ROUNDS)
    ]
    print(f"an append among them: {statistics.median(appended):.1f} ms, synced")
    tracemalloc.start()
    other = opened(folder)
    other.decisions(WANTED[1][1], limit=50)
    held, peak = (size / 1e6 for size in tracemalloc.get_traced_memory())
    print(f"memory of the index: {held:.0f} MB held, {peak:.0f} MB while it starts (at most {MOST_MB:.0f})")
    if worst > MOST_MS or peak > MOST_MB:
        sys.exit("a goal is missed")


def main() -> None:
    """Write, measure, print the machine."""
    if len(sys.argv) > 1:
        measured(Path(sys.argv[1]))
        return
    print(f"machine: {platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = milliseconds(lambda: written(folder))
        size = sum(path.stat().st_size for path in (folder / "decisions").glob("decisions_*.jsonl"))
        print(f"{COUNT:,} decisions written in {took / 1000:.0f} s, {size / 1e6:.0f} MB")
        for side in (folder / "decisions" / "index").glob("*.npz"):
            side.unlink()
        start = milliseconds(lambda: opened(folder).count(Wanted()))
        print(f"start without side files, which are made then: {start / 1000:.1f} s")
        code = [sys.executable, str(Path(__file__).resolve()), name]
        sys.exit(subprocess.run(code, check=False).returncode)


if __name__ == "__main__":
    main()
