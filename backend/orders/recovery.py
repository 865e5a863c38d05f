"""What a crash or a lost answer left: the terminal is asked, and every idea comes to know where it stands.

An idea that is `sending` while nobody holds the senders' lock is one whose process ended; what the broker
did is then as unknown as after a lost answer. Of what is unknown the terminal is asked by magic number,
symbol, type, volume and time. That there is nothing counts after two empty looks at least ten seconds apart,
with the terminal connected. What stays uncertain stays so, and blocks its symbol, until a person says.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import parse_iso
from backend.core.errors import Conflict, DeskError, Unavailable
from backend.ideas.lifecycle import Act, Status
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.mt5.api import ORDER_SEND_SECONDS
from backend.mt5.client import MT5Client
from backend.orders.doubts import Doubt, doubt_of, facts, of_idea, order_expiry
from backend.orders.following import Follower
from backend.orders.intents import Intent
from backend.orders.looking import Looker
from backend.orders.matching import EARLIER, Found, Match, Seen, match_all
from backend.orders.parts import Idea, SendParts
from backend.orders.sending import LOCK, Sender

log = logging.getLogger(__name__)

ACTOR = "reconcile"
BETWEEN_LOOKS = 10.0
"""Seconds at least between the two empty looks after which an order counts as never placed."""
LATEST = timedelta(seconds=ORDER_SEND_SECONDS + 10)
"""So long after its intent an order may still come to the broker: its request waited for calls before it,
also where whoever sent it is gone. The second look comes later than that."""
SENT_AGAIN_AFTER = timedelta(seconds=20)
"""An idea approved so long ago whose job did not come is sent from here."""
_OWN_LOCK = "orders/recovery"
_TO = {
    Found.OPEN: Status.OPEN,
    Found.PARTLY: Status.OPEN,
    Found.PLACED: Status.PLACED,
    Found.CLOSED: Status.CLOSED,
    Found.CANCELLED: Status.CANCELLED,
    Found.EXPIRED: Status.EXPIRED,
    Found.REJECTED: Status.FAILED,
}
_WORDS = {
    Found.OPEN: "the broker has its position",
    Found.PARTLY: "the broker dealt a part of it, and the rest waits",
    Found.PLACED: "the broker has its order",
    Found.CLOSED: "the broker dealt it, and its position is closed",
    Found.CANCELLED: "its order was cancelled",
    Found.EXPIRED: "its order expired",
    Found.REJECTED: "the broker rejected its order",
}


@dataclass(slots=True)
class Recovered:
    """What one pass did: ids of ideas, by what became of them."""

    lost: list[str] = field(default_factory=list)
    resolved: dict[str, str] = field(default_factory=dict)
    uncertain: dict[str, list[int]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def problem(self, error: DeskError, **where: str) -> None:
        """Something that the next pass tries again."""
        self.problems.append({**where, "code": error.code, "reason": error.message})

    def as_dict(self) -> dict[str, Any]:
        """JSON values, for the job's result."""
        return {name: getattr(self, name) for name in self.__slots__}


