"""The symbol map as its file is now: an edit counts from the next look, without a restart."""

from pathlib import Path
from typing import Any

from backend.core.errors import DeskError
from backend.market.symbols import SymbolMap, SymbolRow


class SymbolFile:
    """Reads `config/symbol_map.csv` again when it changed; answers as `SymbolMap` does.

    A file that became unreadable as a whole leaves the map of before in force, and `problems` says so.

    Args:
        path: The file.

    Raises:
        NotFound: There is no such file at the first look.
        Invalid: Nothing of it can be read at the first look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = self._state()
        self._map = SymbolMap.load(path)
        self._trouble: tuple[dict[str, Any], ...] = ()

    @property
    def rows(self) -> tuple[SymbolRow, ...]:
        """One row a canonical symbol."""
        return self._now().rows

    @property
    def problems(self) -> tuple[dict[str, Any], ...]:
        """Rows that are left out, with file, line, key and reason."""
        return self._now().problems + self._trouble

    def enabled(self) -> tuple[str, ...]:
        """Canonical symbols that the desk collects and evaluates."""
        return self._now().enabled()

    def row(self, canonical: str) -> SymbolRow:
        """The row of a canonical symbol; `NotFound` if the map has none."""
        return self._now().row(canonical)

    def broker_symbol(self, canonical: str) -> str:
        """What the broker calls the symbol; `NotFound` if the map has no such row."""
        return self._now().broker_symbol(canonical)

    def canonical(self, broker_symbol: str) -> str | None:
        """The desk's name of a broker's symbol; None if the map has none."""
        return self._now().canonical(broker_symbol)

    def _now(self) -> SymbolMap:
        version = self._state()
        if version != self._version:
            self._version = version
            try:
                self._map, self._trouble = SymbolMap.load(self._path), ()
            except DeskError as error:
                reason = f"{error.message}; the map read before stays in force"
                self._trouble = ({"file": str(self._path), "line": 0, "key": "", "reason": reason},)
        return self._map

    def _state(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
