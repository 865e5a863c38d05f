"""Economic events and what was known of them at a given time. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from backend.core.clock import iso, parse_iso, require_utc
from backend.core.errors import Invalid

ALL_CURRENCIES = "ALL"
_TIMES = ("at", "first_seen_at", "known_from", "known_until")
_SELDOM = ("hindsight", "known_from", "known_until")
REVISABLE = ("at", "all_day", "tentative", "impact", "forecast", "previous", "actual")


class Impact(StrEnum):
    """How much an event is expected to move its currency, as the provider judges it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    HOLIDAY = "holiday"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One scheduled event.

    Attributes:
        key: Identity within a provider: time, currency and title.
        title: The provider's words.
        currency: Currency code such as ``USD``; ``ALL`` touches every currency.
        at: When it happens, aware UTC. For an all-day event the provider's own odd clock time, for a
            tentative one the provider's guess.
        all_day: The event belongs to a day, its clock time means nothing.
        tentative: The clock time is a guess.
        impact: See `Impact`.
        forecast: As given (``0.3%``, ``-169B``, ``4.12|2.5``), None where there is none.
        previous: Same.
        actual: Same; None also where the provider never gives any.
        source: Name of the provider.
        first_seen_at: When this desk first read of it, aware UTC; None before it was recorded.
        hindsight: It was put on record after the moment that the view is of: its schedule is taken as
            announced, what was forecast then is not known.
        known_from: In a view of a whole time, from when on it was known in these words, aware UTC; None
            is without a bound.
        known_until: Until when, exclusive.
    """

    key: str
    title: str
    currency: str
    at: datetime
    all_day: bool = False
    tentative: bool = False
    impact: Impact = Impact.NONE
    forecast: str | None = None
    previous: str | None = None
    actual: str | None = None
    source: str = ""
    first_seen_at: datetime | None = None
    hindsight: bool = False
    known_from: datetime | None = None
    known_until: datetime | None = None

    def __post_init__(self) -> None:
        require_utc(self.at)

    def touches(self, currencies: Iterable[str]) -> bool:
        """Whether it concerns any of these currencies."""
        return self.currency == ALL_CURRENCIES or self.currency in set(currencies)

    def seen(self, moment: datetime) -> "Event":
        """The same event, first seen at `moment`."""
        return replace(self, first_seen_at=moment)

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON values."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        values["at"] = iso(self.at)
        values["impact"] = str(self.impact)
        for name in ("first_seen_at", "known_from", "known_until"):
            values[name] = iso(values[name]) if values[name] else None
        for name in _SELDOM:  # left out where they say nothing: records and hashes of before stay the same
            if not values[name]:
                del values[name]
        return values

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Event":
        """Read what `as_dict` gave.

        Raises:
            Invalid: If a field is missing, unknown or has the wrong form.
        """
        try:
            times = {name: parse_iso(data[name]) for name in _TIMES if data.get(name)}
            return cls(**{**data, "impact": Impact(data.get("impact", "none")), **times})
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid("bad_event", f"a stored calendar event cannot be read: {error!r}") from error


def event_key(at: datetime, currency: str, title: str) -> str:
    """Identity of an event: ``2026-01-02T13:30:00Z|USD|CPI m/m``."""
    return f"{iso(at)}|{currency}|{title}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one look at a provider, or an import, lets be known; all times aware UTC.

    Attributes:
        since: From this moment on, inclusive.
        until: Until then, exclusive: the next look, or the age beyond which it no longer counts.
        covered_from: Begin of the time that its data speaks of, inclusive.
        covered_to: End of it, exclusive.
    """

    since: datetime
    until: datetime
    covered_from: datetime
    covered_to: datetime

    def as_dict(self) -> dict[str, str]:
        """The look as JSON values."""
        return {f.name: iso(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, str]) -> "Look":
        """Read what `as_dict` gave."""
        return cls(**{f.name: parse_iso(data[f.name]) for f in fields(cls)})


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarView:
    """The calendar as it was known at one moment, or as it was known over a whole time.

    Attributes:
        known: Whether there is a calendar to judge by at that moment.
        reason: Why not, in a sentence; empty when known.
        provider: Who gave it; empty when there is none.
        fetched_at: When the provider last gave or confirmed it, aware UTC.
        age: Time since then.
        stale: The newest look failed or is overdue; the events are those of `fetched_at`.
        covered_from: Begin of the time that the provider's data speaks of, inclusive, aware UTC.
        covered_to: End of it, exclusive. Outside nothing is known, which is not "no events".
        events: Those within reach of the moment, ascending by time. Over a whole time: every wording of
            every event, with `known_from` and `known_until`.
        looks: Of a view over a whole time: when which part of it was known. Empty in a view of one moment.
    """

    known: bool
    reason: str = ""
    provider: str = ""
    fetched_at: datetime | None = None
    age: timedelta | None = None
    stale: bool = False
    covered_from: datetime | None = None
    covered_to: datetime | None = None
    events: tuple[Event, ...] = ()
    looks: tuple[Look, ...] = ()

    @classmethod
    def unknown(cls, reason: str) -> "CalendarView":
        """No calendar, and why."""
        return cls(known=False, reason=reason)

    def known_spans(self, before: timedelta, after: timedelta) -> tuple[tuple[datetime, datetime, bool], ...]:
        """When the calendar spoke of all of [moment - after, moment + before]: the moments [first, last].

        The third value says whether `last` itself belongs to the span.
        """
        if self.looks:
            spans = [
                (
                    max(look.since, look.covered_from + after),
                    min(look.until, look.covered_to - before),
                    look.covered_to - before < look.until,
                )
                for look in self.looks
            ]
        elif self.known and self.covered_from is not None and self.covered_to is not None:
            spans = [(self.covered_from + after, self.covered_to - before, True)]
        else:
            spans = []
        return tuple(span for span in spans if span[0] < span[1] or (span[0] == span[1] and span[2]))

    def knows(self, at: datetime, before: timedelta, after: timedelta) -> bool:
        """Whether at that moment all of [at - after, at + before] lay in what the data speaks of."""
        return any(
            first <= at < last or (at == last and closed)
            for first, last, closed in self.known_spans(before, after)
        )

    def as_dict(self) -> dict[str, Any]:
        """The view as JSON values, for a decision's record."""
        values: dict[str, Any] = {
            "known": self.known,
            "reason": self.reason,
            "provider": self.provider,
            "fetched_at": iso(self.fetched_at) if self.fetched_at else None,
            "age_seconds": self.age.total_seconds() if self.age is not None else None,
            "stale": self.stale,
            "covered_from": iso(self.covered_from) if self.covered_from else None,
            "covered_to": iso(self.covered_to) if self.covered_to else None,
            "events": [event.as_dict() for event in self.events],
        }
        if self.looks:
            values["looks"] = [look.as_dict() for look in self.looks]
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CalendarView":
        """Read what `as_dict` gave; without its age, which follows from the time of asking.

        Raises:
            Invalid: An event's field is missing, unknown or has the wrong form.
        """

        def time(name: str) -> datetime | None:
            return None if data[name] is None else parse_iso(data[name])

        return cls(
            known=data["known"],
            reason=data["reason"],
            provider=data["provider"],
            stale=data["stale"],
            events=tuple(Event.from_dict(event) for event in data["events"]),
            fetched_at=time("fetched_at"),
            covered_from=time("covered_from"),
            covered_to=time("covered_to"),
            looks=tuple(Look.from_dict(look) for look in data.get("looks", ())),
        )
