"""Files of lines: appended to at a cost that does not grow, read while others append.

One rule makes readers safe without a lock: bytes up to a newline never change. A killed writer can
leave a last line without its newline; it was never acknowledged, so whoever appends next finishes
it if it is whole and cuts it off if it is not.
"""

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from backend.core.errors import Conflict, DeskError, Invalid
from backend.storage import fence
from backend.storage.atomic import refusal, refusals, while_in_use
from backend.storage.encoding import decode

_BLOCK = 64 * 1024


def append_bytes(
    path: Path, lines: bytes, *, first: bytes = b"", whole: Callable[[bytes], bool]
) -> tuple[IO[bytes], bool]:
    """Append complete lines, preceded by `first` if the file is new; the caller holds the lock.

    Args:
        path: The file, in a folder that exists.
        lines: Complete lines, each ending in a newline.
        first: What a new file begins with.
        whole: Tells whether a last line without newline is a complete record.

    Returns:
        The open file, for the caller to sync and close, and whether it is new.

    Raises:
        Unavailable: Nothing is left half written; `details["kept"]` counts bytes of complete lines
            that stand in the file nevertheless.
    """
    with refusals(path):
        is_new = not path.exists()
        file = while_in_use(lambda: path.open("a+b", buffering=0))
    try:
        fence.require()
        with refusals(path):
            end = _mend(file, whole)
        write_whole_lines(file, path, (first + lines) if end == 0 else lines, start=end)
    except BaseException:
        file.close()
        raise
    return file, is_new


def write_whole_lines(file: IO[bytes], path: Path, data: bytes, *, start: int) -> None:
    """Write at the end; when the disk refuses, cut back to the last newline that got there."""
    written = 0
    try:
        rest = memoryview(data)
        while rest:
            count = file.write(rest)
            written += count
            rest = rest[count:]
    except BaseException as error:
        kept = data.rfind(b"\n", 0, written) + 1
        file.truncate(start + kept)
        file.seek(start + kept)
        if isinstance(error, OSError):
            known = refusal(error, path)
            known.details["kept"] = kept
            raise known from error
        raise


def sync_file(file: IO[bytes], path: Path) -> None:
    """Make what was written survive the machine."""
    with refusals(path):
        getattr(os, "fdatasync", os.fsync)(file.fileno())


def stable_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and content of each line that is there now; what is appended later is not.

    A last line that has no newline yet comes as it is, still unjudged.

    Raises:
        FileNotFoundError: There is no such file.
    """
    with refusals(path):
        file = while_in_use(lambda: path.open("rb"))
    with file:
        end, tail = _last_newline(file)
        file.seek(0)
        number = 0
        while file.tell() < end:
            number += 1
            yield number, file.readline()
        if tail:
            yield number + 1, tail


def read_records(path: Path, problems: list[DeskError] | None) -> Iterator[dict[str, Any]]:
    """Each record of a JSONL file; see `FileStorage.read_jsonl`."""
    for number, line in stable_lines(path):
        if not line.endswith(b"\n"):
            if is_record(line):
                yield decode(line)
            return
        if not line.strip():
            continue
        try:
            record = decode(line)
        except ValueError as error:
            record = error
        if isinstance(record, dict):
            yield record
            continue
        problem = Invalid(
            "corrupt_line",
            f"{path}, line {number}: not a JSON object. The line is left as it is; mend or remove it",
            path=str(path),
            line=number,
        )
        if problems is None:
            raise problem
        problems.append(problem)


def last_record(path: Path) -> dict[str, Any] | None:
    """The last complete record, read from the end; None if the file holds none."""
    with refusals(path):
        file = while_in_use(lambda: path.open("rb"))
    with file, refusals(path):
        end, tail = _last_newline(file)
        if tail and is_record(tail):
            return dict(decode(tail))
        for line in _backwards(file, end):
            if line.strip():
                if not is_record(line):
                    raise Invalid(
                        "corrupt_line", f"{path}: the last line is not a JSON object", path=str(path)
                    )
                return dict(decode(line))
    return None


def is_record(line: bytes) -> bool:
    """Whether the bytes are one whole JSON object."""
    try:
        return isinstance(decode(line), dict)
    except ValueError:
        return False


def csv_line(cells: Iterable[Any], *, where: str) -> bytes:
    """One row of CSV. None is an empty cell; a line break inside a cell becomes a space.

    Raises:
        Invalid: Code ``not_csv``: a NaN.
    """
    row = []
    for cell in cells:
        if isinstance(cell, float) and not math.isfinite(cell):
            raise Invalid("not_csv", f"{where}: {cell} is not a number that can be stored", name=where)
        row.append(" ".join(cell.splitlines()) if isinstance(cell, str) else cell)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().replace("\x00", "").encode()


def require_header(path: Path, header: bytes) -> None:
    """Nothing where a file begins with that line, or is not there; `Conflict` ``other_columns``."""
    try:
        with path.open("rb") as file:
            first = file.readline(len(header) + 2)
    except FileNotFoundError:
        return
    if first.endswith(b"\n") and first.rstrip(b"\r\n") != header.rstrip(b"\n"):
        raise Conflict(
            "other_columns",
            f"{path} begins with other columns ({first[:200].decode(errors='replace').strip()}); "
            "move it away to start a new one",
            path=str(path),
        )


def csv_cells(row: Mapping[str, Any] | Sequence[Any], columns: Sequence[str], *, where: str) -> list[Any]:
    """A row's cells in the order of the columns.

    Raises:
        Invalid: Code ``not_csv``: a column too few or too many.
    """
    if isinstance(row, Mapping):
        if set(row) != set(columns):
            wrong = sorted(set(row) ^ set(columns))
            raise Invalid("not_csv", f"{where}: columns {wrong} are missing or unknown", name=where)
        return [row[column] for column in columns]
    if len(row) != len(columns):
        raise Invalid("not_csv", f"{where}: {len(row)} cells for {len(columns)} columns", name=where)
    return list(row)


def _mend(file: IO[bytes], whole: Callable[[bytes], bool]) -> int:
    """Leave the file ending in a newline; returns its length."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return size
    end, tail = _last_newline(file)
    if whole(tail):
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
        return size + 1
    file.truncate(end)
    return end


def _last_newline(file: IO[bytes]) -> tuple[int, bytes]:
    """Where the last complete line ends, and what stands after it."""
    position = file.seek(0, os.SEEK_END)
    tail = b""
    while position > 0:
        step = min(_BLOCK, position)
        position -= step
        file.seek(position)
        block = _read_exactly(file, step)
        newline = block.rfind(b"\n")
        if newline >= 0:
            return position + newline + 1, block[newline + 1 :] + tail
        tail = block + tail
    return 0, tail


def _backwards(file: IO[bytes], end: int) -> Iterator[bytes]:
    """The complete lines before `end`, the last first."""
    position = end
    pending = b""
    while position > 0:
        step = min(_BLOCK, position)
        position -= step
        file.seek(position)
        lines = (_read_exactly(file, step) + pending).split(b"\n")
        pending = lines[0]
        yield from reversed(lines[1:])
    yield pending


def _read_exactly(file: IO[bytes], count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = file.read(count - len(data))
        if not more:
            return data
        data += more
    return data
