"""Secrets planted in a running desk turn up in nothing that it writes or sends."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from backend.config import load_settings
from backend.core import masking
from backend.routes.rights import RIGHTS
from backend.services import build_services
from backend.storage.secrets import new_key
from backend.users.model import Role
from tests.acceptance.desk_process import READY, start_desk

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.full,
    pytest.mark.xdist_group("desk"),
    pytest.mark.timeout(600),
]

PASSWORD, OTHER = "c4n4ry-password-of-owner", "c4n4ry-password-guessed"
PROVIDER = "c4n4ry+key/of=the&provider"
CONNECTOR, TERMINAL = "c4n4ry-token-of-the-connector", "c4n4ry-password-of-the-terminal"
NEVER_ENDS = "/api/events"
BODIES: dict[str, object] = {
    "/api/celery/tasks/ai/evaluate-symbol": {"symbol": "EURUSD"},
    "/api/celery/tasks/ai/backtest": {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": 30},
    "/api/control/halt": {"reason": "a test"},
    "/api/control/resume": {"reason": "a test"},
    "/api/control/mode": {"mode": "supervised", "reason": "a test"},
    "/api/session": {"name": "olga", "password": OTHER},
    "/api/users": {"name": "nick", "role": "viewer", "password": OTHER},
    "/api/tokens": {"label": "another", "days": 1},
}


def test_no_secret_turns_up_anywhere(
    desk_home: Path, desk_env: Callable[..., dict[str, str]], free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "_known", ())  # what this process hides shows nothing of the desk
    key = new_key()
    integrations = desk_home / "config" / "api_integrations.json"
    chosen = json.loads(integrations.read_text(encoding="utf-8"))
    chosen["economic_calendar"]["provider"] = "fmp"
    integrations.write_text(json.dumps(chosen), encoding="utf-8")
    services = build_services(load_settings(home=desk_home, secret_key=key))
    services.secrets.put("calendar.fmp", PROVIDER)
    services.management.add("olga", Role.OWNER, PASSWORD, actor="local")
    _, token = services.management.make_token(
        "olga", Role.OWNER, label="a test", lasts=timedelta(days=1), actor="local"
    )
    planted = {
        "password": PASSWORD,
        "guess": OTHER,
        "provider": PROVIDER,
        "provider, in an address": PROVIDER.replace("+", "%2B").replace("/", "%2F"),
        "connector": CONNECTOR,
        "terminal": TERMINAL,
        "key": key,
        "token": token.rpartition("_")[2],
    }
    environment = desk_env(
        MT5UI_BROKER="memory",
        MT5UI_SECRET_KEY=key,
        MT5UI_CONNECTOR_TOKEN=CONNECTOR,
        MT5UI_TERMINAL_PASSWORD=TERMINAL,
        MT5UI_LOG_LEVEL="DEBUG",
    )
    desk = start_desk(desk_home, free_port, environment)
    sent: list[str] = []
    try:
        desk.wait_for_line(READY, 120)
        with httpx.Client(base_url=desk.url, timeout=60) as client:
            client.post("/api/session", json={"name": "olga", "password": PASSWORD})
            planted |= {name: value for name, value in client.cookies.items() if not name.endswith("device")}
            client.cookies.clear()
            wrong = [{"Authorization": f"Bearer {token}x"}, {"Authorization": f"Basic {OTHER}"}]
            sent.extend(client.get("/api/status", headers=headers).text for headers in wrong)
            client.headers["Authorization"] = f"Bearer {token}"
            for method, path in sorted(RIGHTS):
                if path == NEVER_ENDS or (method, path) == ("POST", "/api/control/kill"):
                    continue
                body = BODIES.get(path) if method == "POST" else None
                answer = client.request(method, re.sub(r"\{\w+\}", "EURUSD", path), json=body)
                sent.append(f"{answer.headers}{answer.text}")
            failed = desk.ended(client.post("/api/celery/tasks/data/update-calendar").json()["task_id"])
            sent.append(json.dumps(failed))
            assert failed["status"] in {"failure", "retry"}, "the provider is not to be reached"
            rows = client.get("/api/tasks", params={"limit": 200}).json()["items"]
            sent.extend(client.get(f"/api/tasks/{row['id']}").text for row in rows)
            with client.stream("GET", NEVER_ENDS, params={"after": "0"}) as stream:
                sent.append(next(stream.iter_text()))
    finally:
        desk.stop(20)
        desk.destroy()
    written = {
        str(path.relative_to(desk_home)): path.read_bytes()
        for path in desk_home.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }
    assert {"data/secrets.json", "config/users.json", "logs/app.log"} <= written.keys()
    for what, secret in planted.items():
        for name, content in written.items():
            assert secret.encode() not in content, (what, name)
        for answer_text in [*sent, desk.output]:
            assert secret not in answer_text, (what, answer_text[:300])
