"""Our backtest beside those of others: ``python tests/benchmarks/bench_backtest.py [--write]``.

Installs each engine into an environment of its own under ``.peers/`` (the first time), gives all of them the
same work (`tests.benchmarks.peers.work`) in processes that stay up, one after the other, round after round,
and prints medians. Exits with 1 if a goal is missed or our trades are not the reference's. ``--write`` keeps
the table in docs/benchmarks.md; ``--install`` only installs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.backtest.compiling import prepare
from backend.backtest.running import run_backtest
from tests.benchmarks.backtest_table import (
    ENTRANTS,
    HUGE,
    LARGE,
    SIZES,
    SMALL,
    Entrant,
    Goal,
    alone_goals,
    goal_lines,
    keep,
    machine,
    speed_goals,
    table,
    versions_line,
)
from tests.benchmarks.peer_environments import ROOT, Engine, engine, install, installed, python_of
from tests.benchmarks.peers import work
from tests.benchmarks.peers.ours import bars_of, job_of
from tests.reference.engine import run_backtest as run_plain

ROUNDS = 5
IN_A_ROUND = 3
"""How often the fast ones are run in each round."""
INSTALL_SECONDS, MEASURE_UNTIL, OVERTIME = 360.0, 580.0, 140.0
READY_ROUNDS = 5
COMPARED_BARS = 20_000

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "vectorbt": ("vectorbt==1.2.0", "vectorbt-rust==1.2.0", "TA-Lib==0.8.2"),
    "backtesting": ("backtesting==0.6.6", "TA-Lib==0.8.2"),
    "nautilus": ("nautilus_trader==1.221.0",),
    "freqtrade": ("freqtrade==2026.9",),
    "jesse": ("jesse==3.5.3",),
    "backtrader": ("backtrader==1.9.78.123", "pandas==3.1.1"),
}


def main() -> int:
    began = time.monotonic()
    refused = install_all()
    if "--install" in sys.argv:
        print("\n".join(f"{name}: {refused.get(name, 'installed')}" for name in REQUIREMENTS))
        return 0
    subprocess.run([sys.executable, "-m", "backend.backtest.warming"], cwd=ROOT, check=True)
    before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work.save(work.market(LARGE), Path(folder))
        engines = start(stack, Path(folder), refused)
        measure(engines, Path(folder), began + MEASURE_UNTIL)
        versions = {name: running.versions for name, running in engines.items()}
    alone, goals = ours_alone(), []
    goals += [trades_equal(), *speed_goals(), *alone_goals(alone)]
    lines = [*machine(before), *table(), *versions_line(versions), *goal_lines(goals)]
    print("\n".join(lines))
    print(f"\n{time.monotonic() - began:.0f} s in all")
    if "--write" in sys.argv:
        keep(lines)
    return int(any(met is False for _, _, met in goals))


def install_all() -> dict[str, str]:
    """Install what is missing, two at a time; gives why for those that could not be."""
    deadline = time.monotonic() + INSTALL_SECONDS

    def one(name: str) -> str:
        left = deadline - time.monotonic()
        try:
            if not installed(name, REQUIREMENTS[name]) and left <= 0:
                return "no time left to install it: run with --install first"
            install(name, REQUIREMENTS[name], seconds=max(left, 1))
        except subprocess.TimeoutExpired:
            return f"not installed within {INSTALL_SECONDS:.0f} s: run with --install again"
        except subprocess.CalledProcessError as error:
            said = [line for line in error.stderr.splitlines() if line.startswith("ERROR")]
            return f"pip could not install it: {said[-1] if said else error}"
        return ""

    with ThreadPoolExecutor(max_workers=2) as pool:
        told = zip(REQUIREMENTS, pool.map(one, REQUIREMENTS), strict=True)
        return {name: reason for name, reason in told if reason}


def start(stack: ExitStack, data: Path, refused: dict[str, str]) -> dict[str, Engine]:
    """A process for each engine that is there, warmed with a few bars of each work."""
    modules = {"": "ours", **{name: f"{name}_peer" for name in REQUIREMENTS}}
    engines: dict[str, Engine] = {}
    for name, module in modules.items():
        mine = [entrant for entrant in ENTRANTS if entrant.name == name]
        reason = refused.get(name, "")
        if not reason:
            python = Path(sys.executable) if not name else python_of(name)
            home = data / f"home{name}"
            home.mkdir()
            try:
                running = stack.enter_context(engine(python, module, home / "said.txt"))
                for entrant in mine:
                    running.do(entrant.work, data, 5000)
                engines[name] = running
            except RuntimeError as error:
                reason = f"it does not run here: {error}"
        for entrant in mine:
            entrant.missing, entrant.failed = reason, bool(reason) and name not in refused
    return engines


def measure(engines: dict[str, Engine], data: Path, deadline: float) -> None:
    """Round after round, each in turn; what takes long is left out of a round once time is short."""
    needed = 0.0
    for number in range(ROUNDS):
        began, extra = time.monotonic(), 0.0
        if began > deadline + OVERTIME:
            print(f"no time for more than {number} rounds", flush=True)
            return
        for entrant, bars in turns():
            if entrant.missing:
                continue
            long = entrant.slow and bars == LARGE
            expected = 1.2 * entrant.seconds[SMALL][-1] * LARGE / SMALL if long else 0.0
            if long and time.monotonic() + expected + needed * (ROUNDS - number) > deadline:
                continue
            at = time.monotonic()
            try:
                for _ in range(IN_A_ROUND if entrant.fast else 1):
                    entrant.took(bars, engines[entrant.name].do(entrant.work, data, bars))
            except RuntimeError as error:
                entrant.missing, entrant.failed = f"it failed on {bars:,} bars: {error}", True
            extra += time.monotonic() - at if long else 0.0
        needed = needed or time.monotonic() - began - extra
        print(f"round {number + 1} of {ROUNDS}: {time.monotonic() - began:.0f} s", flush=True)


def turns() -> Iterator[tuple[Entrant, int]]:
    for bars in SIZES:
        for entrant in ENTRANTS:
            if bars in entrant.sizes:
                yield entrant, bars


def ours_alone() -> dict[str, Any]:
    """Our engine in processes of its own: memory, growth, how soon it is ready."""

    def told(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.peers.ours_alone", *arguments],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    ready = [told("ready") for _ in range(READY_ROUNDS)]
    return {
        "million": told("large", str(LARGE)),
        "huge": told("large", str(HUGE)),
        "ready": {name: statistics.median(one[name] for one in ready) for name in ready[0]},
    }


def trades_equal() -> Goal:
    """The compiled engine against the plain one, every trade in every column and every equity."""
    prepare()
    job = job_of(bars_of(work.market(COMPARED_BARS)))
    fast, plain = run_backtest(job), run_plain(job)
    same = (
        list(fast.trades) == list(plain.trades)
        and (fast.balance, fast.signals, fast.refusals) == (plain.balance, plain.signals, plain.refusals)
        and float(abs(fast.equity - plain.equity).max()) <= 1e-6
    )
    return (
        f"trades equal the reference path's on {COMPARED_BARS:,} bars",
        f"{len(fast.trades)} and {len(plain.trades)} trades, {'the same' if same else 'NOT the same'}",
        same and len(fast.trades) > 0,
    )


if __name__ == "__main__":
    sys.exit(main())
