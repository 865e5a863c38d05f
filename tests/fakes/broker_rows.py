"""Orders, deals and positions as a broker would show them, with only what a test cares about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from backend.mt5.account import Position
from backend.mt5.orders import Deal, Order, OrderRequest
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
from backend.orders.intents import Intent, IntentKind, opening_id

MAGIC = 5_100_501
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LOTS = Decimal("0.10")


def intent(name: str = "i-1", *, at: datetime = NOW, attempt: int = 1, **fields: Any) -> Intent:
    """An intent to open; of an order of a type that waits, at a price."""
    kind = fields.pop("type", OrderType.BUY)
    asked: dict[str, Any] = {
        "action": TradeAction.PENDING if kind.pending else TradeAction.DEAL,
        "symbol": "EURUSD",
        "volume": LOTS,
        "type": kind,
        "magic": MAGIC,
        "comment": opening_id(name, attempt),
    }
    if kind.pending:
        asked["price"] = Decimal("1.09000")
    request = OrderRequest(**asked | fields)
    return Intent(
        id=opening_id(name, attempt), kind=IntentKind.OPEN, at=at, request=request, idea=name, attempt=attempt
    )


def order(ticket: int, **fields: Any) -> Order:
    """An order that was filled a moment after `NOW`, without a comment."""
    base: dict[str, Any] = {
        "ticket": ticket,
        "symbol": "EURUSD",
        "broker_symbol": fields.get("symbol", "EURUSD"),
        "type": OrderType.BUY,
        "state": OrderState.FILLED,
        "volume": LOTS,
        "volume_left": Decimal(0),
        "price": None,
        "stop_limit": None,
        "stop": None,
        "target": None,
        "price_current": None,
        "filling": Filling.FOK,
        "time_type": TimeType.GTC,
        "expires_at": None,
        "placed_at": NOW + timedelta(milliseconds=40),
        "done_at": None,
        "position_id": 0,
        "position_by_id": 0,
        "magic": MAGIC,
        "comment": "",
        "reason": Reason.EXPERT,
    }
    return Order(**base | fields)


def deal(ticket: int, order_ticket: int, **fields: Any) -> Deal:
    """The deal of an order that opened a position of its own, without a comment."""
    base: dict[str, Any] = {
        "ticket": ticket,
        "order": order_ticket,
        "position_id": order_ticket,
        "symbol": "EURUSD",
        "broker_symbol": fields.get("symbol", "EURUSD"),
        "type": DealType.BUY,
        "entry": DealEntry.IN,
        "volume": LOTS,
        "price": Decimal("1.10000"),
        "commission": Decimal(0),
        "swap": Decimal(0),
        "profit": Decimal(0),
        "fee": Decimal(0),
        "magic": MAGIC,
        "comment": "",
        "reason": Reason.EXPERT,
        "time": NOW + timedelta(milliseconds=50),
    }
    return Deal(**base | fields)


def position(identifier: int, **fields: Any) -> Position:
    """An open long position, without a comment."""
    base: dict[str, Any] = {
        "ticket": identifier,
        "identifier": identifier,
        "symbol": "EURUSD",
        "broker_symbol": fields.get("symbol", "EURUSD"),
        "buy": True,
        "volume": LOTS,
        "price_open": 1.1,
        "stop": None,
        "target": None,
        "price_current": 1.1,
        "swap": 0.0,
        "profit": 0.0,
        "magic": MAGIC,
        "comment": "",
        "opened_at": NOW + timedelta(milliseconds=50),
        "updated_at": NOW + timedelta(milliseconds=50),
    }
    return Position(**base | fields)
