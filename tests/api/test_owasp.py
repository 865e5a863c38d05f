"""OWASP's API security top ten of 2023, each tried against a running desk over real connections."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.adapters.fetch import HttpFetcher
from backend.core.clock import FixedClock
from backend.core.errors import DeskError
from backend.core.trust import authorities
from backend.routes.guard import UPLOADS
from backend.routes.rights import RIGHTS
from backend.users.model import Right, Role
from tests.api.test_news_routes import collected
from tests.fakes.desk import SimulatedDesk
from tests.fakes.http_app import served
from tests.fakes.services import NOW
from tests.fakes.signed_in import NAMES, PASSWORD, Guarded, guarded
from tests.fakes.waiting import desk_with_ideas

JSON = {"Content-Type": "application/json"}
SIGN_IN = {"name": "tim", "password": PASSWORD}


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """A desk that listens, what it trades, and those who speak to it."""

    guarded: Guarded
    ideas: SimulatedDesk
    url: str
    opened: ExitStack

    def person(self, role: Role | None = None, **how: Any) -> httpx.Client:
        client = self.opened.enter_context(
            httpx.Client(base_url=self.url, verify=authorities(self.url), timeout=10, **how)
        )
        if role is not None:
            answer = client.post("/api/session", json={"name": NAMES[role], "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        return client

    def idea(self) -> dict[str, Any]:
        (found,) = self.ideas.book.find(symbol="EURUSD")
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Attacked]:
    ideas = desk_with_ideas(tmp_path / "ideas")
    services = {"ideas": ideas.ideas, "idea_desk": ideas.acts}
    with (
        guarded(tmp_path / "desk", **services) as opened,
        served(opened.app) as url,
        ExitStack() as clients,
    ):
        yield Attacked(guarded=opened, ideas=ideas, url=url, opened=clients)


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details", "correlation_id"}
    error: dict[str, Any] = body["error"]
    return error


def test_api1_objects_of_another_are_as_if_they_were_not_there(desk: Attacked) -> None:
    tim, vic = desk.person(Role.TRADER), desk.person(Role.VIEWER)
    session = tim.get("/api/sessions").json()["sessions"][0]["id"]
    token = tim.post("/api/tokens", json={"label": "robot"}).json()["id"]
    for path in ("/api/sessions", "/api/tokens"):
        assert all(one["user"] == "vic" for rows in vic.get(path).json().values() for one in rows)
    for path in (f"/api/sessions/{session}", f"/api/tokens/{token}"):
        theirs, nobodys = vic.delete(path), vic.delete(path[:-4] + "0000")
        assert refused(theirs, 404)["message"] == refused(nobodys, 404)["message"]
    assert tim.get("/api/session").json()["name"] == "tim"
    assert [one["id"] for one in tim.get("/api/tokens").json()["tokens"]] == [token]


def test_api2_what_proves_who_one_is_cannot_be_guessed_forged_or_kept(desk: Attacked) -> None:
    stranger = desk.person()
    answers = [
        stranger.post("/api/session", json={"name": name, "password": f"guess {number} of many"})
        for number, name in enumerate(["olga", "nobody", "olga", "nobody", "olga", "olga"])
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert len({refused(answer, 401)["message"] for answer in answers[:5]}) == 1
    desk.guarded.clock.move(hours=2)
    tim = desk.person(Role.TRADER)
    access = next(value for name, value in tim.cookies.items() if name.endswith("access"))
    name = next(name for name in tim.cookies if name.endswith("access"))
    head, claims, seal = access.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    tim.delete("/api/session")
    for forged in (f"{none}.{claims}.", f"{none}.{claims}.{seal}", f"{head}.{claims}.{seal[::-1]}", access):
        refused(stranger.get("/api/queues", headers={"Cookie": f"{name}={forged}"}), 401)
        refused(stranger.get("/api/queues", headers={"Authorization": f"Bearer {forged}"}), 401)


def test_api3_properties_that_are_not_ones_own_are_neither_shown_nor_set(desk: Attacked) -> None:
    olga, tim = desk.person(Role.OWNER), desk.person(Role.TRADER)
    shown = olga.get("/api/users").text + tim.get("/api/sessions").text + tim.get("/api/tokens").text
    for hidden in ("argon2", '"secret"', '"before"'):
        assert hidden not in shown
    for field in ("made_at", "hash", "is_owner", "actor"):
        refused(olga.patch("/api/users/vic", json={"role": "viewer", field: "x"}), 422)
    refused(tim.post("/api/tokens", json={"label": "robot", "scope": "owner"}), 422)
    refused(tim.post("/api/tokens", json={"label": "robot", "user": "olga"}), 422)
    path = f"/api/trade-ideas/{desk.idea()['id']}"
    for field in ("status", "by", "approved_by", "history", "version"):
        refused(tim.patch(path, json={"notes": "mine", field: "approved"}), 422)
    assert desk.idea()["status"] == "pending_approval"


def test_api4_nobody_makes_the_desk_do_more_than_it_can_bear(desk: Attacked) -> None:
    tim = desk.person(Role.TRADER)
    refused(tim.post("/api/orders", content=b"{" + b" " * 300_000, headers=JSON), 413)
    refused(tim.post("/api/orders", content=iter([b" " * 100_000] * 3), headers=JSON), 413)
    refused(tim.post("/api/orders", content=b"[" * 100_000, headers=JSON), 400, 422)
    refused(tim.get("/api/tasks", params={"limit": 10**9}), 422)
    refused(tim.get("/api/decisions", params={"limit": 10**9}), 422)
    refused(tim.post("/api/session", json={"name": "tim", "password": "x" * 100_000}), 422)
    refused(
        tim.post(
            "/api/celery/tasks/ai/backtest",
            json={"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": 10**6},
        ),
        422,
    )
    assert desk.guarded.desk.jobs.rows == {}


def test_api5_no_function_is_for_a_lesser_role(desk: Attacked) -> None:
    clients = {role: desk.person(role) for role in (Role.VIEWER, Role.TRADER)}
    tried = 0
    for (method, path), right in RIGHTS.items():
        for role, client in clients.items():
            if right not in role.rights:
                kind = {"Content-Type": "application/octet-stream"} if path == UPLOADS else JSON
                place = path.replace("{", "").replace("}", "")
                error = refused(client.request(method, place, headers=kind), 403)
                assert error["code"] == "not_allowed", (role, method, path)
                tried += 1
    assert tried == sum(right is Right.TRADE for right in RIGHTS.values()) + 2 * sum(
        right is Right.OWN for right in RIGHTS.values()
    )
    vic = clients[Role.VIEWER]
    for method in ("PUT", "PATCH", "DELETE", "TRACE"):
        override = {"X-HTTP-Method-Override": "POST"}
        refused(vic.request(method, "/api/control/mode", headers=override), 405)


def test_api6_what_moves_money_is_done_once_and_by_a_person_who_may(desk: Attacked) -> None:
    path = f"/api/trade-ideas/{desk.idea()['id']}/approve"
    refused(desk.person().post(path), 401)
    refused(desk.person(Role.VIEWER).post(path), 403)
    robot = desk.guarded.token(Role.TRADER, Role.VIEWER)
    refused(desk.person(headers=robot).post(path), 403)
    tim = desk.person(Role.TRADER)
    assert tim.post(path).status_code == 200
    for _ in range(5):
        refused(tim.post(path), 409)
    assert desk.ideas.sent == [desk.idea()["id"]]
    assert [step["by"] for step in desk.idea()["history"]][-1] == "tim"


ADDRESSES = {"uri", "url", "callback", "webhook", "redirect_uri"}


def test_api7_only_an_owner_names_an_address_and_it_is_fetched_with_every_guard(desk: Attacked) -> None:
    described = desk.person(Role.OWNER).get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    naming = {name for name, schema in schemas.items() if ADDRESSES & schema.get("properties", {}).keys()}
    assert naming == {"FeedRow", "NewFeed", "FeedChange"}
    elsewhere = json.dumps(
        described | {"components": {name: schemas[name] for name in schemas.keys() - naming}}
    )
    assert not ADDRESSES & set(elsewhere.lower().split('"'))
    taking = [
        operation["x-right"]
        for methods in described["paths"].values()
        for operation in methods.values()
        if any(f'schemas/{name}"' in json.dumps(operation.get("requestBody")) for name in naming)
    ]
    assert taking == [Right.OWN, Right.OWN]
    refused(desk.person(Role.TRADER).post("/api/feeds", json={"name": "n", "url": "http://10.0.0.1/"}), 403)
    fetcher = HttpFetcher(FixedClock(NOW))
    port = desk.url.rpartition(":")[2]
    for url in (
        f"{desk.url}/api/control/kill",
        f"http://[::ffff:127.0.0.1]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "http://localhost@10.0.0.1/",
    ):
        with pytest.raises(DeskError):
            fetcher.get(url)


def test_api8_nothing_is_open_that_need_not_be(desk: Attacked) -> None:
    stranger = desk.person()
    port = desk.url.rpartition(":")[2]
    for headers in (
        {"Host": f"evil.example:{port}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    ):
        refused(stranger.post("/api/session", json=SIGN_IN, headers=headers), 403)
    answer = stranger.options(
        "/api/orders", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert not [name for name in answer.headers if name.startswith("access-control")]
    for path in ("/healthz", "/api/queues", "/api/no-such-path"):
        headers_ = stranger.get(path).headers
        assert headers_["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers_["x-content-type-options"] == "nosniff"
        assert headers_["cross-origin-opener-policy"] == "same-origin"
        assert headers_["cache-control"] == "no-store"
    body = stranger.post("/api/session", content=b'{"name": ', headers=JSON).text
    assert "Traceback" not in body
    assert "pydantic" not in body


def test_api9_there_is_no_route_besides_those_that_are_described(desk: Attacked) -> None:
    described = desk.person(Role.OWNER).get("/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, methods in described.items() for method in methods}
    page = {(method, path) for method in ("GET", "HEAD") for path in ("/{page:page}", "/assets/{name}")}
    assert routes | {("GET", "/openapi.json")} | page == set(RIGHTS)
    stranger = desk.person()
    for path in ("/api/v0/orders", "/api", "/assets/.env"):
        refused(stranger.get(path), 404)
    for path in ("/docs", "/redoc", "/debug", "/.env", "/data/secrets.json"):
        assert _any_nonce(stranger.get(path).text) == _any_nonce(stranger.get("/").text)  # the page, no file
    refused(stranger.get("/openapi.json"), 401)


def _any_nonce(page: str) -> str:
    return re.sub(r'"[A-Za-z0-9_-]{22}"', '"NONCE"', page)


def test_api10_what_others_send_is_data_and_nothing_else(desk: Attacked) -> None:
    hostile = "<script>fetch('/api/control/kill',{method:'POST'})</script>"
    collected(desk.guarded.desk, {"title": hostile, "link": "javascript:alert(1)"})
    answer = desk.person(Role.VIEWER).get("/api/news")
    assert answer.json()["articles"][0]["title"] == hostile
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
