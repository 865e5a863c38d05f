"""Recorded minutes of May 2014 and a desk that trades them by itself: what both ways of replaying share."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

from tests.fakes.desk import ROOT

STRATEGY, SYMBOL = "EURUSD_M15_MOMENTUM", "EURUSD"
COMMISSION = Decimal("3.5")
"""Per lot and side, as the symbol's profile says."""
ROOMY = {
    "mode": "autonomous",
    "thresholds": {"pending_only": 51.0, "open_or_scale": 52.0, "autonomous": 53.0},
    "daily_loss": {"limit": 1.0},
    "drawdown": {"limit": 1.0},
    "exposure_cap": 100.0,
    "open_risk_limit": 1.0,
    "margin_limit": 1.0,
    "max_trades_per_day": 1000,
}
"""The strategy's rules decide, not the account's limits, so that there is something to compare."""


def autonomous_config(folder: Path) -> None:
    """The shipped configuration with `STRATEGY` alone, in autonomous mode with roomy limits."""
    shutil.copytree(ROOT / "config", folder)
    (folder / "risk.json").write_text(json.dumps(ROOMY), encoding="utf-8")
    for path in (folder / "ai").glob("*/*.json"):
        stated = json.loads(path.read_text(encoding="utf-8"))
        if path.parent.name == "strategies":  # no calendar of those days is at hand
            stated |= {"enabled": stated["id"] == STRATEGY, "sessions": []}
            stated["strategy"]["news_embargo_minutes"] = 0
        else:
            stated["news_embargo_minutes"] = 0
        path.write_text(json.dumps(stated), encoding="utf-8")
