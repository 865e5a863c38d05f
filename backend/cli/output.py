"""How answers look: JSON for programs, tables and colours for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

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
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def print_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII so that any terminal and pipe takes it."""
    typer.echo(json.dumps(value, ensure_ascii=True, default=str))


def console(*, stderr: bool = False) -> "Console":
    """Where a person reads."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> "Table":
    """A plain table; nothing in a cell is read as markup."""
    from rich.table import Table
    from rich.text import Text

    made = Table(*columns, box=None, pad_edge=False, header_style="bold")
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
    then = parse_iso(text)
    age = age_seconds(then, now)
    relative = f"{span(age)} ago" if age >= 0 else f"in {span(-age)}"
    return f"{then:%m-%d %H:%M:%S} ({relative})"


def state(word: str) -> Any:
    """A job's state in its colour."""
    from rich.text import Text

    return Text(word, style=_STATE_COLOURS.get(word, ""))


def short(task: str) -> str:
    """The last part of a task's name."""
    return task.rpartition(".")[2]
