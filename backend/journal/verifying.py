"""Reading the whole journal: is each record as it was written, and is each there?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.core.clock import day, parse_iso
from backend.core.errors import DeskError, Invalid
from backend.journal.ends import PATTERN, DayEnd, day_of, kept_ends
from backend.journal.record import GENESIS, Record, digest, read
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage
from backend.storage.lines import stable_lines

SHORTEST_EXPECTED = 16
_HASH_LENGTH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first record that is not as it was written.

    Attributes:
        file: Its file, or where it should stand.
        line: Its line there.
        seq: The number that is expected there.
        why: What is wrong.
    """

    file: str
    line: int
    seq: int
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The fault as JSON values."""
        return {"file": self.file, "line": self.line, "seq": self.seq, "why": self.why}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What reading the whole journal found.

    Attributes:
        records: How many records were read up to the end or the first bad one.
        last_hash: Hash of the last good record; `GENESIS` if there is none.
        broken_at: The first record that was altered or is missing; None if there is none.
        days: The last good record of each day.
        unexpected: Of the hashes that were expected, those that no record has.
        notes: What is no fault, and worth knowing.
    """

    records: int
    last_hash: str
    broken_at: Fault | None = None
    days: tuple[DayEnd, ...] = ()
    unexpected: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every record is as it was written, and every expected hash is there."""
        return self.broken_at is None and not self.unexpected

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "ok": self.ok,
            "records": self.records,
            "last_hash": self.last_hash,
            "broken_at": None if self.broken_at is None else self.broken_at.as_dict(),
            "days": [end.as_dict() for end in self.days],
            "unexpected": list(self.unexpected),
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class _Reading:
    """How far reading came."""

    count: int = 0
    prev: str = GENESIS
    days: dict[str, DayEnd] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    torn: Fault | None = None


def verify(
    storage: FileStorage,
    *,
    expected: Sequence[str] = (),
    each: Callable[[Record, str, int], None] | None = None,
) -> Verification:
    """Read every record; see `Verification`. A desk may go on writing meanwhile.

    Args:
        storage: Files below ``data/``.
        expected: Hashes, or their first 16 or more characters, that were sent out: each is to be some
            record's.
        each: Called with each good record, its file and line.

    Raises:
        Invalid: Code ``bad_hash``: what is expected is no hash.
    """
    wanted = _wanted(expected)
    ends = {end.seq: end for end in kept_ends(storage)}  # before the records: those can only become more
    reading = _Reading()
    broken = None
    for record, name, number in _records(storage, reading):
        broken = record if isinstance(record, Fault) else _rewritten(record, name, number, ends)
        if broken is not None or isinstance(record, Fault):
            break
        reading.count, reading.prev = record.seq, record.hash
        reading.days[day_of(name)] = DayEnd(day=day_of(name), seq=record.seq, hash=record.hash)
        wanted = {text for text in wanted if not record.hash.startswith(text)} if wanted else wanted
        if each is not None:
            each(record, name, number)
    if broken is None:
        broken = _cut_off(storage, reading, ends)
    return Verification(
        records=reading.count,
        last_hash=reading.prev,
        broken_at=broken,
        days=tuple(reading.days.values()),
        unexpected=tuple(sorted(wanted)),
        notes=tuple(reading.notes),
    )


def _records(storage: FileStorage, reading: _Reading) -> Iterator[tuple[Record | Fault, str, int]]:
    """Each record with file and line, up to the first fault. A torn last line is kept in `reading`."""
    for name in storage.names(PATTERN):
        for number, line in stable_lines(storage.path(name)):
            expected = reading.count + 1
            record = _record(line)
            if record is None and not line.endswith(b"\n"):
                # Of a killed writer, if no record of that number was ever finished: what follows tells.
                reading.torn = Fault(
                    file=name, line=number, seq=expected, why="the line is damaged or cut off"
                )
                break
            why = _not_following(record, expected, reading.prev) or _not_itself(record, line, day_of(name))
            if record is None or why is not None:
                here = Fault(file=name, line=number, seq=expected, why=why or "")
                yield reading.torn or here, name, number
                return
            yield record, name, number


def _record(line: bytes) -> Record | None:
    try:
        return read(decode(line))
    except (ValueError, KeyError, TypeError):
        return None


def _not_following(record: Record | None, expected: int, prev: str) -> str | None:
    if record is None:
        return "it is not a journal record"
    if record.seq != expected:
        return f"it has number {record.seq}, and {expected} was expected"
    if record.prev != prev:
        return "it does not follow from the record before it"
    return None


def _not_itself(record: Record | None, line: bytes, day_named: str) -> str | None:
    if record is None:
        return None
    try:
        if digest(record.as_dict()) != record.hash:
            return "its content does not match its hash"
        if encode(record.as_dict(), where="journal") != line.removesuffix(b"\n"):
            return "its bytes are not those that were written"
        if day(parse_iso(record.at_wall)) != day_named:
            return f"it was written on {record.at_wall[:10]} and stands in the file of another day"
    except (ValueError, TypeError, DeskError):
        return "it is not a journal record"
    return None


def _rewritten(record: Record, name: str, number: int, ends: dict[int, DayEnd]) -> Fault | None:
    end = ends.get(record.seq)
    if end is None or end.hash == record.hash:
        return None
    why = f"on {end.day} record {end.seq} had the hash {end.hash}: it, or one before it, was written anew"
    return Fault(file=name, line=number, seq=record.seq, why=why)


def _cut_off(storage: FileStorage, reading: _Reading, ends: dict[int, DayEnd]) -> Fault | None:
    """What is missing from the end; a line of a killed writer is noted, and is nothing missing."""
    last = max(ends, default=0)
    if last > reading.count:
        if reading.torn is not None:
            return reading.torn
        names = storage.names(PATTERN)
        name = names[-1] if names else f"{PATTERN}"
        lines = sum(1 for _ in stable_lines(storage.path(name))) if names else 0
        gone = last - reading.count
        why = (
            f"the journal ends before it, and record {last} had been written on {ends[last].day}: "
            f"{gone} {'record is' if gone == 1 else 'records are'} missing from the end"
        )
        return Fault(file=name, line=lines + 1, seq=reading.count + 1, why=why)
    if reading.torn is not None:
        torn = reading.torn
        reading.notes.append(
            f"{torn.file}, line {torn.line}: a writer was killed in it; it was never a record, and whoever "
            "writes next cuts it off"
        )
    if reading.count and not ends:
        reading.notes.append(
            "no end of the journal is on record: records missing from its end would not show"
        )
    return None


def _wanted(expected: Sequence[str]) -> set[str]:
    wanted = {text.strip().lower() for text in expected}
    for text in wanted:
        if not SHORTEST_EXPECTED <= len(text) <= _HASH_LENGTH or set(text) - set("0123456789abcdef"):
            raise Invalid(
                "bad_hash",
                f"{text!r} is no hash: {SHORTEST_EXPECTED} to {_HASH_LENGTH} characters of 0-9 and a-f",
                expected=text,
            )
    return wanted
