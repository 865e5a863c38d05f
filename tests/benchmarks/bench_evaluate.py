"""What evaluating costs: ``python tests/benchmarks/bench_evaluate.py``; exits with 1 when a goal is missed.

Goals, on one core, as the median of the rounds: `evaluate_all_strategies` over 10 symbols × 2 strategies
in 150 ms and over 500 × 2 in 5 s, warm, with a new closed bar for each of them; and one strategy on one
new bar with 500 bars of history in 0.5 ms. Counted is the processor time of the whole run, files
included, without the time inside the terminal, which is another process of the desk.
"""

import gc
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backend.economic_calendar.model import CalendarView
from backend.evaluation.deciding import Known
from backend.evaluation.engine import AIEngine
from backend.evaluation.statistics import profile_statistics
from backend.risk.limits import RiskLimits
from backend.risk.rules import DeskRules
from backend.simulator.build import build_simulated_terminal
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from tests.fakes.desk import ROOT, SERVER, MovedClock, SimulatedDesk, simulated_desk
from tests.fakes.instruments import instrument
from tests.fakes.shipped import ACCOUNT, MonthOf

START = datetime(2026, 3, 4, 7, 0, 5, tzinfo=UTC)
BASES = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "AUDUSD", "USDCHF", "USDCAD", "NZDUSD", "US30", "NAS100")
STRATEGIES = ("EURUSD_H1", "EURUSD_M15_MOMENTUM")
ROUNDS = 7
SINGLE_ROUNDS = 301
FEW_MS, MANY_MS, SINGLE_MS = 150.0, 5000.0, 0.5


class ManySymbols:
    """The simulated terminal under many more names: ``EURUSD.7`` is EURUSD. Counts the time inside it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._terminal: Any = build_simulated_terminal(seed=7, replay=None, server_clock=SERVER, now=now)
        self._now = now
        self._at: datetime | None = None
        self._answers: dict[Any, Any] = {}
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._terminal, name)

        def call(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                if not arguments or not isinstance(arguments[0], str):
                    return function(*arguments, **named)
                if self._at != self._now():
                    self._at, self._answers = self._now(), {}
                asked = (arguments[0].split(".")[0], *arguments[1:])
                if (name, asked) not in self._answers:
                    self._answers[name, asked] = function(*asked, **named)
                return self._answers[name, asked]
            finally:
                self.seconds += time.process_time() - began

        return call


def desk_of(folder: Path, count: int) -> tuple[SimulatedDesk, ManySymbols]:
    """A desk with so many symbols and two strategies of 15 minutes on each of them."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    names = [f"{BASES[number % len(BASES)]}.{number}" for number in range(count)]
    rows = [f"{name},{name},true,0.01,0.01," for name in names]
    header = "canonical,broker_symbol,enabled,min_vol,vol_step,comment"
    (config / "symbol_map.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    for path in (config / "ai" / "strategies").glob("*.json"):
        if path.stem not in STRATEGIES:
            path.unlink()
            continue
        strategy = json.loads(path.read_bytes())
        del strategy["symbol"]
        changed = strategy | {"symbols": names, "timeframe": "M15"}
        path.write_text(json.dumps(changed), encoding="utf-8")
    clock = MovedClock(START)
    terminal = ManySymbols(clock.now)
    storage = FileStorage(folder / "data")
    desk = simulated_desk(folder / "data", START, config=config, storage=storage, clock=clock, api=terminal)
    return desk, terminal


def evaluate_all(count: int, rounds: int = ROUNDS) -> float:
    """Milliseconds of work of one warm run in which each series has one new bar."""
    with tempfile.TemporaryDirectory() as folder:
        desk, terminal = desk_of(Path(folder), count)
        desk.ideas.evaluate_all(trigger="benchmark")
        costs, inside, waited = [], [], []
        for _ in range(rounds + 1):
            desk.clock.move(minutes=15)
            gc.collect()
            terminal.seconds = 0.0
            wall, work = time.perf_counter(), time.process_time()
            result = desk.ideas.evaluate_all(trigger="benchmark")
            costs.append((time.process_time() - work - terminal.seconds) * 1000)
            waited.append((time.perf_counter() - wall - terminal.seconds) * 1000)
            inside.append(terminal.seconds * 1000)
            if result["decisions"] != count * len(STRATEGIES) or result["problems"]:
                raise AssertionError(f"not every strategy was decided: {result}")
        median = statistics.median(costs[1:])  # the first one warms up
        print(
            f"evaluate_all_strategies, {count} symbols × 2: {median:.1f} ms of work "
            f"({statistics.median(waited[1:]):.1f} ms on the clock; the simulated terminal took another "
            f"{statistics.median(inside[1:]):.1f} ms)"
        )
        return median


def evaluate_one(strategy_id: str) -> float:
    """Milliseconds of one decision on a new bar with 500 bars of history, files aside."""
    month = MonthOf(end=datetime(2026, 3, 2, tzinfo=UTC))
    loaded = StrategyFiles(ROOT / "config" / "ai").load()
    strategy, profile = loaded.get(strategy_id), loaded.profile("EURUSD")
    whole = month.bars("EURUSD", strategy.timeframe)
    midnight = int(whole.server_time[-1]) // 86_400 * 86_400
    statistics_then = profile_statistics(whole, 14, midnight)
    engine = AIEngine(DeskRules(RiskLimits()))
    spec = instrument("EURUSD")
    start = whole.opened(-1) - timedelta(days=60)
    calendar = CalendarView(known=True, covered_from=start, covered_to=start + timedelta(days=90))
    costs, ideas = [], 0
    for back in range(SINGLE_ROUNDS, 0, -1):
        bars = whole[len(whole) - back - 500 : len(whole) - back]
        known = Known(
            instrument=spec,
            statistics=statistics_then,
            account=ACCOUNT,
            calendar=calendar,
            now=bars.opened(-1) + timedelta(seconds=bars.timeframe.seconds),
        )
        began = time.process_time()
        decision = engine.evaluate(strategy=strategy, profile=profile, bars=bars, known=known).decision
        costs.append((time.process_time() - began) * 1000)
        ideas += decision.action.makes_idea
    median = statistics.median(costs)
    print(
        f"{strategy_id} on one new bar, 500 bars of history: {median:.3f} ms "
        f"({ideas} ideas among {len(costs)} bars)"
    )
    return median


def main() -> int:
    """Print what was measured, on which machine; 1 if a goal is missed."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    found = [
        (evaluate_all(10), FEW_MS),
        (evaluate_all(500), MANY_MS),
        *((evaluate_one(strategy), SINGLE_MS) for strategy in STRATEGIES),
    ]
    print(f"goals: {FEW_MS:g} ms, {MANY_MS:g} ms, {SINGLE_MS:g} ms")
    return 0 if all(value <= goal for value, goal in found) else 1


if __name__ == "__main__":
    sys.exit(main())
