"""Follows orders that wait at the broker: filled, filled in part, cancelled, or over."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from backend.core.clock import Clock, iso, parse_iso
from backend.core.errors import DeskError
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import Act, Status
from backend.mt5.orders import OrderRequest
from backend.mt5.words import OrderType, TradeAction
from backend.orders.facts import number, position_facts
from backend.orders.looking import Looker
from backend.orders.matching import Found, Match
from backend.orders.parts import Idea
from backend.orders.waiting import OrderChanges

ACTOR = "reconcile"
_ENDS = {
    Found.CANCELLED: (Act.CANCEL, "its order was cancelled at the broker"),
    Found.EXPIRED: (Act.EXPIRE, "its order expired at the broker"),
    Found.REJECTED: (Act.CANCEL, "the broker rejected its order when its price came"),
}


class Follower:
    """Brings ideas whose orders wait to where those stand.

    Args:
        book: The ideas.
        looker: Looks at the terminal.
        waiting: Cancels what is over.
        clock: Desk time.
        wait: Waits so many seconds, before an order that was not seen is looked for again.
    """

    def __init__(
        self,
        book: IdeaBook,
        looker: Looker,
        waiting: OrderChanges,
        clock: Clock,
        wait: Callable[[float], None],
    ) -> None:
        self._book = book
        self._looker = looker
        self._waiting = waiting
        self._clock = clock
        self._wait = wait

    def follow(self, moved: dict[str, str], problem: Callable[..., None], *, patient: bool = True) -> None:
        """Look at every order that waits.

        Args:
            moved: Is told the new status of each idea that moved.
            problem: Is told what went wrong with which idea.
            patient: Look a second time for orders that the terminal does not show, ten seconds later.
        """
        unseen = []
        for idea in self._book.find(Status.PLACED, Status.OPEN):
            if not _waits(idea):
                continue
            try:
                match = self._looker.of_ticket(int(idea["order"]["ticket"]))
                if match.found is Found.ABSENT:
                    unseen.append(str(idea["id"]))
                    continue
                after = self._moved(idea, match)
            except DeskError as error:
                problem(error, idea=str(idea["id"]))
                continue
            if after is not None:
                moved[str(idea["id"])] = str(after["status"])
        if unseen and patient:
            self._missing(unseen, moved, problem)

    def one(self, idea_id: str) -> dict[str, Any]:
        """The idea after a look at its order."""
        idea = self._book.get(idea_id)
        if not _waits(idea):
            return idea
        match = self._looker.of_ticket(int(idea["order"]["ticket"]))
        return self._moved(idea, match) or self._book.get(idea_id)

    def _moved(self, idea: Idea, match: Match) -> dict[str, Any] | None:
        """The step that leads to what was found; None where nothing has moved."""
        dealt = _dealt(idea)
        placed = idea["status"] == Status.PLACED
        if match.found in _ENDS and placed:
            act, why = _ENDS[match.found]
            return self._step(idea, act, why, {"order": {**idea["order"], "left": 0.0}})
        if match.found in {Found.OPEN, Found.CLOSED, Found.PARTLY}:
            partly = match.found is Found.PARTLY
            left = Decimal(repr(idea["order"]["volume"])) - match.volume if partly else Decimal(0)
            if match.volume != dealt:
                act = Act.PARTIAL_FILL if partly else Act.FILL
                why = f"{match.volume} lots dealt" + (f", {left} wait" if partly else "")
                return self._step(idea, act, why, self._facts(idea, match, left))
            if not partly:
                order = {**idea["order"], "left": 0.0}
                return self._step(idea, Act.RECORD, "nothing of its order waits any more", {"order": order})
        return self._over(idea)

    def _over(self, idea: Idea) -> dict[str, Any] | None:
        """Cancel an order whose time is over by our clock, where the broker did not end it."""
        expires = idea["order"].get("expires_at")
        if expires is None or self._clock.now() < parse_iso(str(expires)):
            return None
        ticket = int(idea["order"]["ticket"])
        why = f"its time was over at {expires}"
        if not self._waiting.cancel(ticket, actor=ACTOR, why=why).done:
            return None
        if idea["status"] != Status.PLACED:
            order = {**idea["order"], "left": 0.0}
            return self._step(idea, Act.RECORD, f"the rest was cancelled: {why}", {"order": order})
        return self._step(idea, Act.EXPIRE, why, {"order": {**idea["order"], "left": 0.0}})

    def _missing(self, ids: list[str], moved: dict[str, str], problem: Callable[..., None]) -> None:
        """Orders that the terminal does not show at all, looked for once more."""
        self._wait(10.0)
        for idea_id in ids:
            idea = self._book.get(idea_id)
            try:
                match = self._looker.of_ticket(int(idea["order"]["ticket"]))
                if match.found is not Found.ABSENT:
                    continue  # the next pass takes it up
                why = "two looks found neither its order nor its end at the broker"
                act = Act.CANCEL if idea["status"] == Status.PLACED else Act.RECORD
                after = self._step(idea, act, why, {"order": {**idea["order"], "left": 0.0}})
            except DeskError as error:
                problem(error, idea=idea_id)
            else:
                moved[idea_id] = str(after["status"])

    def _facts(self, idea: Idea, match: Match, left: Decimal) -> dict[str, Any]:
        before = idea["order"]
        request = OrderRequest(
            action=TradeAction.PENDING,
            symbol=str(idea["symbol"]),
            volume=Decimal(repr(before["volume"])),
            type=OrderType(before["type"]),
            price=_exact(before["price"]),
            stop=_exact(before["stop"]),
            target=_exact(before["target"]),
        )
        position = position_facts(request, match, at=self._clock.now())
        return {"order": {**before, "left": number(left)}, "position": position}

    def _step(self, idea: Idea, act: Act, why: str, changes: dict[str, Any]) -> dict[str, Any]:
        return self._book.step(
            str(idea["id"]),
            act,
            actor=ACTOR,
            why=why,
            changes=changes,
            details={"looked_at": iso(self._clock.now())},
            version=idea["version"],
        )


def _waits(idea: Idea) -> bool:
    order = idea.get("order") or {}
    return bool(order.get("ticket")) and (idea["status"] == Status.PLACED or bool(order.get("left")))


def _dealt(idea: Idea) -> Decimal:
    """Lots of the order that were dealt by what is on record."""
    if idea["status"] == Status.PLACED:
        return Decimal(0)
    order = idea["order"]
    return Decimal(repr(order["volume"])) - Decimal(repr(order["left"]))


def _exact(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value))
