"""When trading pauses around economic events. Pure.

Choices that the rules leave open:

- A window is half-open: from `minutes_before` ahead of the event up to, not including,
  `minutes_after` past it. Zero minutes on both sides is no embargo.
- An **all-day** event (bank holidays, summits without a time) never blocks minutes, whatever its
  impact: its clock time means nothing. It is given back in `shown` for a person to see.
- A **holiday** does not block either, also where its day was not marked as all-day.
- A **tentative** event of high impact blocks with a window wider by `TENTATIVE_MARGIN` on each side,
  since its time is a guess; a tentative event of lower impact does not block and is shown.
- Several rules together (a strategy's, its symbol's, the desk's) pause whenever one of them does: for each
  impact the longest time before and the longest after count.
- In a view over a whole time an event pauses only while it was known in these words.
- Where the calendar says nothing about the whole window around the moment, the result is not known;
  events that are known still block.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from backend.core.clock import iso, require_utc
from backend.core.errors import Invalid
from backend.economic_calendar.model import CalendarView, Event, Impact

TENTATIVE_MARGIN = timedelta(minutes=60)
DEFAULT_IMPACTS = (Impact.HIGH,)
MOST_MINUTES = 7 * 24 * 60
_SHOWN_REACH = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Minutes without entries around events of one impact."""

    impact: Impact
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class EmbargoRule:
    """Which events pause trading, and for how long; no pause at all where it is empty.

    Attributes:
        pauses: One for each impact that pauses, in the order of `Impact`.
    """

    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(
        cls, before: float, after: float | None = None, impacts: Iterable[Impact] = DEFAULT_IMPACTS
    ) -> Self:
        """The same minutes for each impact; `after` is as long as `before` if not given.

        Raises:
            Invalid: ``bad_embargo``: minutes that are negative, not finite or longer than a week.
        """
        after = before if after is None else after
        for value in (before, after):
            if not 0 <= value <= MOST_MINUTES:
                raise Invalid(
                    "bad_embargo",
                    f"embargo minutes are {value}; 0 to {MOST_MINUTES} are allowed",
                    value=str(value),
                )
        if not before + after:
            return cls()
        wanted = set(impacts)
        return cls(
            tuple(Pause(impact=impact, before=before, after=after) for impact in Impact if impact in wanted)
        )

    def __bool__(self) -> bool:
        return bool(self.pauses)

    def __or__(self, other: "EmbargoRule") -> "EmbargoRule":
        both = {pause.impact: pause for pause in self.pauses}
        for pause in other.pauses:
            mine = both.get(pause.impact, pause)
            both[pause.impact] = Pause(
                impact=pause.impact,
                before=max(mine.before, pause.before),
                after=max(mine.after, pause.after),
            )
        return EmbargoRule(tuple(both[impact] for impact in Impact if impact in both))

    @property
    def before(self) -> timedelta:
        """The longest pause ahead of an event."""
        return timedelta(minutes=max((pause.before for pause in self.pauses), default=0))

    @property
    def after(self) -> timedelta:
        """The longest pause past an event."""
        return timedelta(minutes=max((pause.after for pause in self.pauses), default=0))

    @property
    def impacts(self) -> tuple[Impact, ...]:
        """The impacts that pause."""
        return tuple(pause.impact for pause in self.pauses)

    def as_dict(self) -> dict[str, list[float]]:
        """The rule as JSON values: minutes before and after by impact."""
        return {str(pause.impact): [pause.before, pause.after] for pause in self.pauses}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EmbargoRule":
        """Read what `as_dict` gave."""
        rule = cls()
        for impact, (before, after) in data.items():
            rule |= cls.of(before, after, (Impact(impact),))
        return rule


NO_EMBARGO = EmbargoRule()


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
    rule: EmbargoRule,
) -> EmbargoResult:
    """Whether trading in these currencies pauses at `at`.

    Args:
        view: The calendar as known at the time of deciding.
        currencies: Of the symbol: base and profit currency.
        at: The moment asked about, aware.
        rule: What pauses, and for how long.

    Raises:
        Invalid: `at` is naive.
    """
    at = require_utc(at)
    holding = [window for window in windows(view.events, currencies, rule) if window.start <= at < window.end]
    known = not rule or view.knows(at, rule.before, rule.after)
    shown = tuple(
        event
        for event in view.events
        if event.touches(currencies)
        and _only_shown(event, rule.impacts or DEFAULT_IMPACTS)
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


def windows(
    events: Iterable[Event], currencies: Collection[str], rule: EmbargoRule
) -> tuple[EmbargoWindow, ...]:
    """Every pause that these events cause for these currencies, ascending by start."""
    found = []
    for event in events:
        pause = next((pause for pause in rule.pauses if pause.impact is event.impact), None)
        if pause is None or not event.touches(currencies) or _only_shown(event, rule.impacts):
            continue
        margin = TENTATIVE_MARGIN if event.tentative else timedelta(0)
        start = event.at - timedelta(minutes=pause.before) - margin
        end = event.at + timedelta(minutes=pause.after) + margin
        start = start if event.known_from is None else max(start, event.known_from)
        end = end if event.known_until is None else min(end, event.known_until)
        if start < end:
            found.append(EmbargoWindow(event=event, start=start, end=end))
    return tuple(sorted(found, key=lambda window: (window.start, window.event.key)))


def _only_shown(event: Event, impacts: Collection[Impact]) -> bool:
    if event.all_day or event.impact is Impact.HOLIDAY:
        return event.impact in impacts or event.impact in {Impact.HIGH, Impact.HOLIDAY}
    return event.tentative and event.impact in impacts and event.impact is not Impact.HIGH


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
