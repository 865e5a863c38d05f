"""When an event stops trading, worked by hand around one release at 13:30 UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.economic_calendar.embargo import EmbargoResult, EmbargoRule, embargo, windows
from backend.economic_calendar.model import CalendarView, Event, Impact, event_key

RELEASE = datetime(2026, 1, 9, 13, 30, tzinfo=UTC)


def event(at: datetime = RELEASE, **values: Any) -> Event:
    given: dict[str, Any] = {
        "title": "Non-Farm Employment Change", "currency": "USD", "impact": Impact.HIGH, **values,
    }  # fmt: skip
    return Event(key=event_key(at, given["currency"], given["title"]), at=at, **given)


def view(*events: Event, **values: Any) -> CalendarView:
    given: dict[str, Any] = {
        "known": True,
        "covered_from": datetime(2026, 1, 4, 5, tzinfo=UTC),
        "covered_to": datetime(2026, 1, 11, 5, tzinfo=UTC),
        **values,
    }
    return CalendarView(events=events, **given)


def ask(
    calendar: CalendarView, at: datetime, *currencies: str, before: float = 30, after: float = 15, **more: Any
) -> EmbargoResult:
    return embargo(calendar, currencies or ("EUR", "USD"), at, EmbargoRule.of(before, after, **more))


@pytest.mark.parametrize(
    ("clock", "blocked"),
    [("12:59:59", False), ("13:00:00", True), ("13:30:00", True), ("13:44:59", True), ("13:45:00", False)],
)
def test_the_window_begins_with_its_first_moment_and_ends_before_its_last(clock: str, blocked: bool) -> None:
    result = ask(view(event()), datetime.fromisoformat(f"2026-01-09T{clock}Z"))
    assert (result.blocked, result.known) == (blocked, True)


def test_a_refusal_says_which_event_and_from_when_to_when() -> None:
    result = ask(view(event()), RELEASE)
    assert result.event is not None
    assert result.event.title == "Non-Farm Employment Change"
    assert result.window is not None
    assert (result.window.start.hour, result.window.start.minute) == (13, 0)
    assert (result.window.end.hour, result.window.end.minute) == (13, 45)
    assert "2026-01-09 13:00 to 2026-01-09 13:45 UTC" in result.reason
    assert result.as_dict()["window"]["event"]["currency"] == "USD"


def test_either_currency_of_the_symbol_counts_and_no_other() -> None:
    assert ask(view(event()), RELEASE, "USD", "JPY").blocked
    assert ask(view(event()), RELEASE, "AUD", "USD").blocked
    assert not ask(view(event()), RELEASE, "EUR", "GBP").blocked


def test_an_event_of_all_concerns_everybody() -> None:
    assert ask(view(event(currency="ALL", title="OPEC Meetings")), RELEASE, "EUR", "GBP").blocked


@pytest.mark.parametrize("impact", [Impact.MEDIUM, Impact.LOW, Impact.NONE])
def test_only_the_impacts_asked_for_count(impact: Impact) -> None:
    calendar = view(event(impact=impact))
    assert not ask(calendar, RELEASE).blocked
    assert ask(calendar, RELEASE, impacts={Impact.HIGH, impact}).blocked


def test_an_all_day_event_is_shown_and_does_not_block() -> None:
    result = ask(view(event(all_day=True, title="G7 Meetings")), RELEASE)
    assert not result.blocked
    assert [one.title for one in result.shown] == ["G7 Meetings"]


def test_a_holiday_is_shown_and_does_not_block_also_when_nobody_marked_it_all_day() -> None:
    result = ask(view(event(impact=Impact.HOLIDAY, title="Bank Holiday")), RELEASE, impacts=set(Impact))
    assert not result.blocked
    assert len(result.shown) == 1


def test_events_days_away_are_not_shown() -> None:
    far = event(RELEASE + timedelta(hours=25), all_day=True)
    assert ask(view(far), RELEASE).shown == ()


@pytest.mark.parametrize(
    ("clock", "blocked"), [("11:59", False), ("12:00", True), ("14:44", True), ("14:45", False)]
)
def test_a_tentative_time_blocks_an_hour_more_on_each_side(clock: str, blocked: bool) -> None:
    result = ask(view(event(tentative=True)), datetime.fromisoformat(f"2026-01-09T{clock}Z"))
    assert result.blocked is blocked
    if blocked:
        assert "tentative" in result.reason


def test_a_tentative_event_of_lesser_impact_is_shown_only() -> None:
    calendar = view(event(tentative=True, impact=Impact.MEDIUM))
    result = ask(calendar, RELEASE, impacts={Impact.HIGH, Impact.MEDIUM})
    assert (result.blocked, len(result.shown)) == (False, 1)


def test_of_several_events_the_one_that_blocks_longest_is_named() -> None:
    later = event(RELEASE + timedelta(minutes=10), title="Speech")
    result = ask(view(event(), later), RELEASE)
    assert result.event == later


def test_without_a_calendar_nobody_knows() -> None:
    result = ask(CalendarView.unknown("no economic calendar has been fetched yet"), RELEASE)
    assert (result.blocked, result.known) == (False, False)
    assert result.reason == "no economic calendar has been fetched yet"


def test_a_time_that_the_calendar_does_not_speak_of_is_unknown_not_free() -> None:
    result = ask(view(event()), datetime(2026, 1, 12, 13, 30, tzinfo=UTC))
    assert (result.blocked, result.known) == (False, False)
    assert "speaks of" in result.reason


def test_a_window_that_reaches_over_the_end_of_what_is_known_is_unknown() -> None:
    end = datetime(2026, 1, 11, 5, tzinfo=UTC)
    assert ask(view(), end - timedelta(minutes=30)).known
    assert not ask(view(), end - timedelta(minutes=29)).known


def test_an_event_that_is_known_blocks_also_in_an_old_calendar() -> None:
    result = ask(view(event(), known=False, reason="the economic calendar is 60 hours old"), RELEASE)
    assert (result.blocked, result.known) == (True, False)


def test_no_minutes_are_no_embargo_and_need_no_calendar() -> None:
    assert ask(view(event(tentative=True)), RELEASE, before=0, after=0) == EmbargoResult(blocked=False)
    assert ask(CalendarView.unknown("none"), RELEASE, before=0, after=0).known


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf"), 10_081])
def test_minutes_that_are_none_are_refused(minutes: float) -> None:
    with pytest.raises(Invalid, match="embargo minutes"):
        ask(view(), RELEASE, before=minutes)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(Invalid):
        ask(view(), datetime(2026, 1, 9, 13, 30))  # noqa: DTZ001 - the point of the test


def test_windows_ahead_are_listed_in_order() -> None:
    events = (event(RELEASE + timedelta(days=1)), event(), event(currency="JPY"))
    found = windows(events, {"USD"}, EmbargoRule.of(30))
    assert [window.start for window in found] == [
        RELEASE - timedelta(minutes=30),
        RELEASE + timedelta(days=1, minutes=-30),
    ]


def test_rules_together_pause_whenever_one_of_them_does() -> None:
    strategy = EmbargoRule.of(30)
    desk = EmbargoRule.of(5, 60, (Impact.HIGH, Impact.MEDIUM))
    both = strategy | desk
    assert both == desk | strategy
    assert both.as_dict() == {"high": [30, 60], "medium": [5, 60]}
    assert EmbargoRule.from_dict(both.as_dict()) == both
    medium = event(impact=Impact.MEDIUM)
    blocked = {
        minutes: embargo(view(medium), {"USD"}, RELEASE + timedelta(minutes=minutes), both).blocked
        for minutes in (-6, -5, 0, 59, 60)
    }
    assert blocked == {-6: False, -5: True, 0: True, 59: True, 60: False}
    assert not embargo(view(medium), {"USD"}, RELEASE, strategy).blocked


def test_no_minutes_are_no_rule() -> None:
    assert not EmbargoRule.of(0)
    assert (EmbargoRule.of(0) | EmbargoRule.of(10)) == EmbargoRule.of(10)
    assert EmbargoRule.of(0, 15).as_dict() == {"high": [0, 15]}


def test_an_event_pauses_only_while_it_was_known_so() -> None:
    known = event(known_from=RELEASE - timedelta(minutes=10), known_until=RELEASE + timedelta(minutes=5))
    blocked = [
        embargo(view(known), {"USD"}, RELEASE + timedelta(minutes=minutes), EmbargoRule.of(30)).blocked
        for minutes in (-11, -10, 4, 5)
    ]
    assert blocked == [False, True, True, False]
