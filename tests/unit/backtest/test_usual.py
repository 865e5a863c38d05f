"""What is usual at each midnight: the kernel's tables are those that live evaluation fixes for that day."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.compiling import compiled
from backend.backtest.kernel.usual import first_from
from backend.backtest.model import Stream
from backend.backtest.usual import usual_of
from backend.core.bars import Bars
from backend.core.timeframes import DAY_SECONDS, Timeframe
from backend.evaluation.indicators import atr
from backend.evaluation.statistics import atr_bins, profile_statistics
from backend.strategies.model import Profile
from tests.fakes.backtests import strategy
from tests.fakes.instruments import instrument

MONDAY = 1_704_067_200
PERIOD = 14


def bars_with_gaps(seed: int, *, days: int, timeframe: Timeframe) -> Bars:
    """Random bars; single ones, whole nights and weekends are missing."""
    random = np.random.default_rng(seed)
    grid = MONDAY + np.arange(0, days * DAY_SECONDS, timeframe.seconds)
    there = random.random(len(grid)) > 0.1
    there &= (grid // DAY_SECONDS + 3) % 7 < 5
    for night in random.integers(0, days, 5):
        there &= grid // DAY_SECONDS != MONDAY // DAY_SECONDS + night
    server = grid[there]
    count = len(server)
    close = 1.1 * np.exp(np.cumsum(random.normal(0, 2e-4 * (1 + np.arange(count) % 97), count)))
    open_ = np.concatenate(([1.1], close[:-1]))
    wick = random.exponential(3e-4, count)
    return Bars(
        symbol="EURUSD",
        timeframe=timeframe,
        time=server - 7200,
        server_time=server,
        open=open_,
        high=np.maximum(open_, close) + wick,
        low=np.minimum(open_, close) - wick,
        close=close,
        volume=np.ones(count, dtype=np.int64),
        spread=random.choice([0, 7, 8, 9, 300, 301, 5000], count).astype(np.int64),
    )


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H4])
def test_the_tables_of_each_day_are_those_that_live_evaluation_fixes(timeframe: Timeframe) -> None:
    bars = bars_with_gaps(3, days=430, timeframe=timeframe)
    ranges = atr(bars.high, bars.low, bars.close, PERIOD)
    stream = Stream(
        strategy=strategy(timeframe=timeframe),
        profile=Profile(symbol="EURUSD"),
        instrument=instrument("EURUSD"),
        bars=bars,
    )
    found = usual_of(stream, ranges)
    for row in range(0, len(found.medians), 17):
        midnight = (found.first_day + row) * DAY_SECONDS
        live = profile_statistics(bars, PERIOD, midnight)
        for hour in range(24):
            median, samples = live.spread(midnight + hour * 3600)
            told = found.medians[row, hour]
            assert (None if math.isnan(told) else told, found.samples[row, hour]) == (median, samples)
        assert found.below[row, -1] == live.atr_count
        if not live.atr_count:
            continue
        for value in ranges[PERIOD::211]:
            place = int(atr_bins(np.array([value]))[0]) - found.lowest
            below, through = found.below[row, place], found.below[row, place + 1]
            assert (below + (through - below) / 2) / live.atr_count == live.atr_rank(float(value))


@given(
    st.lists(st.sampled_from([1, 2, 60, 61, 119, 3600, 86_400 * 3]), min_size=1, max_size=60),
    st.sampled_from([1, 60, 900]),
    st.data(),
)
def test_the_first_bar_from_an_instant_on_is_found_whatever_is_missing(
    steps: list[int], seconds: int, data: st.DataObject
) -> None:
    opens = np.array(list(itertools.accumulate(steps)), dtype=np.int64)
    at = data.draw(st.integers(0, len(opens)))
    instant = data.draw(st.integers(-5, int(opens[-1]) + 5) | st.sampled_from(opens.tolist()))
    expected = next((i for i in range(at, len(opens)) if opens[i] >= instant), len(opens))
    assert compiled(first_from)(opens, seconds, at, instant) == expected


def test_an_hour_that_the_clock_shows_twice_is_before_what_follows_it() -> None:
    first = np.arange(0, 7200, 60)
    opens = np.concatenate((first, first[60:], np.arange(7200, 10_800, 60)))
    assert compiled(first_from)(opens, 60, 0, 7200) == 180
