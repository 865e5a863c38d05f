"""Sender: an approved idea becomes an order, once.

Judged again at current prices; the intent is on the disk together with the step to `sending` before the
broker is asked, and its answer is on the disk before anything is told. One sender works at a time on a desk,
so each is judged with what the one before has opened; who holds the lock lives, and an idea that is
`sending` without it is recovery's.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend.core.clock import parse_iso
from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.ideas.acting import over
from backend.ideas.judging import Judged
from backend.ideas.lifecycle import Act, Status
from backend.mt5 import constants
from backend.mt5.orders import OrderRequest
from backend.mt5.retcodes import Then
from backend.orders.asking import click_for
from backend.orders.carrying import Carrier
from backend.orders.filling import negotiate
from backend.orders.parts import Idea, SendParts, intent_of, refusal_of, stated, told, word
from backend.orders.wording import waits

LOCK = "orders/sending"
LOCK_SECONDS = 10.0


class Sender:
    """Sends approved ideas. Thread-safe, and safe between processes.

    Args:
        parts: What it stands on.
    """

    def __init__(self, parts: SendParts) -> None:
        self._parts = parts
        self._book = parts.book

    def send(self, idea_id: str, *, actor: str) -> dict[str, Any]:
        """Send one idea, if it is approved and still may be; gives its id, status and why.

        Raises:
            NotFound: There is no such idea.
            Unavailable: The terminal, the disk or the lock refuses; the idea is as its file says.
        """
        with self._parts.lock(LOCK, LOCK_SECONDS):
            idea = self._book.get(idea_id)
            if idea["status"] != Status.APPROVED:
                return told(idea, f"it is {idea['status']}")
            withheld = self._withheld(idea, actor)
            return withheld if withheld is not None else self._prepare(idea, actor)

    # Before the broker is asked

    def _withheld(self, idea: Idea, actor: str) -> dict[str, Any] | None:
        """What keeps an idea from being looked at; the step is made."""
        halted, paused = self._parts.switch.halted(), self._parts.switch.paused()
        if halted:
            return self._end(idea, Act.HALT, actor, f"the desk is halted: {halted}")
        if why := over(idea, self._parts.clock.now()):
            return self._end(idea, Act.EXPIRE, actor, why)
        if paused:
            return told(idea, f"the desk is paused: {paused}")
        doubtful = self._doubtful(str(idea["symbol"]))
        if doubtful:
            why = (
                f"{idea['symbol']} is blocked: what became of idea {doubtful} is not known; resolve it first"
            )
            return self._end(idea, Act.REFUSE, actor, why, {"check": "unknown_order", "idea": doubtful})
        return None

    def _doubtful(self, symbol: str) -> str:
        """An idea of the symbol of which nobody knows what the broker did; empty if there is none."""
        found = self._book.find(Status.UNKNOWN, Status.SENDING, symbol=symbol)
        return str(found[0]["id"]) if found else ""

    def _prepare(self, idea: Idea, actor: str) -> dict[str, Any]:
        """Judge, negotiate and begin; twice where the price moved meanwhile."""
        for last in (False, True):
            try:
                judged, prices = self._parts.judge.judge(idea)
            except (Conflict, NotFound, Invalid) as error:
                return self._end(idea, Act.REFUSE, actor, error.message, {"check": error.code})
            why = refusal_of(judged, prices)
            if why:
                return self._end(idea, Act.REFUSE, actor, why, stated(judged))
            expires_at = self._expiry(idea, judged)
            left, answer = negotiate(word(self._parts, judged, prices, expires_at), self._parts.dealer.check)
            if answer.ok:
                return self._begin(idea, judged, left, expires_at, actor)
            then, words = answer.row.then, f"{answer.retcode} {answer.row.name}: {answer.row.meaning}"
            if then is Then.PAUSE:
                self._parts.switch.pause(click_for(answer.retcode), actor=actor)
                return told(idea, f"the desk is paused: {click_for(answer.retcode)}")
            if then is Then.UNKNOWN:
                raise Unavailable("broker_away", f"nothing was sent: {words}", retcode=answer.retcode)
            moved = then is Then.FRESH_PRICE or answer.retcode == constants.TRADE_RETCODE_INVALID_STOPS
            if last or not moved:
                details = stated(judged) | {"check": "order_check", "retcode": answer.retcode}
                return self._end(idea, Act.REFUSE, actor, f"the broker would refuse it: {words}", details)
        raise AssertionError("the second look ends it")

    def _begin(
        self,
        idea: Idea,
        judged: Judged,
        left: list[OrderRequest],
        expires_at: datetime | None,
        actor: str,
    ) -> dict[str, Any]:
        intent = intent_of(self._parts, str(idea["id"]), 1, left)
        levels = judged.levels
        changes = {
            "intent": intent.id,
            "volume": float(intent.request.volume or 0),
            "entry": float(levels.entry_price),
            "stop": float(levels.stop_price),
            "target": float(levels.target_price) if levels.target > 0 else None,
        }
        begun = self._book.step(
            str(idea["id"]),
            Act.SEND,
            actor=actor,
            why="judged again at current prices",
            changes=changes,
            details=stated(judged),
            entries=[intent.entry],
            version=idea["version"],
        )
        return Carrier(self._parts, begun, judged, left, expires_at, actor).carry(intent)

    def _expiry(self, idea: Idea, judged: Judged) -> datetime | None:
        """When an order that waits is over: at the close of its last bar, the present one being the first."""
        if not waits(judged):
            return None
        if idea.get("order_expires_at") is not None:
            return parse_iso(str(idea["order_expires_at"]))
        bars = idea.get("expiry_bars")
        if not bars:
            return None
        clock, timeframe = self._parts.server_clock, Timeframe(idea["timeframe"])
        end = int(open_of(timeframe, clock.server_epoch(self._parts.clock.now())))
        for _ in range(int(bars)):
            end = int(close_of(timeframe, end))
        return clock.utc_datetime(end)

    def _end(
        self, idea: Idea, act: Act, actor: str, why: str, details: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        ended = self._book.step(
            str(idea["id"]), act, actor=actor, why=why, details=details, version=idea["version"]
        )
        return told(ended, why)
