"""Each provider, served on the loopback interface, with the shapes and quirks that it is known for."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.calendars import Means, build_provider, calendar_source
from backend.adapters.fetch import HttpFetcher
from backend.core.clock import FixedClock
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.economic_calendar.config import CalendarConfig
from backend.economic_calendar.model import Event, Impact
from backend.economic_calendar.ports import ProviderAnswer
from backend.economic_calendar.service import CalendarService
from backend.storage.files import FileStorage
from tests.fakes.calendar_means import means
from tests.fakes.fetcher import Reply, Site
from tests.fakes.http_server import serving

NOW = datetime(2026, 3, 26, 12, tzinfo=UTC)  # a Thursday; Europe's clocks change on Sunday
KEY = "pk-live-0123456789abcdef"
PATHS = {
    "finnhub": "/f?from=2026-03-23&to=2026-04-09",
    "fmp": f"/f?from=2026-03-23&to=2026-04-09&apikey={KEY}",
    "tradingeconomics": f"/f/2026-03-23/2026-04-09?c={KEY}&f=json",
}
FINNHUB = {
    "actual": None, "country": "NZ", "estimate": 0.30, "event": "CPI q/q", "impact": "high", "prev": -172,
    "time": "2026-03-27 21:45:00", "unit": "%",
}  # fmt: skip
FMP = {
    "date": "2026-03-31 01:30:00", "country": "CN", "event": "NBS Manufacturing PMI (Mar)", "currency": "CNY",
    "previous": 49.1, "estimate": 49.9, "actual": 50.8, "change": 1.7, "impact": "High",
    "changePercentage": 3.462, "unit": "",
}  # fmt: skip
TRADINGECONOMICS = {
    "CalendarId": "292068", "Date": "2026-03-27T07:00:00", "Country": "United Kingdom",
    "Category": "Inflation Rate", "Event": "Inflation Rate YoY", "Reference": "Feb", "Actual": "6.2%",
    "Previous": "5.5%", "Forecast": "5.9%", "DateSpan": "0", "Importance": 3, "Currency": "", "Unit": "%",
}  # fmt: skip
ROWS: dict[str, dict[str, Any]] = {"finnhub": FINNHUB, "fmp": FMP, "tradingeconomics": TRADINGECONOMICS}
KEYED = list(ROWS)


def body(provider: str, *rows: dict[str, Any]) -> bytes:
    return json.dumps({"economicCalendar": rows} if provider == "finnhub" else rows).encode()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


class Desk:
    """The provider of a configuration, over real sockets."""

    def __init__(self, root: Path, site: Site, provider: str, **section: Any) -> None:
        fetcher = HttpFetcher(FixedClock(NOW), allow_private=True)
        self.means: Means = means(root, fetcher)
        if provider in ROWS:
            self.means.secrets.put(f"calendar.{provider}", KEY)
            section = {"base_url": site.url("/f"), "timeout": 2.0, **section}
        self.config = CalendarConfig.model_validate({"provider": provider, provider: section})
        self.root = root

    def fetch(self, state: dict[str, Any] | None = None, now: datetime = NOW) -> ProviderAnswer:
        return build_provider(self.config, self.means).fetch(state or {}, now)

    def only(self) -> Event:
        (event,) = self.fetch().events
        return event


def test_finnhub_is_read_in_utc_with_its_country_its_scale_and_its_figures(
    tmp_path: Path, site: Site
) -> None:
    written = body("finnhub", FINNHUB).replace(b"0.3,", b"0.30,")
    site.put(PATHS["finnhub"], Reply(body=written))
    event = Desk(tmp_path, site, "finnhub").only()
    assert (event.at, event.currency, event.impact) == (
        datetime(2026, 3, 27, 21, 45, tzinfo=UTC),
        "NZD",
        Impact.HIGH,
    )
    assert (event.forecast, event.previous, event.actual) == ("0.30%", "-172%", None)
    assert site.asked[0][1]["x-finnhub-token"] == KEY
    assert KEY not in site.asked[0][0]


def test_fmp_gives_its_own_currency_and_none_as_an_impact(tmp_path: Path, site: Site) -> None:
    site.put(
        PATHS["fmp"], Reply(body=body("fmp", FMP, FMP | {"impact": "None", "country": "DE", "currency": ""}))
    )
    first, second = Desk(tmp_path, site, "fmp").fetch().events
    assert {(first.currency, first.impact), (second.currency, second.impact)} == {
        ("CNY", Impact.HIGH),
        ("EUR", Impact.NONE),
    }
    assert first.at == datetime(2026, 3, 31, 1, 30, tzinfo=UTC)
    assert (first.forecast, first.previous, first.actual) == ("49.9", "49.1", "50.8")


def test_tradingeconomics_tells_all_day_and_counts_importance(tmp_path: Path, site: Site) -> None:
    day = TRADINGECONOMICS | {"DateSpan": "1", "Importance": 1, "Event": "Holiday", "Country": "Euro Area"}
    site.put(PATHS["tradingeconomics"], Reply(body=body("tradingeconomics", TRADINGECONOMICS, day)))
    found = {event.title: event for event in Desk(tmp_path, site, "tradingeconomics").fetch().events}
    assert found["Inflation Rate YoY"].currency == "GBP"
    assert (found["Inflation Rate YoY"].impact, found["Inflation Rate YoY"].all_day) == (Impact.HIGH, False)
    assert (found["Holiday"].currency, found["Holiday"].impact, found["Holiday"].all_day) == (
        "EUR",
        Impact.LOW,
        True,
    )


@pytest.mark.parametrize("provider", KEYED)
def test_times_are_utc_on_both_sides_of_a_clock_change(tmp_path: Path, site: Site, provider: str) -> None:
    name = next(name for name in ("time", "date", "Date") if name in ROWS[provider])
    rows = [ROWS[provider] | {name: f"2026-03-{day}T12:30:00"} for day in (27, 30)]
    rows.append(ROWS[provider] | {name: "2026-04-01T12:30:00Z"})
    site.put(PATHS[provider], Reply(body=body(provider, *rows)))
    assert [event.at.hour for event in Desk(tmp_path, site, provider).fetch().events] == [12, 12, 12]


@pytest.mark.parametrize("provider", KEYED)
def test_what_was_asked_for_is_what_the_answer_covers(tmp_path: Path, site: Site, provider: str) -> None:
    site.put(PATHS[provider], Reply(body=body(provider, ROWS[provider])))
    answer = Desk(tmp_path, site, provider).fetch()
    assert answer.covered_from == datetime(2026, 3, 23, tzinfo=UTC)
    assert answer.covered_to == datetime(2026, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize("provider", KEYED)
def test_a_second_look_at_the_same_days_is_conditional(tmp_path: Path, site: Site, provider: str) -> None:
    site.put(PATHS[provider], Reply(body=body(provider, ROWS[provider]), etag='"one"'))
    desk = Desk(tmp_path, site, provider)
    first = desk.fetch()
    assert KEY not in json.dumps(dict(first.state))
    second = desk.fetch(dict(first.state))
    assert second.not_modified
    tomorrow = [url.replace("-23", "-24").replace("-09", "-10") for url in (PATHS[provider],)]
    site.put(tomorrow[0], Reply(body=body(provider, ROWS[provider]), etag='"one"'))
    assert not desk.fetch(dict(second.state), NOW + timedelta(days=1)).not_modified


@pytest.mark.parametrize("provider", KEYED)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(body=b"<!DOCTYPE html><html>Request Denied</html>"), "calendar_unexpected"),
        (Reply(body=b'{"error": "limit"}'), "calendar_unexpected"),
        (Reply(body=b'{"Error Message": "Invalid API KEY."}'), "calendar_unexpected"),
        (Reply(body=b'{"economicCalendar": null}'), "calendar_unexpected"),
        (Reply(body=b"[1, 2]"), "calendar_unexpected"),
        (Reply(body=b'[{"date": "so'), "calendar_unexpected"),
        (Reply(body=b"[" * 100_000), "calendar_unexpected"),
        (Reply(body=b""), "calendar_unexpected"),
        (Reply(body=b'[{"x": 1}]'), "calendar_unexpected"),
        (Reply(body=b"[]" * 200, cut=True), "fetch_failed"),
        (Reply(status=429, retry_after="120"), "rate_limited"),
        (Reply(status=500), "http_status"),
        (Reply(status=401), "calendar_key_refused"),
        (Reply(status=403, body=b"pay"), "calendar_key_refused"),
    ],
)
def test_whatever_is_no_calendar_is_a_failure_without_the_key(
    tmp_path: Path, site: Site, provider: str, reply: Reply, code: str
) -> None:
    site.put(PATHS[provider], reply)
    with pytest.raises(Unavailable) as caught:
        Desk(tmp_path, site, provider).fetch()
    assert caught.value.code == code
    assert KEY not in json.dumps(caught.value.as_dict())
    if code == "rate_limited":
        assert caught.value.details["retry_after"] == 120


@pytest.mark.parametrize("provider", KEYED)
@pytest.mark.parametrize("given", ["gone", 7, True, ["high"], {}, "grave"])
def test_an_impact_that_is_none_is_no_low_one(tmp_path: Path, site: Site, provider: str, given: Any) -> None:
    name = "Importance" if provider == "tradingeconomics" else "impact"
    row = {key: value for key, value in ROWS[provider].items() if key != name}
    row |= {} if given == "gone" else {name: given}
    site.put(PATHS[provider], Reply(body=body(provider, row)))
    with pytest.raises(Unavailable, match="cannot be read"):
        Desk(tmp_path, site, provider).fetch()


def test_a_slow_drip_ends_in_time(tmp_path: Path, site: Site) -> None:
    site.put(PATHS["fmp"], Reply(endless=True))
    with pytest.raises(Unavailable, match="did not answer completely in time"):
        Desk(tmp_path, site, "fmp", timeout=0.5).fetch()


def test_a_redirect_takes_the_key_of_a_header_nowhere(tmp_path: Path, site: Site) -> None:
    with serving() as other:
        site.put(PATHS["finnhub"], Reply(status=302, location=other.url("/x")))
        other.put("/x", Reply(body=body("finnhub", FINNHUB)))
        Desk(tmp_path, site, "finnhub").fetch()
        assert KEY not in str(other.asked)


def test_a_row_that_cannot_be_read_is_left_out_and_said(tmp_path: Path, site: Site) -> None:
    rows = [FMP, FMP | {"event": "b"}, FMP | {"event": "c", "date": "soon"}]
    site.put(PATHS["fmp"], Reply(body=body("fmp", *rows)))
    answer = Desk(tmp_path, site, "fmp").fetch()
    assert len(answer.events) == 2
    assert "/2: 'soon' is no time" in answer.problems[0]


def test_countries_without_a_currency_are_said_and_speak_against_nobody(tmp_path: Path, site: Site) -> None:
    strange = [FINNHUB | {"country": "ZW", "event": str(number)} for number in range(30)]
    site.put(PATHS["finnhub"], Reply(body=body("finnhub", FINNHUB, *strange)))
    answer = Desk(tmp_path, site, "finnhub").fetch()
    assert len(answer.events) == 1
    assert "ZW" in answer.problems[0]
    assert "20 more" in answer.problems[-1]


def test_without_a_key_nobody_is_asked(tmp_path: Path, site: Site) -> None:
    desk = Desk(tmp_path, site, "fmp")
    desk.means.secrets.remove("calendar.fmp")
    with pytest.raises(Invalid, match="mt5ui calendar key fmp"):
        desk.fetch()
    desk.means.secrets.put("calendar.fmp", "guest:guest")
    with pytest.raises(Invalid, match="a sample"):
        desk.fetch()
    assert site.asked == []


@pytest.mark.parametrize(
    "section",
    [
        {"fmp": {"api_key": KEY}},
        {"fmp": {"apikey": KEY}},
        {"finnhub": {"token": KEY}},
        {"fmp": KEY},
        {"fmp": {"base_url": KEY}},
        {"fmp": {"base_url": f"https://example.com/x?apikey={KEY}"}},
        {"fmp": {"note": KEY}},
        {"api_key": KEY},
    ],
)
def test_a_key_in_the_configuration_is_refused_and_never_repeated(tmp_path: Path, section: Any) -> None:
    path = tmp_path / "api_integrations.json"
    path.write_text(json.dumps({"economic_calendar": section}), encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        CalendarConfig.load(path)
    assert KEY not in json.dumps(caught.value.as_dict())
    assert "config/api_integrations.json" in caught.value.message


def test_yesterdays_data_stays_with_its_age_when_the_provider_turns_bad(tmp_path: Path, site: Site) -> None:
    site.put(PATHS["fmp"], Reply(body=body("fmp", FMP)))
    desk = Desk(tmp_path, site, "fmp")
    times = [NOW]

    class Turned:
        def now(self) -> datetime:
            return times[-1]

        def wall(self) -> datetime:
            return times[-1]

    service = CalendarService(
        lambda: (desk.config, build_provider(desk.config, desk.means)),
        FileStorage(tmp_path / "data", fsync=False),
        Turned(),
        jitter=lambda: 0.0,
    )
    assert service.update()["events"] == 1
    times.append(NOW + timedelta(hours=22))
    site.put(PATHS["fmp"].replace("-23", "-24").replace("-09", "-10"), Reply(body=b"<html>"))
    with pytest.raises(DeskError, match="a web page"):
        service.update()
    view = service.as_of(times[-1])
    assert (view.known, view.stale, view.age) == (True, True, timedelta(hours=22))
    assert [event.title for event in view.events] == [FMP["event"]]
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes()


# Files

MQL5 = (
    "Time,Currency,Importance,Event,ActualValue,ForecastValue,PrevValue,TimeMode,OffsetSeconds,ExportedUTC,"
    "FromServer,ToServer\n"
    '2026.03.27 15:30:00,USD,3,"Core PCE, y/y",-9223372036854775808,2500000,-100000,0,7200,'
    "2026.03.26 11:50:00,2026.03.23 13:50:00,2026.04.09 13:50:00\n"
    "2026.03.30 14:00:00,EUR,2,German CPI,,,,3,7200,2026.03.26 11:50:00,"
    "2026.03.23 13:50:00,2026.04.09 13:50:00\n"
    "2026.04.03 00:00:00,GBP,0,Good Friday,,,,1,7200,2026.03.26 11:50:00,"
    "2026.03.23 13:50:00,2026.04.09 13:50:00\n"
)


def mql5_desk(tmp_path: Path, text: str = MQL5, encoding: str = "utf-8") -> Desk:
    (tmp_path / "export.csv").write_bytes(text.encode(encoding))
    return Desk(tmp_path, Site(), "mql5", path="export.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_terminals_export_is_read_in_any_of_its_writings(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    text = MQL5.replace("Core PCE, y/y", "Core PCE y/y").replace(",", separator)
    events = mql5_desk(tmp_path, text, encoding).fetch().events
    assert [(event.title, event.impact) for event in events] == [
        ("Core PCE y/y", Impact.HIGH),
        ("German CPI", Impact.MEDIUM),
        ("Good Friday", Impact.NONE),
    ]


def test_the_terminals_times_take_one_offset_that_of_the_export(tmp_path: Path) -> None:
    # The server is at UTC+2 until Sunday; the terminal gives Monday's 14:00 as if it still were.
    first, second, third = mql5_desk(tmp_path).fetch().events
    assert first.at == datetime(2026, 3, 27, 13, 30, tzinfo=UTC)
    assert second.at == datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert (first.tentative, second.tentative, third.all_day) == (False, True, True)
    assert (first.forecast, first.previous, first.actual) == ("2.5", "-0.1", None)


def test_the_terminals_export_is_as_old_as_it_says_and_covers_what_it_says(tmp_path: Path) -> None:
    desk = mql5_desk(tmp_path)
    answer = desk.fetch()
    assert answer.given_at == datetime(2026, 3, 26, 11, 50, tzinfo=UTC)
    assert answer.covered_from == datetime(2026, 3, 23, 11, 50, tzinfo=UTC)
    again = desk.fetch(dict(answer.state), NOW + timedelta(hours=9))
    assert (again.not_modified, again.given_at) == (True, answer.given_at)


def test_an_export_without_an_offset_takes_the_servers_of_now(tmp_path: Path) -> None:
    text = "Time\tCurrency\tImportance\tEvent\tForecast\n2026.03.27 15:30\tUSD\tHIGH\tCPI\t0.3\n"
    (event,) = mql5_desk(tmp_path, text, "utf-16").fetch().events
    assert event.at == datetime(2026, 3, 27, 12, 30, tzinfo=UTC)
    assert event.forecast == "0.3"


def test_the_common_folder_of_the_terminal_is_where_the_export_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "Files").mkdir()
    (tmp_path / "Files" / "MT5UI_calendar.csv").write_text(MQL5, encoding="utf-8")
    config = CalendarConfig.model_validate({"provider": "mql5"})
    given = means(tmp_path, HttpFetcher(FixedClock(NOW)), common_folder=str(tmp_path))
    assert len(build_provider(config, given).fetch({}, NOW).events) == 3
    with pytest.raises(Invalid, match="no common folder"):
        build_provider(config, means(tmp_path, HttpFetcher(FixedClock(NOW))))


def test_a_cut_export_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"line 4.*nothing was taken"):
        mql5_desk(tmp_path, MQL5[:-30]).fetch()


@pytest.mark.parametrize("provider", ["mql5", "csv"])
def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path, provider: str) -> None:
    with pytest.raises(Unavailable, match=r"MT5UI_CalendarExport|put your calendar there"):
        Desk(tmp_path, Site(), provider, path="none.csv").fetch()


def test_an_own_csv_is_read_in_its_zone_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "time,currency,impact,title,all_day,tentative\n"
        "2026-03-27 14:15,EUR,high,ECB Rate,,\n"
        "2026-03-30 14:15,EUR,high,ECB Speech,no,yes\n"
        "2026-03-31T08:00:00Z,ALL,holiday,Fair,,\n",
        encoding="utf-8",
    )
    desk = Desk(tmp_path, Site(), "csv", path="own.csv", timezone="Europe/Berlin")
    answer = desk.fetch()
    assert [event.at.hour for event in answer.events] == [13, 12, 8]  # clocks change on the 29th
    assert [(event.tentative, event.all_day) for event in answer.events] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    assert answer.given_at is None
    assert desk.fetch(dict(answer.state)).not_modified
    path.write_text("time,currency,impact,title\n2026-03-27 14:15,EUR,low,x\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert len(desk.fetch(dict(answer.state)).events) == 1


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2026-03-29 02:30", "does not exist"),
        ("2026-10-25 02:30", "comes twice"),
        ("29/03/2026", "is no time"),
    ],
)
def test_a_time_that_the_zone_has_not_or_has_twice_is_refused(tmp_path: Path, time: str, said: str) -> None:
    (tmp_path / "own.csv").write_text(f"time,currency,impact,title\n{time},EUR,high,x\n", encoding="utf-8")
    with pytest.raises(Unavailable, match=rf"line 2, column 1 \(time\).*{said}"):
        Desk(tmp_path, Site(), "csv", path="own.csv", timezone="Europe/Berlin").fetch()


def test_a_source_reads_its_configuration_at_each_look(tmp_path: Path) -> None:
    path = tmp_path / "api_integrations.json"
    path.write_text('{"economic_calendar": {"provider": "csv"}}', encoding="utf-8")
    source = calendar_source(path, means(tmp_path, HttpFetcher(FixedClock(NOW))))
    assert source()[1].name == "csv"
    path.write_text('{"economic_calendar": {"provider": "fmp"}}', encoding="utf-8")
    assert source()[1].name == "fmp"
