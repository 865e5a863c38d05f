"""`mt5ui ideas` against a desk over HTTP whose ideas live in memory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.core.errors import Conflict
from tests.fakes.command_line import Run, command_line
from tests.fakes.http_app import served
from tests.fakes.services import FakeIdeas, fake_desk

IDEA = {
    "id": "i-1",
    "symbol": "EURUSD",
    "side": "buy",
    "status": "pending_approval",
    "created_at": "2026-01-05T09:00:00Z",
    "strategy_id": "S1",
    "volume": 0.1,
    "entry": 1.1,
    "stop": 1.09,
    "target": 1.12,
    "history": [
        {"at": "2026-01-05T09:00:00Z", "action": "propose", "status": "pending_approval", "by": "desk"}
    ],
}


class FakeActs:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.refuses = False

    def approve(
        self, idea_id: str, *, actor: str, overrides: Mapping[str, float | None], why: str
    ) -> dict[str, Any]:
        if self.refuses:
            raise Conflict("gate_refused", "the idea cannot be approved now: the desk is halted: lunch")
        self.asked.append(("approve", idea_id, actor, dict(overrides), why))
        return {**IDEA, "status": "approved", "sent": True}

    def reject(self, idea_id: str, *, actor: str, why: str) -> dict[str, Any]:
        self.asked.append(("reject", idea_id, actor, why))
        return {**IDEA, "status": "rejected"}


@pytest.fixture
def acts() -> FakeActs:
    return FakeActs()


@pytest.fixture
def run(
    acts: FakeActs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    ideas = FakeIdeas()
    ideas.rows = [IDEA]
    desk = replace(fake_desk(tmp_path / "desk"), ideas=ideas, idea_desk=acts)
    with served(create_app(desk, host="127.0.0.1")) as address:
        monkeypatch.setenv("MT5UI_HOME", str(tmp_path))
        monkeypatch.setenv("MT5UI_PORT", address.rsplit(":", 1)[1])

        yield command_line(monkeypatch, capfd, "ideas")


def test_ideas_are_listed_and_shown(run: Run) -> None:
    code, out, _ = run("list", "--status", "pending_approval", "--status", "approved", "--json")
    assert (code, json.loads(out)["items"][0]["id"]) == (0, "i-1")
    assert json.loads(run("list", "--status", "rejected", "--json")[1])["items"] == []
    assert "i-1" in run("list")[1]
    code, out, _ = run("show", "i-1")
    assert (code, "propose" in out, "EURUSD" in out) == (0, True, True)


def test_approving_and_rejecting(run: Run, acts: FakeActs) -> None:
    code, out, _ = run("approve", "i-1", "--volume", "0.2", "--stop", "1.08", "-r", "good")
    assert (code, "is approved and given to the sender" in " ".join(out.split())) == (0, True)
    assert run("reject", "i-1", "--reason", "no")[0] == 0
    assert acts.asked == [
        ("approve", "i-1", "local", {"volume": 0.2, "stop": 1.08}, "good"),
        ("reject", "i-1", "local", "no"),
    ]


def test_a_refusal_is_told_with_its_reason(run: Run, acts: FakeActs) -> None:
    acts.refuses = True
    code, _, err = run("approve", "i-1")
    assert (code != 0, "the desk is halted: lunch" in " ".join(err.split())) == (True, True)
    code, _, err = run("show", "nope")
    assert code != 0
