"""When schedules tick, by the calendar alone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.jobs.ticks import Cron, Every, count_between, interval


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "at", "latest", "following"),
    [
        ({"minute": "*/15"}, "2026-03-02 12:07:30", "2026-03-02 12:00", "2026-03-02 12:15"),
        ({"minute": "*/15"}, "2026-03-02 12:15:00", "2026-03-02 12:15", "2026-03-02 12:30"),
        ({"minute": 0}, "2026-03-02 23:59:59", "2026-03-02 23:00", "2026-03-03 00:00"),
        ({"hour": 2, "minute": 0}, "2026-03-02 01:59", "2026-03-01 02:00", "2026-03-02 02:00"),
        ({"hour": 2, "minute": 0}, "2026-12-31 03:00", "2026-12-31 02:00", "2027-01-01 02:00"),
        (
            {"minute": 30, "hour": 9, "day_of_week": "mon-fri"},
            "2026-03-07 00:00",
            "2026-03-06 09:30",
            "2026-03-09 09:30",
        ),
        (
            {"minute": 0, "hour": 0, "day_of_month": 29, "month_of_year": 2},
            "2026-01-01 00:00",
            "2024-02-29 00:00",
            "2028-02-29 00:00",
        ),
        (
            {"minute": 0, "hour": 0, "day_of_month": 13, "day_of_week": "fri"},
            "2026-03-01 00:00",
            "2026-02-13 00:00",
            "2026-03-13 00:00",
        ),
    ],
)
def test_crontab_by_the_calendar(fields: dict[str, object], at: str, latest: str, following: str) -> None:
    cron = Cron(fields)
    assert cron.latest(utc(at)) == utc(latest)
    assert cron.following(utc(at)) == utc(following)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"])
def test_changes_to_and_from_summer_time_do_not_exist(day: str) -> None:
    midnight = utc(day)
    ticks, tick = [], Cron({"minute": "*/15"}).following(midnight - timedelta(seconds=1))
    while tick is not None and tick < midnight + timedelta(days=1):
        ticks.append(tick)
        tick = Cron({"minute": "*/15"}).following(tick)
    assert len(ticks) == 96
    assert {b - a for a, b in pairwise(ticks)} == {timedelta(minutes=15)}
    daily = Cron({"hour": 2, "minute": 0})
    assert count_between(daily, midnight, midnight + timedelta(days=1)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"day_of_month": 31, "month_of_year": 2},
        {"minute": "61"},
        {"minute": "x"},
        {"hour": "*/0"},
        {"second": 1},
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refusal:
        Cron(fields)
    assert refusal.value.code == "bad_crontab"


def test_intervals_count_from_the_epoch_whoever_restarts() -> None:
    every = Every(60, offset=2)
    assert every.latest(utc("2026-03-02 12:00:01")) == utc("2026-03-02 11:59:02")
    assert every.latest(utc("2026-03-02 12:00:02")) == utc("2026-03-02 12:00:02")
    assert every.following(utc("2026-03-02 12:00:02")) == utc("2026-03-02 12:01:02")
    assert str(every) == "every 60 s + 2 s"
    assert interval(every, utc("2026-03-02 12:00:30")) == timedelta(seconds=60)


def test_counting_leaves_both_ends_out() -> None:
    cron = Cron({"minute": "*/15"})
    assert count_between(cron, utc("2026-03-02 12:00"), utc("2026-03-02 13:00")) == 3
    assert count_between(cron, utc("2026-03-02 12:01"), utc("2026-03-02 12:14")) == 0
    assert count_between(Every(60), utc("2026-03-02 12:00"), utc("2026-03-02 12:05")) == 4
    assert count_between(Every(60), utc("2026-03-02 12:00:30"), utc("2026-03-02 12:01:00")) == 0
    assert count_between(Every(60), utc("2026-03-02 12:00:30"), utc("2026-03-02 12:01:01")) == 1


FIELDS = st.fixed_dictionaries(
    {
        "minute": st.sampled_from(["*", "*/7", "0", "5,40", "10-20"]),
        "hour": st.sampled_from(["*", "*/5", "0", "3,22"]),
        "day_of_month": st.sampled_from(["*", "1", "28-31", "*/10"]),
        "month_of_year": st.sampled_from(["*", "2", "1,7"]),
        "day_of_week": st.sampled_from(["*", "sun", "mon-fri"]),
    }
)


@settings(max_examples=100, deadline=None)
@given(fields=FIELDS, at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001 - made UTC below
def test_latest_and_following_enclose_the_moment(fields: dict[str, str], at: datetime) -> None:
    moment = at.replace(tzinfo=UTC)
    cron = Cron(fields)
    latest, following = cron.latest(moment), cron.following(moment)
    assert latest is not None
    assert following is not None
    assert latest <= moment < following
    assert cron.following(latest) == following, "there is no tick in between"
    assert cron.latest(following) == following
    assert cron.latest(following - timedelta(microseconds=1)) == latest
