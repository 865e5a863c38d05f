"""The terminal's filters over positions, orders and deals."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from backend.mt5.groups import in_group
from backend.simulator.book import Deal, Order


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
