"""The symbol map: which symbols the desk trades and what the broker calls them."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

from backend.core.errors import Invalid, NotFound

COLUMNS = ("canonical", "broker_symbol", "enabled", "min_vol", "vol_step", "comment")
_REQUIRED = ("canonical", "broker_symbol", "enabled")
_YES = frozenset({"true", "yes", "1", "on"})
_NO = frozenset({"false", "no", "0", "off"})
_LONGEST_NAME = 29  # what MetaTrader 5's Python interface accepts


@dataclass(frozen=True, kw_only=True, slots=True)
class SymbolRow:
    """One line of the map.

    Attributes:
        canonical: The desk's name, as in strategies and files.
        broker_symbol: The broker's name, with its suffix if it has one.
        enabled: Whether the desk collects and evaluates it.
        min_vol: Smallest volume the user wants, in lots; None leaves it to the broker.
        vol_step: Step between volumes, in lots; None leaves it to the broker.
        comment: The user's own words.
    """

    canonical: str
    broker_symbol: str
    enabled: bool
    min_vol: Decimal | None = None
    vol_step: Decimal | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class SymbolMap:
    """The rows that are right, in the file's order, and what was wrong with the others.

    Attributes:
        rows: One row a canonical symbol.
        problems: JSON values with file, line, key, reason; a row with a problem is left out.
        lines: In which line of the file each canonical symbol stands, from 1.
    """

    rows: tuple[SymbolRow, ...]
    problems: tuple[dict[str, Any], ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "SymbolMap":
        """Read a CSV file with the columns canonical, broker_symbol, enabled, min_vol, vol_step, comment.

        A byte order mark, Windows line ends, blank lines and lines that begin with # are accepted.

        Raises:
            NotFound: If there is no such file.
            Invalid: If no row can be read at all: not text, or a needed column is missing.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise NotFound(
                "symbol_map_missing", f"{path} does not exist; it names the symbols to trade", file=str(path)
            ) from error
        except UnicodeDecodeError as error:
            raise Invalid(
                "bad_symbol_map", f"{path}: it is not UTF-8 text (byte {error.start})", file=str(path)
            ) from error
        return cls.read(text, path)

    @classmethod
    def read(cls, text: str, path: Path) -> "SymbolMap":
        """The map that a text states; `path` is what problems call it. Raises as `load`."""
        return _Reader(path).read(text)

    def enabled(self) -> tuple[str, ...]:
        """Canonical symbols that the desk collects and evaluates."""
        return tuple(row.canonical for row in self.rows if row.enabled)

    def row(self, canonical: str) -> SymbolRow:
        """The row of a canonical symbol.

        Raises:
            NotFound: If the map has no such row.
        """
        for row in self.rows:
            if row.canonical == canonical:
                return row
        raise NotFound(
            "unknown_symbol",
            f"{canonical!r} is not in the symbol map; it has {', '.join(r.canonical for r in self.rows)}",
            symbol=canonical,
        )

    def broker_symbol(self, canonical: str) -> str:
        """What the broker calls the symbol; `NotFound` if the map has no such row."""
        return self.row(canonical).broker_symbol

    def canonical(self, broker_symbol: str) -> str | None:
        """The desk's name of a broker's symbol; None if the map has none."""
        return next((row.canonical for row in self.rows if row.broker_symbol == broker_symbol), None)


class Symbols(Protocol):
    """A symbol map, read once or as its file is now."""

    @property
    def rows(self) -> tuple[SymbolRow, ...]:
        """One row a canonical symbol."""

    @property
    def problems(self) -> tuple[dict[str, Any], ...]:
        """Rows that are left out, with file, line, key and reason."""

    def enabled(self) -> tuple[str, ...]:
        """Canonical symbols that the desk collects and evaluates."""

    def row(self, canonical: str) -> SymbolRow:
        """The row of a canonical symbol; `NotFound` if there is none."""

    def broker_symbol(self, canonical: str) -> str:
        """What the broker calls the symbol; `NotFound` if there is no such row."""

    def canonical(self, broker_symbol: str) -> str | None:
        """The desk's name of a broker's symbol; None if there is none."""


