"""Times as files write them, column by column: fixed shapes of digits, parsed without a loop over rows."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from backend.history.formats.model import Bools, Ints

if TYPE_CHECKING:
    import pyarrow as pa

_DATES: Final = ("YYYY.NN.DD", "YYYY-NN-DD", "YYYY/NN/DD", "DD.NN.YYYY")
_CLOCKS: Final = ("hh:mm", "hh:mm:ss", "hh:mm:ss.fff")
SHAPES: Final = (
    "YYYYNNDD",
    *_DATES,
    *_CLOCKS,
    "YYYYNNDD hhmmss",
    "YYYYNNDD hhmmssfff",
    "YYYYNNDD hh:mm",
    *(f"{date} {clock}" for date in _DATES for clock in _CLOCKS),
    *(f"DD.NN.YYYY {clock} GMT±oooo" for clock in _CLOCKS),
    *(f"YYYY-NN-DDT{clock}{zone}" for clock in _CLOCKS for zone in ("", "Z", "±oo:oo")),
)
"""Y year, N month, D day, h hour, m minute, s second, f millisecond, o offset from UTC with its sign ±."""

_LENGTHS: Final = {length: [shape for shape in SHAPES if len(shape) == length] for length in map(len, SHAPES)}
_ZERO: Final = ord("0")
_DIGITS: Final = frozenset("YNDhmsfo")
_MONTHS, _HOURS, _SIXTY = 12, 24, 60
_DAY_MS: Final = 86_400_000


def parse_times(column: "pa.Array[Any]") -> tuple[Ints, Bools]:
    """Milliseconds since 1970 of each text, and which texts are times; both of shape (n,).

    A text with an offset becomes UTC; one without a date counts from 1970-01-01, so that it can be added
    to a date. A time that does not exist (30 February, 24:00) is none.
    """
    starts, data = _buffers(column)
    lengths = np.diff(starts)
    times = np.zeros(len(column), dtype=np.int64)
    good = np.zeros(len(column), dtype=np.bool_)
    for length in np.unique(lengths):
        shapes = _LENGTHS.get(int(length), ())
        whole = bool((lengths == length).all())
        rows: Any = slice(None) if whole else np.flatnonzero(lengths == length)
        if not shapes:
            continue
        if whole:
            text = data[starts[0] : starts[-1]].reshape(len(column), length)
        else:
            text = data[starts[:-1][rows][:, None] + np.arange(length)]
        part_times, part_good = np.zeros(len(text), dtype=np.int64), np.zeros(len(text), dtype=np.bool_)
        for shape in shapes:
            fits = _fits(text, shape)
            if fits.any():
                made, real = _parse(text[fits] if not fits.all() else text, shape)
                part_times[fits], part_good[fits] = made, real
        times[rows], good[rows] = part_times, part_good
    return times, good


def epochs(year: Any, month: Any, day: Any) -> tuple[Ints, Bools]:
    """Days since 1970 of dates, and which of them exist; shape (n,)."""
    first = ((year - 1970) * _MONTHS + month - 1).astype("datetime64[M]")
    days = first.astype("datetime64[D]").astype(np.int64)
    length = (first + 1).astype("datetime64[D]").astype(np.int64) - days
    good = (month >= 1) & (month <= _MONTHS) & (day >= 1) & (day <= length)
    return days + day - 1, good


def _buffers(column: "pa.Array[Any]") -> tuple[Ints, "np.ndarray[tuple[int], np.dtype[np.uint8]]"]:
    """Where each text begins (and the last ends), and the bytes of all."""
    _, offsets, data = column.buffers()
    if not len(column) or offsets is None or data is None:
        return np.zeros(len(column) + 1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    starts = np.frombuffer(memoryview(offsets), dtype=np.int32)[
        column.offset : column.offset + len(column) + 1
    ]
    return starts.astype(np.int64), np.frombuffer(memoryview(data), dtype=np.uint8)


def _fits(text: Any, shape: str) -> Bools:
    """Which rows have digits where the shape has letters, and the rest as it is."""
    fits = np.ones(len(text), dtype=np.bool_)
    for place, letter in enumerate(shape):
        column = text[:, place]
        if letter in _DIGITS:
            fits &= (column - _ZERO) <= 9  # noqa: PLR2004 - unsigned: what is below "0" wraps around
        elif letter == "±":
            fits &= (column == ord("+")) | (column == ord("-"))
        else:
            fits &= column == ord(letter)
    return fits


def _parse(text: Any, shape: str) -> tuple[Ints, Bools]:
    number = {letter: _number(text, shape, letter) for letter in _DIGITS if letter in shape}
    time = np.zeros(len(text), dtype=np.int64)
    good = np.ones(len(text), dtype=np.bool_)
    if "Y" in number:
        days, good = epochs(number["Y"], number["N"], number["D"])
        time += days * _DAY_MS
    if "h" in number:
        seconds = number.get("s", 0)
        good &= (number["h"] < _HOURS) & (number["m"] < _SIXTY) & (seconds < _SIXTY)
        time += (number["h"] * 3600 + number["m"] * 60 + seconds) * 1000 + number.get("f", 0)
    if "o" in number:
        minutes = number["o"] // 100 * 60 + number["o"] % 100
        good &= minutes <= 14 * 60
        east = text[:, shape.index("±")] == ord("+")
        time -= np.where(east, minutes, -minutes) * 60_000
    return time, good


def _number(text: Any, shape: str, letter: str) -> Ints:
    value = np.zeros(len(text), dtype=np.int64)
    for place, mark in enumerate(shape):
        if mark == letter:
            value = value * 10 + (text[:, place] - _ZERO)
    return value
