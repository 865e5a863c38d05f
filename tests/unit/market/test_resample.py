from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.clock import iso
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.market.resample import divides, resample
from backend.mt5.server_time import ServerClock
from tests.fakes.bars import bars_at

NEW_YORK = ServerClock.parse("America/New_York+7")
FIRST = datetime(2025, 1, 6, 22, tzinfo=UTC)  # Tuesday 00:00 at the server, which is two hours ahead


def hours(*steps: int, timeframe: Timeframe = Timeframe.H1) -> Bars:
    length = timedelta(seconds=timeframe.seconds)
    return bars_at([FIRST + step * length for step in steps], timeframe=timeframe, clock=NEW_YORK)


def opens(bars: Bars) -> list[str]:
    return [iso(bars.opened(place)) for place in range(len(bars))]


def test_four_hours_worked_by_hand() -> None:
    short = hours(*range(8))
    long = resample(short, Timeframe.H4, NEW_YORK)
    assert opens(long) == ["2025-01-06T22:00:00Z", "2025-01-07T02:00:00Z"]
    assert long.server_time.tolist() == [
        int(datetime(2025, 1, 7, hour, tzinfo=UTC).timestamp()) for hour in (0, 4)
    ]
    assert long.open.tolist() == [short.open[0], short.open[4]]
    assert long.close.tolist() == [short.close[3], short.close[7]]
    assert long.high.tolist() == [short.high[3], short.high[7]]  # prices rise
    assert long.low.tolist() == [short.low[0], short.low[4]]
    assert long.volume.tolist() == [40, 40]
    assert long.spread.tolist() == [3, 3]


def test_a_bar_whose_end_is_not_known_is_left_out() -> None:
    assert len(resample(hours(0, 1, 2), Timeframe.H4, NEW_YORK)) == 0
    # one bar after its end closes it
    assert opens(resample(hours(0, 1, 2, 4), Timeframe.H4, NEW_YORK)) == ["2025-01-06T22:00:00Z"]
    # so does knowing that these are all there are until then
    end = FIRST + timedelta(hours=4)
    assert len(resample(hours(0, 1, 2), Timeframe.H4, NEW_YORK, until=end)) == 1
    assert len(resample(hours(0, 1, 2), Timeframe.H4, NEW_YORK, until=end - timedelta(seconds=1))) == 0


def test_a_bar_whose_beginning_is_not_known_is_left_out() -> None:
    assert opens(resample(hours(1, 2, 3, 4, 5, 6, 7), Timeframe.H4, NEW_YORK)) == ["2025-01-07T02:00:00Z"]


def test_bars_missing_inside_do_not_hold_a_bar_back() -> None:
    long = resample(hours(0, 5, 12), Timeframe.H4, NEW_YORK)
    assert opens(long) == [
        "2025-01-06T22:00:00Z",
        "2025-01-07T02:00:00Z",
    ]  # none for 06:00, and 10:00 is open
    assert long.volume.tolist() == [10, 10]


def test_a_day_begins_at_the_broker_s_midnight_on_both_sides_of_a_clock_change() -> None:
    """New York puts its clocks forward on 9 March 2025: the server goes from UTC+2 to UTC+3."""
    first = datetime(2025, 3, 6, 22, tzinfo=UTC)
    moments = [first + timedelta(hours=hour) for hour in range(24)]  # Friday of the server
    moments += [datetime(2025, 3, 9, 21, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24)]  # Monday
    days = resample(bars_at(moments, clock=NEW_YORK), Timeframe.D1, NEW_YORK)
    assert opens(days) == ["2025-03-06T22:00:00Z", "2025-03-09T21:00:00Z"]
    assert [datetime.fromtimestamp(int(t), UTC).hour for t in days.server_time] == [0, 0]


def test_a_week_begins_on_sunday_and_a_month_on_its_first() -> None:
    moments = [datetime(2024, 12, 31, 22, tzinfo=UTC) + timedelta(days=day) for day in range(45)]
    days = bars_at(moments, timeframe=Timeframe.D1, clock=NEW_YORK)  # 1 January to 14 February of the server
    weeks = resample(days, Timeframe.W1, NEW_YORK)
    assert {(t // 86_400 + 4) % 7 for t in weeks.server_time.tolist()} == {0}
    assert iso(weeks.opened(0)) == "2025-01-04T22:00:00Z"  # the week from 29 December lacks its beginning
    months = resample(days, Timeframe.MN1, NEW_YORK)
    assert opens(months) == ["2024-12-31T22:00:00Z"]
    assert months.close[0] == days.close[30]


def test_an_unknown_spread_does_not_hide_a_known_one() -> None:
    short = hours(*range(8))
    short.spread[:] = [0, 4, 2, 9, 0, 0, 0, 0]
    assert resample(short, Timeframe.H4, NEW_YORK).spread.tolist() == [2, 0]


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_every_timeframe_can_be_made_of_minutes(timeframe: Timeframe) -> None:
    minutes = bars_at(
        [FIRST + timedelta(minutes=step) for step in range(3 * 1440)],
        timeframe=Timeframe.M1,
        clock=NEW_YORK,
    )
    long = resample(minutes, timeframe, NEW_YORK)
    if timeframe in {Timeframe.W1, Timeframe.MN1}:
        assert len(long) == 0  # three days end neither
        return
    assert len(long) == 3 * 86_400 // timeframe.seconds
    assert long.volume.sum() == minutes.volume.sum()
    assert np.array_equal(long.close[-1:], minutes.close[-1:])


@pytest.mark.parametrize(
    ("short", "long", "whole"),
    [
        (Timeframe.M4, Timeframe.M10, False),
        (Timeframe.M10, Timeframe.M15, False),
        (Timeframe.H1, Timeframe.M30, False),
        (Timeframe.W1, Timeframe.MN1, False),
        (Timeframe.D1, Timeframe.MN1, True),
        (Timeframe.H8, Timeframe.D1, True),
        (Timeframe.H1, Timeframe.H1, False),
    ],
)
def test_only_whole_bars_make_a_longer_one(short: Timeframe, long: Timeframe, whole: bool) -> None:
    assert divides(short, long) is whole


def test_what_cannot_be_made_is_refused_and_the_same_is_the_same() -> None:
    bars = hours(0, 1)
    assert resample(bars, Timeframe.H1, NEW_YORK) is bars
    with pytest.raises(Invalid) as refused:
        resample(bars, Timeframe.M30, NEW_YORK)
    assert refused.value.code == "bad_resample"
