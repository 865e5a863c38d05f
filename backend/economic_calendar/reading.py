"""Calendar files that a person has: which shape they are of, and all of their events or none."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from backend.core.clock import iso
from backend.core.errors import Invalid, NotFound
from backend.economic_calendar import rows as cells
from backend.economic_calendar.marks import country_at
from backend.economic_calendar.model import CalendarView, Event
from backend.economic_calendar.shapes import (
    FOREXFACTORY,
    MQL5,
    Clocks,
    Shape,
    column,
    server_offset,
    shape_of,
)
from backend.economic_calendar.timeline import Span, Timeline, united

MAX_BYTES = 256_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarFile:
    """What a file says.

    Attributes:
        name: Of the file.
        shape: Name of its shape.
        events: Ascending by time.
        span: What it speaks of: the time that it states, else the UTC days from its first to its last event.
        written_at: When it says it was written, aware UTC; None if it does not.
        left_out: Countries without a currency here, whose rows were left out, with how many there are.
    """

    name: str
    shape: str
    events: tuple[Event, ...]
    span: Span
    written_at: datetime | None
    left_out: dict[str, int]

    def described(self) -> dict[str, Any]:
        """What is told about it, as JSON values."""
        gap = max(pairwise(self.events), key=lambda pair: pair[1].at - pair[0].at, default=None)
        return {
            "file": self.name,
            "shape": self.shape,
            "events": len(self.events),
            "from": iso(self.span[0]),
            "to": iso(self.span[1]),
            "currencies": sorted({event.currency for event in self.events}),
            "longest_gap": None if gap is None else {"from": iso(gap[0].at), "to": iso(gap[1].at)},
            "left_out": self.left_out,
        }


def read_calendar_file(path: Path, clocks: Clocks | None = None) -> CalendarFile:
    """All events of a CSV in one of the shapes of `backend.economic_calendar.shapes`.

    Comma, semicolon and tab separate; UTF-8, UTF-16 and the Windows code page are read.

    Raises:
        NotFound: ``no_such_file``.
        Invalid: ``bad_calendar_file`` with what is wrong; ``bad_calendar_row`` with file, line and column of
            the first bad row and how many there are.
    """
    clocks = clocks or Clocks()
    lines = _lines(path)
    header, names = lines[0][1], [column(name) for name in lines[0][1]]
    try:
        shape = shape_of(names)
    except Invalid as error:
        raise Invalid("bad_calendar_file", f"{path.name}: {error.message}", file=path.name) from error
    events: list[Event] = []
    left_out: dict[str, int] = {}
    bad: list[tuple[int, cells.BadCell]] = []
    for line, given in lines[1:]:
        try:
            events.append(shape.read(_row(names, given, shape), clocks))
        except cells.BadCell as error:
            bad.append((line, error))
        except Invalid as error:
            if error.code != "unknown_country":
                raise
            country = str(error.details["country"])
            left_out[country] = left_out.get(country, 0) + 1
    if bad:
        raise _bad_row(path.name, header, names, *bad[0], len(bad))
    if not events:
        raise Invalid("bad_calendar_file", f"{path.name} holds no event", file=path.name)
    first = _row(names, lines[1][1], shape)
    return CalendarFile(
        name=path.name,
        shape=shape.name,
        events=cells.unique(events),
        span=_stated_span(first, clocks) or cells.days_of(events),
        written_at=_stated(first, "exportedutc") if shape.name == MQL5 else None,
        left_out=left_out,
    )


def read_calendar_files(
    paths: Iterable[Path], *, clocks: Clocks | None = None, now: datetime
) -> CalendarView:
    """Calendar files as one view of the whole time that they speak of, for a backtest's `Job.calendar`.

    Args:
        paths: The files, at least one; of an event that several have the last file's counts.
        clocks: What the files cannot say of their times.
        now: Wall time: what the files say is marked as not known before.

    Raises:
        NotFound: A file that is not there.
        Invalid: As `read_calendar_file`; no file at all.
    """
    files = [read_calendar_file(path, clocks) for path in paths]
    if not files:
        raise Invalid("bad_calendar_file", "no calendar file is named")
    events = {event.key: event.seen(now) for file in files for event in file.events}
    spans = united(file.span for file in files)
    found = Timeline(
        imported=tuple(sorted(events.values(), key=lambda event: (event.at, event.key))), spans=spans
    )
    view = found.over(spans[0][0], spans[-1][1])
    return replace(view, provider=", ".join(file.name for file in files))


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells of every line that is not blank, the header first."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Invalid(
                "bad_calendar_file", f"{path.name} is larger than {MAX_BYTES} bytes", file=path.name
            )
        body = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("no_such_file", f"{path} does not exist", file=str(path)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise Invalid("bad_calendar_file", f"{path} cannot be read: {reason}", file=str(path)) from error
    text = _decoded(body)
    head = text.lstrip("\r\n").partition("\n")[0]
    if not head.strip() or head.lstrip().startswith(("<", "{", "[")):
        raise Invalid(
            "bad_calendar_file", f"{path.name} is no CSV with a line of column names", file=path.name
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max("\t;,", key=head.count))
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise Invalid(
            "bad_calendar_file",
            f"{path.name} line {reader.line_num} is no line of a CSV: {error}",
            file=path.name,
            line=reader.line_num,
        ) from error


def _decoded(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace")
    if body[:200].count(b"\0") > len(body[:200]) // 4:
        return body.decode("utf-16-le", errors="replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _row(names: Sequence[str], given: Sequence[str], shape: Shape) -> dict[str, str]:
    if shape.name == FOREXFACTORY and len(given) > len(names) and (start := country_at(given)) is not None:
        given = [",".join(given[:start]), *given[start:]]
    if len(given) != len(names):
        raise cells.BadCell("", f"it has {len(given)} cells and the header {len(names)}")
    return dict(zip(names, given, strict=True))


def _stated_span(row: dict[str, str], clocks: Clocks) -> Span | None:
    start, end = _stated(row, "fromserver"), _stated(row, "toserver")
    if start is None or end is None or start >= end:
        return None
    offset = server_offset(row, clocks)
    return start - offset, end - offset


def _stated(row: dict[str, str], name: str) -> datetime | None:
    return cells.moment(row[name], column=name) if row.get(name) else None


def _bad_row(
    file: str, header: Sequence[str], names: Sequence[str], line: int, error: cells.BadCell, count: int
) -> Invalid:
    where, position = f"{file} line {line}", None
    if error.column in names:
        position = names.index(error.column) + 1
        where += f", column {position} ({header[position - 1].strip()})"
    more = "it is the only bad row" if count == 1 else f"{count} rows are bad"
    return Invalid(
        "bad_calendar_row",
        f"{where}: {error.message}; {more}, and nothing was taken from the file",
        file=file,
        line=line,
        column=position,
        bad_rows=count,
    )
