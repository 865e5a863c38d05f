"""ClosedTrades: ideas whose positions are gone are closed by their deals' figures, and logged once each."""

import logging
from collections.abc import Sequence
from typing import Any

from backend.core.errors import Conflict, DeskError
from backend.ideas.lifecycle import Act
from backend.journal.record import Kind
from backend.mt5.orders import Deal
from backend.orders.intents import named_in
from backend.orders.ruling import ManagerParts
from backend.orders.trades import is_closed, result_of

log = logging.getLogger(__name__)

ACTOR = "management"

Idea = dict[str, Any]


class ClosedTrades:
    """Closes ideas and writes their rows.

    Args:
        parts: What management stands on.
    """

    def __init__(self, parts: ManagerParts) -> None:
        self._parts = parts
        self._book = parts.book

    def gone(self, idea: Idea, report: dict[str, Any]) -> None:
        """Close the idea of a position that the terminal does not show any more, as its deals tell."""
        deals = self._parts.dealer.deals_of_position(int(idea["position"]["id"]))
        if not is_closed(deals):
            report["problems"].append(
                {
                    "idea": idea["id"],
                    "code": "not_shown",
                    "reason": "neither its position nor the deals that closed it are shown yet",
                }
            )
            return
        result = self._result(idea, deals)
        closed = self._book.step(
            str(idea["id"]),
            Act.CLOSE,
            actor=ACTOR,
            why=str(result["exit_reason"]),
            changes={"result": result},
        )
        report["closed"].append(closed["id"])
        self._log(closed)

    def log_all(self, report: dict[str, Any]) -> None:
        """Write the rows of trades that were closed elsewhere, or by a process that was killed then.

        Reconciling finds ideas closed whose answer was lost; those have no result yet.
        """
        for idea in self._book.unlogged():
            try:
                self._log(idea if idea.get("result") else self._with_result(idea))
            except DeskError as error:
                note_problem(report, idea, error)

    # Inside

    def _log(self, idea: Idea) -> None:
        name = self._parts.trades.write(idea)
        self._book.step(str(idea["id"]), Act.RECORD, actor=ACTOR, changes={"logged": name})

    def _with_result(self, idea: Idea) -> Idea:
        deals = self._parts.dealer.deals_of_position(int(idea["position"]["id"]))
        if not is_closed(deals):
            raise Conflict("not_shown", "the deals that closed its position are not shown yet")
        changes = {"result": self._result(idea, deals)}
        return self._book.step(
            str(idea["id"]), Act.RECORD, actor=ACTOR, why="what it earned", changes=changes
        )

    def _result(self, idea: Idea, deals: Sequence[Deal]) -> dict[str, Any]:
        return result_of(
            idea,
            deals,
            instrument=self._parts.market.instrument(str(idea["symbol"])),
            currency=self._parts.terminal.account().currency,
            asked=self._asked,
        )

    def _asked(self, comment: str) -> str | None:
        name = named_in(comment)
        if name is None:
            return None
        made = self._parts.journal.find_many(Kind.ORDER_INTENT, [name])
        return str(made[name].payload["why"]) if name in made else None


def note_problem(report: dict[str, Any], idea: Idea, error: DeskError) -> None:
    """Say in the log and in the report what went wrong with an idea."""
    log.warning("idea %s: %s", idea["id"], error.message)
    report["problems"].append({"idea": idea["id"], "code": error.code, "reason": error.message})
