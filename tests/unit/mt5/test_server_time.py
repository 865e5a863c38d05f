"""The broker's clock against dates worked by hand, and against zoneinfo everywhere."""

import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.mt5.server_time import ServerClock

NEW_YORK = ServerClock.parse("America/New_York+7")
EPOCHS = st.integers(
    int(datetime(1975, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2099, 1, 1, tzinfo=UTC).timestamp())
)
RULES = st.sampled_from(
    ["America/New_York+7", "Europe/Athens", "UTC", "UTC+2", "UTC-3:30", "Asia/Kolkata", "Etc/GMT+5"]
)


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def expected_offset(rule: str, utc: int) -> int:
    zone, hours = {
        "America/New_York+7": ("America/New_York", 7.0),
        "UTC+2": ("UTC", 2.0),
        "UTC-3:30": ("UTC", -3.5),
    }.get(rule, (rule, 0.0))
    offset = datetime.fromtimestamp(utc, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return int(offset / timedelta(seconds=1) + hours * 3600)


@pytest.mark.parametrize(
    ("utc", "server"),
    [
        ("2025-01-15 12:00:00", "2025-01-15 14:00:00"),  # winter: UTC+2
        ("2025-07-15 12:00:00", "2025-07-15 15:00:00"),  # summer: UTC+3
        # New York goes from 02:00 to 03:00 on 9 March 2025, at 07:00 UTC: the server from 09 to 10.
        ("2025-03-09 06:59:59", "2025-03-09 08:59:59"),
        ("2025-03-09 07:00:00", "2025-03-09 10:00:00"),
        # New York goes from 02:00 back to 01:00 on 2 November 2025, at 06:00 UTC: from 09 back to 08.
        ("2025-11-02 05:59:59", "2025-11-02 08:59:59"),
        ("2025-11-02 06:00:00", "2025-11-02 08:00:00"),
        # Europe changes on other dates: in these two weeks the server is on American time.
        ("2025-03-20 12:00:00", "2025-03-20 15:00:00"),
        ("2025-10-28 12:00:00", "2025-10-28 15:00:00"),
    ],
)
def test_new_york_plus_seven(utc: str, server: str) -> None:
    assert NEW_YORK.to_server(epoch(utc)) == epoch(server)


def test_trading_day_ends_at_five_in_new_york_all_year() -> None:
    for day in ("2025-01-15", "2025-03-10", "2025-07-15", "2025-11-03"):
        five = datetime.fromisoformat(f"{day} 17:00").replace(tzinfo=ZoneInfo("America/New_York"))
        assert NEW_YORK.server_epoch(five) % 86_400 == 0


def test_hour_that_the_clock_shows_twice_is_its_first_occurrence() -> None:
    # Server 08:30 on 2 November 2025 was 05:30 UTC, and again 06:30 UTC.
    assert NEW_YORK.to_utc(epoch("2025-11-02 08:30:00")) == epoch("2025-11-02 05:30:00")
    assert NEW_YORK.to_utc(epoch("2025-11-02 09:00:00")) == epoch("2025-11-02 07:00:00")


def test_hour_that_the_clock_skips_lands_after_the_change() -> None:
    # Server 09:30 on 9 March 2025 never was; with the old offset it is 07:30 UTC, server 10:30.
    utc = NEW_YORK.to_utc(epoch("2025-03-09 09:30:00"))
    assert utc == epoch("2025-03-09 07:30:00")
    assert NEW_YORK.to_server(utc) == epoch("2025-03-09 10:30:00")


@given(rule=RULES, utc=EPOCHS)
def test_every_instant_agrees_with_the_zone_database(rule: str, utc: int) -> None:
    assert ServerClock.parse(rule).to_server(utc) - utc == expected_offset(rule, utc)


@given(rule=RULES, utc=EPOCHS)
def test_going_there_and_back_changes_only_the_second_reading_of_a_repeated_hour(rule: str, utc: int) -> None:
    clock = ServerClock.parse(rule)
    back = clock.to_utc(clock.to_server(utc))
    assert clock.to_server(back) == clock.to_server(utc)
    assert back == utc or 0 < utc - back <= 3600


@given(rule=RULES, utc=st.lists(EPOCHS, min_size=1, max_size=30))
def test_arrays_give_what_single_numbers_give(rule: str, utc: list[int]) -> None:
    clock = ServerClock.parse(rule)
    times = np.array(utc, dtype=np.int64)
    server = clock.to_server(times)
    assert server.dtype == np.int64
    assert server.tolist() == [clock.to_server(value) for value in utc]
    assert clock.to_utc(server).tolist() == [clock.to_utc(int(value)) for value in server]


def test_around_every_change_of_a_century_second_by_second() -> None:
    for change, before, after in zip(NEW_YORK.changes, NEW_YORK.offsets, NEW_YORK.offsets[1:], strict=False):
        around = np.arange(change - 2, change + 2)
        assert (NEW_YORK.to_server(around) - around).tolist() == [before, before, after, after]


def test_milliseconds_and_datetimes() -> None:
    assert (
        NEW_YORK.to_server_ms(epoch("2025-07-15 12:00:00") * 1000 + 789)
        == epoch("2025-07-15 15:00:00") * 1000 + 789
    )
    assert (
        NEW_YORK.to_utc_ms(epoch("2025-07-15 15:00:00") * 1000 + 789)
        == epoch("2025-07-15 12:00:00") * 1000 + 789
    )
    assert NEW_YORK.utc_datetime(epoch("2025-07-15 15:00:00")) == datetime(2025, 7, 15, 12, tzinfo=UTC)


def test_shapes_are_kept() -> None:
    assert NEW_YORK.to_server(np.zeros((2, 3), dtype=np.int64)).shape == (2, 3)
    assert NEW_YORK.to_utc(np.zeros(0, dtype=np.int64)).shape == (0,)


@pytest.mark.parametrize(
    "rule", ["", "Mars/Base", "UTC+", "UTC+25", "UTC+2:99", "../etc/passwd", "America/New_York+", "+7"]
)
def test_what_is_no_rule_is_refused_with_its_text(rule: str) -> None:
    with pytest.raises(Invalid) as caught:
        ServerClock.parse(rule)
    assert repr(rule) in str(caught.value)


def test_clocks_of_one_rule_are_equal_and_travel() -> None:
    assert ServerClock.parse("UTC+2") == ServerClock.parse("UTC+2") != ServerClock.parse("UTC+3")
    copy = pickle.loads(pickle.dumps(NEW_YORK))  # noqa: S301 - our own bytes
    assert copy == NEW_YORK
    assert hash(copy) == hash(NEW_YORK)
