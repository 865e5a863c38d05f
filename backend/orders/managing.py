"""Manager: what is open is kept by its strategy's rules, on closed bars, and followed where others change it.

What a look found and asked for is on record in the idea before the broker is asked: closes and moves are
such that asking again does nothing twice, and a part is asked for once. One manager works at a time.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.core.clock import iso, parse_iso
from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.core.instruments import Instrument
from backend.ideas.lifecycle import Act, Status
from backend.journal.record import Kind
from backend.mt5.account import Position
from backend.orders.asking import Change
from backend.orders.closed import ACTOR, ClosedTrades, note_problem
from backend.orders.facts import number
from backend.orders.holding import Holding, Wishes, order_is_against, wishes
from backend.orders.intents import Intent
from backend.orders.ruling import ManagerParts, Ruling
from backend.strategies.model import Strategy
from backend.trading.management import part_steps
from backend.trading.reasons import Reason
from backend.trading.sides import Side

LOCK = "orders/managing"

Idea = dict[str, Any]


class Manager:
    """Manages positions and waiting orders. Thread-safe, and safe between processes.

    Args:
        parts: What it stands on.
    """

    def __init__(self, parts: ManagerParts) -> None:
        self._parts = parts
        self._rules = Ruling(parts)
        self._book = parts.book
        self._closed = ClosedTrades(parts)

    def run(self) -> dict[str, Any]:
        """Look at everything that is open or waits; one that fails is reported and the others go on.

        Returns:
            JSON values: how many positions and orders were looked at, what was done, closed trades, problems.

        Raises:
            Unavailable: The terminal does not answer.
        """
        report: dict[str, Any] = {"positions": 0, "orders": 0, "done": [], "closed": [], "problems": []}
        try:
            with self._parts.storage.lock(LOCK, 0.0):
                self._closed.log_all(report)
                shown = {one.identifier: one for one in self._parts.terminal.positions()}
                ideas = self._book.find(Status.OPEN, Status.PLACED)
                for idea in ideas:
                    try:
                        self._look(idea, shown, report)
                    except DeskError as error:
                        note_problem(report, idea, error)
                report["foreign"] = sum(one.magic != self._parts.magic for one in shown.values())
                self._unknown(shown, ideas, report)
        except Unavailable as error:
            if error.code != "locked":
                raise
            report["problems"].append({"code": "busy", "reason": "another one is managing"})
        return report

    # One idea

    def _look(self, idea: Idea, shown: Mapping[int, Position], report: dict[str, Any]) -> None:
        if idea["status"] == Status.PLACED:
            report["orders"] += 1
            self._order(idea, report)
            return
        report["positions"] += 1
        if (idea.get("order") or {}).get("left"):
            idea = self._parts.follower.one(str(idea["id"]))
        position = shown.get(int(idea["position"]["id"]))
        if position is None:
            self._closed.gone(idea, report)
            return
        idea = self._followed(idea, position, report)
        try:
            strategy = self._rules.strategy(idea)
        except NotFound:
            if not self._left(idea, position, report):
                raise
            return
        if strategy is not None:
            self._manage(idea, position, strategy, report)
        else:
            self._left(idea, position, report)

    def _left(self, idea: Idea, position: Position, report: dict[str, Any]) -> bool:
        """Whether a position that no strategy manages has to go, and is told to."""
        leave = self._rules.must_leave(None, str(idea["symbol"]))
        if leave is not None:
            self._leave(idea, position, leave, report)
        return leave is not None

    def _manage(self, idea: Idea, position: Position, strategy: Strategy, report: dict[str, Any]) -> None:
        facts = self._rules.facts(idea, strategy, since=position.opened_at)
        fine = self._rules.fine(strategy, str(idea["symbol"]), position.opened_at)
        instrument = self._parts.market.instrument(str(idea["symbol"]))
        held = self._rules.holding(idea, position, instrument)
        managed = idea["management"]
        quote = self._parts.market.quote(str(idea["symbol"]))
        spread = instrument.ticks(float(quote.ask)) - instrument.ticks(float(quote.bid))
        asked = wishes(held, strategy, facts, fine, spread=spread)
        leave = asked.leave or (Reason(managed["leaving"]) if managed.get("leaving") else None)
        if leave is None:
            leave = self._rules.must_leave(strategy, str(idea["symbol"]))
        if leave is not None:
            self._leave(idea, position, leave, report)
            return
        if asked.part:
            idea = self._part(idea, position, strategy, instrument, report)
        self._move(idea, position, held, asked, report)

    def _leave(self, idea: Idea, position: Position, reason: Reason, report: dict[str, Any]) -> None:
        """Close it; the reason stands until it is closed, also where the market does not let it go now."""
        if idea["management"].get("leaving") != str(reason):
            idea = self._record(idea, f"it leaves: {reason}", leaving=str(reason))
        change = self._parts.positions.close(position.ticket, actor=ACTOR, why=str(reason))
        _did(report, idea, str(reason), change)
        if change.done:
            self._closed.gone(self._book.get(str(idea["id"])), report)

    def _part(
        self,
        idea: Idea,
        position: Position,
        strategy: Strategy,
        instrument: Instrument,
        report: dict[str, Any],
    ) -> Idea:
        share = strategy.strategy.management.partial_fraction or 0.0
        whole = Decimal(repr(idea["position"]["volume"]))
        least = float(instrument.volume_min / instrument.volume_step)
        steps = part_steps(int(whole / instrument.volume_step), share, least)
        lots = instrument.volume_step * steps
        if position.volume < whole or not lots:
            why = (
                "its part is below the smallest volume and is left"
                if not lots
                else "its part was closed already"
            )
            return self._record(idea, why, parted=True)
        change = self._parts.positions.close(position.ticket, lots, actor=ACTOR, why=str(Reason.PARTIAL))
        _did(report, idea, str(Reason.PARTIAL), change)
        if not change.done:
            return idea  # the next look sees whether it was dealt after all
        left = position.volume - lots
        return self._record(idea, f"{lots} lots closed at the part's level", parted=True, volume=number(left))

    def _move(
        self,
        idea: Idea,
        position: Position,
        held: Holding,
        asked: Wishes,
        report: dict[str, Any],
    ) -> None:
        if asked.stop is None or asked.stop_reason is None:
            return
        price = held.instrument.price(held.side.sign * asked.stop)
        try:
            change = self._parts.positions.move(
                position.ticket, stop=price, actor=ACTOR, why=str(asked.stop_reason)
            )
        except Invalid as error:  # the price has come too near meanwhile: the next bar tries again
            note_problem(report, idea, error)
            return
        _did(report, idea, str(asked.stop_reason), change)
        if change.done:
            self._record(
                idea,
                f"the stop was moved to {price}: {asked.stop_reason}",
                stop=number(price),
                stop_reason=str(asked.stop_reason),
            )

    def _order(self, idea: Idea, report: dict[str, Any]) -> None:
        """Take back a waiting order that a rulebook or its strategy's rules speak against."""
        strategy, symbol = self._rules.strategy(idea), str(idea["symbol"])
        embargoed = self._rules.embargoed(strategy, symbol)
        why = ""
        if self._rules.weekend(strategy, symbol):
            why = "the week ends"
        elif embargoed and strategy is None:
            why = "an embargo speaks against it"
        elif strategy is not None:
            placed = parse_iso(idea["order"]["placed_at"])
            facts = self._rules.facts(idea, strategy, since=placed)
            if order_is_against(
                Side(idea["side"]), facts, placed=int(placed.timestamp()), embargoed=embargoed
            ):
                why = "an exit, an invalidation, an opposite signal or an embargo speaks against it"
        if why:
            change = self._parts.waiting.cancel(int(idea["order"]["ticket"]), actor=ACTOR, why=why)
            _did(report, idea, "cancel", change)
            self._parts.follower.one(str(idea["id"]))

    # What others did

    def _followed(self, idea: Idea, position: Position, report: dict[str, Any]) -> Idea:
        """The idea with what was changed outside management; a stop that was taken away is put back."""
        began = idea["position"]
        managed = idea.get("management") or {
            "stop": began["initial_stop"],
            "target": began["initial_target"],
            "volume": began["volume"],
            "parted": False,
        }
        idea = {**idea, "management": managed}
        seen: dict[str, Any] = {
            "stop": position.stop,
            "target": position.target,
            "volume": number(position.volume),
        }
        changed = {name: value for name, value in seen.items() if value != managed.get(name)}
        if changed.get("stop", 0.0) is None and managed.get("stop") is not None:
            del changed["stop"]
            self._put_back(idea, position, Decimal(repr(managed["stop"])), report)
        idea, changed = self._of_ours(idea, changed)
        if not changed:
            return idea
        managed = idea["management"]
        told = ", ".join(f"{name} {managed.get(name)} → {value}" for name, value in changed.items())
        if "stop" in changed:
            changed.update(stop_reason=None, moved_at=iso(self._parts.clock.now()))
        return self._record(idea, f"changed elsewhere: {told}", **changed)

    def _put_back(self, idea: Idea, position: Position, stop: Decimal, report: dict[str, Any]) -> None:
        """Give a position its stop again; where the broker does not take it, that is a problem to be seen."""
        why = "a position carries a stop"
        try:
            change = self._parts.positions.move(position.ticket, stop=stop, actor=ACTOR, why=why)
        except DeskError as error:
            note_problem(report, idea, error)
            return
        _did(report, idea, "stop put back", change)
        if not change.done:
            note_problem(report, idea, Conflict("no_stop", f"position {position.ticket}: {change.message}"))

    def _of_ours(self, idea: Idea, changed: dict[str, Any]) -> tuple[Idea, dict[str, Any]]:
        """Take what is the desk's own: a further fill, and what management asked for before it was killed.

        The intents tell that: they are on record before the broker is asked. What is left others did.
        """
        facts: dict[str, Any] = {}
        if changed.get("volume") == idea["position"]["volume"]:  # its order was filled further
            facts["volume"] = changed.pop("volume")
        for record in self._parts.journal.newest(kind=Kind.ORDER_INTENT):
            if not changed or parse_iso(record.payload["at"]) < parse_iso(idea["position"]["opened_at"]):
                break
            intent = Intent.read(record.payload)
            if intent.idea != idea["id"] or intent.why not in set(Reason):
                continue
            stop, volume = changed.get("stop"), changed.get("volume")
            if stop is not None and number(intent.request.stop) == stop:
                facts |= {"stop": changed.pop("stop"), "stop_reason": intent.why}
            elif volume is not None and intent.why == Reason.PARTIAL:
                had, part = Decimal(repr(idea["management"]["volume"])), intent.request.volume
                if part is not None and had - part == Decimal(repr(volume)):
                    facts |= {"volume": changed.pop("volume"), "parted": True}
        if facts:
            idea = self._record(idea, "what the desk itself had asked for is noted", **facts)
        return idea, changed

    def _unknown(self, shown: Mapping[int, Position], ideas: list[Idea], report: dict[str, Any]) -> None:
        """Name positions that carry our number and belong to no idea: a person has to look at them."""
        known = {int(idea["position"]["id"]) for idea in ideas if idea.get("position")}
        pending = {int(idea["order"]["ticket"]) for idea in ideas if idea.get("order")}
        for one in shown.values():
            if one.magic == self._parts.magic and one.identifier not in known | pending:
                report["problems"].append(
                    {
                        "code": "no_idea",
                        "position": one.ticket,
                        "reason": f"position {one.ticket} of {one.symbol} carries the desk's number and "
                        "belongs to no open idea; it is not managed",
                    }
                )

    # Writing

    def _record(self, idea: Idea, why: str, **facts: Any) -> Idea:
        managed = {**idea["management"], **facts}
        return self._book.step(
            str(idea["id"]), Act.RECORD, actor=ACTOR, why=why, changes={"management": managed}
        )


def _did(report: dict[str, Any], idea: Idea, what: str, change: Change) -> None:
    report["done"].append({"idea": idea["id"], "what": what, **change.as_dict()})
