"""Secrets planted in a running desk turn up in nothing that it writes or sends, though others hand them back.

With masking off (`masking.hide` giving back what it is given) it fails, and names the places;
`unit/test_canaries_come_back.py` holds that each way back is found so.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from backend.config import load_settings
from backend.core import masking
from backend.routes.rights import RIGHTS
from backend.services import build_services
from backend.storage.secrets import new_key
from backend.users.model import Role
from tests.acceptance.clones import ROOT
from tests.acceptance.desk_process import READY, start_desk
from tests.fakes.canaries import leaks, written_below
from tests.fakes.fetcher import Reply, Site
from tests.fakes.http_server import serving

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.full,
    pytest.mark.xdist_group("desk"),
    pytest.mark.timeout(600),
]

PASSWORD, OTHER = "0wnersc4n4ry-password", "gu3ss3dc4n4ry-password"
PROVIDER, ANOTHER = "pr0v1derc4n4ry+key/of=the&one", "an0therc4n4ry+key/of=the&two"
CONNECTOR, TERMINAL = "c0nnect0rc4n4ry-token", "t3rminalc4n4ry-password"
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


class Repeating(Site):
    """Two providers that say the key they were asked with: in titles, rows and validators; in an address."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Reply:
        self.asked.append((path, dict(headers)))
        query = parse_qs(urlsplit(path).query)
        if "apikey" in query:
            (key,) = query["apikey"]
            good = {
                "date": f"{datetime.now(UTC):%Y-%m-%d} 23:30:00", "country": "US", "currency": "USD",
                "event": f"Invalid key {key}", "previous": 1, "estimate": 2, "actual": None, "impact": "High",
            }  # fmt: skip
            rows = [good, good | {"event": f"Also {key}"}, good | {"impact": key}]
            return Reply(body=json.dumps(rows).replace("/", "\\/").encode(), etag=f'"{key}"')
        if "c" in query:
            return Reply(status=302, location=self.url(f"/{query['c'][0]}"))
        return Reply(status=404)


def choose(home: Path, provider: str, address: str) -> None:
    path = home / "config" / "api_integrations.json"
    chosen = json.loads(path.read_text(encoding="utf-8"))
    chosen["economic_calendar"] |= {"provider": provider, provider: {"base_url": address}}
    path.write_text(json.dumps(chosen), encoding="utf-8")


def said_by(environment: dict[str, str], *words: str) -> str:
    """What a command writes."""
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", *words],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return f"{done.stdout}{done.stderr}"


def test_no_secret_turns_up_anywhere(
    desk_home: Path, desk_env: Callable[..., dict[str, str]], free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "_known", ())  # what this process hides shows nothing of the desk
    with serving(Repeating()) as providers:
        planted, places = lived_through(desk_home, desk_env, free_port, providers)
    assert {"data/secrets.json", "config/users.json", "logs/app.log"} <= places.keys()
    assert {"sql", "doctor", "events", "GET /api/calendar", "GET /openapi.json"} <= places.keys()
    assert "Invalid key" in str(places["GET /api/calendar"]), "what came back is shown, masked"
    assert "Invalid key" in str(places["sql"])
    assert leaks(planted, places) == set()


def lived_through(
    desk_home: Path, desk_env: Callable[..., dict[str, str]], free_port: int, providers: Site
) -> tuple[dict[str, str], dict[str, str | bytes]]:
    """The secrets planted in a desk, and all that it wrote and sent in its life."""
    key = new_key()
    choose(desk_home, "fmp", providers.url("/fmp"))
    services = build_services(load_settings(home=desk_home, secret_key=key))
    services.secrets.put("calendar.fmp", PROVIDER)
    services.secrets.put("calendar.tradingeconomics", ANOTHER)
    services.management.add("olga", Role.OWNER, PASSWORD, actor="local")
    _, token = services.management.make_token(
        "olga", Role.OWNER, label="a test", lasts=timedelta(days=1), actor="local"
    )
    planted = {
        "password": PASSWORD,
        "guess": OTHER,
        "provider": PROVIDER,
        "another provider": ANOTHER,
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
        MT5UI_ALLOW_PRIVATE_ADDRESSES="true",
    )
    desk = start_desk(desk_home, free_port, environment)
    sent: dict[str, str] = {}
    try:
        desk.wait_for_line(READY, 120)
        with httpx.Client(base_url=desk.url, timeout=60) as client:
            client.post("/api/session", json={"name": "olga", "password": PASSWORD})
            for name, value in client.cookies.items():
                if not name.endswith("device"):
                    planted[name] = value.rpartition(".")[2]  # before it stand the session's id and the like
            client.cookies.clear()
            for wrong in (f"Bearer {token}x", f"Basic {OTHER}"):
                sent[f"{wrong[:6]} refused"] = client.get(
                    "/api/status", headers={"Authorization": wrong}
                ).text
            client.headers["Authorization"] = f"Bearer {token}"
            with client.stream("GET", NEVER_ENDS) as stream:
                began = re.findall("id: (.+)", next(stream.iter_text()))[0]
            update = "/api/celery/tasks/data/update-calendar"
            done = desk.ended(client.post(update).json()["task_id"])
            assert done["status"] == "success", done
            choose(desk_home, "tradingeconomics", providers.url("/te"))
            failed = client.post(update).json()["task_id"]
            asked = f"/api/celery/tasks/{failed}/status"
            desk.wait_until(
                lambda: desk.get(asked).json()["status"] in {"retry", "failure"}, 60, "nothing came of asking"
            )
            for secret in (PROVIDER, ANOTHER, TERMINAL, CONNECTOR):
                by_mistake = client.post("/api/celery/tasks/ai/evaluate-symbol", json={"symbol": secret})
                assert by_mistake.is_client_error, by_mistake.text
                sent[f"{secret[:5]} as a symbol"] = by_mistake.text
                sent[f"{secret[:5]} in a path"] = client.get(f"/api/market/{quote(secret, safe='')}").text
                sent[f"{secret[:5]} in a query"] = client.get("/api/news", params={"symbol": secret}).text
            for method, path in sorted(RIGHTS):
                if path == NEVER_ENDS or (method, path) == ("POST", "/api/control/kill"):
                    continue
                body = BODIES.get(path) if method == "POST" else None
                answer = client.request(method, re.sub(r"\{\w+\}", "EURUSD", path), json=body)
                sent[f"{method} {path}"] = f"{answer.headers}{answer.text}"
            rows = client.get("/api/tasks", params={"limit": 200}).json()["items"]
            sent |= {f"task {row['id']}": client.get(f"/api/tasks/{row['id']}").text for row in rows}
            with client.stream("GET", NEVER_ENDS, params={"after": began}) as stream:
                pieces = stream.iter_text()
                told = next(pieces)
                while failed not in told:
                    told += next(pieces)
                sent["events"] = told
        sent["sql"] = said_by(environment, "sql", "--json", "SELECT * FROM calendar")
        sent["sql, jobs"] = said_by(environment, "sql", "--csv", "SELECT * FROM task_runs")
        sent["calendar"] = said_by(environment, "calendar", "show", "--json")
        sent["doctor"] = said_by(environment, "doctor", "--json")
    finally:
        desk.stop(20)
        desk.destroy()
    return planted, {**written_below(desk_home), **sent, "console": desk.output}
