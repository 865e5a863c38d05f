"""Who may call what: every route is in the table, the guide shows the table, and each cell of it holds."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from backend import app as app_module
from backend.app import create_app
from backend.routes.access import DeskRoute
from backend.routes.guard import UPLOADS
from backend.routes.rights import RIGHTS, as_markdown
from backend.users.model import Right, Role
from tests.conftest import ROOT
from tests.fakes.services import fake_desk
from tests.fakes.signed_in import Guarded, guarded

GUIDE = ROOT / "docs" / "users_and_rights.md"
NOT_DESCRIBED = {("GET", "/openapi.json")} | {
    (method, path) for method in ("GET", "HEAD") for path in ("/{page:page}", "/assets/{name}")
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


@pytest.fixture(scope="module")
def described(desk: Guarded) -> dict[tuple[str, str], dict[str, Any]]:
    paths = desk.app.openapi()["paths"]
    return {
        (method.upper(), path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_every_route_of_the_description_states_its_right(described: dict[tuple[str, str], Any]) -> None:
    stated = {route: operation.get("x-right") for route, operation in described.items()}
    assert stated == {route: str(RIGHTS[route]) for route in described}


def test_the_table_holds_every_route_and_no_other(described: dict[tuple[str, str], Any]) -> None:
    assert RIGHTS.keys() == described.keys() | NOT_DESCRIBED


def test_a_route_outside_the_table_cannot_be_made() -> None:
    router = APIRouter(prefix="/api", route_class=DeskRoute)
    with pytest.raises(LookupError, match="GET /api/nowhere has no right"):
        router.get("/nowhere")(lambda: None)
    with pytest.raises(LookupError):
        router.post("/status")(lambda: None)


def test_a_router_that_asks_nobody_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()
    router.get("/api/status")(lambda: None)
    monkeypatch.setattr(app_module, "ROUTERS", (router,))
    with pytest.raises(TypeError, match="route_class=DeskRoute"):
        create_app(fake_desk(tmp_path))


def test_the_guide_shows_the_table() -> None:
    shown = GUIDE.read_text(encoding="utf-8")
    assert as_markdown() in shown, "make it anew: python -m backend.routes.rights"


def asked(
    client: Any, method: str, path: str, *, headers: Mapping[str, str] | None = None, **how: Any
) -> Any:
    declared = {"Content-Type": "application/octet-stream" if path == UPLOADS else "application/json"}
    place = re.sub(r"\{\w+\}", "none-such", path)
    return client.request(method, place, headers=declared | dict(headers or {}), **how)


REFUSED = {401: "not_signed_in", 403: "not_allowed"}


def code_of(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_each_cell_of_the_table_holds(desk: Guarded, role: Role | None) -> None:
    """By a token, which a route that ends sessions leaves alone."""
    headers = {} if role is None else desk.token(role)
    client = desk.client()
    for (method, path), right in sorted(RIGHTS.items()):
        if path == "/api/events" and role is not None:
            continue  # never ends; tests/api/test_sign_in.py watches it
        answer = asked(client, method, path, headers=headers)
        cell = (role, method, path, answer.status_code, answer.text[:200])
        if right is Right.OPEN:
            assert answer.status_code not in {401, 403} or code_of(answer) not in REFUSED.values(), cell
        elif role is None:
            assert (answer.status_code, code_of(answer)) == (401, REFUSED[401]), cell
        elif right not in role.rights:
            assert (answer.status_code, code_of(answer)) == (403, REFUSED[403]), cell
        else:
            assert answer.status_code not in {401, 403} or code_of(answer) == "not_with_a_token", cell


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"symbol": 5}', b"{}", b'{"reason": "mine", "mode": "autonomous"}']
)
def test_a_viewer_who_tries_every_write_is_refused_before_it_is_read(desk: Guarded, body: bytes) -> None:
    client = desk.client(Role.VIEWER)
    before = dict(desk.desk.jobs.rows)
    tried = 0
    for (method, path), right in RIGHTS.items():
        if method == "GET" or right in {Right.OPEN, Right.SELF}:
            continue
        answer = asked(client, method, path, content=body)
        assert (answer.status_code, code_of(answer)) == (403, "not_allowed"), (method, path, answer.text)
        tried += 1
    assert tried > 40
    assert desk.desk.jobs.rows == before


def test_a_refusal_is_the_same_whether_there_is_such_a_thing_or_not(desk: Guarded) -> None:
    there = desk.desk.jobs.submit("backend.tasks.ai_tasks.evaluate_all_strategies", actor="olga")
    for client in (desk.client(), desk.client(Role.VIEWER)):
        answers = []
        for job in (there, "there-is-none"):
            error = client.post(f"/api/tasks/{job}/cancel").json()["error"]
            del error["correlation_id"]
            answers.append(error)
        assert answers[0] == answers[1]
