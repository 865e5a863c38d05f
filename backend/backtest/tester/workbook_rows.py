"""Rows of a workbook: SpreadsheetML 2003 (.xml) and Office Open XML (.xlsx), by expat and zipfile.

Both are read as a stream of elements. A document type is refused: no workbook of the terminal has one,
and entities that unfold themselves need one.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final
from xml.parsers import expat

from backend.backtest.tester.cells import Row, tidy
from backend.core.errors import Invalid

LARGEST_BYTES: Final = 256_000_000
# all that zipfile raises for damage: an unknown method, a password, a seek or a length that cannot be
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
_COLUMN = re.compile(r"[A-Z]{1,3}")
_NUMBER = re.compile(r"[0-9]{1,7}")
_MOST_COLUMNS = 256


def spreadsheetml_rows(data: bytes, source: str) -> list[Row]:
    """Rows of every sheet of a SpreadsheetML 2003 workbook.

    Raises:
        Invalid: Codes ``cut_file``, ``bad_file``.
    """
    reader = _Sheets(row="Row", cell="Cell", texts=frozenset({"Data"}))
    reader.read(data, source)
    return reader.rows


def xlsx_rows(data: bytes, source: str) -> list[Row]:
    """Rows of the first sheet of an .xlsx workbook.

    Raises:
        Invalid: Codes ``cut_file``, ``bad_file``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            sheets = sorted(
                (name for name in book.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)),
                key=lambda name: int("".join(filter(str.isdigit, name))),
            )
            if not sheets:
                raise Invalid(
                    "bad_file", f"{source} is a zip file without a sheet: not a report in Excel form"
                )
            strings: list[str] = []
            if "xl/sharedStrings.xml" in book.namelist():
                strings = _shared(_part(book, "xl/sharedStrings.xml", source), source)
            reader = _Sheets(row="row", cell="c", texts=frozenset({"v", "t"}), shared=strings)
            reader.read(_part(book, sheets[0], source), f"{source} ({sheets[0]})")
    except _BROKEN as error:
        raise Invalid("cut_file", f"{source} is no whole workbook ({error}); save it again") from error
    return reader.rows


def _part(book: zipfile.ZipFile, name: str, source: str) -> bytes:
    if book.getinfo(name).file_size > LARGEST_BYTES:
        raise Invalid("bad_file", f"{source}: {name} unpacks to more than {LARGEST_BYTES:,} bytes")
    return book.read(name)


def _shared(data: bytes, source: str) -> list[str]:
    """The shared strings: one for each <si>, whose <t> parts are one text."""
    found: list[str] = []
    inside = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal inside
        inside = _local(name) == "t"
        if _local(name) == "si":
            found.append("")

    def text(part: str) -> None:
        if inside and found:
            found[-1] += part

    def end(_: str) -> None:
        nonlocal inside
        inside = False

    _parse(data, source, start=start, text=text, end=end)
    return found


class _Sheets:
    """Collects rows; cells that are skipped in the file are empty."""

    def __init__(
        self, *, row: str, cell: str, texts: frozenset[str], shared: list[str] | None = None
    ) -> None:
        self.rows: list[Row] = []
        self._row, self._cell, self._texts = row, cell, texts
        self._shared = shared
        self._number = 0
        self._cells: list[str] = []
        self._value: list[str] | None = None
        self._is_shared = False
        self._index = 0

    def read(self, data: bytes, source: str) -> None:
        self._source = source
        _parse(data, source, start=self._start, text=self._text, end=self._end)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        given = {_local(key): value for key, value in attributes.items()}
        tag = _local(name)
        if tag == self._row:
            stated = given.get("Index") or given.get("r") or ""
            self._number = int(stated) if _NUMBER.fullmatch(stated) else self._number + 1
            self._cells = []
        elif tag == self._cell:
            self._index = self._column(given)
            self._is_shared = given.get("t") == "s"
        elif tag in self._texts:
            self._value = []

    def _text(self, part: str) -> None:
        if self._value is not None:
            self._value.append(part)

    def _end(self, name: str) -> None:
        tag = _local(name)
        if tag in self._texts and self._value is not None:
            self._cells += [""] * (self._index + 1 - len(self._cells))
            self._cells[self._index] += tidy(self._resolved("".join(self._value)))
            self._value = None
        elif tag == self._cell:
            self._cells += [""] * (self._index + 1 - len(self._cells))
        elif tag == self._row and self._cells:
            self.rows.append(Row(f"row {self._number}", tuple(self._cells)))

    def _column(self, given: dict[str, str]) -> int:
        """Where the cell stands, from 0."""
        place = len(self._cells) + 1
        letters = _COLUMN.match(given.get("r", ""))
        if letters is not None:
            place = 0
            for letter in letters[0]:
                place = place * 26 + ord(letter) - ord("A") + 1
        elif "Index" in given:
            place = int(given["Index"]) if _NUMBER.fullmatch(given["Index"]) else 0
        if not 1 <= place <= _MOST_COLUMNS:
            raise Invalid(
                "bad_file",
                f"{self._source}: row {self._number} has a cell in column {place}, which no report has",
            )
        return place - 1

    def _resolved(self, value: str) -> str:
        if not self._is_shared or self._shared is None:
            return value
        if not value.isdecimal() or int(value) >= len(self._shared):
            raise Invalid(
                "bad_file", f"{self._source}: row {self._number} names text {value!r}, which there is not"
            )
        return self._shared[int(value)]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _parse(
    data: bytes,
    source: str,
    *,
    start: Callable[[str, dict[str, str]], None],
    text: Callable[[str], None],
    end: Callable[[str], None],
) -> None:
    parser = expat.ParserCreate(
        "utf-8"
    )  # whatever it declares: a declaration can name what expat cannot read
    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.EndElementHandler = end

    def doctype(*_: Any) -> None:
        raise Invalid("bad_file", f"{source} has a document type, which no report of MetaTrader has")

    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Invalid(
            "cut_file",
            f"{source} is no whole XML: line {error.lineno}, column {error.offset + 1}: "
            f"{expat.ErrorString(error.code)}; save it again",
            line=error.lineno,
        ) from error
