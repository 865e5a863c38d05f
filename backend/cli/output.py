"""How answers look: JSON for programs, tables and colours for people."""

import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, cast

import typer

from backend.core.clock import age_seconds, parse_iso

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STATE_COLOURS: Final = {
    "succeeded": "green",
    "started": "cyan",
    "retrying": "yellow",
    "failed": "red",
    "lost": "red",
    "dead": "red",
    "refused": "red",
}
PIPED_WIDTH: Final = 240
ID_WIDTH: Final = 36  # of a job
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def print_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII so that any terminal and pipe takes it."""
    typer.echo(json.dumps(value, ensure_ascii=True, default=str))


def console(*, stderr: bool = False) -> "Console":
    """Where a person reads; a pipe or a file, which has no width, gets one that suits a log."""
    from rich.console import Console

    return _fitted(Console(stderr=stderr, highlight=False))


def lasting_console(*, stderr: bool = False) -> "Console":
    """The same for what goes on where nobody reads any more: its window was closed, its pipe has ended."""
    from rich.console import Console

    reader = cast("IO[str]", Reader(sys.stderr if stderr else sys.stdout))
    return _fitted(Console(file=reader, highlight=False))


def _fitted(made: "Console") -> "Console":
    if not made.is_terminal:
        made.width = PIPED_WIDTH
    return made


class Reader:
    """A stream whose end is no failure: from then on nothing is written.

    Args:
        stream: Standard output or error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write what can be written."""
        with self._while_there():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self._while_there():
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person looks."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Its number."""
        return self._stream.fileno()

    @contextmanager
    def _while_there(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # also what is still held, at the latest at exit
            os.close(nowhere)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, cut: Collection[str] = ()) -> "Table":
    """A plain table; nothing in a cell is read as markup.

    Cells wrap where the window is narrow, but for a job's id, which somebody will copy.

    Args:
        columns: Their heads.
        rows: Cells, shown as `show` does.
        cut: Columns that are cut instead, since their beginning says enough.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for name in columns:
        made.add_column(
            name,
            no_wrap=name in cut,
            overflow="ellipsis" if name in cut else "fold",
            min_width=ID_WIDTH if name == "id" else None,
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(show(cell)) for cell in row))
    return made


def show(value: Any) -> str:
    """One value for a person; what is not known is a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={show(item)}" for name, item in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(show(item) for item in value) or "-"
    return str(value)


def lines(value: Any, indent: str = "  ") -> Iterator[str]:
    """A result for a person: a line each name, parts of parts further in."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, Mapping) and any(isinstance(part, Mapping) for part in item.values()):
                yield f"{indent}{name}:"
                yield from lines(item, indent + "  ")
            elif isinstance(item, list | tuple) and any(isinstance(part, Mapping) for part in item):
                yield f"{indent}{name}:"
                yield from (f"{indent}  - {show(part)}" for part in item)
            else:
                yield f"{indent}{name}: {show(item)}"
    else:
        yield f"{indent}{show(value)}"


def span(seconds: float | None) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    if seconds is None:
        return "-"
    for unit, name in _UNITS:
        if abs(seconds) >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.1f} s" if abs(seconds) < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - one decimal


def moment(text: str | None, now: datetime) -> str:
    """A time as a person reads it: absolute, and how long ago."""
    if text is None:
        return "-"
    return f"{parse_iso(text):%m-%d %H:%M:%S} ({ago(text, now)})"


def ago(text: str | None, now: datetime) -> str:
    """How long ago, for tables; JSON has the time itself."""
    if text is None:
        return "-"
    age = age_seconds(parse_iso(text), now)
    return f"{span(age)} ago" if age >= 0 else f"in {span(-age)}"


def clip(text: str, width: int = 200) -> str:
    """A reason on one line; the whole of it is in the job's history."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def state(word: str) -> Any:
    """A job's state in its colour."""
    from rich.text import Text

    return Text(word, style=_STATE_COLOURS.get(word, ""))


def short(task: str) -> str:
    """The last part of a task's name."""
    return task.rpartition(".")[2]
