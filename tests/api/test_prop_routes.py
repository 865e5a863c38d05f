"""The rulebook over HTTP: put in force and lifted, how its challenge stands, its chances."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.backtest.child import Order, compute
from backend.backtest.model import Job
from backend.journal.record import Kind
from backend.risk.presets import PRESETS
from tests.api.conftest import BASE
from tests.api.test_control_routes import refused
from tests.fakes.backtests import table
from tests.fakes.http import TestClient
from tests.fakes.services import FakeDesk, fake_desk
from tests.unit.backtest.test_kernel_equals_reference import market, times

RULES = {"name": "mine", "profit_target": 0.05, "drawdown": {"limit": 0.05, "kind": "static"}}


def test_without_a_rulebook_there_is_none(client: TestClient) -> None:
    assert client.get("/api/prop/rulebook").json() == {"rulebook": None}


def test_a_rulebook_is_put_in_force_and_lifted(client: TestClient, desk: FakeDesk) -> None:
    body = {"rulebook": RULES, "reason": "the challenge begins"}
    put = client.put("/api/prop/rulebook", json=body).json()["rulebook"]
    assert (put["profit_target"], put["drawdown"]["of"]) == (0.05, "high")
    assert client.get("/api/prop/rulebook").json()["rulebook"] == put
    path = desk.settings.config_dir / "prop_rulebook.json"
    assert json.loads(path.read_text()) == RULES
    lifted = client.request("DELETE", "/api/prop/rulebook", json={"reason": "over"})
    assert (lifted.json(), path.exists()) == ({"rulebook": None}, False)
    told = [(one.kind, one.payload["reason"], one.payload["by"]) for one in desk.journal.newest()]
    assert told == [
        (Kind.SETTINGS_CHANGE, "over", "local"),
        (Kind.SETTINGS_CHANGE, "the challenge begins", "local"),
    ]


def test_a_preset_tightens_the_limits_that_are_in_force(client: TestClient) -> None:
    presets = client.get("/api/prop/presets").json()["presets"]
    assert list(presets) == list(PRESETS)
    client.put("/api/prop/rulebook", json={"preset": "instant", "reason": "try"})
    limits = client.get("/api/risk/limits").json()
    assert limits["risk_fraction"] == 0.01
    assert client.get("/api/prop/rulebook").json()["rulebook"]["name"] == "instant"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"rulebook": RULES}, 422, "invalid_request"),
        ({"rulebook": RULES, "reason": "  "}, 422, "reason_required"),
        ({"reason": "x"}, 422, "bad_rulebook"),
        ({"preset": "instant", "rulebook": RULES, "reason": "x"}, 422, "bad_rulebook"),
        ({"preset": "three-step", "reason": "x"}, 404, "unknown_preset"),
        ({"rulebook": {"name": "x", "drawdown": {"limit": 5}}, "reason": "x"}, 422, "bad_rulebook"),
        ({"rulebook": RULES, "reason": "x", "by": "boss"}, 422, "invalid_request"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    client: TestClient, desk: FakeDesk, body: Any, status: int, code: str
) -> None:
    refused(client.put("/api/prop/rulebook", json=body), status, code)
    assert client.get("/api/prop/rulebook").json() == {"rulebook": None}
    assert not (desk.settings.config_dir / "prop_rulebook.json").exists()


def test_a_wrong_key_is_named(client: TestClient) -> None:
    body = {"rulebook": {"name": "x", "drawdown": {"limit": 5}}, "reason": "x"}
    error = refused(client.put("/api/prop/rulebook", json=body), 422, "bad_rulebook")
    assert error["details"]["key"] == "drawdown.limit"


class Stands:
    """A challenge that a test tells."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def standing(self) -> dict[str, Any]:
        return self.told


def test_the_challenge_is_shown_and_what_cannot_be_told_is_null(tmp_path: Path) -> None:
    unknown = {
        "measured": False,
        "reason": "The terminal does not answer",
        "rulebook": None,
        "challenge": None,
        "room": None,
        "bans": None,
        "notes": [],
    }
    desk = fake_desk(tmp_path, challenge=Stands(unknown))
    with TestClient(create_app(desk, host="127.0.0.1"), base_url=BASE) as client:
        assert client.get("/api/prop/challenge").json() == unknown


# --- chances


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeDesk, str, Job]:
    """A desk that keeps one backtest."""
    desk = fake_desk(tmp_path_factory.mktemp("kept"))
    job = table(market(5, 400), times=times(5, 400), commission="3.5")
    done = compute(Order(job=job, root=desk.settings.data_dir))
    return desk, str(done["id"]), job


def simulated(desk: FakeDesk, body: Any) -> Any:
    with TestClient(create_app(desk, host="127.0.0.1"), base_url=BASE) as client:
        return client.post("/api/prop/simulate", json=body)


def test_chances_of_a_kept_backtest(kept: tuple[FakeDesk, str, Job]) -> None:
    desk, run_id, _ = kept
    body = {"backtest": run_id, "rulebook": RULES, "paths": 500, "days": 60, "seed": 3}
    found = simulated(desk, body).json()
    assert (found["rulebook"], found["paths"], found["initial_balance"]) == ("mine", 500, 10_000)
    total = sum(found[name]["value"] for name in ("p_pass", "p_breach", "p_running"))
    assert total == pytest.approx(1)
    assert simulated(desk, body).json() == found
    funded = {"backtest": run_id, "rulebook": {"name": "funded", "drawdown": {}}, "paths": 500}
    assert simulated(desk, funded).json()["p_pass"] is None


def test_chances_need_a_backtest_and_a_rulebook(kept: tuple[FakeDesk, str, Job]) -> None:
    desk, run_id, _ = kept
    refused(simulated(desk, {"backtest": "0" * 16, "preset": "instant"}), 404, "unknown_backtest")
    refused(simulated(desk, {"backtest": "../../etc", "preset": "instant"}), 422, "invalid_request")
    refused(simulated(desk, {"backtest": run_id}), 422, "no_rulebook")
    refused(simulated(desk, {"backtest": run_id, "preset": "instant", "paths": 0}), 422, "invalid_request")


def test_a_damaged_backtest_is_named(kept: tuple[FakeDesk, str, Job], tmp_path: Path) -> None:
    source, run_id, _ = kept
    desk = fake_desk(tmp_path)
    folder = f"backtests/{run_id}"
    for name in ("report.json", "equity.parquet", "trades.csv"):
        desk.storage.write_bytes(f"{folder}/{name}", source.storage.read_bytes(f"{folder}/{name}"))
    desk.storage.write_bytes(f"{folder}/equity.parquet", b"no parquet")
    refused(simulated(desk, {"backtest": run_id, "preset": "instant"}), 422, "bad_backtest")
