"""Recorded files as history: every bar once, on both clocks, with specifications that can be traded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backend.core.errors import Invalid, NotFound, Unavailable
from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.simulator.file_history import FileHistory
from tests.unit.simulator.replay_data import write_hours, write_minutes

CLOCK = ServerClock.parse("America/New_York+7")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def history(folder: Path, *symbols: str, timeframe: Timeframe = Timeframe.H1) -> FileHistory:
    return FileHistory(folder, CLOCK, symbols=symbols, timeframe=timeframe)


def test_hours_are_given_in_utc_and_on_the_servers_clock(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=30)
    files = history(tmp_path, "EURUSD")
    bars = files.history("EURUSD", Timeframe.H1, 3650)
    assert len(bars) == 30
    assert bars.opened(0) == files.begin == MONDAY
    assert files.end == MONDAY + timedelta(hours=30)
    # New York is UTC−5 in January and the server seven hours ahead of it
    assert (bars.server_time - bars.time == 2 * 3600).all()
    assert bars.spread.tolist() == [9] * 30


def test_hour_files_go_on_where_minutes_have_ended(tmp_path: Path) -> None:
    # minutes of Tuesday alone, hours of Monday to Wednesday: no hour is lost, none comes twice
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=72)
    write_minutes(tmp_path, "eurusd", first=MONDAY + timedelta(days=1), days=1)
    bars = history(tmp_path, "EURUSD").history("EURUSD", Timeframe.H1, 3650)
    assert len(bars) == 72


def test_hours_are_made_of_minutes_where_no_file_has_them(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=24)
    write_minutes(tmp_path, "eurusd", first=MONDAY + timedelta(days=1), days=1)
    bars = history(tmp_path, "EURUSD").history("EURUSD", Timeframe.H1, 3650)
    assert len(bars) == 48
    assert bars.opened(-1) == MONDAY + timedelta(hours=47)


def test_a_bar_that_the_files_do_not_finish_is_left_out(tmp_path: Path) -> None:
    # server midnight is 22:00 UTC: of 30 hours two server days begin, of which the last two are not whole
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=30)
    days = history(tmp_path, "EURUSD").history("EURUSD", Timeframe.D1, 3650)
    assert len(days) == 1
    assert days.opened(0) == MONDAY - timedelta(hours=2)


def test_only_so_many_days_before_the_end(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=72)
    assert len(history(tmp_path, "EURUSD").history("EURUSD", Timeframe.H1, 1)) == 24


def test_missing_hours_are_gaps_and_weekends_are_none(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=24 * 33)
    assert history(tmp_path, "EURUSD").gaps("EURUSD", Timeframe.H1) == []


def test_files_too_coarse_for_the_timeframe_are_named(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=24)
    files = history(tmp_path, "EURUSD", timeframe=Timeframe.M15)
    with pytest.raises(Invalid, match="no M15 bars of EURUSD"):
        files.end.isoformat()


def test_a_symbol_without_files_is_unknown_and_the_known_are_named(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=24)
    with pytest.raises(NotFound, match="has no files of GBPUSD; it has EURUSD"):
        history(tmp_path, "GBPUSD").begin.isoformat()


def test_files_hold_no_account(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=24)
    with pytest.raises(Unavailable):
        history(tmp_path, "EURUSD").account()


def test_specifications_are_the_simulated_brokers_with_swap(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurusd", first=MONDAY, hours=24)
    made = history(tmp_path, "EURUSD").instrument("EURUSD")
    assert (made.digits, made.contract_size, made.tick_value) == (5, Decimal(100_000), Decimal(1))
    assert (made.swap_mode, made.swap_long, made.swap_short) == (1, Decimal(-7), Decimal(2))


def test_a_cross_is_converted_by_another_pair_of_the_folder_or_refused(tmp_path: Path) -> None:
    write_hours(tmp_path, "eurgbp", first=MONDAY, hours=24)
    with pytest.raises(
        Invalid, match="no quote converts GBP into USD; put files of a pair that does"
    ) as refused:
        history(tmp_path, "EURGBP").instrument("EURGBP")
    assert refused.value.code == "no_rate"
    # the last bar of GBPUSD closes at 1.10235 and the simulated broker's spread is 14 points
    write_hours(tmp_path, "gbpusd", first=MONDAY, hours=24)
    made = history(tmp_path, "EURGBP").instrument("EURGBP")
    assert made.tick_value == Decimal("1.10235")
    assert made.tick_value_loss == Decimal("1.10249")
