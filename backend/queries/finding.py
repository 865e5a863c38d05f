"""The files that a view reads, as they are at this moment: cut ends are left out, what is broken is named."""

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from backend.core.errors import DeskError, Invalid
from backend.core.timeframes import Timeframe
from backend.market.columns import decode
from backend.queries.model import Form, View
from backend.storage.encoding import decode as decode_json
from backend.storage.encoding import encode_line
from backend.storage.files import FileStorage
from backend.storage.lines import is_record, stable_lines

_TAIL: Final = 1


class Files:
    """What to read instead of the files that cannot be read as they are.

    Args:
        storage: The desk's folder.
        spare: A folder of one's own for files without what is cut or broken in them.
    """

    def __init__(self, storage: FileStorage, spare: Path) -> None:
        self._storage = storage
        self._spare = spare
        self._instead: dict[Path, Path | None] = {}
        self._examined: set[Path] = set()
        self.problems: list[str] = []

    def of(self, view: View) -> list[Path]:
        """The files of a view that can be read."""
        names = [name for pattern in view.files for name in self._storage.names(pattern)]
        if view.form is Form.DOCUMENT:
            return self._together(view, names)
        found = (self.usable(self._storage.root / name, view) for name in names)
        return [file for file in found if file is not None]

    def _together(self, view: View, names: Sequence[str]) -> list[Path]:
        """All documents as lines of one file: DuckDB takes a millisecond to begin with a file."""
        made = self._spare / f"{view.name}.jsonl"
        with made.open("wb") as file:
            for name in names:
                path = self._storage.root / name
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    if (line := self._line(path)) is not None:
                        file.write(line)
        return [made] if made.stat().st_size else []

    def _line(self, path: Path) -> bytes | None:
        try:
            return encode_line(decode_json(path.read_bytes()), where=str(path))
        except (Invalid, ValueError) as error:
            problem = f"{path}: left out, it cannot be read: {error}"
            if problem not in self.problems:
                self.problems.append(problem)
            return None

    def usable(self, path: Path, view: View) -> Path | None:
        """The file itself, or the one to be read instead; None where there is none.

        A last line without its end is a record that is being written, or never was one.
        """
        if path not in self._instead and view.files:
            if view.form is Form.CSV and not self._has_heads(path, view.heads):
                self._instead[path] = None
            elif _is_cut(path):
                self._instead[path] = self._without(path, lambda _, line: _is_whole(line, view))
        return self._instead.get(path, path)

    def examine(self, paths: Sequence[Path], view: View) -> bool:
        """Look at files in which DuckDB stumbled; whether anything is to be read otherwise from now on."""
        changed = False
        for path in paths:
            if path in self._examined or view.form is Form.DOCUMENT:
                continue
            self._examined.add(path)
            if not path.exists():
                changed = True
            elif (fault := self._fault(path, view)) is not None:
                self.problems.append(fault)
                changed = True
        return changed

    def _fault(self, path: Path, view: View) -> str | None:
        """What is wrong with a file; what can be read of it is then read instead."""
        if not view.files:
            return self._unless(
                path, lambda: decode(path.read_bytes(), symbol="", timeframe=Timeframe.M1, where="")
            )
        good = _csv_record(len(view.heads)) if view.form is Form.CSV else is_record
        lines = ((number, line) for number, line in stable_lines(path) if _is_whole(line, view))
        bad = [number for number, line in lines if line.strip() and not good(line)]
        if not bad:
            return None
        skipped = {*bad}
        self._instead[path] = self._without(
            path, lambda number, line: number not in skipped and _is_whole(line, view)
        )
        told = ", ".join(str(number) for number in bad[:5]) + (" …" if len(bad) > 5 else "")  # noqa: PLR2004
        return f"{path}: left out {len(bad)} lines that are no records: {told}"

    def _unless(self, path: Path, read: Callable[[], object]) -> str | None:
        try:
            read()
        except (DeskError, ValueError) as error:
            self._instead[path] = None
            return f"{path}: left out, it cannot be read: {error}"
        return None

    def _without(self, path: Path, keep: Callable[[int, bytes], bool]) -> Path | None:
        """A copy with the lines to keep; None if there is none of them."""
        copy = self._spare / f"{len(self._instead)}-{path.name}"
        with copy.open("wb") as file:
            file.writelines(line for number, line in stable_lines(path) if keep(number, line))
        return copy if copy.stat().st_size else None

    def _has_heads(self, path: Path, heads: Sequence[str]) -> bool:
        with path.open("rb") as file:
            first = file.readline()
        if first.decode("utf-8-sig", "replace").strip().split(",") == [*heads] or not first.endswith(b"\n"):
            return first.endswith(b"\n")
        self.problems.append(f"{path}: left out, its columns are not {', '.join(heads)}")
        return False


def _is_whole(line: bytes, view: View) -> bool:
    """Whether a line has its end; an object shows that by itself."""
    return line.endswith(b"\n") or (view.form is Form.LINES and is_record(line))


def _is_cut(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return size > 0 and file.read(_TAIL) != b"\n"


def _csv_record(cells: int) -> Callable[[bytes], bool]:
    def good(line: bytes) -> bool:
        try:
            rows: Iterator[list[str]] = csv.reader([line.decode()], strict=True)
            return all(len(row) == cells for row in rows)
        except (csv.Error, ValueError):
            return False

    return good
