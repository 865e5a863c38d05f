"""Writing to the broker over HTTP: what is done, what is refused with its reason, both on record."""

from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.control.state import HaltKind
from backend.journal.record import Kind
from backend.simulator.faults import Fault
from tests.fakes.http import TestClient
from tests.fakes.order_desk import OrderDesk
from tests.fakes.services import fake_desk

JSON = {"content-type": "application/json"}


class Api:
    """An API over a scripted broker."""

    def __init__(self, home: Path, **how: Any) -> None:
        self.desk = OrderDesk(home / "data", **how)
        self.orders = self.desk.service(home / "config")
        self.client = TestClient(
            create_app(fake_desk(home, orders=self.orders)), base_url="http://127.0.0.1:5001"
        )

    def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        with self.client as client:
            answer = client.request(method, path, json=body) if body else client.request(method, path)
        found = answer.json()
        return answer.status_code, found.get("error", found)

    def refused_records(self) -> list[Any]:
        return [
            record.payload["refused"]["code"]
            for record in self.desk.journal.newest(kind=Kind.ORDER_OUTCOME)
            if "refused" in record.payload
        ]


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def test_a_position_is_closed_in_part_and_then_whole(api: Api) -> None:
    ticket = api.desk.open()
    status, answer = api.ask("POST", f"/api/positions/{ticket}/close", volume=0.4, reason="half is enough")
    assert (status, answer["outcome"], answer["volume"]) == (200, "done", "0.4")
    assert api.ask("POST", f"/api/positions/{ticket}/close")[0] == 200
    assert api.desk.client.positions() == ()
    intent = api.desk.journal.find(Kind.ORDER_INTENT, answer["intent"]).payload
    assert (intent["kind"], intent["why"]) == ("close", "half is enough")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"volume": 0}, "bad_volume"),
        ({"volume": -0.1}, "bad_volume"),
        ({"volume": 0.015}, "bad_volume"),
        ({"volume": 2}, "bad_volume"),
        ({"volume": "much"}, "invalid_request"),
        ({"size": 1}, "invalid_request"),
    ],
)
def test_a_volume_that_cannot_be_closed_is_refused_and_recorded(
    api: Api, body: dict[str, Any], code: str
) -> None:
    ticket = api.desk.open()
    status, error = api.ask("POST", f"/api/positions/{ticket}/close", **body)
    assert (status, error["code"], api.desk.sent) == (422, code, [])
    assert api.refused_records() == ([code] if code == "bad_volume" else [])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_no_number_is_no_volume(api: Api, number: str) -> None:
    ticket = api.desk.open()
    with api.client as client:
        answer = client.post(
            f"/api/positions/{ticket}/close", content=f'{{"volume": {number}}}', headers=JSON
        )
    assert (answer.status_code, api.desk.sent) == (422, [])


def test_what_is_not_there_or_not_ours(api: Api) -> None:
    foreign = api.desk.open(magic=7)
    assert api.ask("POST", "/api/positions/9/close")[0] == 404
    assert api.ask("DELETE", "/api/orders/9")[0] == 404
    assert api.ask("POST", "/api/positions/0/close")[1]["code"] == "bad_ticket"
    assert api.ask("POST", f"/api/positions/{foreign}/close")[1]["code"] == "not_ours"
    assert api.ask("POST", f"/api/positions/{foreign}/close", all=True)[0] == 200


def test_a_stop_is_moved_and_a_wrong_one_is_not(api: Api) -> None:
    ticket = api.desk.open(tp=1.12)
    path = f"/api/positions/{ticket}"
    assert api.ask("PATCH", path, stop=1.095)[0] == 200
    assert api.ask("PATCH", path, stop=1.095)[1]["retcode"] == 10025
    for body, code in (
        ({"stop": 1.2}, "bad_stop"),
        ({"target": 1.0}, "bad_target"),
        ({"stop": 1.0951234}, "bad_stop"),
        ({"reason": "nothing"}, "nothing_to_change"),
    ):
        status, error = api.ask("PATCH", path, **body)
        assert (status, error["code"]) == (422, code)
    assert api.ask("PATCH", path, stop=None)[1]["code"] == "stop_required"
    assert api.ask("PATCH", path, target=None)[0] == 200
    position = api.desk.client.positions()[0]
    assert (position.stop, position.target) == (1.095, None)


