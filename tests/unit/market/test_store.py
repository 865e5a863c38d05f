import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.bars import COLUMNS, Bars
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.market.columns import DecodedFiles
from backend.market.partitions import partition_range, split
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from tests.fakes.bars import bars_at

CLOCK = ServerClock.parse("UTC")
FIRST = datetime(2024, 12, 30, tzinfo=UTC)


def hours(start: int, count: int, *, price: float = 1.1) -> Bars:
    return bars_at([FIRST + timedelta(hours=start + step) for step in range(count)], price=price)


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False)


@pytest.fixture
def store(storage: FileStorage) -> MarketStore:
    return MarketStore(storage, CLOCK)


def test_what_was_stored_comes_back_from_the_disk(storage: FileStorage, store: MarketStore) -> None:
    bars = hours(0, 100)
    assert store.append(bars) == 100
    for reader in (store, MarketStore(storage, CLOCK)):
        assert same(reader.bars("EURUSD", Timeframe.H1), bars)
        assert reader.last_time("EURUSD", Timeframe.H1) == bars.opened(-1)
        assert reader.first_time("EURUSD", Timeframe.H1) == FIRST


def test_any_tool_reads_the_files_with_the_right_types(tmp_path: Path, store: MarketStore) -> None:
    import pyarrow.parquet as pq

    store.append(hours(0, 100))
    folder = tmp_path / "history" / "EURUSD" / "H1"
    assert sorted(path.name for path in folder.glob("*.parquet")) == ["2024.parquet", "2025.parquet"]
    table = pq.read_table(folder / "2024.parquet")
    assert table.column_names == list(COLUMNS)
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert str(table.schema.field("server_time").type) == "timestamp[ms]"
    assert table.column("time")[0].as_py() == FIRST
    assert table.schema.metadata[b"symbol"] == b"EURUSD"


