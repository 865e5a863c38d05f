"""Where each record of the journal stands, kept by reading only what is new."""

from dataclasses import dataclass

from backend.journal.record import Kind
from backend.storage.encoding import decode
from backend.storage.files import FileStorage
from backend.storage.lines import is_record


@dataclass(frozen=True, slots=True)
class Place:
    """One record's place: file, offset and length of its line in bytes."""

    seq: int
    kind: str
    file: str
    offset: int
    length: int


class JournalIndex:
    """Places of all records, in order; not thread-safe by itself.

    A line that does not parse is passed over here; `Journal.verify` is what judges.
    """

    def __init__(self, storage: FileStorage, pattern: str) -> None:
        self._storage = storage
        self._pattern = pattern
        self._read_to: dict[str, int] = {}
        self._places: list[Place] = []
        self.by_key: dict[tuple[str, str], Place] = {}

    @property
    def last(self) -> Place | None:
        """The newest record."""
        return self._places[-1] if self._places else None

    def refresh(self, *, writing: bool = False) -> None:
        """Read what was appended since the last call.

        Args:
            writing: The caller holds the writers' lock. Then a last line that lacks only its newline
                counts: the next append completes it.
        """
        for name in self._storage.names(self._pattern):
            path = self._storage.path(name)
            begin = self._read_to.get(name, 0)
            if path.stat().st_size <= begin:
                continue
            with path.open("rb") as file:
                file.seek(begin)
                data = file.read()
            offset = begin
            for line in data.splitlines(keepends=True):
                finished = line.endswith(b"\n")
                if not finished and not (writing and is_record(line)):
                    break
                self._take(name, offset, line)
                offset += len(line) + (0 if finished else 1)
            self._read_to[name] = offset

    def places(self, *, kind: Kind | None, before: int | None) -> list[Place]:
        """Places from the newest to the oldest."""
        return [
            place
            for place in reversed(self._places)
            if (kind is None or place.kind == kind) and (before is None or place.seq < before)
        ]

    def _take(self, name: str, offset: int, line: bytes) -> None:
        try:
            parsed = decode(line)
            place = Place(int(parsed["seq"]), str(parsed["kind"]), name, offset, len(line))
        except (ValueError, KeyError, TypeError):
            return
        self._places.append(place)
        if isinstance(parsed.get("key"), str):
            self.by_key[place.kind, parsed["key"]] = place
