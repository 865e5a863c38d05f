"""The lifecycle of a trade idea: one table of what may follow what. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from backend.core.errors import Conflict


class Status(StrEnum):
    """Where an idea stands."""

    PENDING_APPROVAL = "pending_approval"
    """It waits for a person, or for the desk in autonomous mode."""
    APPROVED = "approved"
    """It may be sent."""
    SENDING = "sending"
    """Its order intent is on record; the broker may have been asked."""
    PLACED = "placed"
    """Its order waits at the broker."""
    OPEN = "open"
    """It is a position, possibly with the rest of its order still placed."""
    CLOSED = "closed"
    """The position is closed."""
    UNKNOWN = "unknown"
    """The broker was asked and what came of it is not known yet."""
    FAILED = "failed"
    """The broker refused, or was never asked."""
    REJECTED = "rejected"
    """A person said no."""
    EXPIRED = "expired"
    """Nobody said yes in time, or its order ran out."""
    SUPERSEDED = "superseded"
    """A newer idea of the same strategy and symbol took its place."""
    CANCELLED = "cancelled"
    """A person, a halt or the broker withdrew it before it filled."""
    REFUSED = "refused"
    """The gate refused after approval, before anything was sent."""


class Act(StrEnum):
    """What happens to an idea."""

    PROPOSE = "propose"
    APPROVE = "approve"
    MODIFY = "modify"
    REJECT = "reject"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"
    CANCEL = "cancel"
    HALT = "halt"
    REFUSE = "refuse"
    """The gate refuses an approved idea before it is sent."""
    SEND = "send"
    DEALT = "dealt"
    """The broker's answer, or what is found after a crash: it is a position."""
    PLACE = "place"
    """The broker's answer, or what is found after a crash: its order waits."""
    FAIL = "fail"
    """The broker refuses."""
    NO_ANSWER = "no_answer"
    """The broker's answer was lost."""
    RECONCILE = "reconcile"
    """What came of a lost answer is known now."""
    FILL = "fill"
    PARTIAL_FILL = "partial_fill"
    CLOSE = "close"
    RECORD = "record"
    """Figures become known or change; the status stays."""


def _table() -> dict[tuple[Status, Act], frozenset[Status]]:
    pending, approved, sending = Status.PENDING_APPROVAL, Status.APPROVED, Status.SENDING
    placed, opened, unknown = Status.PLACED, Status.OPEN, Status.UNKNOWN
    ways: dict[tuple[Status, Act], tuple[Status, ...]] = {
        (pending, Act.APPROVE): (approved, pending),  # pending: the gate refused, which is recorded
        (pending, Act.MODIFY): (pending,),
        (pending, Act.REJECT): (Status.REJECTED,),
        (pending, Act.EXPIRE): (Status.EXPIRED,),
        (pending, Act.SUPERSEDE): (Status.SUPERSEDED,),
        (pending, Act.CANCEL): (Status.CANCELLED,),
        (approved, Act.SEND): (sending,),
        (approved, Act.HALT): (Status.CANCELLED,),
        (approved, Act.CANCEL): (Status.CANCELLED,),
        (approved, Act.EXPIRE): (Status.EXPIRED,),
        (approved, Act.REFUSE): (Status.REFUSED,),
        (sending, Act.DEALT): (opened,),
        (sending, Act.PLACE): (placed,),
        (sending, Act.FAIL): (Status.FAILED,),
        (sending, Act.NO_ANSWER): (unknown,),
        (unknown, Act.RECONCILE): (
            opened,
            placed,
            Status.CLOSED,
            Status.CANCELLED,
            Status.EXPIRED,
            Status.FAILED,
        ),
        (placed, Act.FILL): (opened,),
        (placed, Act.PARTIAL_FILL): (opened,),
        (placed, Act.CANCEL): (Status.CANCELLED,),
        (placed, Act.EXPIRE): (Status.EXPIRED,),
        (opened, Act.FILL): (opened,),  # of the rest
        (opened, Act.PARTIAL_FILL): (opened,),
        (opened, Act.CLOSE): (Status.CLOSED,),
    }
    ways |= {(each, Act.RECORD): (each,) for each in (sending, unknown, placed, opened, Status.CLOSED)}
    return {way: frozenset(targets) for way, targets in ways.items()}


TABLE: Mapping[tuple[Status, Act], frozenset[Status]] = _table()
"""Where each act may lead from each status; whatever is not here is a Conflict."""

BORN = frozenset({Status.PENDING_APPROVAL, Status.APPROVED})
"""An idea begins as one of these: a strategy's waits, a manual ticket is approved by whoever made it."""

FINAL = frozenset(
    status
    for status in Status
    if not any(start is status and targets != {status} for (start, _), targets in TABLE.items())
)
"""Statuses that nothing leads out of."""


def target(status: Status, act: Act, to: Status | None = None) -> Status:
    """Where an act leads.

    Args:
        status: Where the idea stands.
        act: What happens.
        to: Which of several ways; needed where the table has more than one.

    Raises:
        Conflict: Code ``illegal_step``: the table does not allow it.
    """
    ways = TABLE.get((status, act), frozenset())
    if to is None and len(ways) == 1:
        (to,) = ways
    if to is None or to not in ways:
        wished = "" if to is None else f" to {to}"
        possible = ", ".join(sorted({each for start, each in TABLE if start is status})) or "nothing"
        raise Conflict(
            "illegal_step",
            f"an idea that is {status} cannot {act.replace('_', ' ')}{wished}; possible now: {possible}",
            status=str(status),
            act=str(act),
            to=None if to is None else str(to),
        )
    return to
