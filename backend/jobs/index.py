"""What this process remembers of the ledger: the latest jobs, kept small, folded as rows come in."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from backend.jobs.rows import RANK, STATE, Kind, Row, position, view
from backend.jobs.views import JobState, JobView

RING = 5_000
_NOWHERE = (-1, -1)


@dataclass(slots=True)
class Entry:
    """One job: its rows as bytes, and what is looked for often, unpacked.

    Attributes:
        id: The job.
        packed: Its rows, in the order in which they were read.
        state: Where it stands.
        place: (run, rank) of the deciding row.
        known: Whether its QUEUED row was read; without it the job is not shown.
    """

    id: str
    packed: list[bytes] = field(default_factory=list)
    state: JobState = JobState.QUEUED
    place: tuple[int, int] = _NOWHERE
    known: bool = False
    task: str = ""
    queue: str = ""
    actor: str = ""
    schedule: str | None = None
    key: str | None = None
    queued_at: str = ""
    sent_at: str | None = None
    sent_run: int = 0
    published: int = 0
    begun: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    expires_at: str | None = None
    due_at: str | None = None
    moved_at: str | None = None
    lateness: float | None = None
    worker: str | None = None
    cancel_requested: bool = False
    requeued_as: str | None = None

    @property
    def run(self) -> int:
        """How often the job was begun."""
        return max(0, self.place[0])

    def rows(self) -> list[Row]:
        """Its rows, unpacked."""
        return [orjson.loads(packed) for packed in self.packed]

    def view(self, *, timeline: bool = False) -> JobView:
        """The job as the service shows it."""
        return view(self.rows(), timeline=timeline)

    def add(self, row: Row) -> None:
        """Take in one more row, in any order."""
        self.packed.append(orjson.dumps(row))
        kind = Kind(row["kind"])
        if kind in {Kind.QUEUED, Kind.MISSED}:
            self._origin(row)
        elif kind in {Kind.SENT, Kind.REPUBLISHED}:
            self.sent_at = max(self.sent_at or "", row["at"])
            self.sent_run = max(self.sent_run, int(row["run"]))
            self.published += 1
        elif kind is Kind.STARTED:
            self.lateness = row.get("lateness", self.lateness)
            if row["run"] > self.begun:
                self.begun, self.started_at, self.worker = row["run"], row["at"], row.get("worker")
        elif kind is Kind.CANCEL_REQUESTED:
            self.cancel_requested = True
        elif kind is Kind.REQUEUED:
            self.requeued_as = row.get("new_job")
        place = position(row)
        if place > self.place:
            self.place = place
            self.state = STATE[kind]
            self.due_at = row.get("due_at")
            self.moved_at = row["at"]
            self.ended_at = row["at"] if RANK[kind] == RANK[Kind.FAILED] else None

    def _origin(self, row: Row) -> None:
        if self.known and row.get("adopted"):
            return
        self.known = True
        self.task, self.queue, self.actor = row["task"], row["queue"], row["actor"]
        self.schedule, self.key = row.get("schedule"), row.get("key")
        self.queued_at, self.expires_at = row["at"], row.get("expires_at")


class Index:
    """Jobs by id, oldest first; ended ones are forgotten beyond `limit`, live ones never."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.forgot = False
        self.count = 0
        self.ring: deque[tuple[int, bytes]] = deque(maxlen=RING)
        self._entries: dict[str, Entry] = {}
        self._keys: dict[str, str] = {}

    def add(self, row: Row) -> None:
        """Take in a row. One that no version of this program writes is passed over."""
        job_id, kind = row.get("job"), row.get("kind")
        if not isinstance(job_id, str) or kind not in Kind.__members__:
            return
        entry = self._entries.get(job_id)
        if entry is None:
            entry = self._entries[job_id] = Entry(job_id)
        entry.add(row)
        if entry.key is not None and entry.state is not JobState.REFUSED:
            self._keys[entry.key] = job_id
        elif entry.key is not None and self._keys.get(entry.key) == job_id:
            del self._keys[entry.key]
        self.count += 1
        self.ring.append((self.count, entry.packed[-1]))

    def trim(self) -> None:
        """Forget the oldest ended jobs once there are a tenth more than the limit."""
        if len(self._entries) <= self.limit * 1.1:
            return
        surplus = len(self._entries) - self.limit
        ended = (job_id for job_id, entry in self._entries.items() if entry.state.terminal)
        for job_id in [job_id for _, job_id in zip(range(surplus), ended, strict=False)]:
            entry = self._entries.pop(job_id)
            if entry.key is not None and self._keys.get(entry.key) == job_id:
                del self._keys[entry.key]
            self.forgot = True

    def get(self, job_id: str) -> Entry | None:
        """The job, if it is remembered and its QUEUED row was read."""
        entry = self._entries.get(job_id)
        return entry if entry is not None and entry.known else None

    def keyed(self, key: str) -> str | None:
        """The job made under that idempotency key, if remembered; refused ones do not count."""
        return self._keys.get(key)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry in [*self._entries.values()] if entry.known)

    def __len__(self) -> int:
        return len(self._entries)

    def live(self) -> list[Entry]:
        """Jobs that have not ended."""
        return [entry for entry in self if not entry.state.terminal]


def unpacked(packed: bytes) -> dict[str, Any]:
    """A row from its bytes."""
    row: dict[str, Any] = orjson.loads(packed)
    return row
