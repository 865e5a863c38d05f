"""The seeded market: the same everywhere, closed when it is closed, alive when it is open."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import NotFound
from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.simulator.columns import Columns
from backend.simulator.market import SyntheticMarket
from backend.simulator.symbols import SYMBOLS, SymbolSpec

MARKET = SyntheticMarket(7)
CLOCK = ServerClock.parse("America/New_York+7")
PRESENT = int(datetime(2025, 11, 19, 16, 33, 20, tzinfo=UTC).timestamp())  # server time, a Wednesday
DAY = 86_400
ROOT = Path(__file__).parents[3]


def at(text: str) -> int:
    """Server epoch of a server wall clock."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def bars(
    symbol: str, timeframe: Timeframe, first: int, last: int, *, market: SyntheticMarket = MARKET
) -> Columns:
    return market.rates(symbol, timeframe, first, last, PRESENT * 1000)


def digest(market: SyntheticMarket) -> str:
    total = hashlib.sha256()
    for spec in market.symbols():
        total.update(bars(spec.name, Timeframe.M5, PRESENT - DAY, PRESENT, market=market).records().tobytes())
        total.update(
            bars(spec.name, Timeframe.H4, PRESENT - 30 * DAY, PRESENT, market=market).records().tobytes()
        )
        total.update(
            market.ticks(spec.name, PRESENT * 1000 - 600_000, PRESENT * 1000, PRESENT * 1000).tobytes()
        )
    return total.hexdigest()


