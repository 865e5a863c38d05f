"""A switch is a file that every process reads, not a variable in one of them."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Invalid
from tests.fakes.desk import ROOT, simulated_desk

AT = datetime(2026, 6, 10, 14, 0, 20, tzinfo=UTC)


def refusing(result: dict[str, Any]) -> list[list[str]]:
    return [row["refused_by"] for row in result["evaluations"]]


def test_what_one_switches_off_every_process_refuses_from_its_next_decision_on(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    desks = [simulated_desk(tmp_path / name, AT, config=config) for name in ("one", "other")]
    for desk in desks:
        before = refusing(desk.ideas.evaluate_symbol("EURUSD", trigger="test"))
        assert before
        assert not [checks for checks in before if "ai_enabled" in checks]
    risk = json.loads((config / "risk.json").read_text(encoding="utf-8"))
    (config / "risk.json").write_text(json.dumps(risk | {"ai_enabled": False}), encoding="utf-8")
    for desk in desks:
        desk.clock.move(hours=1)
        result = desk.ideas.evaluate_symbol("EURUSD", trigger="test")
        assert result["decisions"] >= 2
        assert all("ai_enabled" in checks for checks in refusing(result))
        assert result["ideas"] == []


def test_without_a_readable_file_nothing_is_decided(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    desk = simulated_desk(tmp_path / "data", AT, config=config)
    (config / "risk.json").write_text('{"ai_enabled": fal', encoding="utf-8")
    with pytest.raises(Invalid, match=r"risk\.json"):
        desk.ideas.evaluate_symbol("EURUSD", trigger="test")
