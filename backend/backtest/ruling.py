"""What a run says of the rulebook that it was under: passed, broken or running, and its chances."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from backend.backtest.account_days import AccountDays, Run, account_days, day_of
from backend.backtest.model import Job, Result
from backend.backtest.monte_carlo import Draws, simulate
from backend.backtest.nearest import nearest
from backend.core.clock import from_epoch, iso
from backend.core.errors import Invalid
from backend.risk.bans import Ban, Stay, bans_of, first_broken, not_judged
from backend.risk.challenge import Breach, Challenge, challenge, earliest
from backend.risk.numbers import exact
from backend.risk.rulebook import Rulebook, rulebook_of
from backend.trading.reasons import REASONS, Reason

FEW_DAYS: Final = 60
HALTED: Final = "halted"
AT_A_CLOSE: Final = (Reason.END, Reason.WEEKEND)
"""A trade that ends so belongs to the bar that closes then."""
_AT_A_CLOSE: Final = [REASONS.index(reason) for reason in AT_A_CLOSE]


def run_of(job: Job, result: Result) -> Run:
    """A run as its days are made of."""
    trades = result.trades
    return Run(
        time=result.time,
        equity=result.equity,
        worst=result.worst,
        server_day=result.server_day,
        entry_time=trades.entry_time,
        exit_time=trades.exit_time - np.isin(trades.reason, _AT_A_CLOSE),
        net=trades.in_account("net"),
        commission=trades.in_account("commission"),
        initial=float(job.account.balance),
    )


def ruled(job: Job, result: Result) -> dict[str, Any] | None:
    """The report's part on the rulebook, as JSON values; None where the run was under none."""
    rulebook = rulebook_of(job.limits)
    if rulebook is None:
        return None
    days = account_days(run_of(job, result), job.limits.reset_tz)
    bans = bans_of(rulebook, stays_of(job, result), job.calendar)
    found = verdict(rulebook, days, job, result, bans)
    decided = found.passed_on if found.breach is None else found.breach.day
    initial = float(job.account.balance)
    return {
        "name": rulebook.name,
        **found.as_dict(),
        "nearest": nearest(rulebook, days, initial, digits=job.account.digits, until=decided),
        "bans": {ban.rule: ban.as_dict() for ban in bans},
        "consistency": rulebook.consistency,
        "min_trading_days": rulebook.min_trading_days,
        "max_days": rulebook.max_days,
        "not_judged": not_judged(rulebook, bans),
        "monte_carlo": drawn(rulebook, days, initial, halted=result.refusals.get(HALTED, 0)),
    }


def stays_of(job: Job, result: Result) -> list[Stay]:
    """The trades of a run as what a ban asks of them."""
    trades, found = result.trades, []
    for number, entry, leave in zip(
        trades.stream.tolist(), trades.entry_time.tolist(), trades.exit_time.tolist(), strict=True
    ):
        bars, instrument = job.streams[number].bars, job.streams[number].instrument
        at = max(int(np.searchsorted(bars.time, entry, side="right")) - 1, 0)
        found.append(
            Stay(
                currencies=(instrument.currency_base, instrument.currency_profit),
                opened=entry,
                closed=leave,
                ahead=int(bars.server_time[at] - bars.time[at]),
            )
        )
    return found


def verdict(
    rulebook: Rulebook, days: AccountDays, job: Job, result: Result, bans: Sequence[Ban] = ()
) -> Challenge:
    """How the challenge stood at the end of the run."""
    return challenge(
        rulebook,
        job.account.balance,
        days.exact(job.account.digits),
        began=day_of(int(days.number[0])),
        today=day_of(int(days.number[-1])),
        ended=True,
        breach=earliest(_breach(rulebook, days, job, result), _banned(days, result, bans)),
    )


def _banned(days: AccountDays, result: Result, bans: Sequence[Ban]) -> Breach | None:
    """The first thing that was done although the rulebook bans it."""
    ban = first_broken(bans)
    if ban is None or ban.first is None or ban.of_day is None:
        return None
    close = min(int(np.searchsorted(result.time, ban.of_day, side="right")), len(result.time) - 1)
    number = days.number[np.searchsorted(days.first, close, side="right") - 1]
    return Breach(rule=ban.rule, day=day_of(int(number)), at=iso(from_epoch(ban.first)), allowed=Decimal(0))


def _breach(rulebook: Rulebook, days: AccountDays, job: Job, result: Result) -> Breach | None:
    broke = result.broke
    if broke is None:
        return None
    allowed = rulebook.daily_loss if broke.rule == "daily_loss" else rulebook.drawdown
    if allowed is None:
        raise AssertionError(f"{broke.rule} was broken, and {rulebook.name} has none")
    unit = Decimal(1).scaleb(-job.account.digits)
    at = int(np.searchsorted(result.time, broke.at))
    return Breach(
        rule=broke.rule,
        day=day_of(int(days.number[np.searchsorted(days.first, at, side="right") - 1])),
        at=iso(from_epoch(broke.at)),
        lost=Decimal(repr(broke.lost)).quantize(unit),
        allowed=(exact(allowed.limit) * Decimal(repr(broke.of))).quantize(unit),
    )


def drawn(
    rulebook: Rulebook, days: AccountDays, initial: float, *, halted: int, draws: Draws | None = None
) -> dict[str, Any]:
    """What could become of a challenge over days drawn from these, as JSON values.

    Args:
        rulebook: The rules.
        days: What is drawn from.
        initial: Money at the beginning.
        halted: Signals of the run that a halt refused.
        draws: How they are drawn.

    Returns:
        See `simulate`; where nothing can be drawn, ``unknown`` says why. ``notes`` says what to mind.
    """
    notes = []
    if len(days) < FEW_DAYS:
        notes.append(f"{len(days)} days are few: the intervals tell the drawing's error, not theirs")
    if halted:
        notes.append(
            f"a halt refused {halted} signals of the run, so its days hold less than the strategy does: "
            "draw from a run with wider limits"
        )
    try:
        return {**simulate(rulebook, days, initial, draws), "notes": notes}
    except Invalid as error:
        return {"unknown": error.message, "notes": notes}