def test_an_order_is_moved_and_cancelled_and_its_idea_follows(api: Api) -> None:
    api.desk.idea(order_type="limit", offset_ticks=-50, expiry_bars=40)
    ticket = api.desk.send()["order"]["ticket"]
    assert api.ask("PATCH", f"/api/orders/{ticket}", price=1.099, stop=1.098)[0] == 200
    assert api.desk.book.get("i-1")["order"]["price"] == 1.099
    assert api.ask("DELETE", f"/api/orders/{ticket}")[0] == 200
    assert api.desk.book.get("i-1")["status"] == "cancelled"
    assert api.ask("PATCH", f"/api/orders/{ticket}", price=1.0)[0] == 404


def test_what_the_broker_says_is_the_answer(tmp_path: Path) -> None:
    api = Api(tmp_path, script={2: Fault.REJECT, 3: Fault.NO_ANSWER})
    ticket = api.desk.open()
    path = f"/api/positions/{ticket}/close"
    status, error = api.ask("POST", path)
    assert (status, error["code"], error["details"]["retcode"]) == (409, "broker_refused", 10006)
    status, error = api.ask("POST", path)
    assert (status, error["code"]) == (503, "outcome_unknown")
    api.desk.stage.market.closed.add("EURUSD")
    status, error = api.ask("POST", path)
    assert (status, error["code"], error["details"]["retcode"]) == (409, "try_later", 10018)


def test_reducing_risk_is_allowed_while_the_desk_is_halted(api: Api) -> None:
    position, order = api.desk.open(), api.desk.pend(2, 1.08)
    api.desk.control.halt(HaltKind.PERSON, "enough", actor="me")
    assert api.ask("PATCH", f"/api/positions/{position}", stop=1.095)[0] == 200
    assert api.ask("DELETE", f"/api/orders/{order}")[0] == 200
    assert api.ask("POST", f"/api/positions/{position}/close")[0] == 200


def test_the_kill_switch(api: Api) -> None:
    api.desk.open()
    api.desk.pend(2, 1.08)
    api.desk.pend(2, 1.07, magic=7)
    status, report = api.ask("POST", "/api/control/kill")
    assert (status, report["halted"], len(report["cancelled"]), report["closed"]) == (200, True, 1, [])
    assert api.desk.control.state().of(HaltKind.KILL_SWITCH) is not None
    status, report = api.ask("POST", "/api/control/kill", close=True, all=True, reason="everything")
    assert (status, report["orders_left"], report["positions_left"]) == (200, [], [])
    assert len(report["closed"]) == 1
    assert api.ask("POST", "/api/control/kill", close="yes")[0] == 422


def test_a_person_resolves_what_is_unknown(tmp_path: Path) -> None:
    api = Api(tmp_path, script={1: Fault.NO_ANSWER_EXECUTED})
    api.desk.idea()
    assert api.desk.send()["status"] == "unknown"
    path = "/api/trade-ideas/i-1/resolve"
    assert api.ask("POST", path, status="open", ticket=99, reason="I looked")[1]["code"] == "not_so"
    assert api.ask("POST", path, status="sending", reason="I looked")[0] == 422
    assert api.ask("POST", path, status="failed")[0] == 422, "a reason is needed"
    ticket = api.desk.client.positions()[0].ticket
    status, idea = api.ask("POST", path, status="open", ticket=ticket, reason="I looked")
    assert (status, idea["status"], idea["history"][-1]["by"]) == (200, "open", "local")
    assert api.ask("POST", path, status="failed", reason="again")[0] == 409
    assert api.ask("POST", "/api/trade-ideas/none/resolve", status="failed", reason="x")[0] == 404
