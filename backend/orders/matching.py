"""Which order at the broker came of which intent, where its answer was lost. Pure.

An order is a candidate of an intent by magic number, symbol, type, volume and time. Brokers blank or rewrite
comments, so a comment decides where it survived and says nothing where it did not. An order on which more
than one intent could lay claim, or an intent that could be more than one order, is uncertain: a wrong guess
would make two positions of one or lose sight of one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from backend.mt5.account import Position
from backend.mt5.orders import Deal, Order
from backend.mt5.words import DealEntry, OrderState, OrderType, Reason
from backend.orders.intents import Intent, named_in

EARLIER = timedelta(seconds=5)
"""The server's clock may be behind ours by so much."""

_BY_THE_BROKER = frozenset({Reason.SL, Reason.TP, Reason.SO})
_LEAVES = frozenset({DealEntry.OUT, DealEntry.OUT_BY})


class Found(StrEnum):
    """What became of an intent, as far as the terminal shows."""

    OPEN = "open"
    """Dealt, in whole or in part, and there is a position."""
    PLACED = "placed"
    """The order waits."""
    PARTLY = "partly"
    """Dealt in part, and the rest of the order waits."""
    CLOSED = "closed"
    """Dealt, and the position is closed again."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    PENDING = "pending"
    """The server has the order and has not decided yet."""
    ABSENT = "absent"
    """Nothing: it counts once it was looked for twice."""
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a terminal showed at one time.

    Attributes:
        orders: Pending orders.
        history: Orders that are done.
        deals: Deals, at least since the oldest intent asked for.
        positions: Open positions.
        hedging: Whether several positions of a symbol stand beside each other.
    """

    orders: Sequence[Order] = ()
    history: Sequence[Order] = ()
    deals: Sequence[Deal] = ()
    positions: Sequence[Position] = ()
    hedging: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What was found of one intent.

    Attributes:
        found: What became of it.
        ticket: Of its order; 0 where none was found.
        position_id: Identifier of its position; 0 where there is none.
        volume: Lots dealt.
        price: Mean price dealt at; None where nothing was dealt or the deals are not there yet.
        deals: Of the order.
        candidates: Tickets that it could be, where it is uncertain.
    """

    found: Found
    ticket: int = 0
    position_id: int = 0
    volume: Decimal = Decimal(0)
    price: Decimal | None = None
    deals: tuple[Deal, ...] = ()
    candidates: tuple[int, ...] = ()


@dataclass(slots=True)
class _Trace:
    """Everything that tells of one order."""

    ticket: int
    order: Order | None = None
    waits: bool = False
    deals: list[Deal] = field(default_factory=list)
    position: Position | None = None

    @property
    def comments(self) -> set[str]:
        """The intents that it names."""
        rows = (self.order, self.position, *self.deals)
        return {name for row in rows if row is not None and (name := named_in(row.comment)) is not None}

    @property
    def dealt(self) -> Decimal:
        return sum((deal.volume for deal in self.deals), Decimal(0))


def match_all(intents: Iterable[Intent], seen: Seen, taken: Collection[int]) -> dict[str, Match]:
    """What became of each intent to open, by its id.

    Args:
        intents: All whose fate is not known, those on their way among them: each may be the other's order.
        seen: Looked up before the intents and `taken` were read: an order seen has its intent among them.
        taken: Tickets of orders that are on record for other intents; they are nobody's candidates.
    """
    wanted = list(intents)
    traces = {ticket: trace for ticket, trace in _traces(seen).items() if ticket not in taken}
    ids = {intent.id for intent in wanted}
    named: dict[str, list[_Trace]] = {intent.id: [] for intent in wanted}
    blank: dict[str, list[_Trace]] = {intent.id: [] for intent in wanted}
    claims: dict[int, int] = defaultdict(int)
    for trace in traces.values():
        told = trace.comments
        if told:
            for name in told & ids:
                named[name].append(trace)
    for intent in wanted:
        if named[intent.id]:
            continue
        blank[intent.id] = [
            trace
            for trace in traces.values()
            if not trace.comments and _could_be(trace, intent, hedging=seen.hedging)
        ]
        for trace in blank[intent.id]:
            claims[trace.ticket] += 1
    return {intent.id: _match(named[intent.id], blank[intent.id], claims, seen) for intent in wanted}


def told(ticket: int, seen: Seen) -> Match:
    """What became of the order of a ticket that is on record; `Found.ABSENT` where nothing tells of it."""
    trace = _traces(seen).get(ticket)
    return Match(found=Found.ABSENT, ticket=ticket) if trace is None else _told(trace, seen)


def _match(named: Sequence[_Trace], blank: Sequence[_Trace], claims: Mapping[int, int], seen: Seen) -> Match:
    candidates = named or blank
    certain = len(candidates) == 1 and (bool(named) or claims[candidates[0].ticket] == 1)
    if certain:
        return _told(candidates[0], seen)
    tickets = tuple(sorted(trace.ticket for trace in candidates))
    return Match(found=Found.UNCERTAIN if tickets else Found.ABSENT, candidates=tickets)


def _traces(seen: Seen) -> dict[int, _Trace]:
    """Every order that the terminal shows anything of, by its ticket."""
    found: dict[int, _Trace] = {}

    def of(ticket: int) -> _Trace:
        return found.setdefault(ticket, _Trace(ticket))

    for order in seen.history:
        of(order.ticket).order = order
    for order in seen.orders:
        trace = of(order.ticket)
        trace.order, trace.waits = order, True
    for deal in seen.deals:
        if deal.trade and deal.order:
            of(deal.order).deals.append(deal)
    for position in seen.positions:
        # Of a position whose deals are not there yet its identifier is the order that opened it.
        of(position.identifier).position = position
    return found


def _could_be(trace: _Trace, intent: Intent, *, hedging: bool) -> bool:
    """Whether an order without a comment of ours may be the intent's."""
    request = intent.request
    earliest = intent.at - EARLIER
    if trace.order is not None:
        order = trace.order
        return (
            order.magic == request.magic
            and order.symbol == request.symbol
            and order.type == request.type
            and order.volume == request.volume
            and order.placed_at >= earliest
            and order.reason not in _BY_THE_BROKER
            and not (hedging and _closes(trace))
        )
    volume = request.volume or Decimal(0)
    if trace.deals:
        first = trace.deals[0]
        return (
            first.magic == request.magic
            and first.symbol == request.symbol
            and first.type.value == _side(request.type)
            and trace.dealt <= volume
            and min(deal.time for deal in trace.deals) >= earliest
            and first.reason not in _BY_THE_BROKER
            and not (hedging and _closes(trace))
        )
    position = trace.position
    return (
        position is not None
        and position.magic == request.magic
        and position.symbol == request.symbol
        and position.buy is (_side(request.type) == "buy")
        and position.volume <= volume
        and position.opened_at >= earliest
    )


