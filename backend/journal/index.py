"""Where each record of the journal stands, kept by reading only what is new."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np

from backend.journal.columns import FileColumns, Vocabulary, Wanted
from backend.journal.keys import KeyTable, key_hash
from backend.journal.record import Kind
from backend.journal.side_files import load, month_of, save
from backend.storage.encoding import decode
from backend.storage.files import FileStorage
from backend.storage.lines import is_record

_CHUNK = 4 * 1024 * 1024
_SAVE_AT = 8 * 1024 * 1024  # bytes of the journal that a start would have to read otherwise
_SAVE_SHARE = 10  # or a tenth of what is covered, so that writing stays in proportion
_GROWING = 2  # a writer of yesterday may be late by a moment


@dataclass(frozen=True, slots=True)
class Place:
    """One record's place: file, offset and length of its line in bytes."""

    seq: int
    kind: str
    file: str
    offset: int
    length: int


class JournalIndex:
    """Places of all records, in order, and the columns of decisions; not thread-safe by itself.

    A line that does not parse is passed over here; `Journal.verify` is what judges.
    """

    def __init__(self, storage: FileStorage, pattern: str) -> None:
        self._storage = storage
        self._pattern = pattern
        self.words = Vocabulary()
        self._files: list[FileColumns] = []
        self._order: list[FileColumns] = []
        self._numbers: dict[str, int] = {}
        self._keys = KeyTable()
        self._months: set[str] = set()
        self._unsaved = _SAVE_AT  # looked at with the first reading

    @property
    def last(self) -> Place | None:
        """The newest record."""
        for file in reversed(self._in_order()):
            if len(file.places):
                return self._place(file, len(file.places) - 1)
        return None

    def refresh(self, *, writing: bool = False) -> None:
        """Read what was appended since the last call.

        Args:
            writing: The caller holds the writers' lock. Then a last line that lacks only its newline
                counts: the next append completes it.
        """
        names = self._storage.names(self._pattern)
        for month, of_month in groupby(names, month_of):
            if month not in self._months:
                self._months.add(month)
                self._adopt(load(self._storage, month, self.words), set(of_month))
        for name in names:
            if name in self._numbers and name not in names[-_GROWING:]:
                continue
            file = self._file(name)
            path = self._storage.path(name)
            if path.stat().st_size > file.upto:
                self._read(file, writing=writing)
        if self._unsaved >= _SAVE_AT:
            self._save(newest=month_of(names[-1]) if names else "")

    def find(self, kind: str, key: str) -> Iterator[Place]:
        """Places of the records that may have this kind and key; the record itself tells."""
        for number, row in self._keys.find(key_hash(kind, key)):
            place = self._place(self._files[number], row)
            if place.kind == kind:
                yield place

    def places(self, *, kind: Kind | None, before: int | None) -> Iterator[Place]:
        """Places from the newest to the oldest, of the records that are there at this moment."""
        parts = [(file, file.places.array) for file in reversed(self._in_order())]
        wanted = None if kind is None else self.words.known(kind)

        def each() -> Iterator[Place]:
            for file, rows in parts:
                kept = np.ones(len(rows), np.bool_) if before is None else rows["seq"] < before
                if wanted is not None:
                    kept = kept & (rows["kind"] == wanted)
                for row in np.flatnonzero(kept)[::-1].tolist():
                    yield self._place(file, row)

        return each()

    def after(self, seq: int, limit: int) -> list[Place]:
        """Places of the first `limit` records behind `seq`, the oldest first; looks at no older file."""
        behind: list[tuple[FileColumns, int]] = []
        for file in reversed(self._in_order()):
            numbers = file.places.array["seq"]
            if not len(numbers):
                continue
            start = int(np.searchsorted(numbers, seq, side="right"))
            behind.append((file, start))
            if start:
                break
        rows = ((file, row) for file, start in reversed(behind) for row in range(start, len(file.places)))
        return [self._place(file, row) for file, row in islice(rows, limit)]

    @property
    def outdated(self) -> bool:
        """Whether the newest file that is known has grown."""
        files = self._in_order()
        if not files:
            return True
        try:
            return self._storage.path(files[-1].name).stat().st_size > files[-1].upto
        except FileNotFoundError:
            return True

    def select(self, wanted: Wanted, *, before: int | None, limit: int) -> list[Place]:
        """The newest decisions that are wanted, at most `limit` of them, with `seq` < `before`."""
        found: list[Place] = []
        for file in reversed(self._in_order()):
            rows = self.rows(file, wanted)
            if before is not None and len(rows):
                rows = rows[file.places.array["seq"][rows] < before]
            newest = rows[::-1][: limit - len(found)].tolist()
            found += [self._place(file, row) for row in newest]
            if len(found) == limit:
                break
        return found

    def rows(self, file: FileColumns, wanted: Wanted) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        """Rows of a file's places that are wanted decisions, ascending."""
        decisions = file.decisions.array
        mask = wanted.mask(decisions, file.refusals.array, self.words)
        rows: np.ndarray[tuple[int], np.dtype[np.int32]] = decisions["row"][mask]
        return rows

    def refused(self, wanted: Wanted) -> list[tuple[Place, tuple[str, ...]]]:
        """Decisions that are wanted, would have made an idea, and were refused; with the checks, in order."""
        found: list[tuple[Place, tuple[str, ...]]] = []
        for file in self._in_order():
            decisions, refusals = file.decisions.array, file.refusals.array
            mask = wanted.mask(decisions, refusals, self.words) & decisions["levels"] & ~decisions["idea"]
            checks: dict[int, list[str]] = {}
            for refusal in refusals[mask[refusals["decision"]]].tolist():
                checks.setdefault(refusal[0], []).append(self.words.words[refusal[1]])
            rows = decisions["row"]
            found += [(self._place(file, int(rows[at])), tuple(names)) for at, names in checks.items()]
        return found

    @property
    def files(self) -> tuple[FileColumns, ...]:
        """The columns of each file, in the order of the chain."""
        return tuple(self._in_order())

    # Inside

    def _in_order(self) -> list[FileColumns]:
        if len(self._order) != len(self._files):
            self._order = sorted(self._files, key=lambda file: file.name)
        return self._order

    def _place(self, file: FileColumns, row: int) -> Place:
        seq, offset, length, kind, _ = file.places.row(row)
        return Place(seq, self.words.words[kind], file.name, offset, length)

    def _file(self, name: str) -> FileColumns:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._files)
            self._files.append(FileColumns(name=name))
        return self._files[number]

    def _adopt(self, loaded: dict[str, FileColumns], there: set[str]) -> None:
        for name, file in loaded.items():
            if name in there and name not in self._numbers:
                number = self._numbers[name] = len(self._files)
                self._files.append(file)
                self._keys.add_many(file.places.array["key"], number)
                if self._storage.path(name).stat().st_size > file.upto:
                    self._read(file, writing=False)

    def _read(self, file: FileColumns, *, writing: bool) -> None:
        with self._storage.path(file.name).open("rb") as stream:
            stream.seek(file.upto)
            left = b""
            while True:
                data = stream.read(_CHUNK)
                lines = (left + data).splitlines(keepends=True)
                left = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
                for line in lines:
                    self._take(file, line)
                    file.upto += len(line)
                self._unsaved += len(data)
                if not data:
                    break
        if left and writing and is_record(left):
            self._take(file, left)
            file.upto += len(left) + 1

    def _take(self, file: FileColumns, line: bytes) -> None:
        row = len(file.places)
        try:
            parsed = decode(line)
            key = parsed.get("key")
            hashed = key_hash(str(parsed["kind"]), key) if isinstance(key, str) else 0
            file.take(parsed, file.upto, len(line), hashed, self.words)
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if hashed:
            self._keys.add(hashed, self._numbers[file.name], row)

    def _save(self, newest: str) -> None:
        """Bring the side files up to date where a start would have much to read, and of finished months."""
        files = self._in_order()
        months: dict[str, list[FileColumns]] = {}
        for file in files:
            months.setdefault(month_of(file.name), []).append(file)
        for month, of_month in months.items():
            unsaved = sum(file.upto - file.saved for file in of_month)
            covered = sum(file.saved for file in of_month)
            if unsaved >= max(_SAVE_AT, covered // _SAVE_SHARE) or (unsaved and month != newest):
                save(self._storage, month, of_month, self.words)
        self._unsaved = sum(file.upto - file.saved for file in files)
