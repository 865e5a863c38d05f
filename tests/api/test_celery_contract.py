"""The endpoints of /api/celery as users of the earlier platform know them."""

from typing import Any

import pytest

from backend.jobs.views import JobError, JobState, Progress
from tests.fakes.http import TestClient
from tests.fakes.services import NOW, FakeDesk, worker

AI = "backend.tasks.ai_tasks."
DATA = "backend.tasks.data_tasks."
MAINTENANCE = "backend.tasks.maintenance_tasks."

KEEP: dict[str, Any] = {"dry_run": False}
POSTS: list[tuple[str, Any, str, dict[str, Any]]] = [
    ("/tasks/ai/evaluate-all", None, AI + "evaluate_all_strategies", {}),
    ("/tasks/ai/evaluate-symbol", {"symbol": "EURUSD"}, AI + "evaluate_single_symbol", {"symbol": "EURUSD"}),
    (
        "/tasks/ai/backtest",
        {"symbol": "EURUSD", "strategy_name": "EURUSD_H1"},
        AI + "backtest_strategy",
        {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": 30},
    ),
    ("/tasks/data/collect-market-data", None, DATA + "collect_market_data", {}),
    ("/tasks/data/update-calendar", None, DATA + "update_economic_calendar", {}),
    ("/tasks/data/collect-news", None, DATA + "collect_rss_news", {}),
    ("/tasks/data/update-symbols", None, DATA + "update_symbol_info", {}),
    ("/tasks/maintenance/cleanup-logs", None, MAINTENANCE + "cleanup_old_logs", KEEP | {"days_to_keep": 30}),
    ("/tasks/maintenance/cleanup-cache", None, MAINTENANCE + "cleanup_cache", KEEP | {"days_to_keep": 7}),
    (
        "/tasks/maintenance/archive-trades",
        None,
        MAINTENANCE + "archive_old_trades",
        KEEP | {"days_to_keep": 90},
    ),
    ("/tasks/maintenance/health-check", None, MAINTENANCE + "system_health_check", {}),
    ("/tasks/maintenance/optimize-csv", None, MAINTENANCE + "optimize_csv_files", KEEP),
]
PATHS = [path for path, *_ in POSTS]
OPTIONAL_BODY = [path for path, body, *_ in POSTS if body is None]
UPKEEP = [path for path, _, _, kwargs in POSTS if "dry_run" in kwargs]
KEEPING = [path for path, _, _, kwargs in POSTS if "days_to_keep" in kwargs]


def post(client: TestClient, path: str, body: Any = None, **extra: Any) -> Any:
    if body is None:
        return client.post("/api/celery" + path, **extra)
    return client.post("/api/celery" + path, json=body, **extra)


@pytest.mark.parametrize(("path", "body", "task", "kwargs"), POSTS)
def test_a_post_answers_pending_once_the_row_is_there(
    client: TestClient, desk: FakeDesk, path: str, body: Any, task: str, kwargs: dict[str, Any]
) -> None:
    answer = post(client, path, body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"task_id", "status", "message"}
    assert told["status"] == "pending"
    row = desk.jobs.get(told["task_id"])
    assert (row.task, dict(row.kwargs), row.actor) == (task, kwargs, "local")
    status = client.get(f"/api/celery/tasks/{told['task_id']}/status").json()
    assert (status["task_id"], status["status"]) == (told["task_id"], "pending")
    assert status["result"] is None
    assert status["error"] is None


@pytest.mark.parametrize("path", OPTIONAL_BODY)
def test_no_body_and_an_empty_object_mean_the_same(client: TestClient, desk: FakeDesk, path: str) -> None:
    ids = [post(client, path).json()["task_id"], post(client, path, {}).json()["task_id"]]
    bare, empty = (desk.jobs.get(one) for one in ids)
    assert dict(bare.kwargs) == dict(empty.kwargs)
    assert bare.task == empty.task


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_field_is_refused_before_anything_is_queued(
    client: TestClient, desk: FakeDesk, path: str
) -> None:
    whole = next(body for one, body, *_ in POSTS if one == path) or {}
    answer = post(client, path, {**whole, "surprise": 1})
    assert answer.status_code == 422
    assert "surprise" in answer.json()["error"]["message"]
    assert desk.jobs.rows == {}


@pytest.mark.parametrize("path", KEEPING)
@pytest.mark.parametrize("days", [1, 3650])
def test_days_to_keep_at_its_limits(client: TestClient, desk: FakeDesk, path: str, days: int) -> None:
    answer = post(client, path, {"days_to_keep": days})
    assert answer.status_code == 200
    assert desk.jobs.get(answer.json()["task_id"]).kwargs == KEEP | {"days_to_keep": days}


@pytest.mark.parametrize("path", KEEPING)
@pytest.mark.parametrize("days", [0, -1, 3651, True, False, 30.0, 30.5, "30", None, [], {}, 10**30])
def test_days_to_keep_outside_its_limits_deletes_nothing(
    client: TestClient, desk: FakeDesk, path: str, days: Any
) -> None:
    assert post(client, path, {"days_to_keep": days}).status_code == 422
    assert desk.jobs.rows == {}


@pytest.mark.parametrize("path", UPKEEP)
def test_a_dry_run_may_be_asked_for(client: TestClient, desk: FakeDesk, path: str) -> None:
    told = post(client, path, {"dry_run": True}).json()
    defaults = next(kwargs for one, _, _, kwargs in POSTS if one == path)
    assert desk.jobs.get(told["task_id"]).kwargs == defaults | {"dry_run": True}


@pytest.mark.parametrize("path", UPKEEP)
@pytest.mark.parametrize("wrong", [1, 0, "true", None, []])
def test_what_is_no_clear_yes_to_a_dry_run_starts_nothing(
    client: TestClient, desk: FakeDesk, path: str, wrong: Any
) -> None:
    assert post(client, path, {"dry_run": wrong}).status_code == 422
    assert desk.jobs.rows == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/tasks/ai/evaluate-symbol", {"symbol": "NOSUCH"}, 404, "unknown_symbol"),
        ("/tasks/ai/evaluate-symbol", {"symbol": "eurusd"}, 404, "unknown_symbol"),
        ("/tasks/ai/evaluate-symbol", {"symbol": "USDSEK"}, 409, "symbol_disabled"),
        ("/tasks/ai/evaluate-symbol", {}, 422, "invalid_request"),
        ("/tasks/ai/evaluate-symbol", None, 422, "invalid_request"),
        ("/tasks/ai/evaluate-symbol", {"symbol": ""}, 422, "invalid_request"),
        ("/tasks/ai/evaluate-symbol", {"symbol": 5}, 422, "invalid_request"),
        ("/tasks/ai/backtest", {"symbol": "EURUSD"}, 422, "invalid_request"),
        ("/tasks/ai/backtest", {"symbol": "EURUSD", "strategy_name": "none"}, 404, "unknown_strategy"),
        ("/tasks/ai/backtest", {"symbol": "NOSUCH", "strategy_name": "EURUSD_H1"}, 404, "unknown_symbol"),
        (
            "/tasks/ai/backtest",
            {"symbol": "XAUUSD", "strategy_name": "EURUSD_H1"},
            404,
            "strategy_not_of_symbol",
        ),
        (
            "/tasks/ai/backtest",
            {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": 0},
            422,
            "invalid_request",
        ),
        (
            "/tasks/ai/backtest",
            {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": True},
            422,
            "invalid_request",
        ),
    ],
)
def test_what_is_unknown_is_refused_before_anything_is_queued(
    client: TestClient, desk: FakeDesk, path: str, body: Any, status: int, code: str
) -> None:
    answer = post(client, path, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    assert desk.jobs.rows == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"symbol": "EURUSD", "x": 1}', "body.x: there is no such field here"),
        (b"{}", "body.symbol: it is missing"),
        (b"", "body: it is missing"),
        (b"[]", "body: it must be a JSON object"),
        (b'{"symbol": ', "body: it is not valid JSON"),
    ],
)
def test_a_refusal_of_a_body_is_in_plain_words(client: TestClient, content: bytes, said: str) -> None:
    answer = client.post(
        "/api/celery/tasks/ai/evaluate-symbol", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == said


def test_a_strategy_may_be_called_by_its_name_and_runs_under_its_id(
    client: TestClient, desk: FakeDesk
) -> None:
    answer = post(
        client, "/tasks/ai/backtest", {"symbol": "EURUSD", "strategy_name": "EURUSD H1 trend following"}
    )
    assert desk.jobs.get(answer.json()["task_id"]).kwargs["strategy_name"] == "EURUSD_H1"


TRIED: dict[str, Any] = {
    "mode": "autonomous",
    "balance": 25_000,
    "risk": 0.0025,
    "commission_per_lot": 3.5,
    "slippage_points": 0,
    "spread_points": 12,
}


def test_a_backtest_takes_mode_balance_risk_and_costs(client: TestClient, desk: FakeDesk) -> None:
    body = {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", "days": 90}
    answer = post(client, "/tasks/ai/backtest", body | TRIED)
    assert desk.jobs.get(answer.json()["task_id"]).kwargs == body | TRIED


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("mode", "reckless", "'observe', 'supervised' or 'autonomous'"),
        ("balance", 0, "greater than 0"),
        ("risk", 0.5, "Did you mean percent? 0.5 % is written 0.005"),
        ("commission_per_lot", -1, "greater than or equal to 0"),
        ("slippage_points", "many", "a number is wanted"),
        ("spread_points", 1.5, "valid integer"),
    ],
)
def test_what_a_backtest_cannot_take_is_told_at_its_field(
    client: TestClient, desk: FakeDesk, field: str, value: Any, says: str
) -> None:
    answer = post(
        client, "/tasks/ai/backtest", {"symbol": "EURUSD", "strategy_name": "EURUSD_H1", field: value}
    )
    assert answer.status_code == 422
    (problem,) = answer.json()["error"]["details"]["problems"]
    assert problem["at"] == f"body.{field}"
    assert says in problem["reason"]
    assert desk.jobs.rows == {}


