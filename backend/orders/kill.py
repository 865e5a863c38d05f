"""The kill switch: nothing new in any process, every waiting order cancelled, positions closed if asked.

It works from the process that was asked, without waiting for a worker. The halt comes first, so that
nothing new is begun anywhere; then the orders go; then, with the senders' lock, whoever was just sending is
waited for and the terminal is asked again, so that an order which was on its way is met too. What is left is
told.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from backend.control.state import HaltKind
from backend.core.errors import DeskError, Unavailable
from backend.journal.journal import Journal
from backend.mt5.account import Position
from backend.mt5.answers import SendResult
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.orders import Order
from backend.orders.asking import Asking, Change, change_of
from backend.orders.closing import PositionChanges
from backend.orders.intents import Intent
from backend.orders.sending import LOCK
from backend.orders.waiting import OrderChanges

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Requests under way at the same time."""
_SENDER_WAIT = 5.0


class Halts(Protocol):
    """Halts the desk for all processes."""

    def halt(self, reason: str, *, actor: str, kind: HaltKind) -> Any:
        """Send nothing new until a person resumes; in force in every process when this returns."""


@dataclass(slots=True)
class KillReport:
    """What the kill switch did, and what is left.

    Attributes:
        halted: Whether the halt is on record.
        cancelled: Tickets of the orders that were removed.
        closed: Tickets of the positions that were closed.
        seconds_to_last_cancel: From the call to the answer to the last cancel.
        orders_left: Orders that still wait; None if the terminal does not say.
        positions_left: Positions that are still open; None if the terminal does not say.
        problems: What went wrong.
    """

    halted: bool = False
    cancelled: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    seconds_to_last_cancel: float = 0.0
    orders_left: list[dict[str, Any]] | None = None
    positions_left: list[dict[str, Any]] | None = None
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


class KillSwitch:
    """Ends all trading at once.

    Args:
        halts: Halts the desk.
        asking: Sends on record.
        journal: The record.
        dealer: Orders.
        terminal: Positions.
        positions: Closes.
        waiting: Cancels.
        lock: Holds a name between processes.
        magic: Number of the desk.
        after: Brings ideas to where their orders stand now; what goes wrong there is told, not raised.
    """

    def __init__(
        self,
        *,
        halts: Halts,
        asking: Asking,
        journal: Journal,
        dealer: Dealer,
        terminal: MT5Client,
        positions: PositionChanges,
        waiting: OrderChanges,
        lock: Callable[[str, float], AbstractContextManager[None]],
        magic: int,
        after: Callable[[], Any] = lambda: None,
    ) -> None:
        self._halts = halts
        self._asking = asking
        self._journal = journal
        self._dealer = dealer
        self._terminal = terminal
        self._positions = positions
        self._waiting = waiting
        self._lock = lock
        self._magic = magic
        self._after = after

    def pull(
        self,
        *,
        close: bool,
        all_: bool,
        actor: str,
        reason: str,
        kind: HaltKind = HaltKind.KILL_SWITCH,
    ) -> dict[str, Any]:
        """Halt, cancel, close if asked, look again, and tell what is left.

        Args:
            close: Also close positions.
            all_: Also what is not ours.
            actor: Who pulls it.
            reason: Why.
            kind: Of the halt: a person's, or a limit that is reached.

        Raises:
            Unavailable: ``terminal_…``: the terminal does not answer at all. The desk is halted.
        """
        began = time.monotonic()
        report = KillReport()
        try:
            self._halts.halt(reason, actor=actor, kind=kind)
            report.halted = True
        except DeskError as error:  # what is at the broker goes all the same
            log.exception("the halt is not on record")
            report.problems.append(f"the halt is not on record: {error.message}")
        self._cancel(report, all_, actor, reason, began)
        if close:
            self._close(report, all_, actor, reason)
        try:
            with self._lock(LOCK, _SENDER_WAIT):  # whoever was sending has ended: nothing comes after this
                self._cancel(report, all_, actor, reason, began)
                if close:
                    self._close(report, all_, actor, reason)
        except Unavailable as error:
            report.problems.append(f"a sender is at work still: {error.message}")
        self._look(report, all_)
        try:
            self._after()
        except DeskError as error:
            report.problems.append(f"the ideas will follow with the next reconcile: {error.message}")
        return report.as_dict()

    def _cancel(self, report: KillReport, all_: bool, actor: str, why: str, began: float) -> None:  # noqa: FBT001 - a value
        """Remove what waits, all together: one record before, one after."""
        found = [order for order in self._dealer.orders() if all_ or order.magic == self._magic]
        done = self._all([self._waiting.cancelling(order, why=why) for order in found], report, actor)
        report.cancelled += [order.ticket for order, change in zip(found, done, strict=True) if change.done]
        if found:
            report.seconds_to_last_cancel = round(time.monotonic() - began, 3)

    def _close(self, report: KillReport, all_: bool, actor: str, why: str) -> None:  # noqa: FBT001 - a value
        found = [one for one in self._terminal.positions() if all_ or one.magic == self._magic]

        def close(position: Position) -> None:
            try:
                change = self._positions.close(position.ticket, actor=actor, why=why, all_=all_)
            except DeskError as error:
                report.problems.append(f"position {position.ticket}: {error.message}")
                return
            if change.done:
                report.closed.append(position.ticket)
            else:
                report.problems.append(f"position {position.ticket}: {change.message}")

        _each(close, found)

    def _all(self, intents: Sequence[Intent], report: KillReport, actor: str) -> list[Change]:
        if not intents:
            return []
        try:
            self._asking.record(intents, actor=actor)
        except DeskError as error:  # a full disk does not keep an order alive
            report.problems.append(f"the intents are not on record: {error.message}")

        def send(intent: Intent) -> SendResult:
            return self._asking.hand_over(intent, actor=actor)

        results = _each(send, intents)
        try:
            entries = [self._asking.outcome(*pair) for pair in zip(intents, results, strict=True)]
            self._journal.append_many(entries, actor=actor)
        except DeskError as error:
            report.problems.append(f"the outcomes are not on record: {error.message}")
        changes = [change_of(*pair) for pair in zip(intents, results, strict=True)]
        for intent, change in zip(intents, changes, strict=True):
            if not change.done:
                report.problems.append(f"order {intent.request.order}: {change.message}")
        return changes

    def _look(self, report: KillReport, all_: bool) -> None:  # noqa: FBT001 - a value
        """Ask the terminal again what is there."""
        try:
            orders, positions = self._dealer.orders(), self._terminal.positions()
        except DeskError as error:
            report.problems.append(f"the terminal does not say what is left: {error.message}")
            return
        report.orders_left = [_order(one, self._magic) for one in orders if all_ or one.magic == self._magic]
        report.positions_left = [
            _position(one, self._magic) for one in positions if all_ or one.magic == self._magic
        ]


def _each(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Do it for each, some at the same time; results in order."""
    rows = list(items)
    if len(rows) < AT_ONCE:
        return [work(row) for row in rows]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kill") as pool:
        return list(pool.map(work, rows))


def _order(order: Order, magic: int) -> dict[str, Any]:
    return {
        "ticket": order.ticket,
        "symbol": order.symbol,
        "type": str(order.type),
        "volume": str(order.volume_left),
        "ours": order.magic == magic,
    }


def _position(position: Position, magic: int) -> dict[str, Any]:
    return {
        "ticket": position.ticket,
        "symbol": position.symbol,
        "side": "buy" if position.buy else "sell",
        "volume": str(position.volume),
        "profit": position.profit,
        "ours": position.magic == magic,
    }
