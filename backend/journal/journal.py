"""The journal: an append-only, hash-chained record of every decision and every act."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from backend.core.clock import Clock, day, iso
from backend.core.errors import DeskError, Invalid, NotFound
from backend.journal.columns import Wanted
from backend.journal.counting import counts
from backend.journal.ends import FOLDER, LAST, PATTERN, DayEnd, day_of, file_of, finish, kept_ends, note_last
from backend.journal.index import JournalIndex, Place
from backend.journal.record import GENESIS, Entry, Kind, Record, digest, read
from backend.journal.verifying import Verification, verify
from backend.storage.encoding import decode, encode
from backend.storage.files import FileState, FileStorage

log = logging.getLogger(__name__)

LOCK = f"{FOLDER}/journal"
LOCK_SECONDS = 30.0


class Journal:
    """Appends to and reads ``data/decisions/decisions_{YYYYmmdd}.jsonl``.

    Files are named after the wall clock's UTC day, so their order is the order of the chain also when
    desk time is that of a replay. Thread-safe, and safe between processes.

    Args:
        storage: Files below ``data/``.
        clock: Tells desk and wall time.
    """

    def __init__(self, storage: FileStorage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._index = JournalIndex(storage, PATTERN)
        self._mutex = threading.Lock()
        self._seen: FileState | None = None

    def append(self, kind: Kind, payload: Mapping[str, Any], *, actor: str, key: str | None = None) -> Record:
        """Record one entry; see `append_many`."""
        return self.append_many([Entry(kind=kind, payload=payload, key=key)], actor=actor)[0]

    def append_many(self, entries: Sequence[Entry], *, actor: str) -> list[Record]:
        """Record entries in order, synced to disk before this returns.

        Args:
            entries: What to record. One whose key the journal already has for that kind is not written
                again, and its earlier record is returned.
            actor: Who caused them.

        Raises:
            Unavailable: The disk or the lock refuses; then those entries that are there are whole
                records, and appending the same keys again completes the rest.
            Invalid: The last record is damaged: run `verify`, and move the file away.
        """
        with self._mutex, self._storage.lock(LOCK, LOCK_SECONDS):
            self._index.refresh(writing=True)
            seq, prev = self._tail()
            at, wall = iso(self._clock.now()), self._clock.wall()
            records: list[Record] = []
            fresh: list[Record] = []
            made: dict[tuple[Kind, str], Record] = {}
            for entry in entries:
                known = self._known(entry, made)
                if known is not None:
                    records.append(known)
                    continue
                seq += 1
                fields: dict[str, Any] = {
                    "seq": seq,
                    "kind": entry.kind,
                    "at": at,
                    "at_wall": iso(wall),
                    "actor": actor,
                    "key": entry.key,
                    "payload": entry.payload,
                    "prev": prev,
                }
                encode(fields, where="journal")  # refuses a NaN before the chain goes on
                record = Record(**fields, hash=digest(fields))
                prev = record.hash
                records.append(record)
                fresh.append(record)
                if entry.key is not None:
                    made[entry.kind, entry.key] = record
            if fresh:
                self._write(fresh, day(wall))
        return records

    def find(self, kind: Kind, key: str) -> Record:
        """The record of that kind and key; `NotFound` if there is none."""
        with self._mutex:
            self._index.refresh()
            record = self._find(kind, key)
        if record is None:
            raise NotFound("unknown_record", f"the journal has no {kind} {key!r}", key=key)
        return record

    def find_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, Record]:
        """The records of that kind with these keys, by key; a key without a record is left out."""
        with self._mutex:
            if keys:
                self._index.refresh()
            found = {key: self._find(kind, key) for key in keys}
        return {key: record for key, record in found.items() if record is not None}

    def newest(self, *, kind: Kind | None = None, before: int | None = None) -> Iterator[Record]:
        """Records from the newest to the oldest, those of `kind` and with `seq` < `before` only."""
        with self._mutex:
            self._index.refresh()
            places = self._index.places(kind=kind, before=before)
        for place in places:
            yield self._at(place)

    def seq(self) -> int:
        """Number of the newest record, 0 before the first; two looks at files while nothing is new."""
        with self._mutex:
            noted = self._noted()
            if noted is None or noted != self._seen or self._index.outdated:
                self._index.refresh()
                self._seen = noted
            last = self._index.last
        return 0 if last is None else last.seq

    def after(self, seq: int, *, limit: int) -> list[Place]:
        """Places of the first `limit` records behind number `seq`, the oldest first; `at` reads them."""
        with self._mutex:
            self._index.refresh()
            return self._index.after(seq, limit)

    def decisions(self, wanted: Wanted, *, before: int | None = None, limit: int) -> list[Record]:
        """The newest decisions that are wanted, at most `limit` of them, with `seq` < `before`."""
        with self._mutex:
            self._index.refresh()
            places = self._index.select(wanted, before=before, limit=limit)
        return [self._at(place) for place in places]

    def refused(self, wanted: Wanted) -> list[tuple[Place, tuple[str, ...]]]:
        """Decisions that are wanted, had levels and a size, and were refused; with the checks, in order."""
        with self._mutex:
            self._index.refresh()
            return self._index.refused(wanted)

    def at(self, place: Place) -> Record:
        """The record of a place."""
        return self._at(place)

    def count(self, wanted: Wanted) -> dict[str, Any]:
        """How many decisions are wanted, in all and by what they are; see `counting.counts`."""
        with self._mutex:
            self._index.refresh()
            parts = [(file.decisions.array, file.refusals.array) for file in self._index.files]
        return counts(parts, wanted, self._index.words)

    def verify(
        self,
        *,
        expected: Sequence[str] = (),
        each: Callable[[Record, str, int], None] | None = None,
    ) -> Verification:
        """Read every record and check its hash and its place in the chain; see `verifying.verify`."""
        return verify(self._storage, expected=expected, each=each)

    def day_ends(self) -> list[DayEnd]:
        """The last record of each day, the oldest first: what can be sent out and expected later."""
        return [*{end.day: end for end in kept_ends(self._storage)}.values()]

    def _noted(self) -> FileState | None:
        """Changes with each record, also with the first of a day."""
        try:
            return self._storage.state(LAST)
        except NotFound:
            return None

    def _write(self, fresh: Sequence[Record], today: str) -> None:
        before = self._index.last
        if before is not None and before.file != file_of(today):
            closed = self._at(before)
            finish(self._storage, DayEnd(day=day_of(before.file), seq=closed.seq, hash=closed.hash))
        self._storage.append_jsonl(file_of(today), [record.as_dict() for record in fresh], sync=True)
        try:
            note_last(self._storage, DayEnd(day=today, seq=fresh[-1].seq, hash=fresh[-1].hash))
        except DeskError as error:  # the records are on the disk, and the next ones note it again
            log.warning("the journal's last record could not be noted: %s", error.message)

    def _known(self, entry: Entry, made: Mapping[tuple[Kind, str], Record]) -> Record | None:
        if entry.key is None:
            return None
        if (entry.kind, entry.key) in made:
            return made[entry.kind, entry.key]
        return self._find(entry.kind, entry.key)

    def _find(self, kind: str, key: str) -> Record | None:
        for place in self._index.find(kind, key):
            record = self._at(place)
            if record.key == key:
                return record
        return None

    def _tail(self) -> tuple[int, str]:
        place = self._index.last
        if place is None:
            return 0, GENESIS
        record = self._at(place)
        return record.seq, record.hash

    def _at(self, place: Place) -> Record:
        with self._storage.path(place.file).open("rb") as file:
            file.seek(place.offset)
            line = file.read(place.length)
        try:
            return read(decode(line))
        except (ValueError, KeyError, TypeError) as error:
            raise Invalid(
                "damaged_journal",
                f"{place.file}: record {place.seq} was changed after it was written; "
                "`mt5ui verify-journal` names the first such record",
                file=place.file,
                seq=place.seq,
            ) from error