@pytest.mark.parametrize("path", PATHS)
def test_with_the_broker_down_a_post_is_503_and_its_row_is_closed_as_refused(
    client: TestClient, desk: FakeDesk, path: str
) -> None:
    desk.jobs.broker_down = True
    body = next(body for one, body, *_ in POSTS if one == path)
    answer = post(client, path, body)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "broker_unavailable"
    assert answer.headers["retry-after"]
    assert [row.state for row in desk.jobs.rows.values()] == [JobState.REFUSED]


def test_the_same_idempotency_key_is_the_same_task(client: TestClient, desk: FakeDesk) -> None:
    key = {"Idempotency-Key": "click-1"}
    first = post(client, "/tasks/ai/evaluate-symbol", {"symbol": "EURUSD"}, headers=key).json()
    again = post(client, "/tasks/ai/evaluate-symbol", {"symbol": "EURUSD"}, headers=key).json()
    other = post(client, "/tasks/ai/evaluate-symbol", {"symbol": "XAUUSD"}, headers=key).json()
    assert first["task_id"] == again["task_id"]
    assert other["task_id"] != first["task_id"]
    assert len(desk.jobs.rows) == 2


@pytest.mark.parametrize("key", ["", "x" * 129, "with space"])
def test_a_bad_idempotency_key_is_refused(client: TestClient, desk: FakeDesk, key: str) -> None:
    answer = post(client, "/tasks/ai/evaluate-all", headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert desk.jobs.rows == {}


def test_an_id_that_was_never_issued_is_404(client: TestClient) -> None:
    answer = client.get("/api/celery/tasks/00000000-0000-0000-0000-000000000000/status")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (JobState.QUEUED, "pending"),
        (JobState.SENT, "pending"),
        (JobState.STARTED, "started"),
        (JobState.RETRYING, "retry"),
        (JobState.SUCCEEDED, "success"),
        (JobState.FAILED, "failure"),
        (JobState.REFUSED, "failure"),
        (JobState.LOST, "failure"),
        (JobState.DEAD, "failure"),
        (JobState.CANCELLED, "revoked"),
        (JobState.EXPIRED, "revoked"),
        (JobState.MISSED, "revoked"),
    ],
)
def test_status_words_are_celerys_in_lower_case(
    client: TestClient, desk: FakeDesk, state: JobState, word: str
) -> None:
    task_id = post(client, "/tasks/ai/evaluate-all").json()["task_id"]
    desk.jobs.set(task_id, state=state)
    assert client.get(f"/api/celery/tasks/{task_id}/status").json()["status"] == word


