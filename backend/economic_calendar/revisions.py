"""What changed between two looks at a calendar. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import iso
from backend.economic_calendar.model import REVISABLE, Event

KEEP_PAST = timedelta(days=14)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What is on record of events that are not held.

    Attributes:
        first_seen: First sights by key, aware UTC.
        last: Each event as last recorded, by key.
        withdrawn: Keys of those that the provider in use no longer names, or never named.
    """

    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    last: Mapping[str, Event] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """Events after a look, and what it changed.

    Attributes:
        events: Those of the new look, and those outside its time that are still within reach.
        revisions: One record a change: kind (new, changed, moved, withdrawn,
            returned), key, event, before, after.
    """

    events: tuple[Event, ...]
    revisions: tuple[dict[str, Any], ...]

    def count(self, kind: str) -> int:
        """How many changes are of that kind."""
        return sum(record["kind"] == kind for record in self.revisions)


def merge(
    held: Sequence[Event],
    fetched: Sequence[Event],
    *,
    covered_from: datetime,
    covered_to: datetime,
    now: datetime,
    history: History,
) -> Merged:
    """Put a new look over what is held.

    Within [covered_from, covered_to) the new look is the truth: an event that it no longer names is
    withdrawn. Outside, what is held stays for `KEEP_PAST`. An event whose time was changed keeps its
    first sight, if title and currency tell which one it was.

    Args:
        held: Events of earlier looks.
        fetched: Events of this look.
        covered_from: Begin of the time this look speaks of.
        covered_to: End of it.
        now: Wall time of this look.
        history: What is on record of events that are not held.
    """
    before = {event.key: event for event in held}
    inside = {key: event for key, event in before.items() if covered_from <= event.at < covered_to}
    after = {event.key: event for event in fetched}
    gone = [event for key, event in inside.items() if key not in after]
    fresh = [event for key, event in after.items() if key not in before]
    moved = _moves(gone, fresh)
    withdrawn = {event.key for event in gone} - {old.key for old in moved.values()}

    merged: dict[str, Event] = {
        key: event for key, event in before.items() if key not in inside and event.at >= now - KEEP_PAST
    }
    revisions: list[dict[str, Any]] = []
    for key, event in after.items():
        old = before.get(key) or moved.get(key)
        if old is not None:
            event = event.seen(old.first_seen_at or now)  # noqa: PLW2901 - the same event, dated
            changes = changes_of(old, event)
            if changes:
                kind = "changed" if key in before else "moved"
                revisions.append(change_record(kind, event, now, changes, previous_key=old.key))
        elif key in history.first_seen:
            event = event.seen(history.first_seen[key])  # noqa: PLW2901
            changes = changes_of(history.last[key], event)
            if key in history.withdrawn:
                revisions.append(change_record("returned", event, now, changes))
            elif changes:
                revisions.append(change_record("changed", event, now, changes))
        else:
            event = event.seen(now)  # noqa: PLW2901
            revisions.append(change_record("new", event, now, {}))
        merged[key] = event
    revisions += [change_record("withdrawn", before[key], now, {}) for key in sorted(withdrawn)]
    events = tuple(sorted(merged.values(), key=lambda event: (event.at, event.key)))
    return Merged(events=events, revisions=tuple(revisions))


def _moves(gone: Sequence[Event], fresh: Sequence[Event]) -> dict[str, Event]:
    """New key -> the event that it was, where currency and title leave no doubt."""
    groups: dict[tuple[str, str], tuple[list[Event], list[Event]]] = defaultdict(lambda: ([], []))
    for event in gone:
        groups[event.currency, event.title][0].append(event)
    for event in fresh:
        groups[event.currency, event.title][1].append(event)
    found = {}
    for old, new in groups.values():
        if len(old) == len(new):
            ordered = zip(
                sorted(old, key=lambda event: event.at), sorted(new, key=lambda event: event.at), strict=True
            )
            found.update({after.key: before for before, after in ordered})
    return found


def changes_of(old: Event, new: Event) -> dict[str, tuple[Any, Any]]:
    """What differs, by field: the JSON values before and after."""
    was, now = old.as_dict(), new.as_dict()
    return {name: (was[name], now[name]) for name in REVISABLE if was[name] != now[name]}


def change_record(
    kind: str,
    event: Event,
    now: datetime,
    changes: Mapping[str, tuple[Any, Any]],
    *,
    previous_key: str | None = None,
) -> dict[str, Any]:
    """One change as it is kept."""
    record: dict[str, Any] = {
        "recorded_at": iso(now),
        "kind": kind,
        "key": event.key,
        "event": event.as_dict(),
        "before": {name: was for name, (was, _) in changes.items()},
        "after": {name: value for name, (_, value) in changes.items()},
    }
    if previous_key is not None and previous_key != event.key:
        record["previous_key"] = previous_key
    return record
