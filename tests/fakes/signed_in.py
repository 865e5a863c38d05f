"""A desk that asks for sign-in, and people who use it over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from backend.app import create_app
from backend.users.model import Role
from tests.fakes.desk import MovedClock
from tests.fakes.http import TestClient
from tests.fakes.services import NOW, FakeDesk, guarded_desk

BASE = "http://127.0.0.1:5001"
PASSWORD = "correct horse battery"
NAMES = {Role.VIEWER: "vic", Role.TRADER: "tim", Role.OWNER: "olga"}


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """The desk, and a client for each of those who may come in."""

    desk: FakeDesk
    clock: MovedClock
    app: Any

    def client(self, role: Role | None = None, **how: Any) -> TestClient:
        """A browser in which somebody of that role has signed in, or nobody."""
        client = TestClient(self.app, base_url=BASE, **how)
        if role is not None:
            answer = client.post("/api/session", json={"name": NAMES[role], "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        return client

    def token(self, role: Role, scope: Role | None = None) -> dict[str, str]:
        """The header by which a program of somebody of that role comes in."""
        _, text = self.desk.management.make_token(
            NAMES[role], scope or role, label="a test", lasts=timedelta(days=1), actor="local"
        )
        return {"Authorization": f"Bearer {text}"}


@contextmanager
def guarded(home: Path, **services: Any) -> Iterator[Guarded]:
    """A desk with one user of each role, open for business."""
    clock = MovedClock(NOW)
    desk = guarded_desk(home, clock=clock, **services)
    for role in (Role.OWNER, Role.TRADER, Role.VIEWER):
        desk.management.add(NAMES[role], role, PASSWORD, actor="local")
    app = create_app(desk)
    with TestClient(app, base_url=BASE):  # the desk is up as long as this
        yield Guarded(desk=desk, clock=clock, app=app)
