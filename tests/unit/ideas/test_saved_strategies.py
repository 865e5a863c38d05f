"""What is saved over the API decides from the next evaluation on."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from backend.strategies.repository import StrategyRepository
from tests.fakes.desk import ROOT, SimulatedDesk, simulated_desk

TUESDAY = datetime(2026, 1, 6, 10, 0, 20, tzinfo=UTC)


def desk_with(tmp_path: Path) -> tuple[SimulatedDesk, StrategyRepository]:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    desk = simulated_desk(tmp_path / "data", TUESDAY, config=config)
    return desk, StrategyRepository(config / "ai", desk.storage, desk.journal, desk.clock)


def decided(desk: SimulatedDesk) -> dict[str, str]:
    """Strategy to decision of an evaluation now."""
    rows = desk.ideas.evaluate_symbol("EURUSD", trigger="test")["evaluations"]
    return {row["strategy_id"]: row["id"] for row in rows}


def test_a_save_is_in_force_at_the_next_evaluation(tmp_path: Path) -> None:
    desk, repository = desk_with(tmp_path)
    before = decided(desk)
    assert "EURUSD_H1" in before
    assert decided(desk) == before  # nothing changed: the same decision

    document = json.loads(repository.source("EURUSD_H1")[0])
    changed = {**document, "conditions": {"entry": ["close > 0", "hour >= 0"]}}
    repository.replace("EURUSD_H1", json.dumps(changed).encode(), if_match="*", actor="local")
    after = decided(desk)
    assert after["EURUSD_H1"] != before["EURUSD_H1"]
    assert {k: v for k, v in after.items() if k != "EURUSD_H1"} == {
        k: v for k, v in before.items() if k != "EURUSD_H1"
    }

    repository.set_enabled("EURUSD_H1", enabled=False, actor="local")
    assert "EURUSD_H1" not in decided(desk)
    repository.duplicate("EURUSD_H1", "EURUSD_COPY", name=None, enabled=True, actor="local")
    assert "EURUSD_COPY" in decided(desk)
    repository.delete("EURUSD_COPY", actor="local")
    assert "EURUSD_COPY" not in decided(desk)
    repository.set_enabled("EURUSD_H1", actor="local")
    assert "EURUSD_H1" in decided(desk)


def test_saves_within_one_tick_of_the_disks_clock_are_all_seen(tmp_path: Path) -> None:
    desk, repository = desk_with(tmp_path)
    document = json.loads(repository.source("EURUSD_H1")[0])
    for period in (21, 22, 23, 24, 25, 26, 27):  # every content is as long as the one before
        document["indicators"]["ema"]["fast"] = period
        repository.replace("EURUSD_H1", json.dumps(document).encode(), if_match="*", actor="local")
        assert desk.strategies.load().get("EURUSD_H1").indicators.ema.fast == period
