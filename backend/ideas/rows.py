"""What is written about a decision besides the journal: a summary row and, sometimes, an idea. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import iso
from backend.evaluation.decision import Action, Decision
from backend.ideas.lifecycle import Status
from backend.trading.desk import Mode

STRATEGY = "strategy"
"""Origin of an idea that a decision made."""
MANUAL = "manual"
"""Origin of a person's ticket."""
DESK = "desk"
"""Who proposes, approves and expires by itself."""
LATEST = timedelta(minutes=15)
_SHOWN_REASONS = 5


def idea_id(decision_id: str) -> str:
    """The id of the idea that a decision makes."""
    return "i-" + decision_id.removeprefix("d-")


def payload_of(
    decision: Decision,
    *,
    newest: bool,
    now: datetime,
    mode: Mode = Mode.SUPERVISED,
    expires_after: float | None = None,
) -> dict[str, Any]:
    """A decision as the journal keeps it, with whether it makes an idea, and whether the desk approves that.

    Only the newest bar may make one, and only within the shorter of one bar and 15 minutes of its close; a
    decision that came too late for its idea, or that was caught up, is marked `missed`. In autonomous mode
    the desk approves an idea that nothing refuses, not even softly.

    Args:
        decision: The decision.
        newest: Whether its bar is the newest closed one.
        now: Desk time.
        mode: Who decides.
        expires_after: Seconds from the bar's close after which an idea expires, if that is sooner.
    """
    stated = decision.as_dict()
    if expires_after is not None:
        sooner = decision.bar_close + timedelta(seconds=expires_after)
        stated["expires_at"] = iso(min(sooner, decision.expires_at))
    allowed = min(timedelta(seconds=decision.timeframe.seconds), LATEST)
    late = now - decision.bar_close > allowed
    wanted = decision.action.makes_idea
    missed = not newest or (late and wanted)
    if missed:
        minutes = (now - decision.bar_close).total_seconds() / 60
        stated["reasons"].append(
            f"missed: the bar closed {minutes:.0f} minutes ago, "
            f"an idea is made within {allowed.total_seconds() / 60:.0f} minutes of the newest close"
        )
    makes = wanted and not missed
    stated["missed"] = missed
    stated["idea_id"] = idea_id(decision.id) if makes else None
    passed = decision.verdict is not None and decision.verdict.passed
    stated["autonomous"] = makes and passed and mode is Mode.AUTONOMOUS
    return stated


def summary_of(payload: Mapping[str, Any], *, short: bool) -> dict[str, Any]:
    """One row of the day's evaluations.

    Args:
        payload: What the journal keeps.
        short: Bounded, for the day's .json; else with everything that a table may want.
    """
    confidence = payload["confidence"]
    row: dict[str, Any] = {
        "id": payload["id"],
        "at": payload["decided_at"],
        "strategy_id": payload["strategy_id"],
        "symbol": payload["symbol"],
        "timeframe": payload["timeframe"],
        "bar_time": payload["bar_time"],
        "bar_close": payload["bar_close"],
        "signal": payload["signal"],
        "action": payload["action"],
        "confidence": None if confidence is None else confidence["score"],
        "refused_by": [refusal["check"] for refusal in payload["refusals"]],
        "missed": payload["missed"],
        "idea_id": payload["idea_id"],
        "reasons": list(payload["reasons"])[: _SHOWN_REASONS if short else None],
    }
    if not short:
        row |= {
            "parts": confidence,
            "levels": payload["levels"],
            "order": payload["order"],
            "size": payload["size"],
            "notes": payload["notes"],
        }
    return row


def idea_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The idea that a decision makes: what a person is asked to approve."""
    levels, order, size = payload["levels"], payload["order"], payload["size"]
    half = payload["action"] == Action.PENDING_ONLY
    return {
        "id": payload["idea_id"],
        "decision_id": payload["id"],
        "status": str(Status.PENDING_APPROVAL),
        "origin": STRATEGY,
        "created_at": payload["decided_at"],
        "expires_at": payload["expires_at"],
        "strategy_id": payload["strategy_id"],
        "strategy_hash": payload["strategy_hash"],
        "symbol": payload["symbol"],
        "timeframe": payload["timeframe"],
        "bar_time": payload["bar_time"],
        "bar_close": payload["bar_close"],
        "action": payload["action"],
        "direction": payload["signal"],
        "side": levels["side"],
        "order_type": order["type"],
        "expiry_bars": order["expiry_bars"],
        "planned": {"order_type": order["type"], "expiry_bars": order["expiry_bars"]},
        "reference": levels["reference"],
        "entry": levels["entry"],
        "stop": levels["stop"],
        "target": levels["target"],
        "stop_ticks": levels["stop_ticks"],
        "target_ticks": levels["target_ticks"],
        "offset_ticks": levels["offset_ticks"],
        "spread_ticks": levels["spread_ticks"],
        "tick_size": levels["tick_size"],
        "atr": payload["atr"],
        "reward_to_risk": levels["reward_to_risk"],
        "volume": size["lots"],
        "half_risk": half,
        "risk_money": size["risk_taken"],
        "margin": size["margin"],
        "confidence": payload["confidence"]["score"],
        "confidence_parts": payload["confidence"],
        "circumstances": payload["circumstances"],
        "terms": payload["terms"],
        "fixed": {},
        "reasons": list(payload["reasons"]),
        "notes": list(payload["notes"]),
    }


def cursor_key(strategy_id: str, symbol: str) -> str:
    """Key of a strategy and symbol among the cursors."""
    return f"{strategy_id}|{symbol}"


def cursor_of(payload: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Which bar of which market was decided last, by which version of the strategy."""
    return {
        "bar": payload["bar_time"],
        "version": payload["strategy_hash"],
        "decision": payload["id"],
        "source": source,
    }
