"""The calendar as of any time: nothing is known before it was on record, and one view serves a whole time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.clock import iso, parse_iso
from backend.core.errors import Unavailable
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.embargo import EmbargoRule, embargo
from backend.economic_calendar.model import CalendarView, Event, Impact, event_key
from backend.economic_calendar.ports import ProviderAnswer
from backend.economic_calendar.service import CalendarService
from backend.economic_calendar.shapes import Clocks
from backend.storage.files import FileStorage
from tests.fakes.calendar_provider import FakeCalendarProvider

START = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
WEEK = (datetime(2026, 1, 4, 5, tzinfo=UTC), datetime(2026, 1, 11, 5, tzinfo=UTC))
RULE = EmbargoRule.of(30, 15)


def event(at: datetime, title: str = "CPI m/m", **values: Any) -> Event:
    given: dict[str, Any] = {"currency": "USD", "impact": Impact.HIGH, "source": "fake", **values}
    return Event(key=event_key(at, given["currency"], title), title=title, at=at, **given)


class Desk:
    """A calendar whose clock and provider a test turns."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.at = START
        self.provider = FakeCalendarProvider(ProviderAnswer())
        self.service = self.again()

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def again(self) -> CalendarService:
        storage = FileStorage(self.root, fsync=False)
        return CalendarService(lambda: (CalendarConfig(), self.provider), storage, self, jitter=lambda: 0.0)

    def look(
        self, at: datetime, *events: Event, span: tuple[datetime, datetime] = WEEK, name: str = "fake"
    ) -> None:
        self.at = at
        answer = ProviderAnswer(events=events, covered_from=span[0], covered_to=span[1])
        self.provider = FakeCalendarProvider(answer, name)
        self.service.update(force=True)

    def imported(self, at: datetime, text: str, name: str = "past.csv") -> dict[str, Any]:
        self.at = at
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return self.service.import_files([path], Clocks())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def titles(view: CalendarView) -> list[str]:
    return [event.title for event in view.events]


RELEASE = datetime(2026, 1, 7, 13, 30, tzinfo=UTC)


def test_each_moment_has_the_words_of_that_moment(desk: Desk) -> None:
    desk.look(START, event(RELEASE, forecast="0.3%"))
    desk.look(START + timedelta(hours=2), event(RELEASE, forecast="0.4%", previous="0.1%"))
    desk.look(RELEASE + timedelta(minutes=1), event(RELEASE, forecast="0.4%", previous="0.1%", actual="0.5%"))
    asked = {
        START: ("0.3%", None, None),
        START + timedelta(hours=1, minutes=59): ("0.3%", None, None),
        START + timedelta(hours=2): ("0.4%", "0.1%", None),
        RELEASE: ("0.4%", "0.1%", None),
        RELEASE + timedelta(minutes=1): ("0.4%", "0.1%", "0.5%"),
    }
    for service in (desk.service, desk.again()):
        for moment, values in asked.items():
            (found,) = service.as_of(moment).events
            assert (found.forecast, found.previous, found.actual) == values, moment
            assert found.first_seen_at == START


def test_a_moved_event_pauses_where_it_was_thought_to_be(desk: Desk) -> None:
    later = RELEASE + timedelta(hours=2)
    moved_at = RELEASE - timedelta(minutes=20)
    desk.look(START, event(RELEASE))
    desk.look(moved_at, event(later))
    whole = desk.service.over(START, START + timedelta(days=5))
    asked = {
        RELEASE - timedelta(minutes=25): True,  # still at its first time
        moved_at: False,
        RELEASE: False,
        later - timedelta(minutes=30): True,
        later: True,
        later + timedelta(minutes=15): False,
    }
    for moment, blocked in asked.items():
        assert embargo(desk.service.as_of(moment), {"USD"}, moment, RULE).blocked is blocked, moment
        assert embargo(whole, {"USD"}, moment, RULE).blocked is blocked, moment


def test_a_withdrawn_event_no_longer_pauses_and_a_returned_one_does_again(desk: Desk) -> None:
    other = event(RELEASE + timedelta(days=1), "Other")
    desk.look(START, event(RELEASE), other)
    desk.look(START + timedelta(hours=2), other)
    desk.look(START + timedelta(hours=4), event(RELEASE), other)
    counts = [len(desk.again().as_of(START + timedelta(hours=hours)).events) for hours in (1, 3, 4)]
    assert counts == [2, 1, 2]


