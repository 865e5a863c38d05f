"""Weekend and news held against positions that anybody may have traded. Worked by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.economic_calendar.model import CalendarView, Event, Impact
from backend.risk.bans import NEWS, WEEKEND, Ban, Stay, bans_of
from backend.risk.rulebook import parse_rulebook

RELEASE = datetime(2026, 3, 6, 13, 30, tzinfo=UTC)  # a Friday
TWO_HOURS = 7200
NO_CALENDAR = CalendarView.unknown("none")
EURUSD = ("EUR", "USD")


def stay(opened: str, closed: str, *, ahead: int = TWO_HOURS, currencies: tuple[str, str] = EURUSD) -> Stay:
    """From one UTC time to another."""
    begin, end = (int(datetime.fromisoformat(f"{at}+00:00").timestamp()) for at in (opened, closed))
    return Stay(currencies=currencies, opened=begin, closed=end, ahead=ahead)


def calendar(*at: datetime, **changes: Any) -> CalendarView:
    events = tuple(
        Event(key=str(number), title="NFP", currency="USD", impact=Impact.HIGH, at=one)
        for number, one in enumerate(at)
    )
    given: dict[str, Any] = {
        "covered_from": datetime(2026, 3, 1, tzinfo=UTC),
        "covered_to": datetime(2026, 3, 31, tzinfo=UTC),
        "events": events,
    }
    return CalendarView(known=True, **(given | changes))


def ban(rules: dict[str, Any], view: CalendarView, *stays: Stay) -> Ban:
    (found,) = bans_of(parse_rulebook({"name": "test", **rules}), stays, view)
    return found


@pytest.mark.parametrize(
    ("opened", "closed", "ahead", "at"),
    [
        # Saturday 00:00 of a server two hours ahead is Friday 22:00 UTC
        ("2026-03-06 20:00", "2026-03-06 22:00", 2, None),  # closed with the market
        ("2026-03-06 20:00", "2026-03-06 22:01", 2, "2026-03-06 22:00"),
        ("2026-03-06 20:00", "2026-03-08 22:00", 2, "2026-03-06 22:00"),
        ("2026-03-02 09:00", "2026-03-06 21:59", 2, None),  # the whole week
        ("2026-02-25 09:00", "2026-03-20 09:00", 2, "2026-02-27 22:00"),  # three of them: the first
        ("2026-03-08 22:05", "2026-03-13 20:00", 2, None),  # opened when the week did
        # in summer the server is three hours ahead: an hour earlier
        ("2026-07-03 20:00", "2026-07-03 21:01", 3, "2026-07-03 21:00"),
        ("2026-07-03 20:00", "2026-07-03 21:00", 3, None),
    ],
)
def test_held_over_the_weekend(opened: str, closed: str, ahead: int, at: str | None) -> None:
    found = ban({"flat_before_weekend": True}, NO_CALENDAR, stay(opened, closed, ahead=ahead * 3600))
    first = None if at is None else int(datetime.fromisoformat(f"{at}+00:00").timestamp())
    assert found == Ban(rule=WEEKEND, judged=1, unknown=0, broken=int(at is not None), first=first)


@pytest.mark.parametrize(
    ("opened", "broken"),
    [
        ("2026-03-06 13:24", False),
        ("2026-03-06 13:25", True),  # five minutes before
        ("2026-03-06 13:39", True),
        ("2026-03-06 13:40", False),  # the pause ends with the tenth minute
    ],
)
def test_entered_around_news(opened: str, broken: bool) -> None:
    rules = {"news": {"minutes_before": 5, "minutes_after": 10}}
    found = ban(rules, calendar(RELEASE), stay(opened, "2026-03-06 15:00"))
    assert (found.rule, found.judged, found.broken) == (NEWS, 1, int(broken))
    other = stay(opened, "2026-03-06 15:00", currencies=("EUR", "JPY"))
    assert ban(rules, calendar(RELEASE), other).broken == 0


@pytest.mark.parametrize(
    ("bans", "opened", "closed", "broken"),
    [
        ("entries", "2026-03-06 12:00", "2026-03-06 15:00", False),
        ("positions", "2026-03-06 12:00", "2026-03-06 15:00", True),
        ("positions", "2026-03-06 12:00", "2026-03-06 13:25", False),  # left as the ban began
        ("positions", "2026-03-06 13:40", "2026-03-06 15:00", False),
    ],
)
def test_held_over_news(bans: str, opened: str, closed: str, broken: bool) -> None:
    rules = {"news": {"minutes_before": 5, "minutes_after": 10, "bans": bans}}
    found = ban(rules, calendar(RELEASE), stay(opened, closed))
    assert found.broken == int(broken)
    if broken:
        assert found.first == int((RELEASE - timedelta(minutes=5)).timestamp())


def test_pauses_that_overlap_are_one_and_the_shorter_one_ends_nothing() -> None:
    tentative = Event(
        key="t", title="Speech", currency="USD", impact=Impact.HIGH, at=RELEASE, tentative=True
    )  # an hour wider on both sides
    view = calendar(RELEASE + timedelta(minutes=10))
    view = calendar(events=(tentative, *view.events))
    rules = {"news": {"minutes_before": 5, "minutes_after": 5}}
    assert ban(rules, view, stay("2026-03-06 14:20", "2026-03-06 18:00")).broken == 1


def test_of_what_the_calendar_does_not_speak_nothing_is_judged() -> None:
    view = calendar(RELEASE, covered_to=datetime(2026, 3, 10, tzinfo=UTC))
    rules: dict[str, Any] = {"news": {}}
    stays = stay("2026-03-06 13:30", "2026-03-06 15:00"), stay("2026-03-11 09:00", "2026-03-11 10:00")
    found = ban(rules, view, *stays)
    assert (found.judged, found.unknown, found.broken) == (1, 1, 1)
    assert bans_of(parse_rulebook({"name": "test", **rules}), stays, NO_CALENDAR) == []


def test_a_rulebook_without_bans_judges_none() -> None:
    plain = parse_rulebook({"name": "test", "profit_target": 0.1})
    assert bans_of(plain, [stay("2026-03-06 20:00", "2026-03-09 09:00")], calendar(RELEASE)) == []
