"""From deals to closed trades, as MetaTrader keeps positions: hedging or netting.

Hedging: every order that fills ``in`` opens a position of its own, every ``out`` closes one of the other
side, in part or whole. Netting: one position a symbol; an ``in`` adds to it at the average price, an
``in/out`` closes it and opens the rest on the other side. A report does not state which position an
``out`` closes: its comment or the Positions table may, else it follows from what is open, and where that
leaves a choice the trade is marked as assumed.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from backend.backtest.tester.model import (
    Accounting,
    Deal,
    Direction,
    ExitKind,
    PendingOrder,
    StillOpen,
    Tables,
    TheirTrade,
)
from backend.core.clock import from_epoch, iso
from backend.core.errors import Invalid
from backend.trading.profit import to_cents
from backend.trading.sides import Side

_LEVEL = re.compile(r"\[?(?P<kind>sl|tp) (?P<price>\d+(?: \d{3})*(?:\.\d+)?)\]?", re.IGNORECASE)
_STOP_OUT = re.compile(r"\[?so[ :]", re.IGNORECASE)
_TICKET = re.compile(r"#(\d+)")


@dataclass(kw_only=True, slots=True)
class _Position:
    """An open position; money is what its opening deals cost and not yet shared out."""

    side: Side
    deal: Deal
    volume: Decimal
    price: Decimal
    commission: Decimal
    swap: Decimal
    profit: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """What the deals closed and what they left open."""

    accounting: Accounting
    trades: tuple[TheirTrade, ...]
    still_open: tuple[StillOpen, ...]
    notes: tuple[str, ...] = ()


def closed_trades(tables: Tables, accounting: Accounting | None = None) -> Closed:
    """The trades of a file's deals.

    Args:
        tables: The file.
        accounting: None finds it: netting if a deal is ``in/out``, else hedging if the deals pair so.

    Raises:
        Invalid: Code ``unpaired_deal``: a deal closes what no deal before it opened.
    """
    if accounting is not None:
        return _Book(tables, accounting).run()
    if any(deal.direction is Direction.IN_OUT for deal in tables.deals):
        return _Book(tables, Accounting.NETTING).run()
    try:
        closed = _Book(tables, Accounting.HEDGING).run()
    except Invalid as refused:
        try:
            return _Book(tables, Accounting.NETTING).run()
        except Invalid:
            raise refused from None
    several = any(trade.assumed for trade in closed.trades)
    note = "The file does not state how positions were kept: hedging was taken."
    return replace(closed, notes=(*closed.notes, note)) if several else closed


@dataclass(slots=True)
class _Book:
    tables: Tables
    accounting: Accounting
    open: dict[str, list[_Position]] = field(default_factory=lambda: defaultdict(list))
    trades: list[TheirTrade] = field(default_factory=list)
    worth: dict[str, Decimal] = field(default_factory=dict)

    def run(self) -> Closed:
        for deal in self.tables.deals:
            if deal.direction is Direction.IN:
                self._enter(deal, deal.volume)
            elif deal.direction is Direction.IN_OUT:
                self._reverse(deal)
            elif deal.direction is not None:
                self._leave(deal)
        assumed = sum(trade.assumed for trade in self.trades)
        notes = [f"{assumed} trades: the file leaves open which position was closed."] if assumed else []
        return Closed(
            accounting=self.accounting,
            trades=tuple(self.trades),
            still_open=tuple(self._still_open()),
            notes=tuple(notes),
        )

    def _enter(self, deal: Deal, volume: Decimal, share: Decimal | None = None) -> None:
        """Open a position or add to it; `share` is the part of the deal's commission that falls on it."""
        side = Side(deal.kind)
        cost = deal.commission + deal.fee if share is None else share
        held = self._same_position(deal)
        if held is None:
            swap, profit = (deal.swap, deal.profit) if share is None else (Decimal(0), Decimal(0))
            self.open[deal.symbol].append(
                _Position(
                    side=side,
                    deal=deal,
                    volume=volume,
                    price=deal.price,
                    commission=cost,
                    swap=swap,
                    profit=profit,
                )
            )
            return
        if held.side is not side:
            raise _unpaired(deal, f"opens against the {held.side} position of {held.deal.where}")
        held.price = (held.price * held.volume + deal.price * volume) / (held.volume + volume)
        held.volume += volume
        held.commission += cost
        held.swap += deal.swap
        held.profit += deal.profit

    def _same_position(self, deal: Deal) -> _Position | None:
        held = self.open[deal.symbol]
        if deal.position is not None:
            return next((one for one in held if one.deal.position == deal.position), None)
        if self.accounting is Accounting.NETTING:
            return held[0] if held else None
        # an order that is filled in parts opens one position
        return next((one for one in held if deal.order is not None and one.deal.order == deal.order), None)

    def _reverse(self, deal: Deal) -> None:
        held = self._same_position(deal)
        if held is None or held.side is Side(deal.kind) or deal.volume <= held.volume:
            raise _unpaired(
                deal, "reverses a position of the other side and of less volume, which is not open"
            )
        closing, whole = held.volume, deal.commission + deal.fee
        first = to_cents(whole * closing / deal.volume)
        rest = deal.volume - closing
        self._close(held, deal, closing, commission=first, assumed=False)
        self._enter(deal, rest, share=whole - first)

    def _leave(self, deal: Deal) -> None:
        position, assumed = self._closed_position(deal)
        if position is None:
            raise _unpaired(deal, f"closes {deal.volume} lots that no deal before it opened")
        self._close(position, deal, deal.volume, commission=deal.commission + deal.fee, assumed=assumed)

    def _closed_position(self, deal: Deal) -> tuple[_Position | None, bool]:
        """The position that an ``out`` closes, and whether the file leaves a choice."""
        side = Side(deal.kind).opposite
        fitting = [one for one in self.open[deal.symbol] if one.side is side and one.volume >= deal.volume]
        if deal.position is not None:
            fitting = [one for one in fitting if one.deal.position == deal.position]
        if len(fitting) < 2:  # noqa: PLR2004 - no choice
            return (fitting[0] if fitting else None), False
        tickets = {int(ticket) for ticket in _TICKET.findall(deal.comment)} | {
            row.position
            for row in self.tables.positions
            if (row.symbol, row.side, row.volume, row.closed) == (deal.symbol, side, deal.volume, deal.time)
        }
        named = [one for one in fitting if one.deal.order in tickets]
        if len(named) == 1:
            return named[0], False
        # What the deal earned tells the entry price, once a unit of price is known to be worth something.
        worth = self.worth.get(deal.symbol)
        if worth is not None:
            earned = sorted(fitting, key=lambda one: abs(deal.profit - worth * _move(one, deal)))
            best = abs(deal.profit - worth * _move(earned[0], deal))
            fitting = [
                one for one in earned if abs(deal.profit - worth * _move(one, deal)) - best < Decimal("0.01")
            ]
        alike = [one for one in fitting if one.volume == deal.volume] or fitting
        return min(alike, key=lambda one: (one.deal.time, one.deal.ticket)), True

    def _close(
        self, position: _Position, deal: Deal, volume: Decimal, *, commission: Decimal, assumed: bool
    ) -> None:
        left = position.volume - volume
        carried = (position.commission, position.swap, position.profit)
        shares = [to_cents(money * volume / position.volume) if left else money for money in carried]
        position.commission, position.swap, position.profit = (
            money - share for money, share in zip(carried, shares, strict=True)
        )
        kind, level = _exit(deal)
        opened = self.tables.orders.get(position.deal.order or 0)
        self.trades.append(
            TheirTrade(
                id=len(self.trades) + 1,
                symbol=deal.symbol,
                side=position.side,
                volume=volume,
                entry_time=position.deal.time,
                entry_price=position.price,
                entry_level=opened.price if opened else None,
                entry_limit=_is_limit(opened),
                exit_time=deal.time,
                exit_price=deal.price,
                exit_kind=kind,
                exit_level=level,
                profit=deal.profit + shares[2],
                commission=-(commission + shares[0]),
                swap=deal.swap + shares[1],
                rows=(position.deal.where, deal.where),
                assumed=assumed,
            )
        )
        move = _move(position, deal)
        if move and deal.profit and not assumed:
            self.worth[deal.symbol] = deal.profit / move
        position.volume = left
        if not left:
            self.open[deal.symbol].remove(position)

    def _still_open(self) -> Iterator[StillOpen]:
        for symbol, positions in self.open.items():
            for one in positions:
                yield StillOpen(
                    symbol=symbol,
                    side=one.side,
                    volume=one.volume,
                    entry_time=one.deal.time,
                    where=one.deal.where,
                )


