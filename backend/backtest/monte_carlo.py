"""What becomes of a rulebook's challenge over days drawn from a run: P(pass), P(breach). Pure, seeded.

Blocks of days on end are drawn with replacement, the last day being followed by the first (circular block
bootstrap, Politis and Romano 1992). A day keeps its path, so floating equity is what the rules are held
against. Money is added as it was in the run; positions do not grow with the account.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.backtest.account_days import AccountDays
from backend.core.bars import Floats, Ints
from backend.core.errors import Invalid
from backend.risk.rulebook import Rulebook

PATHS: Final = 10_000
HORIZON: Final = 250
BLOCK: Final = 5
MOST_PATHS: Final = 50_000
MOST_DAYS: Final = 1_000
_Z95: Final = 1.959963984540054
_NOISE: Final = 1e-6  # of money: sums of cents in floats
RUNNING, PASSED, DAILY_LOSS, DRAWDOWN, MAX_DAYS = range(5)
RULES: Final = {"daily_loss": DAILY_LOSS, "drawdown": DRAWDOWN, "max_days": MAX_DAYS}

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Draws:
    """How days are drawn.

    Attributes:
        paths: How many futures.
        horizon: Days of each.
        block: Days on end.
        seed: The same seed draws the same days.
    """

    paths: int = PATHS
    horizon: int = HORIZON
    block: int = BLOCK
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("paths", MOST_PATHS), ("horizon", MOST_DAYS), ("block", MOST_DAYS)):
            value: int = getattr(self, name)
            if not 1 <= value <= most:
                raise Invalid("bad_argument", f"{name} is {value}; it may be 1 to {most}", allowed=[1, most])

    def of(self, days: int) -> Ints:
        """Indices into so many days, shape (paths, horizon)."""
        rng = np.random.default_rng(self.seed)
        blocks = -(-self.horizon // self.block)
        starts = rng.integers(0, days, size=(self.paths, blocks, 1))
        drawn = (starts + np.arange(self.block)) % days
        return drawn.reshape(self.paths, -1)[:, : self.horizon]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcomes:
    """What became of each path, shape (paths,).

    Attributes:
        outcome: `RUNNING`, `PASSED`, `DAILY_LOSS`, `DRAWDOWN` or `MAX_DAYS`. Where day's loss and drawdown
            are reached on one day, it is the day's loss.
        day: Which of its days decided it, the first is 1; 0 where none did.
    """

    outcome: Ints
    day: Ints


def play(rulebook: Rulebook, days: AccountDays, drawn: Ints, initial: float) -> Outcomes:
    """Hold a rulebook against drawn days, as `backend.risk.challenge` and the kernel hold it against a run.

    Args:
        rulebook: The rules.
        days: What is drawn from.
        drawn: Indices into the days, shape (paths, horizon).
        initial: Money at the beginning.
    """
    begin = initial if rulebook.initial_balance is None else rulebook.initial_balance
    outcome = np.zeros(len(drawn), dtype=np.int64)
    decided = np.zeros(len(drawn), dtype=np.int64)
    alive = np.arange(len(drawn))
    equity = np.full(len(drawn), float(initial))
    peak = np.full(len(drawn), max(float(begin), float(initial)))
    best, traded, number = np.zeros(len(drawn)), *np.zeros((2, len(drawn)), dtype=np.int64)
    lasting = days.lasting
    for step in range(drawn.shape[1]):
        at, now, high = drawn[alive, step], equity[alive], peak[alive]
        number[alive] += 1  # of the calendar: the day at hand
        day = _day_lost(rulebook, days, at, now, begin)
        fell = _fell(rulebook, days, at, now, high, begin)
        equity[alive] = after = now + days.change[at]
        if rulebook.drawdown is not None and rulebook.drawdown.kind == "trailing":
            peak[alive] = np.maximum(high, now + days.highest[at])
        else:
            peak[alive] = np.maximum(high, after)
        best[alive] = np.maximum(best[alive], days.booked[at])
        traded[alive] += days.opened[at] > 0
        profit = after - days.left[at] - begin
        passed = _passed(rulebook, profit, best[alive], traded[alive], begin)
        number[alive] += lasting[at] - 1
        late = np.zeros(len(alive), dtype=bool)
        if rulebook.max_days is not None:
            late = number[alive] >= rulebook.max_days
        found = np.select(
            [day, fell, passed, late], [DAILY_LOSS, DRAWDOWN, PASSED, MAX_DAYS], default=RUNNING
        )
        ends = found != RUNNING
        outcome[alive[ends]], decided[alive[ends]] = found[ends], step + 1
        alive = alive[~ends]
        if not len(alive):
            break
    return Outcomes(outcome=outcome, day=decided)


def _day_lost(rulebook: Rulebook, days: AccountDays, at: Ints, equity: Floats, begin: float) -> Bools:
    rule = rulebook.daily_loss
    if rule is None:
        return np.zeros(len(at), dtype=bool)
    balance = equity - days.floating[at]
    reference = {"balance": balance, "equity": equity, "higher": np.maximum(balance, equity)}[rule.reset_from]
    of = begin if rule.of == "initial" else reference
    lowest = equity + days.falls[at].min(axis=1)
    reached: Bools = reference - lowest >= rule.limit * of - _NOISE
    return reached


def _fell(
    rulebook: Rulebook, days: AccountDays, at: Ints, equity: Floats, peak: Floats, begin: float
) -> Bools:
    rule = rulebook.drawdown
    if rule is None:
        return np.zeros(len(at), dtype=bool)
    low = equity[:, None] + days.falls[at]
    if rule.kind == "static":
        floor = np.full_like(low, begin * (1 - rule.limit))
    else:
        high = np.broadcast_to(peak[:, None], low.shape)
        if rule.kind == "trailing":
            high = np.maximum(high, equity[:, None] + days.rises[at])
        floor = high - rule.limit * (begin if rule.of == "initial" else high)
        if rule.lock_at_initial:
            floor = np.minimum(floor, begin)
    reached: Bools = np.any(low <= floor + _NOISE, axis=1)
    return reached


def _passed(rulebook: Rulebook, profit: Floats, best: Floats, traded: Ints, begin: float) -> Bools:
    if rulebook.profit_target is None:
        return np.zeros(len(profit), dtype=bool)
    enough = (profit >= rulebook.profit_target * begin - _NOISE) & (traded >= rulebook.min_trading_days)
    if rulebook.consistency is not None:
        enough &= (profit > 0) & (best <= rulebook.consistency * profit + _NOISE)
    return enough


def simulate(
    rulebook: Rulebook, days: AccountDays, initial: float, draws: Draws | None = None
) -> dict[str, Any]:
    """Probabilities with 95 % intervals (Wilson), as JSON values.

    Raises:
        Invalid: Code ``too_few_days``: there are fewer than two days, or none on which a position was opened.
    """
    chosen = draws or Draws()
    if len(days) < 2 or not days.opened.any():  # noqa: PLR2004 - one day can only repeat itself
        raise Invalid(
            "too_few_days",
            f"the run has {len(days)} days and {int(days.opened.sum())} entries: there is nothing to draw",
            days=len(days),
        )
    found = play(rulebook, days, chosen.of(len(days)), initial)
    total = len(found.outcome)

    def share(which: Bools) -> dict[str, float]:
        return wilson(int(which.sum()), total)

    won = found.day[found.outcome == PASSED]
    has_target = rulebook.profit_target is not None
    middle = None if not len(won) else [float(one) for one in np.quantile(won, (0.25, 0.5, 0.75))]
    return {
        "paths": total,
        "horizon_days": chosen.horizon,
        "block_days": chosen.block,
        "seed": chosen.seed,
        "days_of_run": len(days),
        "p_pass": share(found.outcome == PASSED) if has_target else None,
        "p_breach": share(found.outcome >= DAILY_LOSS),
        "p_breach_by_rule": {name: share(found.outcome == number) for name, number in RULES.items()},
        "p_running": share(found.outcome == RUNNING),
        "days_to_pass": None
        if middle is None
        else {"quarter": middle[0], "median": middle[1], "three_quarters": middle[2]},
    }


def wilson(hits: int, total: int) -> dict[str, float]:
    """A share with its 95 % interval (Wilson 1927): ``value``, ``low``, ``high``."""
    share, z2 = hits / total, _Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return {
        "value": round(share, 6),
        "low": round(max(middle - half, 0.0), 6),
        "high": round(min(middle + half, 1.0), 6),
    }
