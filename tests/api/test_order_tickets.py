"""Order tickets over HTTP: levels as prices or as distances, previewed and sent."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from tests.fakes.http import TestClient
from tests.fakes.live_orders import LiveOrders
from tests.fakes.services import fake_desk


class Api:
    def __init__(self, home: Path) -> None:
        self.live = LiveOrders(home / "live")
        desk = fake_desk(home / "desk", orders=self.live.orders)
        self.client = TestClient(create_app(desk), base_url="http://127.0.0.1:5001")

    def post(self, path: str, **fields: Any) -> tuple[int, Any]:
        body = {"symbol": "EURUSD", "side": "buy", "volume": 0.02} | fields
        with self.client as client:
            answer = client.post(path, json=body)
        found = answer.json()
        return answer.status_code, found.get("error", found)


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def test_distances_become_prices(api: Api) -> None:
    ask = api.live.desk.market.quote("EURUSD").ask
    status, idea = api.post("/api/orders", stop={"points": 200}, target={"r": 2})
    assert (status, idea["status"]) == (200, "open")
    (position,) = api.live.desk.client.positions()
    assert Decimal(repr(position.stop)) == ask - Decimal("0.00200")
    assert Decimal(repr(position.target)) == ask + Decimal("0.00400")


def test_a_preview_says_the_same_and_sends_nothing(api: Api) -> None:
    ask = api.live.desk.market.quote("EURUSD").ask
    status, found = api.post("/api/orders/preview", stop={"atr": 1.5}, target={"r": 2}, timeframe="M15")
    assert (status, found["passed"]) == (200, True)
    assert found["stop"] < float(ask) < found["target"]
    assert found["target"] - float(ask) == pytest.approx(2 * (float(ask) - found["stop"]))
    assert api.live.desk.client.positions() == ()


@pytest.mark.parametrize(
    "levels",
    [
        {},
        {"stop": {}},
        {"stop": {"points": 200, "atr": 1}},
        {"stop": {"pips": 20}},
        {"stop": {"points": "many"}},
        {"stop": {"points": -200}},
        {"stop": {"r": 1}},
        {"stop": {"points": 200}, "target": {"r": 0}},
        {"stop": {"atr": 1}, "timeframe": "M7"},
        {"stop": "far"},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_sent(api: Api, levels: dict[str, Any]) -> None:
    status, error = api.post("/api/orders", **levels)
    assert status == 422
    assert error["message"]
    assert api.live.desk.client.positions() == ()
