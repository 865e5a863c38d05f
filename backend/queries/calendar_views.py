"""The views over the economic calendar: what was recorded of it, and each wording with when it was known."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from backend.core.errors import DeskError
from backend.economic_calendar.imports import Imports
from backend.economic_calendar.timeline import LookRecord, versions
from backend.queries.model import JSON, TEXT, TIME, YES_NO, Column, View
from backend.storage.files import FileStorage

REVISIONS: Final = "calendar/revisions_*.jsonl"
_LOOKS: Final = "calendar/looks_*.jsonl"
_EVER: Final = (datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))

AT: Final = "calendar_at"
"""A table function over `CALENDAR_VIEW`: the events as they were known at a moment."""

_EVENT: Final = (
    Column(name="at", type=TIME, meaning="When it happens"),
    Column(name="currency", type=TEXT, meaning="Such as USD; ALL touches every one"),
    Column(name="impact", type=TEXT, meaning="high, medium, low, holiday or none"),
    Column(name="title", type=TEXT, meaning="The provider's words"),
    Column(name="actual", type=TEXT, meaning="As given, such as 0.3%"),
    Column(name="forecast", type=TEXT, meaning="As given"),
    Column(name="previous", type=TEXT, meaning="As given"),
    Column(name="all_day", type=YES_NO, meaning="Its clock time means nothing"),
    Column(name="tentative", type=YES_NO, meaning="Its clock time is a guess"),
    Column(name="source", type=TEXT, meaning="Who gave it"),
    Column(name="first_seen_at", type=TIME, meaning="When it was put on record"),
)

CALENDAR_VIEW: Final = View(
    name="calendar",
    meaning="Economic events, a row each wording and when it was known; calendar_at(TIME): those of a moment",
    where="f.key IS NOT NULL",
    columns=(
        *_EVENT,
        Column(name="known_from", type=TIME, meaning="Since when it was known so; null is without bound"),
        Column(name="known_until", type=TIME, meaning="Until when, excluded; null is to this day"),
        Column(name="imported", type=YES_NO, meaning="Brought by a person: its figures were recorded later"),
        Column(name="key", type=TEXT, meaning="Of the event within its provider"),
    ),
)

REVISIONS_VIEW: Final = View(
    name="calendar_revisions",
    meaning="Each first sight and change of an event, as it was recorded",
    files=(f"data/{REVISIONS}",),
    where="f.key IS NOT NULL",
    columns=(
        Column(name="recorded_at", type=TIME, meaning="When the desk read of it"),
        Column(name="kind", type=TEXT, meaning="new, changed, moved, withdrawn or returned"),
        Column(name="key", type=TEXT, meaning="Of the event within its provider"),
        *(
            Column(name=one.name, type=one.type, meaning=one.meaning, path=f"event.{one.name}")
            for one in _EVENT
            if one.name != "first_seen_at"
        ),
        Column(name="before", type=JSON, meaning="What was changed, as it was"),
        Column(name="after", type=JSON, meaning="The same, as it is"),
    ),
)

AT_SQL: Final = f"""CREATE MACRO {AT}(moment) AS TABLE SELECT * REPLACE (
    if(imported AND first_seen_at > moment, NULL, actual) AS actual,
    if(imported AND first_seen_at > moment, NULL, forecast) AS forecast,
    if(imported AND first_seen_at > moment, NULL, previous) AS previous)
FROM calendar WHERE coalesce(known_from <= moment, true) AND coalesce(known_until > moment, true)"""  # noqa: S608


def wordings(storage: FileStorage, problems: list[DeskError]) -> Iterator[dict[str, Any]]:
    """Every wording of every event, by the calendar's own rule; lines that are none go to `problems`.

    Raises:
        DeskError: A record is not in the desk's form.
    """

    def lines(pattern: str) -> Iterator[dict[str, Any]]:
        for name in storage.names(pattern):
            yield from storage.read_jsonl(name, problems=problems)

    looks = sorted((LookRecord.from_dict(line) for line in lines(_LOOKS)), key=lambda look: look.at)
    for event in versions(lines(REVISIONS), looks):
        yield event.as_dict() | {"imported": False}
    for event in Imports(storage).timeline(*_EVER).imported:
        yield event.as_dict() | {"imported": True}
