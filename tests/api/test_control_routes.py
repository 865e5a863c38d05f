"""Mode, halts and limits over HTTP."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.accounts.record import How
from backend.accounts.service import Money
from backend.app import create_app
from backend.core.errors import Unavailable
from backend.journal.record import Kind
from backend.trading.account import AccountState
from tests.api.conftest import BASE
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk, fake_desk


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


def test_limits_that_somebody_else_changed_are_not_overwritten(client: TestClient) -> None:
    read = client.get("/api/risk/limits").headers["ETag"]
    mine = {"changes": {"max_positions": 4}, "reason": "mine"}
    first = client.patch("/api/risk/limits", json=mine, headers={"If-Match": read})
    assert first.status_code == 200
    theirs = {"changes": {"max_positions": 5}}
    refused(
        client.patch("/api/risk/limits", json=theirs, headers={"If-Match": read}), 409, "settings_changed"
    )
    assert client.get("/api/risk/limits").json()["max_positions"] == 4
    assert client.get("/api/risk/limits").headers["ETag"] == first.headers["ETag"]


def test_who_changed_which_setting_is_told_the_newest_first(client: TestClient, desk: FakeDesk) -> None:
    client.patch("/api/risk/limits", json={"changes": {"max_positions": 4}, "reason": "calm"})
    client.post("/api/control/mode", json={"mode": "observe", "reason": "holiday"})
    client.post("/api/feeds", json={"name": "Mine", "url": "https://example.org/rss"})
    told = client.get("/api/settings/changes").json()["items"]
    assert [(one["file"], one["by"], one["reason"]) for one in told[1:]] == [
        ("config/risk.json", "local", "holiday"),
        ("config/risk.json", "local", "calm"),
    ]
    assert (told[0]["file"], told[2]["changes"]) == ("config/rss_feeds.json", {"max_positions": [10, 4]})
    of_one = client.get("/api/settings/changes", params={"file": "config/risk.json", "limit": 1}).json()[
        "items"
    ]
    assert [one["changes"] for one in of_one] == [{"mode": ["supervised", "observe"]}]
    assert client.get("/api/settings/changes", params={"file": "../x"}).json() == {"items": []}


def test_a_broken_file_is_named(client: TestClient, desk: FakeDesk) -> None:
    (desk.settings.config_dir / "risk.json").write_text('{"max_positions": "many"}')
    error = refused(client.get("/api/risk/limits"), 422, "bad_risk_limits")
    assert error["details"]["key"] == "max_positions"


def test_the_checks_are_listed(client: TestClient) -> None:
    listed = client.get("/api/risk/checks").json()["checks"]
    by_name = {check["check"]: check for check in listed}
    assert "manual" not in by_name["confidence"]["applies"]
    assert "manual" in by_name["daily_loss"]["applies"]


class Standing:
    """An account that lost 300 of 10,000 today and has 10,400 as its peak; or none at all."""

    down = False
    state = AccountState(
        currency="USD",
        leverage=100,
        balance=Decimal(9_900),
        equity=Decimal(9_700),
        margin=Decimal(0),
        margin_free=Decimal(9_700),
        day_reference=Decimal(10_000),
        initial_balance=Decimal(10_000),
        peak=Decimal(10_400),
    )

    def standing(self) -> tuple[AccountState, Money]:
        if self.down:
            raise Unavailable("terminal_unreachable", "The terminal does not answer")
        money = Money(
            initial_balance=Decimal(10_000),
            peak=Decimal(10_400),
            day_peak=Decimal(10_000),
            reset_at=datetime(2026, 1, 5, 22, tzinfo=UTC),
            balance=Decimal(10_000),
            equity=None,
            how=How.UNKNOWN,
            unexplained=False,
            notes=("not known",),
        )
        return self.state, money


def client_of(desk: FakeDesk) -> TestClient:
    return TestClient(create_app(desk, host="127.0.0.1"), base_url=BASE)


def test_the_account_stands_beside_its_limits(tmp_path: Path) -> None:
    with client_of(fake_desk(tmp_path, account=Standing())) as client:
        found = client.get("/api/risk/standing").json()
    assert found["measured"] is True
    assert found["daily_loss"] == {"lost": "300", "of": "10000", "share": 0.03, "limit": 0.05}
    assert found["drawdown"]["share"] == pytest.approx(700 / 10_400)
    assert (found["equity_at_reset"], found["notes"]) == ("unknown", ["not known"])


def test_what_cannot_be_told_is_not_zero(tmp_path: Path) -> None:
    account = Standing()
    account.down = True
    with client_of(fake_desk(tmp_path, account=account)) as client:
        away = client.get("/api/risk/standing").json()
    assert (away["measured"], away["daily_loss"], away["drawdown"]) == (False, None, None)
    assert "does not answer" in away["reason"]
    empty = Standing()
    nothing = Decimal(0)
    empty.state = replace(
        Standing.state,
        balance=nothing,
        equity=nothing,
        day_reference=nothing,
        initial_balance=nothing,
        peak=nothing,
    )
    with client_of(fake_desk(tmp_path, account=empty)) as client:
        found = client.get("/api/risk/standing").json()
    assert (found["measured"], found["daily_loss"]) == (False, None)
