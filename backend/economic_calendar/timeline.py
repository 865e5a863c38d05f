"""The calendar as it was known at any moment, from what was put on record. Pure.

Three things are on record: looks at the provider (when, and which time its data spoke of), revisions (each
first sight and change of an event), and imports of past calendars. Of a look's time the record of that time
counts. Where there is none, an imported calendar that speaks of the moment counts: its schedule is taken
as announced, and what was forecast then is not known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from backend.core.clock import iso, parse_iso, require_utc
from backend.core.errors import Invalid
from backend.economic_calendar.model import CalendarView, Event, Look

PAST_REACH = timedelta(days=2)
FUTURE_REACH = timedelta(days=8)
IMPORTED = "imported"
NOTHING = "no economic calendar has been fetched yet"

_MOMENT = timedelta(microseconds=1)
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

Span = tuple[datetime, datetime]
"""From the first moment up to, not including, the second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookRecord:
    """One successful look at the provider; all times aware UTC.

    Attributes:
        at: When the desk looked.
        fetched_at: When the data was given or confirmed, which is earlier for a file that another writes.
        provider: Who gave it.
        covered_from: Begin of the time that the desk's data then spoke of, inclusive.
        covered_to: End of it, exclusive.
        max_age: Beyond this age the data does not count as known.
        overdue_after: Beyond this age a look is overdue.
    """

    at: datetime
    fetched_at: datetime
    provider: str
    covered_from: datetime
    covered_to: datetime
    max_age: timedelta
    overdue_after: timedelta

    def as_dict(self) -> dict[str, Any]:
        """The look as JSON values."""
        return {
            "recorded_at": iso(self.at),
            "fetched_at": iso(self.fetched_at),
            "provider": self.provider,
            "covered_from": iso(self.covered_from),
            "covered_to": iso(self.covered_to),
            "max_age_seconds": self.max_age.total_seconds(),
            "overdue_after_seconds": self.overdue_after.total_seconds(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LookRecord":
        """Read what `as_dict` gave.

        Raises:
            Invalid: ``bad_look`` for anything else.
        """
        try:
            return cls(
                at=parse_iso(data["recorded_at"]),
                fetched_at=parse_iso(data["fetched_at"]),
                provider=str(data["provider"]),
                covered_from=parse_iso(data["covered_from"]),
                covered_to=parse_iso(data["covered_to"]),
                max_age=timedelta(seconds=data["max_age_seconds"]),
                overdue_after=timedelta(seconds=data["overdue_after_seconds"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Invalid("bad_look", f"a recorded look cannot be read: {error!r}") from error

    def view(self, moment: datetime, events: Iterable[Event], error: str | None = None) -> CalendarView:
        """What this look lets be known at a moment until the next one."""
        age = max(moment - self.fetched_at, timedelta(0))
        reason = self._why_unknown(moment, age, error)
        return CalendarView(
            known=not reason,
            reason=reason,
            provider=self.provider,
            fetched_at=self.fetched_at,
            age=age,
            stale=error is not None or age > self.overdue_after,
            covered_from=self.covered_from,
            covered_to=self.covered_to,
            events=within_reach(events, moment),
        )

    def known(self, until: datetime) -> Span:
        """The moments at which it counts, when the next look is at `until`."""
        end = min(until, self.fetched_at + self.max_age + _MOMENT, self.covered_to)
        return max(self.at, self.covered_from), end

    def _why_unknown(self, moment: datetime, age: timedelta, error: str | None) -> str:
        if not self.covered_from <= moment < self.covered_to:
            return (
                f"the economic calendar speaks of {iso(self.covered_from)} to {iso(self.covered_to)}, "
                f"not of {iso(moment)}"
            )
        if age > self.max_age:
            hours = age.total_seconds() / 3600
            return f"the economic calendar is {hours:.0f} hours old" + (f": {error}" if error else "")
        return ""


def within_reach(events: Iterable[Event], moment: datetime) -> tuple[Event, ...]:
    """Those near a moment that had been seen by then."""
    return tuple(
        event
        for event in _near_to(events, moment)
        if event.first_seen_at is None or event.first_seen_at <= moment
    )


def _near_to(events: Iterable[Event], moment: datetime) -> Iterator[Event]:
    start, end = moment - PAST_REACH, moment + FUTURE_REACH
    return (event for event in events if start <= event.at <= end)


def versions(revisions: Iterable[Mapping[str, Any]], looks: Sequence[LookRecord]) -> tuple[Event, ...]:
    """Every wording of every event with the time it was known in, ascending by time of the event.

    A look at another provider than the one before ends all that is known of that one.

    Args:
        revisions: In the order in which they were recorded.
        looks: The same.

    Raises:
        Invalid: A record cannot be read.
    """
    switches = [one.at for before, one in pairwise(looks) if one.provider != before.provider]
    known = _Known()
    for record in revisions:
        try:
            moment, kind = parse_iso(record["recorded_at"]), record["kind"]
            event = Event.from_dict(record["event"])
        except (KeyError, TypeError) as error:
            raise Invalid("bad_revision", f"a calendar revision cannot be read: {error!r}") from error
        while switches and switches[0] <= moment:
            known.end(list(known.current), switches.pop(0))
        known.end({event.key, record.get("previous_key", event.key)}, moment)
        if kind != "withdrawn":
            known.current[event.key] = replace(event, known_from=moment)
    for switched in switches:
        known.end(list(known.current), switched)
    found = [*known.ended, *known.current.values()]
    return tuple(sorted(found, key=lambda event: (event.at, event.key)))


class _Known:
    """What is known while revisions are gone through, and what was."""

    def __init__(self) -> None:
        self.current: dict[str, Event] = {}
        self.ended: list[Event] = []

    def end(self, keys: Iterable[str], moment: datetime) -> None:
        for key in keys:
            event = self.current.pop(key, None)
            if event is not None and event.known_from is not None and event.known_from < moment:
                self.ended.append(replace(event, known_until=moment))


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """All that is on record of a time.

    Attributes:
        looks: Ascending by time.
        events: What `versions` made of the revisions.
        imported: Imported events, ascending by time.
        spans: What the imports speak of, ascending, apart from each other.
    """

    looks: tuple[LookRecord, ...] = ()
    events: tuple[Event, ...] = ()
    imported: tuple[Event, ...] = ()
    spans: tuple[Span, ...] = ()

    def as_of(self, moment: datetime) -> CalendarView:
        """What was known at a moment, by the records of that time; see `beside` for the imports."""
        moment = require_utc(moment)
        look = max((look for look in self.looks if look.at <= moment), key=lambda each: each.at, default=None)
        if look is None:
            if not self.looks:
                return CalendarView.unknown(NOTHING)
            return CalendarView.unknown(
                f"the economic calendar is held since {iso(self.looks[0].at)}; "
                "what was known before is not on record"
            )
        at_the_time = (
            replace(event, known_from=None, known_until=None)
            for event in _near_to(self.events, moment)
            if _holds(event, moment)
        )
        return look.view(moment, at_the_time)

    def beside(self, moment: datetime, live: CalendarView) -> CalendarView:
        """`live` where that is known, else the imported calendar that speaks of the moment, else `live`."""
        if live.known:
            return live
        span = next((span for span in self.spans if span[0] <= moment < span[1]), None)
        if span is None:
            return live
        return CalendarView(
            known=True,
            provider=IMPORTED,
            covered_from=span[0],
            covered_to=span[1],
            events=tuple(told_at(event, moment) for event in _near_to(self.imported, moment)),
        )

    def between(self, begin: datetime, end: datetime, moment: datetime) -> tuple[Event, ...]:
        """Every event in [begin, end] as it was known at a moment, ascending by time."""
        found = {event.key: told_at(event, moment) for event in self.imported}
        found |= {
            event.key: replace(event, known_from=None, known_until=None)
            for event in self.events
            if _holds(event, moment)
        }
        return tuple(
            sorted(
                (event for event in found.values() if begin <= event.at <= end),
                key=lambda event: (event.at, event.key),
            )
        )

    def over(self, begin: datetime, end: datetime) -> CalendarView:
        """All of [begin, end] as one view: at each moment it blocks what the view of that moment blocks."""
        nexts = [*(look.at for look in self.looks[1:]), _EVER[1]]
        live = [
            (look, span)
            for look, until in zip(self.looks, nexts, strict=False)
            if (span := look.known(until))[0] < span[1]
        ]
        gaps = without(self.spans, [span for _, span in live])
        looks = [_look(span, (look.covered_from, look.covered_to)) for look, span in live]
        for span in self.spans:
            looks += [_look(gap, span) for gap in gaps if span[0] <= gap[0] < span[1]]
        looks = sorted(
            (look for look in looks if look.since <= end and begin < look.until), key=lambda look: look.since
        )
        reach = (begin - PAST_REACH, end + FUTURE_REACH)
        events = [
            piece
            for event in self.events
            if reach[0] <= event.at <= reach[1]
            for piece in _pieces(event, without([_known(event)], gaps))
        ]
        events += [
            told_at(piece, piece.known_from or _EVER[0])
            for event in self.imported
            if reach[0] <= event.at <= reach[1]
            for gap in gaps
            for piece in _pieces(event, _split(_common(gap, _near(event)), event.first_seen_at))
        ]
        names = {look.provider for look, _ in live} | ({IMPORTED} if gaps else set())
        return CalendarView(
            known=bool(looks),
            reason="" if looks else "there is no calendar of the past",
            provider=", ".join(sorted(names)) if looks else "",
            covered_from=min((look.covered_from for look in looks), default=None),
            covered_to=max((look.covered_to for look in looks), default=None),
            events=tuple(sorted(events, key=lambda event: (event.at, event.key, event.known_from or begin))),
            looks=tuple(looks),
        )


def told_at(event: Event, moment: datetime) -> Event:
    """An imported event as a view of a moment may tell it: without values that nobody recorded then."""
    if event.first_seen_at is None or event.first_seen_at <= moment:
        return event
    return replace(event, hindsight=True, forecast=None, previous=None, actual=None)


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans ascending, those that touch put together."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What is left of spans outside of the holes."""
    cut = united(holes)
    left: list[Span] = []
    for span in spans:
        start, end = span
        for first, last in cut:
            if first < end and last > start:
                if start < first:
                    left.append((start, first))
                start = max(start, last)
        if start < end:
            left.append((start, end))
    return left


def _look(span: Span, covered: Span) -> Look:
    return Look(since=span[0], until=span[1], covered_from=covered[0], covered_to=covered[1])


def _holds(event: Event, moment: datetime) -> bool:
    start, end = _known(event)
    return start <= moment < end


def _known(event: Event) -> Span:
    return event.known_from or _EVER[0], event.known_until or _EVER[1]


def _near(event: Event) -> Span:
    """The moments at which the event lies within reach of a view."""
    return event.at - FUTURE_REACH, event.at + PAST_REACH + _MOMENT


def _common(one: Span, other: Span) -> Span:
    return max(one[0], other[0]), min(one[1], other[1])


def _split(span: Span, at: datetime | None) -> list[Span]:
    start, end = span
    if start >= end:
        return []
    if at is None or not start < at < end:
        return [span]
    return [(start, at), (at, end)]


def _pieces(event: Event, spans: Iterable[Span]) -> Iterable[Event]:
    for start, end in spans:
        yield replace(
            event,
            known_from=None if start == _EVER[0] else start,
            known_until=None if end == _EVER[1] else end,
        )
