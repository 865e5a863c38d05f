"""How near a run came to a rulebook's day's loss and drawdown. Pure."""

from datetime import date
from typing import Any

import numpy as np

from backend.backtest.account_days import AccountDays, day_of
from backend.risk.gate import counted_from
from backend.risk.limits import DayLimit
from backend.risk.rulebook import Rulebook, RuleDrawdown

_Found = tuple[float, float, int]
"""Lost, allowed, number of the day."""


def nearest(
    rulebook: Rulebook, days: AccountDays, initial: float, *, digits: int, until: date | None
) -> dict[str, Any]:
    """What was lost of each limit when the least of it was left, as JSON values, by rule.

    Args:
        rulebook: The rules.
        days: Of the run.
        initial: Money at the beginning.
        digits: Decimals of money.
        until: The last day that counts, since the challenge was decided on it; None counts all.
    """
    begin = initial if rulebook.initial_balance is None else rulebook.initial_balance
    equity = initial + np.concatenate(([0.0], np.cumsum(days.change)))[:-1]
    last = len(days) if until is None else int(np.sum([day_of(n) <= until for n in days.number.tolist()]))
    found = {}
    if rulebook.daily_loss is not None:
        day = rulebook.daily_loss
        found["daily_loss"] = _told(_day(day, days, equity, begin, last), day.limit, digits)
    if rulebook.drawdown is not None:
        drawdown = rulebook.drawdown
        reached = _drawdown(drawdown, days, equity, begin, max(begin, initial), last)
        found["drawdown"] = _told(reached, drawdown.limit, digits)
    return found


def _day(rule: DayLimit, days: AccountDays, equity: Any, begin: float, last: int) -> list[_Found]:
    found = []
    for at in range(last):
        now = float(equity[at])
        balance = now - float(days.floating[at])
        reference = {"balance": balance, "equity": now, "higher": max(balance, now)}[rule.reset_from]
        lowest = now + float(days.falls[at].min())
        of = begin if rule.of == "initial" else reference
        found.append((reference - lowest, rule.limit * of, int(days.number[at])))
    return found


def _drawdown(
    rule: RuleDrawdown, days: AccountDays, equity: Any, begin: float, peak: float, last: int
) -> list[_Found]:
    found = []
    for at in range(last):
        now = float(equity[at])
        peak = max(peak, now)
        for rise, fall in {*zip(days.rises[at].tolist(), days.falls[at].tolist(), strict=True)}:
            high = max(peak, now + rise) if rule.kind == "trailing" else peak
            counted, of = counted_from(
                rule.kind == "static", rule.of == "initial", rule.lock_at_initial, begin, high, rule.limit
            )
            found.append((counted - now - fall, rule.limit * of, int(days.number[at])))
        peak = max(peak, now + float(days.highest[at])) if rule.kind == "trailing" else peak
    return found


def _told(found: list[_Found], limit: float, digits: int) -> dict[str, Any]:
    # of a day that began with nothing there is no share; that the rule was broken is told
    lost, allowed, day = max(
        (one for one in found if one[1] > 0), key=lambda one: (one[0] / one[1], one[0], -one[2])
    )
    lost = max(lost, 0.0)
    return {
        "limit": limit,
        "lost": f"{lost:.{digits}f}",
        "allowed": f"{allowed:.{digits}f}",
        "used": round(lost / allowed, 6),
        "day": day_of(day).isoformat() if lost > 0 else None,
    }
