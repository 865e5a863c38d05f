"""CSV tables in order: sorted by time, each row once, compact. Pure."""

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime

TIME_COLUMNS = (
    "time",
    "timestamp",
    "datetime",
    "at",
    "closed_at",
    "close_time",
    "exit_time",
    "opened_at",
    "open_time",
    "entry_time",
    "time_utc",
    "date",
)

_NUMBER, _TIME, _EMPTY = range(3)
_FORMATS = ("%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y.%m.%d", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M")


class MalformedError(Exception):
    """A table that is none.

    Args:
        line: Where, counted from 1.
        reason: What is wrong there.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def tidy(data: bytes) -> tuple[bytes, int]:
    """The same table sorted by time, without repeated rows and blank lines; and how many rows went.

    Rows of one time keep their order; rows whose time is empty come last.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from error
    header, lines, count = _parse(text)
    if not header:
        return data, 0
    unique = list(lines.items())
    column = next((header.index(name) for name in TIME_COLUMNS if name in header), None)
    if column is not None:
        instants = {line: _instant(row[column], line) for row, line in unique}
        _one_kind(instants)
        unique.sort(key=lambda item: instants[item[1]])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_first_row(text))
    # with that line end csv leaves a lone carriage return unquoted, and no reader would find it again
    whole = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row, _ in unique:
        (whole if any("\r" in cell for cell in row) else writer).writerow(row)
    return out.getvalue().encode(), count - len(unique)


def split_records(data: bytes) -> list[bytes]:
    """The rows of a CSV as raw bytes without their line ends; a quoted line break stays inside its row."""
    records: list[bytes] = []
    pending = b""
    for line in data.splitlines(keepends=True):
        pending += line
        if pending.count(b'"') % 2 == 0:
            record = pending.rstrip(b"\r\n")
            if record:
                records.append(record)
            pending = b""
    if pending.strip():
        records.append(pending.rstrip(b"\r\n"))
    return records


def _parse(text: str) -> tuple[list[str], dict[tuple[str, ...], int], int]:
    """The header in lower case, each row once with the line it first ends on, and how many rows there are."""
    if "\0" in text:
        raise MalformedError(text.count("\n", 0, text.index("\0")) + 1, "it contains NUL")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows: dict[tuple[str, ...], int] = {}
    count = 0
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = _header(row, reader.line_num)
            elif len(row) != len(header):
                raise MalformedError(reader.line_num, f"{len(row)} cells under {len(header)} columns")
            else:
                rows.setdefault(tuple(row), reader.line_num)
                count += 1
    except csv.Error as error:
        raise MalformedError(reader.line_num, str(error)) from error
    return header, rows, count


def _header(row: Sequence[str], line: int) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    if not all(names) or len(set(names)) != len(names) or any(_is_number(name) for name in names):
        raise MalformedError(line, "the first row is not a header of distinct names")
    if len(names) == 1 and any(mark in row[0] for mark in ";\t|"):
        raise MalformedError(line, "columns are not separated by commas")
    return names


def _first_row(text: str) -> list[str]:
    return next(row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _instant(text: str, line: int) -> tuple[int, float]:
    """Sort key of a time: its kind and its number; a time without zone is read as UTC, as all of ours are."""
    text = text.strip()
    if not text:
        return _EMPTY, 0.0
    if _is_number(text):
        return _NUMBER, float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _other_format(text, line)
    return _TIME, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _one_kind(instants: dict[int, tuple[int, float]]) -> None:
    """Numbers and written times have no common order: refuse a column that has both."""
    first: int | None = None
    for line, (kind, _) in sorted(instants.items()):
        if kind != _EMPTY:
            first = kind if first is None else first
            if kind != first:
                raise MalformedError(line, "the time is written in another way than above")


def _other_format(text: str, line: int) -> datetime:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise MalformedError(line, f"{text!r} is not a time")