@pytest.mark.parametrize(
    ("timeframe", "names"),
    [
        (Timeframe.M1, ["2024-12", "2025-01", "2025-02"]),
        (Timeframe.M30, ["2024-12", "2025-01", "2025-02"]),
        (Timeframe.H1, ["2024", "2025"]),
        (Timeframe.H12, ["2024", "2025"]),
        (Timeframe.D1, ["all"]),
        (Timeframe.W1, ["all"]),
    ],
)
def test_a_month_of_minutes_a_year_of_hours(timeframe: Timeframe, names: list[str]) -> None:
    steps = range(45 * 86_400 // timeframe.seconds)
    bars = bars_at(
        [FIRST + timedelta(seconds=timeframe.seconds * step) for step in steps], timeframe=timeframe
    )
    parts = list(split(bars))
    assert [name for name, _ in parts] == names
    assert sum(len(part) for _, part in parts) == len(bars)
    for name, part in parts:
        first, last = partition_range(timeframe, name)
        assert first <= part.server_time[0]
        assert part.server_time[-1] < last


def test_topping_up_rewrites_one_partition_only(tmp_path: Path, store: MarketStore) -> None:
    store.append(hours(0, 100))
    folder = tmp_path / "history" / "EURUSD" / "H1"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    store.append(hours(100, 1))
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert [name for name in after if after[name] != before[name]] == ["2025.parquet"]


def test_a_bar_is_never_there_twice_and_stays_as_it_was(store: MarketStore) -> None:
    assert store.append(hours(10, 10)) == 10
    assert store.append(hours(10, 10, price=9.0)) == 0
    assert store.append(hours(5, 20)) == 10  # before and after
    bars = store.bars("EURUSD", Timeframe.H1)
    assert len(bars) == 20
    assert bars.close[5:15].tolist() == hours(10, 10).close.tolist()
    assert store.notes("EURUSD", Timeframe.H1) == []


def test_a_revision_is_taken_and_noted_with_both_versions(store: MarketStore) -> None:
    store.append(hours(0, 3))
    assert store.append(hours(2, 2, price=1.5), revise=True) == 1
    assert store.bars("EURUSD", Timeframe.H1).close.tolist() == [1.1, 1.1001, 1.5, 1.5001]
    [note] = store.notes("EURUSD", Timeframe.H1)
    assert note["kind"] == "revision"
    [bar] = note["bars"]
    assert bar["time"] == "2024-12-30T02:00:00Z"
    assert (bar["stored"]["close"], bar["offered"]["close"]) == (1.1002, 1.5)


def test_until_count_and_since(store: MarketStore) -> None:
    store.append(hours(0, 100))

    def found(**given: Any) -> list[int]:
        bars = store.bars("EURUSD", Timeframe.H1, **given)
        return [int(time - FIRST.timestamp()) // 3600 for time in bars.time]

    assert found(count=3) == [97, 98, 99]
    assert found(count=0) == []
    assert found(count=1000) == list(range(100))
    noon = FIRST + timedelta(hours=12)
    assert found(until=noon, count=2) == [10, 11]  # the bar of 11:00 closes at noon
    assert found(until=noon - timedelta(seconds=1), count=2) == [9, 10]
    assert found(until=FIRST) == []
    assert found(since=noon, count=2) == [98, 99]
    assert found(since=noon + timedelta(seconds=1), until=FIRST + timedelta(hours=15)) == [13, 14]
    assert found(since=FIRST + timedelta(hours=50), until=FIRST + timedelta(hours=53)) == [50, 51, 52]


def test_nothing_stored_is_no_bars(store: MarketStore) -> None:
    assert len(store.bars("NOPE", Timeframe.M1)) == 0
    assert store.last_time("NOPE", Timeframe.M1) is None
    assert store.first_time("NOPE", Timeframe.M1) is None
    assert store.gaps("NOPE", Timeframe.M1) == []
    assert store.coverage() == []


def test_impossible_bars_are_refused_with_their_count_and_nothing_is_written(store: MarketStore) -> None:
    bars = hours(0, 5)
    bars.high[2] = 0.5
    bars.low[4] = float("nan")
    with pytest.raises(Invalid) as refused:
        store.append(bars)
    assert refused.value.code == "bad_bars"
    assert refused.value.details["count"] == 2
    assert len(store.bars("EURUSD", Timeframe.H1)) == 0


def test_a_forming_or_misplaced_bar_is_refused(store: MarketStore) -> None:
    with pytest.raises(Invalid) as refused:
        store.append(hours(0, 3), until=FIRST + timedelta(hours=3, seconds=-1))
    assert refused.value.code == "forming_bar"
    with pytest.raises(Invalid) as refused:
        store.append(bars_at([FIRST + timedelta(minutes=30)]))
    assert refused.value.code == "misaligned_bars"
    assert store.append(hours(0, 3), until=FIRST + timedelta(hours=3)) == 3


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all", "half"])
def test_a_corrupt_file_is_set_aside_told_and_known_as_a_hole(
    tmp_path: Path, storage: FileStorage, store: MarketStore, damage: bytes | str
) -> None:
    store.append(hours(0, 100))
    path = tmp_path / "history" / "EURUSD" / "H1" / "2024.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if isinstance(damage, str) else damage)
    reader = MarketStore(storage, CLOCK)
    with pytest.raises(Invalid) as refused:
        reader.bars("EURUSD", Timeframe.H1)
    assert refused.value.code == "corrupt_file"
    assert (path.parent / refused.value.details["aside"]).exists()
    assert not path.exists()
    assert len(reader.bars("EURUSD", Timeframe.H1)) == 52  # what stood in the other partition
    assert [note["kind"] for note in reader.notes("EURUSD", Timeframe.H1)] == ["corrupt_file"]
    [(name, first, last)] = reader.holes("EURUSD", Timeframe.H1)
    assert (name, first.year, last.year) == ("2024", 2024, 2025)
    reader.append(hours(0, 48))
    reader.close_hole("EURUSD", Timeframe.H1, "2024")
    assert reader.holes("EURUSD", Timeframe.H1) == []
    assert same(reader.bars("EURUSD", Timeframe.H1), hours(0, 100))


def test_the_latest_bars_can_be_read_though_an_old_file_is_damaged(
    tmp_path: Path, store: MarketStore
) -> None:
    store.append(hours(0, 100))
    (tmp_path / "history" / "EURUSD" / "H1" / "2024.parquet").write_bytes(b"x")
    assert len(store.bars("EURUSD", Timeframe.H1, count=20)) == 20


def test_another_source_never_stands_in_the_same_series(store: MarketStore) -> None:
    series = "EURUSD", Timeframe.H1
    assert store.use_source(*series, "broker") is False
    store.append(hours(0, 10))
    assert store.use_source(*series, "broker") is False
    assert store.use_source(*series, "replay") is True
    assert len(store.bars(*series)) == 0
    store.append(hours(0, 5, price=2.0))
    assert store.use_source(*series, "broker") is True
    assert same(store.bars(*series), hours(0, 10))
    assert store.use_source(*series, "replay") is True
    assert same(store.bars(*series), hours(0, 5, price=2.0))
    assert store.series() == [series]  # what is parked is not listed


def test_symbols_of_any_name_keep_apart(store: MarketStore, tmp_path: Path) -> None:
    for name in ("../../evil", "EUR/USD", "EURUSD.r", "#US30", "con", "é"):
        bars = hours(0, 3)
        store.append(Bars(symbol=name, timeframe=bars.timeframe, **{c: getattr(bars, c) for c in COLUMNS}))
        assert len(store.bars(name, Timeframe.H1)) == 3
    assert {symbol for symbol, _ in store.series()} == {
        "../../evil",
        "EUR/USD",
        "EURUSD.r",
        "#US30",
        "con",
        "é",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["history"]


def test_coverage_tells_each_series(store: MarketStore) -> None:
    opens = [FIRST + timedelta(hours=step) for step in range(24 * 4) if step != 30]
    store.append(bars_at(opens))
    [row] = store.coverage()
    assert row == {
        "symbol": "EURUSD",
        "timeframe": "H1",
        "bars": 95,
        "first": "2024-12-30T00:00:00Z",
        "last": "2025-01-02T23:00:00Z",
        "missing": 1,
        "gaps": 1,
        "percent": 98.96,
    }


def test_another_process_s_bars_are_seen_at_once(storage: FileStorage, store: MarketStore) -> None:
    other = MarketStore(storage, CLOCK)
    for step in range(20):
        other.append(hours(step, 1, price=1.1 + 0.01 * step))
        assert store.last_time("EURUSD", Timeframe.H1) == FIRST + timedelta(hours=step)


def test_read_bars_cannot_be_changed_for_others(store: MarketStore, storage: FileStorage) -> None:
    store.append(hours(0, 3))
    bars = MarketStore(storage, CLOCK).bars("EURUSD", Timeframe.H1)
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 2.0


def test_the_cache_is_bounded_and_forgets_the_least_used() -> None:
    cache = DecodedFiles(limit_bytes=2 * 64 * 10)
    bars = hours(0, 10)
    for name in "abc":
        cache.put(Path(name), (1, 1, 1), bars)
        cache.get(Path("a"), (1, 1, 1))
    assert cache.bytes <= 2 * 64 * 10
    assert cache.get(Path("a"), (1, 1, 1)) is bars
    assert cache.get(Path("b"), (1, 1, 1)) is None
    assert cache.get(Path("a"), (2, 1, 1)) is None  # the file has changed
    cache.put(Path("big"), (1, 1, 1), hours(0, 100))
    assert cache.get(Path("big"), (1, 1, 1)) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 12)), min_size=1, max_size=6))
