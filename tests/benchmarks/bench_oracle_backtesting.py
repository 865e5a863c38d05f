"""Every trade of ours against `backtesting` (an external tool: AGPL, run in an environment of its own).

A case whose rules coincide: no commission, no slippage, long only, a market order of a bar's close filled at
the next open, one stop and one target given with the order, a rule that closes at the next open, and bars
whose open is the close before (the two differ where a bar opens beyond a target: there backtesting gives the
better price, we do not). Theirs: ``trade_on_close=False``, ``spread=0``, ``commission=0``, ``margin=1``,
``hedging=False``, ``exclusive_orders=False``; both read a bar that has stop and target as a stop. Ours takes
no spread of zero, so it has one of a point, which is added to their levels and taken off our entry prices.

Exits with 1 unless entry bar, entry price, stop, target, exit bar and exit price of all trades are the same.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.backtest.compiling import prepare
from backend.backtest.model import Costs
from backend.backtest.running import run_backtest
from backend.trading.reasons import REASONS, Reason
from tests.benchmarks.bench_backtest import REQUIREMENTS
from tests.benchmarks.peer_environments import ROOT, install, python_of
from tests.benchmarks.peers import work
from tests.benchmarks.peers.ours import SYMBOL, WARM_UP, bars_of, job_of

BARS = 100_000
NAME = "backtesting"


def ours(columns: work.Columns) -> dict[str, np.ndarray]:
    """Our trades in their words: bars by index, prices in points."""
    prepare()
    columns = columns | {"spread": np.ones(BARS, dtype=np.int64)}
    job = job_of(bars_of(columns))
    (stream,) = job.streams
    swapless = replace(SYMBOL, swap_long=Decimal(0), swap_short=Decimal(0))
    stream = replace(stream, instrument=swapless, costs=Costs())
    limits = job.limits.model_copy(update={"no_entries_before_weekend_minutes": 0.0})
    trades = run_backtest(replace(job, streams=(stream,), limits=limits)).trades
    closed = trades.reason != REASONS.index(Reason.END)
    return {
        "EntryBar": np.searchsorted(columns["time"], trades.entry_time)[closed],
        "EntryPrice": trades.entry_price[closed] - 1,
        "ExitBar": np.searchsorted(columns["time"], trades.exit_time)[closed],
        "ExitPrice": trades.exit_price[closed],
        "SL": trades.initial_stop[closed],
        "TP": trades.initial_target[closed],
        "reason": trades.reason[closed],
    }


def theirs(columns: work.Columns) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        work.save(columns, Path(folder))
        told = subprocess.run(
            [
                str(python_of(NAME)),
                "-W",
                "ignore",
                "-m",
                "tests.benchmarks.peers.backtesting_oracle",
                folder,
                str(BARS),
                str(WARM_UP),
            ],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    found = json.loads(told.stdout)
    return {
        name: np.array(values) if name.endswith("Bar") else np.rint(np.array(values) / work.POINT)
        for name, values in found.items()
    }


def main() -> int:
    install(NAME, REQUIREMENTS[NAME], seconds=600)
    columns = work.market(BARS)
    mine, other = ours(columns), theirs(columns)
    reasons = [str(REASONS[index]) for index in mine.pop("reason")]
    print(f"{BARS:,} bars, {', '.join(REQUIREMENTS[NAME])}")
    print(f"trades: ours {len(mine['EntryBar'])}, theirs {len(other['EntryBar'])}")
    print(", ".join(f"{reasons.count(name)} {name}" for name in sorted(set(reasons))))
    same = len(reasons) > 0 and len(mine["EntryBar"]) == len(other["EntryBar"])
    for name, values in mine.items():
        equal = same and bool((values == other[name]).all())
        print(f"{name:<11}{'the same' if equal else 'NOT the same'}")
        if same and not equal:
            first = int(np.argmax(values != other[name]))
            print(f"  first in trade {first}: ours {values[first]}, theirs {other[name][first]}")
    return 0 if same and all(bool((values == other[name]).all()) for name, values in mine.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
