"""Tasks, queues, workers, schedules, health and metrics."""

from datetime import timedelta
from typing import Any

import pytest

from backend.core.errors import Invalid
from backend.jobs.views import JobState
from backend.routes.tasks import parse_window
from tests.fakes.http import TestClient
from tests.fakes.services import NOW, FakeDesk, worker

EVALUATE = "backend.tasks.ai_tasks.evaluate_all_strategies"


def submit(desk: FakeDesk, count: int = 1, task: str = EVALUATE) -> list[str]:
    return [desk.jobs.submit(task, actor="local") for _ in range(count)]


def test_tasks_are_listed_newest_first_in_pages(client: TestClient, desk: FakeDesk) -> None:
    ids = submit(desk, 5)
    first = client.get("/api/tasks", params={"limit": 2}).json()
    assert [item["id"] for item in first["items"]] == ids[:2:-1]
    rest = client.get("/api/tasks", params={"limit": 5, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in rest["items"]] == ids[2::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"task": "evaluate_all_strategies"}, 3),
        ({"task": "collect_rss_news"}, 0),
        ({"status": "failed"}, 1),
        ({"queue": "orders"}, 0),
        ({"worker": "main@host"}, 1),
        ({"since": "2026-01-05T09:00:00Z"}, 3),
        ({"since": "2026-01-05T11:00:31+02:00"}, 0),
        ({"until": "2026-01-05T09:00:30Z"}, 0),
        ({"actor": "schedule"}, 0),
    ],
)
def test_tasks_are_filtered(client: TestClient, desk: FakeDesk, query: dict[str, str], found: int) -> None:
    ids = submit(desk, 3)
    desk.jobs.set(ids[1], state=JobState.FAILED, worker="main@host")
    answer = client.get("/api/tasks", params=query)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == found


def test_the_worker_filter_loses_and_doubles_nothing_over_pages(client: TestClient, desk: FakeDesk) -> None:
    ids = submit(desk, 40)
    for number, job_id in enumerate(ids):
        desk.jobs.set(job_id, worker="main@host" if number % 3 == 0 else "orders@host")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"worker": "main@host", "limit": 4}
        page = client.get("/api/tasks", params=query | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::3][::-1]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"limit": 0},
        {"limit": 501},
        {"cursor": "x y"},
        {"since": "2026-01-05T09:00:00"},
        {"until": "yesterday"},
    ],
)
def test_a_bad_filter_is_refused(client: TestClient, query: dict[str, Any]) -> None:
    assert client.get("/api/tasks", params=query).status_code == 422


def test_a_task_is_shown_with_its_timeline(client: TestClient, desk: FakeDesk) -> None:
    (job_id,) = submit(desk)
    job = client.get(f"/api/tasks/{job_id}").json()
    assert job["state"] == "queued"
    assert job["timeline"] == []
    assert client.get("/api/tasks/none").status_code == 404


def test_the_summary_counts_within_its_window(client: TestClient) -> None:
    summary = client.get("/api/tasks/summary", params={"window": "2h"}).json()
    assert summary["window_seconds"] == 7200
    assert summary["tasks"][0]["counts"] == {"succeeded": 3, "failed": 1}
    assert summary["tasks"][0]["duration_p99"] is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(days=1)),
        ("366d", timedelta(days=366)),
    ],
)
def test_a_window_is_a_span(text: str, span: timedelta) -> None:
    assert parse_window(text) == span


@pytest.mark.parametrize("text", ["", "0h", "-1h", "24", "h", "1.5h", "367d", "1w", "٣h", " 1h"])
def test_what_is_no_window_is_refused(client: TestClient, text: str) -> None:
    with pytest.raises(Invalid):
        parse_window(text)
    assert client.get("/api/tasks/summary", params={"window": text}).status_code == 422


def test_cancel_retry_and_their_conflicts(client: TestClient, desk: FakeDesk) -> None:
    (job_id,) = submit(desk)
    assert client.post(f"/api/tasks/{job_id}/retry").status_code == 409
    assert client.post(f"/api/tasks/{job_id}/cancel").json()["cancel_requested"] is True
    desk.jobs.set(job_id, state=JobState.FAILED)
    assert client.post(f"/api/tasks/{job_id}/cancel").status_code == 409
    again = client.post(f"/api/tasks/{job_id}/retry").json()
    assert again["status"] == "pending"
    assert desk.jobs.get(again["task_id"]).retry_of == job_id
    for action in ("cancel", "retry"):
        assert client.post(f"/api/tasks/none/{action}").status_code == 404


def test_retry_with_the_broker_down_is_503(client: TestClient, desk: FakeDesk) -> None:
    (job_id,) = submit(desk)
    desk.jobs.set(job_id, state=JobState.FAILED)
    desk.jobs.broker_down = True
    assert client.post(f"/api/tasks/{job_id}/retry").status_code == 503


def test_dead_letters_are_listed_and_requeued(client: TestClient, desk: FakeDesk) -> None:
    first, second = submit(desk, 2)
    desk.jobs.set(first, state=JobState.DEAD)
    assert [item["id"] for item in client.get("/api/dead-letters").json()["items"]] == [first]
    assert client.post(f"/api/dead-letters/{second}/requeue").status_code == 409
    assert client.post("/api/dead-letters/none/requeue").status_code == 404
    assert client.post(f"/api/dead-letters/{first}/requeue").json()["status"] == "pending"


