"""From a row's cells to a deal, a pending order or a position; every cell checked."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from backend.backtest.tester.cells import Row, number, server_time, whole
from backend.backtest.tester.layout import KINDS
from backend.backtest.tester.model import Deal, Direction, PendingOrder, PositionRow
from backend.core.errors import Invalid
from backend.mt5 import constants
from backend.mt5.server_time import ServerClock
from backend.trading.sides import Side

_PENDING: Final = frozenset(
    f"{side} {kind}" for side in ("buy", "sell") for kind in ("stop", "limit", "stop limit")
)
_TRADES: Final = frozenset({"buy", "sell"})
_ORDER_CELLS, _POSITION_CELLS = 6, 9
_DIRECTIONS: Final = {
    constants.DEAL_ENTRY_IN: Direction.IN,
    constants.DEAL_ENTRY_OUT: Direction.OUT,
    constants.DEAL_ENTRY_INOUT: Direction.IN_OUT,
    constants.DEAL_ENTRY_OUT_BY: Direction.OUT_BY,
}
_KINDS: Final = {
    constants.DEAL_TYPE_BUY: "buy",
    constants.DEAL_TYPE_SELL: "sell",
    constants.DEAL_TYPE_BALANCE: "balance",
    constants.DEAL_TYPE_CREDIT: "credit",
}
_CLOCK_CHANGE: Final = 3600  # where the server's clock is put back, or a file ignores that it was put on
_OTHER: Final = "other"  # a charge, a bonus, a dividend: money without a trade


def deals_of(rows: Iterable[tuple[str, Mapping[str, str]]], clock: ServerClock) -> tuple[Deal, ...]:
    """Deals from cells by column name, times turned into UTC here and only here.

    Raises:
        Invalid: ``bad_time``, ``bad_number``, ``bad_deal``, ``unsorted_deals``, with the row.
    """
    deals: list[Deal] = []
    for where, cells in rows:
        deal = _deal(where, cells, clock)
        if deals and deal.time < deals[-1].time - _CLOCK_CHANGE:
            raise Invalid(
                "unsorted_deals",
                f"{where}: deal {deal.ticket} is earlier than the one before it ({deals[-1].where})",
                where=where,
            )
        deals.append(deal)
    return tuple(deals)


def connector_deals(rows: Iterable[Mapping[str, Any]], clock: ServerClock, source: str) -> tuple[Deal, ...]:
    """Deals from the fields of ``history_deals_get``, in time order; server epochs become UTC here.

    Raises:
        Invalid: ``bad_deal``: a field is missing or is no number.
    """
    found: list[tuple[int, int, Deal]] = []
    for index, fields in enumerate(rows):
        where = f"deal {index + 1}"
        try:
            deal = _from_fields(where, fields, clock)
            order = (int(fields.get("time_msc") or 1000 * deal.time), deal.ticket)
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid(
                "bad_deal", f"{source}, {where}: a field is missing or is no number ({error})", where=where
            ) from error
        found.append((*order, deal))
    found.sort(key=lambda item: item[:2])
    return tuple(deal for _, _, deal in found)


def stops_and_limits(rows: Iterable[Row]) -> dict[int, PendingOrder]:
    """The pending orders of the Orders table: ticket → kind and price. Rows are known by their words."""
    found = {}
    for row in rows:
        cells = row.cells
        if len(cells) >= _ORDER_CELLS and cells[3].casefold() in _PENDING and cells[1].isdecimal():
            found[int(cells[1])] = PendingOrder(
                kind=cells[3].casefold(), price=number(cells[5], row.where, "price")
            )
    return found


def positions_of(rows: Iterable[Row], clock: ServerClock) -> tuple[PositionRow, ...]:
    """The rows of an account history's Positions table; a tester's report has none."""
    found = []
    for row in rows:
        cells = row.cells
        if len(cells) < _POSITION_CELLS or cells[3].casefold() not in _TRADES or not cells[1].isdecimal():
            continue
        closed = server_time(cells[8])
        if server_time(cells[0]) is None or closed is None or "/" in cells[4]:
            continue  # a row of Orders, or a position that was closed in parts
        found.append(
            PositionRow(
                position=int(cells[1]),
                symbol=cells[2],
                side=Side(cells[3].casefold()),
                volume=number(cells[4], row.where, "volume"),
                closed=clock.to_utc(closed),
            )
        )
    return tuple(found)


def _deal(where: str, cells: Mapping[str, str], clock: ServerClock) -> Deal:
    time = server_time(cells["time"])
    if time is None:
        raise Invalid(
            "bad_time", f"{where}: {cells['time']!r} is not a time such as 2024.01.02 03:04:05", where=where
        )
    kind = cells["type"].casefold()
    if kind not in KINDS:
        raise Invalid("bad_deal", f"{where}: there is no deal of type {cells['type']!r}", where=where)

    def money(column: str) -> Decimal:
        return number(cells[column], where, column) if cells.get(column) else Decimal(0)

    traded = kind in _TRADES
    ticket = whole(cells["deal"], where, "deal")
    balance = cells.get("balance")
    return Deal(
        where=where,
        ticket=ticket,
        time=clock.to_utc(time),
        symbol=cells["symbol"] if traded else "",
        kind=kind,
        direction=_direction(cells["direction"], where) if traded else None,
        volume=_above_zero(number(cells["volume"], where, "volume"), where) if traded else Decimal(0),
        price=_above_zero(number(cells["price"], where, "price"), where) if traded else Decimal(0),
        order=whole(cells["order"], where, "order") if cells.get("order") else None,
        commission=money("commission"),
        fee=money("fee"),
        swap=money("swap"),
        profit=money("profit"),
        balance=number(balance, where, "balance") if balance else None,
        comment=cells.get("comment", ""),
        position=whole(cells["position"], where, "position") if cells.get("position") else None,
    )


def _from_fields(where: str, fields: Mapping[str, Any], clock: ServerClock) -> Deal:
    code = int(fields["type"])
    kind = _KINDS.get(code, _OTHER)
    traded = kind in _TRADES
    return Deal(
        where=where,
        ticket=int(fields["ticket"]),
        time=clock.to_utc(_epoch(fields["time"])),
        symbol=str(fields["symbol"]) if traded else "",
        kind=kind,
        direction=_DIRECTIONS[int(fields["entry"])] if traded else None,
        volume=_above_zero(_exact(fields["volume"], where), where) if traded else Decimal(0),
        price=_above_zero(_exact(fields["price"], where), where) if traded else Decimal(0),
        order=int(fields["order"]) or None,
        commission=_exact(fields["commission"], where),
        fee=_exact(fields["fee"], where),
        swap=_exact(fields["swap"], where),
        profit=_exact(fields["profit"], where),
        balance=None,
        comment=str(fields.get("comment") or ""),
        position=int(fields["position_id"]) or None,
    )


def _epoch(value: Any) -> int:
    """A server epoch; a table saved by another program may hold its text."""
    found = server_time(value) if isinstance(value, str) and not value.isdecimal() else int(value)
    if found is None:
        raise ValueError(f"{value!r} is no time")
    return found


def _exact(value: Any, where: str) -> Decimal:
    """The number that a float was written as; not finite is refused."""
    text = value if isinstance(value, str) else repr(float(value))
    return number(text, where, "a field")


def _direction(text: str, where: str) -> Direction:
    try:
        return Direction(text.casefold())
    except ValueError:
        raise Invalid(
            "bad_deal",
            f"{where}: the direction is {text!r}; it is one of {', '.join(Direction)}",
            where=where,
        ) from None


def _above_zero(value: Decimal, where: str) -> Decimal:
    if value <= 0:
        raise Invalid(
            "bad_deal", f"{where}: volume and price of a trade are above zero, not {value}", where=where
        )
    return value
