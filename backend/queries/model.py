"""What a view over files is: its columns with types and units, and the SQL that DuckDB reads it by. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

EXACT: Final = "DECIMAL(28,8)"
"""Money and volumes: as exact as their text."""
TIME: Final = "TIMESTAMPTZ"
TEXT: Final = "VARCHAR"
REAL: Final = "DOUBLE"
WHOLE: Final = "BIGINT"
YES_NO: Final = "BOOLEAN"
JSON: Final = "JSON"
TEXTS: Final = "VARCHAR[]"


class Form(StrEnum):
    """How records stand in a file."""

    LINES = "lines"
    """One JSON object a line."""
    DOCUMENT = "document"
    """One JSON object a file."""
    CSV = "csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a view.

    Attributes:
        name: As it is asked for.
        type: DuckDB's.
        meaning: In a few words.
        unit: Of its values; empty where there is none.
        path: Where it stands in a record, dotted; the name if empty.
        sql: What to compute instead, over the record ``f``.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    path: str = ""
    sql: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """Files as a table.

    Attributes:
        name: As it is asked for.
        meaning: One line.
        columns: In order.
        files: Patterns of the files, below the desk's folder.
        form: Of these files.
        heads: Columns of CSV files, in their order.
        reads: Further places in a record that ``sql``, `where` and `group` use, with their types.
        where: Which records count.
        group: How records are put together, after GROUP BY.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    files: tuple[str, ...] = ()
    form: Form = Form.LINES
    heads: tuple[str, ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    group: str = ""

    def select(self, files: Sequence[Path]) -> str:
        """The SELECT over these files; without any it has the columns and no row."""
        if not files:
            return no_rows(self.columns)
        wanted = ", ".join(
            f"TRY_CAST({_source(one)} AS {one.type}) AS {quoted(one.name)}" for one in self.columns
        )
        # A file that is being archived may stand in two places for a moment.
        distinct = "DISTINCT " if self.form is Form.CSV else ""
        where = f" WHERE {self.where}" if self.where else ""
        group = f" GROUP BY {self.group}" if self.group else ""
        return f"SELECT {distinct}{wanted} FROM {self._reader(files)} AS f{where}{group}"  # noqa: S608 - no user's text

    def _reader(self, files: Sequence[Path]) -> str:
        if self.form is Form.CSV:
            types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.heads)
            how = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"'"
            return f"read_csv({path_list(files)}, {how}, columns = {{{types}}})"
        places = {one.path or one.name: one.type for one in self.columns if not one.sql} | dict(self.reads)
        columns = ", ".join(f"{quoted(name)}: {literal(kind)}" for name, kind in _types(places).items())
        return f"read_json({path_list(files)}, format = 'newline_delimited', columns = {{{columns}}})"


def no_rows(columns: Iterable[Column]) -> str:
    """The columns and no row."""
    wanted = ", ".join(f"CAST(NULL AS {one.type}) AS {quoted(one.name)}" for one in columns)
    return f"SELECT {wanted} WHERE false"


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def path_list(files: Iterable[Path]) -> str:
    """A list of files in SQL; DuckDB takes a name that is there as it is, were it a pattern too."""
    return "[" + ", ".join(literal(file.as_posix()) for file in files) + "]"


def _source(column: Column) -> str:
    return column.sql or place(column.path or column.name)


def place(path: str) -> str:
    """A dotted place of the record ``f`` in SQL."""
    return ".".join(["f", *(quoted(part) for part in path.split("."))])


def _types(places: Mapping[str, str]) -> dict[str, str]:
    """DuckDB's types of a record's keys: text, which no value fails to be, and structures of text."""
    tree: dict[str, Any] = {}
    for path, kind in places.items():
        *folders, leaf = path.split(".")
        at = tree
        for part in folders:
            at = at.setdefault(part, {})
        at[leaf] = JSON if kind == JSON else TEXT
    return {name: _type(inside) for name, inside in tree.items()}


def _type(inside: Any) -> str:
    if isinstance(inside, str):
        return inside
    parts = ", ".join(f"{quoted(name)} {_type(part)}" for name, part in inside.items())
    return f"STRUCT({parts})"
