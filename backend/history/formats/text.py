"""Text files of rows: out of their zip, into UTF-8, into columns; and which rows are none."""

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from backend.core.errors import Invalid
from backend.history.formats.model import Faults, Ints, Layout, LineOf, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS: Final = frozenset({"date", "time", "stamp"})
EMPTY_CELLS: Final = frozenset({"bid", "ask", "volume", "spread"})
"""Roles whose cells may be empty: unchanged, or unknown."""

HEAD_BYTES: Final = 4_096
_SAMPLE: Final = 20_000
_MOST_BYTES: Final = 4 << 30
_NUMBER: Final = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The bytes of a file, or the first so many.

    Raises:
        Invalid: Code ``unreadable_file``.
    """
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> Invalid:
    return Invalid("unreadable_file", f"{path} cannot be read: {error}", file=str(path))


def read_text(path: Path) -> bytes:
    """All of a text file as UTF-8, of a zip its one table.

    Raises:
        Invalid: It cannot be read or unpacked, or is no text.
    """
    if path.suffix.lower() == ".zip":
        return _as_utf8(path, _member(path, -1)[0])
    return _as_utf8(path, read_bytes(path))


def read_head(path: Path) -> tuple[list[str], str]:
    """The first lines of a text file, or of a zip's one table, and the file's or the table's name.

    Raises:
        Invalid: As `read_text`.
    """
    if path.suffix.lower() == ".zip":
        data, name = _member(path, HEAD_BYTES)
    else:
        data, name = read_bytes(path, HEAD_BYTES), path.name
    data = data[: len(data) - len(data) % 2]  # not through a character of UTF-16
    text = _as_utf8(path, data, partial=True).decode("utf-8", "replace")
    return text.splitlines(), name


def _member(path: Path, most: int) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path)) if most < 0 else path) as archive:
            names = [name for name in archive.namelist() if not name.lower().endswith((".txt", "/"))]
            if len(names) != 1:
                raise unreadable(path, f"has {len(names)} files inside, one is expected")
            if archive.getinfo(names[0]).file_size > _MOST_BYTES:
                raise unreadable(path, "unpacks to more than 4 GiB")
            with archive.open(names[0]) as file:
                return file.read(most), Path(names[0]).name
    except OSError as error:
        raise _unreadable(path, error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise unreadable(path, f"cannot be unpacked: {error}") from error


def _as_utf8(path: Path, data: bytes, *, partial: bool = False) -> bytes:
    mark, encoding = next((one for one in _MARKS if data.startswith(one[0])), (b"", _encoding(data)))
    if encoding == "utf-8":
        return data[len(mark) :]
    try:
        return data[len(mark) :].decode(encoding, "ignore" if partial else "strict").encode()
    except UnicodeDecodeError as error:
        raise unreadable(path, f"is no {encoding} text (byte {error.start}); is it cut off?") from error


def _encoding(data: bytes) -> str:
    """UTF-16 without its mark shows by the zero bytes of digits."""
    some = data[:200]
    if len(some) > 1 and not any(some[1::2]):
        return "utf-16-le"
    return "utf-16-be" if len(some) > 1 and not any(some[::2]) else "utf-8"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a text file by role.

    Attributes:
        texts: Columns of text.
        numbers: Columns of float64; NaN for an empty cell.
        count: Rows.
        malformed: Lines that are no rows of the layout; they are not among the rows.
        line_of: Where a row stands.
    """

    texts: "dict[str, pa.StringArray]"
    numbers: dict[str, Any]
    count: int
    malformed: Faults | None
    line_of: LineOf


def read_table(path: Path, text: bytes, layout: Layout) -> Table:
    """The rows of a text in a layout."""
    import pyarrow as pa

    try:
        texts, numbers, count = _columns(text, layout)
    except pa.ArrowInvalid as error:
        bad = list(_malformed(text, layout))
        if not bad:
            raise unreadable(path, f"cannot be read as {layout.title}: {error}") from error
        lines = text.split(b"\n")
        left = {number for number, _, _ in bad}
        kept = b"\n".join(line for number, line in enumerate(lines, 1) if number not in left)
        texts, numbers, count = _columns(kept, layout)
        first = bad[0]
        faults = Faults(path, len(bad), first[0], first[1], first[2])
        return Table(texts, numbers, count, faults, _Lines(text, layout.header, left))
    return Table(texts, numbers, count, None, _Lines(text, layout.header))


