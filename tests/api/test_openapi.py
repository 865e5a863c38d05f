"""The published description: every route has typed answers and says how it fails."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.core.version import VERSION
from tests.fakes.http import TestClient
from tests.fakes.services import fake_desk

ROOT = Path(__file__).resolve().parents[2]

CONTRACT = [
    ("post", "/api/celery/tasks/ai/evaluate-all"),
    ("post", "/api/celery/tasks/ai/evaluate-symbol"),
    ("post", "/api/celery/tasks/ai/backtest"),
    ("post", "/api/celery/tasks/data/collect-market-data"),
    ("post", "/api/celery/tasks/data/update-calendar"),
    ("post", "/api/celery/tasks/data/collect-news"),
    ("post", "/api/celery/tasks/data/update-symbols"),
    ("post", "/api/celery/tasks/maintenance/cleanup-logs"),
    ("post", "/api/celery/tasks/maintenance/cleanup-cache"),
    ("post", "/api/celery/tasks/maintenance/archive-trades"),
    ("post", "/api/celery/tasks/maintenance/health-check"),
    ("post", "/api/celery/tasks/maintenance/optimize-csv"),
    ("get", "/api/celery/tasks/{task_id}/status"),
    ("get", "/api/celery/tasks/active"),
    ("get", "/api/celery/tasks/stats"),
]
MONITOR = [
    ("get", "/api/tasks"),
    ("get", "/api/tasks/{task_id}"),
    ("get", "/api/tasks/summary"),
    ("post", "/api/tasks/{task_id}/cancel"),
    ("post", "/api/tasks/{task_id}/retry"),
    ("get", "/api/queues"),
    ("get", "/api/workers"),
    ("get", "/api/schedules"),
    ("post", "/api/schedules/{name}/trigger"),
    ("post", "/api/schedules/{name}/pause"),
    ("post", "/api/schedules/{name}/resume"),
    ("get", "/api/events"),
    ("get", "/metrics"),
    ("get", "/healthz"),
    ("get", "/readyz"),
]
STRATEGIES = [
    ("get", "/api/strategies"),
    ("post", "/api/strategies"),
    ("get", "/api/strategies/problems"),
    ("get", "/api/strategies/schema"),
    ("get", "/api/strategies/facts"),
    ("get", "/api/strategies/language"),
    ("post", "/api/strategies/validate"),
    ("get", "/api/strategies/{strategy_id}"),
    ("put", "/api/strategies/{strategy_id}"),
    ("delete", "/api/strategies/{strategy_id}"),
    ("post", "/api/strategies/{strategy_id}/toggle"),
    ("post", "/api/strategies/{strategy_id}/duplicate"),
    ("get", "/api/strategies/{strategy_id}/source"),
    ("get", "/api/strategies/{strategy_id}/explain"),
    ("get", "/api/strategies/{strategy_id}/series"),
    ("get", "/api/strategies/{strategy_id}/versions"),
    ("get", "/api/strategies/{strategy_id}/versions/{number}"),
]

DESK = [
    ("get", "/api/control"),
    ("post", "/api/control/mode"),
    ("post", "/api/control/halt"),
    ("post", "/api/control/resume"),
    ("get", "/api/risk/limits"),
    ("patch", "/api/risk/limits"),
    ("get", "/api/risk/checks"),
]
PROP = [
    ("get", "/api/prop/rulebook"),
    ("put", "/api/prop/rulebook"),
    ("delete", "/api/prop/rulebook"),
    ("get", "/api/prop/presets"),
    ("get", "/api/prop/challenge"),
    ("post", "/api/prop/simulate"),
]
TRADING = [
    ("get", "/api/account"),
    ("get", "/api/positions"),
    ("get", "/api/positions/{ticket}"),
    ("get", "/api/orders"),
    ("get", "/api/orders/{ticket}"),
    ("get", "/api/deals"),
]

MARKET = [
    ("get", "/api/market/{symbol}"),
    ("get", "/api/market/{symbol}/quote"),
    ("get", "/api/market/{symbol}/bars"),
    ("get", "/api/market/{symbol}/ticks"),
    ("get", "/api/market/{symbol}/quality"),
    ("get", "/api/history"),
    ("get", "/api/history/check"),
    ("get", "/api/history/reports/{name}"),
    ("post", "/api/history/uploads"),
    ("post", "/api/history/imports"),
    ("post", "/api/history/fetches"),
]

IDEAS = [
    ("get", "/api/trade-ideas"),
    ("get", "/api/trade-ideas/{idea_id}"),
    ("patch", "/api/trade-ideas/{idea_id}"),
    ("post", "/api/trade-ideas/{idea_id}/approve"),
    ("post", "/api/trade-ideas/{idea_id}/reject"),
    ("post", "/api/trade-ideas/{idea_id}/cancel"),
    ("post", "/api/trade-ideas/{idea_id}/preview"),
    ("get", "/api/trade-approval/pending"),
    ("post", "/api/trade-approval/approve/{idea_id}"),
    ("post", "/api/trade-approval/reject/{idea_id}"),
]

pytestmark = pytest.mark.xdist_group("description")  # it is made once


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    described: dict[str, Any] = create_app(fake_desk(tmp_path_factory.mktemp("desk"))).openapi()
    return described


def operations(openapi: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize(
    ("method", "path"), CONTRACT + MONITOR + STRATEGIES + DESK + PROP + TRADING + MARKET + IDEAS
)
def test_each_known_path_is_there(openapi: dict[str, Any], method: str, path: str) -> None:
    assert method in openapi["paths"][path]


def test_the_celery_prefix_holds_the_contract_and_nothing_else(openapi: dict[str, Any]) -> None:
    found = {(method, path) for method, path, _ in operations(openapi) if path.startswith("/api/celery/")}
    assert found == set(CONTRACT)


def test_every_operation_has_a_typed_answer_and_a_summary(openapi: dict[str, Any]) -> None:
    for method, path, operation in operations(openapi):
        content = operation["responses"]["200"]["content"]
        schema = next(iter(content.values()))["schema"]
        assert schema, (method, path)
        assert "$ref" in schema or schema.get("type"), (method, path)
        assert operation["description"], (method, path)


def test_every_failure_has_the_one_shape(openapi: dict[str, Any]) -> None:
    for method, path, operation in operations(openapi):
        failures = {status: one for status, one in operation["responses"].items() if status >= "400"}
        assert failures, (method, path)
        for status, failure in failures.items():
            reference = failure["content"]["application/json"]["schema"]["$ref"]
            expected = "Readiness" if (path, status) == ("/readyz", "503") else "ErrorBody"
            assert reference == f"#/components/schemas/{expected}", (method, path, status)


def test_every_body_refuses_unknown_fields(openapi: dict[str, Any]) -> None:
    for method, path, operation in operations(openapi):
        if "requestBody" not in operation:
            continue
        content = operation["requestBody"]["content"]
        if "application/octet-stream" in content:
            continue
        schema = content["application/json"]["schema"]
        references = [schema["$ref"]] if "$ref" in schema else [one.get("$ref") for one in schema["anyOf"]]
        for reference in filter(None, references):
            model = openapi["components"]["schemas"][reference.rpartition("/")[2]]
            assert model["additionalProperties"] is False, (method, path)


def test_operation_ids_are_unique(openapi: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(openapi)]
    assert len(ids) == len(set(ids))


def test_it_is_served_with_the_version_of_the_project(client: TestClient) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert client.get("/openapi.json").json()["info"]["version"] == project["version"] == VERSION
