"""How calls and answers of the terminal's interface travel: Python types stay apart.

An int is not a float, an np.int64 is not an int, a tuple is not a list: the terminal tells them apart,
so the wire does. Values are JSON; what JSON has no word for is ``{"$": kind, …}``. Arrays are bytes.
"""

import contextlib
import json
from collections.abc import Callable
from datetime import datetime
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

    def __repr__(self) -> str:
        return "Opaque()"


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
        raise ValueError("args is a list and kwargs an object")  # noqa: TRY004 - bad text, not a bad type
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
    if isinstance(value, (tuple, list)):
        return _encode_sequence(value)
    if isinstance(value, dict):
        if all(type(key) is str and key != _KIND for key in value):
            return {key: _encode(item) for key, item in value.items()}
        return {_KIND: "dict", "items": [[_encode(key), _encode(item)] for key, item in value.items()]}
    return _encode_rare(value)


def _encode_sequence(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        fields = {name: _encode(item) for name, item in value._asdict().items()}
        return {_KIND: "struct", "type": type(value).__name__, "fields": fields}
    items = [_encode(item) for item in value]
    return {_KIND: "tuple", "items": items} if isinstance(value, tuple) else items


def _encode_rare(value: Any) -> Any:
    encoded: Any = {_KIND: "opaque", "type": type(value).__name__}
    if isinstance(value, datetime):
        with contextlib.suppress(ValueError, OverflowError, OSError):  # outside this platform's calendar
            encoded = {_KIND: "datetime", "epoch": value.timestamp()}
    elif isinstance(value, (float, str)):  # a subclass, such as np.float64, is what it looks like
        encoded = float(value) if isinstance(value, float) else str(value)
    elif isinstance(value, (np.integer, np.floating, np.bool)):
        encoded = {_KIND: "numpy", "dtype": value.dtype.str, "value": value.item()}
    elif isinstance(value, int):  # such as an IntEnum
        encoded = int(value)
    return encoded


def decode(value: Any) -> Any:
    """Values out of parsed JSON.

    Raises:
        ValueError: It holds a kind that `dump_arguments` and `dump_result` do not write.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind is None:
        return {key: decode(item) for key, item in value.items()}
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise ValueError(f"unknown kind of value {kind!r}")
    try:
        return reader(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a value of kind {kind!r} is not whole: {error}") from error


_READERS: dict[Any, Callable[[dict[str, Any]], Any]] = {
    "struct": lambda one: STRUCTURES[one["type"]](**{n: decode(v) for n, v in one["fields"].items()}),
    "tuple": lambda one: tuple(decode(item) for item in one["items"]),
    "dict": lambda one: {decode(key): decode(item) for key, item in one["items"]},
    "datetime": lambda one: float(one["epoch"]),  # terminals read a date's number as they read the date
    "numpy": lambda one: np.dtype(one["dtype"]).type(one["value"]),
    "opaque": lambda _one: Opaque(),
}
