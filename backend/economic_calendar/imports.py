"""Calendars of the past that a person brought: kept by year, all of an import or nothing of it.

`imports.json` names the file of each year and what time the imports speak of. New files are written
beside the old ones and count once it names them; so an import that is cut short leaves what was before.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from backend.core.clock import iso, parse_iso
from backend.core.errors import Invalid
from backend.economic_calendar.model import Event
from backend.economic_calendar.revisions import change_record, changes_of
from backend.economic_calendar.timeline import FUTURE_REACH, PAST_REACH, Span, Timeline, united
from backend.storage.encoding import encode_line
from backend.storage.files import FileState, FileStorage

MANIFEST = "calendar/imports.json"
LOCK = "calendar/import"
LOCK_TIMEOUT = 60.0
KEEP_IMPORTS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What `MANIFEST` holds.

    Attributes:
        files: Name of each year's file, by year.
        spans: What the imports speak of, ascending.
        imports: What was imported when, the newest last.
    """

    files: Mapping[str, str]
    spans: tuple[Span, ...] = ()
    imports: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The document as JSON values."""
        return {
            "files": dict(self.files),
            "spans": [[iso(start), iso(end)] for start, end in self.spans],
            "imports": list(self.imports[-KEEP_IMPORTS:]),
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Manifest":
        """Read what `as_dict` gave.

        Raises:
            Invalid: ``bad_imports`` for anything else.
        """
        try:
            return cls(
                files={str(year): str(name) for year, name in data["files"].items()},
                spans=tuple((parse_iso(start), parse_iso(end)) for start, end in data["spans"]),
                imports=tuple(data["imports"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid(
                "bad_imports",
                f"data/{MANIFEST} is not in the desk's form ({error!r}); put it back from a copy, or delete "
                "it and import the calendars again",
                file=f"data/{MANIFEST}",
            ) from error


class Imports:
    """Reads and writes imported calendars."""

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._manifest: tuple[FileState, Manifest] | None = None
        self._years: dict[str, tuple[Event, ...]] = {}

    def add(
        self, events: Sequence[Event], spans: Iterable[Span], now: datetime, described: Mapping[str, Any]
    ) -> dict[str, int]:
        """Put events on record; those that are there already change nothing.

        Args:
            events: Of the import.
            spans: What the import speaks of.
            now: Wall time, when its events are first seen.
            described: What is kept about the import.

        Returns:
            How many are new, changed, unchanged.

        Raises:
            DeskError: A file cannot be read or written; what was before then stands.
        """
        with self._storage.lock(LOCK, LOCK_TIMEOUT):
            manifest = self.manifest()
            by_year: dict[str, dict[str, Event]] = defaultdict(dict)
            for event in events:
                by_year[f"{event.at:%Y}"][event.key] = event
            counts = {"new": 0, "changed": 0, "unchanged": 0}
            files = dict(manifest.files)
            for year, wanted in by_year.items():
                old = self._storage.read_bytes(files[year]) if year in files else b""
                held = {event.key: event for event in self._year(files[year])} if year in files else {}
                records = list(_records(wanted.values(), held, now, counts))
                if records:
                    files[year] = self._write(year, old, records)
            covered = united([*manifest.spans, *spans])
            if files != manifest.files or covered != manifest.spans:
                told = {"imported_at": iso(now), **described, **counts}
                made = Manifest(files=files, spans=covered, imports=(*manifest.imports, told))
                self._storage.write_json(MANIFEST, made.as_dict())
            for name in self._storage.names("calendar/imported/*.jsonl"):
                if name not in files.values():
                    self._storage.delete(name)
            return counts

    def manifest(self) -> Manifest:
        """What was imported; nothing where there is no manifest.

        Raises:
            Invalid: It cannot be read.
        """
        if not self._storage.exists(MANIFEST):
            return Manifest(files={})
        state = self._storage.state(MANIFEST)
        if self._manifest is None or self._manifest[0] != state:
            self._manifest = (state, Manifest.from_dict(self._storage.read_json(MANIFEST)))
        return self._manifest[1]

    def timeline(self, begin: datetime, end: datetime) -> Timeline:
        """The imported events within reach of [begin, end], and what the imports speak of.

        Raises:
            DeskError: A file cannot be read.
        """
        manifest = self.manifest()
        spans = tuple(span for span in manifest.spans if span[0] <= end and begin < span[1])
        if not spans:
            return Timeline()
        years = range((begin - PAST_REACH).year, (end + FUTURE_REACH).year + 1)
        names = [manifest.files[str(year)] for year in years if str(year) in manifest.files]
        return Timeline(imported=tuple(chain.from_iterable(map(self._year, names))), spans=spans)

    def _year(self, name: str) -> tuple[Event, ...]:
        if name not in self._years:  # a file of that name never changes
            found: dict[str, Event] = {}
            for record in self._storage.read_jsonl(name):
                event = Event.from_dict(record["event"])
                found[event.key] = event
            self._years[name] = tuple(sorted(found.values(), key=lambda event: (event.at, event.key)))
        return self._years[name]

    def _write(self, year: str, old: bytes, records: Iterable[Mapping[str, Any]]) -> str:
        data = old + b"".join(encode_line(record, where=MANIFEST) for record in records)
        name = f"calendar/imported/{year}_{hashlib.sha256(data).hexdigest()[:16]}.jsonl"
        self._storage.write_bytes(name, data)
        return name


def _records(
    wanted: Iterable[Event], held: Mapping[str, Event], now: datetime, counts: dict[str, int]
) -> Iterable[Mapping[str, Any]]:
    for event in wanted:
        old = held.get(event.key)
        if old is None:
            counts["new"] += 1
            yield change_record("imported", event.seen(now), now, {})
            continue
        seen = replace(event, first_seen_at=old.first_seen_at)
        changes = changes_of(old, seen)
        counts["changed" if changes else "unchanged"] += 1
        if changes:
            yield change_record("changed", seen, now, changes)
