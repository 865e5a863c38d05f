"""When trading pauses around economic events. Pure.

Choices that the rules leave open:

- A window is half-open: from `minutes_before` ahead of the event up to, not including,
  `minutes_after` past it. Zero minutes on both sides is no embargo.
- An **all-day** event (bank holidays, summits without a time) never blocks minutes, whatever its
  impact: its clock time means nothing. It is given back in `shown` for a person to see.
- A **holiday** does not block either, also where its day was not marked as all-day.
- A **tentative** event of high impact blocks with a window wider by `TENTATIVE_MARGIN` on each side,
  since its time is a guess; a tentative event of lower impact does not block and is shown.
- Where the calendar says nothing about the whole window around the moment, the result is not known;
  events that are known still block.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.core.clock import iso, require_utc
from backend.core.errors import Invalid
from backend.economic_calendar.model import CalendarView, Event, Impact

TENTATIVE_MARGIN = timedelta(minutes=60)
DEFAULT_IMPACTS = frozenset({Impact.HIGH})
_SHOWN_REACH = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """One rule of when trading pauses.

    Attributes:
        before: Minutes ahead of an event, 0 or more.
        after: Minutes past it, 0 or more.
        impacts: Which impacts pause.
    """

    before: float
    after: float
    impacts: frozenset[Impact] = DEFAULT_IMPACTS


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbargoWindow:
    """One event's pause: ``[start, end)``, aware UTC."""

    event: Event
    start: datetime
    end: datetime

    def as_dict(self) -> dict[str, Any]:
        """The window as JSON values."""
        return {"event": self.event.as_dict(), "start": iso(self.start), "end": iso(self.end)}


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbargoResult:
    """Whether trading pauses at one moment.

    Attributes:
        blocked: A known event's window holds the moment.
        event: That event; of several the one that blocks longest.
        window: Its window.
        known: Whether the calendar speaks of the whole time that could block; true where no embargo is
            asked for. When this is False and
            `blocked` is False, nobody knows: the caller decides what that means.
        reason: A sentence for a person; empty when known and not blocked.
        shown: All-day, holiday and tentative events near the moment that do not block.
    """

    blocked: bool
    event: Event | None = None
    window: EmbargoWindow | None = None
    known: bool = True
    reason: str = ""
    shown: tuple[Event, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "blocked": self.blocked,
            "known": self.known,
            "reason": self.reason,
            "window": self.window.as_dict() if self.window else None,
            "shown": [event.as_dict() for event in self.shown],
        }


def embargo(
    view: CalendarView,
    currencies: Collection[str],
    at: datetime,
    *,
    minutes_before: float,
    minutes_after: float,
    impacts: Collection[Impact] = DEFAULT_IMPACTS,
) -> EmbargoResult:
    """Whether trading in these currencies pauses at `at`.

    Args:
        view: The calendar as known at the time of deciding.
        currencies: Of the symbol: base and profit currency.
        at: The moment asked about, aware.
        minutes_before: Pause ahead of an event, 0 or more.
        minutes_after: Pause past it, 0 or more.
        impacts: Which impacts pause.

    Raises:
        Invalid: If minutes are negative or not finite, or `at` is naive.
    """
    at = require_utc(at)
    before, after = _minutes(minutes_before), _minutes(minutes_after)
    holding = [
        window
        for window in windows(
            view.events,
            currencies,
            minutes_before=minutes_before,
            minutes_after=minutes_after,
            impacts=impacts,
        )
        if window.start <= at < window.end
    ]
    known = not before + after or view.covers(at - after, at + before)
    shown = tuple(
        event
        for event in view.events
        if event.touches(currencies)
        and _only_shown(event, impacts)
        and at - _SHOWN_REACH < event.at <= at + _SHOWN_REACH
    )
    if holding:
        window = max(holding, key=lambda each: (each.end, each.event.key))
        return EmbargoResult(
            blocked=True,
            event=window.event,
            window=window,
            known=known,
            reason=f"{_clock(window.start)} to {_clock(window.end)} UTC is blocked for "
            f"{window.event.currency} {window.event.title}"
            + (" (tentative time)" if window.event.tentative else ""),
            shown=shown,
        )
    if not known:
        return EmbargoResult(blocked=False, known=False, reason=_why_unknown(view, at), shown=shown)
    return EmbargoResult(blocked=False, shown=shown)


def embargo_of(
    view: CalendarView, currencies: Collection[str], at: datetime, pauses: Sequence[Pause]
) -> EmbargoResult:
    """The same for several rules that all hold, at least one: of those that block the longest is told."""
    found = [
        embargo(
            view,
            currencies,
            at,
            minutes_before=pause.before,
            minutes_after=pause.after,
            impacts=pause.impacts,
        )
        for pause in pauses
    ]
    holding = [one for one in found if one.window is not None]
    if holding:
        longest = max(holding, key=_blocks_until)
        return replace(longest, known=all(one.known for one in found))
    return next((one for one in found if not one.known), found[0])


def windows_of(
    events: Sequence[Event], currencies: Collection[str], pauses: Iterable[Pause]
) -> tuple[EmbargoWindow, ...]:
    """Every pause that these events cause by any of several rules."""
    return tuple(
        window
        for pause in pauses
        for window in windows(
            events,
            currencies,
            minutes_before=pause.before,
            minutes_after=pause.after,
            impacts=pause.impacts,
        )
    )


def windows(
    events: Iterable[Event],
    currencies: Collection[str],
    *,
    minutes_before: float,
    minutes_after: float,
    impacts: Collection[Impact] = DEFAULT_IMPACTS,
) -> tuple[EmbargoWindow, ...]:
    """Every pause that these events cause for these currencies, ascending by start."""
    before, after = _minutes(minutes_before), _minutes(minutes_after)
    if not before + after:
        return ()
    found = []
    for event in events:
        if event.impact not in impacts or not event.touches(currencies) or _only_shown(event, impacts):
            continue
        margin = TENTATIVE_MARGIN if event.tentative else timedelta(0)
        found.append(
            EmbargoWindow(event=event, start=event.at - before - margin, end=event.at + after + margin)
        )
    return tuple(sorted(found, key=lambda window: (window.start, window.event.key)))


def _blocks_until(result: EmbargoResult) -> datetime:
    return result.window.end if result.window is not None else datetime.min.replace(tzinfo=UTC)


def _only_shown(event: Event, impacts: Collection[Impact]) -> bool:
    if event.all_day or event.impact is Impact.HOLIDAY:
        return event.impact in impacts or event.impact in {Impact.HIGH, Impact.HOLIDAY}
    return event.tentative and event.impact in impacts and event.impact is not Impact.HIGH


def _minutes(value: float) -> timedelta:
    if not 0 <= value <= 7 * 24 * 60:
        raise Invalid("bad_embargo", f"embargo minutes are {value}; 0 to 10080 are allowed", value=str(value))
    return timedelta(minutes=value)


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _why_unknown(view: CalendarView, at: datetime) -> str:
    if not view.known:
        return view.reason or "there is no economic calendar"
    return f"the economic calendar speaks of {_span(view)}, not of {_clock(at)} UTC"


def _span(view: CalendarView) -> str:
    if view.covered_from is None or view.covered_to is None:
        return "no time at all"
    return f"{_clock(view.covered_from)} to {_clock(view.covered_to)} UTC"