def test_nothing_is_known_once_the_data_was_too_old_or_spoke_of_another_week(desk: Desk) -> None:
    desk.look(START, event(RELEASE))
    desk.look(START + timedelta(days=4), event(RELEASE))
    service = desk.again()
    assert service.as_of(START + timedelta(hours=48)).known
    assert "49 hours old" in service.as_of(START + timedelta(hours=49)).reason
    assert "held since 2026-01-05T12:00:00Z" in service.as_of(START - timedelta(seconds=1)).reason


def test_what_one_provider_said_ends_with_the_next_and_returns_with_it(desk: Desk) -> None:
    mine, other = event(RELEASE), event(RELEASE, "Inflation Rate", source="other")
    desk.look(START, mine)
    desk.look(START + timedelta(hours=2), other, name="other")
    desk.look(START + timedelta(hours=4), mine)
    service = desk.again()
    asked = [titles(service.as_of(START + timedelta(hours=hours))) for hours in (1, 3, 4)]
    assert asked == [["CPI m/m"], ["Inflation Rate"], ["CPI m/m"]]
    desk.at = START + timedelta(hours=6)
    assert titles(service.over(START, desk.at)) == ["CPI m/m", "CPI m/m", "Inflation Rate"]


def test_a_lost_cache_loses_no_history_and_a_change_meanwhile_is_recorded(desk: Desk) -> None:
    desk.look(START, event(RELEASE, forecast="0.3%"))
    (desk.root / "cache" / "economic_calendar.json").unlink()
    desk.look(START + timedelta(hours=2), event(RELEASE, forecast="0.5%"))
    service = desk.again()
    assert service.as_of(START + timedelta(hours=1)).events[0].forecast == "0.3%"
    assert service.as_of(START + timedelta(hours=2)).events[0].forecast == "0.5%"


def test_a_failed_look_ends_nothing_before_its_age_does(desk: Desk) -> None:
    desk.look(START, event(RELEASE))
    desk.at = START + timedelta(hours=3)
    desk.provider.answer = Unavailable("fetch_failed", "nobody answered")
    with pytest.raises(Unavailable):
        desk.service.update(force=True)
    assert desk.service.as_of(START + timedelta(hours=2)).known
    assert desk.service.as_of(desk.at).known


PAST = (
    "Title,Country,Date,Time,Impact,Forecast,Previous,URL\n"
    "Non-Farm Employment Change,USD,05-02-2014,12:30pm,High,215K,192K,\n"
    "Bank Holiday,GBP,05-05-2014,All Day,Holiday,,,\n"
)
NFP = datetime(2014, 5, 2, 12, 30, tzinfo=UTC)


def test_an_imported_calendar_says_what_was_not_known_then(desk: Desk) -> None:
    desk.imported(START, PAST)
    view = desk.service.as_of(NFP)
    assert (view.known, view.provider) == (True, "imported")
    found = view.events[0]
    assert (found.hindsight, found.forecast, found.previous) == (True, None, None)
    assert found.first_seen_at == START
    # Who looks back from after the import sees what it says.
    (found, _) = desk.service.between(NFP, NFP + timedelta(days=4), START)
    assert (found.hindsight, found.forecast) == (False, "215K")
    (found, _) = desk.service.between(NFP, NFP + timedelta(days=4), START - timedelta(seconds=1))
    assert (found.hindsight, found.forecast) == (True, None)


def test_an_import_speaks_of_its_own_days_alone(desk: Desk) -> None:
    desk.imported(START, PAST)
    assert not desk.service.as_of(datetime(2014, 5, 1, 23, 59, tzinfo=UTC)).known
    assert not desk.service.as_of(datetime(2014, 5, 6, tzinfo=UTC)).known
    early = datetime(2014, 5, 2, 0, 5, tzinfo=UTC)  # a quarter of an hour back it says nothing
    assert not embargo(desk.service.as_of(early), {"USD"}, early, RULE).known


