"""Asking the broker: on record before, on record after, and what its answer means for whoever asked."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from backend.core.clock import Clock, iso
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.mt5 import constants
from backend.mt5.answers import NoAnswer, NotSent, SendAnswer, SendResult
from backend.mt5.dealer import Dealer
from backend.mt5.retcodes import Then
from backend.orders.intents import Intent
from backend.storage import fence

log = logging.getLogger(__name__)

BACK_OFF = (0.3, 0.6, 1.2)
"""Seconds before each further try where the server has too much to do."""


class Became(StrEnum):
    """What became of a request that changes something."""

    DONE = "done"
    PARTLY = "partly"
    """Only part of the volume was dealt."""
    LATER = "later"
    """Not now: the market is closed, or the price is too near. The next cycle tries again."""
    GONE = "gone"
    """There is no such position or order any more; the terminal is asked what became of it."""
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How a change went.

    Attributes:
        became: What became of it.
        message: For a person.
        intent: Id of the intent, by which the journal has it.
        retcode: The server's code; None where it did not answer.
        order: Ticket of the order that it made; 0 for none.
        deal: Ticket of its deal; 0 for none.
        volume: Lots dealt.
        price: Dealt at; None if none is told.
    """

    became: Became
    message: str
    intent: str
    retcode: int | None = None
    order: int = 0
    deal: int = 0
    volume: Decimal = Decimal(0)
    price: Decimal | None = None

    @property
    def done(self) -> bool:
        """Whether all that was asked is so now."""
        return self.became is Became.DONE

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "outcome": str(self.became),
            "message": self.message,
            "intent": self.intent,
            "retcode": self.retcode,
            "order": self.order or None,
            "deal": self.deal or None,
            "volume": str(self.volume) if self.volume else None,
            "price": None if self.price is None else str(self.price),
        }


class Switch(Protocol):
    """What sending needs of the desk's switches; one state for all processes."""

    def pause(self, reason: str, *, actor: str) -> Any:
        """Send nothing new until a person resumes; `reason` says what to click."""


_BECAME = {
    Then.DEALT: Became.DONE,
    Then.PLACED: Became.DONE,
    Then.UNCHANGED: Became.DONE,
    Then.PARTLY_DEALT: Became.PARTLY,
    Then.NEXT_CYCLE: Became.LATER,
    Then.FRESH_PRICE: Became.LATER,
    Then.BACK_OFF: Became.LATER,
    Then.RECONCILE: Became.GONE,
    Then.UNKNOWN: Became.UNKNOWN,
}

_CLICKS = {
    constants.TRADE_RETCODE_TRADE_DISABLED: (
        "the broker does not let this account or symbol trade: sign in with the master password, not the "
        "investor's, or ask the broker"
    ),
    constants.TRADE_RETCODE_SERVER_DISABLES_AT: (
        "the trade server forbids automated trading for this account: ask the broker to allow it"
    ),
    constants.TRADE_RETCODE_CLIENT_DISABLES_AT: (
        "automated trading is off in the terminal: click Algo Trading in its toolbar"
    ),
}
NO_PYTHON = (
    "trading from Python is off in the terminal: Tools, Options, Expert Advisors, clear 'Disable automated "
    "trading via the external Python API'"
)


def what_to_click(result: SendResult) -> str:
    """What a person has to do before anything can be sent; empty where the answer asks for nothing."""
    if isinstance(result, NotSent):
        return NO_PYTHON if result.code == constants.RES_E_AUTO_TRADING_DISABLED else ""
    return click_for(result.retcode) if isinstance(result, SendAnswer) else ""


def click_for(retcode: int) -> str:
    """The same of a return code."""
    return _CLICKS.get(retcode, "")


