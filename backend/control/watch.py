"""Watch: floating equity against the day's loss and the drawdown, on each update.

A breach halts the desk, with numbers, and ends what waits or is open as the limits say. It does so once:
after a person resumed, the day's loss halts again on another day, and the drawdown once it was back within
its limit. What could not be ended, such as positions of a closed market, is tried again each minute.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.core.clock import Clock, iso, parse_iso
from backend.core.errors import DeskError
from backend.risk.gate import reaches
from backend.risk.limits import RiskLimits
from backend.risk.numbers import day_base, drawdown
from backend.storage.files import FileStorage
from backend.trading.account import AccountState

log = logging.getLogger(__name__)

FILE: Final = "control/watch.json"
ACTOR: Final = "watch"
AGAIN: Final = timedelta(seconds=60)

End = Callable[[HaltKind, str, bool], Mapping[str, Any]]
"""Halts for a kind and a reason, cancels orders of ours, closes positions of ours if that is True, and tells
what is left under ``orders_left`` and ``positions_left``; None there is unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How much of a limit is used.

    Attributes:
        lost: Account currency; below zero is won.
        of: What the share is of.
        limit: Share that may be lost.
    """

    lost: Decimal
    of: Decimal
    limit: float

    @property
    def share(self) -> float:
        """Lost ÷ what it is of; infinite where that is nothing."""
        return float(self.lost / self.of) if self.of > 0 else float("inf")

    @property
    def reached(self) -> bool:
        """Whether the limit is reached, as a backtest tells it."""
        return self.of <= 0 or reaches(float(self.lost), float(self.of), self.limit)


def measured(state: AccountState, limits: RiskLimits) -> dict[HaltKind, Measured]:
    """Day's loss and drawdown of an account now."""
    reference = state.balance if state.day_reference is None else state.day_reference
    lost, of = drawdown(state, limits)
    return {
        HaltKind.DAILY_LOSS: Measured(
            lost=reference - state.equity, of=_exact(day_base(state, limits)), limit=limits.daily_loss.limit
        ),
        HaltKind.DRAWDOWN: Measured(lost=_exact(lost), of=_exact(of), limit=limits.drawdown.limit),
    }


class Watch:
    """Looks at the account. Safe between processes.

    Args:
        account: The account.
        control: Limits and halts.
        storage: Files below ``data/``.
        clock: Desk time.
        end: Halts and ends; given by what asks the broker.
    """

    def __init__(
        self, account: DeskAccount, control: Control, storage: FileStorage, clock: Clock, end: End
    ) -> None:
        self._account = account
        self._control = control
        self._storage = storage
        self._clock = clock
        self._end = end

    def look(self) -> dict[str, Any]:
        """Look once; returns what was measured, and what was ended.

        Raises:
            Unavailable: The terminal does not answer.
            Invalid: The limits or the account's record are wrong.
        """
        self._control.catch_up()
        limits = self._control.limits()
        state, money = self._account.standing()
        found = measured(state, limits)
        told: dict[str, Any] = {
            str(kind): {"lost": str(one.lost), "share": round(one.share, 6), "limit": one.limit}
            for kind, one in found.items()
            if one.of > 0
        }
        days: dict[HaltKind, str] = {HaltKind.DAILY_LOSS: iso(money.reset_at), HaltKind.DRAWDOWN: ""}
        if money.unexplained:  # a withdrawal shows in the balance before its deal does, and is no loss
            return told | {"ended": {}, "waits": money.notes[-1]}
        ended = {
            str(kind): self._reached(kind, one, days[kind], state.currency, limits)
            for kind, one in found.items()
            if one.reached or self._noted(kind)
        }
        return told | {"ended": {kind: report for kind, report in ended.items() if report is not None}}

    # Inside

    def _reached(
        self, kind: HaltKind, now: Measured, day: str, currency: str, limits: RiskLimits
    ) -> Mapping[str, Any] | None:
        """End what a breach asks for, unless that is done; None where nothing had to be."""
        noted = self._noted(kind)
        halt = self._control.state().of(kind)
        begun = noted is not None and noted["day"] == day
        if begun and noted is not None and (noted["done"] or halt is None):
            if not now.reached and halt is None and kind is HaltKind.DRAWDOWN:
                self._note(kind, None)  # back within its limit: the next breach is another one
            return None
        if not begun and not now.reached:
            return None
        if begun and noted is not None and self._clock.now() - parse_iso(noted["tried"]) < AGAIN:
            return None
        close = limits.on_breach == "halt_and_close"
        reason = halt.reason if halt is not None and begun else _reason(kind, now, currency)
        try:
            report = self._end(kind, reason, close)
        except DeskError as error:
            log.exception("%s: what is open cannot be ended", reason)
            report = {"problems": [error.message], "orders_left": None, "positions_left": None}
        self._note(kind, {"day": day, "done": _done(report, close=close), "tried": iso(self._clock.now())})
        return report

    def _noted(self, kind: HaltKind) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._storage.read_json_or(FILE, {}).get(str(kind))
        return found

    def _note(self, kind: HaltKind, value: Mapping[str, Any] | None) -> None:
        self._storage.update_json(FILE, lambda before: {**before, str(kind): value}, {})


def _done(report: Mapping[str, Any], *, close: bool) -> bool:
    names = ("orders_left", "positions_left") if close else ("orders_left",)
    left = [report.get(name) for name in names]
    return all(one is not None and not any(each["ours"] for each in one) for one in left)


def _reason(kind: HaltKind, now: Measured, currency: str) -> str:
    what = "the day's loss" if kind is HaltKind.DAILY_LOSS else "the drawdown"
    return (
        f"{what} is {now.lost:.2f} {currency}, {now.share:.2%} of {now.of:.2f}; the limit is {now.limit:.2%}"
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