def test_another_process_sees_the_same_history() -> None:
    code = (
        "from tests.unit.simulator.test_synthetic_market import digest, SyntheticMarket;"
        "print(digest(SyntheticMarket(7)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert other.stdout.strip() == digest(MARKET)


def test_another_seed_is_another_market() -> None:
    assert digest(SyntheticMarket(8)) != digest(MARKET)


def test_the_order_and_size_of_questions_does_not_matter() -> None:
    whole = bars("EURUSD", Timeframe.M1, PRESENT - 3 * DAY, PRESENT - 1)
    fresh = SyntheticMarket(7)
    for start in (PRESENT - 10_000, PRESENT - 2 * DAY, PRESENT - 100_000):
        part = fresh.rates("EURUSD", Timeframe.M1, start, start + 7_000, PRESENT * 1000)
        np.testing.assert_array_equal(part.records(), whole.between(start, start + 7_000).records())


def test_history_does_not_change_as_time_goes_on() -> None:
    first, last = PRESENT - 40 * DAY, PRESENT - 30 * DAY
    then = MARKET.rates("USDJPY", Timeframe.H1, first, last, (PRESENT - 20 * DAY) * 1000)
    now = MARKET.rates("USDJPY", Timeframe.H1, first, last, PRESENT * 1000)
    np.testing.assert_array_equal(then.records(), now.records())


def test_two_years_back_there_are_prices() -> None:
    for spec in SYMBOLS:
        found = bars(spec.name, Timeframe.H1, PRESENT - 730 * DAY, PRESENT - 728 * DAY)
        assert len(found) > 20


@pytest.mark.parametrize("spec", SYMBOLS, ids=lambda spec: spec.name)
def test_bars_are_possible_and_on_the_tick(spec: SymbolSpec) -> None:
    found = bars(spec.name, Timeframe.M1, PRESENT - 2 * DAY, PRESENT)
    assert (found.low <= np.minimum(found.open, found.close)).all()
    assert (found.high >= np.maximum(found.open, found.close)).all()
    assert (found.low > 0).all()
    assert (found.volume >= 1).all()
    assert (found.spread >= 1).all()
    for side in (found.open, found.high, found.low, found.close):
        np.testing.assert_array_equal(side, np.round(side, spec.digits))


@pytest.mark.parametrize("symbol", ["EURUSD", "XAUUSD", "US30"])
@pytest.mark.parametrize(
    "timeframe", [each for each in Timeframe if each not in {Timeframe.M1, Timeframe.MN1}]
)
def test_longer_bars_are_their_minutes(symbol: str, timeframe: Timeframe) -> None:
    first = at("2025-10-26 00:00")  # a Sunday: a week's bar begins, New York's clock changes on 2 November
    long = bars(symbol, timeframe, first, first + 14 * DAY - 1)
    short = bars(symbol, Timeframe.M1, first, first + 14 * DAY - 1)
    assert long.volume.sum() == short.volume.sum()
    for place in (0, len(long) // 2, len(long) - 1):
        begin = int(long.time[place])
        inside = short.between(begin, begin + timeframe.seconds - 1)
        assert long.open[place] == inside.open[0]
        assert long.close[place] == inside.close[-1]
        assert long.high[place] == inside.high.max()
        assert long.low[place] == inside.low.min()
        assert long.spread[place] == inside.spread.min()


def test_a_minute_s_ticks_touch_its_four_prices() -> None:
    first = PRESENT - 3600
    minutes = bars("GBPUSD", Timeframe.M1, first, PRESENT - 60)
    for place in range(len(minutes)):
        begin = int(minutes.time[place]) * 1000
        ticks = MARKET.ticks("GBPUSD", begin, begin + 59_999, PRESENT * 1000)
        assert len(ticks) == minutes.volume[place]
        assert ticks["bid"][0] == minutes.open[place]
        assert ticks["bid"][-1] == minutes.close[place]
        assert ticks["bid"].max() == minutes.high[place]
        assert ticks["bid"].min() == minutes.low[place]
        assert (np.diff(ticks["time_msc"]) > 0).all()
        spreads = np.rint((ticks["ask"] - ticks["bid"]) * 100_000)
        assert spreads.min() == minutes.spread[place]


@given(seconds=st.integers(0, 5 * DAY), ms=st.integers(0, 999))
def test_the_quote_is_the_last_tick_and_the_forming_bar_ends_in_it(seconds: int, ms: int) -> None:
    moment = (at("2025-11-17 00:30") + seconds) * 1000 + ms
    quote = MARKET.quote("EURUSD", moment)
    assert len(quote) == 1
    assert quote["time_msc"][0] <= moment
    forming = MARKET.rates("EURUSD", Timeframe.M15, moment // 1000 - 7200, moment // 1000, moment)
    assert forming.close[-1] == quote["bid"][0]
    assert forming.time[-1] <= moment // 1000


def test_nothing_of_the_future_is_seen() -> None:
    moment = PRESENT * 1000
    for timeframe in (Timeframe.M1, Timeframe.M15, Timeframe.H1, Timeframe.D1):
        found = MARKET.rates("EURUSD", timeframe, PRESENT - DAY, PRESENT + 30 * DAY, moment)
        assert found.time[-1] <= PRESENT
        ticks = MARKET.ticks("EURUSD", int(found.time[-1]) * 1000, moment + DAY, moment)
        assert ticks["time_msc"][-1] <= moment
        # The forming bar is what has been so far, not what will be.
        assert found.high[-1] == ticks["bid"].max()
        assert found.low[-1] == ticks["bid"].min()


def test_weekends_have_no_ticks_and_no_bars() -> None:
    friday, monday = at("2025-11-14 23:55"), at("2025-11-17 00:05")
    assert len(bars("EURUSD", Timeframe.M1, friday, monday - 1)) == 0
    assert len(MARKET.ticks("EURUSD", friday * 1000, monday * 1000 - 1, PRESENT * 1000)) == 0
    saturday = at("2025-11-15 12:00") * 1000
    assert not MARKET.is_open("EURUSD", saturday)
    quote = MARKET.quote("EURUSD", saturday)
    assert at("2025-11-14 23:54") <= quote["time"][0] < friday
    # Sunday has no daily bar: the week's five are Monday to Friday.
    days = bars("EURUSD", Timeframe.D1, at("2025-11-09 00:00"), at("2025-11-15 23:59"))
    assert [datetime.fromtimestamp(int(t), UTC).weekday() for t in days.time] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("symbol", "text", "is_open"),
    [
        ("EURUSD", "2025-11-18 00:04", False),
        ("EURUSD", "2025-11-18 00:05", True),
        ("EURUSD", "2025-11-18 23:59", True),
        ("EURUSD", "2025-11-14 23:54", True),
        ("EURUSD", "2025-11-14 23:55", False),
        ("XAUUSD", "2025-11-18 00:30", False),
        ("XAUUSD", "2025-11-18 01:00", True),
        ("US30", "2025-11-18 23:20", False),
        ("US30", "2025-11-18 23:30", True),
    ],
)
def test_sessions(symbol: str, text: str, is_open: bool) -> None:
    assert MARKET.is_open(symbol, at(text) * 1000) is is_open
    assert bool(len(bars(symbol, Timeframe.M1, at(text), at(text)))) is is_open


@pytest.mark.parametrize("change", ["2025-03-09", "2025-11-02"])
def test_weeks_in_which_new_york_changes_its_clock_are_whole(change: str) -> None:
    monday = at(f"{change} 00:00") + DAY
    week = bars("EURUSD", Timeframe.H1, monday, monday + 5 * DAY - 1)
    assert len(week) == 5 * 24
    # In UTC the week still begins at 17:00 in New York on Sunday: 21:00 in summer, 22:00 in winter.
    begins = datetime.fromtimestamp(int(CLOCK.to_utc(week.time)[0]), UTC)
    assert begins.hour == (21 if change == "2025-03-09" else 22)


def test_spread_widens_around_the_server_s_midnight() -> None:
    night = bars("EURUSD", Timeframe.M1, at("2025-11-18 23:55"), at("2025-11-19 00:14"))
    noon = bars("EURUSD", Timeframe.M1, at("2025-11-18 12:00"), at("2025-11-18 14:00"))
    usual = np.median(noon.spread)
    assert (night.spread >= 3.5 * usual).all()
    assert (night.spread <= 30 * usual).all()
    after = bars("EURUSD", Timeframe.M1, at("2025-11-19 00:15"), at("2025-11-19 00:40"))
    assert (after.spread < 2.5 * usual).all()


@pytest.mark.parametrize(
    ("symbol", "pip", "least", "most"),
    [("EURUSD", 0.0001, 9, 20), ("GBPUSD", 0.0001, 11, 28), ("USDJPY", 0.01, 14, 40), ("XAUUSD", 1.0, 4, 10)],
)
def test_an_hour_moves_as_much_as_real_ones_do(symbol: str, pip: float, least: float, most: float) -> None:
    year = bars(symbol, Timeframe.H1, PRESENT - 365 * DAY, PRESENT)
    assert least < float((year.high - year.low).mean()) / pip < most


def test_days_have_quiet_and_busy_hours() -> None:
    year = bars("EURUSD", Timeframe.H1, PRESENT - 365 * DAY, PRESENT)
    height = year.high - year.low
    hour = year.time // 3600 % 24
    assert height[hour == 16].mean() > 1.8 * height[hour == 3].mean()


def test_volatility_comes_in_clusters() -> None:
    days = bars("EURUSD", Timeframe.D1, PRESENT - 900 * DAY, PRESENT)
    height = np.log(days.high - days.low)
    height = height - height.mean()
    lag_one = float((height[1:] * height[:-1]).mean() / height.var())
    assert lag_one > 0.1


def test_figures_shake_prices_and_spreads() -> None:
    quarter = bars("EURUSD", Timeframe.M1, PRESENT - 90 * DAY, PRESENT)
    minute = quarter.time // 60 % 1440
    figures = quarter.spread[minute == 15 * 60 + 30]
    calm = np.median(quarter.spread[minute == 14 * 60])
    assert figures.max() >= 5 * calm
    height = quarter.high - quarter.low
    assert height[minute == 15 * 60 + 30].max() > 8 * np.median(height)


def test_weekends_leave_gaps() -> None:
    mondays = [at("2025-11-17 00:05") - 7 * DAY * week for week in range(60)]
    gaps = []
    for monday in mondays:
        before = MARKET.quote("EURUSD", (monday - 1) * 1000)["bid"][0]
        after = bars("EURUSD", Timeframe.M1, monday, monday).open[0]
        gaps.append(abs(after - before))
    assert 0.0003 < float(np.median(gaps)) < 0.004


def test_prices_stay_within_reason_for_decades() -> None:
    for spec in SYMBOLS:
        for year in range(2000, 2060, 3):
            moment = at(f"{year}-06-15 12:00") * 1000
            price = float(MARKET.quote(spec.name, moment)["bid"][0])
            assert 0.4 * spec.price < price < 2.5 * spec.price


def test_unknown_symbols_are_not_found() -> None:
    with pytest.raises(NotFound):
        MARKET.quote("NOPE", PRESENT * 1000)


def test_what_is_remembered_stays_small() -> None:
    market = SyntheticMarket(3)
    for symbol in ("EURUSD", "XAUUSD"):
        market.rates(symbol, Timeframe.D1, PRESENT - 1000 * DAY, PRESENT, PRESENT * 1000)
    weeks = list(market._weeks.values())
    held = sum(column.base is not None for week in weeks for column in (week.time, week.open, week.volume))
    assert held == 0  # no small part keeps a large array alive
    assert len(weeks) <= 2 * 145
    assert max(len(week) for week in weeks) <= 5 * 24 * 4
