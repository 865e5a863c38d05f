"""Does the week open at one time in New York all year? Only then was the stated zone the right one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.history.daylight import check_daylight
from backend.mt5.server_time import ServerClock
from tests.fakes.bars import bars_at

NEW_YORK = ZoneInfo("America/New_York")


def market(weeks: int, *, opens: int = 17, first: datetime = datetime(2023, 1, 1, tzinfo=UTC)) -> Bars:
    """Hours as they truly were: from Sunday's open in New York to Friday 17:00."""
    moments = []
    for week in range(weeks):
        sunday = (first + timedelta(weeks=week)).replace(tzinfo=NEW_YORK, hour=opens)
        friday = sunday.replace(hour=17) + timedelta(days=5)
        start, end = sunday.astimezone(UTC), friday.astimezone(UTC)
        moments += [
            start + timedelta(hours=hour) for hour in range(int((end - start).total_seconds()) // 3600)
        ]
    return bars_at(moments)


def misread(bars: Bars, *, true: str, stated: str) -> Bars:
    """The bars as they come out if a file in the one zone is read as if it were in the other."""
    shown = ServerClock.parse(true).to_server(bars.time)
    moments = np.unique(ServerClock.parse(stated).to_utc(shown))
    return bars_at([datetime.fromtimestamp(int(moment), UTC) for moment in moments])


@pytest.mark.parametrize("zone", ["UTC", "America/New_York+7", "EET"])
@pytest.mark.parametrize("opens", [17, 18])
def test_the_right_zone_agrees(zone: str, opens: int) -> None:
    found = check_daylight(market(52, opens=opens), zone)
    assert found.verdict == "agrees"
    assert set(found.opens.values()) == {f"{opens}:00"}


@pytest.mark.parametrize(
    ("true", "stated"),
    [
        ("America/New_York+7", "UTC+2"),  # summer time was forgotten
        ("UTC+2", "America/New_York+7"),  # summer time that the file never had
        ("America/New_York+7", "EET"),  # Europe's days instead of America's: a few weeks a year
        ("EET", "America/New_York+7"),
        ("America/New_York", "Etc/GMT+5"),
        ("Etc/GMT+5", "America/New_York"),
    ],
)
def test_a_wrong_zone_is_seen_and_the_right_one_is_named(true: str, stated: str) -> None:
    found = check_daylight(misread(market(104), true=true, stated=stated), stated)
    assert found.verdict == "disagrees"
    assert true in found.better
    assert "moves in New York" in found.said


def test_half_a_year_cannot_tell() -> None:
    assert check_daylight(market(8), "UTC").verdict == "unknown"
    assert check_daylight(market(0), "UTC").verdict == "unknown"


def test_days_cannot_tell() -> None:
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(400)]
    assert check_daylight(bars_at(days, timeframe=Timeframe.D1), "UTC").verdict == "unknown"
