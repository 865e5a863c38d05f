"""Cells of a calendar's rows: texts, values, impacts, times; and rows made into events. Pure."""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from backend.core.clock import require_utc
from backend.core.errors import Invalid
from backend.economic_calendar.model import ALL_CURRENCIES, Event, Impact, event_key

CURRENCY = re.compile(r"[A-Z]{3}")
IMPACTS: Mapping[str, Impact] = {
    "high": Impact.HIGH,
    "3": Impact.HIGH,
    "medium": Impact.MEDIUM,
    "moderate": Impact.MEDIUM,
    "2": Impact.MEDIUM,
    "low": Impact.LOW,
    "1": Impact.LOW,
    "holiday": Impact.HOLIDAY,
    "none": Impact.NONE,
    "non-economic": Impact.NONE,
    "0": Impact.NONE,
    "": Impact.NONE,
}
"""The providers' words and numbers; no two of them mean different things by one."""

_LONGEST = 300
_YES, _NO = {"1", "true", "yes"}, {"", "0", "false", "no"}


class BadCell(Invalid):
    """A cell that cannot be read.

    Args:
        column: The column's name; empty where the row as a whole is wrong.
        message: What is wrong.
    """

    def __init__(self, column: str, message: str) -> None:
        super().__init__("bad_row", message, column=column)
        self.column = column

    def __reduce__(self) -> tuple[Any, ...]:
        return BadCell, (self.column, self.message)


def text(value: Any) -> str:
    """Text without markup's escapes, control characters and doubled blanks; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    plain = html.unescape(value).replace("\\/", "/")
    plain = "".join(each if each.isprintable() else " " for each in plain)
    return " ".join(plain.split())[:_LONGEST]


def value(given: Any, unit: Any = "") -> str | None:
    """A figure as the provider writes it, with its percent sign; None where there is none."""
    if given is None or isinstance(given, bool):
        return None
    if isinstance(given, int | float):
        given = str(given)
    found = text(given)
    return (found + "%" if text(unit) == "%" and not found.endswith("%") else found) if found else None


def impact(given: Any, column: str = "impact") -> Impact:
    """An impact from a provider's word or number.

    Raises:
        BadCell: It is none.
    """
    word = (str(given) if isinstance(given, int) else text(given)).lower()
    if not isinstance(given, str | int | None) or isinstance(given, bool) or word not in IMPACTS:
        raise BadCell(
            column, f"impact {given!r} is none of High, Medium, Low, Holiday, None, nor a number from 0 to 3"
        )
    return IMPACTS[word]


def currency(given: Any, column: str = "currency") -> str:
    """A currency code, or `ALL_CURRENCIES`.

    Raises:
        BadCell: It is neither.
    """
    code = text(given).upper()
    if not CURRENCY.fullmatch(code):
        raise BadCell(column, f"{given!r} is neither a currency nor All")
    return ALL_CURRENCIES if code == ALL_CURRENCIES else code


def flag(given: Any, column: str) -> bool:
    """Yes or no, as a word or number.

    Raises:
        BadCell: It is neither.
    """
    word = text(given).lower()
    if word not in _YES | _NO:
        raise BadCell(column, f"{given!r} is neither yes nor no")
    return word in _YES


def moment(given: Any, zone: tzinfo = UTC, column: str = "time") -> datetime:
    """An ISO time in UTC; one without an offset is in `zone`.

    Raises:
        BadCell: It is no time, or in `zone` there is none such or two.
    """
    words = text(given).replace(".", "-", 2) if re.match(r"\d{4}\.", text(given)) else text(given)
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        raise BadCell(column, f"{given!r} is no time such as 2026-01-09T13:30:00Z") from None
    if found.tzinfo is not None:
        return require_utc(found)
    first, second = (found.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        there = first.astimezone(zone).replace(tzinfo=None) == found
        raise BadCell(
            column,
            f"{given!r} {'comes twice' if there else 'does not exist'} in {zone}, where clocks are changed; "
            "write it with its offset from UTC",
        )
    return first


def event(title: Any, code: str, at: datetime, *, title_column: str = "title", **values: Any) -> Event:
    """An event with its key.

    Raises:
        BadCell: It has no title.
    """
    name = text(title)
    if not name:
        raise BadCell(title_column, "it has no title")
    return Event(key=event_key(at, code, name), title=name, currency=code, at=at, **values)


def unique(events: Iterable[Event]) -> tuple[Event, ...]:
    """Ascending by time, what is said twice once; two of one name and time that differ twice."""
    found: dict[str, Event] = {}
    for one in events:
        key, number = one.key, 1
        while key in found and replace(found[key], key=one.key) != one:
            number += 1
            key = f"{one.key}|{number}"
        found.setdefault(key, replace(one, key=key))
    return tuple(sorted(found.values(), key=lambda each: (each.at, each.key)))


def days_of(events: Iterable[Event]) -> tuple[datetime, datetime]:
    """The UTC days from the first to the last of these events, half-open."""
    times = [each.at for each in events]
    first, last = (
        each.replace(hour=0, minute=0, second=0, microsecond=0) for each in (min(times), max(times))
    )
    return first, last + timedelta(days=1)
