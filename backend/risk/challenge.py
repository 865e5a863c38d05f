"""How a rulebook's challenge stands: passed, broken or running, from the account's days. Pure, exact.

What counts as what:

- **Day**: from one reset of the account's day to the next.
- **Profit of a day**: what was booked on it, commission and swap too, without deposits and withdrawals.
- **Trading day**: a day on which at least one position was opened.
- **Passed** at the end of the first day at which the booked profit has reached the target, with enough
  trading days, the best day no larger a share of the profit than allowed, and nothing broken before.
- **Best day's share**: the largest profit of a day ÷ the whole profit; unknown while there is no profit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from backend.risk.rulebook import Rulebook

ZERO = Decimal(0)


class ChallengeState(StrEnum):
    """How a challenge stands."""

    RUNNING = "running"
    PASSED = "passed"
    BREACHED = "breached"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountDay:
    """One day of the account.

    Attributes:
        day: Its date in the zone of the reset.
        booked: Account currency.
        opened: Positions opened on it.
    """

    day: date
    booked: Decimal
    opened: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """A rule that was broken.

    Attributes:
        rule: ``daily_loss``, ``drawdown``, ``max_days``, ``flat_before_weekend`` or ``news``.
        day: The account's day on which it was.
        at: When it was seen, ISO-8601 UTC; None for a rule of days.
        lost: Account currency; None for a rule of days and for a ban.
        allowed: Account currency that may be lost; days for a rule of days, 0 for a ban.
    """

    rule: str
    day: date
    allowed: Decimal
    at: str | None = None
    lost: Decimal | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, money exact as text."""
        return {
            "rule": self.rule,
            "day": self.day.isoformat(),
            "at": self.at,
            "lost": None if self.lost is None else str(self.lost),
            "allowed": str(self.allowed),
            "beyond": None if self.lost is None else str(self.lost - self.allowed),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """How it stands; once it is decided, as it stood then. Money in account currency.

    Attributes:
        state: See `ChallengeState`.
        initial: What it began with.
        profit: Booked so far.
        target: Profit to be reached; None where there is none.
        days: Days of the calendar so far, the first one included.
        trading_days: Days on which a position was opened.
        best_day: Its date and profit; None where no day had any.
        passed_on: The day at the end of which it was passed.
        breach: What was broken.
    """

    state: ChallengeState
    initial: Decimal
    profit: Decimal
    target: Decimal | None
    days: int
    trading_days: int
    best_day: AccountDay | None
    passed_on: date | None = None
    breach: Breach | None = None

    @property
    def progress(self) -> Decimal | None:
        """Profit ÷ target."""
        return None if self.target is None else self.profit / self.target

    @property
    def best_day_share(self) -> Decimal | None:
        """The best day's profit ÷ the whole; None while there is no profit."""
        if self.best_day is None or self.profit <= 0:
            return None
        return self.best_day.booked / self.profit

    def as_dict(self) -> dict[str, Any]:
        """As JSON values: money exact as text, shares as numbers."""
        best, share, progress = self.best_day, self.best_day_share, self.progress
        return {
            "state": str(self.state),
            "initial_balance": str(self.initial),
            "profit": str(self.profit),
            "target": None if self.target is None else str(self.target),
            "progress": None if progress is None else round(float(progress), 6),
            "days": self.days,
            "trading_days": self.trading_days,
            "best_day": None if best is None else {"day": best.day.isoformat(), "profit": str(best.booked)},
            "best_day_share": None if share is None else round(float(share), 6),
            "passed_on": None if self.passed_on is None else self.passed_on.isoformat(),
            "breach": None if self.breach is None else self.breach.as_dict(),
        }


def challenge(
    rulebook: Rulebook,
    initial: Decimal,
    days: Sequence[AccountDay],
    *,
    began: date,
    today: date,
    ended: bool,
    breach: Breach | None = None,
    carried: Decimal = ZERO,
) -> Challenge:
    """How a challenge stands.

    Args:
        rulebook: Its rules.
        initial: What the account began with; the rulebook's own counts where it states one.
        days: Days on which something was booked or opened, ascending.
        began: The first day.
        today: The last day.
        ended: Whether the last day is over.
        breach: The first time that equity broke a rule.
        carried: Profit that no day tells.
    """
    if rulebook.initial_balance is not None:
        initial = Decimal(repr(rulebook.initial_balance))
    share = rulebook.profit_target
    target = None if share is None else Decimal(repr(share)) * initial
    by_day = {one.day: one for one in days}
    moments = sorted({*by_day, began, today})
    profit, traded, best = carried, 0, None
    found = Challenge(
        state=ChallengeState.RUNNING,
        initial=initial,
        profit=carried,
        target=target,
        days=1,
        trading_days=0,
        best_day=None,
    )
    for day in moments:
        number = (day - began).days + 1
        if rulebook.max_days is not None and number > rulebook.max_days:
            return _ended(found, ChallengeState.BREACHED, breach=_too_late(rulebook.max_days, began))
        one = by_day.get(day)
        if one is not None:
            profit += one.booked
            traded += one.opened > 0
            if one.booked > (ZERO if best is None else best.booked):
                best = one
        found = Challenge(
            state=ChallengeState.RUNNING,
            initial=initial,
            profit=profit,
            target=target,
            days=number,
            trading_days=traded,
            best_day=best,
        )
        if breach is not None and breach.day <= day:
            return _ended(found, ChallengeState.BREACHED, breach=breach)
        if (ended or day < today) and _passes(rulebook, found):
            return _ended(found, ChallengeState.PASSED, passed_on=day)
    if ended and rulebook.max_days is not None and found.days >= rulebook.max_days:
        return _ended(found, ChallengeState.BREACHED, breach=_too_late(rulebook.max_days, began))
    return found


def earliest(*breaches: Breach | None) -> Breach | None:
    """The one that came first; of two at one instant the one that is named first."""
    return min((one for one in breaches if one is not None), key=lambda one: one.at or "", default=None)


def _passes(rulebook: Rulebook, now: Challenge) -> bool:
    if now.target is None or now.profit < now.target or now.trading_days < rulebook.min_trading_days:
        return False
    if rulebook.consistency is None:
        return True
    share = now.best_day_share
    return share is not None and share <= Decimal(repr(rulebook.consistency))


def _too_late(days: int, began: date) -> Breach:
    return Breach(rule="max_days", day=date.fromordinal(began.toordinal() + days - 1), allowed=Decimal(days))


def _ended(
    found: Challenge, state: ChallengeState, *, breach: Breach | None = None, passed_on: date | None = None
) -> Challenge:
    return replace(found, state=state, breach=breach, passed_on=passed_on)
