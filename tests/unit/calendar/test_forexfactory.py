"""The weekly export in its real shapes and with its quirks; every record here is invented."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.adapters.calendars_forexfactory import ForexFactory, match_marks, read_json, week_of
from backend.core.errors import Unavailable
from backend.economic_calendar.config import ForexFactoryConfig
from backend.economic_calendar.marks import Mark, MarkRow, read_csv, read_xml
from backend.economic_calendar.model import Event, Impact
from tests.fakes.fetcher import FakeFetcher, Reply, Site

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)

Row = dict[str, Any]


def row(title: str, date: str, country: str = "USD", impact: str = "High", **more: Any) -> Row:
    return {
        "title": title, "country": country, "date": date, "impact": impact,
        "forecast": "", "previous": "", **more,
    }  # fmt: skip


def read(*rows: Row) -> tuple[Event, ...]:
    return read_json(json.dumps(rows).encode(), "feed")[0]


def test_a_record_becomes_an_event_in_utc() -> None:
    [event] = read(row("Unemployment Claims", "2025-12-31T08:30:00-05:00", forecast="219K", previous="214K"))
    assert event.at == datetime(2025, 12, 31, 13, 30, tzinfo=UTC)
    assert (event.currency, event.impact) == ("USD", Impact.HIGH)
    assert (event.forecast, event.previous, event.actual) == ("219K", "214K", None)
    assert (event.source, event.all_day, event.tentative) == ("forexfactory", False, False)


def test_the_offset_is_new_yorks_and_flips_within_a_week() -> None:
    # The clocks go forward on Sunday 2026-03-08 at 02:00 in New York: 08:30 is 13:30 before, 12:30 after.
    before, after = read(
        row("CPI m/m", "2026-03-06T08:30:00-05:00"), row("PPI m/m", "2026-03-09T08:30:00-04:00")
    )
    assert (before.at.hour, after.at.hour) == (13, 12)


@pytest.mark.parametrize("value", ["-1.3M", "-169B", "4.12|2.5", "1.2T", "0.3%", "<0.10%"])
def test_figures_stay_as_they_are_given(value: str) -> None:
    [event] = read(row("Auction", "2026-01-05T10:00:00-05:00", forecast=value))
    assert (event.forecast, event.previous) == (value, None)


def test_escapes_are_undone() -> None:
    body = (
        rb'[{"title":"S\u0026P m\/m &amp; more","country":"All","date":"2026-01-05T08:30:00-05:00",'
        rb'"impact":"Low","forecast":"&lt;0.10%","previous":""}]'
    )
    [event] = read_json(body, "feed")[0]
    assert event.title == "S&P m/m & more"
    assert event.forecast == "<0.10%"
    assert event.currency == "ALL"


def test_two_events_of_one_title_are_told_apart_by_their_time() -> None:
    events = read(
        row("FOMC Member Paulson Speaks", "2026-01-05T10:00:00-05:00"),
        row("FOMC Member Paulson Speaks", "2026-01-07T10:00:00-05:00"),
    )
    assert len({event.key for event in events}) == 2


def test_a_row_given_twice_is_one_event_and_two_that_differ_are_two() -> None:
    same = row("Crude Oil Inventories", "2026-01-07T10:30:00-05:00", impact="Low")
    other = {**same, "forecast": "-1.3M"}
    events = read(same, same, other)
    assert [event.forecast for event in events] == [None, "-1.3M"]
    assert len({event.key for event in events}) == 2


def test_a_holiday_is_a_day_whatever_clock_time_it_has() -> None:
    events = read(
        row("Bank Holiday", "2026-01-11T19:00:00-05:00", "JPY", "Holiday"),
        row("German Bank Holiday", "2026-01-06T02:02:00-05:00", "EUR", "Holiday"),
    )
    assert all(event.all_day and event.impact is Impact.HOLIDAY for event in events)


def test_an_event_that_is_not_economic_has_no_impact() -> None:
    assert read(row("Election", "2026-01-05T00:00:00-05:00", impact="Non-Economic"))[0].impact is Impact.NONE


def test_a_bad_row_is_left_out_and_named_and_the_rest_goes_on() -> None:
    good = [row(f"Good {n}", "2026-01-05T08:30:00-05:00") for n in range(6)]
    bad = [
        row("", "2026-01-05T08:30:00-05:00"),
        row("Naive", "2026-01-05T08:30:00"),
        row("No date", ""),
        row("Odd", "2026-01-05T08:30:00-05:00", "Atlantis"),
        row("Odd", "2026-01-05T08:30:00-05:00", impact="Enormous"),
    ]
    events, problems = read_json(json.dumps(good + bad).encode(), "feed")
    assert len(events) == 6
    assert [problem.split()[1] for problem in problems] == ["/6:", "/7:", "/8:", "/9:", "/10:"]


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><title>Request Denied</title></html>",
        b"",
        b"[]",
        b"{}",
        b'{"error": "rate limited"}',
        b'["a", "b"]',
        b"[[]]",
        b"null",
        b'[{"title": "x"}]',
        b"[" * 100_000,
        b'[{"title":"cut off","country":"U',
    ],
)
def test_what_is_no_calendar_is_a_failure(body: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        read_json(body, "feed")
    assert caught.value.code == "calendar_unexpected"


def test_the_week_is_sunday_to_saturday_in_new_york() -> None:
    events = read(row("CPI", "2026-01-07T08:30:00-05:00"), row("PPI", "2026-01-08T08:30:00-05:00"))
    assert week_of(events) == (
        datetime(2026, 1, 4, 5, tzinfo=UTC),
        datetime(2026, 1, 11, 5, tzinfo=UTC),
    )


def test_the_week_in_which_the_clocks_change_is_an_hour_shorter() -> None:
    start, end = week_of(read(row("CPI", "2026-03-11T08:30:00-04:00")))
    assert end - start == timedelta(days=7) - timedelta(hours=1)


XML = b"""<?xml version="1.0" encoding="windows-1252"?>
<weeklyevents>
 <event><title>CPI m/m</title><country>USD</country>
  <date><![CDATA[10-14-2026]]></date><time><![CDATA[12:30pm]]></time>
  <impact><![CDATA[High]]></impact><forecast><![CDATA[0.3%]]></forecast><previous/></event>
 <event><title>Caf\xe9 &amp; Bank Holiday</title><country>EUR</country>
  <date><![CDATA[10-14-2026]]></date><time><![CDATA[All Day]]></time>
  <impact/></event>
 <event><title>Budget Release</title><country>GBP</country>
  <date><![CDATA[10-15-2026]]></date><time><![CDATA[Tentative]]></time>
  <impact/></event>
 <event><title>Odd</title><country>GBP</country>
  <date><![CDATA[10-15-2026]]></date><time/>
  <impact/></event>
 <event><title>Midnight</title><country>GBP</country>
  <date><![CDATA[10-15-2026]]></date><time>12:05am</time>
  <impact/></event>
