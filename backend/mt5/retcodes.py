"""What each answer of the trade server means, and what the desk does next. Success is 10008, 10009, 10010."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from backend.mt5 import constants as mt5


class Then(StrEnum):
    """What follows a return code."""

    DEALT = "dealt"
    PARTLY_DEALT = "partly_dealt"
    PLACED = "placed"
    UNCHANGED = "unchanged"
    FRESH_PRICE = "fresh_price"
    NEXT_FILLING = "next_filling"
    BACK_OFF = "back_off"
    NEXT_CYCLE = "next_cycle"
    RECONCILE = "reconcile"
    PAUSE = "pause"
    UNKNOWN = "unknown"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Retcode:
    """One return code.

    Attributes:
        code: The number.
        name: Its constant without ``TRADE_RETCODE_``.
        meaning: One sentence for a person.
        then: What follows.
    """

    code: int
    name: str
    meaning: str
    then: Then


_ROWS: tuple[tuple[int, str, Then], ...] = (
    (mt5.TRADE_RETCODE_REQUOTE, "The price moved: requote", Then.FRESH_PRICE),
    (mt5.TRADE_RETCODE_REJECT, "The request was rejected", Then.FINAL),
    (mt5.TRADE_RETCODE_CANCEL, "The request was cancelled by the trader", Then.FINAL),
    (mt5.TRADE_RETCODE_PLACED, "The order was placed", Then.PLACED),
    (mt5.TRADE_RETCODE_DONE, "The request was carried out", Then.DEALT),
    (mt5.TRADE_RETCODE_DONE_PARTIAL, "Only part of the volume was dealt", Then.PARTLY_DEALT),
    (mt5.TRADE_RETCODE_ERROR, "The request could not be processed", Then.UNKNOWN),
    (mt5.TRADE_RETCODE_TIMEOUT, "The request timed out", Then.UNKNOWN),
    (mt5.TRADE_RETCODE_INVALID, "The request is invalid", Then.FINAL),
    (mt5.TRADE_RETCODE_INVALID_VOLUME, "The volume is invalid", Then.FINAL),
    (mt5.TRADE_RETCODE_INVALID_PRICE, "The price is invalid", Then.FINAL),
    (mt5.TRADE_RETCODE_INVALID_STOPS, "The stops are invalid", Then.FINAL),
    (mt5.TRADE_RETCODE_TRADE_DISABLED, "Trading is disabled", Then.PAUSE),
    (mt5.TRADE_RETCODE_MARKET_CLOSED, "The market is closed", Then.NEXT_CYCLE),
    (mt5.TRADE_RETCODE_NO_MONEY, "There is not enough money", Then.FINAL),
    (mt5.TRADE_RETCODE_PRICE_CHANGED, "The price changed", Then.FRESH_PRICE),
    (mt5.TRADE_RETCODE_PRICE_OFF, "There are no quotes to deal at", Then.FRESH_PRICE),
    (mt5.TRADE_RETCODE_INVALID_EXPIRATION, "The order's expiry is invalid", Then.FINAL),
    (mt5.TRADE_RETCODE_ORDER_CHANGED, "The order's state changed", Then.FINAL),
    (mt5.TRADE_RETCODE_TOO_MANY_REQUESTS, "Too many requests", Then.BACK_OFF),
    (mt5.TRADE_RETCODE_NO_CHANGES, "The request changes nothing", Then.UNCHANGED),
    (mt5.TRADE_RETCODE_SERVER_DISABLES_AT, "The server forbids automated trading", Then.PAUSE),
    (mt5.TRADE_RETCODE_CLIENT_DISABLES_AT, "The terminal's Algo Trading button is off", Then.PAUSE),
    (mt5.TRADE_RETCODE_LOCKED, "The request is locked for processing", Then.BACK_OFF),
    (mt5.TRADE_RETCODE_FROZEN, "The order or position is frozen", Then.NEXT_CYCLE),
    (mt5.TRADE_RETCODE_INVALID_FILL, "This filling mode is not offered", Then.NEXT_FILLING),
    (mt5.TRADE_RETCODE_CONNECTION, "There is no connection to the trade server", Then.UNKNOWN),
    (mt5.TRADE_RETCODE_ONLY_REAL, "Only real accounts may do this", Then.FINAL),
    (mt5.TRADE_RETCODE_LIMIT_ORDERS, "The number of pending orders is at its limit", Then.FINAL),
    (mt5.TRADE_RETCODE_LIMIT_VOLUME, "The volume for this symbol is at its limit", Then.FINAL),
    (mt5.TRADE_RETCODE_INVALID_ORDER, "The order type is wrong or forbidden", Then.FINAL),
    (mt5.TRADE_RETCODE_POSITION_CLOSED, "The position is closed already", Then.RECONCILE),
    (mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME, "The volume to close is above the position's", Then.FINAL),
    (mt5.TRADE_RETCODE_CLOSE_ORDER_EXIST, "A closing order exists already", Then.FINAL),
    (mt5.TRADE_RETCODE_LIMIT_POSITIONS, "The number of positions is at its limit", Then.FINAL),
    (mt5.TRADE_RETCODE_REJECT_CANCEL, "The activation was rejected, the order is cancelled", Then.FINAL),
    (mt5.TRADE_RETCODE_LONG_ONLY, "Only long positions are allowed", Then.FINAL),
    (mt5.TRADE_RETCODE_SHORT_ONLY, "Only short positions are allowed", Then.FINAL),
    (mt5.TRADE_RETCODE_CLOSE_ONLY, "Positions may only be closed", Then.FINAL),
    (mt5.TRADE_RETCODE_FIFO_CLOSE, "Positions must be closed first in, first out", Then.FINAL),
    (mt5.TRADE_RETCODE_HEDGE_PROHIBITED, "Opposite positions are prohibited", Then.FINAL),
)

_NAMES = {
    value: name.removeprefix("TRADE_RETCODE_")
    for name, value in vars(mt5).items()
    if name.startswith("TRADE_RETCODE_")
}

RETCODES: Mapping[int, Retcode] = MappingProxyType(
    {code: Retcode(code, _NAMES[code], meaning, then) for code, meaning, then in _ROWS}
)

SUCCESS = frozenset({mt5.TRADE_RETCODE_PLACED, mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_DONE_PARTIAL})
"""The only return codes of order_send that are success; order_check's is 0."""


def is_success(code: int) -> bool:
    """Whether order_send did what was asked, in whole or in part."""
    return code in SUCCESS


def retcode(code: int) -> Retcode:
    """The row of a code; one that is not in the table is final, and its number is its name."""
    return RETCODES.get(code) or Retcode(code, str(code), f"Unknown return code {code}", Then.FINAL)
