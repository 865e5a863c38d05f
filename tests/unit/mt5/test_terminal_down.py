"""Unknown is never shown as empty or zero: with the terminal down there is an error, not a flat account."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from backend.core.errors import Unavailable
from backend.core.timeframes import Timeframe
from backend.market.symbols import SymbolMap, SymbolRow
from backend.mt5.client import MT5Client
from backend.mt5.server_time import ServerClock
from tests.fakes.terminal import FakeTerminal, symbol_info

NOW = datetime(2026, 1, 6, 12, 0, 30, tzinfo=UTC)
SYMBOLS = SymbolMap(rows=(SymbolRow(canonical="EURUSD", broker_symbol="EURUSD", enabled=True),))
ASKED: dict[str, Callable[[MT5Client], object]] = {
    "positions": lambda client: client.positions(),
    "account": lambda client: client.account(),
    "quote": lambda client: client.quote("EURUSD"),
    "specification": lambda client: client.instrument("EURUSD"),
    "bars": lambda client: client.closed_bars("EURUSD", Timeframe.H1, count=5, now=NOW),
    "terminal": lambda client: client.terminal(),
}


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("down", [(-10_004, "No IPC connection"), (-10_005, "IPC timeout"), (-1, "failed")])
def test_what_cannot_be_asked_is_an_error_with_the_terminals_own_code(
    what: str, down: tuple[int, str]
) -> None:
    terminal = FakeTerminal()
    terminal.infos["EURUSD"] = symbol_info()
    client = MT5Client(terminal, SYMBOLS, ServerClock.parse("America/New_York+7"))
    terminal.down = down
    with pytest.raises(Unavailable) as refusal:
        ASKED[what](client)
    assert refusal.value.details["terminal_code"] == down[0]
    assert down[1] in refusal.value.message


def test_no_positions_is_an_answer_only_where_the_terminal_gave_it() -> None:
    client = MT5Client(FakeTerminal(), SYMBOLS, ServerClock.parse("America/New_York+7"))
    assert client.positions() == ()
