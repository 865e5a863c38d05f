"""What a symbol offers: trade mode, filling modes, lifetimes, volumes."""

from decimal import Decimal

from backend.mt5 import constants as mt5
from backend.simulator.book import STOPS
from backend.simulator.requests import FILLING_BITS, LIFETIME_BITS, Asked
from backend.simulator.symbols import SymbolSpec
from backend.trading.sides import Side

Refusal = tuple[int, str]
"""Return code and comment."""

_INVALID_FILL = (mt5.TRADE_RETCODE_INVALID_FILL, "Unsupported filling mode")
_INVALID_EXPIRATION = (mt5.TRADE_RETCODE_INVALID_EXPIRATION, "Invalid expiration")
_DISABLED = (mt5.TRADE_RETCODE_TRADE_DISABLED, "Trade disabled")

BY_PRICE = frozenset({mt5.SYMBOL_TRADE_EXECUTION_REQUEST, mt5.SYMBOL_TRADE_EXECUTION_INSTANT})
"""Executions in which an order names its price."""


def trade_mode(spec: SymbolSpec, side: Side, opens: Decimal) -> Refusal | None:
    """The side that the symbol takes new positions of, if any."""
    mode = spec.trade_mode
    if mode == mt5.SYMBOL_TRADE_MODE_DISABLED:
        return _DISABLED
    if opens <= 0 or mode == mt5.SYMBOL_TRADE_MODE_FULL:
        return None
    if mode == mt5.SYMBOL_TRADE_MODE_CLOSEONLY:
        return mt5.TRADE_RETCODE_CLOSE_ONLY, "Only closing is allowed"
    if mode == mt5.SYMBOL_TRADE_MODE_LONGONLY and side is Side.SELL:
        return mt5.TRADE_RETCODE_LONG_ONLY, "Only long positions are allowed"
    if mode == mt5.SYMBOL_TRADE_MODE_SHORTONLY and side is Side.BUY:
        return mt5.TRADE_RETCODE_SHORT_ONLY, "Only short positions are allowed"
    return None


def market_filling(asked: Asked, spec: SymbolSpec) -> Refusal | None:
    """The filling modes of a market order."""
    filling = asked.given.type_filling
    if spec.execution in BY_PRICE:  # dealt whole or not, whatever was asked
        known = {*FILLING_BITS, mt5.ORDER_FILLING_RETURN} - {mt5.ORDER_FILLING_BOC}
        return None if filling in known else _INVALID_FILL
    if filling == mt5.ORDER_FILLING_RETURN:
        # It has no bit of its own; under market execution a market order cannot use it.
        return None if spec.execution == mt5.SYMBOL_TRADE_EXECUTION_EXCHANGE else _INVALID_FILL
    passive = filling == mt5.ORDER_FILLING_BOC
    return None if FILLING_BITS.get(filling, 0) & spec.fillings and not passive else _INVALID_FILL


def pending_filling(asked: Asked, spec: SymbolSpec) -> Refusal | None:
    """The filling modes of a pending order."""
    filling = asked.given.type_filling
    if filling == mt5.ORDER_FILLING_RETURN or spec.execution in BY_PRICE:
        return None if filling in {*FILLING_BITS, mt5.ORDER_FILLING_RETURN} else _INVALID_FILL
    if filling == mt5.ORDER_FILLING_BOC and asked.kind in STOPS:
        return _INVALID_FILL
    return None if FILLING_BITS.get(filling, 0) & spec.fillings else _INVALID_FILL


def lifetime(asked: Asked, spec: SymbolSpec) -> Refusal | None:
    """The lifetimes of a pending order, and whether this one is over already."""
    if not LIFETIME_BITS.get(asked.given.type_time, 0) & spec.expirations:
        return _INVALID_EXPIRATION
    timed = asked.given.type_time != mt5.ORDER_TIME_GTC
    return _INVALID_EXPIRATION if timed and asked.expires_ms <= asked.now_ms else None


def volume_fits(lots: Decimal, spec: SymbolSpec) -> bool:
    """Whole steps between the least and the most."""
    instrument = spec.instrument
    fits = instrument.volume_min <= lots <= instrument.volume_max
    return fits and not lots % instrument.volume_step
