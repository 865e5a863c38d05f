"""A long fetch from the terminal: piece by piece, stored as it goes, and on from where it stopped."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import Unavailable
from backend.core.timeframes import Timeframe
from backend.market import topping
from backend.market.service import MarketService
from backend.market.store import MarketStore
from backend.market.symbols import SymbolMap
from backend.mt5.client import MT5Client
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from tests.conftest import ROOT
from tests.fakes.desk import MovedClock
from tests.fakes.terminal import FakeTerminal, symbol_info

NOW = datetime(2026, 6, 10, 14, 0, 30, tzinfo=UTC)
CLOCK = ServerClock.parse("UTC")
H1 = Timeframe.H1


def ignore(_: datetime) -> None:
    """Nobody watches."""


@pytest.fixture
def terminal() -> FakeTerminal:
    """Hours of a year, with a weekend of every week left out."""
    fake = FakeTerminal()
    fake.infos["EURUSD"] = symbol_info("EURUSD")
    fake.put_tick("EURUSD", int(NOW.timestamp()) * 1000)
    moments = [NOW.replace(minute=0, second=0) - timedelta(hours=hour) for hour in range(24 * 365)]
    fake.put_bars(
        "EURUSD", H1, [int(moment.timestamp()) for moment in reversed(moments) if moment.weekday() < 5]
    )
    return fake


def market(folder: Path, terminal: FakeTerminal) -> MarketService:
    storage = FileStorage(folder, fsync=False)
    symbols = SymbolMap.load(ROOT / "config" / "symbol_map.csv")
    clock = MovedClock(NOW)
    client = MT5Client(terminal, symbols, CLOCK)
    return MarketService(client, MarketStore(storage, CLOCK, clock=clock), storage, symbols, clock)


def rates_asked(terminal: FakeTerminal) -> int:
    return terminal.asked("copy_rates_range") + terminal.asked("copy_rates_from_pos")


def test_all_closed_bars_back_to_the_day_are_stored(
    tmp_path: Path, terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topping, "PIECE_BARS", 500)
    since = NOW.replace(hour=0, minute=0, second=0) - timedelta(days=200)
    reached: list[datetime] = []
    desk = market(tmp_path, terminal)
    added = desk.fill("EURUSD", H1, since=since, progress=reached.append)
    bars = desk.store.bars("EURUSD", H1)
    had = terminal.rates["EURUSD", H1]["time"].astype(np.int64)
    wanted = had[(had >= since.timestamp()) & (had < int(NOW.timestamp()) // 3600 * 3600)]
    assert bars.time.tolist() == wanted.tolist()
    assert added == len(wanted)
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] == since
    assert len(reached) >= 9  # in pieces


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(
    tmp_path: Path, terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topping, "PIECE_BARS", 500)
    since = NOW - timedelta(days=300)

    def fail_at(moment: datetime) -> None:
        if moment < NOW - timedelta(days=120):
            terminal.down = (-10004, "No IPC connection")

    with pytest.raises(Unavailable):
        market(tmp_path, terminal).fill("EURUSD", H1, since=since, progress=fail_at)
    terminal.down = None
    kept = len(market(tmp_path, terminal).store.bars("EURUSD", H1))
    assert kept > 1000
    before = rates_asked(terminal)
    again = market(tmp_path, terminal)
    added = again.fill("EURUSD", H1, since=since, progress=ignore)
    whole = again.store.bars("EURUSD", H1)
    assert len(whole) == kept + added
    assert whole.opened(0) >= since
    assert (np.diff(whole.time) > 0).all()
    assert rates_asked(terminal) - before < 12  # what was stored is not asked for again
    assert market(tmp_path, terminal).fill("EURUSD", H1, since=since, progress=ignore) == 0


def test_the_beginning_of_the_terminal_s_history_ends_the_fetch(
    tmp_path: Path, terminal: FakeTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topping, "PIECE_BARS", 500)
    desk = market(tmp_path, terminal)
    desk.fill("EURUSD", H1, since=datetime(1990, 1, 1, tzinfo=UTC), progress=ignore)
    assert len(desk.store.bars("EURUSD", H1)) == len(terminal.rates["EURUSD", H1]) - 1
    assert rates_asked(terminal) < 40
