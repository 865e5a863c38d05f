"""An idea whose intent is on record is asked for until it is decided."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from backend.core.errors import DeskError
from backend.ideas.judging import Judged
from backend.ideas.lifecycle import Act
from backend.journal.record import Entry
from backend.mt5.answers import SendAnswer
from backend.mt5.orders import Deal, OrderRequest
from backend.mt5.retcodes import Then
from backend.orders.asking import BACK_OFF, follows, said
from backend.orders.facts import of_deals, order_facts, position_facts
from backend.orders.intents import Intent
from backend.orders.matching import Found, Match
from backend.orders.parts import Idea, SendParts, intent_of, refusal_of, told, word
from backend.orders.wording import waits

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
_LOOKS = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each look for the deals of a market order that was only placed."""


class Carrier:
    """One idea that is being sent; its intent is on record.

    Args:
        parts: What it stands on.
        idea: As it was begun.
        judged: What was judged.
        left: The request in the modes that are left, the first being asked for.
        expires_at: When an order that waits is over.
        actor: Who sends.
    """

    def __init__(
        self,
        parts: SendParts,
        idea: Idea,
        judged: Judged,
        left: list[OrderRequest],
        expires_at: datetime | None,
        actor: str,
    ) -> None:
        self._parts = parts
        self._idea = idea
        self._waits = waits(judged)
        self._left = left
        self._expires_at = expires_at
        self._actor = actor
        self._requoted = False
        self._backing_off = iter(BACK_OFF)

    def carry(self, intent: Intent) -> dict[str, Any]:
        """Ask until it is decided."""
        while True:
            result = self._parts.asking.hand_over(intent, actor=self._actor)
            outcome = self._parts.asking.outcome(intent, result)
            if isinstance(result, SendAnswer) and result.success:
                return self._taken(intent, result, outcome)
            then = follows(result)
            if then is Then.UNKNOWN:
                return self._step(Act.NO_ANSWER, said(result), outcome)
            why = self._again(then, intent)
            if why is not None:
                return self._step(Act.FAIL, f"{said(result)}{why}", outcome)
            following = intent_of(self._parts, str(self._idea["id"]), intent.attempt + 1, self._left)
            self._idea = self._parts.book.step(
                str(self._idea["id"]),
                Act.RECORD,
                actor=self._actor,
                why=f"{said(result)}; asked once more",
                changes={"intent": following.id, "volume": float(following.request.volume or 0)},
                entries=[outcome, following.entry],
            )
            intent = following

    def _again(self, then: Then, intent: Intent) -> str | None:
        """Make ready for another attempt; why there is none, which may be empty, or None where there is."""
        if intent.attempt >= MOST_ATTEMPTS:
            return "; it was asked often enough"
        if then is Then.NEXT_FILLING:
            self._left = self._left[1:]
            return None if self._left else "; no other filling mode is left"
        if then is Then.BACK_OFF:
            seconds = next(self._backing_off, None)
            if seconds is None:
                return ""
            self._parts.asking.pause(seconds)
        elif then is not Then.FRESH_PRICE or self._requoted:
            return ""
        else:
            self._requoted = True
        halted = self._parts.switch.halted()
        return f"; the desk is halted: {halted}" if halted else self._judged_again()

    def _judged_again(self) -> str | None:
        """The same order at the price of now, in the modes that are left."""
        try:
            judged, prices = self._parts.judge.judge(self._idea)
        except DeskError as error:
            return f"; {error.message}"
        why = refusal_of(judged, prices)
        if why:
            return f"; {why}"
        mode = self._left[0]
        fresh = word(self._parts, judged, prices, self._expires_at)
        self._waits = waits(judged)
        same = [
            one for one in fresh if (one.time_type, one.filling) == (mode.time_type, mode.filling)
        ] or fresh[:1]
        self._left = same + [one for one in fresh if one not in same]
        return None

    def _taken(self, intent: Intent, answer: SendAnswer, outcome: Entry) -> dict[str, Any]:
        """The broker did it, or has it: what is recorded as its order and position."""
        if self._waits:
            order = self._order(intent, answer.order, intent.request.volume or Decimal(0))
            return self._step(Act.PLACE, said(answer), outcome, {"order": order})
        deals = self._deals(answer)
        order = self._order(intent, answer.order, Decimal(0))
        if not deals and answer.row.then is Then.PLACED:
            why = f"{said(answer)}; of a market order that is no fill, and no deal is there yet"
            return self._step(Act.NO_ANSWER, why, outcome, {"order": order})
        position_id, volume, price = of_deals(answer.order, deals)
        match = Match(
            found=Found.OPEN,
            ticket=answer.order,
            position_id=position_id,
            volume=volume or answer.volume,
            price=price if price is not None else answer.price,
            deals=deals,
        )
        position = position_facts(intent.request, match, at=self._parts.clock.now())
        return self._step(Act.DEALT, said(answer), outcome, {"order": order, "position": position})

    def _deals(self, answer: SendAnswer) -> tuple[Deal, ...]:
        """The deals of the order; a success without them yet is not looked for long."""
        looks = _LOOKS if answer.row.then is Then.PLACED else _LOOKS[:1]
        for seconds in looks:
            if seconds:
                self._parts.asking.pause(seconds)
            try:
                deals = self._parts.dealer.deals_of_order(answer.order) if answer.order else ()
            except DeskError as error:
                log.warning("the deals of order %s are not known yet: %s", answer.order, error.message)
                continue
            if deals:
                return deals
        return ()

    def _order(self, intent: Intent, ticket: int, left: Decimal) -> dict[str, Any]:
        return order_facts(
            intent.request, ticket, at=self._parts.clock.now(), left=left, expires_at=self._expires_at
        )

    def _step(
        self, act: Act, why: str, outcome: Entry, changes: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        idea = self._parts.book.step(
            str(self._idea["id"]), act, actor=self._actor, why=why, changes=changes, entries=[outcome]
        )
        return told(idea, why)
