"""What all providers' answers have in common: reading rows, and saying what an unexpected answer is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.core.errors import Invalid, Unavailable
from backend.economic_calendar.model import Event
from backend.economic_calendar.rows import unique

_SHOWN_PROBLEMS = 10


def unexpected(shown: str, what: str) -> Unavailable:
    """An answer that is not a calendar."""
    return Unavailable(
        "calendar_unexpected", f"{shown} answered with {what}; what was held before stays", url=shown
    )


def decode(body: bytes) -> str:
    """Text of an answer: UTF-8, or the Windows code page that older exports were written in."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def events_of(
    rows: Sequence[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Event], shown: str
) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """The events of an answer's rows, ascending by time, and what is wrong with rows left out.

    A country without a currency here is left out as well, but does not speak against the answer.

    Raises:
        Unavailable: ``calendar_unexpected``: most rows cannot be read.
    """
    found: list[Event] = []
    problems: list[str] = []
    unreadable = 0
    for number, row in enumerate(rows):
        try:
            found.append(read(row))
        except Invalid as error:
            unreadable += error.code != "unknown_country"
            problems.append(f"{shown} /{number}: {error.message}; the row was left out")
    if unreadable * 2 > len(rows):
        raise unexpected(
            shown, f"{len(rows)} rows of which {unreadable} cannot be read, the first: {problems[0]}"
        )
    if len(problems) > _SHOWN_PROBLEMS:
        problems = [*problems[:_SHOWN_PROBLEMS], f"and {len(problems) - _SHOWN_PROBLEMS} more rows"]
    return unique(found), tuple(problems)
