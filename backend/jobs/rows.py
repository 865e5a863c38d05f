"""The ledger's rows: what is written about a job, and how its rows add up to where it stands.

A job is the set of its rows, whatever the order in which they are read: each carries the number of
the run that it belongs to, and the row of the highest run, and in it the furthest kind, decides.
"""

import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.core.clock import parse_iso, require_utc
from backend.jobs.views import JobError, JobState, JobStep, JobView, Progress

Row = dict[str, Any]


class Kind(StrEnum):
    """What a row says."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    REPUBLISHED = "REPUBLISHED"
    STARTED = "STARTED"
    LEASE = "LEASE"
    PROGRESS = "PROGRESS"
    DUPLICATE = "DUPLICATE"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    RETRY = "RETRY"
    RELEASED = "RELEASED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    LOST = "LOST"
    DEAD = "DEAD"
    MISSED = "MISSED"
    REQUEUED = "REQUEUED"


# How far within its run a row brings a job; rows without a rank are remarks and move nothing.
RANK = {
    Kind.QUEUED: 0,
    Kind.SENT: 1,
    Kind.STARTED: 2,
    Kind.RETRY: 3,
    Kind.RELEASED: 3,
    Kind.SUCCEEDED: 4,
    Kind.FAILED: 4,
    Kind.REFUSED: 4,
    Kind.CANCELLED: 4,
    Kind.EXPIRED: 4,
    Kind.LOST: 4,
    Kind.DEAD: 4,
    Kind.MISSED: 4,
}

STATE = {
    Kind.QUEUED: JobState.QUEUED,
    Kind.SENT: JobState.SENT,
    Kind.STARTED: JobState.STARTED,
    Kind.RETRY: JobState.RETRYING,
    Kind.RELEASED: JobState.SENT,
    Kind.SUCCEEDED: JobState.SUCCEEDED,
    Kind.FAILED: JobState.FAILED,
    Kind.REFUSED: JobState.REFUSED,
    Kind.CANCELLED: JobState.CANCELLED,
    Kind.EXPIRED: JobState.EXPIRED,
    Kind.LOST: JobState.LOST,
    Kind.DEAD: JobState.DEAD,
    Kind.MISSED: JobState.MISSED,
}

ENDS = frozenset(kind for kind, state in STATE.items() if state.terminal)


def new_id(wall: datetime) -> str:
    """A job id: a UUID of version 7, so that ids of later jobs sort behind earlier ones."""
    return _uuid7(wall, secrets.token_bytes(10))


def planned_id(schedule: str, planned_at: datetime, era: str) -> str:
    """The one id that a planned tick can have, so that two planners make the same job of it.

    Args:
        schedule: The schedule's name.
        planned_at: The tick.
        era: Changes when the clock was set back, so that the repeated hour runs again.
    """
    text = f"{schedule}:{written(planned_at)}:{era}"
    return _uuid7(planned_at, hashlib.sha256(text.encode()).digest()[:10])


def _uuid7(moment: datetime, noise: bytes) -> str:
    milliseconds = int(require_utc(moment).timestamp() * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | int.from_bytes(noise, "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def written(moment: datetime) -> str:
    """A time as rows carry it: always to the microsecond, so that text order is time order."""
    return require_utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def position(row: Mapping[str, Any]) -> tuple[int, int]:
    """(run, rank) of a row; (-1, -1) for a remark."""
    rank = RANK.get(row["kind"])
    return (-1, -1) if rank is None else (int(row.get("run", 0)), rank)


def deaths(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many runs began and never came to any end that a worker could still write down.

    The latest run counts too: whoever asks knows whether its worker still lives.
    """
    begun = {int(row["run"]) for row in rows if row["kind"] == Kind.STARTED}
    told = {int(row.get("run", 0)) for row in rows if RANK.get(row["kind"], 0) > RANK[Kind.STARTED]}
    return len(begun - told)