def _closes(trace: _Trace) -> bool:
    """Whether the order of a hedging account closes a position."""
    if trace.deals:
        return all(deal.entry in _LEAVES for deal in trace.deals)
    return trace.order is not None and trace.order.position_id not in {0, trace.ticket}


def _side(kind: OrderType | None) -> str:
    return "buy" if kind is not None and kind.buy else "sell"


def _told(trace: _Trace, seen: Seen) -> Match:
    """What became of the order that was found."""
    position_id = next((deal.position_id for deal in trace.deals if deal.position_id), 0)
    if not position_id and trace.position is not None:
        position_id = trace.position.identifier
    volume = trace.dealt
    if not trace.deals and trace.position is not None:
        volume = trace.position.volume
    return Match(
        found=_state(trace, position_id, volume, seen),
        ticket=trace.ticket,
        position_id=position_id,
        volume=volume,
        price=mean_price(trace.deals),
        deals=tuple(trace.deals),
    )


def _state(trace: _Trace, position_id: int, volume: Decimal, seen: Seen) -> Found:
    if volume:
        if trace.waits:
            return Found.PARTLY
        stands = any(position.identifier == position_id for position in seen.positions)
        # A position that is not shown yet is told from one that was closed by the deals that closed it.
        return Found.OPEN if stands or not _was_closed(position_id, seen) else Found.CLOSED
    if trace.waits:
        asked = trace.order is not None and trace.order.state in {OrderState.PLACED, OrderState.PARTIAL}
        return Found.PLACED if asked else Found.PENDING
    state = trace.order.state if trace.order is not None else OrderState.STARTED
    ends = {
        OrderState.CANCELED: Found.CANCELLED,
        OrderState.EXPIRED: Found.EXPIRED,
        OrderState.REJECTED: Found.REJECTED,
    }
    return ends.get(state, Found.PENDING)  # filled, and its deals are not there yet


def _was_closed(position_id: int, seen: Seen) -> bool:
    return any(deal.position_id == position_id and deal.entry is not DealEntry.IN for deal in seen.deals)


def mean_price(deals: Sequence[Deal]) -> Decimal | None:
    """The mean price of deals, weighted by their volumes; None where there are none."""
    volume = sum((deal.volume for deal in deals), Decimal(0))
    if not volume:
        return None
    money = sum((deal.volume * deal.price for deal in deals if deal.price is not None), Decimal(0))
    return money / volume