def test_a_silent_broker_leaves_the_depth_unknown(client: TestClient, desk: FakeDesk) -> None:
    assert client.get("/api/queues").json()["queues"][0]["broker_depth"] == 2
    desk.jobs.broker_down = True
    queue = client.get("/api/queues").json()["queues"][0]
    assert queue["broker_depth"] is None
    assert queue["waiting"] == 2


def test_workers_come_with_the_age_of_their_report(client: TestClient, desk: FakeDesk) -> None:
    none = client.get("/api/workers").json()
    assert none["workers"] == []
    assert none["reason"]
    desk.jobs.worker_views = (worker(),)
    some = client.get("/api/workers").json()
    assert some["workers"][0]["age"] == 3.0
    assert some["reason"] is None


def test_schedules_are_shown_triggered_paused_and_resumed(client: TestClient, desk: FakeDesk) -> None:
    shown = client.get("/api/schedules").json()["schedules"][0]
    assert (shown["name"], shown["missed"]) == ("collect-market-data", 1)
    paused = client.post("/api/schedules/collect-market-data/pause").json()
    assert (paused["paused"], paused["paused_by"], paused["next_planned_at"]) == (True, "local", None)
    assert client.post("/api/schedules/collect-market-data/resume").json()["paused"] is False
    told = client.post("/api/schedules/collect-market-data/trigger").json()
    assert desk.jobs.get(told["task_id"]).schedule == "collect-market-data"
    for action in ("trigger", "pause", "resume"):
        assert client.post(f"/api/schedules/none/{action}").status_code == 404


def test_healthz_asks_nobody(client: TestClient, desk: FakeDesk) -> None:
    desk.terminal.down = True
    desk.jobs.broker_down = True
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_says_what_does_not_answer(client: TestClient, desk: FakeDesk) -> None:
    good = client.get("/readyz")
    assert good.status_code == 200
    assert {check["name"] for check in good.json()["checks"]} == {"broker", "terminal", "storage"}
    desk.terminal.down = True
    bad = client.get("/readyz")
    assert bad.status_code == 503
    failing = {check["name"]: check["detail"] for check in bad.json()["checks"] if not check["ok"]}
    assert failing == {"terminal": "The terminal does not answer"}


def test_readyz_answers_although_a_part_hangs(client: TestClient, desk: FakeDesk) -> None:
    with desk.terminal.hanging():
        answer = client.get("/readyz")
    assert answer.status_code == 503
    terminal = next(check for check in answer.json()["checks"] if check["name"] == "terminal")
    assert terminal["detail"].startswith("no answer within")
    assert terminal["milliseconds"] < 2000


def test_metrics_are_in_prometheus_text(client: TestClient, desk: FakeDesk) -> None:
    desk.jobs.worker_views = (worker(),)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert f'mt5ui_jobs_last_day{{state="succeeded",task="{EVALUATE}"}} 3.0' in lines
    assert 'mt5ui_queue_oldest_seconds{queue="ai_evaluation"} 4.0' in lines
    assert 'mt5ui_worker_up{worker="main@host"} 1.0' in lines
    assert 'mt5ui_schedule_missed_total{schedule="collect-market-data"} 1.0' in lines


def test_status_is_one_page_of_truth(client: TestClient, desk: FakeDesk) -> None:
    page = client.get("/api/status").json()
    assert page["ready"] is True
    assert page["mode"] == "simulated"
    assert page["broker_kind"] == "memory"
    assert page["processes"] is None
    assert page["symbols"] == ["EURUSD", "XAUUSD"]
    assert page["strategies_enabled"] == 1
    ages = {one["name"]: one for one in page["data"]}
    assert ages["evaluations"]["age_seconds"] == 0
    assert ages["news"]["age_seconds"] is None
    assert ages["news"]["reason"]


def test_status_shows_problems_and_a_terminal_that_is_away(client: TestClient, desk: FakeDesk) -> None:
    (desk.settings.config_dir / "ai/strategies/BROKEN.json").write_text("{", encoding="utf-8")
    desk.terminal.down = True
    page = client.get("/api/status").json()
    assert page["ready"] is False
    assert any("BROKEN" in problem["file"] for problem in page["problems"])
    clocks = client.get("/api/clocks").json()
    assert clocks["terminal"] is None
    assert clocks["terminal_reason"] == "The terminal does not answer"
    assert clocks["broker"] is None
    assert clocks["broker_reason"]


def test_clocks_stand_side_by_side(client: TestClient, desk: FakeDesk) -> None:
    ahead = worker()
    desk.jobs.worker_views = (ahead,)
    clocks = client.get("/api/clocks").json()
    assert clocks["api"] == "2026-01-05T09:00:30Z"
    assert clocks["workers"] == {"main@host": 0.0}
    assert clocks["terminal"]["verdict"] == "agrees"
    assert desk.clock.now() == NOW
