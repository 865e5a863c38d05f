"""ForexFactory's weekly export: JSON for the events, XML or CSV to tell all-day and tentative apart.

The export speaks of one week, Sunday to Saturday in New York. Its JSON gives times with New York's offset
of that day; it has no mark for events without a time and gives them odd clock times instead. The XML and
CSV exports have such marks, and their clock times are UTC without saying so.
"""

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.adapters.calendars_marks import Mark, MarkRow, read_csv, read_xml
from backend.core.clock import iso, parse_iso
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.core.fetching import NO_VALIDATORS, Fetcher, Validators, safe_url
from backend.economic_calendar.config import ForexFactoryConfig
from backend.economic_calendar.model import ALL_CURRENCIES, Event, Impact, event_key
from backend.economic_calendar.ports import ProviderAnswer

NAME = "forexfactory"
MAX_BYTES = 4_000_000
MARKS_LAST = timedelta(hours=24)

_NEW_YORK = ZoneInfo("America/New_York")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST = 300
_SHOWN_PROBLEMS = 10


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
        raise _unexpected(shown, f"{what}, not with a calendar") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _unexpected(shown, "JSON that is not a list of events")
    if not rows:
        raise _unexpected(shown, "an empty list, which no week is")
    found: dict[str, Event] = {}
    problems: list[str] = []
    for number, row in enumerate(rows):
        try:
            event = _event(row)
        except Invalid as error:
            problems.append(f"{shown} /{number}: {error.message}; the row was left out")
            continue
        _add(found, event)
    if len(problems) * 2 > len(rows):
        raise _unexpected(
            shown, f"{len(rows)} rows of which {len(problems)} cannot be read, the first: {problems[0]}"
        )
    if len(problems) > _SHOWN_PROBLEMS:
        problems = [*problems[:_SHOWN_PROBLEMS], f"and {len(problems) - _SHOWN_PROBLEMS} more rows"]
    events = sorted(found.values(), key=lambda event: (event.at, event.key))
    return tuple(events), tuple(problems)


def match_marks(events: Iterable[Event], rows: Iterable[MarkRow]) -> dict[str, Mark]:
    """Which mark belongs to which event, by key.

    Both exports list the same events, but only timed rows share their time. Per title and currency,
    equal times are matched first; what is left is matched in order if the numbers agree, or if all
    rows left carry the same mark. Anything else stays unknown.
    """
    left: dict[tuple[str, str], list[MarkRow]] = defaultdict(list)
    for row in rows:
        left[_text(row.title), row.country.upper()].append(row)
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


def decode(body: bytes) -> str:
    """Text of an export: UTF-8, or the Windows code page that older ones were written in."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _event(row: Mapping[str, Any]) -> Event:
    title = _text(row.get("title"))
    currency = _text(row.get("country")).upper()
    if not title:
        raise Invalid("bad_row", "it has no title")
    if not _CURRENCY.fullmatch(currency):
        raise Invalid("bad_row", f"{row.get('country')!r} is neither a currency nor All")
    if not isinstance(row.get("date"), str):
        raise Invalid("bad_row", f"{row.get('date')!r} is no date")
    at = parse_iso(row["date"])
    impact = _impact(row.get("impact"))
    return Event(
        key=event_key(at, currency, title),
        title=title,
        currency=ALL_CURRENCIES if currency == ALL_CURRENCIES else currency,
        at=at,
        all_day=impact is Impact.HOLIDAY,
        impact=impact,
        forecast=_value(row.get("forecast")),
        previous=_value(row.get("previous")),
        actual=_value(row.get("actual")),
        source=NAME,
    )


def _impact(given: Any) -> Impact:
    name = _text(given).lower()
    if name in {"", "non-economic", "none"}:
        return Impact.NONE
    try:
        return Impact(name)
    except ValueError:
        raise Invalid(
            "bad_row", f"impact {given!r} is none of {', '.join(impact.title() for impact in Impact)}"
        ) from None


def _add(found: dict[str, Event], event: Event) -> None:
    key, number = event.key, 1
    while key in found:
        if replace(found[key], key=event.key) == event:
            return
        number += 1
        key = f"{event.key}|{number}"  # two events of one name and time that differ in what they say
    found[key] = replace(event, key=key)


def _marked(event: Event, mark: Mark) -> Event:
    if mark is Mark.UNKNOWN:
        return event
    if event.impact is Impact.HOLIDAY:
        return event  # a holiday is a day, whatever clock time the export gives it
    return replace(event, all_day=mark is Mark.ALL_DAY, tentative=mark is Mark.TENTATIVE)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    text = html.unescape(value).replace("\\/", "/")
    text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split())[:_LONGEST]


def _value(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _text(value) or None


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


def _unexpected(shown: str, what: str) -> Unavailable:
    return Unavailable(
        "calendar_unexpected", f"{shown} answered with {what}; what was held before stays", url=shown
    )
