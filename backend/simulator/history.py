"""Positions, orders and deals as the terminal lists them, and its filters."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from backend.mt5.groups import in_group
from backend.mt5.structures import TradeDeal, TradeOrder, TradePosition
from backend.simulator.book import Deal, Order, Position, market_kind
from backend.simulator.prices import Prices
from backend.simulator.valuation import Valuation


class _Listed(Protocol):
    @property
    def symbol(self) -> str: ...
    @property
    def ticket(self) -> int: ...


Listed = TypeVar("Listed", bound=_Listed)


def filtered(
    rows: Iterable[Listed], *, symbol: str | None = None, group: str | None = None, ticket: int | None = None
) -> list[Listed]:
    """Those of a ticket, else of a symbol, else of a group, else all; by ticket."""
    if ticket is not None:
        found = [row for row in rows if row.ticket == ticket]
    elif symbol is not None:
        found = [row for row in rows if row.symbol == symbol]
    elif group is not None:
        found = [row for row in rows if in_group(row.symbol, group)]
    else:
        found = list(rows)
    return sorted(found, key=lambda row: row.ticket)


def wanted_orders(
    orders: Sequence[Order],
    dates: Sequence[int],
    *,
    group: str | None = None,
    ticket: int | None = None,
    position: int | None = None,
) -> Sequence[Order]:
    """Orders done: of a ticket, else of a position, else of an interval, with or without a group."""
    if ticket is not None:
        return [one for one in orders if one.ticket == ticket]
    if position is not None:
        return [one for one in orders if position in {one.position, one.position_by}]
    return [one for one in done_between(orders, *dates) if group is None or in_group(one.symbol, group)]


def wanted_deals(
    deals: Sequence[Deal],
    dates: Sequence[int],
    *,
    group: str | None = None,
    ticket: int | None = None,
    position: int | None = None,
) -> Sequence[Deal]:
    """Deals: of an order's ticket, else of a position, else of an interval, with or without a group."""
    if ticket is not None:
        return [one for one in deals if one.order == ticket]
    if position is not None:
        return [one for one in deals if one.position == position]
    return [one for one in deals_between(deals, *dates) if group is None or in_group(one.symbol, group)]


def deals_between(deals: Sequence[Deal], first: int, last: int) -> Sequence[Deal]:
    """Deals of [first, last], server seconds, as they were made."""
    return deals[_at(deals, "time_ms", first, left=True) : _at(deals, "time_ms", last, left=False)]


def done_between(orders: Sequence[Order], first: int, last: int) -> Sequence[Order]:
    """Orders that were done in [first, last], server seconds."""
    return orders[_at(orders, "done_ms", first, left=True) : _at(orders, "done_ms", last, left=False)]


def _at(rows: Sequence[Deal] | Sequence[Order], name: str, second: int, *, left: bool) -> int:
    if left:
        return bisect_left(rows, second * 1000, key=lambda row: int(getattr(row, name)))
    return bisect_right(rows, second * 1000 + 999, key=lambda row: int(getattr(row, name)))


def shown_position(one: Position, valuation: Valuation) -> TradePosition:
    """A position with its present price and profit."""
    return TradePosition(
        ticket=one.ticket,
        time=one.opened_ms // 1000,
        time_msc=one.opened_ms,
        time_update=one.updated_ms // 1000,
        time_update_msc=one.updated_ms,
        type=market_kind(one.side),
        magic=one.magic,
        identifier=one.identifier,
        reason=one.reason,
        volume=float(one.lots),
        price_open=float(one.price),
        sl=_price(one.stop),
        tp=_price(one.target),
        price_current=float(valuation.closing_price(one)),
        swap=float(one.swap),
        profit=float(valuation.floating(one)),
        symbol=one.symbol,
        comment=one.comment,
        external_id="",
    )


def shown_order(one: Order, prices: Prices) -> TradeOrder:
    """An order; while it is pending with the price that would fill it now, afterwards with its own."""
    quote = prices.quote(one.symbol)
    current = one.price if one.done_ms or quote is None else quote.opening(one.side)
    return TradeOrder(
        ticket=one.ticket,
        time_setup=one.placed_ms // 1000,
        time_setup_msc=one.placed_ms,
        time_done=one.done_ms // 1000,
        time_done_msc=one.done_ms,
        time_expiration=one.expiration,
        type=one.kind,
        type_time=one.lifetime,
        type_filling=one.filling,
        state=one.state,
        magic=one.magic,
        position_id=one.position,
        position_by_id=one.position_by,
        reason=one.reason,
        volume_initial=float(one.lots),
        volume_current=float(one.left),
        price_open=float(one.price),
        sl=_price(one.stop),
        tp=_price(one.target),
        price_current=float(current),
        price_stoplimit=_price(one.limit),
        symbol=one.symbol,
        comment=one.comment,
        external_id="",
    )


def shown_deal(one: Deal) -> TradeDeal:
    """A deal."""
    return TradeDeal(
        ticket=one.ticket,
        order=one.order,
        time=one.time_ms // 1000,
        time_msc=one.time_ms,
        type=one.kind,
        entry=one.entry,
        magic=one.magic,
        position_id=one.position,
        reason=one.reason,
        volume=float(one.lots),
        price=float(one.price),
        commission=float(one.commission),
        swap=float(one.swap),
        profit=float(one.profit),
        fee=0.0,
        symbol=one.symbol,
        comment=one.comment,
        external_id="",
    )


def _price(level: Decimal | None) -> float:
    return 0.0 if level is None else float(level)
