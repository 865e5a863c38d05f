"""Sending on a running desk: judged as approval judges, and held back by the desk's halts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.control.desk import Control
from backend.control.state import HaltKind
from backend.ideas.judging import Judged, Prices
from backend.ideas.lifecycle import Act
from backend.ideas.live import UNDER_WAY, LiveJudge, purpose_of
from backend.ideas.rows import DESK
from backend.orders.parts import Judge, SendSwitch
from backend.trading.desk import Mode, Purpose
from backend.trading.verdict import Refusal


class SendJudge(Judge):
    """Judges an approved idea just before it is sent.

    Args:
        live: Judges at current prices.
        control: Who decides.
    """

    def __init__(self, live: LiveJudge, control: Control) -> None:
        self._live = live
        self._control = control

    def judge(self, idea: Mapping[str, Any]) -> tuple[Judged, Prices]:
        """What would be sent now, and the prices of then; errors as `LiveJudge.judge`.

        Only what went to the broker before counts besides the account. What the desk approved by itself
        has to pass what it asks of itself as well, and is refused once the mode is not autonomous any more.
        """
        market = self._live.market(str(idea["symbol"]))
        judged = self._live.judge(idea, purpose=purpose_of(idea), market=market, ahead=UNDER_WAY)
        if _approved_by_desk(idea):
            own = self._live.judge(idea, purpose=Purpose.DESK, market=market, ahead=UNDER_WAY)
            known = {refusal.check for refusal in judged.refusals}
            more = [refusal for refusal in own.refusals if refusal.check not in known]
            if self._control.limits().mode is Mode.SUPERVISED:
                more.append(Refusal(check="mode", reason="the desk approved it, and a person decides now"))
            judged = replace(judged, faults=(*judged.faults, *more))
        return judged, market.prices


def _approved_by_desk(idea: Mapping[str, Any]) -> bool:
    approvals = [step["by"] for step in idea["history"] if step.get("action") == Act.APPROVE]
    return approvals[-1:] == [DESK]


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

    def halt(self, reason: str, *, actor: str, kind: HaltKind) -> None:
        """The kill switch was pulled, or a limit is reached."""
        self._control.halt(kind, reason, actor=actor)