def _columns(text: bytes, layout: Layout) -> "tuple[dict[str, pa.StringArray], dict[str, Any], int]":
    import pyarrow as pa
    from pyarrow import csv

    wanted = [role for role in layout.roles if role != "skip"]
    texts: dict[str, Any] = {role: pa.array([], pa.string()) for role in wanted if role in TEXTS}
    numbers: dict[str, Any] = {role: np.empty(0) for role in wanted if role not in TEXTS}
    if not _has_rows(text, layout.header):
        return texts, numbers, 0
    names = [role if role != "skip" else f"skip {place}" for place, role in enumerate(layout.roles)]
    read = csv.read_csv(
        io.BytesIO(text),
        read_options=csv.ReadOptions(column_names=names, skip_rows=layout.header, block_size=1 << 22),
        parse_options=csv.ParseOptions(delimiter=layout.separator, ignore_empty_lines=True),
        convert_options=csv.ConvertOptions(
            include_columns=wanted,
            column_types={role: pa.string() if role in TEXTS else pa.float64() for role in wanted},
            null_values=[""],
            strings_can_be_null=False,
        ),
    )
    for role in wanted:
        column = read.column(role).combine_chunks()
        if role in TEXTS:
            texts[role] = column
        else:
            numbers[role] = column.to_numpy(zero_copy_only=False)
    return texts, numbers, read.num_rows


def _has_rows(text: bytes, header: int) -> bool:
    start = 0
    for _ in range(header):
        start = text.find(b"\n", start) + 1
        if not start:
            return False
    return re.compile(rb"\S").search(text, start) is not None


def _malformed(text: bytes, layout: Layout) -> Iterator[tuple[int, int, str]]:
    """Line, column and reason of each line that is no row; column 0 where the whole line is meant."""
    separator, columns = layout.separator.encode(), len(layout.roles)
    checked = [
        (place, role) for place, role in enumerate(layout.roles) if role not in TEXTS and role != "skip"
    ]
    for number, line in enumerate(text.split(b"\n"), 1):
        if number <= layout.header or not line.strip():
            continue
        cells = line.rstrip(b"\r").split(separator)
        if len(cells) != columns:
            shown = clipped(line)
            yield number, 0, f"{shown!r} is not a row of {layout.title}: it has {columns} columns"
            continue
        for place, role in checked:
            cell = cells[place].strip(b' "')
            if not _NUMBER.fullmatch(cell) and (cell or role not in EMPTY_CELLS):
                said = f"{clipped(cell)!r} is no {role}, so this is not a row of {layout.title}"
                yield number, place + 1, said
                break


def some_cells(text: bytes, layout: Layout, roles: Collection[str]) -> Iterator[str]:
    """The cells of these columns in the first and the last rows."""
    places = [place for place, role in enumerate(layout.roles) if role in roles]
    first, last = text[:_SAMPLE].split(b"\n")[layout.header :], text[-_SAMPLE:].split(b"\n")[1:]
    for line in [*first, *last]:
        cells = line.split(layout.separator.encode())
        if len(cells) == len(layout.roles):
            yield from (cells[place].decode("ascii", "replace").strip() for place in places)


def clipped(data: bytes) -> str:
    """A piece of a file for a message."""
    return data[:80].decode("utf-8", "replace").strip()


class _Lines:
    """Which line a row stands in, looked up when an error needs it."""

    def __init__(self, text: bytes, header: int, left: set[int] | None = None) -> None:
        self._text = text
        self._header = header
        self._left = left or set()
        self._known: Ints | None = None

    def __call__(self, row: int) -> int:
        if self._known is None:
            numbers = (
                number
                for number, line in enumerate(self._text.split(b"\n"), 1)
                if number > self._header and number not in self._left and line.strip()
            )
            self._known = np.fromiter(numbers, dtype=np.int64)
        return int(self._known[row])
