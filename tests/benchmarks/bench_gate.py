"""What sizing and the gate take for one idea, at most 0.2 ms: `python -m tests.benchmarks.bench_gate`."""

import sys
import time
from dataclasses import replace
from decimal import Decimal
from typing import Final

from backend.risk.limits import RiskLimits
from backend.risk.rules import DeskRules
from backend.trading.account import AccountState
from backend.trading.conversion import Conversion
from backend.trading.desk import Circumstances, DeskState, Purpose
from backend.trading.sides import Side
from tests.unit.risk.test_gate import ACCOUNT, EURUSD, PROPOSAL, trade

BOUND_MS: Final = 0.2
ROUNDS: Final = 7
IDEAS: Final = 500


def main() -> None:
    """Print the median of several rounds, and end with 1 where it is above the bound."""
    rules = DeskRules(RiskLimits())
    account = replace(ACCOUNT, trades=tuple(trade() for _ in range(8)), exposure={"GBP": Decimal(50_000)})
    taken = sorted(_round(rules, account) for _ in range(ROUNDS))
    median = taken[ROUNDS // 2]
    print(f"sizing and gate: {median:.4f} ms an idea (fastest {taken[0]:.4f}); the bound is {BOUND_MS} ms")
    sys.exit(int(median > BOUND_MS))


def _round(rules: DeskRules, account: AccountState) -> float:
    began = time.perf_counter()
    for _ in range(IDEAS):
        size = rules.size(
            instrument=EURUSD,
            side=Side.BUY,
            entry=Decimal("1.10000"),
            stop=Decimal("1.09800"),
            account=account,
            conversion=Conversion(),
            risk_fraction=0.01,
        )
        proposal = replace(PROPOSAL, size=size)
        rules.judge(proposal, account, DeskState(), Circumstances(), purpose=Purpose.APPROVAL)
    return (time.perf_counter() - began) / IDEAS * 1000


if __name__ == "__main__":
    main()
