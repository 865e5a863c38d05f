"""Order intents: what the desk is about to ask of the broker, on record before it is asked."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.core.clock import iso, parse_iso
from backend.journal.record import Entry, Kind
from backend.mt5.orders import OrderRequest

PREFIX = "o-"
LENGTH = len(PREFIX) + 20
"""An intent's id is the comment of its order: within the 29 characters that a terminal takes."""

_DIGITS = frozenset("0123456789abcdef")


class IntentKind(StrEnum):
    """What an order is for."""

    OPEN = "open"
    CLOSE = "close"
    MODIFY = "modify"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """One request to the broker, before it is made.

    Attributes:
        id: Also the order's comment and the key of its records in the journal.
        kind: What it is for.
        at: Desk time.
        request: What will be asked.
        idea: The trade idea that it belongs to; None where there is none.
        attempt: Which one of that idea, from 1: after a requote or a refused filling mode there is another.
        why: Why a position or an order is changed.
    """

    id: str
    kind: IntentKind
    at: datetime
    request: OrderRequest
    idea: str | None = None
    attempt: int = 1
    why: str = ""

    @property
    def entry(self) -> Entry:
        """What the journal keeps of it."""
        payload = {
            "id": self.id,
            "kind": str(self.kind),
            "at": iso(self.at),
            "idea": self.idea,
            "attempt": self.attempt,
            "why": self.why,
            "request": self.request.as_dict(),
        }
        return Entry(kind=Kind.ORDER_INTENT, payload=payload, key=self.id)

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "Intent":
        """Out of what the journal has."""
        return cls(
            id=payload["id"],
            kind=IntentKind(payload["kind"]),
            at=parse_iso(payload["at"]),
            request=OrderRequest.from_dict(payload["request"]),
            idea=payload["idea"],
            attempt=payload["attempt"],
            why=payload["why"],
        )


def opening_id(idea_id: str, attempt: int) -> str:
    """The one id that an attempt to send an idea can have, so that two processes cannot make two of it."""
    return PREFIX + hashlib.sha256(f"{idea_id}:{attempt}".encode()).hexdigest()[:20]


def fresh_id() -> str:
    """An id for a change of something that is there."""
    return PREFIX + secrets.token_hex(10)


def named_in(comment: str) -> str | None:
    """The intent that a comment names, wherever a broker left it in there; None if it names none."""
    start = comment.find(PREFIX)
    while start >= 0:
        found = comment[start : start + LENGTH]
        if len(found) == LENGTH and set(found[len(PREFIX) :]) <= _DIGITS:
            return found
        start = comment.find(PREFIX, start + 1)
    return None