def view(rows: Sequence[Row], *, timeline: bool) -> JobView:
    """The job that these rows describe; there is a QUEUED row among them."""
    origin = _origin(rows)
    deciding = _deciding(rows)
    starts = sorted((row for row in rows if row["kind"] == Kind.STARTED), key=_run)
    last = starts[-1] if starts else None
    state = STATE[Kind(deciding["kind"])]
    ended = deciding if state.terminal else None
    same_run = ended is not None and last is not None and _run(ended) == _run(last)
    unfinished = deaths(rows) - (1 if state is JobState.STARTED else 0)
    result = deciding.get("result") if state is JobState.SUCCEEDED else None
    return JobView(
        id=origin["job"],
        task=origin["task"],
        queue=origin["queue"],
        kwargs=origin.get("kwargs") or {},
        state=state,
        actor=origin["actor"],
        key=origin.get("key"),
        schedule=origin.get("schedule"),
        planned_at=_time(origin.get("planned_at")),
        retry_of=origin.get("retry_of"),
        queued_at=parse_iso(origin["at"]),
        sent_at=_first(rows, Kind.SENT),
        started_at=_time(last["at"]) if last else None,
        finished_at=_time(ended["at"]) if ended else None,
        desk_queued_at=_time(origin.get("desk")),
        desk_started_at=_time(last.get("desk")) if last else None,
        desk_finished_at=_time(ended.get("desk")) if ended else None,
        lateness=starts[0].get("lateness") if starts else None,
        duration=_seconds(last, ended) if same_run else None,
        attempts=len(starts),
        retries=sum(row["kind"] == Kind.RETRY for row in rows),
        redeliveries=max(0, unfinished),
        worker=last.get("worker") if last else None,
        lease=_lease(rows, last) if state is JobState.STARTED else None,
        progress=_progress(rows, last) if state is JobState.STARTED else None,
        result=result if isinstance(result, dict) else None,
        error=_error(deciding),
        cancel_requested=any(row["kind"] == Kind.CANCEL_REQUESTED for row in rows),
        expires_at=_time(origin.get("expires_at")),
        timeline=_timeline(rows) if timeline else (),
    )


def _origin(rows: Sequence[Row]) -> Row:
    queued = [row for row in rows if row["kind"] in {Kind.QUEUED, Kind.MISSED}]
    # A worker adopts a job whose row it cannot see yet; the asker's own row says more.
    return min(queued, key=lambda row: (bool(row.get("adopted")), row["kind"] != Kind.QUEUED, row["at"]))


def _deciding(rows: Sequence[Row]) -> Row:
    # Within one run the first end stands; among equals before the end, the latest.
    best = rows[0]
    for row in rows[1:]:
        ahead, held = position(row), position(best)
        earlier_end = row["at"] < best["at"] and ahead[1] == RANK[Kind.SUCCEEDED]
        if ahead > held or (ahead == held and earlier_end):
            best = row
    return best


def _timeline(rows: Sequence[Row]) -> tuple[JobStep, ...]:
    hidden = {"kind", "job", "at", "worker", "result", "traceback"}
    return tuple(
        JobStep(
            kind=row["kind"].lower(),
            at=parse_iso(row["at"]),
            worker=row.get("worker"),
            details={name: value for name, value in row.items() if name not in hidden and value is not None},
        )
        for row in sorted(rows, key=lambda row: (row["at"], position(row)))
        if row["kind"] != Kind.PROGRESS  # a word a second would hide the story
    )


def _error(row: Row) -> JobError | None:
    error = row.get("error")
    if not isinstance(error, dict):
        return None
    return JobError(
        category=error.get("category", "error"),
        code=error.get("code", "unknown"),
        message=error.get("message", ""),
        details=error.get("details") or {},
        traceback=error.get("traceback"),
    )


def _lease(rows: Sequence[Row], last: Row | None) -> datetime | None:
    renewed = [row["at"] for row in rows if row["kind"] == Kind.LEASE]
    return _time(max(renewed)) if renewed else _time(last["at"]) if last else None


def _progress(rows: Sequence[Row], last: Row | None) -> Progress | None:
    """The newest word of the run that is going on."""
    told = [
        row for row in rows if row["kind"] == Kind.PROGRESS and last is not None and _run(row) == _run(last)
    ]
    if not told:
        return None
    newest = max(told, key=lambda row: (row["at"], row["done"]))
    return Progress(done=newest["done"], total=newest["total"])


def _first(rows: Sequence[Row], kind: Kind) -> datetime | None:
    found = [row["at"] for row in rows if row["kind"] == kind]
    return _time(min(found)) if found else None


def _run(row: Row) -> int:
    return int(row.get("run", 0))


def _seconds(start: Row | None, end: Row | None) -> float | None:
    if start is None or end is None:
        return None
    return max(0.0, (parse_iso(end["at"]) - parse_iso(start["at"])).total_seconds())


def _time(text: Any) -> datetime | None:
    return parse_iso(text) if isinstance(text, str) else None
