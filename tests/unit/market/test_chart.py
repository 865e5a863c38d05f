"""Pages of bars to scroll back through: each bar once, whatever it is made of."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.market import service
from backend.market.service import MarketService
from backend.market.store import MarketStore
from backend.market.symbols import SymbolMap
from backend.market.watchlist import FOLDER, seen_ticks
from backend.mt5.client import MT5Client
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from tests.conftest import ROOT
from tests.fakes.desk import MovedClock
from tests.fakes.terminal import FakeTerminal

CLOCK = ServerClock.parse("UTC+2")
FIRST = datetime(2026, 3, 1, 22, tzinfo=UTC)  # the broker's Monday, 0:00
NOW = datetime(2026, 3, 4, 10, 0, 30, tzinfo=UTC)
H1, H4, D1, M30, MN1 = Timeframe.H1, Timeframe.H4, Timeframe.D1, Timeframe.M30, Timeframe.MN1


def hours(frame: Timeframe, first: datetime, end: datetime) -> Bars:
    """Bars that close a point above the one before; the first at 1.0."""
    opens = np.arange(int(first.timestamp()), int(end.timestamp()), frame.seconds)
    price = 1.0 + np.arange(len(opens)) / 100
    return Bars(
        symbol="EURUSD", timeframe=frame, time=opens, server_time=np.asarray(CLOCK.to_server(opens)),
        open=price, high=price, low=price, close=price,
        volume=np.ones(len(opens), np.int64), spread=np.full(len(opens), 8),
    )  # fmt: skip


@pytest.fixture
def market(tmp_path: Path) -> MarketService:
    storage = FileStorage(tmp_path, fsync=False)
    symbols = SymbolMap.load(ROOT / "config" / "symbol_map.csv")
    store = MarketStore(storage, CLOCK, clock=MovedClock(NOW))
    made = MarketService(MT5Client(FakeTerminal(), symbols, CLOCK), store, storage, symbols, MovedClock(NOW))
    store.append(hours(H1, FIRST, NOW.replace(minute=0, second=0)))
    return made


def pages(market: MarketService, frame: Timeframe, count: int, **span: datetime) -> list[list[int]]:
    """Times of every page, from the newest back."""
    found: list[list[int]] = []
    until = span.get("until")
    while True:
        bars, _ = market.chart("EURUSD", frame, count=count, until=until, since=span.get("since"))
        if not len(bars):
            return found
        found.append(bars.time.tolist())
        until = bars.opened(0)


@pytest.mark.parametrize(
    ("frame", "count"), [(H1, 7), (H1, 100), (H4, 1), (H4, 4), (H4, 5), (D1, 1), (D1, 2)]
)
def test_pages_together_are_every_bar_once(market: MarketService, frame: Timeframe, count: int) -> None:
    whole, _ = market.chart("EURUSD", frame, count=10_000)
    found = pages(market, frame, count)
    assert [time for page in reversed(found) for time in page] == whole.time.tolist()
    assert all(len(page) == count for page in found[:-1])
    # 60 hours since Monday: 15 of four hours, two whole days.
    assert len(whole) == {H1: 60, H4: 15, D1: 2}[frame]


def test_longer_bars_begin_on_the_brokers_clock_and_hold_all_of_theirs(market: MarketService) -> None:
    days, made_of = market.chart("EURUSD", D1, count=1)
    assert made_of is H1
    assert days.opened(0) == FIRST + timedelta(days=1)
    assert (days.open[0], days.close[0], days.volume[0]) == (1.24, 1.47, 24)


def test_a_bar_that_is_forming_is_no_bar(market: MarketService) -> None:
    bars, _ = market.chart("EURUSD", H4, count=1)
    assert bars.opened(0) == datetime(2026, 3, 4, 6, tzinfo=UTC)  # closed at 10:00
    before, _ = market.chart("EURUSD", H4, count=1, until=datetime(2026, 3, 4, 9, 59, tzinfo=UTC))
    assert before.opened(0) == datetime(2026, 3, 4, 2, tzinfo=UTC)


def test_what_is_stored_comes_before_what_could_be_made(market: MarketService) -> None:
    stored = hours(H4, FIRST + timedelta(days=1), FIRST + timedelta(days=2))
    market.store.append(stored)
    bars, made_of = market.chart("EURUSD", H4, count=100)
    assert (made_of, len(bars)) == (H4, 6)
    older, made_of = market.chart("EURUSD", H4, count=100, until=bars.opened(0))
    assert (made_of, len(older)) == (H1, 6)


def test_the_longest_that_divides_is_taken(market: MarketService) -> None:
    market.store.append(hours(M30, FIRST, FIRST + timedelta(days=2)))
    assert market.chart("EURUSD", D1, count=5)[1] is H1
    assert market.chart("EURUSD", Timeframe.M30, count=5)[1] is M30
    bars, made_of = market.chart("EURUSD", Timeframe.M20, count=5)  # of neither
    assert (len(bars), made_of) == (0, Timeframe.M20)
    assert len(market.chart("GBPUSD", D1, count=5)[0]) == 0


def test_a_page_of_very_many_short_bars_is_shorter_and_goes_on(
    market: MarketService, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = market.chart("EURUSD", H4, count=100)
    monkeypatch.setattr(service, "MOST_SHORT_BARS", 12)
    found = pages(market, H4, 100)
    assert [time for page in reversed(found) for time in page] == whole.time.tolist()
    assert len(found[0]) == 3


def test_since_ends_the_scrolling(market: MarketService) -> None:
    since = FIRST + timedelta(hours=50)
    assert sum(len(page) for page in pages(market, H1, 3, since=since)) == 10


def test_a_month_needs_all_of_its_days(tmp_path: Path, market: MarketService) -> None:
    market.store.append(
        hours(D1, datetime(2025, 11, 30, 22, tzinfo=UTC), datetime(2026, 2, 28, 22, tzinfo=UTC))
    )
    months, made_of = market.chart("EURUSD", MN1, count=2)
    assert made_of is D1
    assert [int(volume) for volume in months.volume] == [31, 28]


# Ticks


def tick(second: int, **fields: Any) -> dict[str, Any]:
    moment = FIRST + timedelta(seconds=second)
    return {
        "symbol": "EURUSD",
        "tick_time": moment.isoformat().replace("+00:00", "Z"),
        "bid": second,
    } | fields


def test_ticks_come_from_all_days_and_those_that_are_none_are_left_out(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path, fsync=False)
    storage.append_jsonl(f"{FOLDER}/EURUSD_20260301.jsonl", [tick(1), tick(2)])
    storage.append_jsonl(f"{FOLDER}/EURUSD_20260302.jsonl", [tick(7200), {"bid": 1}, {"tick_time": 5}])
    storage.append_jsonl(f"{FOLDER}/EURUSDX_20260302.jsonl", [tick(9)])
    with (tmp_path / FOLDER / "EURUSD_20260302.jsonl").open("ab") as file:
        file.write(b"garbage\n" + b'{"tick_time"')

    def seen(**span: Any) -> tuple[list[int], bool]:
        rows, more = seen_ticks(storage, "EURUSD", **span)
        return [row["bid"] for row in rows], more

    assert seen(count=10) == ([1, 2, 7200], False)
    assert seen(count=2) == ([2, 7200], True)
    assert seen(count=10, until=FIRST + timedelta(seconds=7200)) == ([1, 2], False)
    assert seen(count=1, until=FIRST + timedelta(seconds=7200)) == ([2], True)
    assert seen(count=10, since=FIRST + timedelta(seconds=2)) == ([2, 7200], False)
    assert seen_ticks(storage, "GBPUSD", count=1) == ([], False)


def test_a_tick_that_was_seen_again_and_again_stands_on_one_page(tmp_path: Path) -> None:
    """As over a weekend, of whose last tick each look made a row, on several days."""
    storage = FileStorage(tmp_path, fsync=False)
    storage.append_jsonl(f"{FOLDER}/EURUSD_20260301.jsonl", [tick(1), tick(2), tick(2)])
    storage.append_jsonl(f"{FOLDER}/EURUSD_20260302.jsonl", [tick(2), tick(2), tick(3)])
    page, more = seen_ticks(storage, "EURUSD", count=2)
    assert ([row["bid"] for row in page], more) == ([2, 2, 2, 2, 3], True)
    older, more = seen_ticks(storage, "EURUSD", count=2, until=FIRST + timedelta(seconds=2))
    assert ([row["bid"] for row in older], more) == ([1], False)
