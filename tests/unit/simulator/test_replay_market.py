"""A replay: its range, its closes, and nothing before its time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import NotFound
from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.simulator.build import build_replay
from backend.simulator.replay import ReplayMarket
from tests.unit.simulator.replay_data import wave, write_hours, write_minutes, write_ticks

UTC_CLOCK = ServerClock.parse("UTC")
NEW_YORK = ServerClock.parse("America/New_York+7")
TUESDAY = datetime(2024, 3, 5, tzinfo=UTC)
H1, M1, M15 = Timeframe.H1, Timeframe.M1, Timeframe.M15


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def stops(market: ReplayMarket, after: datetime, timeframes: Sequence[Timeframe], count: int) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        following = market.closes(after, timeframes)
        if following is None:
            break
        after = following
        found.append(f"{after:%d %H:%M:%S}")
    return found


def test_the_range_is_where_the_minutes_are(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=TUESDAY - timedelta(days=28), hours=24 * 40)
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=2)
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    assert market.range() == (TUESDAY, TUESDAY + timedelta(days=2, seconds=10))


def test_with_hours_alone_a_fifth_or_a_year_comes_first(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=TUESDAY, hours=100, weekends=True)
    first, last = ReplayMarket(tmp_path, UTC_CLOCK).range()
    assert (first, last) == (TUESDAY + timedelta(hours=20), TUESDAY + timedelta(hours=100, seconds=10))


def test_files_in_utc_come_to_the_server_s_clock(tmp_path: Path) -> None:
    # From 10 March 2024 New York is on summer time: UTC+3 instead of UTC+2 at the server.
    write_hours(tmp_path, "eurusd", first=datetime(2024, 3, 8, tzinfo=UTC), hours=4 * 24, weekends=False)
    market = ReplayMarket(tmp_path, NEW_YORK)
    time = market._files["EURUSD"].hours.bars.time
    assert datetime.fromtimestamp(int(time[0]), UTC) == datetime(2024, 3, 8, 2, tzinfo=UTC)
    assert datetime.fromtimestamp(int(time[24]), UTC) == datetime(2024, 3, 11, 3, tzinfo=UTC)
    np.testing.assert_array_equal(np.diff(NEW_YORK.to_utc(time))[:23], 3600)


def test_hours_before_the_minutes_are_history_and_inside_they_are_made_of_minutes(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=TUESDAY - timedelta(hours=5), hours=40)
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    present = ms(TUESDAY + timedelta(hours=3))
    bars = market.rates("EURUSD", H1, 1, present // 1000 - 1, present)
    assert len(bars) == 8
    assert bars.open[:5].tolist() == [1.1, 1.1001, 1.1002, 1.1003, 1.1004]  # from the hour file
    minutes = market.rates("EURUSD", M1, ms(TUESDAY) // 1000, ms(TUESDAY) // 1000 + 3599, present)
    assert bars.open[5] == minutes.open[0] == wave(0) / 100_000
    assert bars.close[5] == minutes.close[-1]
    assert bars.high[5] == minutes.high.max()


def test_closed_bars_never_change_and_the_forming_one_shows_only_its_open(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    end = market.rates("EURUSD", M15, 1, ms(TUESDAY) // 1000 + 86_399, ms(TUESDAY + timedelta(days=2)))
    for seconds in (900, 1800, 5400, 5460, 5519, 40_000):
        present = ms(TUESDAY) // 1000 + seconds
        seen = market.rates("EURUSD", M15, 1, present + 86_400, present * 1000)
        whole = seen[: int(np.searchsorted(seen.time + 900, present, side="right"))]
        np.testing.assert_array_equal(whole.records(), end[: len(whole)].records())
        minute = market.rates("EURUSD", M1, present - 60, present, present * 1000)
        # Only the open of the present minute is known.
        assert minute.open[-1] == minute.high[-1] == minute.low[-1] == minute.close[-1]
        assert seen.close[-1] == minute.open[-1]
        assert market.quote("EURUSD", present * 1000)["time"][0] <= present


def test_changing_the_future_changes_nothing_seen_before_it(tmp_path: Path) -> None:
    write_minutes(tmp_path / "a", "eurusd", first=TUESDAY, days=2)
    write_minutes(tmp_path / "b", "eurusd", first=TUESDAY, days=1)
    long, short = (ReplayMarket(tmp_path / name, UTC_CLOCK) for name in ("a", "b"))
    present = ms(TUESDAY + timedelta(hours=23, minutes=59, seconds=30))
    for timeframe in (M1, M15, H1, Timeframe.D1):
        seen, other = (market.rates("EURUSD", timeframe, 1, present, present) for market in (long, short))
        np.testing.assert_array_equal(seen.records(), other.records())
    ticks, expected = (market.ticks("EURUSD", 1, present, present) for market in (long, short))
    np.testing.assert_array_equal(ticks, expected)


def test_quotes_have_the_file_s_asks(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    quote = market.quote("EURUSD", ms(TUESDAY + timedelta(minutes=1)))
    # The second minute opens at wave(1); its asks are 8 + 1 % 3 = 9 points above.
    assert quote["bid"][0] == wave(1) / 100_000
    assert quote["ask"][0] == (wave(1) + 9) / 100_000
    bars = market.rates("EURUSD", M1, 1, ms(TUESDAY) // 1000 + 170, ms(TUESDAY + timedelta(minutes=5)))
    assert bars.spread.tolist() == [8, 9, 10]


def test_after_the_last_bar_before_a_weekend_the_close_is_the_quote(tmp_path: Path) -> None:
    friday = datetime(2024, 3, 8, tzinfo=UTC)
    write_minutes(tmp_path, "eurusd", first=friday, days=4)  # Friday and Monday
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    saturday = friday + timedelta(days=1, hours=5)
    quote = market.quote("EURUSD", ms(saturday))
    assert quote["time_msc"][0] == ms(friday + timedelta(days=1)) - 1
    assert quote["bid"][0] == wave(1440) / 100_000
    assert market.is_open("EURUSD", ms(friday + timedelta(hours=23, minutes=59, seconds=59)))
    assert not market.is_open("EURUSD", ms(saturday))
    # The next close of an hour passes over the weekend; Friday's last is settled after 10 s.
    late = friday + timedelta(hours=23)
    assert stops(market, late, [H1], 3) == ["09 00:00:10", "11 01:00:00", "11 02:00:00"]


def test_closes_are_those_of_every_timeframe_asked_for(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    assert stops(market, TUESDAY, [M15, H1], 5) == [
        "05 00:15:00",
        "05 00:30:00",
        "05 00:45:00",
        "05 01:00:00",
        "05 01:15:00",
    ]
    assert stops(market, TUESDAY + timedelta(hours=23), [H1, Timeframe.D1], 3) == ["06 00:00:10"]
    assert market.closes(TUESDAY + timedelta(days=1), [M1]) == TUESDAY + timedelta(days=1, seconds=10)
    assert market.closes(TUESDAY + timedelta(days=2), [M1]) is None
    assert market.closes(TUESDAY, []) is None


def test_real_ticks_replace_what_bars_tell_of_theirs(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    write_ticks(
        tmp_path,
        "eurusd",
        TUESDAY,
        [(60_277, 110_100, 110_111), (80_000, 110_090, 110_103), (121_500, 110_095, 110_105)],
    )
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    start = ms(TUESDAY)
    # The second minute has not begun to tick: the first one's close stands.
    assert market.quote("EURUSD", start + 60_100)["time_msc"][0] == start + 59_999
    assert market.quote("EURUSD", start + 60_277)["bid"][0] == 1.101
    forming = market.rates("EURUSD", M1, start // 1000 + 60, start // 1000 + 119, start + 100_000)
    assert (forming.open[0], forming.low[0], forming.close[0], forming.volume[0]) == (
        1.101,
        1.1009,
        1.1009,
        2,
    )
    ticks = market.ticks("EURUSD", start + 60_000, start + 119_999, start + 119_999)
    assert ticks["time_msc"].tolist() == [start + 60_277, start + 80_000]
    # That first minute is over at 00:01:01, when the next tick has come; the second at 00:02:02.
    assert stops(market, TUESDAY, [M1], 3) == ["05 00:01:01", "05 00:02:02", "05 00:03:00"]


def test_ticks_alone_make_minutes(tmp_path: Path) -> None:
    write_ticks(
        tmp_path,
        "eurusd",
        TUESDAY,
        [
            (1_000, 110_100, 110_110),
            (30_000, 110_200, 110_205),
            (59_000, 110_150, 110_165),
            (125_000, 110_160, 110_170),
        ],
    )
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    bars = market.rates("EURUSD", M1, 1, ms(TUESDAY) // 1000 + 179, ms(TUESDAY + timedelta(minutes=3)))
    assert bars.time.tolist() == [ms(TUESDAY) // 1000, ms(TUESDAY) // 1000 + 120]
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (1.101, 1.102, 1.101, 1.1015)
    assert (bars.volume[0], bars.spread[0]) == (3, 5)


def test_symbols_of_hours_alone_have_no_minutes(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    write_hours(tmp_path, "gbpusd", first=TUESDAY - timedelta(hours=10), hours=60)
    market = ReplayMarket(tmp_path, UTC_CLOCK)
    present = ms(TUESDAY + timedelta(hours=5, minutes=30))
    assert len(market.rates("GBPUSD", M15, 1, present // 1000, present)) == 0
    hours = market.rates("GBPUSD", H1, 1, present // 1000, present)
    assert len(hours) == 16
    assert hours.high[-1] == hours.open[-1]  # the forming hour, of which the open is known
    with pytest.raises(NotFound):
        market.quote("XAUUSD", present)


def test_a_replay_goes_on_where_it_stood(tmp_path: Path) -> None:
    write_minutes(tmp_path, "eurusd", first=TUESDAY, days=1)
    replay = build_replay(folder=tmp_path, server_clock=UTC_CLOCK)
    replay.terminal.initialize()
    begin = replay.terminal.symbol_info_tick("EURUSD")
    assert begin is not None
    assert begin.time == ms(TUESDAY) // 1000
    replay.clock.advance(TUESDAY + timedelta(hours=7))
    again = build_replay(folder=tmp_path, server_clock=UTC_CLOCK, state=replay.clock.state())
    assert again.clock.now() == TUESDAY + timedelta(hours=7)