def test_status_tells_how_far_a_running_task_is(client: TestClient, desk: FakeDesk) -> None:
    body = {"symbol": "EURUSD", "strategy_name": "EURUSD_H1"}
    task_id = post(client, "/tasks/ai/backtest", body).json()["task_id"]
    assert client.get(f"/api/celery/tasks/{task_id}/status").json()["progress"] is None
    desk.jobs.set(task_id, state=JobState.STARTED, progress=Progress(done=12_000, total=74_389))
    told = client.get(f"/api/celery/tasks/{task_id}/status").json()
    assert told["progress"] == {"done": 12_000, "total": 74_389}


def test_status_carries_result_or_error(client: TestClient, desk: FakeDesk) -> None:
    task_id = post(client, "/tasks/ai/evaluate-all").json()["task_id"]
    desk.jobs.set(task_id, state=JobState.SUCCEEDED, result={"decisions": 7}, finished_at=NOW)
    told = client.get(f"/api/celery/tasks/{task_id}/status").json()
    assert told["result"] == {"decisions": 7}
    assert told["finished_at"] == "2026-01-05T09:00:30Z"
    error = JobError(
        category="unavailable", code="terminal_unreachable", message="No answer", details={"x": 1}
    )
    desk.jobs.set(task_id, state=JobState.FAILED, result=None, error=error)
    told = client.get(f"/api/celery/tasks/{task_id}/status").json()
    assert told["error"] == "No answer"
    assert told["error_detail"]["code"] == "terminal_unreachable"


def test_active_and_stats_come_with_their_age(client: TestClient, desk: FakeDesk) -> None:
    desk.jobs.worker_views = (worker(),)
    active = client.get("/api/celery/tasks/active").json()
    assert active["active"] == {"main@host": [{"id": "job-1"}]}
    assert active["scheduled"] == {}
    assert active["timestamp"] == "2026-01-05T09:00:30Z"
    assert active["ages"] == {"main@host": 3.0}
    stats = client.get("/api/celery/tasks/stats").json()
    assert stats["stats"] == {"main@host": {"total": 7}}
    assert stats["reason"] is None


def test_without_workers_active_says_why_it_is_empty(client: TestClient) -> None:
    assert client.get("/api/celery/tasks/active").json()["reason"]
    assert client.get("/api/celery/tasks/stats").json()["reason"]
