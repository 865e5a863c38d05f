"""How fast a POST queues a job, against Celery's bare `apply_async` on the same broker.

``python -m tests.benchmarks.bench_enqueue`` starts a private Redis, the API as the desk starts it, and
the load in processes of its own: twenty clients that post, and `apply_async` of a plain Celery app and
of one with the desk's settings. Their rounds take turns; the median of the rounds is told. Each
accepted task must have its row in the ledger and its message at the broker. Exits with 1 if a goal
is missed.
"""

import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil

from tests.benchmarks.enqueue_load import CLIENTS
from tests.fakes.jobs_desk import JobsDesk

PATH = "/api/celery/tasks/maintenance/health-check"
QUEUE = "monitoring"
CALLS = 3_000
ROUNDS = 7
LEAST_SHARE = 0.60
MOST_P99 = 0.050


def ask(load: Popen[str], count: int) -> dict[str, Any]:
    """One round of that load."""
    assert load.stdin is not None
    assert load.stdout is not None
    print(count, file=load.stdin, flush=True)
    line = load.stdout.readline()
    assert line, "the load ended"
    answer: dict[str, Any] = json.loads(line)
    return answer


def check_ledger(desk: JobsDesk, ids: list[str]) -> None:
    """Every accepted task is there: its row on the disk, its message at the broker."""
    assert len(ids) == len(set(ids))
    rows = "".join(path.read_text() for path in desk.home.glob("data/task_runs/ledger/api-*.jsonl"))
    queued = {row["job"] for row in map(json.loads, rows.splitlines()) if row.get("kind") == "QUEUED"}
    missing = set(ids) - queued
    assert not missing, f"{len(missing)} accepted tasks have no row in the ledger"
    depth = desk.runtime.publisher.depths([QUEUE])[QUEUE]
    assert depth == len(ids), f"{len(ids)} tasks were accepted and {depth} messages wait"


def main() -> int:
    """Print rates and ratios with the machine's name and load; 1 if a goal is missed."""
    before = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, JobsDesk(Path(folder), "redis") as desk:
        port = desk.start_api()
        posts = desk.start_load("post", str(port), PATH)
        bare = {kind: desk.start_load("apply", kind) for kind in ("plain", "desk")}
        ids = ask(posts, CALLS // 10)["ids"]  # warm
        for load in bare.values():
            ask(load, CALLS // 10)
        rates: dict[str, list[float]] = {kind: [] for kind in ("post", *bare)}
        p99s: list[float] = []
        for _ in range(ROUNDS):
            for kind, load in bare.items():
                rates[kind].append(CALLS / ask(load, CALLS)["seconds"])
            found = ask(posts, CALLS)
            rates["post"].append(CALLS / found["seconds"])
            p99s.append(statistics.quantiles(found["taken"], n=100)[98])
            ids += found["ids"]
        check_ledger(desk, ids)
    share = {
        kind: statistics.median(post / other for post, other in zip(rates["post"], rates[kind], strict=True))
        for kind in bare
    }
    p99 = statistics.median(p99s)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"load of the machine: {before:.1f} before, {psutil.getloadavg()[0]:.1f} after, its own included")
    print(f"medians of {ROUNDS} rounds of {CALLS:,} calls that take turns; all {len(ids):,} rows are there")
    for kind, name in (("plain", "a plain app"), ("desk", "the desk's app")):
        rate = statistics.median(rates[kind])
        print(f"apply_async, {name:<15}{rate:>7,.0f}/s; POST does {share[kind]:.0%} of it")
    rate = statistics.median(rates["post"])
    print(f"POST, {CLIENTS} clients            {rate:>7,.0f}/s; p99 {p99 * 1000:.1f} ms")
    print(f"goals: at least {LEAST_SHARE:.0%} of each, p99 at most {MOST_P99 * 1000:.0f} ms")
    return 0 if min(share.values()) >= LEAST_SHARE and p99 <= MOST_P99 else 1


if __name__ == "__main__":
    sys.exit(main())
