"""OrderService: everything of a process that asks the broker, put together once."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from backend.control.desk import Control
from backend.core.clock import Clock, iso
from backend.core.errors import Conflict, DeskError, Invalid, NotFound, Unavailable
from backend.core.timeframes import Timeframe
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import Act, Status
from backend.ideas.live import LiveJudge
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.mt5.server_time import ServerClock
from backend.orders.asking import Asking, Became, Change
from backend.orders.closing import PositionChanges
from backend.orders.following import Follower
from backend.orders.kill import KillSwitch
from backend.orders.live import ControlSwitch, SendJudge
from backend.orders.looking import Looker
from backend.orders.owning import KEEP, Level, Owner
from backend.orders.parts import SendParts
from backend.orders.recovery import Recovery
from backend.orders.sending import Sender
from backend.orders.tickets import TicketDesk
from backend.orders.waiting import OrderChanges
from backend.storage.files import FileStorage
from backend.strategies.model import Profile


class OrderService:
    """Sends, recovers, closes, changes and kills. Thread-safe, and safe between processes.

    Args:
        storage: Files below ``data/``.
        clock: Desk time.
        server_clock: Rule of the broker's clock.
        journal: The record.
        book: The ideas.
        judge: Judges ideas at current prices.
        control: Halts.
        terminal: Positions, prices, specifications.
        dealer: Orders, deals, requests.
        magic: Number of the desk.
        pause: Waits so many seconds.
        profile: A symbol's profile.
        atr: See `TicketDesk`.

    Attributes:
        tickets: Takes a person's tickets.
        sender: Sends approved ideas.
        recovery: Finds out what became of what is unknown.
        positions: Closes and moves positions.
        waiting: Cancels and moves pending orders.
        follower: Brings an idea to where its order stands.
        kill: Ends everything.
    """

    def __init__(
        self,
        *,
        storage: FileStorage,
        clock: Clock,
        server_clock: ServerClock,
        journal: Journal,
        book: IdeaBook,
        judge: LiveJudge,
        control: Control,
        terminal: MT5Client,
        dealer: Dealer,
        magic: int,
        pause: Callable[[float], None],
        profile: Callable[[str], Profile],
        atr: Callable[[str, Timeframe], float | None],
    ) -> None:
        switch = ControlSwitch(control)
        asking = Asking(journal, dealer, clock, switch, pause)
        parts = SendParts(
            book=book,
            asking=asking,
            dealer=dealer,
            judge=SendJudge(judge, control),
            switch=switch,
            clock=clock,
            server_clock=server_clock,
            lock=storage.lock,
            magic=magic,
        )
        owner = Owner(magic=magic, idea_of=self._idea_of, clock=clock)
        looker = Looker(dealer, terminal, book, journal)
        self._book = book
        self._journal = journal
        self._clock = clock
        self.positions = PositionChanges(asking, dealer, terminal, owner)
        self.waiting = OrderChanges(asking, dealer, terminal, owner)
        self.follower = Follower(book, looker, self.waiting, clock, pause)
        self.sender = Sender(parts)
        self.recovery = Recovery(parts, journal, terminal, self.sender, self.follower, looker, pause)
        self.tickets = TicketDesk(
            book=book,
            judge=judge,
            sender=self.sender,
            clock=clock,
            profile=profile,
            refused=self.record_refusal,
            atr=atr,
        )
        self.kill = KillSwitch(
            halts=switch,
            asking=asking,
            journal=journal,
            dealer=dealer,
            terminal=terminal,
            positions=self.positions,
            waiting=self.waiting,
            lock=storage.lock,
            magic=magic,
            after=self.recovery.settle,
        )

    # A person's changes: a refusal is on record as well

    def close(
        self, ticket: int, volume: Decimal | None, *, actor: str, why: str, all_: bool = False
    ) -> dict[str, Any]:
        """Close a position, in whole or in part; see `PositionChanges.close`.

        Raises:
            Conflict: ``broker_refused``, ``try_later``.
            Unavailable: ``outcome_unknown``.
        """
        asked = {"position": ticket, "volume": None if volume is None else str(volume)}
        return self._answered(
            "close",
            asked,
            actor,
            lambda: self.positions.close(ticket, volume, actor=actor, why=why, all_=all_),
        )

    def move(self, ticket: int, levels: Mapping[str, Level], *, actor: str, why: str) -> dict[str, Any]:
        """Move a position's stop or target; `levels` has those that change. Errors as `close`."""
        return self._answered(
            "modify",
            {"position": ticket, **_stated(levels)},
            actor,
            lambda: self.positions.move(
                ticket,
                stop=levels.get("stop", KEEP),
                target=levels.get("target", KEEP),
                actor=actor,
                why=why,
            ),
        )

    def cancel(self, ticket: int, *, actor: str, why: str, all_: bool = False) -> dict[str, Any]:
        """Remove a pending order, and bring its idea there; errors as `close`."""
        answer = self._answered(
            "cancel",
            {"order": ticket},
            actor,
            lambda: self.waiting.cancel(ticket, actor=actor, why=why, all_=all_),
        )
        self._follow(ticket)
        return answer

    def modify(
        self, ticket: int, price: Decimal | None, levels: Mapping[str, Level], *, actor: str, why: str
    ) -> dict[str, Any]:
        """Move a pending order; errors as `close`."""
        answer = self._answered(
            "modify",
            {"order": ticket, "price": None if price is None else str(price), **_stated(levels)},
            actor,
            lambda: self.waiting.modify(
                ticket,
                price=price,
                stop=levels.get("stop", KEEP),
                target=levels.get("target", KEEP),
                actor=actor,
                why=why,
            ),
        )
        self._note_moved(ticket, price, levels, actor)
        return answer

    def cancel_idea(self, idea_id: str, actor: str, why: str) -> None:
        """Remove the order of an idea that is placed."""
        idea = self._book.get(idea_id)
        self.cancel(int(idea["order"]["ticket"]), actor=actor, why=why)

    def record_refusal(self, kind: str, asked: Mapping[str, Any], error: DeskError, *, actor: str) -> None:
        """Put on record that something was asked for and not sent."""
        now = iso(self._clock.now())
        payload = {"kind": kind, "at": now, "asked": dict(asked), "refused": error.as_dict()}
        self._journal.append(Kind.ORDER_OUTCOME, payload, actor=actor)

    # Inside

    def _answered(
        self, kind: str, asked: Mapping[str, Any], actor: str, change: Callable[[], Change]
    ) -> dict[str, Any]:
        try:
            made = change()
        except (Invalid, Conflict, NotFound) as error:
            self.record_refusal(kind, asked, error, actor=actor)
            raise
        answer = made.as_dict()
        told = {name: value for name, value in answer.items() if name != "message"}
        if made.became is Became.REFUSED:
            raise Conflict("broker_refused", made.message, **told)
        if made.became is Became.LATER:
            raise Conflict("try_later", made.message, **told)
        if made.became is Became.UNKNOWN:
            message = f"{made.message}; look at the terminal before asking again"
            raise Unavailable("outcome_unknown", message, **told)
        return answer

    def _idea_of(self, number: int) -> str | None:
        """The idea of a position's identifier or an order's ticket."""
        for idea in self._book.find(Status.OPEN, Status.PLACED):
            position, order = idea.get("position") or {}, idea.get("order") or {}
            if number in {position.get("id"), order.get("ticket")}:
                return str(idea["id"])
        return None

    def _follow(self, ticket: int) -> None:
        idea_id = self._idea_of(ticket)
        if idea_id is not None:
            self.follower.one(idea_id)

    def _note_moved(
        self, ticket: int, price: Decimal | None, levels: Mapping[str, Level], actor: str
    ) -> None:
        idea_id = self._idea_of(ticket)
        if idea_id is None:
            return
        idea = self._book.get(idea_id)
        wanted = _stated(levels) | ({} if price is None else {"price": str(price)})
        moved = {name: None if value is None else float(value) for name, value in wanted.items()}
        order = {**idea["order"], **moved}
        self._book.step(idea_id, Act.RECORD, actor=actor, why="its order was moved", changes={"order": order})


def _stated(levels: Mapping[str, Level]) -> dict[str, str | None]:
    return {name: None if level is None else str(level) for name, level in levels.items()}
