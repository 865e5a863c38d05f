"""Sending on a running desk: judged as approval judges, and held back by the desk's halts."""

from collections.abc import Mapping
from typing import Any

from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.ideas.judging import Judged, Prices
from backend.ideas.lifecycle import Act
from backend.ideas.live import UNDER_WAY, LiveJudge
from backend.ideas.rows import DESK, MANUAL
from backend.orders.parts import Judge, SendSwitch
from backend.trading.desk import Purpose


class SendJudge(Judge):
    """Judges an idea for whoever approved it.

    Args:
        live: Judges at current prices.
    """

    def __init__(self, live: LiveJudge) -> None:
        self._live = live

    def judge(self, idea: Mapping[str, Any]) -> tuple[Judged, Prices]:
        """What would be sent now, and the prices of then; errors as `LiveJudge.judge`."""
        market = self._live.market(str(idea["symbol"]))
        judged = self._live.judge(idea, purpose=purpose_of(idea), market=market, ahead=UNDER_WAY)
        return judged, market.prices


def purpose_of(idea: Mapping[str, Any]) -> Purpose:
    """On whose behalf an approved idea is sent."""
    if idea.get("origin") == MANUAL:
        return Purpose.MANUAL
    approvals = [step["by"] for step in idea["history"] if step["action"] == Act.APPROVE]
    return Purpose.DESK if approvals and approvals[-1] == DESK else Purpose.APPROVAL


class ControlSwitch(SendSwitch):
    """The desk's halts. What the terminal asks a person to click pauses; everything else halts.

    Args:
        control: The desk's state.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def halted(self) -> str:
        """Why nothing new may be sent; empty when it may."""
        halts = self._control.state().halts
        return "; ".join(halt.reason for halt in halts if halt.kind is not HaltKind.TERMINAL)

    def paused(self) -> str:
        """What a person has to click first; empty when nothing."""
        halt = self._control.state().of(HaltKind.TERMINAL)
        return "" if halt is None else halt.reason

    def pause(self, reason: str, *, actor: str) -> None:
        """Send nothing new until a person resumes."""
        self._control.pause(reason, actor=actor)

    def halt(self, reason: str, *, actor: str) -> None:
        """The kill switch was pulled."""
        self._control.halt(HaltKind.KILL_SWITCH, reason, actor=actor)
