"""`mt5ui sql`: questions in SQL over the desk's files; the desk may run or not."""

import csv
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from backend.cli.output import console, print_json, show, table
from backend.config import load_settings
from backend.core.clock import iso
from backend.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from backend.queries.service import Heading, Take

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
_SHOWN: Final = 100  # rows of a table where no limit is given
_IN_MEMORY: Final = 8_000_000  # bytes of an answer
_COPIED: Final = 1_000_000


def sql(
    query: Annotated[
        str | None, typer.Argument(metavar="SQL", help="One SELECT; - or nothing reads it from stdin.")
    ] = None,
    *,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the SQL from a file.")] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="List the views with their columns, types and units.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on stdout and nothing else.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many rows at most; a table has 100 without it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the desk's files in SQL; it only reads, and needs no running desk."""
    from backend.services import build_services

    if as_csv and as_json:
        raise Invalid("bad_argument", "Say --csv or --json, not both")
    if tables:
        _list_views(as_json=as_json)
        return
    text = _sql(query, file)
    take = _csv(limit) if as_csv else _json(limit) if as_json else _table(limit or _SHOWN)
    queries = build_services(load_settings()).queries
    answer = queries.ask(text, take, warn=lambda problem: typer.echo(problem, err=True))
    answer()


def _sql(query: str | None, file: Path | None) -> str:
    if file is not None:
        if query is not None:
            raise Invalid("bad_argument", "Say the SQL or --file, not both")
        try:
            return file.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise NotFound("no_such_file", f"{file} does not exist", file=str(file)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid("unreadable_file", f"{file} cannot be read: {error}", file=str(file)) from error
    if query in {None, "-"}:
        if sys.stdin.isatty():
            raise Invalid("bad_argument", 'Say what to ask: mt5ui sql "SELECT …"; --tables lists the views')
        return sys.stdin.read()
    return str(query)


def _table(limit: int) -> "Take[Any]":
    """A table of the first rows, and that there are more."""

    def take(heads: "tuple[Heading, ...]", rows: Iterator[tuple[Any, ...]]) -> Any:
        kept = [*islice(rows, limit + 1)]

        def write() -> None:
            out = console()
            out.print(
                table(
                    [head.name for head in heads], [[_cell(value) for value in row] for row in kept[:limit]]
                )
            )
            if len(kept) > limit:
                typer.echo(f"The first {limit:,} rows; --limit shows more, --csv all", err=True)
            elif not kept:
                typer.echo("No row", err=True)

        return write

    return take


def _csv(limit: int | None) -> "Take[Any]":
    def take(heads: "tuple[Heading, ...]", rows: Iterator[tuple[Any, ...]]) -> Any:
        with _spooled() as spool:
            writer = csv.writer(_Encoding(spool), lineterminator="\n")
            writer.writerow([head.name for head in heads])
            writer.writerows([_csv_cell(value) for value in row] for row in islice(rows, limit))
        return lambda: _copy(spool)

    return take


def _json(limit: int | None) -> "Take[Any]":
    """One document, rows as objects; a row a line, so that any size of it can be written."""

    def take(heads: "tuple[Heading, ...]", rows: Iterator[tuple[Any, ...]]) -> Any:
        names = _different([head.name for head in heads])
        columns = [{"name": name, "type": head.type} for name, head in zip(names, heads, strict=True)]
        with _spooled() as spool:
            spool.write(f'{{"columns": {json.dumps(columns)}, "rows": ['.encode())
            count = 0
            for row in islice(rows, limit):
                line = json.dumps(dict(zip(names, map(_plain, row), strict=True)), allow_nan=False)
                spool.write(f"{',' if count else ''}\n{line}".encode())
                count += 1
            more = limit is not None and next(rows, None) is not None
            spool.write(f'], "row_count": {count}, "more": {json.dumps(more)}}}\n'.encode())
        return lambda: _copy(spool)

    return take


@contextmanager
def _spooled() -> Iterator[IO[bytes]]:
    """Where an answer waits until the whole of it is known; closed here only if that never comes."""
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
        yield spool
        stack.pop_all()


@dataclass(frozen=True, slots=True)
class _Encoding:
    """Text into a file of bytes."""

    file: IO[bytes]

    def write(self, text: str) -> int:
        """Write it in UTF-8."""
        return self.file.write(text.encode())


def _copy(spool: IO[bytes]) -> None:
    with spool:
        spool.seek(0)
        while piece := spool.read(_COPIED):
            typer.echo(piece, nl=False)


def _different(names: Sequence[str]) -> list[str]:
    """Names of columns, a number behind one that was there already."""
    made: list[str] = []
    for name in names:
        number, one = 0, name
        while one in made:
            number += 1
            one = f"{name}_{number}"
        made.append(one)
    return made


def _plain(value: Any) -> Any:
    """A value as JSON has it: times ISO in UTC, exact numbers as their text, what is no number null."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else _text_of(value)


def _text_of(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return iso(value)
    if isinstance(value, Decimal):
        return _exact(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _csv_cell(value: Any) -> Any:
    plain = _plain(value)
    return json.dumps(plain) if isinstance(plain, list | dict) else plain


def _cell(value: Any) -> Any:
    """A value in a table: numbers as they are, not rounded."""
    plain = _plain(value)
    if isinstance(value, timedelta):
        return str(value)
    return repr(plain) if isinstance(plain, float) else show(plain)


def _exact(value: Decimal) -> str:
    """Its digits without the zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _list_views(*, as_json: bool) -> None:
    from backend.queries.service import VIEWS

    if as_json:
        print_json(
            [
                {
                    "view": view.name,
                    "meaning": view.meaning,
                    "columns": [
                        {"name": one.name, "type": one.type, "unit": one.unit or None, "meaning": one.meaning}
                        for one in view.columns
                    ],
                }
                for view in VIEWS
            ]
        )
        return
    out = console()
    for view in VIEWS:
        out.print(f"[bold]{view.name}[/bold]: {view.meaning}")
        rows = [("  " + one.name, one.type, one.unit, one.meaning) for one in view.columns]
        out.print(table(("  column", "type", "unit", "meaning"), rows), "")
