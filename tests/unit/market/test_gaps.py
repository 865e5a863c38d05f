from datetime import UTC, datetime, timedelta

import pytest

from backend.core.bars import empty_bars
from backend.core.clock import iso
from backend.core.timeframes import Timeframe
from backend.market.gaps import coverage_percent, find_gaps
from backend.mt5.server_time import ServerClock
from tests.fakes.bars import bars_at

UTC_CLOCK = ServerClock.parse("UTC")
MONDAY = datetime(2025, 1, 6, tzinfo=UTC)


def trading_hours(weeks: int, *, first_hour: int = 1) -> list[datetime]:
    """Hours from Monday to Friday; the first of each day is a break."""
    every = [MONDAY + timedelta(hours=hour) for hour in range(weeks * 7 * 24)]
    return [moment for moment in every if moment.weekday() < 5 and moment.hour >= first_hour]


@pytest.mark.parametrize("weeks", [1, 3, 8])
def test_weekends_and_daily_breaks_are_no_gaps(weeks: int) -> None:
    bars = bars_at(trading_hours(weeks))
    assert find_gaps(bars, UTC_CLOCK) == []
    assert coverage_percent(bars) == 100.0


@pytest.mark.parametrize("weeks", [2, 8])
def test_missing_bars_inside_are_told_from_to_and_how_many(weeks: int) -> None:
    missing = {MONDAY + timedelta(days=1, hours=hour) for hour in (10, 11, 12)}
    missing.add(MONDAY + timedelta(days=2, hours=20))
    opens = [moment for moment in trading_hours(weeks) if moment not in missing]
    bars = bars_at(opens)
    assert [gap.as_dict() for gap in find_gaps(bars, UTC_CLOCK)] == [
        {"from": "2025-01-07T10:00:00Z", "to": "2025-01-07T13:00:00Z", "count": 3},
        {"from": "2025-01-08T20:00:00Z", "to": "2025-01-08T21:00:00Z", "count": 1},
    ]
    assert coverage_percent(bars) == pytest.approx(100 * len(opens) / (len(opens) + 4))


def test_a_gap_over_a_break_is_one_gap_of_the_bars_that_were_expected() -> None:
    """From Friday 22:00 to Monday 03:00 are 2 hours of Friday and 2 of Monday (01:00 and 02:00)."""
    begin, end = MONDAY + timedelta(days=4, hours=22), MONDAY + timedelta(days=7, hours=3)
    bars = bars_at([moment for moment in trading_hours(8) if not begin <= moment < end])
    [gap] = find_gaps(bars, UTC_CLOCK)
    assert (iso(gap.start), iso(gap.end), gap.count) == ("2025-01-10T22:00:00Z", "2025-01-13T03:00:00Z", 4)


def test_a_symbol_that_trades_at_weekends_has_gaps_there() -> None:
    every = [MONDAY + timedelta(hours=hour) for hour in range(6 * 7 * 24)]
    lost = MONDAY + timedelta(days=12, hours=5)  # a Saturday
    [gap] = find_gaps(bars_at([moment for moment in every if moment != lost]), UTC_CLOCK)
    assert gap.start == lost


def test_a_missing_holiday_is_told() -> None:
    holiday = (MONDAY + timedelta(days=16)).date()
    bars = bars_at([moment for moment in trading_hours(8) if moment.date() != holiday])
    assert [gap.count for gap in find_gaps(bars, UTC_CLOCK)] == [23]


def test_months_and_weeks_are_expected_always() -> None:
    opens = [datetime(2025, month, 1, tzinfo=UTC) for month in (1, 2, 5)]
    [gap] = find_gaps(bars_at(opens, timeframe=Timeframe.MN1), UTC_CLOCK)
    assert (iso(gap.start), iso(gap.end), gap.count) == ("2025-03-01T00:00:00Z", "2025-05-01T00:00:00Z", 2)
    sundays = [datetime(2025, 1, 5, tzinfo=UTC) + timedelta(weeks=week) for week in (0, 1, 3)]
    assert [gap.count for gap in find_gaps(bars_at(sundays, timeframe=Timeframe.W1), UTC_CLOCK)] == [1]


def test_times_are_utc_where_the_broker_s_are_not() -> None:
    clock = ServerClock.parse("UTC+2")
    lost = MONDAY + timedelta(days=3, hours=9)
    bars = bars_at([moment for moment in trading_hours(6, first_hour=0) if moment != lost], clock=clock)
    [gap] = find_gaps(bars, clock)
    assert gap.start == lost


def test_nothing_has_no_gaps_and_no_coverage() -> None:
    assert find_gaps(empty_bars("EURUSD", Timeframe.H1), UTC_CLOCK) == []
    assert coverage_percent(empty_bars("EURUSD", Timeframe.H1)) is None
    assert coverage_percent(bars_at([MONDAY])) == 100.0