</weeklyevents>"""

CSV = b"""Title,Country,Date,Time,Impact,Forecast,Previous,URL
CPI m/m,USD,09-30-2026,12:30pm,High,0.2%,0.1%,https://www.example.com/1
Budget, Part Two, Release,GBP,09-30-2026,Tentative,Low,,
"Quoted, Title",EUR,09-30-2026,All Day,Holiday,,,https://www.example.com/2
"""


def test_xml_times_are_utc() -> None:
    rows = read_xml(XML, "feed")
    assert rows[0] == MarkRow(
        title="CPI m/m", country="USD", mark=Mark.TIMED, at=datetime(2026, 10, 14, 12, 30, tzinfo=UTC)
    )
    assert [each.mark for each in rows[1:4]] == [Mark.ALL_DAY, Mark.TENTATIVE, Mark.UNKNOWN]
    assert rows[1].title == "Café & Bank Holiday"
    assert rows[4].at == datetime(2026, 10, 15, 0, 5, tzinfo=UTC)


def test_csv_says_the_same_also_with_commas_in_titles() -> None:
    rows = read_csv(CSV, "feed")
    assert [(each.title, each.country, each.mark) for each in rows] == [
        ("CPI m/m", "USD", Mark.TIMED),
        ("Budget, Part Two, Release", "GBP", Mark.TENTATIVE),
        ("Quoted, Title", "EUR", Mark.ALL_DAY),
    ]
    assert rows[0].at == datetime(2026, 9, 30, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reader", "body"),
    [
        (read_xml, b"<html></html>"),
        (read_xml, b"no xml"),
        (read_xml, b'<!DOCTYPE a [<!ENTITY b "c">]><weeklyevents/>'),
        (read_xml, '<!DOCTYPE a [<!ENTITY b "c">]><weeklyevents/>'.encode("utf-16")),
        (read_csv, b"<html>Request, Denied</html>"),
        (read_csv, b""),
    ],
)
def test_a_second_export_that_is_none_is_a_failure(
    reader: Callable[[bytes, str], object], body: bytes
) -> None:
    with pytest.raises(Unavailable):
        reader(body, "feed")


def mark(title: str, kind: Mark, at: str | None = None, country: str = "USD") -> MarkRow:
    return MarkRow(
        title=title, country=country, mark=kind, at=datetime.fromisoformat(at) if at is not None else None
    )


def test_marks_are_matched_by_time_first_then_by_order() -> None:
    events = read(
        row("Speech", "2026-01-05T10:00:00-05:00"),
        row("Speech", "2026-01-06T04:04:00-05:00"),
        row("Speech", "2026-01-07T10:00:00-05:00"),
    )
    marks = match_marks(
        events,
        [
            mark("Speech", Mark.TENTATIVE),
            mark("Speech", Mark.TIMED, "2026-01-07T15:00:00+00:00"),
            mark("Speech", Mark.TIMED, "2026-01-05T15:00:00+00:00"),
        ],
    )
    assert [marks[event.key] for event in events] == [Mark.TIMED, Mark.TENTATIVE, Mark.TIMED]


def test_where_numbers_differ_one_mark_for_all_is_taken_and_else_none() -> None:
    events = read(row("Talks", "2026-01-05T10:00:00-05:00"), row("Talks", "2026-01-06T10:00:00-05:00"))
    same = match_marks(events, [mark("Talks", Mark.ALL_DAY)])
    assert set(same.values()) == {Mark.ALL_DAY}
    mixed = [mark("Talks", Mark.ALL_DAY), mark("Talks", Mark.TENTATIVE), mark("Talks", Mark.TENTATIVE)]
    assert set(match_marks(events, mixed).values()) == {Mark.UNKNOWN}
    assert set(match_marks(events, []).values()) == {Mark.UNKNOWN}


WEEK = [
    row("CPI m/m", "2026-01-07T08:30:00-05:00"),
    row("Budget", "2026-01-07T04:04:00-05:00", "GBP"),
    row("Summit", "2026-01-08T00:01:00-05:00", "All"),
]


def marks_xml(*rows: tuple[str, str, str, str]) -> bytes:
    inner = "".join(
        f"<event><title>{t}</title><country>{c}</country><date>{d}</date><time>{h}</time></event>"
        for t, c, d, h in rows
    )
    return f"<weeklyevents>{inner}</weeklyevents>".encode()


WEEK_MARKS = marks_xml(
    ("CPI m/m", "USD", "01-07-2026", "1:30pm"),
    ("Budget", "GBP", "01-07-2026", "Tentative"),
    ("Summit", "All", "01-08-2026", "All Day"),
)


def provider(site: Site, marks: str = "xml") -> ForexFactory:
    config = ForexFactoryConfig.model_validate({"base_url": site.url("/week"), "marks": marks})
    return ForexFactory(config, FakeFetcher(site))


def test_both_exports_together_tell_timed_tentative_and_all_day() -> None:
    site = Site()
    site.put("/week.json", Reply(body=json.dumps(WEEK).encode(), etag='"1"'))
    site.put("/week.xml", Reply(body=WEEK_MARKS))
    answer = provider(site).fetch({}, NOW)
    told = {event.title: (event.tentative, event.all_day) for event in answer.events}
    assert told == {"CPI m/m": (False, False), "Budget": (True, False), "Summit": (False, True)}
    assert answer.covered_from == datetime(2026, 1, 4, 5, tzinfo=UTC)


def test_the_second_export_is_asked_for_once_a_day_and_for_new_events() -> None:
    site = Site()
    site.put("/week.json", Reply(body=json.dumps(WEEK).encode(), etag='"1"'))
    site.put("/week.xml", Reply(body=WEEK_MARKS))
    source = provider(site)
    state = source.fetch({}, NOW).state

    def asked(state: Any, at: datetime) -> list[str]:
        site.asked.clear()
        source.fetch(state, at)
        return [path for path, _ in site.asked]

    assert asked(state, NOW + timedelta(hours=1)) == ["/week.json"]
    assert source.fetch(state, NOW + timedelta(hours=1)).not_modified
    assert asked(state, NOW + timedelta(hours=25)) == ["/week.json", "/week.xml"]
    changed = [*WEEK, row("New", "2026-01-09T08:30:00-05:00")]
    site.put("/week.json", Reply(body=json.dumps(changed).encode(), etag='"2"'))
    assert asked(state, NOW + timedelta(hours=1)) == ["/week.json", "/week.xml"]


def test_without_the_second_export_the_events_stand_and_it_is_said() -> None:
    site = Site()
    site.put("/week.json", Reply(body=json.dumps(WEEK).encode(), etag='"1"'))
    site.put("/week.xml", Reply(status=429))
    answer = provider(site).fetch({}, NOW)
    assert len(answer.events) == 3
    assert "could not be told" in answer.problems[0]
    # And it is asked for again, although the events themselves have not changed.
    site.put("/week.xml", Reply(body=WEEK_MARKS))
    again = provider(site).fetch(answer.state, NOW + timedelta(hours=1))
    assert not again.not_modified
    assert {event.title for event in again.events if event.tentative} == {"Budget"}


def test_csv_or_no_second_export_can_be_chosen() -> None:
    site = Site()
    site.put("/week.json", Reply(body=json.dumps(WEEK).encode()))
    site.put("/week.csv", Reply(body=b"Title,Country,Date,Time\nBudget,GBP,01-07-2026,Tentative,Low,,\n"))
    assert sum(event.tentative for event in provider(site, "csv").fetch({}, NOW).events) == 1
    site.asked.clear()
    assert not any(event.tentative for event in provider(site, "none").fetch({}, NOW).events)
    assert [path for path, _ in site.asked] == ["/week.json"]
