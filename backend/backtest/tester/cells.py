"""One cell of a report: numbers, times and tickets, or a refusal that says where."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from backend.core.errors import Invalid

_SPACES = re.compile(r"\s+")  # MetaTrader parts thousands by a no-break or a thin space
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_TIME = re.compile(r"(\d{4})[.\-/](\d{2})[.\-/](\d{2})[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?")
_SERIAL = re.compile(r"\d{5}(\.\d+)?([eE][+-]?\d+)?")
_SERIAL_ZERO = datetime(1899, 12, 30, tzinfo=UTC)
_FLOAT_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        where: Line or row, for messages.
        cells: Text without spaces around it.
    """

    where: str
    cells: tuple[str, ...]

    @property
    def filled(self) -> list[str]:
        """The cells that hold something."""
        return [cell for cell in self.cells if cell]


def tidy(text: str) -> str:
    """Text with every run of spaces, no-break spaces and line ends as one space."""
    return _SPACES.sub(" ", text).strip()


def number(text: str, where: str, column: str) -> Decimal:
    """An exact number as MetaTrader writes it: ``-1 234.50``, point for decimals.

    Raises:
        Invalid: Code ``bad_number``; a comma is refused, for it may part thousands or decimals.
    """
    plain = _SPACES.sub("", text)
    if not _NUMBER.fullmatch(plain):
        raise Invalid(
            "bad_number",
            f"{where}: {column} is {text!r}, not a number as MetaTrader writes it (such as -1 234.50)",
            where=where,
            column=column,
        )
    try:
        value = Decimal(plain)
    except InvalidOperation as error:  # pragma: no cover - the pattern allows only numbers
        raise Invalid("bad_number", f"{where}: {column} is {text!r}") from error
    if len(value.as_tuple().digits) > _FLOAT_DIGITS:  # a workbook keeps 1.1 as 1.1000000000000001
        value = Decimal(f"{value:.{_FLOAT_DIGITS}g}").normalize()
    return value + 0


def whole(text: str, where: str, column: str) -> int:
    """A ticket.

    Raises:
        Invalid: Code ``bad_number``.
    """
    value = number(text, where, column)
    if value != value.to_integral_value() or value < 0:
        raise Invalid(
            "bad_number", f"{where}: {column} is {text!r}, not a ticket", where=where, column=column
        )
    return int(value)


def server_time(text: str) -> int | None:
    """Server epoch of ``2024.01.02 03:04:05`` or of a workbook's day number; None for another text."""
    match = _TIME.fullmatch(text)
    try:
        if match:
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
        if _SERIAL.fullmatch(text):
            return round((_SERIAL_ZERO + timedelta(days=float(text))).timestamp())
    except (ValueError, OverflowError):
        return None
    return None
