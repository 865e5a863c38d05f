"""/api/parity: a day is queued, and read once it was audited."""

from typing import Any

from backend.backtest.parity.kept import file_of
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk

PAGE: dict[str, Any] = {
    "day": "2026-03-04",
    "from": "2026-03-03T22:00:00Z",
    "to": "2026-03-04T22:00:00Z",
    "at": "2026-03-05T01:30:00Z",
    "complete": True,
    "currency": "USD",
    "live_trades": 1,
    "twin_trades": 1,
    "paired": 1,
    "live_net": "10.00",
    "twin_net": "12.50",
    "gap": "-2.50",
    "causes": {"human_delay": "-2.50"},
    "pairs": [
        {
            "strategy": "S",
            "symbol": "EURUSD",
            "signal_time": "2026-03-04T10:00:00Z",
            "idea_id": "i-1",
            "live": {"net": "10.00"},
            "twin": {"net": "12.50"},
            "gap": "-2.50",
            "causes": {"human_delay": "-2.50"},
            "why": "",
        }
    ],
    "excluded": [],
    "notes": [],
}


def test_a_day_is_queued(client: TestClient, desk: FakeDesk) -> None:
    answer = client.post("/api/parity", json={"day": "2026-03-04"})
    job = desk.jobs.rows[answer.json()["task_id"]]
    assert (job.task, job.kwargs) == ("backend.tasks.trading_tasks.audit_parity", {"day": "2026-03-04"})
    for empty in (client.post("/api/parity"), client.post("/api/parity", json={})):
        assert desk.jobs.rows[empty.json()["task_id"]].kwargs == {"day": "last"}


def test_what_is_no_day_is_refused_before_anything_is_queued(client: TestClient, desk: FakeDesk) -> None:
    for body in ({"day": "yesterday"}, {"day": "2026-02-30"}, {"days": 3}):
        assert client.post("/api/parity", json=body).status_code == 422
    assert desk.jobs.rows == {}
    assert client.get("/api/parity/yesterday").status_code == 422


def test_audited_days_are_listed_and_read(client: TestClient, desk: FakeDesk) -> None:
    assert client.get("/api/parity").json() == {"days": []}
    missing = client.get("/api/parity/2026-03-04")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_day")
    desk.storage.write_json(file_of("2026-03-04"), PAGE)
    desk.storage.write_json(file_of("2026-03-05"), PAGE | {"day": "2026-03-05"})
    listed = client.get("/api/parity").json()["days"]
    assert [one["day"] for one in listed] == ["2026-03-05", "2026-03-04"]
    assert "pairs" not in listed[0]
    assert client.get("/api/parity/2026-03-04").json() == PAGE
