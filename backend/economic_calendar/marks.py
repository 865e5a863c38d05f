"""The second export of ForexFactory: which events have no clock time, or only a guessed one."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from xml.etree import ElementTree as ET

from backend.core.errors import Unavailable

_TIME = re.compile(r"(1[0-2]|0?[1-9]):([0-5]\d)\s*([ap])m", re.IGNORECASE)
_DATE = re.compile(r"\d{1,2}-\d{1,2}-\d{4}")
_COUNTRY = re.compile(r"[A-Z]{3}|All", re.IGNORECASE)


class Mark(StrEnum):
    """What is known of an event's clock time."""

    TIMED = "timed"
    ALL_DAY = "all_day"
    TENTATIVE = "tentative"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkRow:
    """One row: the event's name and its mark; `at` in UTC only where it is timed."""

    title: str
    country: str
    mark: Mark
    at: datetime | None = None


def read_xml(body: bytes, shown: str) -> tuple[MarkRow, ...]:
    """The rows of the XML export.

    Raises:
        Unavailable: ``calendar_unexpected`` if it is not that export.
    """
    plain = body.replace(b"\0", b"")  # declarations in UTF-16 are declarations too
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise _unexpected(shown, "XML with declarations, which the export has not")
    try:
        # No declaration passed, so there is no entity to expand or to fetch.
        root = ET.fromstring(body.lstrip())  # noqa: S314
    except (ET.ParseError, LookupError, ValueError, RecursionError) as error:
        raise _unexpected(shown, f"unreadable XML ({error})") from error
    if root.tag != "weeklyevents":
        raise _unexpected(shown, f"XML of <{root.tag}>, not of <weeklyevents>")
    return tuple(
        read_row(
            event.findtext("title", ""),
            event.findtext("country", ""),
            event.findtext("date", ""),
            event.findtext("time", ""),
        )
        for event in root.iter("event")
    )


def read_csv(body: bytes, shown: str) -> tuple[MarkRow, ...]:
    """The rows of the CSV export; titles with commas may be unquoted.

    Raises:
        Unavailable: ``calendar_unexpected`` if it is not that export.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise _unexpected(shown, f"unreadable CSV ({error})") from error
    if not lines or [name.strip().lower() for name in lines[0][:4]] != ["title", "country", "date", "time"]:
        raise _unexpected(shown, "no CSV that begins with Title,Country,Date,Time")
    rows = []
    for cells in lines[1:]:
        start = country_at(cells)
        if start is not None:
            rows.append(read_row(",".join(cells[:start]), *cells[start : start + 3]))
    return tuple(rows)


def country_at(cells: Sequence[str]) -> int | None:
    """Where the country stands, which is later where an unquoted title has commas; None for no such row."""
    for index in range(1, len(cells) - 2):
        if _COUNTRY.fullmatch(cells[index].strip()) and _DATE.fullmatch(cells[index + 1].strip()):
            return index
    return None


def read_row(title: str, country: str, date: str, time: str) -> MarkRow:
    """One row of the export; a time that no day or clock makes is `Mark.UNKNOWN`."""
    date, time = date.strip(), time.strip()
    clock = _TIME.fullmatch(time)
    title, country = title.strip(), country.strip()
    if clock is None:
        return MarkRow(title=title, country=country, mark=_mark(time))
    try:
        day = datetime.strptime(date, "%m-%d-%Y").replace(tzinfo=UTC)
    except ValueError:
        return MarkRow(title=title, country=country, mark=Mark.UNKNOWN)
    hour = int(clock[1]) % 12 + (12 if clock[3].lower() == "p" else 0)
    at = day.replace(hour=hour, minute=int(clock[2]))
    return MarkRow(title=title, country=country, mark=Mark.TIMED, at=at)


def _mark(time: str) -> Mark:
    if not time:
        return Mark.UNKNOWN
    if time.lower().startswith(("all day", "day")):
        return Mark.ALL_DAY
    return Mark.TENTATIVE  # "Tentative", "24th-28th": whatever is no clock time is a guess


def _unexpected(shown: str, what: str) -> Unavailable:
    return Unavailable("calendar_unexpected", f"{shown} answered with {what}", url=shown)
