"""How calls and answers of the terminal's interface travel: Python types stay apart.

An int is not a float, an np.int64 is not an int, a tuple is not a list: the terminal tells them apart,
so the wire does. Values are JSON; what JSON has no word for is ``{"$": kind, …}``. Arrays are bytes.
"""

import json
from datetime import date, datetime
from typing import Any

import numpy as np

from backend.mt5.structures import RATES_DTYPE, STRUCTURES, TICKS_DTYPE

_KIND = "$"
_PLAIN = (bool, int, float, str)
_DTYPES = {"rates": RATES_DTYPE, "ticks": TICKS_DTYPE}
_RAISED: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (SystemError, TypeError, ValueError, OverflowError, AttributeError)
}


class Opaque:
    """Stands for a value of a type that no terminal accepts, so that it is refused as that would be."""


def dump_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Arguments of a call as JSON.

    A datetime becomes the number that `.timestamp()` gives **here**: a naive one means this computer's
    zone, as it does for the module.
    """
    call = {"args": [_encode(arg) for arg in args]}
    if kwargs:
        call["kwargs"] = _encode(kwargs)
    return json.dumps(call, separators=(",", ":")).encode()


def load_arguments(data: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `dump_arguments` was given.

    Raises:
        ValueError: It is no such JSON.
    """
    call = json.loads(data) if data else {}
    if not isinstance(call, dict) or call.keys() - {"args", "kwargs"}:
        raise ValueError('a call is {"args": [...], "kwargs": {...}}')
    args, kwargs = call.get("args", []), decode(call.get("kwargs", {}))
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise ValueError("args is a list and kwargs an object")
    return tuple(decode(arg) for arg in args), {str(name): value for name, value in kwargs.items()}


def dump_result(result: Any) -> str:
    """A result that is not an array as JSON: structures with their fields' names, tuples marked."""
    return json.dumps(_encode(result), separators=(",", ":"))


def load_result(text: str | bytes) -> Any:
    """What `dump_result` was given, structures as our named tuples."""
    return decode(json.loads(text))


def array_kind(array: Any) -> str:
    """``rates`` or ``ticks``.

    Raises:
        ValueError: The array is neither.
    """
    for kind, dtype in _DTYPES.items():
        if array.dtype == dtype:
            return kind
    raise ValueError(f"no array of the terminal has dtype {array.dtype}")


def load_array(kind: str, data: bytes) -> Any:
    """The array of these bytes; it can be written to, as the module's can."""
    return np.frombuffer(bytearray(data), dtype=_DTYPES[kind])


def exception_of(kind: str, message: str) -> Exception:
    """The exception that the terminal raised; of a kind that it never raises, a RuntimeError."""
    known = _RAISED.get(kind)
    return known(message) if known is not None else RuntimeError(f"{kind}: {message}")


def _encode(value: Any) -> Any:
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, np.generic):
        return _encode_numpy(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        fields = {name: _encode(item) for name, item in value._asdict().items()}
        return {_KIND: "struct", "type": type(value).__name__, "fields": fields}
    if isinstance(value, (tuple, list)):
        items = [_encode(item) for item in value]
        return {_KIND: "tuple", "items": items} if isinstance(value, tuple) else items
    if isinstance(value, dict):
        if all(type(key) is str and key != _KIND for key in value):
            return {key: _encode(item) for key, item in value.items()}
        return {_KIND: "dict", "items": [[_encode(key), _encode(item)] for key, item in value.items()]}
    for plain in _PLAIN:  # a subclass, such as an IntEnum
        if isinstance(value, plain):
            return plain(value)
    return {_KIND: "opaque", "type": type(value).__name__}


def _moment(value: datetime) -> Any:
    try:
        return {_KIND: "datetime", "epoch": value.timestamp()}
    except (ValueError, OverflowError, OSError):  # before this platform's calendar begins
        return {_KIND: "opaque", "type": "datetime"}


def _encode_numpy(value: Any) -> Any:
    if isinstance(value, (float, str)):  # np.float64 and np.str_ are what they look like
        return value.item()
    return {_KIND: "numpy", "dtype": value.dtype.str, "value": _encode(value.item())}


def decode(value: Any) -> Any:
    """Values out of parsed JSON."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind is None:
        return {key: decode(item) for key, item in value.items()}
    if kind == "struct":
        fields = {name: decode(item) for name, item in value["fields"].items()}
        return STRUCTURES[value["type"]](**fields)
    if kind == "tuple":
        return tuple(decode(item) for item in value["items"])
    if kind == "dict":
        return {decode(key): decode(item) for key, item in value["items"]}
    return _decode_rare(kind, value)


def _decode_rare(kind: str, value: dict[str, Any]) -> Any:
    if kind == "datetime":
        return float(value["epoch"])  # every terminal reads a date's number as it reads the date
    if kind == "numpy":
        return np.dtype(value["dtype"]).type(decode(value["value"]))
    if kind == "opaque":
        return date.min if value.get("type") == "date" else Opaque()
    raise ValueError(f"unknown kind of value {kind!r}")
