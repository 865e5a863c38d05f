"""How the calendar is kept: asked seldom, kept whole, never invented, old data with its age."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.calendars import calendar_source
from backend.core.clock import parse_iso
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.embargo import EmbargoRule, embargo
from backend.economic_calendar.model import Event, Impact, event_key
from backend.economic_calendar.ports import ProviderAnswer
from backend.economic_calendar.service import CalendarService
from backend.storage.files import FileStorage
from tests.fakes.calendar_means import means
from tests.fakes.calendar_provider import FakeCalendarProvider
from tests.fakes.fetcher import FakeFetcher, Reply, Site

START = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
WEEK = (datetime(2026, 1, 4, 5, tzinfo=UTC), datetime(2026, 1, 11, 5, tzinfo=UTC))
CACHE = "cache/economic_calendar.json"


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def turn(self, **step: float) -> None:
        self.at += timedelta(**step)


def event(at: str, title: str = "CPI m/m", currency: str = "USD", **values: Any) -> Event:
    moment = parse_iso(at)
    return Event(
        key=event_key(moment, currency, title),
        title=title,
        currency=currency,
        at=moment,
        **{"impact": Impact.HIGH, "source": "fake", **values},
    )


CPI = event("2026-01-07T13:30:00Z", forecast="0.3%")
NFP = event("2026-01-09T13:30:00Z", "Non-Farm Employment Change")


def answer(*events: Event, week: tuple[datetime, datetime] = WEEK, **values: Any) -> ProviderAnswer:
    return ProviderAnswer(events=events, covered_from=week[0], covered_to=week[1], **values)


class Desk:
    """A calendar service on a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.storage = FileStorage(root, fsync=False)
        self.clock = Hands()
        self.provider = FakeCalendarProvider(answer(CPI, NFP, state={"memory": 1}))
        self.config = CalendarConfig()
        self.service = self.again()

    def again(self) -> CalendarService:
        def source() -> tuple[CalendarConfig, FakeCalendarProvider]:
            return self.config, self.provider

        return CalendarService(source, self.storage, self.clock, jitter=lambda: 0.5)

    def cache(self) -> dict[str, Any]:
        document: dict[str, Any] = self.storage.read_json(CACHE)
        return document

    def revisions(self) -> list[dict[str, Any]]:
        return list(self.storage.read_jsonl("calendar/revisions_202601.jsonl"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_update_writes_what_the_provider_said_and_when(desk: Desk) -> None:
    told = desk.service.update()
    assert (told["status"], told["events"], told["new"]) == ("updated", 2, 2)
    cache = desk.cache()
    assert cache["provider"] == "fake"
    assert cache["fetched_at"] == cache["checked_at"] == "2026-01-05T12:00:00Z"
    assert cache["stale"] is False
    assert [each["title"] for each in cache["events"]] == ["CPI m/m", "Non-Farm Employment Change"]
    assert {each["first_seen_at"] for each in cache["events"]} == {"2026-01-05T12:00:00Z"}
    assert cache["events"][0]["actual"] is None


def test_the_provider_is_asked_at_most_once_an_hour_and_jitter_spreads_desks(desk: Desk) -> None:
    desk.service.update()
    desk.clock.turn(minutes=65)  # an hour, and half of the twelve minutes of jitter not yet
    told = desk.again().update()  # another process, the same folder
    assert (told["status"], told["age_seconds"]) == ("cached", 3900)
    assert len(desk.provider.asked) == 1
    desk.clock.turn(minutes=1)
    assert desk.service.update()["status"] == "updated"


def test_an_update_can_be_forced(desk: Desk) -> None:
    desk.service.update()
    desk.service.update(force=True)
    assert len(desk.provider.asked) == 2


def test_an_hour_is_the_least(desk: Desk) -> None:
    with pytest.raises(ValueError, match="greater than or equal to 60"):
        CalendarConfig(update_minutes=59)


def test_the_providers_memory_is_handed_back(desk: Desk) -> None:
    desk.service.update()
    desk.service.update(force=True)
    assert [state for state, _ in desk.provider.asked] == [{}, {"memory": 1}]


def test_not_modified_confirms_what_is_held(desk: Desk) -> None:
    desk.service.update()
    before = desk.cache()["events"]
    desk.clock.turn(hours=2)
    desk.provider.answer = ProviderAnswer(not_modified=True, state={"memory": 2})
    assert desk.service.update()["status"] == "not_modified"
    assert desk.cache()["events"] == before
    assert desk.cache()["fetched_at"] == "2026-01-05T14:00:00Z"


def test_a_desk_that_lost_its_cache_asks_for_everything(desk: Desk) -> None:
    desk.service.update()
    desk.storage.delete(CACHE)
    desk.clock.turn(minutes=5)
    assert desk.service.update()["status"] == "updated"
    assert desk.provider.asked[-1][0] == {}
    # The first sight is on record elsewhere and is not overwritten by a later one.
    assert {each["first_seen_at"] for each in desk.cache()["events"]} == {"2026-01-05T12:00:00Z"}
    assert [each["kind"] for each in desk.revisions()] == ["new", "new"]


def test_a_failure_is_raised_and_what_was_held_stays_with_its_age(desk: Desk) -> None:
    desk.service.update()
    before = desk.cache()["events"]
    desk.clock.turn(hours=2)
    desk.provider.answer = Unavailable("fetch_failed", "nobody answered")
    with pytest.raises(Unavailable, match="nobody answered"):
        desk.service.update()
    cache = desk.cache()
    assert cache["events"] == before
    assert (cache["stale"], cache["error"]) == (True, "nobody answered")
    assert (cache["fetched_at"], cache["checked_at"]) == ("2026-01-05T12:00:00Z", "2026-01-05T14:00:00Z")
    view = desk.service.as_of(desk.clock.at)
    assert (view.known, view.stale, view.age) == (True, True, timedelta(hours=2))


def test_a_first_failure_writes_no_calendar_at_all(desk: Desk) -> None:
    desk.provider.answer = Unavailable("fetch_failed", "nobody answered")
    with pytest.raises(Unavailable):
        desk.service.update()
    assert not desk.storage.exists(CACHE)
    view = desk.service.as_of(START)
    assert (view.known, view.events) == (False, ())
    assert "fetched yet" in view.reason


def test_an_answer_without_events_is_a_failure(desk: Desk) -> None:
    desk.service.update()
    desk.provider.answer = answer()
    with pytest.raises(Unavailable, match="no event at all"):
        desk.service.update(force=True)
    assert len(desk.cache()["events"]) == 2


def test_after_a_failure_nobody_is_asked_again_at_once(desk: Desk) -> None:
    desk.provider.answer = Unavailable("fetch_failed", "nobody answered")
    for _ in range(3):
        with pytest.raises(Unavailable):
            desk.service.update()
    assert len(desk.provider.asked) == 1
    desk.clock.turn(seconds=61)
    with pytest.raises(Unavailable, match="nobody answered"):
        desk.service.update()
    assert len(desk.provider.asked) == 2
    desk.clock.turn(seconds=61)  # the second wait is twice the first
    with pytest.raises(Unavailable) as caught:
        desk.service.update()
    assert caught.value.code == "calendar_waiting"
    assert len(desk.provider.asked) == 2


def test_a_provider_that_asks_to_wait_is_left_alone_also_when_forced(desk: Desk) -> None:
    desk.provider.answer = Unavailable("rate_limited", "answered 429", retry_after=7200.0)
    with pytest.raises(Unavailable):
        desk.service.update()
    desk.provider.answer = answer(CPI)
    desk.clock.turn(minutes=119)
    with pytest.raises(Unavailable) as caught:
        desk.service.update(force=True)
    assert caught.value.code == "calendar_waiting"
    assert len(desk.provider.asked) == 1
    desk.clock.turn(minutes=1)
    assert desk.service.update()["status"] == "updated"


def test_a_clock_that_was_ahead_once_does_not_stop_updates_for_ever(desk: Desk) -> None:
    desk.clock.turn(days=400)
    desk.service.update()
    desk.clock.turn(days=-400)
    assert desk.service.update()["status"] == "updated"


def test_a_refused_configuration_fails_and_needs_no_wait_once_mended(desk: Desk) -> None:
    desk.service.update()
    refused: list[Invalid] = [Invalid("bad_config", "no such provider")]

    def source() -> tuple[CalendarConfig, FakeCalendarProvider]:
        if refused:
            raise refused[0]
        return desk.config, desk.provider

    service = CalendarService(source, desk.storage, desk.clock, jitter=lambda: 0.0)
    desk.clock.turn(hours=2)
    with pytest.raises(Invalid):
        service.update()
    assert desk.cache()["stale"] is True
    refused.clear()
    assert service.update()["status"] == "updated"


def test_a_changed_figure_is_a_revision_and_keeps_the_first_sight(desk: Desk) -> None:
    desk.service.update()
    desk.clock.turn(hours=2)
    desk.provider.answer = answer(replace(CPI, forecast="0.4%"), NFP)
    assert desk.service.update()["changed"] == 1
    last = desk.revisions()[-1]
    assert (last["kind"], last["before"], last["after"]) == (
        "changed",
        {"forecast": "0.3%"},
        {"forecast": "0.4%"},
    )
    assert last["recorded_at"] == "2026-01-05T14:00:00Z"
    assert desk.cache()["events"][0]["first_seen_at"] == "2026-01-05T12:00:00Z"


def test_an_event_at_another_time_has_moved_and_one_no_longer_named_is_withdrawn(desk: Desk) -> None:
    desk.service.update()
    desk.clock.turn(hours=2)
    desk.provider.answer = answer(event("2026-01-07T15:00:00Z", forecast="0.3%"))
    told = desk.service.update()
    assert (told["moved"], told["withdrawn"], told["events"]) == (1, 1, 1)
    moved, withdrawn = desk.revisions()[-2:]
    assert (moved["kind"], moved["before"], moved["previous_key"]) == (
        "moved",
        {"at": "2026-01-07T13:30:00Z"},
        CPI.key,
    )
    assert (withdrawn["kind"], withdrawn["key"]) == ("withdrawn", NFP.key)
    assert desk.cache()["events"][0]["first_seen_at"] == "2026-01-05T12:00:00Z"


def test_an_event_that_is_withdrawn_and_named_again_keeps_its_first_sight(desk: Desk) -> None:
    desk.service.update()
    for events in ((CPI,), (CPI, NFP)):
        desk.clock.turn(hours=2)
        desk.provider.answer = answer(*events)
        told = desk.service.update()
    assert (told["new"], told["returned"]) == (0, 1)
    assert [record["kind"] for record in desk.revisions()] == ["new", "new", "withdrawn", "returned"]
    assert {each["first_seen_at"] for each in desk.cache()["events"]} == {"2026-01-05T12:00:00Z"}


@pytest.mark.parametrize("content", ["{", "[]", '{"failures": "x"}', '{"provider": "fake", "memory": 5}'])
def test_a_broken_memory_of_the_update_stops_nothing(desk: Desk, content: str) -> None:
    desk.service.update()
    desk.storage.path("calendar/provider_state.json").write_text(content, encoding="utf-8")
    desk.clock.turn(hours=2)
    assert desk.service.update()["status"] == "updated"


def test_the_week_before_stays_a_while_and_both_weeks_are_covered(desk: Desk) -> None:
    desk.service.update()
    desk.clock.turn(days=6)
    coming = event("2026-01-14T13:30:00Z")
    desk.provider.answer = answer(coming, week=(WEEK[1], WEEK[1] + timedelta(days=7)))
    told = desk.service.update()
    assert (told["new"], told["withdrawn"], told["events"]) == (1, 0, 3)
    assert told["covered_from"] == "2026-01-04T05:00:00Z"
    desk.clock.turn(days=14)
    desk.provider.answer = answer(
        event("2026-01-28T13:30:00Z"), week=(WEEK[0] + timedelta(days=21), WEEK[1] + timedelta(days=21))
    )
    told = desk.service.update()
    # A week lies between the two looks: what is said of it would be a guess.
    assert told["covered_from"] == "2026-01-25T05:00:00Z"


def test_a_calendar_of_last_week_knows_nothing_of_this_one(desk: Desk) -> None:
    desk.service.update()
    view = desk.service.as_of(datetime(2026, 1, 11, 22, tzinfo=UTC))
    assert not view.known
    assert "speaks of" in view.reason


def test_a_calendar_that_is_too_old_is_not_known(desk: Desk) -> None:
    desk.service.update()
    assert desk.service.as_of(START + timedelta(hours=48)).known
    view = desk.service.as_of(START + timedelta(hours=49))
    assert not view.known
    assert "49 hours old" in view.reason
    assert len(view.events) == 2


def test_a_look_that_is_overdue_makes_it_stale(desk: Desk) -> None:
    desk.service.update()
    assert not desk.service.as_of(START + timedelta(hours=3)).stale
    assert desk.service.as_of(START + timedelta(hours=3, minutes=1)).stale


def test_nothing_was_known_before_the_first_look(desk: Desk) -> None:
    desk.service.update()
    assert not desk.service.as_of(START - timedelta(minutes=1)).known
    # A later look does not take back what was known in between.
    desk.clock.turn(hours=2)
    desk.provider.answer = answer(CPI, NFP, event("2026-01-08T10:00:00Z", "Speech"))
    desk.service.update()
    between = desk.service.as_of(START + timedelta(hours=1))
    assert between.known
    assert [each.title for each in between.events] == ["CPI m/m", "Non-Farm Employment Change"]
    assert len(desk.service.as_of(desk.clock.at).events) == 3


def test_a_corrupt_cache_is_set_aside_said_and_written_anew(desk: Desk) -> None:
    desk.service.update()
    desk.storage.path(CACHE).write_text('{"events": [', encoding="utf-8")
    desk.clock.turn(minutes=5)
    told = desk.again().update()
    assert told["status"] == "updated"
    assert "set aside" in told["problems"][0]
    assert len(desk.storage.names("cache/*corrupt*")) == 1
    assert desk.cache()["events"][0]["first_seen_at"] == "2026-01-05T12:00:00Z"


@pytest.mark.parametrize("content", ["[]", "{}", '{"events": 5}', "null", "[" * 50])
def test_a_cache_of_another_form_makes_the_calendar_unknown_and_never_raises(
    desk: Desk, content: str
) -> None:
    desk.service.update()
    desk.storage.path(CACHE).write_text(content, encoding="utf-8")
    view = desk.again().as_of(START)
    assert (view.known, view.events) == (False, ())
    assert view.reason
    assert desk.again().update()["status"] == "updated"


def test_reading_again_costs_no_second_parse(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.service.update()
    first = desk.service.as_of(START)
    reads: list[str] = []
    real = FileStorage.read_json_or

    def counting(storage: FileStorage, name: str, default: Any) -> Any:
        reads.append(name)
        return real(storage, name, default)

    monkeypatch.setattr(FileStorage, "read_json_or", counting)
    assert desk.service.as_of(START) == first
    assert reads == []


def test_another_provider_starts_afresh(desk: Desk) -> None:
    desk.service.update()
    desk.provider = FakeCalendarProvider(answer(NFP), name="other")
    desk.clock.turn(minutes=1)
    assert desk.service.update()["events"] == 1
    assert desk.provider.asked[0][0] == {}


def test_events_stop_trading_through_the_view(desk: Desk) -> None:
    desk.service.update()
    view = desk.service.as_of(START)
    result = embargo(view, {"EUR", "USD"}, NFP.at, EmbargoRule.of(30))
    assert (result.blocked, result.known) == (True, True)


def test_events_and_views_have_a_json_form(desk: Desk) -> None:
    desk.service.update()
    view = desk.service.as_of(START)
    told = json.loads(json.dumps(view.as_dict()))
    assert Event.from_dict(told["events"][0]) == view.events[0]
    with pytest.raises(Invalid):
        Event.from_dict({"key": "x"})


def write_config(tmp_path: Path, section: Any) -> Path:
    path = tmp_path / "api_integrations.json"
    path.write_text(json.dumps({"economic_calendar": section, "other": {"kept": 1}}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ({"provider": "bloomberg"}, "/economic_calendar/provider", "allowed: forexfactory, finnhub"),
        ({"provider": 5}, "/economic_calendar/provider", "allowed: forexfactory"),
        ({"update_minutes": 5}, "/economic_calendar/update_minutes", "60"),
        ({"updat_minutes": 90}, "/economic_calendar/updat_minutes", "not permitted"),
        ({"forexfactory": {"base_url": "file:///etc/x"}}, "/economic_calendar/forexfactory/base_url", "http"),
        ("none", "/economic_calendar", "none"),
        ({"csv": {"timezone": "Mars"}}, "/economic_calendar/csv/timezone", "Europe/London"),
        ({"fmp": {"base_url": "http://x/?a=b"}}, "/economic_calendar/fmp/base_url", "query"),
    ],
)
def test_a_wrong_value_names_file_key_and_what_is_allowed(
    tmp_path: Path, section: Any, key: str, said: str
) -> None:
    with pytest.raises(Invalid) as caught:
        calendar_source(write_config(tmp_path, section), means(tmp_path, FakeFetcher(Site())))()
    assert caught.value.details["file"] == "config/api_integrations.json"
    assert caught.value.details["key"] == key
    assert said in caught.value.message
    assert key in caught.value.message


@pytest.mark.parametrize("text", ["{", "[]", "nonsense"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "api_integrations.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=r"config/api_integrations\.json"):
        CalendarConfig.load(path)


def test_without_a_file_the_default_provider_is_used(tmp_path: Path) -> None:
    assert CalendarConfig.load(tmp_path / "none.json").provider == "forexfactory"


def test_the_shipped_configuration_is_good() -> None:
    root = Path(__file__).resolve().parents[3]
    assert CalendarConfig.load(root / "config" / "api_integrations.json") == CalendarConfig()


def test_from_the_export_to_the_file(tmp_path: Path) -> None:
    site = Site()
    record = {
        "title": "CPI m/m", "country": "USD", "date": "2026-01-07T08:30:00-05:00", "impact": "High",
        "forecast": "0.3%", "previous": "",
    }  # fmt: skip
    site.put("/week.json", Reply(body=json.dumps([record]).encode()))
    path = write_config(tmp_path, {"forexfactory": {"base_url": site.url("/week"), "marks": "none"}})
    service = CalendarService(
        calendar_source(path, means(tmp_path, FakeFetcher(site))),
        FileStorage(tmp_path / "data", fsync=False),
        Hands(),
        jitter=lambda: 0.0,
    )
    assert service.update()["provider"] == "forexfactory"
    assert service.as_of(START).events[0].at == datetime(2026, 1, 7, 13, 30, tzinfo=UTC)
    site.put("/week.json", Reply(body=b"<html>Request Denied</html>"))
    with pytest.raises(DeskError, match="a web page"):
        service.update(force=True)
    assert len(service.as_of(START).events) == 1
