"""A judged trade in the broker's words. Pure.

A broker refuses a stop or limit order whose price the market has reached or passed. As in the backtest it is
then dealt at once: a stop entry because it has been triggered, a limit because the market is at its price or
better. Stop and target stay where the waiting order would have had them. Where the broker deals at a named
price (instant execution), one that was a limit may not miss it; under market execution the server's price
counts, whatever is named.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from backend.ideas.judging import Judged, Prices
from backend.mt5.orders import OrderRequest
from backend.mt5.terms import TradingTerms
from backend.mt5.words import OrderType as Kind
from backend.mt5.words import TradeAction
from backend.orders.filling import fillings, lifetimes, variants
from backend.strategies.model import OrderType
from backend.trading.sides import Side

DEVIATION = 20
"""Points by which a deal that opens may miss its price, where the broker deals instantly."""

_KINDS = {
    (OrderType.MARKET, Side.BUY): Kind.BUY,
    (OrderType.MARKET, Side.SELL): Kind.SELL,
    (OrderType.LIMIT, Side.BUY): Kind.BUY_LIMIT,
    (OrderType.LIMIT, Side.SELL): Kind.SELL_LIMIT,
    (OrderType.STOP, Side.BUY): Kind.BUY_STOP,
    (OrderType.STOP, Side.SELL): Kind.SELL_STOP,
}


def waits(judged: Judged) -> bool:
    """Whether it is sent as an order that waits for its price."""
    return judged.type is not OrderType.MARKET and not judged.passed_by


def overrun(judged: Judged, prices: Prices) -> str:
    """Why a passed order cannot be dealt any more: its stop or target is reached already; else empty."""
    if not judged.passed_by:
        return ""
    levels = judged.levels
    sign = levels.side.sign
    leaving = prices.bid if levels.side is Side.BUY else prices.ask
    entry = levels.reference + levels.offset
    least = max(levels.instrument.points_to_ticks(levels.instrument.stops_level), 1)
    if (leaving - (entry - sign * levels.stop)) * sign < least:
        return (
            f"the market has passed the entry {levels.entry_price} and reached the stop {levels.stop_price}"
        )
    if levels.target > 0 and (entry + sign * levels.target - leaving) * sign < least:
        return (
            f"the market has passed the entry {levels.entry_price} and reached the target "
            f"{levels.target_price}"
        )
    return ""


def worded(
    judged: Judged,
    prices: Prices,
    terms: TradingTerms,
    *,
    magic: int,
    expires_at: datetime | None,
    day_ends: datetime,
) -> list[OrderRequest]:
    """The request in every mode worth asking for, the best first. Each carries its stop.

    Args:
        judged: What is sent now; it has a proposal.
        prices: That it was judged at.
        terms: Of the symbol.
        magic: The desk's number.
        expires_at: When an order that waits is over; None for never.
        day_ends: The next midnight of the server.
    """
    if judged.proposal is None:
        raise AssertionError("only what has a volume is worded")
    levels, instrument = judged.levels, judged.levels.instrument
    pending = waits(judged)
    base = OrderRequest(
        action=TradeAction.PENDING if pending else TradeAction.DEAL,
        symbol=instrument.symbol,
        volume=judged.proposal.size.lots,
        type=_KINDS[judged.type if pending else OrderType.MARKET, levels.side],
        price=levels.entry_price if pending else instrument.price(prices.opening(levels.side)),
        stop=levels.stop_price,
        target=levels.target_price if levels.target > 0 else None,
        deviation=0 if pending else _deviation(judged, prices),
        magic=magic,
    )
    kinds = lifetimes(terms, expires_at, day_ends) if pending else ()
    return variants(base, fillings(terms, pending=pending), kinds)


def named(requests: Sequence[OrderRequest], intent_id: str) -> OrderRequest:
    """The first of the variants, with its intent as its comment."""
    return replace(requests[0], comment=intent_id)


def _deviation(judged: Judged, prices: Prices) -> int:
    if judged.type is not OrderType.LIMIT:
        return DEVIATION
    levels, instrument = judged.levels, judged.levels.instrument
    room = (levels.reference + levels.offset - prices.opening(levels.side)) * levels.side.sign
    points = Decimal(room) * instrument.tick_size / instrument.point
    return max(int(points.to_integral_value(ROUND_FLOOR)), 0)
