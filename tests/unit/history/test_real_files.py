"""Real files, imported with their reports: what they are known to hold, and where they are weak."""

from pathlib import Path

import numpy as np
import pytest

from backend.core.bars import plausible_prices
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.history.pieces import Choices
from tests.unit.history.desk import import_into, stored, stored_asks

pytestmark = pytest.mark.market_data


def test_the_pound_s_export_is_in_broker_time_and_points(tmp_path: Path, market_data: Path) -> None:
    file = market_data / "ejtrader" / "GBPUSDh1.csv"
    with pytest.raises(Invalid, match="does not state its time zone"):
        import_into(tmp_path, file)
    (page,) = import_into(tmp_path, file, choices=Choices(clock="server"))
    bars = stored(tmp_path, "GBPUSD", Timeframe.H1)
    assert len(bars) == page["bid"]["added"] == 57_600
    assert page["notes"] == ["prices were in points: divided by 100,000"]
    assert page["mended"] == {"float_noise": 21_093}
    assert (bars.open[0], bars.close[-1]) == (1.58611, 1.32331)
    assert bars.opened(0).isoformat() == "2012-11-16T03:00:00+00:00"
    assert plausible_prices(bars).all()
    assert page["quality"]["daylight"]["verdict"] == "agrees"
    assert set(page["quality"]["daylight"]["opens_new_york"].values()) == {"17:00"}
    assert page["quality"]["coverage_percent"] > 98


@pytest.mark.parametrize("stated", ["UTC", "UTC+2", "EET"])
def test_the_pound_read_in_another_zone_is_found_out(tmp_path: Path, market_data: Path, stated: str) -> None:
    file = market_data / "ejtrader" / "GBPUSDh1.csv"
    (page,) = import_into(tmp_path, file, choices=Choices(clock=stated))
    found = page["quality"]["daylight"]
    assert (page["quality"]["verdict"], found["verdict"]) == ("doubtful", "disagrees")
    assert "America/New_York+7" in found["better"] or stated == "UTC"


def test_twelve_years_of_the_euro_with_asks(tmp_path: Path, market_data: Path) -> None:
    (page,) = import_into(tmp_path, market_data / "lean" / "hour" / "eurusd.zip")
    bars, asks = stored(tmp_path, frame=Timeframe.H1), stored_asks(tmp_path, frame=Timeframe.H1)
    assert page["files"][0]["rows"] == 74_439
    assert np.array_equal(bars.time, asks.time)
    assert (asks.open >= bars.open).all()
    assert page["quality"]["ask_percent"] == 100.0
    assert page["quality"]["daylight"]["verdict"] == "agrees"
    again = import_into(tmp_path, market_data / "lean" / "hour" / "eurusd.zip")[0]
    assert (again["bid"]["added"], again["ask"]["added"]) == (0, 0)


def test_gold_whose_weeks_open_by_another_clock_is_doubtful(tmp_path: Path, market_data: Path) -> None:
    (page,) = import_into(tmp_path, market_data / "lean" / "hour" / "xauusd.zip")
    assert page["files"][0]["rows"] == 76_499
    assert page["mended"]["weekend_flats"] > 0
    assert page["quality"]["daylight"]["verdict"] == "disagrees"
    assert page["quality"]["verdict"] == "doubtful"


def test_minutes_of_two_weeks_and_the_payrolls_in_them(tmp_path: Path, market_data: Path) -> None:
    pages = import_into(tmp_path, market_data / "lean" / "minute")
    assert [(page["symbol"], page["timeframe"]) for page in pages] == [("EURUSD", "M1"), ("XAUUSD", "M1")]
    bars = stored(tmp_path)
    spike = int(np.searchsorted(bars.time, 1_399_033_800))  # 2014-05-02 12:30 UTC
    ranges = bars.high - bars.low
    assert ranges[spike] == ranges[max(0, spike - 700) : spike + 500].max()


def test_ticks_make_the_minutes_that_came_with_them(tmp_path: Path, market_data: Path) -> None:
    import_into(tmp_path / "m", market_data / "lean" / "minute" / "eurusd" / "20140502_quote.zip")
    import_into(tmp_path / "t", market_data / "lean" / "tick" / "eurusd" / "20140502_quote.zip")
    given, made = stored(tmp_path / "m"), stored(tmp_path / "t")
    assert np.array_equal(given.time, made.time)
    for name in ("open", "high", "low", "close"):
        assert np.array_equal(getattr(given, name), getattr(made, name))
    assert made.volume.sum() == 49_341