class Recovery:
    """Brings every idea to where it stands at the broker. One at a time on a desk.

    Args:
        parts: As of sending.
        journal: The record.
        terminal: Whether it is connected.
        sender: Sends what was approved and forgotten.
        follower: Follows orders that wait.
        looker: Looks at the terminal.
        pause: Waits so many seconds, between two looks.
    """

    def __init__(
        self,
        parts: SendParts,
        journal: Journal,
        terminal: MT5Client,
        sender: Sender,
        follower: Follower,
        looker: Looker,
        pause: Callable[[float], None],
    ) -> None:
        self._parts = parts
        self._book = parts.book
        self._journal = journal
        self._terminal = terminal
        self._sender = sender
        self._follower = follower
        self._looker = looker
        self._pause = pause

    def run(self) -> dict[str, Any]:
        """One pass.

        Raises:
            Unavailable: The terminal, the disk or a lock refuses; another pass is running elsewhere.
        """
        done = Recovered()
        with self._parts.lock(_OWN_LOCK, 0.05):
            self._book.mend()
            done.lost = self.take_over()
            self._resolve(done)
            self._follower.follow(done.moved, done.problem)
            self._send_forgotten(done)
        return done.as_dict()

    def settle(self) -> dict[str, Any]:
        """A short pass over the orders that wait, after something was done with them."""
        done = Recovered()
        self._follower.follow(done.moved, done.problem, patient=False)
        return done.as_dict()

    def take_over(self) -> list[str]:
        """Ideas that a process which ended was sending are unknown now; gives their ids."""
        if not self._book.find(Status.SENDING):
            return []
        lost = []
        with self._parts.lock(LOCK, 5.0):  # whoever sends holds it for as long as it lives
            for idea in self._book.find(Status.SENDING):
                why = "the process that sent it ended before it had an answer on record"
                self._book.step(str(idea["id"]), Act.NO_ANSWER, actor=ACTOR, why=why)
                lost.append(str(idea["id"]))
        return lost

    # What became of the unknown

    def _resolve(self, done: Recovered) -> None:
        absent = self._look(done)
        if not absent:
            return
        latest = max(self._asked_at(idea_id) for idea_id in absent) + LATEST
        self._pause(max(BETWEEN_LOOKS, (latest - self._parts.clock.now()).total_seconds()))
        for idea_id in absent & self._look(done):
            if self._asked_at(idea_id) + LATEST > self._parts.clock.now():
                continue  # it came to be unknown meanwhile: the next pass looks again
            why = f"two looks at least {BETWEEN_LOOKS:g} s apart found nothing of it at the broker"
            self._known(idea_id, Status.FAILED, why, {}, {"looks": 2}, done)

    def _look(self, done: Recovered) -> set[str]:
        """Settle what is found; gives the ideas of which there is nothing."""
        if not self._book.find(Status.UNKNOWN):
            return set()
        if not self._terminal.terminal().connected:
            raise Unavailable("terminal_offline", "the terminal is not connected to its trade server")
        # First the terminal, then the records: an order that is seen has its intent on record by now.
        since = min(parse_iso(str(idea["history"][-1]["at"])) for idea in self._unknown_and_sending())
        seen = self._looker.look(self._earliest(since) - EARLIER)
        doubts = [doubt_of(idea, self._journal) for idea in self._unknown_and_sending()]
        matches = self._match(doubts, seen)
        done.uncertain, done.waiting = {}, []
        absent = set()
        for doubt in doubts:
            if doubt.idea["status"] != Status.UNKNOWN:
                continue
            idea_id, (intent, match) = str(doubt.idea["id"]), matches[str(doubt.idea["id"])]
            if match.found is Found.ABSENT:
                absent.add(idea_id)
            elif match.found is Found.UNCERTAIN:
                done.uncertain[idea_id] = [*match.candidates]
            elif match.found is Found.PENDING:
                done.waiting.append(idea_id)
            elif intent is not None:
                self._found(doubt.idea, intent, match, done)
        return absent

    def _asked_at(self, idea_id: str) -> datetime:
        """When the last of its intents was made that the broker may have."""
        idea = self._book.get(idea_id)
        begun = parse_iso(str(idea["history"][-1]["at"]))
        return max((intent.at for intent in doubt_of(idea, self._journal).intents), default=begun)

    def _unknown_and_sending(self) -> list[dict[str, Any]]:
        return self._book.find(Status.UNKNOWN, Status.SENDING)

    def _earliest(self, otherwise: datetime) -> datetime:
        """When the oldest intent in doubt was made."""
        times = [
            intent.at
            for idea in self._unknown_and_sending()
            for intent in doubt_of(idea, self._journal).intents
        ]
        return min(times, default=otherwise)

    def _match(self, doubts: Sequence[Doubt], seen: Seen) -> dict[str, tuple[Intent | None, Match]]:
        """What became of each idea: of its attempts at most one was carried out."""
        taken = self._looker.taken({str(doubt.idea["id"]) for doubt in doubts})
        known = {doubt.ticket for doubt in doubts if doubt.ticket}
        intents = [intent for doubt in doubts if not doubt.ticket for intent in doubt.intents]
        matches = match_all(intents, seen, taken | known)
        return {str(doubt.idea["id"]): of_idea(doubt, matches, seen) for doubt in doubts}

    def _found(self, idea: Idea, intent: Intent, match: Match, done: Recovered) -> None:
        changes = facts(intent, match, expires_at=order_expiry(idea))
        details = {
            "found": str(match.found),
            "ticket": match.ticket,
            "deals": [d.ticket for d in match.deals],
        }
        self._known(str(idea["id"]), _TO[match.found], _WORDS[match.found], changes, details, done)

    def _known(
        self,
        idea_id: str,
        status: Status,
        why: str,
        changes: Mapping[str, Any],
        details: Mapping[str, Any],
        done: Recovered,
    ) -> None:
        try:
            self._book.step(
                idea_id,
                Act.RECONCILE,
                to=status,
                actor=ACTOR,
                why=why,
                changes=changes,
                details=details,
                entries=[_found_entry(idea_id, status, details)],
            )
        except Conflict as error:  # a person was quicker
            done.problem(error, idea=idea_id)
        else:
            done.resolved[idea_id] = str(status)

    # What was approved and forgotten

    def _send_forgotten(self, done: Recovered) -> None:
        before = self._parts.clock.now() - SENT_AGAIN_AFTER
        for idea in reversed(self._book.find(Status.APPROVED)):
            if parse_iso(str(idea["history"][-1]["at"])) > before:
                continue
            try:
                done.sent[str(idea["id"])] = self._sender.send(str(idea["id"]), actor=ACTOR)["status"]
            except DeskError as error:
                done.problem(error, idea=str(idea["id"]))

    # A person says

    def resolve(
        self, idea_id: str, status: Status, *, actor: str, why: str, ticket: int | None = None
    ) -> dict[str, Any]:
        """What a person found out of an idea that is unknown.

        Args:
            idea_id: The idea.
            status: Where it stands.
            actor: Who says so.
            why: How that is known.
            ticket: Of its order; needed where it stands at the broker.

        Raises:
            Conflict: It is not unknown; or ``not_so``: the terminal shows something else of that ticket.
            Unavailable: The terminal does not answer.
        """
        idea = self._book.get(idea_id)
        changes: dict[str, Any] = {}
        if idea["status"] == Status.UNKNOWN and status is not Status.FAILED:
            doubt = doubt_of(idea, self._journal)
            match = self._looker.of_ticket(ticket) if ticket else Match(found=Found.ABSENT)
            shown = _TO.get(match.found)
            if shown is not status or not doubt.intents:
                raise Conflict(
                    "not_so",
                    f"of order {ticket} the terminal shows: {match.found}; give the ticket of the order, and "
                    "where it stands by that",
                    ticket=ticket,
                    found=str(match.found),
                    status=None if shown is None else str(shown),
                )
            changes = facts(doubt.intents[-1], match, expires_at=order_expiry(idea))
        details = {"ticket": ticket}
        return self._book.step(
            idea_id,
            Act.RECONCILE,
            to=status,
            actor=actor,
            why=why,
            changes=changes,
            details=details,
            entries=[_found_entry(idea_id, status, details)],
            version=idea["version"],
        )


def _found_entry(idea_id: str, status: Status, details: Mapping[str, Any]) -> Entry:
    payload = {"idea": idea_id, "reconciled": str(status), **details}
    return Entry(kind=Kind.ORDER_OUTCOME, payload=payload, key=f"{idea_id}:reconciled")
