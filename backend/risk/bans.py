"""A rulebook's bans on holding over the weekend and around news, held against positions. Pure.

Whoever traded them: the desk keeps to the bans, and here they are judged by what was done.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.core.clock import from_epoch, iso
from backend.core.timeframes import DAY_SECONDS
from backend.economic_calendar.embargo import windows
from backend.economic_calendar.model import CalendarView
from backend.risk.rulebook import NewsBan, Rulebook

WEEKEND: Final = "flat_before_weekend"
NEWS: Final = "news"
_WEEK: Final = 7 * DAY_SECONDS
_SATURDAY: Final = 2 * DAY_SECONDS  # the epoch was a Thursday

Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stay:
    """A position from its entry to its exit.

    Attributes:
        currencies: Base and profit currency of its symbol.
        opened: UTC epoch of the entry.
        closed: UTC epoch of the exit; of one that is open, the present.
        ahead: Seconds by which the broker's clock was ahead of UTC at the entry.
    """

    currencies: tuple[str, str]
    opened: int
    closed: int
    ahead: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Ban:
    """How positions kept to one ban.

    Attributes:
        rule: `WEEKEND` or `NEWS`.
        judged: Positions that could be judged.
        unknown: Those of which the calendar does not tell.
        broken: Those that did not keep to it.
        first: UTC epoch at which the first of them did not; None where all did.
    """

    rule: str
    judged: int
    unknown: int
    broken: int
    first: int | None

    @property
    def of_day(self) -> int | None:
        """An instant of the day that it belongs to: a weekend begins when a day is over."""
        return self.first if self.first is None or self.rule == NEWS else self.first - 1

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "judged": self.judged,
            "unknown": self.unknown,
            "broken": self.broken,
            "first": None if self.first is None else iso(from_epoch(self.first)),
        }


def bans_of(rulebook: Rulebook, stays: Sequence[Stay], calendar: CalendarView) -> list[Ban]:
    """What a rulebook bans, each judged by these positions; without a calendar news are not judged.

    Args:
        rulebook: The rules.
        stays: Positions.
        calendar: Events of the whole time, as they were known.
    """
    found = []
    if rulebook.flat_before_weekend:
        found.append(_ban(WEEKEND, [_weekend(stay) for stay in stays], unknown=0))
    if rulebook.news is not None and calendar.known:
        found.append(_news(rulebook.news, stays, calendar))
    return found


def first_broken(bans: Iterable[Ban]) -> Ban | None:
    """The ban that was broken first; None where all were kept."""
    return min((ban for ban in bans if ban.first is not None), key=lambda ban: ban.first or 0, default=None)


def not_judged(rulebook: Rulebook, bans: Iterable[Ban]) -> list[str]:
    """What of these bans nothing was held against, and why."""
    if rulebook.news is None:
        return []
    news = next((ban for ban in bans if ban.rule == NEWS), None)
    if news is None:
        return ["news: there is no calendar of the past"]
    if news.unknown:
        return [f"news: the calendar does not speak of the entries of {news.unknown} trades"]
    return []


def _ban(rule: str, moments: Sequence[int | None], *, unknown: int) -> Ban:
    broken = [at for at in moments if at is not None]
    return Ban(
        rule=rule,
        judged=len(moments),
        unknown=unknown,
        broken=len(broken),
        first=min(broken, default=None),
    )


def _weekend(stay: Stay) -> int | None:
    """The first Saturday 00:00 of the broker that the position was held over; one closed at it was not."""
    opened = stay.opened + stay.ahead
    saturday = (opened - _SATURDAY) // _WEEK * _WEEK + _WEEK + _SATURDAY
    return saturday - stay.ahead if stay.closed + stay.ahead > saturday else None


def _news(ban: NewsBan, stays: Sequence[Stay], calendar: CalendarView) -> Ban:
    rule = ban.rule
    known = [
        (first.timestamp(), last.timestamp(), closed)
        for first, last, closed in calendar.known_spans(rule.before, rule.after)
    ]
    pauses: dict[tuple[str, str], list[Span]] = {}
    moments, unknown = [], 0
    for stay in stays:
        if stay.currencies not in pauses:
            found = windows(calendar.events, stay.currencies, rule)
            pauses[stay.currencies] = _joined((one.start.timestamp(), one.end.timestamp()) for one in found)
        at = _in_pause(stay, pauses[stay.currencies], held=ban.bans == "positions")
        if at is None and not any(
            first <= stay.opened < last or (closed and stay.opened == last) for first, last, closed in known
        ):
            unknown += 1
        else:
            moments.append(at)
    return _ban(NEWS, moments, unknown=unknown)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans that meet, as one; ascending."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _in_pause(stay: Stay, pauses: Sequence[Span], *, held: bool) -> int | None:
    """When the position was entered inside a pause, or held when one began."""
    after = bisect_right(pauses, (stay.opened, float("inf")))
    if after and stay.opened < pauses[after - 1][1]:
        return stay.opened
    if held and after < len(pauses) and stay.closed > pauses[after][0]:
        return int(pauses[after][0])
    return None
