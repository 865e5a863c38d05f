"""A desk with a proposal on each of two symbols, waiting for a person."""

import atexit
import json
import shutil
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fakes.desk import ROOT, SimulatedDesk, simulated_desk

AT = datetime(2026, 3, 4, 10, 0, 5, tzinfo=UTC)


def desk_with_ideas(folder: Path) -> SimulatedDesk:
    """Its files stand in `folder`: the shipped configuration with one strategy that always proposes."""
    shutil.copytree(_proposed(), folder, dirs_exist_ok=True)
    return simulated_desk(folder / "data", AT, config=folder / "config")


@cache
def _proposed() -> Path:
    """The files of such a desk, made once for all tests of a process."""
    kept = TemporaryDirectory()
    atexit.register(kept.cleanup)
    folder = Path(kept.name)
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    for path in (config / "ai" / "strategies").iterdir():
        path.unlink()
    stated = {
        "id": "ALWAYS",
        "symbols": ["EURUSD", "GBPUSD"],
        "timeframe": "M15",
        "conditions": {"entry": ["close > 0"]},
        "strategy": {"direction": "long", "news_embargo_minutes": 0},
    }
    (config / "ai" / "strategies" / "ALWAYS.json").write_text(json.dumps(stated), encoding="utf-8")
    made = simulated_desk(folder / "data", AT, config=config)
    assert made.ideas.evaluate_all(trigger="test")["idea_count"] == 2
    return folder
