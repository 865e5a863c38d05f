"""What is refused, how it is said, and that nothing hostile gets through or breaks the API."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.config import load_settings
from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.routes.guard import MAX_BODY_BYTES, Hosts
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk

EVALUATE = "/api/celery/tasks/ai/evaluate-symbol"
JSON = {"Content-Type": "application/json"}


def assert_error(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details", "correlation_id"}
    assert error["code"] == code
    assert error["message"]
    assert error["correlation_id"] == answer.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("gone", "It is gone", at="here"), 404),
        (Conflict("busy", "It is busy", at="here"), 409),
        (Invalid("wrong", "It is wrong", at="here"), 422),
        (Unavailable("away", "It is away", at="here"), 503),
    ],
)
def test_each_category_has_its_status(
    client: TestClient, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def refuse(_: str) -> None:
        raise error

    monkeypatch.setattr(desk.ideas, "get", refuse)
    told = assert_error(client.get("/api/trade-ideas/x"), status, error.code)  # type: ignore[attr-defined]
    assert told["details"] == {"at": "here"}


def test_the_unexpected_is_500_without_internals_and_in_the_log(
    client: TestClient,
    desk: FakeDesk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def break_down(_: str) -> None:
        raise RuntimeError("password=hunter2 in /etc/secret")

    monkeypatch.setattr(desk.ideas, "get", break_down)
    with caplog.at_level(logging.ERROR):
        answer = client.get("/api/trade-ideas/x", headers={"X-Request-ID": "my-id.7"})
    error = assert_error(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert error["correlation_id"] == "my-id.7"
    assert "my-id.7" in caplog.text
    assert "hunter2" in caplog.text


def test_unknown_paths_and_methods_have_the_same_shape(client: TestClient) -> None:
    assert_error(client.get("/api/nowhere"), 404, "not_found")
    assert_error(client.get("/api/celery/tasks/x/status/"), 404, "not_found")
    answer = client.delete("/api/tasks")
    assert_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("given", ["a b", "x" * 65, "<script>", ""])
def test_a_request_id_that_is_not_one_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert len(answer.headers["x-request-id"]) == 32


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/healthz", "/api/nowhere", "/openapi.json", "/metrics"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_loads_scripts_from_elsewhere(client: TestClient, path: str) -> None:
    answer = client.get(path)  # the console's page, or that it is not built
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert not [word for word in ("swagger", "redoc", "://") if word in answer.text]


GOOD_HOSTS = ["localhost", "localhost:5001", "127.0.0.1:80", "[::1]:5001", "LOCALHOST:1", "desk.lan:5001"]
BAD_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:5001",
    "127.0.0.2",
    "user@localhost",
    "localhost/x",
    "localhost:port",
    "[::1",
    "",
    "desk.lan.evil.example",
    "192.168.1.7",
]


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_hosts_of_this_desk(host: str) -> None:
    assert Hosts("desk.lan").allows(host.encode())


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_hosts_of_others(host: str) -> None:
    assert not Hosts("desk.lan").allows(host.encode())


def test_bound_to_every_address_any_literal_address_passes_and_no_foreign_name() -> None:
    hosts = Hosts("0.0.0.0")  # noqa: S104 - nothing is bound
    assert hosts.allows(b"192.168.1.7:5001")
    assert hosts.allows(b"[fe80::1]:5001")
    assert not hosts.allows(b"evil.example")


def test_a_rebound_name_is_refused(client: TestClient, desk: FakeDesk) -> None:
    answer = client.post("/api/celery/tasks/ai/evaluate-all", headers={"Host": "evil.example:5001"})
    assert_error(answer, 403, "host_not_allowed")
    assert desk.jobs.rows == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "file://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_sites_cannot_write(
    client: TestClient, desk: FakeDesk, headers: dict[str, str]
) -> None:
    assert_error(client.post("/api/celery/tasks/ai/evaluate-all", headers=headers), 403, "origin_not_allowed")
    assert desk.jobs.rows == {}


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:5001", "http://[::1]:5001"])
def test_pages_of_this_desk_can(client: TestClient, origin: str) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/celery/tasks/ai/evaluate-all", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"]
)
def test_a_body_that_is_not_declared_as_json_is_415(client: TestClient, desk: FakeDesk, kind: str) -> None:
    answer = client.post(EVALUATE, content=b'{"symbol": "EURUSD"}', headers={"Content-Type": kind})
    assert_error(answer, 415, "not_json")
    assert desk.jobs.rows == {}


def test_a_body_without_any_type_is_415(client: TestClient) -> None:
    assert_error(client.post(EVALUATE, content=b'{"symbol": "EURUSD"}'), 415, "not_json")


def test_json_with_a_charset_is_json(client: TestClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert client.post(EVALUATE, content=b'{"symbol": "EURUSD"}', headers=headers).status_code == 200


def test_a_form_type_without_a_body_is_fine(client: TestClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/api/celery/tasks/ai/evaluate-all", headers=headers).status_code == 200


def test_a_body_that_is_too_large_is_413_declared_or_not(client: TestClient, desk: FakeDesk) -> None:
    large = json.dumps({"symbol": "x" * MAX_BODY_BYTES}).encode()
    assert_error(client.post(EVALUATE, content=large, headers=JSON), 413, "body_too_large")

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    assert_error(client.post(EVALUATE, content=pieces(), headers=JSON), 413, "body_too_large")
    assert desk.jobs.rows == {}


def test_a_body_in_pieces_arrives_whole(client: TestClient) -> None:
    pieces = iter([b'{"symbol"', b': "EUR', b'USD"}'])
    assert client.post(EVALUATE, content=pieces, headers=JSON).status_code == 200


HOSTILE_BODIES = [
    b"",
    b"null",
    b"[]",
    b'"EURUSD"',
    b"{",
    b'{"symbol": NaN}',
    b'{"symbol": Infinity}',
    b'{"symbol": "\xff\xfe"}',
    b'{"symbol": "\\ud800"}',
    b'{"\\ud800": 1, "symbol": "EURUSD"}',
    b'{"symbol": "EUR\\u0000USD"}',
    b'{"symbol": "../../etc/passwd"}',
    b'{"symbol": "\xe2\x82\xac\xf0\x9f\x92\xa5"}',
    b'{"symbol": "EURUSD\'; DROP TABLE jobs; --"}',
    b'{"symbol": {"$gt": ""}}',
    b'{"symbol": ["EURUSD"]}',
    b'{"symbol": 1e999}',
    b'{"symbol": ' + b"9" * 5000 + b"}",
    b'{"symbol": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"symbol": "' + b"A" * 100_000 + b'"}',
    b'{"symbol": "EURUSD", "__proto__": {}}',
]


@pytest.mark.parametrize("body", HOSTILE_BODIES, ids=range(len(HOSTILE_BODIES)))
def test_hostile_bodies_are_refused_and_queue_nothing(
    client: TestClient, desk: FakeDesk, body: bytes
) -> None:
    answer = client.post(EVALUATE, content=body, headers=JSON)
    assert answer.status_code in {400, 404, 422}, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "details", "correlation_id"}
    assert desk.jobs.rows == {}


@pytest.mark.parametrize("body", [b'{"days_to_keep": NaN}', b'{"days_to_keep": 1e2}', b"[30]", b"30"])
def test_hostile_numbers_delete_nothing(client: TestClient, desk: FakeDesk, body: bytes) -> None:
    answer = client.post("/api/celery/tasks/maintenance/cleanup-logs", content=body, headers=JSON)
    assert_error(answer, 422, "invalid_request")
    assert desk.jobs.rows == {}


HOSTILE_PARTS = [
    "%00",
    "a%00b",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f",
    "C:%5Cwindows",
    "CON",
    "%F0%9F%92%A5",
    "%FF%FE",
    "'%20OR%201=1--",
    "x" * 5000,
    "%0d%0aSet-Cookie:%20x=1",
]


@pytest.mark.parametrize("part", HOSTILE_PARTS)
@pytest.mark.parametrize(
    "path",
    [
        "/api/celery/tasks/{}/status",
        "/api/tasks/{}",
        "/api/trade-ideas/{}",
        "/api/decisions/{}",
        "/api/strategies/{}",
        "/api/market/{}/quote",
        "/api/market/{}/bars",
    ],
)
def test_hostile_paths_are_404(client: TestClient, path: str, part: str) -> None:
    answer = client.get(path.format(part))
    assert answer.status_code == 404, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "details", "correlation_id"}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("part", HOSTILE_PARTS)
def test_hostile_names_of_schedules_are_404(client: TestClient, part: str) -> None:
    assert client.post(f"/api/schedules/{part}/pause").status_code == 404


def test_websockets_are_closed(client: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/events"):
        pass  # pragma: no cover - it never opens


def test_a_desk_that_cannot_start_says_why_in_a_sentence() -> None:
    from backend.routes.guard import Guard

    said: list[Any] = []

    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        text = "Traceback (most recent call last):\n ...\nbackend.core.errors.Invalid: MT5UI_PORT: too big"
        await send({"type": "lifespan.startup.failed", "message": text})

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    import asyncio

    asyncio.run(Guard(refuses)({"type": "lifespan"}, receive, send))
    assert said == [{"type": "lifespan.startup.failed", "message": "MT5UI_PORT: too big"}]


def test_another_configured_host_is_answered_too(desk: FakeDesk) -> None:
    app = create_app(desk, host="desk.lan")
    with TestClient(app, base_url="http://desk.lan:5001") as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://127.0.0.1:99999"},
    ],
)
def test_other_programs_of_this_machine_cannot_write_either(
    client: TestClient, desk: FakeDesk, headers: dict[str, str]
) -> None:
    """Another port is another program, and a browser sends the cookies of one machine to all of its ports."""
    assert_error(client.post("/api/celery/tasks/ai/evaluate-all", headers=headers), 403, "origin_not_allowed")
    assert desk.jobs.rows == {}


def test_no_origin_is_let_read_unless_it_is_configured(desk: FakeDesk) -> None:
    page = "https://console.example:8443"
    preflight = {"Origin": page, "Access-Control-Request-Method": "POST"}
    with TestClient(create_app(desk), base_url="http://127.0.0.1:5001") as client:
        answer = client.options("/api/queues", headers=preflight)
        assert_error(answer, 403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers
    allowing = replace(desk, settings=desk.settings.model_copy(update={"allowed_origins": page}))
    with TestClient(create_app(allowing), base_url="http://127.0.0.1:5001") as client:
        assert client.options("/api/queues", headers=preflight).status_code == 200
        answer = client.get("/api/queues", headers={"Origin": page, "Sec-Fetch-Site": "cross-site"})
        assert answer.headers["access-control-allow-origin"] == page
        other = {"Origin": "https://console.example", "Sec-Fetch-Site": "cross-site"}
        answer = client.get("/api/queues", headers=other)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        answer = client.post("/api/celery/tasks/ai/evaluate-all", headers={"Origin": page})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "given", ["*", "example.test", "https://a.example/path", "https://a.example,*", "null", "https://[::1"]
)
def test_an_origin_that_is_none_is_refused_at_start(tmp_path: Path, given: str) -> None:
    with pytest.raises(Invalid, match="MT5UI_ALLOWED_ORIGINS"):
        load_settings(home=tmp_path, allowed_origins=given)
