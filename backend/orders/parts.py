"""What sending stands on, and what its steps share."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from backend.core.clock import Clock
from backend.core.timeframes import DAY_SECONDS
from backend.ideas.book import IdeaBook
from backend.ideas.judging import Judged, Prices
from backend.mt5.dealer import Dealer
from backend.mt5.orders import OrderRequest
from backend.mt5.server_time import ServerClock
from backend.orders.asking import Asking, Switch
from backend.orders.intents import Intent, IntentKind, opening_id
from backend.orders.wording import named, overrun, worded

Idea = Mapping[str, Any]


class Judge(Protocol):
    """An idea at current prices, as approval judges it."""

    def judge(self, idea: Idea) -> tuple[Judged, Prices]:
        """What would be sent now, and the prices of then.

        Raises:
            Conflict: It cannot be judged any more.
            NotFound: Its symbol is gone.
            Unavailable: The terminal does not answer.
        """


class SendSwitch(Switch, Protocol):
    """The desk's switches, as every process sees them."""

    def halted(self) -> str:
        """Why nothing new may be sent; empty when it may."""

    def paused(self) -> str:
        """What a person has to do first; empty when nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SendParts:
    """What sending stands on.

    Attributes:
        book: The ideas.
        asking: Sends on record.
        dealer: Orders and deals.
        judge: Judges at current prices.
        switch: Halts and pauses.
        clock: Desk time.
        server_clock: The broker's clock.
        lock: Holds a name against all other threads and processes, for so many seconds at most waited for.
        magic: Number of the desk.
    """

    book: IdeaBook
    asking: Asking
    dealer: Dealer
    judge: Judge
    switch: SendSwitch
    clock: Clock
    server_clock: ServerClock
    lock: Callable[[str, float], AbstractContextManager[None]]
    magic: int


def intent_of(parts: SendParts, idea_id: str, attempt: int, left: list[OrderRequest]) -> Intent:
    """The intent of an attempt, of the first of the variants."""
    name = opening_id(idea_id, attempt)
    return Intent(
        id=name,
        kind=IntentKind.OPEN,
        at=parts.clock.now(),
        request=named(left, name),
        idea=idea_id,
        attempt=attempt,
    )


def word(parts: SendParts, judged: Judged, prices: Prices, expires_at: datetime | None) -> list[OrderRequest]:
    """The variants of a request as the symbol may be traded now."""
    clock = parts.server_clock
    server_now = clock.server_epoch(parts.clock.now())
    return worded(
        judged,
        prices,
        parts.dealer.terms(judged.levels.instrument.symbol),
        magic=parts.magic,
        expires_at=expires_at,
        day_ends=clock.utc_datetime(server_now - server_now % DAY_SECONDS + DAY_SECONDS),
    )


def stated(judged: Judged) -> dict[str, Any]:
    """What was judged, for the idea's history."""
    return {
        "levels": judged.levels.as_dict(),
        "passed": judged.passed_by,
        "refusals": [refusal.as_dict() for refusal in judged.refusals],
        "verdict": None if judged.verdict is None else judged.verdict.as_dict(),
        "size": None if judged.proposal is None else judged.proposal.size.as_dict(),
    }


def refusal_of(judged: Judged, prices: Prices) -> str:
    """Why it is not sent now; empty where it is."""
    reasons = [refusal.reason for refusal in judged.refusals if refusal.blocks]
    late = overrun(judged, prices) if judged.proposal is not None else ""
    if late:
        reasons.append(late)
    if not reasons and judged.proposal is None:
        reasons.append("its levels give no order")
    return "; ".join(reasons)


def told(idea: Idea, why: str) -> dict[str, Any]:
    """What whoever asked hears."""
    return {"idea": idea["id"], "status": str(idea["status"]), "why": why}
