"""/api/trade-ideas and its older names, over the real parts and the simulated market."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from tests.fakes.desk import SimulatedDesk
from tests.fakes.http import TestClient
from tests.fakes.services import fake_desk
from tests.fakes.waiting import AT, desk_with_ideas

BASE = "http://127.0.0.1:5001"
PATH = "/api/trade-ideas"


@pytest.fixture
def desk(tmp_path: Path) -> SimulatedDesk:
    """A desk with a proposal on each of two symbols."""
    return desk_with_ideas(tmp_path)


@pytest.fixture
def client(desk: SimulatedDesk, tmp_path: Path) -> Iterator[TestClient]:
    services = replace(fake_desk(tmp_path / "home"), ideas=desk.ideas, idea_desk=desk.acts)
    with TestClient(create_app(services, host="127.0.0.1"), base_url=BASE) as opened:
        yield opened


def idea(desk: SimulatedDesk, symbol: str = "EURUSD") -> dict[str, Any]:
    (found,) = desk.book.find(symbol=symbol)
    return found


def error(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()["error"]
    return told


def test_approving_answers_with_the_idea_and_sends_it(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    answer = client.post(f"{PATH}/{made['id']}/approve")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["status"], told["sent"], told["history"][-1]["by"]) == ("approved", True, "local")
    assert desk.sent == [made["id"]]
    assert client.get(f"{PATH}/{made['id']}").json()["status"] == "approved"
    assert error(client.post(f"{PATH}/{made['id']}/approve"), 409)["code"] == "illegal_step"
    assert error(client.post(f"{PATH}/{made['id']}/reject", json={"reason": "x"}), 409)


def test_a_refusal_is_409_with_each_reason(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    desk.control.pause("click Algo Trading", actor="desk")
    told = error(client.post(f"{PATH}/{made['id']}/approve", json={"reason": "now"}), 409)
    assert told["code"] == "gate_refused"
    (refusal,) = told["details"]["refusals"]
    assert (refusal["check"], "click Algo Trading" in refusal["reason"]) == ("halted", True)
    history = client.get(f"{PATH}/{made['id']}").json()["history"]
    assert (history[-1]["why"], history[-1]["details"]["refusals"]) == ("now", [refusal])


@pytest.mark.parametrize(
    "body",
    [
        {"volume": 0},
        {"volume": -1},
        {"volume": 0.015},
        {"volume": "0.1"},
        {"volume": True},
        {"stop": 9.9},
        {"entry": 0},
        {"lots": 0.1},
        {"reason": "x" * 1001},
        {"reason": None},
        [],
    ],
)
@pytest.mark.parametrize("act", ["approve", "preview", "modify"])
def test_bad_changes_are_422_and_change_nothing(
    client: TestClient, desk: SimulatedDesk, act: str, body: Any
) -> None:
    made = idea(desk)
    path = f"{PATH}/{made['id']}"
    if act == "preview" and body == {"stop": 9.9}:
        return  # a preview shows it as a refused field
    answer = client.patch(path, json=body) if act == "modify" else client.post(f"{path}/{act}", json=body)
    assert error(answer, 422)["message"]
    assert idea(desk) == made


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_422(client: TestClient, desk: SimulatedDesk, number: str) -> None:
    made = idea(desk)
    headers = {"content-type": "application/json"}
    for act in ("approve", "preview"):
        answer = client.post(f"{PATH}/{made['id']}/{act}", content=f'{{"volume": {number}}}', headers=headers)
        assert answer.status_code == 422, answer.text
    assert idea(desk) == made


def test_a_volume_beyond_the_limit_is_409(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    body = {"volume": round(made["volume"] * 2, 2)}
    assert error(client.post(f"{PATH}/{made['id']}/approve", json=body), 409)["code"] == "too_much_risk"


def test_changes_are_previewed_made_and_taken_back(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    path = f"{PATH}/{made['id']}"
    stop = round(made["stop"] - 30 * made["tick_size"], 5)
    target = round(made["target"] + 100 * made["tick_size"], 5)
    shown = client.post(f"{path}/preview", json={"stop": stop, "target": target}).json()
    assert (shown["stop"], shown["target"], shown["fields"]) == (stop, target, {})
    assert shown["volume"] < made["volume"]
    assert {"check", "meaning", "passed", "measured", "bound", "reason"} == set(shown["checks"][0])
    assert idea(desk) == made
    body = {"stop": stop, "target": target, "notes": "wider", "reason": "noise"}
    changed = client.patch(path, json=body).json()
    assert (changed["stop"], changed["target"], changed["remark"]) == (stop, target, "wider")
    back = client.patch(path, json={"stop": None, "target": None}).json()
    assert back["fixed"] == {}
    assert round((back["entry"] - back["stop"]) / made["tick_size"]) == made["stop_ticks"]
    assert round((back["target"] - back["entry"]) / made["tick_size"]) == made["target_ticks"]
    assert error(client.patch(path, json={}), 422)["code"] == "nothing_to_change"


def test_rejecting_needs_a_reason(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    for body in ({}, {"reason": ""}, {"reason": "  "}):
        assert error(client.post(f"{PATH}/{made['id']}/reject", json=body), 422)
    assert client.post(f"{PATH}/{made['id']}/reject").status_code == 422
    done = client.post(f"{PATH}/{made['id']}/reject", json={"reason": "no"}).json()
    assert (done["status"], done["history"][-1]["why"]) == ("rejected", "no")


def test_cancelling(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    assert client.post(f"{PATH}/{made['id']}/cancel").json()["status"] == "cancelled"
    assert error(client.post(f"{PATH}/{made['id']}/cancel"), 409)


@pytest.mark.parametrize("act", ["approve", "reject", "cancel", "preview"])
def test_an_idea_that_is_not_there_is_404(client: TestClient, act: str) -> None:
    body = {"reason": "x"} if act in {"approve", "reject", "cancel"} else {}
    assert error(client.post(f"{PATH}/nope/{act}", json=body), 404)["code"] == "unknown_idea"


def ids(client: TestClient, **query: Any) -> list[str]:
    answer = client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [one["symbol"] for one in answer.json()["items"]]


def test_the_list_is_filtered(client: TestClient, desk: SimulatedDesk) -> None:
    desk.acts.reject(idea(desk, "GBPUSD")["id"], actor="ann", why="no")
    assert ids(client, status="rejected") == ["GBPUSD"]
    assert sorted(ids(client, status=["rejected", "pending_approval"])) == ["EURUSD", "GBPUSD"]
    assert ids(client, symbol="EURUSD", side="buy", strategy="ALWAYS", origin="strategy") == ["EURUSD"]
    assert ids(client, side="sell") == []
    assert ids(client, origin="manual") == []
    assert len(ids(client, since="2026-03-04T10:00:05Z", until="2026-03-04T10:00:06Z")) == 2
    assert ids(client, since="2026-03-04T10:00:06Z") == []
    assert ids(client, until="2026-03-04T12:00:05+02:00") == []
    for query in ({"status": "open?"}, {"side": "up"}, {"since": "2026-03-04T10:00:05"}, {"origin": "x"}):
        assert client.get(PATH, params=query).status_code == 422
    first = client.get(PATH, params={"limit": 1}).json()
    rest = client.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert {first["items"][0]["symbol"], rest["items"][0]["symbol"]} == {"EURUSD", "GBPUSD"}
    assert rest["next_cursor"] is None


def test_the_list_counts_each_status_by_the_other_filters(client: TestClient, desk: SimulatedDesk) -> None:
    desk.acts.reject(idea(desk, "GBPUSD")["id"], actor="ann", why="no")
    both = {"rejected": 1, "pending_approval": 1}
    assert client.get(PATH).json()["counts"] == both
    assert client.get(PATH, params={"status": "open", "limit": 1}).json()["counts"] == both
    assert client.get(PATH, params={"symbol": "GBPUSD"}).json()["counts"] == {"rejected": 1}
    assert client.get(PATH, params={"side": "sell"}).json()["counts"] == {}


def test_the_earlier_names_do_the_same(client: TestClient, desk: SimulatedDesk) -> None:
    euro, pound = idea(desk), idea(desk, "GBPUSD")
    pending = client.get("/api/trade-approval/pending").json()
    assert (pending["count"], {one["id"] for one in pending["pending"]}) == (2, {euro["id"], pound["id"]})
    assert client.post(f"/api/trade-approval/approve/{euro['id']}").json()["status"] == "approved"
    assert client.post(f"/api/trade-approval/reject/{pound['id']}").status_code == 422
    done = client.post(f"/api/trade-approval/reject/{pound['id']}", json={"reason": "no"}).json()
    assert done["status"] == "rejected"
    assert client.get("/api/trade-approval/pending").json() == {"pending": [], "count": 0}
    assert error(client.post(f"/api/trade-approval/approve/{pound['id']}"), 409)["code"] == "illegal_step"


def test_an_idea_that_is_over_is_409(client: TestClient, desk: SimulatedDesk) -> None:
    made = idea(desk)
    desk.clock.at = AT + timedelta(minutes=16)
    assert error(client.post(f"{PATH}/{made['id']}/approve"), 409)["code"] == "idea_expired"
