"""The calendar on disk: the newest state as one JSON file, revisions as an append-only log.

All names are relative to the desk's data folder.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import iso, parse_iso
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.economic_calendar.model import Event
from backend.economic_calendar.revisions import History
from backend.economic_calendar.timeline import LookRecord, Timeline, versions
from backend.storage.files import FileState, FileStorage

CACHE = "cache/economic_calendar.json"
STATE = "calendar/provider_state.json"
LOCK = "calendar/update"


def revisions_name(moment: datetime) -> str:
    """The log of that UTC month."""
    return f"calendar/revisions_{moment:%Y%m}.jsonl"


def looks_name(moment: datetime) -> str:
    """The looks of that UTC month."""
    return f"calendar/looks_{moment:%Y%m}.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCalendar:
    """What `CACHE` holds.

    Attributes:
        provider: Who gave it.
        fetched_at: When the provider last gave or confirmed these events, aware UTC.
        checked_at: When the desk last looked, also in vain.
        stale: Whether that last look failed.
        error: Why it failed, or None.
        covered_from: Begin of the time the events speak of, inclusive.
        covered_to: End of it, exclusive.
        max_age: Beyond this age the events do not count as known.
        overdue_after: Beyond this age a look is overdue.
        events: Ascending by time.
        problems: Rows that were left out.
    """

    provider: str
    fetched_at: datetime
    checked_at: datetime
    stale: bool
    error: str | None
    covered_from: datetime
    covered_to: datetime
    max_age: timedelta
    overdue_after: timedelta
    events: tuple[Event, ...]
    problems: tuple[str, ...] = ()

    def look(self) -> LookRecord:
        """The look that these events are of."""
        return LookRecord(
            at=self.checked_at,
            fetched_at=self.fetched_at,
            provider=self.provider,
            covered_from=self.covered_from,
            covered_to=self.covered_to,
            max_age=self.max_age,
            overdue_after=self.overdue_after,
        )

    def as_dict(self) -> dict[str, Any]:
        """The document as JSON values."""
        return {
            "provider": self.provider,
            "fetched_at": iso(self.fetched_at),
            "checked_at": iso(self.checked_at),
            "stale": self.stale,
            "error": self.error,
            "covered_from": iso(self.covered_from),
            "covered_to": iso(self.covered_to),
            "max_age_seconds": self.max_age.total_seconds(),
            "overdue_after_seconds": self.overdue_after.total_seconds(),
            "events": [event.as_dict() for event in self.events],
            "problems": list(self.problems),
        }

    @classmethod
    def from_dict(cls, data: Any) -> "StoredCalendar":
        """Read what `as_dict` gave.

        Raises:
            Invalid: ``bad_calendar_file`` if the document has another form.
        """
        try:
            return cls(
                provider=data["provider"],
                fetched_at=parse_iso(data["fetched_at"]),
                checked_at=parse_iso(data["checked_at"]),
                stale=bool(data["stale"]),
                error=data["error"],
                covered_from=parse_iso(data["covered_from"]),
                covered_to=parse_iso(data["covered_to"]),
                max_age=timedelta(seconds=data["max_age_seconds"]),
                overdue_after=timedelta(seconds=data["overdue_after_seconds"]),
                events=tuple(Event.from_dict(event) for event in data["events"]),
                problems=tuple(data["problems"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise Invalid(
                "bad_calendar_file",
                f"data/{CACHE} is not in the desk's form ({error!r}); the next update writes it anew",
                file=f"data/{CACHE}",
            ) from error


class CalendarFiles:
    """Reads and writes the calendar's files."""

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._cached: tuple[tuple[int, int, int], StoredCalendar] | None = None
        self._looks: tuple[Any, tuple[LookRecord, ...]] = ({}, ())
        self._timeline: tuple[Any, Timeline] = ({}, Timeline())

    def lock(self, timeout: float) -> AbstractContextManager[None]:
        """Only one update at a time, over all processes."""
        return self._storage.lock(LOCK, timeout)

    def load(self) -> StoredCalendar | None:
        """The stored calendar, read again only when the file has changed; None where there is none.

        Raises:
            Invalid: If it cannot be read; a file that is not JSON has then been set aside.
        """
        try:
            status = self._storage.path(CACHE).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable("calendar_unreadable", f"data/{CACHE} cannot be read: {error}") from error
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._cached is None or self._cached[0] != signature:
            self._cached = (
                signature,
                StoredCalendar.from_dict(self._storage.read_json_or(CACHE, None)),
            )
        return self._cached[1]

    def save(self, calendar: StoredCalendar) -> None:
        """Replace the stored calendar atomically."""
        self._storage.write_json(CACHE, calendar.as_dict())

    def load_state(self) -> dict[str, Any]:
        """The update's memory: next look, failures, the provider's own; empty when lost."""
        state = self._storage.read_json_or(STATE, {})
        return state if isinstance(state, dict) else {}

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Replace the update's memory atomically."""
        self._storage.write_json(STATE, dict(state))

    def append_revisions(self, records: Iterable[Mapping[str, Any]], now: datetime) -> None:
        """Add to this month's log."""
        records = list(records)
        if records:
            self._storage.append_jsonl(revisions_name(now), records, sync=True)

    def append_look(self, look: LookRecord) -> None:
        """Put a successful look on record."""
        self._storage.append_jsonl(looks_name(look.at), [look.as_dict()], sync=True)

    def timeline(self, until: datetime) -> Timeline:
        """Looks and revisions recorded up to the end of that month, read again only when files have changed.

        Without a look there are no revisions to read.

        Raises:
            DeskError: A file cannot be read.
        """
        states = self._states("looks", looks_name(until))
        if self._looks[0] != states:
            lines = (line for name in states for line in self._storage.read_jsonl(name))
            found = (LookRecord.from_dict(line) for line in lines)
            self._looks = (states, tuple(sorted(found, key=lambda look: look.at)))
        looks = self._looks[1]
        if not any(look.at <= until for look in looks):
            return Timeline(looks=looks)
        both = states | self._states("revisions", revisions_name(until))
        if self._timeline[0] != both:
            lines = (
                line for name in both if "/revisions_" in name for line in self._storage.read_jsonl(name)
            )
            self._timeline = (both, Timeline(looks=looks, events=versions(lines, looks)))
        return self._timeline[1]

    def _states(self, kind: str, last: str) -> dict[str, FileState]:
        found = self._storage.states("calendar", ".jsonl")
        return {name: state for name, state in found.items() if f"calendar/{kind}_" <= name <= last}

    def history(self, now: datetime, provider: str, problems: list[DeskError]) -> History:
        """What the logs of this month and the one before say of each event.

        So the first sight survives a lost cache file, and another provider for a time. Lines that cannot be
        read go to `problems`.
        """
        seen: dict[str, datetime] = {}
        last: dict[str, Event] = {}
        withdrawn: set[str] = set()
        for name in sorted({revisions_name(now - timedelta(days=31)), revisions_name(now)}):
            if not self._storage.exists(name):
                continue
            for record in self._storage.read_jsonl(name, problems=problems):
                try:
                    kind, event = record["kind"], Event.from_dict(record["event"])
                except (KeyError, Invalid) as error:
                    problems.append(
                        Invalid("bad_revision", f"data/{name}: a record cannot be read ({error})")
                    )
                    continue
                if event.first_seen_at is not None:
                    seen.setdefault(event.key, event.first_seen_at)
                last[event.key] = event
                gone = {event.key} if kind == "withdrawn" else {record.get("previous_key", event.key)}
                withdrawn = (withdrawn - {event.key}) | (gone if kind == "withdrawn" else gone - {event.key})
        look = self._storage.last_jsonl(looks_name(now)) or self._storage.last_jsonl(
            looks_name(now - timedelta(days=31))
        )
        if look is not None and look.get("provider") != provider:
            withdrawn = set(last)
        return History(first_seen=seen, last=last, withdrawn=frozenset(withdrawn))
