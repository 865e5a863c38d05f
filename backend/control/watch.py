"""Watch: floating equity against the day's loss and the drawdown, on each update.

A breach halts the desk, with numbers, and ends what waits or is open as the limits say. It does so once:
after a person resumed, the day's loss halts again on another day, and the drawdown once it was back within
its limit. What could not be ended, such as positions of a closed market, is tried again each minute.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from backend.control.account import DeskAccount
from backend.control.challenge import note_breach
from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.core.clock import Clock, iso, parse_iso
from backend.core.errors import DeskError
from backend.risk.limits import RiskLimits
from backend.risk.numbers import Measured, day_losses, drawdowns, tightest
from backend.storage.files import FileStorage
from backend.trading.account import AccountState

log = logging.getLogger(__name__)

FILE: Final = "control/watch.json"
ACTOR: Final = "watch"
AGAIN: Final = timedelta(seconds=60)

End = Callable[[HaltKind, str, bool], Mapping[str, Any]]
"""Halts for a kind and a reason, cancels orders of ours, closes positions of ours if that is True, and tells
what is left under ``orders_left`` and ``positions_left``; None there is unknown."""


def measured(state: AccountState, limits: RiskLimits) -> dict[HaltKind, Measured]:
    """Day's loss and drawdown of an account now, each against its nearest limit."""
    return {
        HaltKind.DAILY_LOSS: tightest(day_losses(state, limits)),
        HaltKind.DRAWDOWN: tightest(drawdowns(state, limits)),
    }


class Watched(NamedTuple):
    """One limit, the desk's own or a rulebook's.

    Attributes:
        name: Under which it is noted.
        kind: The halt that it leads to.
        whose: For a sentence: empty for the desk's own.
        used: How much of it is used.
    """

    name: str
    kind: HaltKind
    whose: str
    used: Measured


def _watched(state: AccountState, limits: RiskLimits) -> Iterator[Watched]:
    for kind, found in (
        (HaltKind.DAILY_LOSS, day_losses(state, limits)),
        (HaltKind.DRAWDOWN, drawdowns(state, limits)),
    ):
        for whose, used in zip(("", " of the rulebook"), found, strict=False):
            if used is not None:
                yield Watched(f"{kind}{whose}", kind, whose, used)


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
        told: dict[str, Any] = {
            str(kind): {"lost": str(one.lost), "share": round(one.share, 6), "limit": one.limit}
            for kind, one in measured(state, limits).items()
            if one.of > 0
        }
        days: dict[HaltKind, str] = {HaltKind.DAILY_LOSS: iso(money.reset_at), HaltKind.DRAWDOWN: ""}
        if money.unexplained:  # a withdrawal shows in the balance before its deal does, and is no loss
            return told | {"ended": {}, "waits": money.notes[-1]}
        note_breach(self._storage, state, limits, reset_at=money.reset_at, now=self._clock.now())
        watched = [*_watched(state, limits)]
        for gone in {name for name, value in self._notes().items() if value} - {one.name for one in watched}:
            self._note(gone, None)  # of a rulebook that was lifted
        ended = {
            one.name: self._reached(one, days[one.kind], state.currency, limits)
            for one in watched
            if one.used.reached or self._noted(one.name)
        }
        return told | {"ended": {name: report for name, report in ended.items() if report is not None}}

    # Inside

    def _reached(self, one: Watched, day: str, currency: str, limits: RiskLimits) -> Mapping[str, Any] | None:
        """End what a breach asks for, unless that is done; None where nothing had to be."""
        name, kind, _, now = one
        noted = self._noted(name)
        halt = self._control.state().of(kind)
        begun = noted is not None and noted["day"] == day
        if begun and noted is not None and (noted["done"] or halt is None):
            if not now.reached and halt is None and kind is HaltKind.DRAWDOWN:
                self._note(name, None)  # back within its limit: the next breach is another one
            return None
        if not begun and not now.reached:
            return None
        if begun and noted is not None and self._clock.now() - parse_iso(noted["tried"]) < AGAIN:
            return None
        close = limits.on_breach == "halt_and_close"
        reason = halt.reason if halt is not None and begun else _reason(one, currency)
        try:
            report = self._end(kind, reason, close)
        except DeskError as error:
            log.exception("%s: what is open cannot be ended", reason)
            report = {"problems": [error.message], "orders_left": None, "positions_left": None}
        self._note(name, {"day": day, "done": _done(report, close=close), "tried": iso(self._clock.now())})
        return report

    def _notes(self) -> dict[str, Any]:
        found: dict[str, Any] = self._storage.read_json_or(FILE, {})
        return found

    def _noted(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._notes().get(name)
        return found

    def _note(self, name: str, value: Mapping[str, Any] | None) -> None:
        self._storage.update_json(FILE, lambda before: {**before, name: value}, {})


def _done(report: Mapping[str, Any], *, close: bool) -> bool:
    names = ("orders_left", "positions_left") if close else ("orders_left",)
    left = [report.get(name) for name in names]
    return all(one is not None and not any(each["ours"] for each in one) for one in left)


def _reason(one: Watched, currency: str) -> str:
    what, now = "the day's loss" if one.kind is HaltKind.DAILY_LOSS else "the drawdown", one.used
    return (
        f"{what} is {now.lost:.2f} {currency}, {now.share:.2%} of {now.of:.2f}; "
        f"the limit{one.whose} is {now.limit:.2%}"
    )
