"""Dates of feed items: taken, repaired, or marked. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FUTURE_TOLERANCE = timedelta(minutes=10)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

_ZONE = re.compile(
    r"(?:Z|[+-]\d{2}:?\d{2}|\b(?:UTC?|GMT|[ECMP][SD]?T|CES?T|BST|JST|AE[SD]T))\s*(?:\([^)]*\))?$"
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_OFFSETS = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "CET": 1, "CEST": 2, "BST": 1, "JST": 9, "AEST": 10, "AEDT": 11,
}  # fmt: skip
# "Oct 02, 2024 15:00 GMT" and "Wed, 02 Oct 2024 24:00:00": month by name, the zone may be missing.
_CLOCK = (
    r"(?P<year>\d{4}),?\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>[A-Z]{1,4}|[+-]\d{2}:?\d{2})?"
)
_WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
_MONTH_FIRST = re.compile(_WEEKDAY + r"(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2}),?\s+" + _CLOCK)
_DAY_FIRST = re.compile(_WEEKDAY + r"(?P<day>\d{1,2})\s+(?P<month>[A-Za-z]{3,9})\.?\s+" + _CLOCK)


@dataclass(frozen=True, slots=True)
class Dated:
    """A date, whether it stands in for an unknown one, and why."""

    at: datetime
    is_estimated: bool
    note: str


def dated(text: str | None, parsed: datetime | None, fetched_at: datetime) -> Dated:
    """The date of an item that was fetched at a given time.

    A good date is taken. One that only a rule of the desk can read is ``repaired``. Without zone it is
    read as UTC and marked ``no_zone``. Missing, unreadable (also: day and month cannot be told apart)
    and future dates become the time of fetching, and are marked so.
    """
    if text is None or not text.strip():
        return Dated(fetched_at, is_estimated=True, note="missing")
    note = ""
    own = repair(text)
    if not _ZONE.search(text.strip()):
        parsed, note = parsed or own, "no_zone"
    elif own is not None and own != parsed:  # also where a parser of feeds does not know the zone's name
        parsed, note = own, "repaired"
    if parsed is None or parsed < EARLIEST:
        return Dated(fetched_at, is_estimated=True, note="unreadable")
    if parsed > fetched_at + FUTURE_TOLERANCE:
        return Dated(fetched_at, is_estimated=True, note="future")
    return Dated(min(parsed, fetched_at), is_estimated=note == "no_zone", note=note)


def repair(text: str) -> datetime | None:
    """A date in a form that leaves no doubt, whether feeds should use it or not; None for any other.

    Without a zone it is read as UTC.
    """
    text = " ".join(text.split())
    match = _MONTH_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text)
    if match is None:
        return None
    month = match["month"][:3].lower()
    offset = timedelta(0) if match["zone"] is None else _offset(match["zone"])
    if month not in _MONTHS or offset is None:
        return None
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    next_day = hour == 24 and int(match["minute"]) == 0  # noqa: PLR2004 - midnight at the day's end
    try:
        local = datetime(
            int(match["year"]),
            _MONTHS.index(month) + 1,
            int(match["day"]),
            0 if next_day else hour,
            int(match["minute"]),
            min(int(match["second"] or 0), 59),
            tzinfo=UTC,
        )
        return local + timedelta(days=next_day) - offset
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timedelta | None:
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return -size if zone[0] == "-" else size
    hours = _OFFSETS.get(zone)
    return None if hours is None else timedelta(hours=hours)
