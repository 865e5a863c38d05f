"""What watchers are told: changes of jobs and records of the journal, one stream with one cursor."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.core.errors import Invalid
from backend.jobs.service import Jobs
from backend.jobs.views import JobEvent, as_json
from backend.journal.index import Place
from backend.journal.journal import Journal
from backend.journal.record import GENESIS, Kind, Record

log = logging.getLogger(__name__)

BATCH: Final = 500
MOST_MISSED: Final = 5000
"""Records of the journal that somebody who comes back is still told one by one."""
_MARK: Final = 12
_DAMAGED: Final = "damaged"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in the stream.

    Attributes:
        jobs: The job service's cursor.
        seq: The last record of the journal that was passed.
        mark: The beginning of its hash: another desk's record of that number has another one.
    """

    jobs: str
    seq: int
    mark: str

    def __str__(self) -> str:
        return f"{self.jobs}~{self.seq}.{self.mark}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event, and the place behind it.

    Attributes:
        to_owners: It is of the security log: nobody else is told.
    """

    event: str
    cursor: Cursor
    data: Mapping[str, Any]
    to_owners: bool = False


class Feed:
    """Reads the stream.

    Args:
        jobs: The job service.
        journal: The record of decisions.
    """

    def __init__(self, jobs: Jobs, journal: Journal) -> None:
        self._jobs = jobs
        self._journal = journal

    def position(self) -> tuple[int, int]:
        """Differs from the one before where there is something new."""
        return self._jobs.changes(), self._journal.seq()

    def resume(self, text: str | None) -> tuple[Cursor, list[Told]]:
        """The place that a cursor names, now where there is none; and what is to be told before all else.

        Where it is none of this desk's journal, or too long ago, everything is to be read again: that is
        told, and the place is now. One that names no place in the journal goes on from now there.

        Raises:
            Invalid: ``bad_cursor``: it is no cursor.
        """
        if text is None:
            return self._now(), []
        jobs, parted, rest = text.partition("~")
        number, dot, mark = rest.partition(".")
        if not text.isprintable() or (parted and not (number.isascii() and number.isdigit() and dot)):
            raise Invalid("bad_cursor", f"{text!r} is not a cursor of the event stream")
        self._jobs.events(jobs, limit=1)  # refuses what is none
        last = self._journal.seq()
        if not parted:
            return self._behind(jobs, last), []
        seq = int(number[:20])
        if seq <= last and last - seq <= MOST_MISSED:
            found = self._behind(jobs, seq)
            if found.mark == mark != _DAMAGED:
                return found, []
        told = Told(event="reset", cursor=self._now(), data={"reason": "what came since is not known here"})
        return told.cursor, [told]

    def after(self, cursor: Cursor) -> tuple[Cursor, list[Told]]:
        """What came behind a place, at most `BATCH` of each sort, and the place behind that."""
        told: list[Told] = []
        for event in self._jobs.events(cursor.jobs, limit=BATCH):
            cursor = replace(cursor, jobs=event.cursor)
            told.append(Told(event="job", cursor=cursor, data=_of_job(event)))
        for place in self._journal.after(cursor.seq, limit=BATCH):
            record = self._read(place)
            mark = _DAMAGED if record is None else record.hash[:_MARK]
            cursor = replace(cursor, seq=place.seq, mark=mark)
            if record is not None:
                secret = record.kind is Kind.SECURITY
                told.append(Told(event="journal", cursor=cursor, data=_of_record(record), to_owners=secret))
        return cursor, told

    def _now(self) -> Cursor:
        return self._behind(self._jobs.cursor(), self._journal.seq())

    def _behind(self, jobs: str, seq: int) -> Cursor:
        if seq == 0:
            return Cursor(jobs=jobs, seq=0, mark=GENESIS[:_MARK])
        found = self._journal.after(seq - 1, limit=1)
        record = self._read(found[0]) if found and found[0].seq == seq else None
        return Cursor(jobs=jobs, seq=seq, mark=_DAMAGED if record is None else record.hash[:_MARK])

    def _read(self, place: Place) -> Record | None:
        try:
            return self._journal.at(place)
        except (Invalid, OSError) as error:
            log.warning("watchers are not told of record %d: %s", place.seq, error)
            return None


def _of_job(event: JobEvent) -> dict[str, Any]:
    return {name: value for name, value in as_json(event).items() if name != "cursor"}


def _of_record(record: Record) -> dict[str, Any]:
    """Which record it is and what it is about; what it says is asked for where it belongs."""
    payload = record.payload
    decision = payload if record.kind is Kind.DECISION else {}
    idea = _part(payload, "idea")
    about = (payload, idea, _part(payload, "request"), _part(payload, "asked"))
    return {
        "seq": record.seq,
        "kind": str(record.kind),
        "at": record.at,
        "at_wall": record.at_wall,
        "decision_id": _text(decision.get("id")) or _text(idea.get("decision_id")),
        "idea_id": _text(payload.get("idea_id")) or _text(payload.get("idea")),
        "symbol": next(filter(None, (_text(part.get("symbol")) for part in about)), None),
        "strategy": next(
            filter(None, (_text(part.get(name)) for part in about for name in ("strategy_id", "strategy"))),
            None,
        ),
    }


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = payload.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