def _move(position: _Position, deal: Deal) -> Decimal:
    """Price gained times lots."""
    return position.side.sign * (deal.price - position.price) * deal.volume


def _exit(deal: Deal) -> tuple[ExitKind, Decimal | None]:
    match = _LEVEL.fullmatch(deal.comment)
    if match:
        kind = ExitKind.STOP if match["kind"].casefold() == "sl" else ExitKind.TARGET
        return kind, Decimal(match["price"].replace(" ", ""))
    if _STOP_OUT.match(deal.comment):
        return ExitKind.STOP_OUT, None
    return (ExitKind.CLOSE_BY if deal.direction is Direction.OUT_BY else ExitKind.MARKET), None


def _is_limit(order: PendingOrder | None) -> bool:
    return order is not None and order.kind.endswith(" limit") and "stop" not in order.kind


def _unpaired(deal: Deal, why: str) -> Invalid:
    what = f"{deal.kind} {deal.volume} {deal.symbol}, {deal.direction}"
    return Invalid(
        "unpaired_deal",
        f"{deal.where}: deal {deal.ticket} of {iso(from_epoch(deal.time))} ({what}) {why}; save the report "
        "from an earlier date on, or say how the account keeps positions with --account",
        where=deal.where,
        ticket=deal.ticket,
    )
