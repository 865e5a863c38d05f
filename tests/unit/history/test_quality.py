"""What is said of bars: gaps, outliers, weekend, costs, and the word for all of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from backend.core.bars import Bars
from backend.history.quality import describe, find_outliers
from backend.mt5.server_time import ServerClock
from tests.fakes.bars import UTC_CLOCK, bars_at

MONDAY = datetime(2024, 3, 4, tzinfo=UTC)


def hours(count: int = 24 * 5 * 8) -> Bars:
    """Hours of whole weeks from Monday to Friday, UTC."""
    moments = [MONDAY + timedelta(hours=hour) for hour in range(count * 7 // 5)]
    return bars_at([moment for moment in moments if moment.weekday() < 5][:count])


def page_of(bars: Bars, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"asks": None, "digits": 5, "zone": "UTC", "clock": UTC_CLOCK} | changes
    return describe(bars, **given)


def without(bars: Bars, start: int, count: int) -> Bars:
    keep = np.ones(len(bars), dtype=np.bool_)
    keep[start : start + count] = False
    names = ("time", "server_time", "open", "high", "low", "close", "volume", "spread")
    columns = {name: getattr(bars, name)[keep] for name in names}
    return Bars(symbol=bars.symbol, timeframe=bars.timeframe, **columns)


def test_missing_bars_are_counted_and_the_longest_gap_comes_first() -> None:
    bars = without(without(hours(), 500, 30), 100, 3)
    page = page_of(bars)
    assert (page["missing"], page["gaps"]) == (33, 2)
    assert [gap["count"] for gap in page["longest_gaps"]] == [30, 3]
    assert page["coverage_percent"] == round(100 * 927 / 960, 3)
    assert any("33 missing in 2 gaps" in line for line in page["trust"])


def test_a_spike_that_came_back_is_an_outlier_and_stays() -> None:
    bars = hours()
    high = bars.high.copy()
    high[321] += 0.05
    bars = replace(bars, high=high)
    (found,) = find_outliers(bars)
    assert (found["kind"], found["time"]) == ("spike", bars.opened(321).isoformat().replace("+00:00", "Z"))
    assert bars.high[321] == high[321]


def test_a_jump_between_neighbours_is_an_outlier_and_a_weekend_gap_is_not() -> None:
    bars = hours()
    level = np.where(np.arange(len(bars)) >= 321, 0.05, 0.0)  # from one hour to the next
    level += np.where(np.arange(len(bars)) >= 240, 0.05, 0.0)  # over a weekend
    four = {name: getattr(bars, name) + level for name in ("open", "high", "low", "close")}
    assert [one["kind"] for one in find_outliers(replace(bars, **four))] == ["jump"]
    assert find_outliers(bars) == []


def test_what_is_not_known_is_said_and_not_shown_as_zero() -> None:
    none = np.zeros(960, dtype=np.int64)
    page = page_of(replace(hours(), spread=none, volume=none))
    assert page["median_spread_points"] is None
    assert any("neither asks nor spreads are known" in line for line in page["trust"])
    assert any("Volume is unknown" in line for line in page["trust"])
    assert page["verdict"] == "usable"


def test_asks_count_where_bids_have_one() -> None:
    bars = hours()
    page = page_of(bars, asks=bars[:480])
    assert page["ask_percent"] == 50.0


def test_no_bars_are_doubtful() -> None:
    page = page_of(hours()[:0])
    assert (page["bars"], page["first"], page["coverage_percent"], page["verdict"]) == (
        0,
        None,
        None,
        "doubtful",
    )


def test_many_missing_bars_are_doubtful() -> None:
    clock = ServerClock.parse("UTC")
    assert page_of(without(hours(), 100, 300), clock=clock)["verdict"] == "doubtful"
