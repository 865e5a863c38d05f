"""A calendar of the past from a file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.core.clock import parse_iso
from backend.core.errors import Invalid
from backend.economic_calendar.model import CalendarView, Event, event_key
from backend.economic_calendar.reading import read_calendar_files

_EVENT = ("title", "currency", "at")
_AFTERWARDS = datetime(9999, 1, 1, tzinfo=UTC)  # not now: the same file is the same run


def read_calendar(path: Path) -> CalendarView:
    """The events of a file and the time that it speaks of; what it says besides does not count.

    A CSV is read as `mt5ui calendar import` reads it. JSON has the shape of
    ``data/cache/economic_calendar.json``: an object with ``covered_from``, ``covered_to`` (exclusive) and
    ``events``; of an event ``title``, ``currency`` and ``at`` are needed, ``impact`` is ``none`` where
    nothing is said. Times are ISO-8601 with their offset. ``provider`` may name who gave it.

    Raises:
        NotFound: A CSV that is not there.
        Invalid: Code ``bad_calendar_file``, naming file, event and what is wrong; of a CSV also
            ``bad_calendar_row``.
    """
    if path.suffix.lower() != ".json":
        return read_calendar_files([path], now=_AFTERWARDS)
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _bad(path, f"it cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise _bad(path, f"it is not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("events"), list):
        raise _bad(path, "a calendar is an object with covered_from, covered_to and a list of events")
    begin, end = (_time(path, data, name) for name in ("covered_from", "covered_to"))
    if not begin < end:
        raise _bad(path, "covered_from is not before covered_to")
    events = [_event(path, place, each) for place, each in enumerate(data["events"])]
    return CalendarView(
        known=True,
        provider=str(data.get("provider") or path.name),
        covered_from=begin,
        covered_to=end,
        events=tuple(sorted(events, key=lambda event: (event.at, event.key))),
    )


def _time(path: Path, data: dict[str, Any], name: str) -> Any:
    try:
        return parse_iso(data[name])
    except (KeyError, TypeError, ValueError, AttributeError, Invalid) as error:
        raise _bad(
            path, f"{name} is {data.get(name)!r}; it is a time such as 2026-01-02T00:00:00Z"
        ) from error


def _event(path: Path, place: int, given: Any) -> Event:
    if not isinstance(given, dict) or not all(isinstance(given.get(name), str) for name in _EVENT):
        raise _bad(path, f"event {place}: an event has {', '.join(_EVENT)}, as text")
    at = _time(path, given, "at")
    try:
        return Event.from_dict({"key": event_key(at, given["currency"], given["title"]), **given})
    except Invalid as error:
        raise _bad(path, f"event {place}: {error.message}") from error


def _bad(path: Path, why: str) -> Invalid:
    return Invalid("bad_calendar_file", f"{path}: {why}", file=str(path))
