"""Mode, halts and limits over HTTP."""

import json
from typing import Any

import pytest

from backend.journal.record import Kind
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk


def refused(answer: Any, status: int, code: str) -> Any:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    return error


def test_a_fresh_desk_is_supervised_and_not_halted(client: TestClient) -> None:
    assert client.get("/api/control").json() == {
        "mode": "supervised",
        "ai_enabled": True,
        "halted": False,
        "reason": "",
        "halts": [],
    }


def test_halt_and_resume(client: TestClient, desk: FakeDesk) -> None:
    halted = client.post("/api/control/halt", json={"reason": "lunch"}).json()
    assert (halted["halted"], halted["reason"]) == (True, "lunch")
    assert [(each["kind"], each["by"]) for each in halted["halts"]] == [("person", "local")]
    assert client.get("/api/control").json() == halted
    assert client.post("/api/control/resume", json={"reason": "back"}).json()["halted"] is False
    refused(client.post("/api/control/resume", json={"reason": "back"}), 409, "not_halted")
    kinds = [record.kind for record in desk.journal.newest()]
    assert kinds == [Kind.RESUME, Kind.HALT]


@pytest.mark.parametrize("path", ["halt", "resume"])
@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "a", "by": "boss"}, []]
)
def test_a_halt_needs_a_reason_and_nothing_else(client: TestClient, path: str, body: Any) -> None:
    refused(client.post(f"/api/control/{path}", json=body), 422, "invalid_request")


def test_blanks_are_no_reason(client: TestClient) -> None:
    refused(client.post("/api/control/halt", json={"reason": "   "}), 422, "reason_required")


def test_the_mode_is_changed(client: TestClient, desk: FakeDesk) -> None:
    body = {"mode": "autonomous", "reason": "tested"}
    assert client.post("/api/control/mode", json=body).json()["mode"] == "autonomous"
    assert json.loads((desk.settings.config_dir / "risk.json").read_text()) == {"mode": "autonomous"}
    refused(client.post("/api/control/mode", json={"mode": "wild", "reason": "x"}), 422, "invalid_request")


def test_limits_are_changed_as_a_whole_or_not_at_all(client: TestClient) -> None:
    change = {"changes": {"daily_loss": {"limit": 0.02}, "max_positions": 4}}
    limits = client.patch("/api/risk/limits", json=change).json()
    assert (limits["daily_loss"]["limit"], limits["max_positions"]) == (0.02, 4)
    assert client.get("/api/risk/limits").json() == limits
    wrong = {"changes": {"max_positions": 5, "risk_fraction": 2}}
    error = refused(client.patch("/api/risk/limits", json=wrong), 422, "bad_risk_limits")
    assert "Did you mean percent" in error["message"]
    assert client.get("/api/risk/limits").json() == limits
    mode = refused(
        client.patch("/api/risk/limits", json={"changes": {"mode": "autonomous"}}), 422, "reason_required"
    )
    assert "mode" in mode["message"]


def test_a_broken_file_is_named(client: TestClient, desk: FakeDesk) -> None:
    (desk.settings.config_dir / "risk.json").write_text('{"max_positions": "many"}')
    error = refused(client.get("/api/risk/limits"), 422, "bad_risk_limits")
    assert error["details"]["key"] == "max_positions"


def test_the_checks_are_listed(client: TestClient) -> None:
    listed = client.get("/api/risk/checks").json()["checks"]
    by_name = {check["check"]: check for check in listed}
    assert "manual" not in by_name["confidence"]["applies"]
    assert "manual" in by_name["daily_loss"]["applies"]
