"""JSON as the desk writes it: UTF-8, plain values only, never NaN."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from backend.core.errors import Invalid

_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_PRETTY = _STRICT | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_HARMLESS = {str, int, bool, type(None)}  # the common ones, by the quickest test
_BOM = b"\xef\xbb\xbf"


def encode(value: Any, *, where: str, pretty: bool = False) -> bytes:
    """JSON bytes of plain values; numpy scalars are taken as numbers.

    Raises:
        Invalid: Code ``not_json``: a NaN, a time that is not a string yet, a value without a JSON form.
    """
    try:
        data = orjson.dumps(value, default=_plain, option=_PRETTY if pretty else _STRICT)
    except TypeError as error:
        cause = error.__cause__ or error
        raise Invalid("not_json", f"{where}: {cause}", name=where) from error
    if b"null" in data and _holds_nan(value):  # only there can one hide: the encoder writes it as null
        refuse_nan(value, where)
    return data


def encode_line(record: Mapping[str, Any], *, where: str) -> bytes:
    """One record as one line, ending in a newline.

    Raises:
        Invalid: Code ``not_json``.
    """
    if not isinstance(record, Mapping):
        raise Invalid("not_json", f"{where}: a record is a mapping, not {type(record).__name__}", name=where)
    return encode(record if type(record) is dict else dict(record), where=where) + b"\n"


def decode(data: bytes) -> Any:
    """The value of JSON bytes; a byte order mark, as some editors write it, is skipped.

    Raises:
        ValueError: Saying what is wrong, and at which line and column.
    """
    return orjson.loads(data.removeprefix(_BOM))


def _holds_nan(value: Any) -> bool:
    """Whether a number that is none stands anywhere; of anything but plain JSON types, that it may."""
    left = [value]
    while left:
        each = left.pop()
        kind = type(each)
        if kind is dict:
            left.extend(each.values())
        elif kind is list or kind is tuple:
            left.extend(each)
        elif kind in _HARMLESS or isinstance(each, str | int):
            continue
        elif not isinstance(each, float) or not math.isfinite(each):
            return True
    return False


def refuse_nan(value: Any, where: str) -> None:
    """Raise `Invalid` if a NaN or an infinity stands anywhere in the value, naming its key."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("not_json", f"{where}: {value} is not a JSON number", name=where)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_nan(item, f"{where}:{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            refuse_nan(item, f"{where}:{index}")


def _plain(value: Any) -> Any:
    number = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    if isinstance(number, bool | int | str):
        return number
    if isinstance(number, float):
        if not math.isfinite(number):
            raise TypeError(f"{number} is not a JSON number")
        return float(number)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} ({type(value).__name__}) has no JSON form")