def test_the_record_of_the_time_goes_before_an_import(desk: Desk) -> None:
    desk.look(START, event(RELEASE))
    text = "time,currency,impact,title\n2026-01-06T10:00Z,USD,high,Imported\n2026-01-10T10:00Z,USD,low,x\n"
    desk.imported(START + timedelta(days=20), text)
    assert titles(desk.service.as_of(START + timedelta(hours=1))) == ["CPI m/m"]
    # After 48 hours nothing was known any more, and there the import serves.
    assert titles(desk.service.as_of(START + timedelta(hours=50))) == ["Imported", "x"]


def test_records_that_cannot_be_read_make_the_calendar_unknown_and_never_raise(desk: Desk) -> None:
    desk.look(START, event(RELEASE))
    desk.look(START + timedelta(hours=2), event(RELEASE))
    (desk.root / "calendar" / "looks_202601.jsonl").write_text('{"recorded_at": 5}\n', encoding="utf-8")
    service = desk.again()
    for view in (service.as_of(START + timedelta(hours=1)), service.over(START, START + timedelta(days=1))):
        assert (view.known, view.events) == (False, ())
        assert view.reason
    (desk.root / "calendar" / "imports.json").write_text("[]", encoding="utf-8")
    assert "imports.json" in service.as_of(NFP).reason


MINUTE = timedelta(minutes=1)
STEP = st.tuples(
    st.integers(30, 3000),  # minutes to the next look
    st.lists(
        st.tuples(st.integers(-600, 7200), st.sampled_from("ABC"), st.booleans()), min_size=1, max_size=4
    ),
    st.sampled_from(["fake", "fake", "other"]),
    st.integers(0, 3000),  # begin of what it covers, before the look
    st.integers(60, 9000),  # and its end, after it
)
IMPORT = st.lists(st.tuples(st.integers(-9000, 20000), st.sampled_from("AX")), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(STEP, min_size=1, max_size=6),
    past=st.none() | IMPORT,
    asked=st.lists(st.integers(-9000, 30000), min_size=1, max_size=40),
    rule=st.sampled_from([RULE, EmbargoRule.of(0, 45), EmbargoRule.of(60, 0), EmbargoRule.of(1440)]),
)
def test_one_view_of_a_whole_time_says_what_each_moments_view_says(
    steps: Sequence[Any], past: Sequence[Any] | None, asked: Sequence[int], rule: EmbargoRule
) -> None:
    with TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        at, moments = START, set(asked)
        for minutes, events, name, before, after in steps:
            at += minutes * MINUTE
            told = {
                each.key: each
                for offset, title, tentative in events
                for each in (event(at + offset * MINUTE, title, tentative=tentative, source=name),)
            }
            span = (at - before * MINUTE, at + after * MINUTE)
            desk.look(at, *told.values(), span=span, name=name)
            moments |= {int((edge - START) / MINUTE) for edge in (at, *span, at + timedelta(hours=48))}
        if past is not None:
            rows = "".join(f"{iso(START + offset * MINUTE)},USD,high,{title}\n" for offset, title in past)
            desk.imported(at + timedelta(days=30), "time,currency,impact,title\n" + rows)
            moments |= {offset for offset, _ in past}
        end = START + timedelta(days=25)
        whole = desk.again().over(START - timedelta(days=7), end)
        whole = CalendarView.from_dict(whole.as_dict())
        for minute in sorted(moments):
            for moment in (START + minute * MINUTE, START + minute * MINUTE - timedelta(microseconds=1)):
                if not START - timedelta(days=7) <= moment <= end:
                    continue
                then = embargo(desk.service.as_of(moment), {"USD"}, moment, rule)
                over = embargo(whole, {"USD"}, moment, rule)
                assert (over.blocked, over.known) == (then.blocked, then.known), moment


def test_a_view_of_a_whole_time_has_a_json_form(desk: Desk) -> None:
    desk.look(START, event(RELEASE))
    desk.look(START + timedelta(hours=2), event(RELEASE, forecast="1"))
    whole = desk.service.over(START, START + timedelta(days=2))
    assert replace(CalendarView.from_dict(whole.as_dict()), age=whole.age) == whole
    assert parse_iso(whole.as_dict()["looks"][0]["since"]) == START
