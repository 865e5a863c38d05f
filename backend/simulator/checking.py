"""What the simulated broker refuses about a request before it looks at the account."""

import math

from backend.mt5 import constants as mt5
from backend.mt5.structures import Tick, TradeRequest
from backend.simulator.quoting import FILLINGS
from backend.simulator.symbols import SymbolSpec

_MARKET_TYPES = (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL)
_PENDING_TYPES = range(mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT + 1)
_STOP_LIMITS = (mt5.ORDER_TYPE_BUY_STOP_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT)
_BUYS = (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_BUY_STOP, mt5.ORDER_TYPE_BUY_STOP_LIMIT)
_STEP_NOISE = 1e-6
_FILLING_BITS = {
    mt5.ORDER_FILLING_FOK: mt5.SYMBOL_FILLING_FOK,
    mt5.ORDER_FILLING_IOC: mt5.SYMBOL_FILLING_IOC,
    mt5.ORDER_FILLING_BOC: mt5.SYMBOL_FILLING_BOC,
}
_OPENING = (mt5.TRADE_ACTION_DEAL, mt5.TRADE_ACTION_PENDING)
_CHANGING = (
    mt5.TRADE_ACTION_SLTP,
    mt5.TRADE_ACTION_MODIFY,
    mt5.TRADE_ACTION_REMOVE,
    mt5.TRADE_ACTION_CLOSE_BY,
)

Refusal = tuple[int, str]


def refusal(request: TradeRequest, spec: SymbolSpec | None, tick: Tick | None, now: int) -> Refusal | None:
    """The first thing that is wrong with a request: retcode and comment; None if nothing is.

    Args:
        request: The request.
        spec: Its symbol; None if there is no such symbol.
        tick: The symbol's latest tick; None if there is none.
        now: Server epoch in seconds.
    """
    if request.action in _CHANGING:
        named = request.position if request.action in _CHANGING[:1] + _CHANGING[3:] else request.order
        return None if named else (mt5.TRADE_RETCODE_INVALID, "Invalid request")
    if request.action not in _OPENING or spec is None:
        return mt5.TRADE_RETCODE_INVALID, "Invalid request"
    types = _MARKET_TYPES if request.action == mt5.TRADE_ACTION_DEAL else _PENDING_TYPES
    if request.type not in types:
        return mt5.TRADE_RETCODE_INVALID_ORDER, "Invalid order type"
    if not _volume_fits(request.volume, spec):
        return mt5.TRADE_RETCODE_INVALID_VOLUME, "Invalid volume"
    if tick is None:
        return mt5.TRADE_RETCODE_PRICE_OFF, "No prices"
    return _prices(request, tick) or _order_terms(request, now)


def _volume_fits(volume: float, spec: SymbolSpec) -> bool:
    steps = volume / spec.volume_min
    return spec.volume_min <= volume <= spec.volume_max and abs(steps - round(steps)) < _STEP_NOISE


def _prices(request: TradeRequest, tick: Tick) -> Refusal | None:
    """Buys are stopped at the bid, sells at the ask; a pending order at its own price."""
    pending = request.action == mt5.TRADE_ACTION_PENDING
    if pending and (request.price <= 0 or (request.type in _STOP_LIMITS and request.stoplimit <= 0)):
        return mt5.TRADE_RETCODE_INVALID_PRICE, "Invalid price"
    prices = (request.price, request.stoplimit, request.sl, request.tp)
    if not all(math.isfinite(price) and price >= 0 for price in prices):
        return mt5.TRADE_RETCODE_INVALID_PRICE, "Invalid price"
    buy = request.type in _BUYS
    if pending:
        reference = request.stoplimit if request.type in _STOP_LIMITS else request.price
        above = request.type in {
            mt5.ORDER_TYPE_BUY_STOP,
            mt5.ORDER_TYPE_BUY_STOP_LIMIT,
            mt5.ORDER_TYPE_SELL_LIMIT,
        }
        market = tick.ask if buy else tick.bid
        if request.price == market or (request.price > market) != above:
            return mt5.TRADE_RETCODE_INVALID_PRICE, "Invalid price"
    else:
        reference = tick.bid if buy else tick.ask
    sign = 1 if buy else -1
    bad_stop = request.sl > 0 and (reference - request.sl) * sign <= 0
    bad_target = request.tp > 0 and (request.tp - reference) * sign <= 0
    return (mt5.TRADE_RETCODE_INVALID_STOPS, "Invalid stops") if bad_stop or bad_target else None


def _order_terms(request: TradeRequest, now: int) -> Refusal | None:
    if request.action == mt5.TRADE_ACTION_DEAL:
        # RETURN has no bit of its own; under market execution a market order cannot use it.
        if not _FILLING_BITS.get(request.type_filling, 0) & FILLINGS:
            return mt5.TRADE_RETCODE_INVALID_FILL, "Unsupported filling mode"
        return None
    if request.type_filling not in {*_FILLING_BITS, mt5.ORDER_FILLING_RETURN}:
        return mt5.TRADE_RETCODE_INVALID_FILL, "Unsupported filling mode"
    if request.type_time > mt5.ORDER_TIME_SPECIFIED_DAY:
        return mt5.TRADE_RETCODE_INVALID_EXPIRATION, "Invalid expiration"
    if request.type_time >= mt5.ORDER_TIME_SPECIFIED and request.expiration <= now:
        return mt5.TRADE_RETCODE_INVALID_EXPIRATION, "Invalid expiration"
    return None
