"""Ours in a new process: how much memory a large run takes, and how soon a second process is ready.

``python -m tests.benchmarks.peers.ours_alone large BARS`` or ``… ready``; prints one line of JSON.
"""

import gc
import json
import statistics
import sys
import time
from typing import Any

ROUNDS = 5


def large(count: int) -> dict[str, Any]:
    """Make the market, run it several times, and say the most memory that was ever resident."""
    from backend.backtest.compiling import prepare
    from backend.backtest.metrics import compute_metrics
    from backend.backtest.running import run_backtest
    from tests.benchmarks.peers.ours import ACCOUNT, bars_of, job_of
    from tests.benchmarks.peers.work import market

    prepare()
    job = job_of(bars_of(market(count)))
    data = peak_bytes()
    taken = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        result = run_backtest(job)
        taken.append(time.process_time() - began)
        trades = len(result.trades)
        compute_metrics(result, ACCOUNT.balance)
        del result
    return {
        "processor_seconds": statistics.median(taken),
        "trades": trades,
        "data_bytes": data,
        "peak_bytes": peak_bytes(),
    }


def ready() -> dict[str, Any]:
    """From everything imported to the end of a first run, in a process that finds the engine compiled."""
    from backend.backtest.compiling import prepare
    from backend.backtest.running import run_backtest, warm
    from tests.benchmarks.peers.ours import bars_of, job_of
    from tests.benchmarks.peers.work import market

    compiler_at_import = "numba" in sys.modules
    job = job_of(bars_of(market(2000)))
    import numba.core.event as compiling  # what a run imports late is imported before the clock starts

    with compiling.install_recorder("numba:compile") as compiled:
        began = time.perf_counter()
        prepare()
        warm()
        is_ready = time.perf_counter() - began
        run_backtest(job)
        first = time.perf_counter() - began
    return {
        "ready_seconds": is_ready,
        "first_run_seconds": first,
        "compiled": len(compiled.buffer) // 2,
        "compiler_at_import": compiler_at_import,
    }


def peak_bytes() -> int:
    if sys.platform == "win32":
        import psutil

        peak = int(psutil.Process().memory_info().peak_wset)
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
    return peak


if __name__ == "__main__":
    print(json.dumps(large(int(sys.argv[2])) if sys.argv[1] == "large" else ready()))
