"""Our metrics against `quantstats`, where both define them alike; where they do not, how they differ.

``python -m tests.benchmarks.bench_quantstats`` installs quantstats into an environment of its own under
``.peers/`` and gives both the same days. Exit code 1 if two that are defined alike are not the same to 1e-9.
"""

import json
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np

from backend.backtest.metrics import compute_metrics
from tests.benchmarks.peer_environments import install, python_of
from tests.fakes.trades import MONDAY, result_of

VERSION = "0.0.86"
REQUIREMENTS = (f"quantstats=={VERSION}",)
DAYS = 1500
START = 10_000.0
DAY = 86_400
TOLERANCE = 1e-9

THEIRS = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd, quantstats as qs
given = json.load(open(sys.argv[1]))
days = pd.to_datetime(given["time"], unit="s")
returns = pd.Series(given["returns"], index=days)
year, growth = given["periods"], given["growth_periods"]
stats = qs.stats
json.dump({
    "sharpe": stats.sharpe(returns, periods=year),
    "sortino": stats.sortino(returns, periods=year),
    "volatility_ann_pct": 100 * stats.volatility(returns, periods=year),
    "max_drawdown_pct": -100 * stats.max_drawdown(returns),
    "cagr_pct": 100 * stats.cagr(returns, periods=growth),
    "calmar": stats.calmar(returns, periods=growth),
    "ulcer_index": 100 * stats.ulcer_index(returns),
    "var_95": -stats.value_at_risk(returns),
    "cvar_95": -stats.conditional_value_at_risk(returns),
    "psr": stats.probabilistic_sharpe_ratio(returns, periods=year),
}, sys.stdout, default=float)
"""

ALIKE = ("sharpe", "sortino", "volatility_ann_pct", "max_drawdown_pct", "cagr_pct", "calmar")
OTHERWISE = {
    "ulcer_index": "quantstats divides by n − 1, we by n",
    "var_95": "quantstats fits a normal distribution, ours is historical",
    "cvar_95": "quantstats averages what lies beyond its normal VaR, we the worst 5 % of days",
    "psr": "quantstats takes unbiased moments, we plain ones",
}


def main() -> int:
    install("quantstats", REQUIREMENTS, seconds=600)
    random = np.random.default_rng(11)
    returns = random.standard_t(4, DAYS) * 0.006 + 0.0003
    equity = START * np.cumprod(1 + returns)
    time = MONDAY + DAY * np.arange(1, DAYS + 1)
    # one close a day, and no bar worse than its close: there both see the same path
    result = result_of(equity.tolist(), time=time.tolist(), balance=Decimal(repr(float(equity[-1]))))
    ours = compute_metrics(result, Decimal(int(START)), began=MONDAY).values
    path = np.concatenate(([START], equity))
    given = {
        "time": time.tolist(),
        "returns": (np.diff(path) / path[:-1]).tolist(),
        "periods": 252,
        # quantstats counts years in periods, we in days of the calendar: a day a bar makes 365.25 of them
        "growth_periods": 365.25,
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.json"
        file.write_text(json.dumps(given), encoding="utf-8")
        told = subprocess.run(
            [str(python_of("quantstats")), "-c", THEIRS, str(file)],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
    theirs = json.loads(told.stdout)
    wrong = []
    print(f"{DAYS} days, quantstats {VERSION}")
    for key in (*ALIKE, *OTHERWISE):
        same = abs(ours[key] - theirs[key]) <= TOLERANCE * max(1.0, abs(theirs[key]))
        verdict = OTHERWISE.get(key, "same" if same else "NOT THE SAME")
        wrong += [key] if key in ALIKE and not same else []
        print(f"{key:20} ours {ours[key]:14.9f}  theirs {theirs[key]:14.9f}  {verdict}")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
