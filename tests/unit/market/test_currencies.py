"""The currencies of the symbols that the desk trades: from the files first, else from the terminal."""

from datetime import UTC, datetime
from pathlib import Path

from backend.market.service import MarketService
from backend.market.specifications import Specifications
from backend.market.store import MarketStore
from backend.market.symbols import SymbolMap
from backend.mt5.client import MT5Client
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from tests.conftest import ROOT
from tests.fakes.desk import MovedClock
from tests.fakes.terminal import FakeTerminal, symbol_info

NOW = datetime(2026, 6, 10, tzinfo=UTC)
CLOCK = ServerClock.parse("UTC")
EURUSD = {"EURUSD": frozenset({"EUR", "USD"})}


def market(folder: Path, terminal: FakeTerminal) -> MarketService:
    storage = FileStorage(folder, fsync=False)
    symbols = SymbolMap.load(ROOT / "config" / "symbol_map.csv")
    clock = MovedClock(NOW)
    client = MT5Client(terminal, symbols, CLOCK)
    return MarketService(client, MarketStore(storage, CLOCK, clock=clock), storage, symbols, clock)


def keep(folder: Path, desk: MarketService) -> None:
    Specifications(FileStorage(folder, fsync=False)).keep(desk.instrument("EURUSD"), NOW)


def test_the_terminal_is_asked_for_what_no_file_tells(tmp_path: Path) -> None:
    terminal = FakeTerminal()
    terminal.infos["EURUSD"] = symbol_info("EURUSD")
    desk = market(tmp_path, terminal)
    assert desk.currencies() == EURUSD  # the broker has none of the others
    keep(tmp_path, desk)
    terminal.calls.clear()
    assert desk.currencies() == EURUSD
    assert ("EURUSD",) not in [asked for _, asked in terminal.calls]


def test_a_terminal_that_is_down_is_asked_once_and_what_is_stored_is_known(tmp_path: Path) -> None:
    terminal = FakeTerminal()
    terminal.infos["EURUSD"] = symbol_info("EURUSD")
    keep(tmp_path, market(tmp_path, terminal))
    terminal.calls.clear()
    terminal.down = (-10005, "Timeout")
    assert market(tmp_path, terminal).currencies() == EURUSD
    assert len({asked for function, asked in terminal.calls if function == "symbol_info"}) == 1
