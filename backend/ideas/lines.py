"""What is kept in memory of every trade idea, and lists made of it. Pure.

The file holds the idea; a line is what lists, pace and recovery ask of all of them, so that a desk which has
been used for months needs neither its memory nor its time for each idea that is over.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from sys import intern
from typing import Any

from backend.core.clock import parse_iso
from backend.core.errors import Invalid
from backend.ideas.lifecycle import FINAL, Act, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One idea.

    Attributes:
        id: Its id.
        symbol: Canonical symbol.
        status: Where it stands.
        strategy: Id of the strategy; None for a person's.
        side: ``buy`` or ``sell``; None where the file has none.
        origin: ``strategy`` or ``manual``; None where the file has none.
        created_at: When it was made.
        moved_at: When its last step was.
        sent_at: When it was sent; None if it never was.
        closed_at: When its position was closed: by the broker's figures, else by its record.
        ticket: Of its order; None without one.
        over: Nothing is to come: neither a step nor a figure.
    """

    id: str
    symbol: str
    status: Status
    strategy: str | None
    side: str | None
    origin: str | None
    created_at: datetime
    moved_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None
    ticket: int | None
    over: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which ideas are wanted; None and an empty set take all.

    Attributes:
        statuses: Any of these.
        symbol: Canonical symbol.
        strategy: Id of the strategy.
        side: ``buy`` or ``sell``.
        origin: ``strategy`` or ``manual``.
        since: Made then or later, aware UTC.
        until: Made before, aware UTC.
    """

    statuses: frozenset[Status] = frozenset()
    symbol: str | None = None
    strategy: str | None = None
    side: str | None = None
    origin: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, line: Line) -> bool:
        """Whether an idea is wanted."""
        return (
            (not self.statuses or line.status in self.statuses)
            and (self.symbol is None or line.symbol == self.symbol)
            and (self.strategy is None or line.strategy == self.strategy)
            and (self.side is None or line.side == self.side)
            and (self.origin is None or line.origin == self.origin)
            and (self.since is None or line.created_at >= self.since)
            and (self.until is None or line.created_at < self.until)
        )


def line_of(idea: Mapping[str, Any]) -> Line:
    """The line of an idea.

    Raises:
        Invalid: Code ``bad_idea``: a time or a number of it is none.
    """
    try:
        return _line(idea)
    except (Invalid, AttributeError, KeyError, TypeError, ValueError) as error:
        raise Invalid("bad_idea", f"the trade idea {idea['id']} cannot be read: {error}") from error


def page_of(
    lines: Iterable[Line], wanted: Filter, *, cursor: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Ids of the first lines that are wanted behind the one of an id, and the next page's cursor.

    Raises:
        Invalid: Code ``bad_cursor``: no line has that id.
    """
    rest = iter(lines)
    if cursor is not None and not any(line.id == cursor for line in rest):  # goes on behind it
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
    found: list[str] = []
    for line in rest:
        if wanted.takes(line):
            if len(found) == limit:
                return found, found[-1]
            found.append(line.id)
    return found, None


def counted(lines: Iterable[Line], wanted: Filter) -> dict[Status, int]:
    """How many there are of each status, whichever of them are wanted; the rest of the filter counts."""
    every = replace(wanted, statuses=frozenset())
    return dict(Counter(line.status for line in lines if every.takes(line)))


def still_to_come(idea: Mapping[str, Any]) -> bool:
    """Whether a step or a figure may follow: a closed trade is over once it stands in the trade log."""
    if idea["status"] == Status.CLOSED:
        return bool(idea.get("position")) and not idea.get("logged")
    return idea["status"] not in FINAL


def _line(idea: Mapping[str, Any]) -> Line:
    created, history, status = parse_iso(idea["created_at"]), idea["history"], Status(idea["status"])
    moved = parse_iso(history[-1]["at"]) if history and "at" in history[-1] else created
    ticket = _part(idea, "order").get("ticket")
    closed = None
    if status is Status.CLOSED:
        told = _part(idea, "result").get("closed_at")
        closed = parse_iso(told) if told else moved
    sent = next((step["at"] for step in history if step.get("action") == Act.SEND), None)
    return Line(
        id=str(idea["id"]),
        symbol=intern(str(idea["symbol"])),
        status=status,
        strategy=_word(idea.get("strategy_id")),
        side=_word(idea.get("side")),
        origin=_word(idea.get("origin")),
        created_at=created,
        moved_at=moved,
        sent_at=None if sent is None else parse_iso(sent),
        closed_at=closed,
        ticket=int(ticket) if ticket else None,
        over=not still_to_come(idea),
    )


def _part(idea: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = idea.get(name)
    return part if isinstance(part, dict) else {}


def _word(value: Any) -> str | None:
    return None if value is None else intern(str(value))
