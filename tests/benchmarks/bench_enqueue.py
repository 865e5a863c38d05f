"""How fast jobs are queued, against Celery's bare `apply_async` on the same broker.

``python -m tests.benchmarks.bench_enqueue`` prints the rate of each with 20 clients at once, the
ratio, and the 99th percentile of one submission. Every submitted job must have its row in the ledger.
"""

import platform
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

from tests.fakes.jobs_desk import JobsDesk

CLIENTS = 20
EACH = 100
ROUNDS = 3
TARGET_SHARE = 0.60
TARGET_P99 = 0.050


def measure(work: Callable[[], object]) -> tuple[float, list[float]]:
    """(calls a second, seconds of each call) with all clients at once."""
    barrier = threading.Barrier(CLIENTS + 1)
    taken: list[list[float]] = [[] for _ in range(CLIENTS)]

    def client(number: int) -> None:
        barrier.wait()
        for _ in range(EACH):
            began = time.perf_counter()
            work()
            taken[number].append(time.perf_counter() - began)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return CLIENTS * EACH / (time.perf_counter() - began), sorted(chain.from_iterable(taken))


def echo(text: str) -> dict[str, str]:
    return {"text": text}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, JobsDesk(Path(folder), "redis") as desk:
        from backend.jobs.app import build_app
        from backend.jobs.broker import resolve
        from tests.fakes import probe_tasks

        app = build_app(resolve(desk.settings))
        make: Any = app.task
        bare = make(echo, name="bare", queue="maintenance")
        jobs = desk.runtime.jobs
        made: list[str] = []
        task = f"{probe_tasks.NAME}.echo"
        rates: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            bare_rate, _bare_times = measure(lambda: bare.apply_async(kwargs={"text": "x"}))
            rate, times = measure(lambda: made.append(jobs.submit(task, {"text": "x"}, actor="bench")))
            rates.append((bare_rate, rate, times[int(len(times) * 0.99)]))
        bare_rate, rate, p99 = sorted(rates, key=lambda each: each[1] / each[0])[len(rates) // 2]
        index = desk.runtime.ledger.refresh()
        assert len(made) == len(set(made)) == ROUNDS * CLIENTS * EACH
        assert all(index.get(job_id) is not None for job_id in made), "a job without its row"
        print(f"machine: {platform.platform()}, Python {platform.python_version()}, {CLIENTS} clients")
        print(f"bare apply_async: {bare_rate:8.0f} a second")
        print(f"Jobs.submit:      {rate:8.0f} a second, each with its row synced before it was published")
        print(f"ratio:            {rate / bare_rate:8.2f}  (target at least {TARGET_SHARE})")
        print(f"p99:              {p99 * 1000:8.1f} ms (target at most {TARGET_P99 * 1000:.0f})")


if __name__ == "__main__":
    main()
