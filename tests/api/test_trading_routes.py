"""What stands at the broker, over a simulated terminal: told whole, or not told."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.core.clock import FixedClock, iso, parse_iso
from backend.mt5.api import CallFailed
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.orders import OrderRequest
from backend.mt5.words import Filling, OrderType, TradeAction
from backend.simulator.build import build_simulated_terminal
from backend.simulator.faults import Fault, Faults
from backend.simulator.terms import BrokerTerms
from tests.api.conftest import BASE
from tests.contracts.test_dealer import EURO, Names
from tests.contracts.test_mt5_api import CLOCK, NOW
from tests.fakes.account import OURS, desk_account
from tests.fakes.http import TestClient
from tests.fakes.services import fake_desk

PATHS = ("/api/account", "/api/positions", "/api/positions/5", "/api/orders", "/api/orders/5", "/api/deals")


class Stage:
    """A desk whose API is asked and whose terminal the test deals on."""

    def __init__(self, home: Path, faults: dict[int, Fault]) -> None:
        self.terminal = build_simulated_terminal(
            seed=7,
            replay=None,
            server_clock=CLOCK,
            now=lambda: NOW,
            terms=BrokerTerms(faults=Faults(script=faults)),
        )
        self.dealer = Dealer(self.terminal, Names(), CLOCK)
        self.client = MT5Client(self.terminal, Names(), CLOCK)
        desk = fake_desk(home, terminal=self.client, dealer=self.dealer)
        object.__setattr__(desk, "clock", FixedClock(NOW))
        self.first_stops: dict[int, float] = {}
        account = desk_account(
            desk.storage, self.client, self.dealer, desk.clock, first_stops=lambda: self.first_stops
        )
        object.__setattr__(desk, "account", account)
        self.http = TestClient(create_app(desk, host="127.0.0.1"), base_url=BASE)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def deal(self, volume: str = "0.3", side: OrderType = OrderType.BUY, **changes: Any) -> int:
        quote = self.client.quote(EURO)
        given: dict[str, Any] = {
            "action": TradeAction.DEAL,
            "symbol": EURO,
            "volume": Decimal(volume),
            "type": side,
            "price": quote.ask if side.buy else quote.bid,
            "magic": OURS,
            "comment": "o-1",
            "filling": Filling.IOC,
        }
        answer = self.dealer.send(OrderRequest(**(given | changes)))
        return int(answer.order)  # type: ignore[union-attr]  # the test's own terminal answers

    def wait_for(self, below: str) -> int:
        price = self.client.quote(EURO).bid - Decimal(below)
        return self.deal(
            action=TradeAction.PENDING,
            side=OrderType.BUY_LIMIT,
            price=price,
            filling=Filling.RETURN,
        )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    with ExitStack() as stack:

        def make(faults: dict[int, Fault] | None = None) -> Stage:
            made = Stage(tmp_path, faults or {})
            stack.enter_context(made.http)
            return made

        yield make


def test_the_account(stage: Callable[..., Stage]) -> None:
    desk = stage()
    desk.deal()
    told = desk.get("/api/account")
    info = desk.terminal.account_info()
    assert info is not None
    assert (told["balance"], told["equity"], told["profit"]) == (info.balance, info.equity, info.profit)
    assert told["profit"] != 0
    assert (told["login"], told["currency"], told["kind"], told["hedging"]) == (
        info.login,
        "USD",
        "demo",
        True,
    )
    assert (told["at"], told["connected"]) == (iso(NOW), True)


def test_positions_ours_and_others(stage: Callable[..., Stage]) -> None:
    desk = stage()
    assert desk.get("/api/positions") == {
        "at": iso(NOW),
        "connected": True,
        "items": [],
        "open_risk": {"money": 0.0, "r": 0.0, "without_stop": 0},
    }
    ours = desk.deal("0.3", stop=Decimal("1.0"))
    others = desk.deal("0.1", OrderType.SELL, magic=0, comment="")
    told = {row["ticket"]: row for row in desk.get("/api/positions")["items"]}
    assert set(told) == {ours, others}
    row = told[ours]
    assert (row["symbol"], row["broker_symbol"], row["side"]) == (EURO, "EURUSD", "buy")
    assert (row["volume"], row["stop"], row["target"]) == (0.3, 1.0, None)
    assert (row["magic"], row["ours"], row["comment"]) == (OURS, True, "o-1")
    assert abs(parse_iso(row["opened_at"]) - NOW) < timedelta(seconds=1)
    assert row["opened_at"].endswith("Z")
    assert (told[others]["side"], told[others]["ours"]) == ("sell", False)
    assert desk.get(f"/api/positions/{ours}") == row


def test_open_risk_of_each_position_and_of_all(stage: Callable[..., Stage]) -> None:
    desk = stage()
    entry = desk.client.quote(EURO).ask
    stop = entry - Decimal("0.0100")
    ticket = desk.deal("0.3", stop=stop)
    desk.first_stops[ticket] = float(entry - Decimal("0.0200"))
    answer = desk.get("/api/positions")
    (row,) = answer["items"]
    left = 0.3 * 100_000 * (row["price_current"] - float(stop))
    assert row["at_risk"] == pytest.approx(left, abs=0.01)
    assert row["at_risk_r"] == pytest.approx(left / (0.3 * 100_000 * 0.02), abs=1e-4)
    assert row["moved_r"] == pytest.approx((row["price_current"] - row["price_open"]) / 0.02, abs=1e-4)
    assert answer["open_risk"] == {"money": row["at_risk"], "r": row["at_risk_r"], "without_stop": 0}
    desk.deal("0.1", OrderType.SELL, magic=0)
    assert desk.get("/api/positions")["open_risk"] == {"money": None, "r": None, "without_stop": 1}


def test_pending_orders_and_what_became_of_them(stage: Callable[..., Stage]) -> None:
    desk = stage()
    ticket = desk.wait_for("0.004")
    (row,) = desk.get("/api/orders")["items"]
    assert (row["ticket"], row["type"], row["state"], row["ours"]) == (ticket, "buy_limit", "placed", True)
    assert (row["volume"], row["volume_left"], row["done_at"]) == (0.3, 0.3, None)
    assert row["price"] == float(desk.client.quote(EURO).bid - Decimal("0.004"))
    assert desk.get(f"/api/orders/{ticket}") == row
    desk.dealer.send(OrderRequest(action=TradeAction.REMOVE, order=ticket))
    assert desk.get("/api/orders")["items"] == []
    gone = desk.get(f"/api/orders/{ticket}")
    assert (gone["state"], gone["done_at"] is None) == ("canceled", False)


def test_deals_newest_first_and_page_by_page(stage: Callable[..., Stage]) -> None:
    desk = stage()
    ticket = desk.deal("0.3")
    desk.deal("0.1", OrderType.SELL, position=ticket)
    desk.deal("0.2")
    every = desk.get("/api/deals", since=iso(NOW - timedelta(days=3000)))
    assert [(row["type"], row["entry"]) for row in every["items"]] == [
        ("buy", "in"),
        ("sell", "out"),
        ("buy", "in"),
        ("balance", "in"),
    ]
    assert every["next_cursor"] is None
    booked = every["items"][-1]
    assert (booked["net"], booked["symbol"], booked["price"], booked["ours"]) == (10_000, "", None, False)
    own = desk.get("/api/deals", position=ticket)
    assert [row["volume"] for row in own["items"]] == [0.1, 0.3]
    assert (own["since"], own["until"]) == (None, None)
    closing = own["items"][0]
    parts = closing["profit"] + closing["swap"] + closing["commission"] + closing["fee"]
    assert closing["net"] == pytest.approx(parts)
    pages: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.get("/api/deals", since=every["since"], limit=1, **cursor)
        pages += [row["ticket"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert pages == [row["ticket"] for row in every["items"]]


def test_deals_of_a_time(stage: Callable[..., Stage]) -> None:
    desk = stage()
    desk.deal()
    before, after = iso(NOW - timedelta(seconds=2)), iso(NOW + timedelta(seconds=2))
    assert len(desk.get("/api/deals", since=before, until=after)["items"]) == 2  # the deposit too
    assert desk.get("/api/deals", since=after)["items"] == []
    assert desk.get("/api/deals")["since"] == iso(NOW - timedelta(days=30))
    assert len(desk.get("/api/deals", until=before)["items"]) == 0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/positions/5", 404, "unknown_position"),
        ("/api/orders/5", 404, "unknown_order"),
        ("/api/positions/0", 422, "bad_ticket"),
        ("/api/positions/-1", 422, "bad_ticket"),
        (f"/api/orders/{2**64}", 422, "bad_ticket"),
        ("/api/orders/five", 422, "invalid_request"),
        ("/api/deals?since=2025-11-19T00:00:00Z&until=2025-11-18T00:00:00Z", 422, "bad_range"),
        ("/api/deals?since=2025-11-19T00:00:00", 422, "invalid_request"),
        ("/api/deals?since=yesterday", 422, "invalid_request"),
        ("/api/deals?position=0", 422, "invalid_request"),
        ("/api/deals?limit=0", 422, "invalid_request"),
        ("/api/deals?cursor=nope", 422, "bad_cursor"),
        ("/api/deals?position=99&cursor=1", 422, "bad_cursor"),
    ],
)
def test_refusals(stage: Callable[..., Stage], path: str, status: int, code: str) -> None:
    answer = stage().http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", PATHS)
def test_a_terminal_that_does_not_answer_is_a_503_with_its_reason(
    stage: Callable[..., Stage], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = stage()
    desk.deal()
    monkeypatch.setattr(desk.terminal, "_call", _away)
    answer = desk.http.get(path)
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "terminal_unreachable"
    assert error["details"]["terminal_code"] == -10_005
    assert answer.headers["retry-after"]


@pytest.mark.parametrize("path", PATHS[1:-1])
def test_a_terminal_without_its_server_does_not_pass_for_one_with_nothing(
    stage: Callable[..., Stage], path: str
) -> None:
    desk = stage({1: Fault.DISCONNECT})
    desk.deal()
    answer = desk.http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "terminal_offline")
    assert desk.get("/api/account")["connected"] is False


def test_what_a_terminal_without_its_server_still_knows_is_marked(stage: Callable[..., Stage]) -> None:
    desk = stage({2: Fault.DISCONNECT})
    ticket = desk.deal()
    desk.deal()
    told = desk.get("/api/positions")
    assert (told["connected"], [row["ticket"] for row in told["items"]]) == (False, [ticket])


def _away(*_: Any, **__: Any) -> Any:
    raise CallFailed(-10_005, "IPC timeout")
