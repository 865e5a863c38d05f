"""How an order may be filled and how long it may wait: what the masks offer, and what order_check takes.

The bits of a symbol's masks are not the numbers of the modes. RETURN has no bit of its own: it is what is
left for a market order, and the first choice for an order that waits, of which the rest then stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from backend.mt5 import constants
from backend.mt5.answers import CheckAnswer
from backend.mt5.orders import OrderRequest
from backend.mt5.terms import TradingTerms
from backend.mt5.words import Filling, TimeType

Lifetime = tuple[TimeType, datetime | None]
"""How long an order waits, and until when where the mode wants to be told."""

_BITS = (
    (Filling.FOK, constants.SYMBOL_FILLING_FOK),
    (Filling.IOC, constants.SYMBOL_FILLING_IOC),
)


def fillings(terms: TradingTerms, *, pending: bool) -> tuple[Filling, ...]:
    """Filling modes worth asking for, the best first."""
    offered = tuple(filling for filling, bit in _BITS if terms.fillings & bit)
    return (Filling.RETURN, *offered) if pending else (*offered, Filling.RETURN)


def lifetimes(terms: TradingTerms, expires_at: datetime | None, day_ends: datetime) -> tuple[Lifetime, ...]:
    """Lifetimes of a pending order worth asking for, the best first.

    The broker ends the order itself where it can; whatever it offers, the desk cancels at `expires_at` what
    still waits. A lifetime that ends before that is the last choice.

    Args:
        terms: Of the symbol.
        expires_at: When the order is over; None for never.
        day_ends: The next midnight of the server, aware UTC.
    """
    has = terms.expirations.__and__
    until_midnight: Lifetime = (TimeType.DAY, None)
    found: list[Lifetime] = []
    if expires_at is not None:
        if has(constants.SYMBOL_EXPIRATION_SPECIFIED):
            found.append((TimeType.SPECIFIED, expires_at))
        if has(constants.SYMBOL_EXPIRATION_SPECIFIED_DAY):
            found.append((TimeType.SPECIFIED_DAY, expires_at))
        if has(constants.SYMBOL_EXPIRATION_DAY) and expires_at <= day_ends:
            found.append(until_midnight)
    if has(constants.SYMBOL_EXPIRATION_GTC):
        found.append((TimeType.GTC, None))
    if has(constants.SYMBOL_EXPIRATION_DAY) and until_midnight not in found:
        found.append(until_midnight)
    return tuple(found) or ((TimeType.GTC, None),)


def variants(
    request: OrderRequest, modes: Sequence[Filling], waits: Sequence[Lifetime] = ()
) -> list[OrderRequest]:
    """The request in every lifetime and, in each, every filling mode; the best first."""
    made = []
    for time_type, expires_at in waits or [(request.time_type, request.expires_at)]:
        timed = replace(request, time_type=time_type, expires_at=expires_at)
        made += [replace(timed, filling=mode) for mode in modes]
    return made


def negotiate(
    wanted: Sequence[OrderRequest], check: Callable[[OrderRequest], CheckAnswer]
) -> tuple[list[OrderRequest], CheckAnswer]:
    """The variants from the first one on that order_check does not refuse for its mode, and its answer.

    A refused filling mode leads to the next one, a refused lifetime to the next lifetime. Where all are
    refused, the last refusal and no variant are given back.
    """
    left = list(wanted)
    while True:
        request = left[0]
        answer = check(request)
        if answer.retcode == constants.TRADE_RETCODE_INVALID_EXPIRATION:
            later = [one for one in left if one.time_type is not request.time_type]
        elif answer.retcode == constants.TRADE_RETCODE_INVALID_FILL:
            later = left[1:]
        else:
            return left, answer
        if not later:
            return [], answer
        left = later
