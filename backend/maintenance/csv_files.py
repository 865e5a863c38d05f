"""CSV files put in order: sorted by time, each row once, compact. A malformed one is only reported."""

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.core.clock import Clock, from_epoch
from backend.core.errors import Unavailable
from backend.core.problems import Problem
from backend.storage.files import FileStorage

FOLDERS = ("logs", "data")
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
QUIET_SECONDS = 60.0
LARGEST = 256 * 1024 * 1024
MOST_NAMES = 50

_NUMBER, _TIME, _EMPTY = range(3)
_FORMATS = ("%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y.%m.%d", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M")


class _MalformedError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def optimise(storage: FileStorage, clock: Clock) -> dict[str, Any]:
    """Optimise every CSV file under `logs` and `data` of the desk's folder.

    A file is left alone while somebody holds its lock or has written it within a minute. A file that
    is not clean CSV (a row of another width, a broken quote, a time that cannot be read, no header)
    stays byte for byte and is reported with its line.

    Returns:
        Counts, bytes saved, and bounded lists `files`, `skipped` and `malformed`.
    """
    report: dict[str, list[dict[str, str]]] = {"skipped": [], "malformed": []}
    checked = saved = dropped = rewritten = 0
    files: list[str] = []
    for name in (name for folder in FOLDERS for name in storage.names(f"{folder}/**/*.csv")):
        checked += 1
        path = storage.root / name
        try:
            with storage.lock(name, 0.0):
                before = path.stat()
                age = (clock.wall() - from_epoch(before.st_mtime)).total_seconds()
                if age < QUIET_SECONDS or before.st_size > LARGEST:
                    reason = "written within the last minute" if age < QUIET_SECONDS else "too large"
                    _note(report["skipped"], name, "", reason)
                    continue
                data = storage.read_bytes(name)
                better, removed = tidy(data)
                if better == data or _changed(path, before.st_mtime_ns, len(data)):
                    continue
                storage.write_bytes(name, better)
        except _MalformedError as error:
            _note(report["malformed"], name, f"line {error.line}", str(error))
        except Unavailable as error:
            if error.code != "locked":
                raise
            _note(report["skipped"], name, "", "being written")
        except FileNotFoundError:
            checked -= 1
        else:
            rewritten += 1
            dropped += removed
            saved += len(data) - len(better)
            files.append(name)
    return {
        "checked": checked,
        "rewritten": rewritten,
        "rows_removed": dropped,
        "bytes_saved": saved,
        "files": files[:MOST_NAMES],
        **{key: found[:MOST_NAMES] for key, found in report.items()},
        "malformed_count": len(report["malformed"]),
        "skipped_count": len(report["skipped"]),
    }


def tidy(data: bytes) -> tuple[bytes, int]:
    """The same table sorted by time, without repeated rows and blank lines; and how many rows went.

    Rows of one time keep their order; rows whose time is empty come last.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _MalformedError(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from error
    header, rows = _parse(text)
    if not header:
        return data, 0
    unique = list({tuple(row): line for line, row in reversed(rows)}.items())
    unique.sort(key=lambda item: item[1])
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
    return out.getvalue().encode(), len(rows) - len(unique)


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


def _parse(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header in lower case, and each row with the line it ends on."""
    if "\0" in text:
        raise _MalformedError(text.count("\n", 0, text.index("\0")) + 1, "it contains NUL")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = _header(row, reader.line_num)
            elif len(row) != len(header):
                raise _MalformedError(reader.line_num, f"{len(row)} cells under {len(header)} columns")
            else:
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise _MalformedError(reader.line_num, str(error)) from error
    return header, rows


def _header(row: Sequence[str], line: int) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    if not all(names) or len(set(names)) != len(names) or any(_is_number(name) for name in names):
        raise _MalformedError(line, "the first row is not a header of distinct names")
    if len(names) == 1 and any(mark in row[0] for mark in ";\t|"):
        raise _MalformedError(line, "columns are not separated by commas")
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
                raise _MalformedError(line, "the time is written in another way than above")


def _other_format(text: str, line: int) -> datetime:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise _MalformedError(line, f"{text!r} is not a time")


def _changed(path: Path, modified: int, size: int) -> bool:
    now = path.stat()
    return now.st_mtime_ns != modified or now.st_size != size


def _note(where: list[dict[str, str]], name: str, pointer: str, reason: str) -> None:
    where.append(Problem(file=name, pointer=pointer, reason=reason).as_dict())
