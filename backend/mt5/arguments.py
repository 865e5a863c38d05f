"""How strictly the MetaTrader5 module reads its arguments, copied for every implementation.

Some mistakes give None and (-2, reason). Others leave a Python error behind while None is returned,
and CPython makes `SystemError` of that; a script that was only ever tried on us must meet both here.
"""

import operator
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend.mt5.api import CallFailed
from backend.mt5.constants import RES_E_INVALID_PARAMS
from backend.mt5.structures import TradeRequest

SYMBOL_UNITS = 29
PATH_UNITS = 257
SECRET_UNITS = 253

_INT32 = 2**31
_FLOATS = frozenset({"volume", "price", "stoplimit", "sl", "tp"})
_TEXTS = frozenset({"symbol", "comment"})
_WIDE = frozenset({"magic", "order", "position", "position_by"})  # 64 bits, the other integers have 32
EMPTY_REQUEST = TradeRequest(
    action=0,
    magic=0,
    order=0,
    symbol="",
    volume=0.0,
    price=0.0,
    stoplimit=0.0,
    sl=0.0,
    tp=0.0,
    deviation=0,
    type=0,
    type_filling=0,
    type_time=0,
    expiration=0,
    comment="",
    position=0,
    position_by=0,
)


def invalid(text: str = "Invalid arguments") -> CallFailed:
    """The failure (-2, text)."""
    return CallFailed(RES_E_INVALID_PARAMS, text)


def invalid_argument(name: str) -> CallFailed:
    """The failure (-2, 'Invalid "name" argument')."""
    return invalid(f'Invalid "{name}" argument')


def left_exception(function: str) -> SystemError:
    """What CPython raises when the module returns None with a Python error set."""
    return SystemError(f"<built-in function {function}> returned a result with an exception set")


def text(name: str, value: object, units: int = SYMBOL_UNITS) -> str:
    """A str of at most so many UTF-16 units."""
    if not isinstance(value, str):
        raise invalid_argument(name)
    try:
        length = len(value.encode("utf-16-le")) // 2
    except UnicodeEncodeError:  # a lone surrogate cannot be sent
        raise invalid_argument(name) from None
    if length > units:
        raise invalid_argument(name)
    return value


def integer(function: str, value: object, bits: int = 32) -> int:
    """Anything with an index, within a C integer of so many bits, signed or not."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # the refusal is the point
    except TypeError:
        raise left_exception(function) from None
    if not -(2 ** (bits - 1)) <= number < 2**bits:
        raise left_exception(function)
    return number


def number(function: str, value: object) -> float:
    """A float, or what becomes one: ints pass."""
    if isinstance(value, (str, bytes)):
        raise left_exception(function)
    try:
        return float(value)  # type: ignore[arg-type]  # the refusal is the point
    except (TypeError, ValueError, OverflowError):
        raise left_exception(function) from None


def date(name: str, value: object) -> int:
    """Server epoch in whole seconds, cut to 32 bits; 0 counts as not given.

    A datetime goes through `.timestamp()`: a naive one is in the computer's local zone.
    """
    try:
        if isinstance(value, datetime):
            seconds = int(value.timestamp())
        elif isinstance(value, (int, float)):
            seconds = int(value)
        else:
            raise invalid_argument(name)
    except (ValueError, OverflowError, OSError):  # NaN, infinity, outside the platform's calendar
        raise invalid_argument(name) from None
    seconds = (seconds + _INT32) % (2 * _INT32) - _INT32
    if seconds == 0:
        raise invalid()
    return seconds


def ticket(function: str, name: str, value: object) -> int:
    """A ticket: a Python int of 64 bits, not negative."""
    if not isinstance(value, int):
        raise invalid_argument(name)
    if not 0 <= value < 2**64:
        raise left_exception(function)
    return int(value)


def trade_request(function: str, args: tuple[Any, ...], fields: Mapping[str, Any]) -> TradeRequest:
    """The request of order_check and order_send: one dict, or the same fields as keywords.

    Floats must be float and integers int, nothing is converted; unknown keys are ignored, missing ones
    are 0 or empty.
    """
    if len(args) > 1 or (args and fields):
        raise invalid()
    given: Any = args[0] if args else fields
    if not isinstance(given, dict):
        raise invalid("Unnamed arguments not allowed")
    values: dict[str, Any] = {}
    for name in TradeRequest._fields:
        if name not in given:
            continue
        value = given[name]
        if name in _TEXTS:
            values[name] = text(name, value)
        elif name in _FLOATS:
            if not isinstance(value, float):
                raise invalid_argument(name)
            values[name] = float(value)
        else:
            if not isinstance(value, int):
                raise invalid_argument(name)
            if not 0 <= value < 2 ** (64 if name in _WIDE else 32):
                raise left_exception(function)
            values[name] = int(value)
    return EMPTY_REQUEST._replace(**values)
