"""What may be done with ideas: approve, modify, reject, cancel, expire, supersede, preview."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import Clock, parse_iso
from backend.core.errors import Conflict, DeskError, Invalid
from backend.ideas.book import IdeaBook
from backend.ideas.judging import Judged
from backend.ideas.lifecycle import Act, Status, target
from backend.ideas.live import LiveJudge, Market, purpose_of
from backend.ideas.overrides import Overrides, changed_fields, figures, refuse_faults
from backend.ideas.rows import DESK, MANUAL
from backend.ideas.shelf import Idea

log = logging.getLogger(__name__)

APPROVED_GRACE = timedelta(seconds=60)
"""A strategy's idea that is approved and not sent so long after it expires is not sent any more."""
RESEND_AFTER = timedelta(seconds=20)
"""An approved idea that is not being sent after so long is given to the sender again."""
_LONGEST_WHY = 1000


class IdeaDesk:
    """The acts of persons and of the desk on ideas; each is one step in the book.

    Args:
        book: Idea files.
        judge: Judges at current prices.
        clock: Desk time.
        send: Has an approved idea sent; doing it again for the same idea does nothing twice.
        cancel_order: Has a placed idea's order removed at the broker, for whom and why.
    """

    def __init__(
        self,
        *,
        book: IdeaBook,
        judge: LiveJudge,
        clock: Clock,
        send: Callable[[str], object],
        cancel_order: Callable[[str, str, str], object] | None = None,
    ) -> None:
        self._book = book
        self._judge = judge
        self._clock = clock
        self._send = send
        self._cancel_order = cancel_order

    # A person's acts

    def approve(
        self, idea_id: str, *, actor: str, overrides: Overrides | None = None, why: str = ""
    ) -> dict[str, Any]:
        """Judge by the whole gate at current prices and approve; then it is sent.

        Args:
            idea_id: The idea.
            actor: Who approves.
            overrides: What the person wants otherwise; see `backend.ideas.overrides`.
            why: Why.

        Returns:
            The idea; under ``sent`` whether the sender has taken it, with ``notice`` if not: it is approved
            then and will be given to the sender again.

        Raises:
            NotFound: There is no such idea.
            Conflict: ``illegal_step``; ``idea_expired``; ``gate_refused`` with the refusals, which is on
                record; ``too_much_risk``; ``changed_meanwhile``.
            Invalid: ``bad_override``.
            Unavailable: The terminal is down: nothing is changed.
        """
        overrides = overrides or {}
        idea = self._pending(idea_id, Act.APPROVE, Status.APPROVED)
        changed, judged = self._judged(idea, overrides)
        refuse_faults(judged, overrides)
        if judged.refusals:
            refusals = [refusal.as_dict() for refusal in judged.refusals]
            self._book.step(
                idea_id,
                Act.APPROVE,
                to=Status.PENDING_APPROVAL,
                actor=actor,
                why=_words(why),
                details={"refusals": refusals, "overrides": dict(overrides), **figures(judged)},
                version=idea["version"],
            )
            reasons = "; ".join(refusal.reason for refusal in judged.refusals)
            raise Conflict(
                "gate_refused", f"the idea cannot be approved now: {reasons}", id=idea_id, refusals=refusals
            )
        approved = self._book.step(
            idea_id,
            Act.APPROVE,
            to=Status.APPROVED,
            actor=actor,
            why=_words(why),
            changes={**changed, **figures(judged)},
            version=idea["version"],
        )
        return {**approved, **self._sent(idea_id)}

    def modify(
        self,
        idea_id: str,
        *,
        actor: str,
        overrides: Overrides | None = None,
        notes: str | None = None,
        why: str = "",
    ) -> Idea:
        """Change an idea that waits; prices, volume and reward to risk are computed again.

        Raises:
            NotFound: There is no such idea.
            Conflict: ``illegal_step``; ``idea_expired``; ``too_much_risk``; ``changed_meanwhile``.
            Invalid: ``bad_override``; ``nothing_to_change``.
            Unavailable: The terminal is down: nothing is changed.
        """
        overrides = overrides or {}
        if not overrides and notes is None:
            raise Invalid("nothing_to_change", "name what to change: entry, stop, target, volume or notes")
        idea = self._pending(idea_id, Act.MODIFY, Status.PENDING_APPROVAL)
        changes: dict[str, Any] = {}
        if overrides:
            changed, judged = self._judged(idea, overrides)
            refuse_faults(judged, overrides)
            changes = {**changed, **figures(judged)}
        if notes is not None:
            changes["remark"] = _words(notes)
        return self._book.step(
            idea_id, Act.MODIFY, actor=actor, why=_words(why), changes=changes, version=idea["version"]
        )

    def reject(self, idea_id: str, *, actor: str, why: str) -> Idea:
        """Say no, with a reason; `Invalid` without one, `Conflict` where it does not wait."""
        if not _words(why):
            raise Invalid("reason_required", "say why the idea is rejected", field="reason")
        return self._book.step(idea_id, Act.REJECT, actor=actor, why=_words(why))

    def cancel(self, idea_id: str, *, actor: str, why: str = "") -> Idea:
        """Withdraw an idea that is not sent, or have its order removed where it waits at the broker."""
        idea = self._book.get(idea_id)
        if idea["status"] == Status.PLACED and self._cancel_order is not None:
            self._cancel_order(idea_id, actor, _words(why))
            return self._book.get(idea_id)
        return self._book.step(idea_id, Act.CANCEL, actor=actor, why=_words(why))

    def preview(self, idea_id: str, overrides: Overrides | None = None) -> dict[str, Any]:
        """What approving now would lead to; nothing is changed.

        Returns:
            JSON values: ``levels`` and money as `figures`, ``order_type``, ``passed``, ``refusals``, the
            gate's ``checks`` with measured and bound, and ``fields``: per field of the overrides why it
            would be refused.

        Raises:
            NotFound: There is no such idea.
            Conflict: It is not one that waits for approval or sending.
            Invalid: ``bad_override``: no price or volume of the symbol.
            Unavailable: The terminal is down.
        """
        idea = self._book.get(idea_id)
        if idea["status"] not in {Status.PENDING_APPROVAL, Status.APPROVED}:
            raise Conflict("illegal_step", f"an idea that is {idea['status']} has nothing to preview")
        _, judged = self._judged(idea, overrides or {})
        proposal, verdict = judged.proposal, judged.verdict
        checks = [] if verdict is None else self._judge.rules().checklist(verdict)
        return {
            "id": idea_id,
            "symbol": idea["symbol"],
            "side": idea["side"],
            "order_type": str(judged.type),
            "passed_by": judged.passed_by,
            **figures(judged),
            "size": None if proposal is None else proposal.size.as_dict(),
            "passed": not judged.refusals,
            "refusals": [refusal.as_dict() for refusal in judged.refusals],
            "fields": {fault.check: fault.reason for fault in judged.faults},
            "checks": checks,
            "warnings": [] if verdict is None else list(verdict.warnings),
        }

    # The desk's own acts

    def proposed(self, payloads: Iterable[Mapping[str, Any]]) -> None:
        """After decisions made ideas: older ones give way, and in autonomous mode the desk approves.

        Doing it again for the same decisions changes nothing.
        """
        for payload in payloads:
            if payload["idea_id"] is None:
                continue
            idea = self._book.get(str(payload["idea_id"]))
            self._supersede(idea)
            if payload.get("autonomous") and idea["status"] == Status.PENDING_APPROVAL:
                self._approve_by_desk(idea)

    def expire(self) -> dict[str, Any]:
        """Expire what is over, bring files up to the journal, and have sent what waits for the sender.

        Returns:
            JSON values: ``expired``, ``mended`` and ``resent`` ids, ``problems``.
        """
        now = self._clock.now()
        mended = self._book.mend()
        expired, resent, problems = [], [], []
        for idea in self._book.find(Status.PENDING_APPROVAL, Status.APPROVED):
            try:
                if why := over(idea, now):
                    self._book.step(idea["id"], Act.EXPIRE, actor=DESK, why=why, version=idea["version"])
                    expired.append(idea["id"])
                elif _waits_for_sender(idea, now):
                    self._send(idea["id"])
                    resent.append(idea["id"])
            except Conflict:
                continue  # somebody was quicker
            except DeskError as error:
                problems.append({"id": idea["id"], **error.as_dict()})
        return {"expired": expired, "mended": mended, "resent": resent, "problems": problems}

    # Inside

    def _pending(self, idea_id: str, act: Act, to: Status) -> Idea:
        """The idea, if the act is allowed and it is not over."""
        idea = self._book.get(idea_id)
        target(Status(idea["status"]), act, to)
        if why := over(idea, self._clock.now()):
            self._book.step(idea_id, Act.EXPIRE, actor=DESK, why=why, version=idea["version"])
            raise Conflict("idea_expired", f"the idea {idea_id} is over: {why}", id=idea_id)
        return idea

    def _judged(self, idea: Idea, overrides: Overrides) -> tuple[dict[str, Any], Judged]:
        market: Market = self._judge.market(str(idea["symbol"]))
        changed = changed_fields(idea, overrides, market.instrument, market.prices) if overrides else {}
        candidate = {**idea, **changed}
        return changed, self._judge.judge(candidate, purpose=purpose_of(idea), market=market)

    def _supersede(self, newer: Idea) -> None:
        older = self._book.find(
            Status.PENDING_APPROVAL, symbol=str(newer["symbol"]), strategy=newer["strategy_id"]
        )
        for idea in older:
            if (idea["created_at"], idea["id"]) < (newer["created_at"], newer["id"]):
                self._quietly(idea, Act.SUPERSEDE, why=f"{newer['id']} is newer", details={"by": newer["id"]})

    def _approve_by_desk(self, idea: Idea) -> None:
        if over(idea, self._clock.now()):
            return
        why = "autonomous mode, and every check passes"
        if self._quietly(idea, Act.APPROVE, to=Status.APPROVED, why=why, version=idea["version"]):
            self._sent(str(idea["id"]))

    def _quietly(self, idea: Idea, act: Act, **stated: Any) -> bool:
        """A step of the desk, and whether it was made: somebody else may have been quicker."""
        try:
            self._book.step(idea["id"], act, actor=DESK, **stated)
        except Conflict as error:
            log.info("%s", error.message)
            return False
        return True

    def _sent(self, idea_id: str) -> dict[str, Any]:
        try:
            self._send(idea_id)
        except DeskError as error:
            log.warning("%s is approved and not given to the sender yet: %s", idea_id, error.message)
            return {"sent": False, "notice": f"approved; it is sent as soon as possible: {error.message}"}
        return {"sent": True}


def over(idea: Mapping[str, Any], now: datetime) -> str:
    """Why an idea that is not sent yet is over; empty if it is not.

    An approved one has `APPROVED_GRACE` for its sending; a ticket has none, as whoever made it saw the price
    of then.
    """
    if idea.get("expires_at") is None:
        return ""
    end = parse_iso(idea["expires_at"])
    if idea["status"] == Status.PENDING_APPROVAL:
        return f"nobody approved it by {idea['expires_at']}" if now >= end else ""
    grace = timedelta(0) if idea.get("origin") == MANUAL else APPROVED_GRACE
    return f"it was not sent by {idea['expires_at']}" if now >= end + grace else ""


def _waits_for_sender(idea: Mapping[str, Any], now: datetime) -> bool:
    return idea["status"] == Status.APPROVED and now - parse_iso(idea["history"][-1]["at"]) >= RESEND_AFTER


def _words(text: str) -> str:
    return text.strip()[:_LONGEST_WHY]