def canonical_of(symbols: Symbols, written: str) -> str | None:
    """The desk's name of a symbol as files and people write it: ours or the broker's, in any case."""
    wanted = written.casefold()
    names = ((row, {row.canonical.casefold(), row.broker_symbol.casefold()}) for row in symbols.rows)
    return next((row.canonical for row, known in names if wanted in known), None)


class _Reader:
    """Reads one file, collecting problems."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[dict[str, Any]] = []

    def read(self, text: str) -> SymbolMap:
        reader = csv.reader(text.splitlines(), skipinitialspace=True)
        header = next((line for line in reader if _says_something(line)), [])
        names = [name.strip().lower() for name in header]
        missing = [name for name in _REQUIRED if name not in names]
        if missing:
            raise Invalid(
                "bad_symbol_map",
                f"{self._path} line {reader.line_num or 1}: column {missing[0]} is missing; "
                f"the columns are {','.join(COLUMNS)}, separated by commas",
                file=str(self._path),
                line=reader.line_num or 1,
                key=missing[0],
            )
        for name in names:
            if name not in COLUMNS:
                self._problem(reader.line_num, name, f"no such column; the columns are {', '.join(COLUMNS)}")
        rows: dict[str, SymbolRow] = {}
        brokers: dict[str, str] = {}
        lines: dict[str, int] = {}
        for cells in self._lines(reader):
            if len(cells) != len(names):
                self._problem(
                    reader.line_num, "", f"the line has {len(cells)} cells, the header has {len(names)}"
                )
                continue
            row = self._row(reader.line_num, dict(zip(names, (cell.strip() for cell in cells), strict=True)))
            if row is None:
                continue
            if row.canonical in rows:
                self._problem(reader.line_num, "canonical", f"{row.canonical} is already there")
            elif row.broker_symbol in brokers:
                self._problem(
                    reader.line_num,
                    "broker_symbol",
                    f"{row.broker_symbol} already belongs to {brokers[row.broker_symbol]}",
                )
            else:
                rows[row.canonical] = row
                lines[row.canonical] = reader.line_num
                brokers[row.broker_symbol] = row.canonical
        return SymbolMap(tuple(rows.values()), tuple(self._problems), lines)

    @staticmethod
    def _lines(reader: Iterator[list[str]]) -> Iterator[list[str]]:
        return (line for line in reader if _says_something(line))

    def _row(self, line: int, cells: dict[str, str]) -> SymbolRow | None:
        before = len(self._problems)
        for key in ("canonical", "broker_symbol"):
            name = cells[key]
            if not name:
                self._problem(line, key, "it is empty")
            elif len(name.encode("utf-16-le")) // 2 > _LONGEST_NAME or not name.isprintable():
                self._problem(line, key, f"{name!r} is not a symbol: at most {_LONGEST_NAME} characters")
        enabled = cells["enabled"].lower()
        if enabled not in _YES | _NO:
            self._problem(line, "enabled", f"{cells['enabled']!r} is neither true nor false")
        volumes = {key: self._volume(line, key, cells.get(key, "")) for key in ("min_vol", "vol_step")}
        if len(self._problems) > before:
            return None
        return SymbolRow(
            canonical=cells["canonical"],
            broker_symbol=cells["broker_symbol"],
            enabled=enabled in _YES,
            comment=cells.get("comment", ""),
            **volumes,
        )

    def _volume(self, line: int, key: str, text: str) -> Decimal | None:
        if not text:
            return None
        try:
            volume = Decimal(text)
        except InvalidOperation:
            volume = Decimal("NaN")
        if not volume.is_finite() or volume <= 0:
            self._problem(line, key, f"{text!r} is not a volume in lots above zero")
            return None
        return volume

    def _problem(self, line: int, key: str, reason: str) -> None:
        self._problems.append({"file": str(self._path), "line": line, "key": key, "reason": reason})


def _says_something(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#")
