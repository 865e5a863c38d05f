"""An idea of which nobody knows what the broker did: its attempts, and what the terminal shows of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.core.clock import parse_iso
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.mt5.retcodes import Then
from backend.orders.carrying import MOST_ATTEMPTS
from backend.orders.facts import order_facts, position_facts
from backend.orders.intents import Intent, opening_id
from backend.orders.matching import Found, Match, Seen, told
from backend.orders.parts import Idea

_TAKEN = frozenset(str(then) for then in (Then.UNKNOWN, Then.PLACED, Then.DEALT, Then.PARTLY_DEALT))
"""After these the broker may have the order, also where the step that follows is not on record."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An idea in doubt.

    Attributes:
        idea: As the book has it.
        intents: The attempts that the broker may have carried out.
        ticket: Of its order, where the broker gave one; 0 where it did not.
    """

    idea: Idea
    intents: tuple[Intent, ...]
    ticket: int = 0


def doubt_of(idea: Idea, journal: Journal) -> Doubt:
    """The attempts of an idea that the broker may have carried out."""
    names = [opening_id(str(idea["id"]), number) for number in range(1, MOST_ATTEMPTS + 1)]
    made = journal.find_many(Kind.ORDER_INTENT, names)
    told_of = journal.find_many(Kind.ORDER_OUTCOME, names)
    open_ones = tuple(
        Intent.read(made[name].payload)
        for name in names
        if name in made and (name not in told_of or told_of[name].payload["then"] in _TAKEN)
    )
    ticket = 0
    for name in names:
        if name in told_of and told_of[name].payload["then"] in _TAKEN:
            ticket = int(told_of[name].payload["result"].get("order") or ticket)
    return Doubt(idea, open_ones, ticket)


def facts(intent: Intent, match: Match, *, expires_at: datetime | None) -> dict[str, Any]:
    """What an idea's file says once its order was found."""
    request = intent.request
    left = (request.volume or match.volume) - match.volume
    waiting = match.found in {Found.PLACED, Found.PARTLY}
    changes: dict[str, Any] = {
        "intent": intent.id,
        "order": order_facts(
            request,
            match.ticket,
            at=intent.at,
            left=left if waiting else match.volume * 0,
            expires_at=expires_at,
        ),
    }
    if match.volume:
        changes["position"] = position_facts(request, match, at=intent.at)
    return changes


def of_idea(doubt: Doubt, matches: Mapping[str, Match], seen: Seen) -> tuple[Intent | None, Match]:
    """What became of an idea, and of which of its attempts: at most one was carried out.

    Args:
        doubt: The idea.
        matches: What was found of each intent without a ticket, by its id.
        seen: Where the ticket is looked up.
    """
    if doubt.ticket and doubt.intents:
        match = told(doubt.ticket, seen)
        unseen = match.found is Found.ABSENT  # the broker gave it a number, so it comes to light yet
        return doubt.intents[-1], Match(found=Found.PENDING, ticket=doubt.ticket) if unseen else match
    found = [(intent, matches[intent.id]) for intent in doubt.intents]
    hits = [(intent, match) for intent, match in found if match.ticket]
    unsure = sorted({ticket for _, match in found for ticket in match.candidates})
    if len(hits) == 1:
        return hits[0]
    if hits or unsure:
        tickets = tuple(sorted({*unsure, *(match.ticket for _, match in hits)}))
        return None, Match(found=Found.UNCERTAIN, candidates=tickets)
    return None, Match(found=Found.ABSENT)


def order_expiry(idea: Idea) -> datetime | None:
    """When the order of an idea is over, as far as its file says."""
    order = idea.get("order") or {}
    at = order.get("expires_at") or idea.get("order_expires_at")
    return None if at is None else parse_iso(str(at))
