"""`mt5ui account`, `positions` and `orders`, over HTTP to a desk with a simulated terminal."""

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.cli.main import main
from backend.mt5.api import CallFailed
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.orders import OrderRequest
from backend.mt5.words import Filling, OrderType, TradeAction
from backend.simulator.build import build_simulated_terminal
from tests.contracts.test_dealer import EURO, Names
from tests.contracts.test_mt5_api import CLOCK, NOW
from tests.fakes.account import desk_account
from tests.fakes.http_app import served
from tests.fakes.services import fake_desk

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def terminal() -> Any:
    return build_simulated_terminal(seed=7, replay=None, server_clock=CLOCK, now=lambda: NOW)


@pytest.fixture
def dealer(terminal: Any) -> Dealer:
    return Dealer(terminal, Names(), CLOCK)


@pytest.fixture
def run(terminal: Any, dealer: Dealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Any:
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path / "elsewhere"))
    client = MT5Client(terminal, Names(), CLOCK)
    desk = fake_desk(tmp_path / "desk", terminal=client, dealer=dealer)
    object.__setattr__(desk, "account", desk_account(desk.storage, client, dealer, desk.clock))
    with served(create_app(desk, host="127.0.0.1")) as url:
        monkeypatch.setenv("MT5UI_PORT", url.rsplit(":", 1)[1])

        def call(*words: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["run.py", *words])
            code = 0
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            return code, *capfd.readouterr()

        yield call


def buy(**changes: Any) -> OrderRequest:
    given: dict[str, Any] = {
        "action": TradeAction.DEAL,
        "symbol": EURO,
        "volume": Decimal("0.3"),
        "type": OrderType.BUY,
        "magic": 5_100_501,
        "filling": Filling.IOC,
        "stop": Decimal("1.00001"),
    }
    return OrderRequest(**(given | changes))


def test_the_account(run: Run) -> None:
    code, out, err = run("account")
    assert (code, err) == (0, "")
    assert "DEMO" in out
    assert "10,000.00 USD" in out
    assert json.loads(run("account", "--json")[1])["balance"] == 10_000


def test_none_is_said_so(run: Run) -> None:
    assert run("positions")[1].strip() == "There are no open positions."
    assert run("orders")[1].strip() == "There are no pending orders."
    assert json.loads(run("orders", "--json")[1])["items"] == []


def test_positions_and_orders(run: Run, dealer: Dealer) -> None:
    dealer.send(buy())
    dealer.send(buy(magic=0, stop=None, type=OrderType.SELL))
    code, out, _ = run("positions")
    assert code == 0
    (ours,) = (line for line in out.splitlines() if "this desk" in line)
    assert {EURO, "buy", "0.3", "1.00001"} <= set(ours.split())
    assert [line for line in out.splitlines() if "a person" in line]
    assert len(json.loads(run("positions", "--json")[1])["items"]) == 2
    pending = buy(
        action=TradeAction.PENDING,
        type=OrderType.BUY_LIMIT,
        price=Decimal("1.05"),
        filling=Filling.RETURN,
        magic=77,
    )
    dealer.send(pending)
    _, out, _ = run("orders")
    (line,) = (line for line in out.splitlines() if "buy_limit" in line)
    assert {"0.3", "1.05", "1.00001", "77"} <= set(line.split())


@pytest.mark.parametrize("command", ["account", "positions", "orders"])
def test_a_terminal_that_is_away_is_an_error_and_never_a_table(
    run: Run, terminal: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise CallFailed(-10_005, "IPC timeout")

    monkeypatch.setattr(terminal, "_call", away)
    code, out, err = run(command)
    assert (code, out) == (1, "")
    assert "IPC timeout" in err
    code, out, _ = run(command, "--json")
    assert code == 1
    assert json.loads(out)["error"]["code"] == "terminal_unreachable"
