"""What the desk asks of a trade server, and its orders and deals: times are UTC, volumes and prices exact.

An `OrderRequest` that exists is whole: it holds what its action needs and nothing that a terminal would
refuse to read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from backend.core.clock import iso, parse_iso, require_utc
from backend.core.errors import Invalid
from backend.mt5.words import (
    DealEntry,
    DealType,
    Filling,
    OrderState,
    OrderType,
    Reason,
    TimeType,
    TradeAction,
)

COMMENT_UNITS = 29
"""Longest comment, in UTF-16 units."""

_PRICES = ("price", "stop_limit", "stop", "target")
_TICKETS = ("magic", "position", "order", "position_by")
_NEEDS: Mapping[TradeAction, tuple[str, ...]] = {
    TradeAction.DEAL: ("symbol", "type", "volume"),
    TradeAction.PENDING: ("symbol", "type", "volume", "price"),
    TradeAction.SLTP: ("symbol", "position"),
    TradeAction.MODIFY: ("order", "price"),
    TradeAction.REMOVE: ("order",),
    TradeAction.CLOSE_BY: ("position", "position_by"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """One request to the trade server.

    Attributes:
        action: What is asked.
        symbol: Canonical symbol; empty where the action needs none.
        broker_symbol: The broker's name, to trade a symbol that the map does not have; else empty.
        volume: Lots.
        type: Of the order.
        price: To deal or wait at; None leaves it to the server.
        stop_limit: Limit price of a stop-limit order.
        stop: Stop price; None is no stop: with `sltp` and `modify` it is taken away.
        target: Target price; None as of `stop`.
        deviation: Points by which a deal may miss its price, where the broker deals instantly.
        magic: Number of the program.
        comment: At most `COMMENT_UNITS`.
        filling: None leaves the number out.
        time_type: How long a pending order waits.
        expires_at: Aware UTC; given exactly if `time_type` wants one. The terminal keeps whole seconds.
        position: Ticket of the position that is meant; 0 for none.
        order: Ticket of the pending order that is meant; 0 for none.
        position_by: Ticket of the opposite position of `close_by`; 0 for none.

    Raises:
        Invalid: Code ``bad_order_request``, with `field`.
    """

    action: TradeAction
    symbol: str = ""
    broker_symbol: str = ""
    volume: Decimal | None = None
    type: OrderType | None = None
    price: Decimal | None = None
    stop_limit: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    deviation: int = 0
    magic: int = 0
    comment: str = ""
    filling: Filling | None = None
    time_type: TimeType = TimeType.GTC
    expires_at: datetime | None = None
    position: int = 0
    order: int = 0
    position_by: int = 0

    def __post_init__(self) -> None:
        for name in ("volume", *_PRICES):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Decimal) and value.is_finite() and value > 0):
                raise _bad(name, f"{value!r} is no exact number above zero")
        for name, bits in (("deviation", 32), *((ticket, 64) for ticket in _TICKETS)):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < 2**bits:
                raise _bad(name, f"{value!r} is no whole number from 0 to 2^{bits}")
        if _units(self.comment) > COMMENT_UNITS:
            raise _bad("comment", f"{self.comment!r} is longer than {COMMENT_UNITS} characters")
        self._check_action()

    def _check_action(self) -> None:
        for name in _NEEDS[self.action]:
            if not (getattr(self, name) or (name == "symbol" and self.broker_symbol)):
                raise _bad(name, f"{self.action} needs it")
        wanted = {TradeAction.DEAL: False, TradeAction.PENDING: True}.get(self.action)
        if wanted is not None and self.type is not None:
            if self.type.pending is not wanted or self.type is OrderType.CLOSE_BY:
                raise _bad("type", f"{self.type} is no order of {self.action}")
            if self.type.value.endswith("_stop_limit") is not (self.stop_limit is not None):
                raise _bad("stop_limit", "a stop-limit order needs it, and no other has it")
        if self.time_type.has_expiry is not (self.expires_at is not None):
            raise _bad("expires_at", f"{self.time_type}: a time is given exactly if the order expires at one")
        if self.expires_at is not None:
            require_utc(self.expires_at)

    def as_dict(self) -> dict[str, Any]:
        """The request as JSON values, without what was not given: numbers exact as text, times ISO."""
        return {
            field.name: _json(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) not in (None, "", 0)
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "OrderRequest":
        """Out of what `as_dict` gave.

        Raises:
            Invalid: It is no such request.
        """
        values = dict(data)
        readers: dict[str, Any] = {
            "action": TradeAction,
            "type": OrderType,
            "filling": Filling,
            "time_type": TimeType,
            "expires_at": parse_iso,
            **dict.fromkeys(("volume", *_PRICES), _exact),
        }
        try:
            return cls(**{name: readers.get(name, _same)(value) for name, value in values.items()})
        except (TypeError, ValueError, InvalidOperation) as error:
            raise Invalid("bad_order_request", f"this is no request: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """An order at the broker, pending or done.

    Attributes:
        ticket: The broker's number.
        symbol: Canonical symbol, or the broker's name where the map has none.
        broker_symbol: The broker's name.
        type: What it is.
        state: Where it stands.
        volume: Lots asked for.
        volume_left: Lots not dealt yet.
        price: It waits at, or was asked for; None for a market order without one.
        stop_limit: Limit price of a stop-limit order.
        stop: Stop price; None if it has none.
        target: Target price; None if it has none.
        price_current: The market's, as the order would meet it.
        filling: As asked.
        time_type: As asked.
        expires_at: Aware UTC; None if it does not expire.
        placed_at: Aware UTC.
        done_at: Aware UTC; None while it is pending.
        position_id: Of the position that it opened or changed; 0 for none.
        position_by_id: Of the opposite position of a close by; 0 for none.
        magic: Number of the program that placed it; 0 for a person.
        comment: As the broker keeps it.
        reason: Who or what placed it.
    """

    ticket: int
    symbol: str
    broker_symbol: str
    type: OrderType
    state: OrderState
    volume: Decimal
    volume_left: Decimal
    price: Decimal | None
    stop_limit: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    price_current: Decimal | None
    filling: Filling
    time_type: TimeType
    expires_at: datetime | None
    placed_at: datetime
    done_at: datetime | None
    position_id: int
    position_by_id: int
    magic: int
    comment: str
    reason: Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Deal:
    """An execution, or a booking of money; money in account currency.

    Attributes:
        ticket: The broker's number.
        order: Ticket of its order; 0 for none.
        position_id: Of its position; 0 for a booking.
        symbol: Canonical symbol, the broker's name where the map has none, empty for a booking.
        broker_symbol: The broker's name.
        type: Trade or booking.
        entry: What it does to its position.
        volume: Lots.
        price: Dealt at; None for a booking.
        commission: Of this deal.
        swap: Realised by it.
        profit: Realised by it, without commission, swap and fee; of a booking its amount.
        fee: Of this deal.
        magic: Number of the program; 0 for a person.
        comment: As the broker keeps it.
        reason: Who or what dealt.
        time: Aware UTC, to the millisecond.
    """

    ticket: int
    order: int
    position_id: int
    symbol: str
    broker_symbol: str
    type: DealType
    entry: DealEntry
    volume: Decimal
    price: Decimal | None
    commission: Decimal
    swap: Decimal
    profit: Decimal
    fee: Decimal
    magic: int
    comment: str
    reason: Reason
    time: datetime

    @property
    def trade(self) -> bool:
        """Whether it bought or sold; else it books money."""
        return self.type in {DealType.BUY, DealType.SELL}

    @property
    def net(self) -> Decimal:
        """What it did to the balance."""
        return self.profit + self.swap + self.commission + self.fee


def _bad(field: str, why: str) -> Invalid:
    return Invalid("bad_order_request", f"{field}: {why}", field=field)


def _units(text: str) -> int:
    """Length in UTF-16 units; text that cannot be written in them is too long for any limit."""
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return COMMENT_UNITS + 1


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    return value.value if isinstance(value, StrEnum) else value


def _exact(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not exact; numbers are written as text")
    return Decimal(value)


def _same(value: Any) -> Any:
    return value
