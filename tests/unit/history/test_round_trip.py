"""Out as MetaTrader 5's own CSV and in again, to the byte; and an import read by replay and backtest."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.bars import COLUMNS
from backend.core.clock import FixedClock
from backend.core.errors import Conflict, NotFound
from backend.core.timeframes import Timeframe
from backend.history.exporting import metatrader_csv, metatrader_name
from backend.history.importing import look
from backend.history.pieces import Choices
from backend.history.service import HistoryService, Kept, Series
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.simulator.file_history import FileHistory
from backend.simulator.replay import ReplayMarket
from backend.storage.files import FileStorage
from tests.unit.history.desk import NOW, RULE, import_into, stored
from tests.unit.history.files import MONDAY, MT5_DAILY_HEAD, MT5_HEAD, mt5_line, save
from tests.unit.simulator.replay_data import write_hours, write_minutes

CLOCK = ServerClock.parse(RULE)


def service(folder: Path) -> HistoryService:
    storage = FileStorage(folder, fsync=False)
    return HistoryService(
        storage,
        MarketStore(storage, CLOCK),
        CLOCK,
        FixedClock(NOW),
        canonical=lambda _: None,
        usual=lambda _: None,
    )


def imported(folder: Path, *files: Path) -> HistoryService:
    history = service(folder)
    history.importer.run(look(files), Choices())
    return history


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 9_999_999), *(st.integers(0, 500),) * 3, st.integers(0, 99), st.integers(0, 99)
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([0, 1, 2, 3, 5]),
)
def test_an_export_of_metatrader_comes_out_as_it_came_in(
    tmp_path_factory: pytest.TempPathFactory, bars: list[tuple[int, ...]], digits: int
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    rows = []
    for minute, (low, add_open, add_close, more, volume, spread) in enumerate(bars):
        points = (low + add_open, low + max(add_open, add_close) + more, low, low + add_close)
        prices = "\t".join(f"{point / 10**digits:.{digits}f}" for point in points)
        moment = MONDAY + timedelta(minutes=minute)
        rows.append(f"{moment:%Y.%m.%d\t%H:%M:%S}\t{prices}\t{volume}\t0\t{spread}")
    file = save(folder / "US30_M1_1.csv", [MT5_HEAD, *rows])
    history = imported(folder / "data", file)
    series = Series(Kept.IMPORTED, "US30", Timeframe.M1)
    out, count = history.export(series, folder / "out.csv")
    assert count == len(bars)
    assert out.read_bytes() == file.read_bytes()


def test_days_come_out_without_a_time(tmp_path: Path) -> None:
    rows = ["2024.03.04\t1.10000\t1.20000\t1.00000\t1.15000\t9\t0\t3"]
    file = save(tmp_path / "EURUSD_D1_1.csv", [MT5_DAILY_HEAD, *rows])
    history = imported(tmp_path / "data", file)
    out, _ = history.export(Series(Kept.IMPORTED, "EURUSD", Timeframe.D1), tmp_path / "out.csv")
    assert out.read_bytes() == file.read_bytes()


def test_a_part_is_exported_under_metatrader_s_name(tmp_path: Path) -> None:
    rows = [mt5_line(MONDAY + timedelta(hours=hour)) for hour in range(48)]
    history = imported(tmp_path / "data", save(tmp_path / "EURUSD_H1_1.csv", [MT5_HEAD, *rows]))
    series = Series(Kept.IMPORTED, "EURUSD", Timeframe.H1)
    since, until = datetime(2024, 3, 4, 22, tzinfo=UTC), datetime(2024, 3, 5, 2, tzinfo=UTC)
    out, count = history.export(series, tmp_path, since=since, until=until)
    assert count == 4
    assert out.name == "EURUSD_H1_202403050000_202403050300.csv"
    with pytest.raises(Conflict, match="--force"):
        history.export(series, tmp_path, since=since, until=until)
    history.export(series, tmp_path, since=since, until=until, overwrite=True)
    with pytest.raises(NotFound):
        history.export(series, tmp_path, since=datetime(2025, 1, 1, tzinfo=UTC))


def test_a_backtest_over_the_imported_history_sees_the_files_bars_and_asks(tmp_path: Path) -> None:
    first = datetime(2024, 3, 4, tzinfo=UTC)
    write_hours(tmp_path / "lean", "eurusd", first=first, hours=24 * 12)
    write_minutes(tmp_path / "lean", "xauusd", first=first, days=3)
    import_into(tmp_path / "h", tmp_path / "lean")
    for symbol, frame in (("EURUSD", Timeframe.H1), ("XAUUSD", Timeframe.M1)):
        given, kept = (
            FileHistory(folder, CLOCK, symbols=[symbol], timeframe=frame)
            for folder in (tmp_path / "lean", tmp_path / "h")
        )
        assert (given.begin, given.end) == (kept.begin, kept.end)
        one, other = given.history(symbol, frame, 100), kept.history(symbol, frame, 100)
        for name in COLUMNS:
            assert getattr(one, name).tolist() == getattr(other, name).tolist()
        asks, kept_asks = given.asks(symbol, one), kept.asks(symbol, other)
        assert asks is not None
        assert kept_asks is not None
        assert all(np.array_equal(a, b) for a, b in zip(asks, kept_asks, strict=True))
        assert given.instrument(symbol) == kept.instrument(symbol)


def test_a_replay_plays_the_imported_history(tmp_path: Path) -> None:
    write_minutes(tmp_path / "lean", "eurusd", first=datetime(2024, 3, 4, tzinfo=UTC), days=2)
    import_into(tmp_path / "h", tmp_path / "lean")
    assert ReplayMarket(tmp_path / "h", CLOCK).range() == ReplayMarket(tmp_path / "lean", CLOCK).range()


def test_a_replay_plays_metatrader_s_own_export_with_its_spread(tmp_path: Path) -> None:
    rows = [mt5_line(MONDAY, spread=7), mt5_line(MONDAY + timedelta(minutes=1), spread=0)]
    save(tmp_path / "EURUSD_M1_1.csv", [MT5_HEAD, *rows])
    series = ReplayMarket(tmp_path, CLOCK)._files["EURUSD"].minutes
    assert series.bars.spread.tolist() == [7, 0]
    assert (series.asks[0][0] - series.bars.open[0]) == pytest.approx(0.00007)
    assert series.asks[0][1] - series.bars.open[1] > 0.00005  # unknown: the symbol's typical spread
    assert series.bars.time[0] == int(MONDAY.timestamp())


def test_a_replay_reads_files_of_another_fixed_zone(tmp_path: Path) -> None:
    save(tmp_path / "DAT_ASCII_EURUSD_M1_2024.csv", ["20240702 000000;1.1;1.2;1.0;1.1;0"])
    series = ReplayMarket(tmp_path, CLOCK)._files["EURUSD"].minutes
    assert CLOCK.utc_datetime(int(series.bars.time[0])) == datetime(2024, 7, 2, 5, tzinfo=UTC)


def test_names_and_lines_of_no_bars(tmp_path: Path) -> None:
    bars = stored(tmp_path)
    assert metatrader_csv(bars, 5).decode() == f"{MT5_HEAD}\r\n"
    assert metatrader_name(bars).startswith("EURUSD_M1_")