def said(result: SendResult) -> str:
    """The answer in words."""
    if isinstance(result, SendAnswer):
        row = result.row
        words = f" ({result.comment})" if result.comment and result.comment != row.meaning else ""
        return f"{result.retcode} {row.name}: {row.meaning}{words}"
    if isinstance(result, NotSent):
        return f"the terminal was not asked: {result.message} ({result.code})"
    return f"no answer came: {result.message} ({result.code})"


def follows(result: SendResult) -> Then:
    """What follows an answer, or its want."""
    if isinstance(result, SendAnswer):
        return result.row.then
    return Then.UNKNOWN if isinstance(result, NoAnswer) else Then.FINAL


class Asking:
    """Sends requests, each on record before it is sent and its answer after. Thread-safe.

    Args:
        journal: The record.
        dealer: The trading side of the terminal.
        clock: Desk time.
        switch: Pauses the desk where nothing can be sent before a person clicked something.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        journal: Journal,
        dealer: Dealer,
        clock: Clock,
        switch: Switch,
        pause: Callable[[float], None],
    ) -> None:
        self._journal = journal
        self._dealer = dealer
        self._clock = clock
        self._switch = switch
        self.pause = pause

    def record(self, intents: Sequence[Intent], *, actor: str) -> None:
        """Put intents on the disk, together."""
        self._journal.append_many([intent.entry for intent in intents], actor=actor)

    def hand_over(self, intent: Intent, *, actor: str) -> SendResult:
        """Send one request that is on record; where a person has to click first, the desk is paused.

        Raises:
            Unavailable: ``lock_lost``: nothing was sent; another host may be sending.
        """
        fence.require()
        result = self._dealer.send(intent.request)
        click = what_to_click(result)
        if click:
            log.error("nothing can be sent: %s", click)
            self._switch.pause(click, actor=actor)
        return result

    def outcome(self, intent: Intent, result: SendResult) -> Entry:
        """What the journal keeps of an answer."""
        payload = {
            "intent": intent.id,
            "kind": str(intent.kind),
            "idea": intent.idea,
            "at": iso(self._clock.now()),
            "then": str(follows(result)),
            "result": result.as_dict(),
        }
        return Entry(kind=Kind.ORDER_OUTCOME, payload=payload, key=intent.id)

    def ask(self, attempts: Callable[[int, Then | None], Intent | None], *, actor: str) -> Change:
        """Send a change until it is decided: once more with a fresh price, and with other filling modes.

        Args:
            attempts: Gives the intent of each attempt, from 1, and of what followed the one before; None
                where there is nothing left to try.
            actor: Who asks.

        Raises:
            Unavailable: The disk refuses before anything was sent.
        """
        intent = attempts(1, None)
        if intent is None:
            raise AssertionError("a change without a first attempt")
        number, waits, requoted = 1, iter(BACK_OFF), False
        while True:
            self.record([intent], actor=actor)
            result = self.hand_over(intent, actor=actor)
            self._journal.append_many([self.outcome(intent, result)], actor=actor)
            then = follows(result)
            if then is Then.BACK_OFF:
                seconds = next(waits, None)
                if seconds is None:
                    return change_of(intent, result)
                self.pause(seconds)
            elif then is Then.FRESH_PRICE and not requoted:
                requoted = True
            elif then is not Then.NEXT_FILLING:
                return change_of(intent, result)
            number += 1
            following = attempts(number, then)
            if following is None:
                return change_of(intent, result)
            intent = following


def change_of(intent: Intent, result: SendResult) -> Change:
    """What an answer means for whoever asked for a change."""
    became = _BECAME.get(follows(result), Became.REFUSED)
    if isinstance(result, SendAnswer):
        dealt = became in {Became.DONE, Became.PARTLY}
        return Change(
            became=became,
            message=said(result),
            intent=intent.id,
            retcode=result.retcode,
            order=result.order,
            deal=result.deal,
            volume=result.volume if dealt else Decimal(0),
            price=result.price if dealt else None,
        )
    return Change(became=became, message=said(result), intent=intent.id)
