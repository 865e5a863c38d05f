"""Requests in odd forms: none gets past the questions that the plain form is asked."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.routes.guard import MAX_BODY_BYTES, Guard, Hosts
from backend.routes.rights import RIGHTS
from backend.users.model import Role
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk, guarded_desk
from tests.fakes.signed_in import BASE, NAMES, PASSWORD, Guarded, guarded

ALL = "/api/celery/tasks/ai/evaluate-all"
ONE = "/api/celery/tasks/ai/evaluate-symbol"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as desk:
        yield desk


def code_of(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


# Host and Origin


@pytest.mark.parametrize(
    "host",
    [
        b"localhost.",
        b"localhost.:5001",
        b"@localhost",
        b":@localhost",
        b"evil.example@localhost:5001",
        b"localhost#.evil.example",
        b"localhost?.evil.example",
        b"localhost\\.evil.example",
        b"local\thost",
        b"localhost\x0b",
        b" localhost",
        b"localhost:0x1389",
        b"localhost:-1",
        b"localhost:65536",
        b"localhost,evil.example",
        b"127.1",
        b"2130706433",
        b"0x7f.0.0.1",
        b"0.0.0.0",
        b"[::]",
        b"[::1%25eth0]",
        b"[::ffff:127.0.0.1]",
        b"[::1]evil.example",
        b"::1",
        b"xn--localhost-",
        "l\u043ecalhost".encode(),
        b"http://localhost",
    ],
)
def test_hosts_that_only_look_like_this_desks(host: bytes) -> None:
    assert not Hosts("desk.lan").allows(host)


@pytest.mark.parametrize("host", [b"LocalHost:0", b"[::1]", b"DESK.LAN", b"127.0.0.1:"])
def test_a_name_in_other_letters_or_with_another_port_is_the_same_name(host: bytes) -> None:
    assert Hosts("desk.lan").allows(host)


@pytest.mark.parametrize(
    "origins",
    [
        ["https://console.example", "https://evil.example"],
        ["https://evil.example", "https://console.example"],
        ["http://127.0.0.1:5001", "null"],
        ["https://CONSOLE.example"],
        ["https://console.example:443"],
        ["https://console.example."],
        ["http://127.0.0.1:5001#.evil.example"],
        ["http://u@127.0.0.1:5001"],
        ["null"],
        [""],
    ],
)
def test_one_origin_and_only_as_it_is_configured(desk: FakeDesk, origins: list[str]) -> None:
    settings = desk.settings.model_copy(update={"allowed_origins": "https://console.example"})
    app = create_app(_with(desk, settings=settings))
    headers = [("Host", "127.0.0.1:5001"), *(("Origin", origin) for origin in origins)]
    with TestClient(app, base_url=BASE) as client:
        answer = client.post(ALL, headers=headers)
    assert (answer.status_code, code_of(answer)) == (403, "origin_not_allowed")
    assert desk.jobs.rows == {}


def test_two_host_headers_are_none(client: TestClient, desk: FakeDesk) -> None:
    answer = client.post(ALL, headers=[("Host", "127.0.0.1:5001"), ("Host", "evil.example")])
    assert (answer.status_code, code_of(answer)) == (403, "host_not_allowed")
    assert desk.jobs.rows == {}


# Bodies


@pytest.mark.parametrize(
    "kinds",
    [
        ["text/plain", "application/json"],
        ["application/json", "text/plain"],
        ["application/json, text/plain"],
        ["text/plain; application/json"],
        ["application/jsonp"],
        ["application/x-www-form-urlencoded; charset=application/json"],
        ["multipart/form-data; boundary=application/json"],
        ["application/json\\"],
        [""],
    ],
)
def test_a_body_has_one_type_and_that_is_json(client: TestClient, desk: FakeDesk, kinds: list[str]) -> None:
    headers = [("Content-Type", kind) for kind in kinds]
    answer = client.post(ONE, content=b'{"symbol": "EURUSD"}', headers=headers)
    assert (answer.status_code, code_of(answer)) == (415, "not_json")
    assert desk.jobs.rows == {}


def through_the_guard(
    method: str, headers: list[tuple[bytes, bytes]], *pieces: bytes
) -> tuple[int, list[bytes]]:
    """The status, and what reached the application, of a request in exactly this form."""
    messages = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]
    arrived: list[bytes] = []
    said: list[Any] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        arrived.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    given = [(b"host", b"127.0.0.1"), *headers]
    scope = {"type": "http", "method": method, "path": "/x", "headers": given}
    asyncio.run(Guard(app)(scope, receive, send))
    return said[0]["status"], arrived


JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "QUERY"])
def test_a_body_without_a_length_is_measured_and_must_be_json_too(method: str) -> None:
    """HTTP/2 needs no Content-Length and knows no chunks."""
    assert through_the_guard(method, [JSON], b"{", b"}") == (200, [b"{}"])
    assert through_the_guard(method, [], b"{}") == (415, [])
    assert through_the_guard(method, [], b"") == (200, [b""])
    half = b"x" * (MAX_BODY_BYTES // 2)
    assert through_the_guard(method, [JSON], half, half) == (200, [half + half])
    assert through_the_guard(method, [JSON], half, half, b"x") == (413, [])


@pytest.mark.parametrize("order", [1, -1])
def test_chunks_beside_a_length_are_measured(order: int) -> None:
    headers = [(b"content-length", b"2"), (b"transfer-encoding", b"chunked"), JSON][::order]
    assert through_the_guard("POST", headers, b"x" * MAX_BODY_BYTES, b"x") == (413, [])
    assert through_the_guard("GET", headers, b"x" * MAX_BODY_BYTES, b"x") == (413, [])
    assert through_the_guard("POST", headers, b"{", b"}") == (200, [b"{}"])


@pytest.mark.parametrize("length", [b"-1", b"+2", b"1e9", b"0x2", b" ", b"", b"2, 2", b"9" * 400])
def test_a_length_that_is_none_is_too_large(length: bytes) -> None:
    assert through_the_guard("POST", [(b"content-length", length), JSON], b"{}") == (413, [])


# Methods


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-HTTP-Method": "DELETE"},
        {"X-Method-Override": "DELETE"},
    ],
)
def test_no_header_makes_a_read_a_write(secured: Guarded, headers: dict[str, str]) -> None:
    client = secured.client(Role.VIEWER)
    assert client.get("/api/sessions?_method=DELETE", headers=headers).status_code == 200
    assert len(client.get("/api/sessions").json()["sessions"]) == 1


def test_no_other_method_reads_what_get_may_not(secured: Guarded) -> None:
    stranger = secured.client()
    paths = sorted({path for method, path in RIGHTS if method == "GET" and "{" not in path})
    for method in ("HEAD", "OPTIONS"):
        for path in paths:
            answer = stranger.request(method, path)
            assert answer.status_code == 405, (method, path, answer.status_code)
            assert len(answer.content) < 400


# Cookies


def test_desks_on_one_machine_do_not_take_each_others_cookies(secured: Guarded, tmp_path: Path) -> None:
    """Ports do not part cookies: a browser sends both desks the cookies of both."""
    here = secured.client(Role.OWNER)
    other = guarded_desk(tmp_path / "other")
    other = _with(other, settings=other.settings.model_copy(update={"port": 5002}))
    other.management.add("olga", Role.OWNER, PASSWORD, actor="local")
    with TestClient(create_app(other), base_url="http://127.0.0.1:5002") as there:
        for cookie in here.cookies.jar:
            there.cookies.set(cookie.name, cookie.value or "", path=cookie.path)
        assert there.get("/api/status").status_code == 401
        signed_in = there.post("/api/session", json={"name": "olga", "password": PASSWORD})
        assert signed_in.status_code == 200
        assert {cookie.name.partition("_")[2].partition("_")[0] for cookie in there.cookies.jar} == {
            "5001",
            "5002",
        }
        assert there.delete("/api/session").status_code == 200
    assert here.get("/api/session").json()["name"] == "olga"


def test_a_planted_cookie_does_not_outlive_signing_in(secured: Guarded) -> None:
    attacker, victim = secured.client(Role.VIEWER), secured.client()
    for cookie in attacker.cookies.jar:
        victim.cookies.set(cookie.name, cookie.value or "", domain=cookie.domain, path=cookie.path)
    assert victim.get("/api/session").json()["name"] == NAMES[Role.VIEWER]
    victim.post("/api/session", json={"name": NAMES[Role.OWNER], "password": PASSWORD})
    assert victim.get("/api/session").json()["name"] == NAMES[Role.OWNER]
    assert attacker.get("/api/session").json()["name"] == NAMES[Role.VIEWER]
    mine = next(one for one in victim.get("/api/sessions").json()["sessions"] if one["this"])
    theirs = next(one for one in attacker.get("/api/sessions").json()["sessions"] if one["this"])
    assert mine["id"] != theirs["id"]


@pytest.mark.parametrize("first", ["good", "bad"])
def test_of_two_authorizations_no_second_helps_a_bad_first(secured: Guarded, first: str) -> None:
    good, bad = secured.token(Role.VIEWER)["Authorization"], "Bearer mt5ui_x_y"
    given = [good, bad] if first == "good" else [bad, good]
    answer = secured.client().get("/api/status", headers=[("Authorization", value) for value in given])
    assert answer.status_code == (200 if first == "good" else 401)


def _with(desk: FakeDesk, **changes: Any) -> FakeDesk:
    from dataclasses import replace

    return replace(desk, **changes)
