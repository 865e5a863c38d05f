"""Every format as its maker writes it: recognised by what is in it, and read to the very bar."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.history.formats.model import DataFile, RawBars, RawTicks, Side
from backend.history.formats.reading import read_bars, read_ticks
from backend.history.formats.recognising import recognise
from tests.unit.history.files import (
    MONDAY,
    MT5_DAILY_HEAD,
    MT5_HEAD,
    MT5_TICK_HEAD,
    bi5_candles,
    bi5_ticks,
    mt5_line,
    save,
    zipped,
)


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def known(path: Path) -> DataFile:
    file = recognise(path)
    assert file is not None, f"{path.name} was not recognised"
    return file


def bars_of(path: Path) -> RawBars:
    bars, faults = read_bars(known(path))
    assert faults is None
    return bars


def ticks_of(path: Path) -> RawTicks:
    ticks, faults = read_ticks(known(path))
    assert faults is None
    return ticks


def opens(bars: RawBars) -> list[str]:
    return [f"{datetime.fromtimestamp(int(time), UTC):%Y-%m-%d %H:%M}" for time in bars.time]


# MetaTrader 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_mt5_bars_in_any_encoding(tmp_path: Path, encoding: str, end: str) -> None:
    name = "EURUSD_M1_202403040000_202403042359.csv"
    path = save(tmp_path / name, [MT5_HEAD, mt5_line(MONDAY)], encoding=encoding, end=end)
    file, bars = known(path), bars_of(path)
    assert (file.layout.title, file.symbol, file.timeframe) == ("MetaTrader 5 bars", "EURUSD", Timeframe.M1)
    assert file.layout.clock is None
    assert file.layout.states_clock
    assert bars.time.tolist() == [epoch("2024-03-04 00:00")]
    assert bars.bid[:, 0].tolist() == [1.1, 1.10005, 1.09995, 1.10002]
    assert bars.volume.tolist() == [10]
    assert bars.spread is not None
    assert bars.spread.tolist() == [7]
    assert bars.decimals == 5


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_mt5_bars_without_a_header(tmp_path: Path, separator: str) -> None:
    row = mt5_line(MONDAY).replace("\t", separator)
    path = save(tmp_path / "EURUSD.pro_H1.csv", [row])
    assert known(path).symbol == "EURUSD.PRO"
    assert bars_of(path).bid[:, 0].tolist() == [1.1, 1.10005, 1.09995, 1.10002]


@pytest.mark.parametrize("head", [[MT5_DAILY_HEAD], []])
def test_mt5_days_have_no_time(tmp_path: Path, head: list[str]) -> None:
    rows = ["2024.03.04\t1.1\t1.2\t1.0\t1.15\t9\t0\t3", "2024.03.05\t1.15\t1.2\t1.1\t1.2\t8\t0\t4"]
    bars = bars_of(save(tmp_path / "EURUSD_D1_1.csv", [*head, *rows]))
    assert opens(bars) == ["2024-03-04 00:00", "2024-03-05 00:00"]
    assert bars.bid[3].tolist() == [1.15, 1.2]
    assert bars.spread is not None
    assert bars.spread.tolist() == [3, 4]


def test_mt5_ticks_carry_an_empty_side_forward(tmp_path: Path) -> None:
    rows = [
        "2022.11.10\t15:00:00.001\t\t0.86700\t\t\t4",  # no bid is known yet: no tick
        "2022.11.10\t15:00:00.017\t0.86682\t0.86712\t\t\t6",
        "2022.11.10\t15:00:01.900\t0.86690\t\t\t\t2",
        "2022.11.10\t15:00:02.000\t\t0.86715\t\t\t4",
    ]
    ticks = ticks_of(save(tmp_path / "EURGBP_202211101500_202211101501.csv", [MT5_TICK_HEAD, *rows]))
    first = epoch("2022-11-10 15:00") * 1000
    assert (ticks.time_ms - first).tolist() == [17, 1900, 2000]
    assert ticks.bid.tolist() == [0.86682, 0.8669, 0.8669]
    assert ticks.ask.tolist() == [0.86712, 0.86712, 0.86715]


# MetaTrader 4, HistData


def test_mt4_csv_does_not_state_its_clock(tmp_path: Path) -> None:
    path = save(tmp_path / "EURUSD60.csv", ["2024.01.02,00:00,1.10000,1.10100,1.09900,1.10050,100"])
    file, bars = known(path), bars_of(path)
    assert (file.symbol, file.timeframe) == ("EURUSD", Timeframe.H1)
    assert not file.layout.states_clock
    assert opens(bars) == ["2024-01-02 00:00"]
    assert bars.bid[:, 0].tolist() == [1.1, 1.101, 1.099, 1.1005]
    assert bars.volume.tolist() == [100]


def test_histdata_minutes_keep_new_york_s_winter_time_all_year(tmp_path: Path) -> None:
    row = "20120201 000000;1.306600;1.306600;1.306560;1.306560;0"
    name = "DAT_ASCII_EURUSD_M1_2012.csv"
    inside = {name: f"{row}\r\n", "DAT_ASCII_EURUSD_M1_2012.txt": "a report of gaps"}
    for path in (save(tmp_path / name, [row]), zipped(tmp_path / "HISTDATA_COM_ASCII.zip", inside)):
        file, bars = known(path), bars_of(path)
        assert (file.symbol, file.timeframe, file.layout.clock) == ("EURUSD", Timeframe.M1, "Etc/GMT+5")
        assert opens(bars) == ["2012-02-01 00:00"]
        assert bars.bid[:, 0].tolist() == [1.3066, 1.3066, 1.30656, 1.30656]


def test_histdata_ticks_and_metatrader_flavour(tmp_path: Path) -> None:
    path = save(tmp_path / "DAT_ASCII_EURUSD_T_201202.csv", ["20120201 000003660,1.306600,1.306770,0"])
    ticks = ticks_of(path)
    assert ticks.time_ms.tolist() == [epoch("2012-02-01 00:00") * 1000 + 3660]
    assert (ticks.bid[0], ticks.ask[0]) == (1.3066, 1.30677)
    path = save(tmp_path / "DAT_MT_EURUSD_M1_2012.csv", ["2012.02.01,00:00,1.3066,1.3067,1.3065,1.3066,0"])
    assert known(path).layout.clock == "Etc/GMT+5"
    assert opens(bars_of(path)) == ["2012-02-01 00:00"]


# Dukascopy


def test_dukascopy_gmt_and_side_by_the_name(tmp_path: Path) -> None:
    row = "26.03.2025 00:00:00.000,1.07894,1.07894,1.07888,1.07888,9899.99"
    path = save(
        tmp_path / "EURUSD_Candlestick_1_M_ASK_26.03.2025-27.03.2025.csv",
        ["Gmt time,Open,High,Low,Close,Volume", row],
    )
    file, bars = known(path), bars_of(path)
    assert (file.symbol, file.side, file.layout.clock) == ("EURUSD", Side.ASK, "UTC")
    assert opens(bars) == ["2025-03-26 00:00"]
    assert bars.volume.tolist() == [9900]


def test_dukascopy_local_time_is_told_by_each_row_s_offset(tmp_path: Path) -> None:
    rows = [
        "30.03.2025 01:59:00.000 GMT+0100,1.07,1.08,1.06,1.07,3",
        "30.03.2025 03:00:00.000 GMT+0200,1.07,1.08,1.06,1.07,3",
        "30.03.2025 03:01:00.000 GMT+0200,1.07,1.08,1.06,1.07,0.045",
    ]
    path = save(
        tmp_path / "EURUSD_Candlestick_1_M_BID_x.csv", ["Local time,Open,High,Low,Close,Volume", *rows]
    )
    bars = bars_of(path)
    assert known(path).layout.clock == "UTC"
    assert opens(bars) == ["2025-03-30 00:59", "2025-03-30 01:00", "2025-03-30 01:01"]
    assert bars.volume.tolist() == [3, 3, 1]  # less than one is not none
    bare = [row.replace(" GMT+0100", "").replace(" GMT+0200", "") for row in rows]
    path = save(tmp_path / "EURUSD_Candlestick_2.csv", ["Local time,Open,High,Low,Close,Volume", *bare])
    assert not known(path).layout.states_clock


@pytest.mark.parametrize(("zone", "clock"), [("EET", "EET"), ("UTC", "UTC")])
def test_jforex_names_its_zone(tmp_path: Path, zone: str, clock: str) -> None:
    path = save(
        tmp_path / "XAUUSD_1 Min_Bid_2020.01.09_2020.01.10.csv",
        [
            f"Time ({zone}),Open,High,Low,Close,Volume ",
            "2020.01.09 01:00:00,1557.152,1557.452,1555.202,1555.302,0.045",
        ],
    )
    file = known(path)
    assert (file.symbol, file.side, file.layout.clock) == ("XAUUSD", Side.BID, clock)
    assert opens(bars_of(path)) == ["2020-01-09 01:00"]
    path = save(
        tmp_path / "XAUUSD_Ticks_2020.csv",
        [f"Time ({zone}),Ask,Bid,AskVolume,BidVolume", "2020.01.09 01:00:00.123,1557.5,1557.2,1,2"],
    )
    ticks = ticks_of(path)
    assert (ticks.bid[0], ticks.ask[0], ticks.time_ms[0] % 1000) == (1557.2, 1557.5, 123)


def test_bi5_ticks_count_months_from_0_and_prices_by_symbol(tmp_path: Path) -> None:
    hour = datetime(2014, 5, 2, 13, tzinfo=UTC)
    ticks = ticks_of(bi5_ticks(tmp_path, "EURUSD", hour, [(250, 138_712, 138_709), (900, 138_720, 138_711)]))
    assert ticks.time_ms.tolist() == [int(hour.timestamp()) * 1000 + ms for ms in (250, 900)]
    assert ticks.bid.tolist() == [1.38709, 1.38711]
    assert ticks.ask.tolist() == [1.38712, 1.3872]
    for symbol, price in (("USDJPY", 102_512), ("XAUUSD", 1_299_905)):
        assert ticks_of(bi5_ticks(tmp_path, symbol, hour, [(1, price, price)])).bid[0] == price / 1000


def test_an_empty_bi5_is_an_hour_without_trades(tmp_path: Path) -> None:
    path = bi5_ticks(tmp_path, "EURUSD", datetime(2014, 5, 3, 13, tzinfo=UTC), [])
    assert path.stat().st_size == 0
    assert len(ticks_of(path).time_ms) == 0


def test_bi5_candles_have_their_own_order(tmp_path: Path) -> None:
    day = datetime(2014, 5, 2, tzinfo=UTC)
    path = bi5_candles(tmp_path, "EURUSD", day, "ASK", [(60, 138_700, 138_705, 138_690, 138_710, 12.5)])
    file, bars = known(path), bars_of(path)
    assert (file.side, file.timeframe) == (Side.ASK, Timeframe.M1)
    assert opens(bars) == ["2014-05-02 00:01"]
    assert bars.bid[:, 0].tolist() == [1.387, 1.3871, 1.3869, 1.38705]


@pytest.mark.parametrize("cut", [1, 12])
def test_a_bi5_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    rows = [(ms, 138_712 + ms % 7, 138_709) for ms in range(0, 9_000, 3)]
    path = bi5_ticks(tmp_path, "EURUSD", datetime(2014, 5, 2, 13, tzinfo=UTC), rows)
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // (cut + 1)])
    with pytest.raises(Invalid, match="13h_ticks") as caught:
        read_ticks(known(path))
    assert caught.value.code == "corrupt_file"


# TradingView and other CSV


@pytest.mark.parametrize(
    ("stamp", "opened"),
    [
        ("1756706400", "2025-09-01 06:00"),
        ("2025-09-01T06:30:00+09:00", "2025-08-31 21:30"),
        ("2025-09-01T06:30:00Z", "2025-09-01 06:30"),
        ("2025-09-01T06:30:00-04:00", "2025-09-01 10:30"),
    ],
)
def test_tradingview_epochs_and_offsets(tmp_path: Path, stamp: str, opened: str) -> None:
    head = "time,open,high,low,close,Volume,RSI,MA"
    path = save(tmp_path / "OANDA_EURUSD, 60.csv", [head, f"{stamp},1.1,1.2,1.0,1.15,300,55.1,"], end="\n")
    file, bars = known(path), bars_of(path)
    assert (file.symbol, file.layout.title, file.layout.clock) == ("EURUSD", "TradingView CSV", "UTC")
    assert opens(bars) == [opened]
    assert bars.volume.tolist() == [300]


def test_tradingview_dates_alone_do_not_state_a_zone(tmp_path: Path) -> None:
    path = save(tmp_path / "FX_EURUSD, 1D.csv", ["time,open,high,low,close", "2025-09-01,1.1,1.2,1.0,1.15"])
    assert not known(path).layout.states_clock
    assert opens(bars_of(path)) == ["2025-09-01 00:00"]


def test_a_csv_of_whole_numbers_with_float_noise(tmp_path: Path) -> None:
    rows = ["2024-03-05 10:00:00,158611.00000000003,158611.0,158572.0,158598.99999999997,1032"]
    bars = bars_of(save(tmp_path / "GBPUSDh1.csv", ["Date,open,high,low,close,tick_volume", *rows]))
    assert bars.bid[:, 0].tolist() == [158_611, 158_611, 158_572, 158_599]
    assert (bars.decimals, bars.noisy) == (0, 1)


def test_lean_is_known_by_its_content_too(tmp_path: Path) -> None:
    row = "20240305 10:00,1.10000,1.10020,1.09985,1.10005,0,1.10009,1.10029,1.09994,1.10014,0"
    path = zipped(tmp_path / "mine" / "eurusd.zip", {"eurusd.csv": f"{row}\n"})
    file, bars = known(path), bars_of(path)
    assert (file.symbol, file.side, file.timeframe) == ("EURUSD", Side.BOTH, Timeframe.H1)
    assert bars.ask is not None
    assert bars.ask[:, 0].tolist() == [1.10009, 1.10029, 1.09994, 1.10014]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("notes.csv", ["a,b", "1,2"]),
        ("trades.csv", ["Date,Symbol,Profit", "2024-01-01,EURUSD,5"]),
        ("readme.md", [MT5_HEAD]),
        ("empty.csv", [""]),
        ("binary.csv", ["\0\1\2\3\4"]),
        ("x.zip", ["no zip"]),
        ("13h_ticks.bi5", ["no folders that tell the day"]),
        ("2024-01.parquet", ["PAR1"]),
    ],
)
def test_what_is_no_history_is_not_taken_for_one(tmp_path: Path, name: str, lines: list[str]) -> None:
    assert recognise(save(tmp_path / name, lines)) is None


def test_asks_with_more_decimals_than_bids_keep_them(tmp_path: Path) -> None:
    row = "20240305 10:00,1.1,1.2,1.0,1.1,0,1.10007,1.20007,1.00007,1.10007,0"
    bars = bars_of(zipped(tmp_path / "hour" / "eurusd.zip", {"eurusd.csv": f"{row}\n"}))
    assert bars.ask is not None
    assert bars.ask[0].tolist() == [1.10007]
    assert bars.decimals == 5


def test_one_finer_price_among_many_is_not_rounded_away(tmp_path: Path) -> None:
    rows = [
        f"2024.01.{1 + n // 1440:02},{n // 60 % 24:02}:{n % 60:02},1.1,1.2,1.0,1.1,5" for n in range(30_000)
    ]
    rows[4_321] = rows[4_321].replace("1.1,5", "1.10003,5")
    bars = bars_of(save(tmp_path / "EURUSD1.csv", rows))
    assert (bars.bid[3][4_321], bars.decimals, bars.noisy) == (1.10003, 5, 0)


# Rows that cannot be


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ("2024.03.04\t00:01:00\t1.1\t1.2\t1.0", None, "is not a row"),
        ("2024.03.04\t00:01:00\t1.1\tx\t1.0\t1.1\t9\t0\t3", 4, "is no high"),
        ("2024.03.04\t00:01:00\t1.1\tnan\t1.0\t1.1\t9\t0\t3", 4, "is not a row"),
        ("2024.03.04\t00:01:00\t1.1\tinf\t1.0\t1.1\t9\t0\t3", 4, "is not a row"),
        ("2024.03.04\t00:01:00\t1.1\t\t1.0\t1.1\t9\t0\t3", 4, "has no high"),
        ("2024.02.30\t00:01:00\t1.1\t1.2\t1.0\t1.1\t9\t0\t3", 1, "time that does not exist"),
        ("2024.03.04\t24:00:00\t1.1\t1.2\t1.0\t1.1\t9\t0\t3", 2, "time that does not exist"),
        ("2024-03.04\t00:01:00\t1.1\t1.2\t1.0\t1.1\t9\t0\t3", 1, "time that does not exist"),
        ("2024.03.04\t00:01:00\t1.1\t1.05\t1.0\t1.1\t9\t0\t3", 4, "is no bar"),
        ("2024.03.04\t00:01:00\t1.1\t1.2\t1.15\t1.2\t9\t0\t3", 5, "is no bar"),
        ("2024.03.04\t00:01:00\t1.1\t1.2\t-1\t1.1\t9\t0\t3", 5, "is no bar"),
        ("2024.03.04\t00:01:00\t1.1\t1.2\t1.0\t1.1\t-9\t0\t3", 7, "is no bar"),
        ("2024.03.04\t00:01:00\t0\t0\t0\t0\t9\t0\t3", 5, "is no bar"),
    ],
)
def test_the_first_bad_row_is_named_with_column_and_count(
    tmp_path: Path, row: str, column: int | None, why: str
) -> None:
    later = "2024.03.04\t00:02:00\t9\t1\t1\t1\t9\t0\t3"
    path = save(tmp_path / "EURUSD_M1_1.csv", [MT5_HEAD, mt5_line(MONDAY), "", row, later])
    bars, faults = read_bars(known(path))
    assert len(bars.time) == 1
    assert faults is not None
    error = faults.error()
    assert (error.code, error.details["line"], error.details["count"]) == ("corrupt_file", 4, 2)
    assert error.details["column"] == column
    assert why in error.message
    assert "2 such rows" in error.message


def test_a_file_cut_off_inside_a_row_is_named_at_its_last_line(tmp_path: Path) -> None:
    path = save(tmp_path / "EURUSD_M1_1.csv", [MT5_HEAD, mt5_line(MONDAY), "2024.03.04\t00:0"])
    _, faults = read_bars(known(path))
    assert faults is not None
    assert (faults.line, faults.count) == (3, 1)


def test_ticks_that_cross_are_named(tmp_path: Path) -> None:
    rows = ["2022.11.10\t15:00:00.017\t0.86682\t0.86712\t\t\t6", "2022.11.10\t15:00:00.018\t0.86720\t\t\t\t2"]
    ticks, faults = read_ticks(known(save(tmp_path / "EURGBP_1.csv", [MT5_TICK_HEAD, *rows])))
    assert len(ticks.time_ms) == 1
    assert faults is not None
    assert (faults.line, faults.column) == (3, 4)


def test_a_header_alone_is_a_file_without_bars(tmp_path: Path) -> None:
    assert bars_of(save(tmp_path / "EURUSD_M1_1.csv", [MT5_HEAD])).bid.shape == (4, 0)
    assert np.array_equal(bars_of(tmp_path / "EURUSD_M1_1.csv").time, [])
