"""What an account's deals tell: money put in, what trading earned, what was open at an instant. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend.mt5.orders import Deal
from backend.mt5.words import DealEntry, DealType

FLOWS = frozenset({DealType.BALANCE, DealType.CREDIT, DealType.BONUS, DealType.CORRECTION})
"""Money put in or taken out. Everything else that is booked was earned or lost, a broker's charges too."""

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A deposit, or a withdrawal below zero.

    Attributes:
        ticket: Of its deal.
        at: Aware UTC.
        amount: Account currency.
    """

    ticket: int
    at: datetime
    amount: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What a position held at an instant.

    Attributes:
        symbol: Canonical symbol.
        buy: Its side.
        lots: Volume.
        price: Mean opening price.
    """

    symbol: str
    buy: bool
    lots: Decimal
    price: Decimal


def flows_of(deals: Iterable[Deal]) -> tuple[Flow, ...]:
    """The deposits and withdrawals among them."""
    return tuple(
        Flow(ticket=deal.ticket, at=deal.time, amount=deal.net) for deal in deals if deal.type in FLOWS
    )


def earned_since(deals: Iterable[Deal], moment: datetime) -> Decimal:
    """What trading booked at or after an instant."""
    return sum((deal.net for deal in deals if deal.type not in FLOWS and deal.time >= moment), ZERO)


def highest_earned(deals: Iterable[Deal]) -> Decimal:
    """The highest that trading's bookings together have stood, from 0 at the beginning."""
    total = highest = ZERO
    for deal in sorted(deals, key=lambda each: (each.time, each.ticket)):
        if deal.type not in FLOWS:
            total += deal.net
            highest = max(highest, total)
    return highest


def holding_at(deals: Sequence[Deal], moment: datetime) -> Holding | None:
    """What one position held just before an instant; None if it was not open then.

    Args:
        deals: All deals of the position.
        moment: Aware UTC.
    """
    signed = worth = ZERO  # lots, longs above zero; and lots × opening price
    symbol = ""
    for deal in sorted(deals, key=lambda each: (each.time, each.ticket)):
        if deal.time >= moment or not deal.trade or deal.price is None:
            continue
        symbol = deal.symbol
        lots = deal.volume if deal.type is DealType.BUY else -deal.volume
        before, signed = signed, signed + lots
        if deal.entry is DealEntry.IN:
            worth += abs(lots) * deal.price
        elif before * signed < 0:  # turned round: what is left was opened here
            worth = abs(signed) * deal.price
        else:
            worth = worth * abs(signed / before) if before else ZERO
    if not signed:
        return None
    return Holding(symbol=symbol, buy=signed > 0, lots=abs(signed), price=worth / abs(signed))
