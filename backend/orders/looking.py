"""Looks at what a terminal shows, and at which orders are on record already."""

from collections.abc import Collection
from datetime import datetime, timedelta

from backend.ideas.book import IdeaBook
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.mt5.client import MT5Client
from backend.mt5.dealer import Dealer
from backend.orders.matching import Match, Seen, told


class Looker:
    """Reads orders, deals and positions at one time.

    Args:
        dealer: Orders and deals.
        terminal: Positions and the kind of account.
        book: The ideas.
        journal: The record.
    """

    def __init__(self, dealer: Dealer, terminal: MT5Client, book: IdeaBook, journal: Journal) -> None:
        self._dealer = dealer
        self._terminal = terminal
        self._book = book
        self._journal = journal

    def look(self, since: datetime) -> Seen:
        """All that waits and stands, and all that was done since then.

        What waits is read before what is done, so that an order which is just being filled is seen twice
        rather than not at all.
        """
        return Seen(
            orders=self._dealer.orders(),
            positions=self._terminal.positions(),
            history=self._dealer.history_orders(since - timedelta(seconds=1)),
            deals=self._dealer.deals(since - timedelta(seconds=1)),
            hedging=self._terminal.account().hedging,
        )

    def of_ticket(self, ticket: int) -> Match:
        """What became of the order of a ticket."""
        waiting = self._dealer.order(ticket)
        done = self._dealer.history_order(ticket)
        deals = self._dealer.deals_of_order(ticket)
        position = next((deal.position_id for deal in deals if deal.position_id), 0)
        if position:
            deals = (*deals, *(d for d in self._dealer.deals_of_position(position) if d.order != ticket))
        return told(
            ticket,
            Seen(
                orders=() if waiting is None else (waiting,),
                history=() if done is None else (done,),
                deals=deals,
                positions=self._terminal.positions(),
            ),
        )

    def taken(self, but_of: Collection[str]) -> set[int]:
        """Tickets of orders on record, but for those of some ideas."""
        found = {
            line.ticket for line in self._book.lines() if line.ticket is not None and line.id not in but_of
        }
        for record in self._journal.newest(kind=Kind.ORDER_OUTCOME):
            result = record.payload.get("result") or {}
            if result.get("order") and record.payload.get("idea") not in but_of:
                found.add(int(result["order"]))
        return found
