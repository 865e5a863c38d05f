"""What is mended, what is refused, and that an import is whole, repeatable and never mixes two markets."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.core.bars import COLUMNS
from backend.core.errors import Invalid, NotFound
from backend.core.timeframes import Timeframe
from backend.history.importing import look
from backend.history.pieces import Choices
from tests.unit.history.desk import NOW, everything, import_into, importer_at, stored, stored_asks
from tests.unit.history.files import (
    MONDAY,
    MT5_DAILY_HEAD,
    MT5_HEAD,
    MT5_TICK_HEAD,
    bi5_ticks,
    mt5_line,
    mt5_minutes,
    save,
    zipped,
)

DUKASCOPY = "Gmt time,Open,High,Low,Close,Volume"
GENERIC = "Date,open,high,low,close,tick_volume"


def mt5(folder: Path, rows: list[str], name: str = "EURUSD_M1_1.csv") -> Path:
    return save(folder / "in" / name, [MT5_HEAD, *rows])


def test_server_time_becomes_utc_and_boundaries_stay(tmp_path: Path) -> None:
    (page,) = import_into(tmp_path / "h", mt5(tmp_path, mt5_minutes(MONDAY, 90)))
    bars = stored(tmp_path / "h")
    assert bars.opened(0) == datetime(2024, 3, 3, 22, 0, tzinfo=UTC)  # New York + 7 is UTC+2 in winter
    assert bars.server_time[0] == int(MONDAY.timestamp())
    assert (len(bars), bars.spread[0], bars.volume[0]) == (90, 7, 10)
    assert (page["bid"]["added"], page["mended"]) == (90, {})
    assert page["source"] == "imported files"


def test_importing_again_adds_nothing_and_changes_no_byte(tmp_path: Path) -> None:
    file = mt5(tmp_path, mt5_minutes(MONDAY, 90))
    import_into(tmp_path / "h", file)
    before = everything(tmp_path / "h")
    (page,) = import_into(tmp_path / "h", file)
    assert everything(tmp_path / "h") == before
    assert (page["bid"]["added"], page["bid"]["already_there"]) == (0, 90)


def test_overlapping_files_give_each_bar_once(tmp_path: Path) -> None:
    rows = mt5_minutes(MONDAY, 120)
    files = [mt5(tmp_path, rows[:80], "EURUSD_M1_1.csv"), mt5(tmp_path, rows[50:], "EURUSD_M1_2.csv")]
    (page,) = import_into(tmp_path / "h", *files)
    assert len(stored(tmp_path / "h")) == 120
    assert page["mended"] == {"doubled": 30}
    apart = tmp_path / "apart"
    for file in files:
        import_into(apart, file)
    for name in COLUMNS:
        assert getattr(stored(apart), name).tolist() == getattr(stored(tmp_path / "h"), name).tolist()


def test_rows_out_of_order_are_sorted(tmp_path: Path) -> None:
    rows = mt5_minutes(MONDAY, 50)
    (page,) = import_into(tmp_path / "h", mt5(tmp_path, [*rows[25:], *rows[:25]]))
    assert len(stored(tmp_path / "h")) == 50
    assert stored(tmp_path / "h").open[:2].tolist() == [1.1, 1.10001]
    assert page["mended"] == {"unsorted": 1}


def test_bars_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    rows = [*mt5_minutes(MONDAY, 50), mt5_line(MONDAY, 120_000)]
    with pytest.raises(Invalid, match="1 bars stand twice with other values") as caught:
        import_into(tmp_path / "h", mt5(tmp_path, rows))
    assert caught.value.code == "contradicting_bars"
    assert everything(tmp_path / "h") == {}


def test_a_bad_row_refuses_all_files_and_nothing_is_written(tmp_path: Path) -> None:
    good = mt5(tmp_path, mt5_minutes(MONDAY, 90), "EURUSD_M1_1.csv")
    bad = mt5(tmp_path, [mt5_line(MONDAY), mt5_line(MONDAY).replace("1.10005", "1.00005")], "GBPUSD_M1_1.csv")
    with pytest.raises(Invalid) as caught:
        import_into(tmp_path / "h", good, bad)
    assert (caught.value.details["line"], caught.value.details["column"]) == (3, 4)
    assert not (tmp_path / "h" / "bid").exists()
    (page, other) = import_into(tmp_path / "h", good, bad, choices=Choices(skip_bad=True))
    assert (page["symbol"], other["symbol"]) == ("EURUSD", "GBPUSD")
    assert other["mended"] == {"left_out": 1}
    assert len(stored(tmp_path / "h", "GBPUSD")) == 1


def test_negative_spreads_become_unknown(tmp_path: Path) -> None:
    rows = [mt5_line(MONDAY, spread=-3), mt5_line(MONDAY + timedelta(minutes=1), spread=4)]
    (page,) = import_into(tmp_path / "h", mt5(tmp_path, rows))
    assert stored(tmp_path / "h").spread.tolist() == [0, 4]
    assert page["mended"] == {"negative_spread": 1}


def test_prices_in_points_with_float_noise_become_prices(tmp_path: Path) -> None:
    rows = [
        "2024-03-05 10:00:00,125611.00000000003,125618.0,125572.0,125598.99999999997,1032",
        "2024-03-05 11:00:00,125599.0,125618.0,125572.0,125599.0,1032",
    ]
    file = save(tmp_path / "in" / "GBPUSDh1.csv", [GENERIC, *rows])
    (page,) = import_into(tmp_path / "h", file, choices=Choices(clock="server"))
    bars = stored(tmp_path / "h", "GBPUSD", Timeframe.H1)
    assert bars.open.tolist() == [1.25611, 1.25599]
    assert page["mended"] == {"float_noise": 1}
    assert page["notes"] == ["prices were in points: divided by 100,000"]
    assert page["quality"]["digits"] == 5


def test_weekend_flats_are_left_out_and_weekend_trades_are_not(tmp_path: Path) -> None:
    def flat(day: int, hour: int, volume: float) -> str:
        return f"{day:02}.03.2024 {hour:02}:00:00.000,1.1,1.1,1.1,1.1,{volume}"

    rows = [
        "08.03.2024 21:00:00.000,1.1,1.2,1.0,1.1,5",  # Friday 16:00 in New York
        flat(8, 22, 0),  # from 17:00 on it is the weekend
        flat(9, 12, 0),
        flat(9, 13, 3),  # something was traded
        flat(10, 20, 0),  # America has summer time by now: 16:00
        flat(10, 21, 0),  # Sunday 17:00: the week has begun
        "10.03.2024 22:00:00.000,1.1,1.2,1.0,1.1,5",
    ]
    file = save(tmp_path / "in" / "EURUSD_Candlestick_1_Hour_BID_x.csv", [DUKASCOPY, *rows])
    (page,) = import_into(tmp_path / "h", file)
    assert page["timeframe"] == "H1"
    bars = stored(tmp_path / "h", frame=Timeframe.H1)
    assert [f"{bars.opened(n):%d %H}" for n in range(len(bars))] == ["08 21", "09 13", "10 21", "10 22"]
    assert page["mended"] == {"weekend_flats": 3}
    assert page["quality"]["weekend_bars"] == 1


def test_a_bar_that_has_not_closed_is_left_out(tmp_path: Path) -> None:
    now = (NOW + timedelta(hours=3)).replace(tzinfo=UTC)  # the broker's clock is three hours ahead in June
    rows = [mt5_line(now - timedelta(minutes=2)), mt5_line(now - timedelta(minutes=1)), mt5_line(now)]
    (page,) = import_into(tmp_path / "h", mt5(tmp_path, rows))
    assert page["mended"] == {"still_forming": 1}
    assert len(stored(tmp_path / "h")) == 2


def test_asks_are_kept_and_give_the_spread(tmp_path: Path) -> None:
    bid = "26.03.2025 00:00:00.000,1.07894,1.07899,1.07888,1.07889,99"
    ask = "26.03.2025 00:00:00.000,1.07901,1.07905,1.07893,1.07897,98"
    files = [
        save(tmp_path / "in" / f"EURUSD_Candlestick_1_M_{side}_x.csv", [DUKASCOPY, row])
        for side, row in (("BID", bid), ("ASK", ask))
    ]
    (page,) = import_into(tmp_path / "h", *files)
    assert stored(tmp_path / "h").spread.tolist() == [7]  # the lesser of 7 at the open and 8 at the close
    assert stored_asks(tmp_path / "h").high.tolist() == [1.07905]
    assert page["quality"]["ask_percent"] == 100.0


def test_asks_below_bids_are_lifted_to_them(tmp_path: Path) -> None:
    row = "20240305 10:00,1.10000,1.10020,1.09985,1.10005,0,1.09990,1.10029,1.09989,1.10014,0"
    file = zipped(tmp_path / "hour" / "eurusd.zip", {"eurusd.csv": f"{row}\n"})
    (page,) = import_into(tmp_path / "h", file)
    assert page["mended"] == {"negative_spread": 1}
    assert stored_asks(tmp_path / "h", frame=Timeframe.H1).open.tolist() == [1.1]
    assert stored(tmp_path / "h", frame=Timeframe.H1).spread.tolist() == [0]


def test_ticks_become_minutes_of_both_sides(tmp_path: Path) -> None:
    rows = [
        "2022.11.10\t15:00:00.017\t0.86682\t0.86712\t\t\t6",
        "2022.11.10\t15:00:20.000\t0.86690\t\t\t\t2",
        "2022.11.10\t15:00:59.999\t\t0.86700\t\t\t4",
        "2022.11.10\t15:02:00.000\t0.86600\t0.86630\t\t\t6",
    ]
    file = save(tmp_path / "in" / "EURGBP_202211101500_202211101502.csv", [MT5_TICK_HEAD, *rows])
    (page,) = import_into(tmp_path / "h", file)
    bars, asks = stored(tmp_path / "h", "EURGBP"), stored_asks(tmp_path / "h", "EURGBP")
    assert bars.open.tolist() == [0.86682, 0.866]
    assert bars.high.tolist() == [0.8669, 0.866]
    assert bars.volume.tolist() == [3, 1]
    assert bars.spread.tolist() == [10, 30]
    assert asks.close.tolist() == [0.867, 0.8663]
    assert page["notes"] == ["ticks became minutes; the ticks themselves are not kept"]


def test_ticks_out_of_order_are_sorted_and_those_of_one_instant_keep_theirs(tmp_path: Path) -> None:
    rows = [
        "2022.11.10\t15:00:30.000\t0.86690\t0.86720\t\t\t6",
        "2022.11.10\t15:00:00.017\t0.86682\t0.86712\t\t\t6",
        "2022.11.10\t15:00:30.000\t0.86670\t0.86700\t\t\t6",
    ]
    file = save(tmp_path / "in" / "EURGBP_202211101500_202211101502.csv", [MT5_TICK_HEAD, *rows])
    (page,) = import_into(tmp_path / "h", file)
    bars = stored(tmp_path / "h", "EURGBP")
    assert (bars.open[0], bars.close[0]) == (0.86682, 0.8667)
    assert page["mended"] == {"unsorted": 1}


def test_hours_of_bi5_join_and_empty_ones_count_as_nothing(tmp_path: Path) -> None:
    hour = datetime(2014, 5, 2, 13, tzinfo=UTC)
    for step in (0, 2):
        bi5_ticks(tmp_path / "in", "EURUSD", hour + timedelta(hours=step), [(0, 138_712, 138_709)])
    bi5_ticks(tmp_path / "in", "EURUSD", hour + timedelta(hours=1), [])
    (page,) = import_into(tmp_path / "h", tmp_path / "in")
    bars = stored(tmp_path / "h")
    assert [bars.opened(n) for n in range(2)] == [hour, hour + timedelta(hours=2)]
    assert page["bid"]["bars"] == 2


# What only a person knows


def test_a_clock_that_nobody_states_is_asked_for(tmp_path: Path) -> None:
    file = save(tmp_path / "in" / "EURUSD1.csv", ["2024.01.02,00:00,1.1,1.2,1.0,1.1,100"])
    with pytest.raises(Invalid, match=r"--tz server for America/New_York\+7") as caught:
        import_into(tmp_path / "h", file)
    assert caught.value.code == "unknown_time_zone"
    import_into(tmp_path / "h", file, choices=Choices(clock="Europe/Athens"))
    assert stored(tmp_path / "h").opened(0) == datetime(2024, 1, 1, 22, tzinfo=UTC)


def test_a_clock_that_the_file_states_is_not_overruled(tmp_path: Path) -> None:
    file = save(tmp_path / "in" / "DAT_ASCII_EURUSD_M1_2024.csv", ["20240702 000000;1.1;1.2;1.0;1.1;0"])
    import_into(tmp_path / "h", file, choices=Choices(clock="UTC"))
    assert stored(tmp_path / "h").opened(0) == datetime(2024, 7, 2, 5, tzinfo=UTC)  # no daylight saving


def test_a_symbol_that_no_name_tells_is_asked_for(tmp_path: Path) -> None:
    file = mt5(tmp_path, mt5_minutes(MONDAY, 3), "2024 all of it.csv")
    with pytest.raises(Invalid, match="--symbol"):
        import_into(tmp_path / "h", file)
    (page,) = import_into(tmp_path / "h", file, choices=Choices(symbol="EURUSD"))
    assert page["symbol"] == "EURUSD"
    broker = mt5(tmp_path, mt5_minutes(MONDAY, 3), "EURUSD.pro_M1_1.csv")
    assert import_into(tmp_path / "h", broker)[0]["symbol"] == "EURUSD"
    assert import_into(tmp_path / "h", file, choices=Choices(symbol="eurusd"))[0]["symbol"] == "EURUSD"


def test_files_that_are_no_history_are_told(tmp_path: Path) -> None:
    other = save(tmp_path / "in" / "notes.csv", ["a,b", "1,2"])
    with pytest.raises(Invalid, match="in none of the known formats"):
        look([other])
    with pytest.raises(Invalid, match="no history file was found; 1 other"):
        look([tmp_path / "in"])
    with pytest.raises(NotFound, match="does not exist"):
        look([tmp_path / "absent.csv"])
    mt5(tmp_path, mt5_minutes(MONDAY, 3))
    found = look([tmp_path / "in"])
    assert ([file.path.name for file in found.files], found.ignored) == (["EURUSD_M1_1.csv"], [other])


# Another market, other bars


def test_another_time_zone_is_not_laid_over_what_is_there(tmp_path: Path) -> None:
    price = [f"{1.1 + n / 1e5:.5f}" for n in range(300)]
    rows = [
        f"{MONDAY + timedelta(minutes=n):%Y.%m.%d,%H:%M},{price[n]},1.2,1.0,{price[n]},100"
        for n in range(300)
    ]
    file = save(tmp_path / "in" / "EURUSD1.csv", rows)
    import_into(tmp_path / "h", file, choices=Choices(clock="UTC"))
    before = everything(tmp_path / "h")
    with pytest.raises(Invalid, match="another time zone or another market") as caught:
        import_into(tmp_path / "h", file, choices=Choices(clock="UTC+2"))
    assert (caught.value.details["shared"], caught.value.details["differing"]) == (180, 180)
    assert everything(tmp_path / "h") == before


def test_single_other_bars_stay_as_they_are_unless_they_are_to_be_replaced(tmp_path: Path) -> None:
    rows = mt5_minutes(MONDAY, 100)
    import_into(tmp_path / "h", mt5(tmp_path, rows))
    rows[7] = mt5_line(MONDAY + timedelta(minutes=7), 110_900)
    file = mt5(tmp_path, rows)
    (page,) = import_into(tmp_path / "h", file)
    assert page["bid"]["kept_though_other"] == 1
    assert stored(tmp_path / "h").open[7] == 1.10007
    (page,) = import_into(tmp_path / "h", file, choices=Choices(replace=True))
    assert page["bid"]["replaced"] == 1
    assert stored(tmp_path / "h").open[7] == 1.109
    assert len(stored(tmp_path / "h")) == 100


def test_finer_prices_do_not_change_what_a_stored_spread_means(tmp_path: Path) -> None:
    import_into(tmp_path / "h", mt5(tmp_path, mt5_minutes(MONDAY, 3)))
    finer = save(
        tmp_path / "in" / "EURUSD_M1_2.csv",
        [MT5_HEAD, "2024.03.05\t00:00:00\t1.100001\t1.100002\t1.100000\t1.100001\t1\t0\t30"],
    )
    with pytest.raises(Invalid, match="--digits 5"):
        import_into(tmp_path / "h", finer)
    import_into(tmp_path / "h", finer, choices=Choices(digits=5))
    bars = stored(tmp_path / "h")
    assert (bars.open[3], bars.spread[3]) == (1.1, 3)


def test_days_of_a_clock_with_other_midnights_are_refused(tmp_path: Path) -> None:
    rows = ["2024.03.04\t1.1\t1.2\t1.0\t1.15\t9\t0\t3", "2024.03.05\t1.15\t1.2\t1.1\t1.2\t8\t0\t4"]
    file = save(tmp_path / "in" / "EURUSD_D1_1.csv", [MT5_DAILY_HEAD, *rows])
    with pytest.raises(Invalid, match="do not begin on a boundary"):
        import_into(tmp_path / "h", file, choices=Choices(clock="UTC"))
    import_into(tmp_path / "h", file)
    assert len(stored(tmp_path / "h", frame=Timeframe.D1)) == 2


# What is told


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path: Path) -> None:
    importer = importer_at(tmp_path / "h")
    (page,) = importer.run(look([mt5(tmp_path, mt5_minutes(MONDAY, 90))]), Choices(), dry_run=True)
    assert (page["bid"]["added"], page["stored"]) == (90, False)
    assert everything(tmp_path / "h") == {}
    assert not (tmp_path / "h" / "reports").exists()


def test_the_report_lies_beside_the_bars_as_json_and_as_text(tmp_path: Path) -> None:
    (page,) = import_into(tmp_path / "h", mt5(tmp_path, mt5_minutes(MONDAY, 90)))
    kept = json.loads(Path(page["report"]).read_text(encoding="utf-8"))
    assert kept["quality"] == page["quality"]
    assert kept["files"][0]["rows"] == 90
    text = Path(page["report"]).with_suffix(".txt").read_text(encoding="utf-8")
    assert "EURUSD_M1_1.csv: MetaTrader 5 bars, 90 rows, clock America/New_York+7" in text
    assert "What a backtest may trust:" in text
    facts = importer_at(tmp_path / "h").bids.facts("EURUSD", Timeframe.M1)
    assert facts["digits"] == 5
    assert facts["imports"][0]["files"] == ["EURUSD_M1_1.csv"]


def test_progress_rises_to_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    files = [mt5(tmp_path, mt5_minutes(MONDAY, 90), f"{name}_M1_1.csv") for name in ("EURUSD", "GBPUSD")]
    importer_at(tmp_path / "h").run(
        look(files), Choices(), progress=lambda done, total, _: seen.append((done, total))
    )
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
