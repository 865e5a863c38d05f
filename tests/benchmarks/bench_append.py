"""Does the 10,000th append cost more than the 10th? ``python -m tests.benchmarks.bench_append``.

Prints the ratio for .jsonl and .csv: the median over rounds of the cost around the 10,000th append
by that around the 10th. It is to be at most 1.5. Also prints what twenty threads append to a segment
log in a second, each record synced, and what an idle follower of that log costs.
"""

import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from backend.storage.appendlog import SegmentTail, SegmentWriter
from backend.storage.files import FileStorage

ROUNDS = 7
LAST = 10_000
AROUND = 15  # appends on each side that are timed: one alone is lost in the clock's noise
MOST = 1.5
COLUMNS = ["time", "ticket", "symbol", "profit"]
ROW = {"time": "2026-01-05T09:00:00Z", "ticket": 7, "symbol": "EURUSD", "profit": 1.25}
THREADS, EACH = 20, 500


def ratio(append: Callable[[FileStorage], object]) -> float:
    """Cost around the 10,000th append by that around the 10th, the median of the rounds."""
    ratios = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            storage = FileStorage(Path(folder))
            append(storage)  # the first one makes folder and file
            costs = []
            for _ in range(LAST + AROUND):
                began = time.perf_counter()
                append(storage)
                costs.append(time.perf_counter() - began)
            early = statistics.median(costs[: 10 + AROUND])
            late = statistics.median(costs[LAST - AROUND :])
            ratios.append(late / early)
    return statistics.median(ratios)


def segments() -> tuple[float, float]:
    """Records a second from twenty threads, and the share of one core that an idle follower takes."""
    with tempfile.TemporaryDirectory() as folder:
        storage = FileStorage(Path(folder))
        with SegmentWriter(storage, "runs", name="bench") as writer:

            def work() -> None:
                for _ in range(EACH):
                    writer.append(ROW)

            threads = [threading.Thread(target=work) for _ in range(THREADS)]
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate = THREADS * EACH / (time.perf_counter() - began)
            tail = SegmentTail(storage, "runs")
            if len(tail.poll()) != THREADS * EACH:
                raise AssertionError("records are missing")
            time.sleep(2.1)  # the folder's time stamp settles
            tail.poll()
            began = time.process_time()
            for _ in range(1000):
                tail.poll()
            return rate, (time.process_time() - began) / 1000 * 4


def main() -> None:
    """Print what was measured, on which machine; fails if an append grows with its file."""
    print(f"machine: {platform.machine()}, Python {platform.python_version()}, {platform.system()}")
    found = {
        "jsonl": ratio(lambda storage: storage.append_jsonl("logs/a.jsonl", [ROW])),
        "csv": ratio(lambda storage: storage.append_csv("logs/a.csv", COLUMNS, [ROW])),
    }
    for kind, value in found.items():
        print(f"append_{kind}: append {LAST:,} costs {value:.2f} times append 10 (at most {MOST})")
    rate, idle = segments()
    print(f"segment log: {rate:,.0f} synced records a second from {THREADS} threads")
    print(f"idle follower, four polls a second: {idle:.3%} of one core")
    if max(found.values()) > MOST:
        raise SystemExit("an append grows with its file")


if __name__ == "__main__":
    main()
