"""What a report costs beside the run: ``python -m tests.benchmarks.bench_metrics``.

A million bars and ten thousand trades: every metric with its breakdowns, the hash of the bars, and the
files. Median and best of several rounds after one that warms up.
"""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from backend.backtest.breakdowns import breakdowns, cost_waterfall
from backend.backtest.columns import COLUMNS, Trades
from backend.backtest.metrics import compute_metrics
from backend.backtest.model import Instants
from backend.backtest.provenance import bars_hash
from backend.backtest.report_files import equity_parquet
from backend.backtest.trades_csv import trades_csv
from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from tests.fakes.trades import BOOK, result_of

BARS, TRADES, ROUNDS = 1_000_000, 10_000, 9
START = Decimal(10_000)
TARGETS_MS = {"metrics and breakdowns": 8.0, "trades.csv": 150.0}


def made_trades(random: np.random.Generator, time: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Trades:
    columns = {name: random.integers(1, 1000, TRADES) for name in COLUMNS}
    entry = np.sort(random.choice(time[:-1500], TRADES))
    columns |= {
        "stream": np.zeros(TRADES, dtype=np.int64),
        "side": random.choice(np.array([-1, 1]), TRADES),
        "reason": random.integers(0, 12, TRADES),
        "net": random.integers(-5_000, 5_200, TRADES),
        "risk": np.full(TRADES, 5_000),
        "entry_time": entry,
        "exit_time": entry + random.integers(60, 86_400, TRADES),
        "entry_price": random.integers(100_000, 120_000, TRADES),
    }
    return Trades(books=(BOOK,), digits=2, **columns)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Median and best milliseconds."""
    work()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken), 1000 * min(taken)


def main() -> None:
    random = np.random.default_rng(1)
    equity = 10_000 * np.exp(np.cumsum(random.normal(1e-7, 1e-4, BARS)))
    moments = 1_500_000_000 + 60 * np.arange(BARS, dtype=np.int64)
    result = replace(
        result_of([1.0], trades=made_trades(random, moments)),
        equity=equity,
        moved=np.arange(BARS),
        lowest=equity * 0.9999,
        when=lambda: Instants(moments, 0, moments),
    )
    columns: dict[str, Any] = {name: equity.copy() for name in ("open", "high", "low", "close")}
    columns |= {name: moments.copy() for name in ("server_time", "volume", "spread")}
    bars = Bars(symbol="EURUSD", timeframe=Timeframe.M1, time=moments, **columns)

    def metrics() -> None:
        compute_metrics(result, START)
        breakdowns(result.trades)
        cost_waterfall(result.trades)

    taken = {
        "metrics and breakdowns": measured(metrics),
        "hash of the bars": measured(lambda: bars_hash(bars)),
        "trades.csv": measured(lambda: trades_csv(result.trades)),
        "equity.parquet": measured(lambda: equity_parquet(result)),
    }
    print(f"machine: {platform.platform()}, Python {platform.python_version()}")
    print(f"{BARS:,} bars, {TRADES:,} trades, {ROUNDS} rounds")
    for name, (median, best) in taken.items():
        target = TARGETS_MS.get(name)
        aim = f"  (target at most {target:g})" if target else ""
        print(f"{name:24} {median:8.1f} ms, best {best:.1f}{aim}")


if __name__ == "__main__":
    main()
