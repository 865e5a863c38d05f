"""ForexFactory's weekly export: JSON for the events, XML or CSV to tell all-day and tentative apart.

The export speaks of one week, Sunday to Saturday in New York. Its JSON gives times with New York's offset
of that day; it has no mark for events without a time and gives them odd clock times instead. The XML and
CSV exports have such marks, and their clock times are UTC without saying so.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.adapters.calendars_answers import decode, events_of, unexpected
from backend.core.clock import iso, parse_iso
from backend.core.errors import DeskError, Invalid
from backend.core.fetching import NO_VALIDATORS, Fetcher, Validators, safe_url
from backend.economic_calendar import rows as cells
from backend.economic_calendar.config import ForexFactoryConfig
from backend.economic_calendar.marks import Mark, MarkRow, read_csv, read_xml
from backend.economic_calendar.model import Event, Impact
from backend.economic_calendar.ports import ProviderAnswer

NAME = "forexfactory"
MAX_BYTES = 4_000_000
MARKS_LAST = timedelta(hours=24)

_NEW_YORK = ZoneInfo("America/New_York")


class ForexFactory:
    """`CalendarProvider` over the weekly export."""

    name = NAME

    def __init__(self, config: ForexFactoryConfig, fetcher: Fetcher) -> None:
        self._config = config
        self._fetcher = fetcher

    def fetch(self, state: Mapping[str, Any], now: datetime) -> ProviderAnswer:
        """Ask for this week; see `CalendarProvider`."""
        marks_current = self._config.marks == "none" or _marks_current(state, now)
        validators = Validators.from_dict(state.get("json")) if marks_current else NO_VALIDATORS
        url = f"{self._config.base_url}.json"
        got = self._fetcher.get(url, validators=validators, max_bytes=MAX_BYTES, timeout=self._config.timeout)
        memory = {**state, "json": got.validators.as_dict()}
        if got.not_modified:
            return ProviderAnswer(not_modified=True, state=memory)
        events, problems = read_json(got.body, safe_url(url))
        marks, marks_problem = self._marks(events, state, now, memory)
        events = tuple(_marked(event, marks.get(event.key, Mark.UNKNOWN)) for event in events)
        start, end = week_of(events)
        return ProviderAnswer(
            events=events,
            covered_from=start,
            covered_to=end,
            state=memory,
            problems=(*problems, *marks_problem),
        )

    def _marks(
        self, events: Sequence[Event], state: Mapping[str, Any], now: datetime, memory: dict[str, Any]
    ) -> tuple[dict[str, Mark], tuple[str, ...]]:
        known = _known_marks(state)
        if self._config.marks == "none":
            return {}, ()
        if _marks_current(state, now) and all(event.key in known for event in events):
            return known, ()
        url = f"{self._config.base_url}.{self._config.marks}"
        try:
            got = self._fetcher.get(url, max_bytes=MAX_BYTES, timeout=self._config.timeout)
            rows = (read_xml if self._config.marks == "xml" else read_csv)(got.body, safe_url(url))
        except DeskError as error:  # the events themselves are here; what is missing is said
            memory.pop("marks_at", None)
            return known, (f"which events are all-day or tentative could not be told: {error.message}",)
        marks = match_marks(events, rows)
        memory["marks"] = {key: str(mark) for key, mark in marks.items()}
        memory["marks_at"] = iso(now)
        return marks, ()


def read_json(body: bytes, shown: str) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """The events of the JSON export, ascending by time, and what is wrong with rows left out.

    Raises:
        Unavailable: ``calendar_unexpected``: not a list of objects, none at all, or most unreadable.
    """
    try:
        rows = json.loads(decode(body))
    except (ValueError, RecursionError) as error:
        what = "a web page" if body.lstrip()[:1] == b"<" else "no JSON"
        raise unexpected(shown, f"{what}, not with a calendar") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unexpected(shown, "JSON that is not a list of events")
    if not rows:
        raise unexpected(shown, "an empty list, which no week is")
    return events_of(rows, _event, shown)


def match_marks(events: Iterable[Event], rows: Iterable[MarkRow]) -> dict[str, Mark]:
    """Which mark belongs to which event, by key.

    Both exports list the same events, but only timed rows share their time. Per title and currency,
    equal times are matched first; what is left is matched in order if the numbers agree, or if all
    rows left carry the same mark. Anything else stays unknown.
    """
    left: dict[tuple[str, str], list[MarkRow]] = defaultdict(list)
    for row in rows:
        left[cells.text(row.title), row.country.upper()].append(row)
    groups: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda each: each.at):
        groups[event.title, event.currency].append(event)
    marks: dict[str, Mark] = {}
    for name, group in groups.items():
        candidates = left.get(name, [])
        waiting = []
        for event in group:
            same = next((row for row in candidates if row.at == event.at), None)
            if same is None:
                waiting.append(event)
            else:
                candidates.remove(same)
                marks[event.key] = Mark.TIMED
        kinds = {row.mark for row in candidates}
        for position, event in enumerate(waiting):
            if len(candidates) == len(waiting):
                marks[event.key] = candidates[position].mark
            else:
                marks[event.key] = kinds.copy().pop() if len(kinds) == 1 else Mark.UNKNOWN
    return marks


def week_of(events: Sequence[Event]) -> tuple[datetime, datetime]:
    """The week, Sunday to Saturday in New York, that most of these events lie in, as UTC half-open."""
    middle = sorted(event.at for event in events)[len(events) // 2].astimezone(_NEW_YORK)
    days_past_sunday = middle.isoweekday() % 7
    sunday = middle.date() - timedelta(days=days_past_sunday)
    bounds = [
        datetime(day.year, day.month, day.day, tzinfo=_NEW_YORK)
        for day in (sunday, sunday + timedelta(days=7))
    ]
    start, end = (parse_iso(bound.isoformat()) for bound in bounds)
    return start, end


def _event(row: Mapping[str, Any]) -> Event:
    if not isinstance(row.get("date"), str):
        raise cells.BadCell("date", f"{row.get('date')!r} is no date")
    if "impact" not in row:
        raise cells.BadCell("impact", "it has no impact")
    impact = cells.impact(row["impact"])
    return cells.event(
        row.get("title"),
        cells.currency(row.get("country"), "country"),
        parse_iso(row["date"]),
        all_day=impact is Impact.HOLIDAY,
        impact=impact,
        forecast=cells.value(row.get("forecast")),
        previous=cells.value(row.get("previous")),
        actual=cells.value(row.get("actual")),
        source=NAME,
    )


def _marked(event: Event, mark: Mark) -> Event:
    if mark is Mark.UNKNOWN:
        return event
    if event.impact is Impact.HOLIDAY:
        return event  # a holiday is a day, whatever clock time the export gives it
    return replace(event, all_day=mark is Mark.ALL_DAY, tentative=mark is Mark.TENTATIVE)


def _known_marks(state: Mapping[str, Any]) -> dict[str, Mark]:
    marks = state.get("marks")
    if not isinstance(marks, dict):
        return {}
    names = {str(mark) for mark in Mark}
    return {key: Mark(value) for key, value in marks.items() if isinstance(value, str) and value in names}


def _marks_current(state: Mapping[str, Any], now: datetime) -> bool:
    try:
        return timedelta(0) <= now - parse_iso(state["marks_at"]) < MARKS_LAST
    except (KeyError, TypeError, Invalid):
        return False  # never fetched, or written by something else: fetched again