def test_pieces_in_any_order_make_the_same_series(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]]
) -> None:
    whole = hours(0, 100)
    store = MarketStore(FileStorage(tmp_path_factory.mktemp("store"), fsync=False), CLOCK)
    added = sum(store.append(whole[start : start + count]) for start, count in pieces)
    expected = sorted({step for start, count in pieces for step in range(start, start + count)})
    found = store.bars("EURUSD", Timeframe.H1)
    assert added == len(found) == len(expected)
    assert found.close.tolist() == whole.close[expected].tolist()


def write_all(root: str, offset: int, step: int, count: int) -> None:
    store = MarketStore(FileStorage(Path(root), fsync=False), CLOCK)
    for place in range(offset, count, step):
        store.append(hours(place, 1))


def test_writers_of_several_processes_lose_nothing_and_readers_see_whole_series(tmp_path: Path) -> None:
    count, writers = 60, 3
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=write_all, args=(str(tmp_path), offset, writers, count))
        for offset in range(writers)
    ]
    for process in processes:
        process.start()
    store = MarketStore(FileStorage(tmp_path, fsync=False), CLOCK)
    seen = 0
    while any(process.is_alive() for process in processes):
        bars = store.bars("EURUSD", Timeframe.H1)
        assert len(bars) >= seen
        seen = len(bars)
        time.sleep(0.002)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert len(store.bars("EURUSD", Timeframe.H1)) == count
