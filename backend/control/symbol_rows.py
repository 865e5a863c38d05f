"""The symbol map, edited row by row: what is watched, and what the broker calls it."""

import csv
import io
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from backend.control.edited import entries_file, entries_journal
from backend.core.errors import Conflict, DeskError, Invalid, NotFound
from backend.journal.journal import Journal
from backend.market.specifications import DatedInstrument, Specifications
from backend.market.symbols import COLUMNS, SymbolMap, SymbolRow
from backend.storage.files import FileStorage

FILE: Final = "config/symbol_map.csv"
CODE: Final = "bad_symbol_map"
LONGEST_COMMENT: Final = 200


class SymbolDesk:
    """Shows and changes the rows.

    A row is switched off, never removed: strategies, positions and files speak of its symbol.

    Args:
        config_dir: The user's configuration.
        storage: Files below ``data/``.
        journal: Takes every change.
    """

    def __init__(self, config_dir: Path, storage: FileStorage, journal: Journal) -> None:
        self._path = config_dir / Path(FILE).name
        self._file = entries_file(self._path, name=FILE, code=CODE, read=self._read, write=self._write)
        self._journal = entries_journal(self._file, storage, journal)
        self._specifications = Specifications(storage)

    def etag(self) -> str:
        """The tag of the file."""
        return self._file.etag()

    def map(self) -> SymbolMap:
        """The rows as the file has them now, and its problems; raises as `SymbolMap.load`."""
        return SymbolMap.load(self._path)

    def specification(self, symbol: str) -> tuple[DatedInstrument | None, str]:
        """What the terminal stated last of a symbol, as stored; None and why without it."""
        try:
            found = self._specifications.last(symbol)
        except DeskError as error:
            return None, error.message
        return found, "" if found is not None else "the terminal has not been asked for it yet"

    def add(self, row: SymbolRow, *, actor: str, if_match: str = "*") -> None:
        """Add a row at the end.

        Raises:
            Invalid: ``bad_symbol_map``, with the key.
            Conflict: ``symbol_exists`` or ``settings_changed``.
        """

        def change(rows: Any) -> dict[str, Any]:
            rows = rows or {}
            if row.canonical in rows:
                raise Conflict("symbol_exists", f"{row.canonical} is in the symbol map already")
            return self._fitting({**rows, row.canonical: _one_line(_cells(row))})

        self._journal.change(change, actor=actor, reason=f"{row.canonical} added", if_match=if_match)

    def edit(self, symbol: str, patch: Mapping[str, Any], *, actor: str, if_match: str = "*") -> None:
        """Change cells of a row.

        Raises:
            NotFound: ``unknown_symbol``.
            Invalid: ``bad_symbol_map``, with the key.
            Conflict: ``settings_changed``.
        """

        def change(rows: Any) -> dict[str, Any]:
            if symbol not in (rows or {}):
                raise NotFound("unknown_symbol", f"{symbol!r} is not in the symbol map", symbol=symbol)
            cells = {key: _cell(value) for key, value in patch.items()}
            return self._fitting({**rows, symbol: _one_line({**rows[symbol], **cells})})

        self._journal.change(change, actor=actor, reason=f"{symbol} changed", if_match=if_match)

    # Inside

    def _fitting(self, rows: dict[str, Any]) -> dict[str, Any]:
        """The rows, if the file would be read back as they are: before anything is on record."""
        self._file.encoded(rows)
        return rows

    def _read(self, data: bytes) -> dict[str, Any]:
        found = SymbolMap.read(data.decode("utf-8-sig"), self._path)
        return {row.canonical: _cells(row) for row in found.rows}

    def _write(self, rows: Mapping[str, Any], present: bytes | None) -> bytes:
        """The file with other rows in it; its other lines, its comments among them, stay as they are."""
        text = "" if present is None else present.decode("utf-8-sig")
        before = SymbolMap.read(text, self._path) if present is not None else SymbolMap(())
        lines = text.splitlines() or [",".join(COLUMNS)]
        header = next(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
        names = [name.strip().lower() for name in next(csv.reader([header], skipinitialspace=True))]
        at = {canonical: number - 1 for canonical, number in before.lines.items()}
        for name, cells in rows.items():
            if name not in at or _cells(before.row(name)) != cells:
                line = _line([cells.get(column, "") for column in names])
                if name in at:
                    lines[at[name]] = line
                else:
                    lines.append(line)
        changed = "\n".join(lines) + "\n"
        after = SymbolMap.read(changed, self._path)
        if len(after.problems) > len(before.problems) or {row.canonical for row in after.rows} != rows.keys():
            problem = next((one for one in after.problems if one not in before.problems), {})
            reason = problem.get("reason", "a row would not be read as it is written")
            key = str(problem.get("key", ""))
            raise Invalid(CODE, f"{key}: {reason}; nothing was changed".removeprefix(": "), key=key)
        return changed.encode()


def _one_line(cells: dict[str, str]) -> dict[str, str]:
    for key, value in cells.items():
        if not value.isprintable() or len(value) > LONGEST_COMMENT or value != value.strip():
            reason = f"{key}: one line of at most {LONGEST_COMMENT} characters is wanted; nothing was changed"
            raise Invalid(CODE, reason, key=key)
    return cells


def _cells(row: SymbolRow) -> dict[str, str]:
    return {name: _cell(getattr(row, name)) for name in COLUMNS}


def _cell(value: str | bool | Decimal | None) -> str:  # noqa: FBT001 - a value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else value


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()
