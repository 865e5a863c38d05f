"""Which files a replay reads, and what it says of those that are broken."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.core.errors import Invalid
from backend.mt5.server_time import ServerClock
from backend.simulator.replay import ReplayMarket
from backend.simulator.replay_files import Kind, find_files, read_bars, read_ticks
from tests.unit.simulator.replay_data import (
    hour_line,
    minute_line,
    write_hours,
    write_minutes,
    write_ticks,
    write_zip,
)

DAY = datetime(2024, 3, 5, tzinfo=UTC)
GOOD_HOUR = "20240305 10:00,1.10000,1.10020,1.09985,1.10005,0,1.10009,1.10029,1.09994,1.10014,0"
CSV_HEAD = "Date,open,high,low,close,tick_volume"


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def refusal(folder: Path) -> Invalid:
    (file,) = find_files(folder).files
    with pytest.raises(Invalid) as caught:
        (read_ticks if file.kind is Kind.TICKS else read_bars)(file)
    return caught.value


def test_layouts_are_recognised_and_the_rest_is_listed(tmp_path: Path) -> None:
    write_hours(tmp_path / "lean", "eurusd", first=DAY, hours=3)
    write_minutes(tmp_path / "lean", "xauusd", first=DAY, days=1)
    write_ticks(tmp_path / "lean", "eurusd", DAY, [(5, 110_000, 110_010)])
    (tmp_path / "GBPUSDh1.csv").write_text(f"{CSV_HEAD}\n2024-03-05 10:00:00,1.2,1.3,1.1,1.25,7\n")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "README.md").write_text("read me")
    write_zip(tmp_path / "lean" / "minute" / "eurusd" / "20240305_trade.zip", ["1,2"])
    found = find_files(tmp_path)
    assert {(file.kind, file.symbol, file.server_time) for file in found.files} == {
        (Kind.HOURS, "EURUSD", False),
        (Kind.MINUTES, "XAUUSD", False),
        (Kind.TICKS, "EURUSD", False),
        (Kind.HOURS, "GBPUSD", True),
    }
    assert [path.name for path in found.ignored] == ["README.md", "20240305_trade.zip", "notes.csv"]


def test_any_folder_inside_a_layout_will_do(tmp_path: Path) -> None:
    write_minutes(tmp_path / "lean", "xauusd", first=DAY, days=1)
    for folder in ("lean", "lean/minute", "lean/minute/xauusd"):
        assert [file.symbol for file in find_files(tmp_path / folder).files] == ["XAUUSD"]


def test_hours_are_read_as_they_stand(tmp_path: Path) -> None:
    write_zip(tmp_path / "hour" / "eurusd.zip", [GOOD_HOUR])
    bars = read_bars(find_files(tmp_path).files[0])
    assert bars.time.tolist() == [epoch("2024-03-05 10:00")]
    assert bars.bid[:, 0].tolist() == [1.1, 1.1002, 1.09985, 1.10005]
    assert bars.ask is not None
    assert bars.ask[:, 0].tolist() == [1.10009, 1.10029, 1.09994, 1.10014]
    assert bars.decimals == 5


def test_minutes_and_ticks_stand_in_the_day_of_their_file_s_name(tmp_path: Path) -> None:
    write_zip(tmp_path / "minute" / "eurusd" / "20240305_quote.zip", [minute_line(37_800_000, 5)])
    write_ticks(tmp_path, "eurusd", DAY, [(37_800_277, 110_000, 110_010)])
    minute, tick = find_files(tmp_path).files
    assert read_bars(minute).time.tolist() == [epoch("2024-03-05 10:30")]
    ticks = read_ticks(tick)
    assert ticks.time_ms.tolist() == [epoch("2024-03-05 10:30") * 1000 + 277]
    assert (ticks.bid[0], ticks.ask[0]) == (1.1, 1.1001)


def test_an_export_in_points_with_float_noise_is_scaled(tmp_path: Path) -> None:
    rows = ["2024-03-05 10:00:00,158611.00000000003,158618.0,158572.0,158598.99999999997,1032"]
    (tmp_path / "GBPUSDh1.csv").write_text("\n".join([CSV_HEAD, *rows]) + "\n")
    market = ReplayMarket(tmp_path, ServerClock.parse("America/New_York+7"))
    bars = market._files["GBPUSD"].hours.bars
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (1.58611, 1.58618, 1.58572, 1.58599)
    assert bars.volume[0] == 1032
    assert bars.spread[0] == 0  # the file does not say
    assert bars.time[0] == epoch("2024-03-05 10:00")  # the broker's clock already


@pytest.mark.parametrize(
    ("name", "row", "scaled"),
    [
        ("USDJPYh1", "150123.0,150200.0,150100.0,150150.0", 150.123),
        ("US30h1", "40000,40020,39990,40010", 40_000.0),  # whole numbers, yet no points
        ("EURNOKh1", "1112345,1112400,1112300,1112350", 11.12345),
        ("XAUUSDm1", "2450.12,2451.00,2449.00,2450.50", 2450.12),
    ],
)
def test_the_scale_of_an_export_is_found(tmp_path: Path, name: str, row: str, scaled: float) -> None:
    (tmp_path / f"{name}.csv").write_text(f"{CSV_HEAD}\n2024-03-05 10:00:00,{row},5\n")
    market = ReplayMarket(tmp_path, ServerClock.parse("UTC"))
    files = next(iter(market._files.values()))
    series = files.minutes if files.has_minutes() else files.hours
    assert series.bars.open[0] == scaled


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("nonsense", "is not a row"),
        ("20240305 11:00,1.1,1.1,1.1", "is not a row"),
        (GOOD_HOUR.replace("10:00", "11:00") + ",7", "is not a row"),
        (GOOD_HOUR.replace("10:00", "11:00").replace("1.10020", "nan"), "is not a row"),
        (GOOD_HOUR, "is no bar"),  # the same hour again
        (GOOD_HOUR.replace("10:00", "11:00").replace("1.10020", "1.09000"), "is no bar"),  # high below open
        (GOOD_HOUR.replace("10:00", "11:00").replace("1.09985", "0.00000"), "is no bar"),
        (GOOD_HOUR.replace("10:00", "11:00").replace("1.10009", "1.09990"), "is no bar"),  # ask below bid
        (GOOD_HOUR.replace("10:00", "24:00"), "time that does not exist"),
        (GOOD_HOUR.replace("20240305", "20240230"), "time that does not exist"),
        (GOOD_HOUR.replace("20240305", "20241305"), "time that does not exist"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, row: str, why: str) -> None:
    write_zip(tmp_path / "hour" / "eurusd.zip", [GOOD_HOUR, row])
    error = refusal(tmp_path)
    assert error.code == "corrupt_file"
    assert error.details["line"] == 2
    assert error.details["file"].endswith("eurusd.zip")
    assert why in error.message


def test_lines_of_an_export_are_counted_with_its_head(tmp_path: Path) -> None:
    (tmp_path / "GBPUSDh1.csv").write_text(f"{CSV_HEAD}\n2024-03-05 10:00:00,1.2,1.3,1.1,1.25,7\nbroken\n")
    assert refusal(tmp_path).details["line"] == 3


@pytest.mark.parametrize("row", ["7,1.1", "86400000,1.1,1.2", "-1,1.1,1.2", "5,1.2,1.1", "5,0,1.1"])
def test_broken_ticks_are_named(tmp_path: Path, row: str) -> None:
    write_zip(tmp_path / "tick" / "eurusd" / "20240305_quote.zip", ["3,1.10000,1.10010", row])
    assert refusal(tmp_path).details["line"] == 2


def test_a_zip_that_is_none_or_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hour" / "eurusd.zip"
    path.parent.mkdir()
    path.write_bytes(b"no zip")
    assert "eurusd.zip" in refusal(tmp_path).message
    lines = [hour_line(datetime(2024, 3, 5, hour, tzinfo=UTC), 110_000 + hour) for hour in range(24)]
    write_zip(path, lines)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))
    assert refusal(tmp_path).code == "corrupt_file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", GOOD_HOUR)
        archive.writestr("b.csv", GOOD_HOUR)
    assert "2 files inside" in refusal(tmp_path).message


def test_folders_without_anything_to_play_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no market data"):
        find_files(tmp_path)
    with pytest.raises(Invalid, match="is no folder"):
        find_files(tmp_path / "absent")


def test_two_files_of_the_same_time_are_refused(tmp_path: Path) -> None:
    for copy in ("a", "b"):
        write_hours(tmp_path / copy, "eurusd", first=DAY, hours=3)
    with pytest.raises(Invalid, match="two files hold bars of the same time"):
        ReplayMarket(tmp_path, ServerClock.parse("UTC"))
