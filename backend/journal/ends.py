"""Where the journal ended: what tells that records are missing from its end.

A chain cannot tell that its last links are gone. So the last record's number and hash stand in a file of
their own, and each finished day's in a list. Whoever was sent a day's last hash can check it later, against
a journal that was written anew from beginning to end.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from backend.storage import atomic
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage

FOLDER = "decisions"
PATTERN = f"{FOLDER}/decisions_*.jsonl"
LAST = f"{FOLDER}/last.json"
FINISHED = f"{FOLDER}/finished_days.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class DayEnd:
    """The last record of one day.

    Attributes:
        day: Its UTC day by the wall clock, ``YYYYmmdd``.
        seq: Number of the day's last record.
        hash: That record's hash.
    """

    day: str
    seq: int
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """The end as JSON values."""
        return {"day": self.day, "seq": self.seq, "hash": self.hash}


def file_of(day: str) -> str:
    """Name of the journal's file of a day."""
    return f"{FOLDER}/decisions_{day}.jsonl"


def day_of(name: str) -> str:
    """Day of a journal's file."""
    return PurePosixPath(name).stem.removeprefix("decisions_")


def finish(storage: FileStorage, end: DayEnd) -> None:
    """Keep the end of a day, before the first record of the next one."""
    storage.append_jsonl(FINISHED, [end.as_dict()])


def note_last(storage: FileStorage, end: DayEnd) -> None:
    """Keep the last record's number and hash; not synced, since the journal itself is."""
    data = encode(end.as_dict(), where=LAST) + b"\n"
    atomic.replace_file(storage.path(LAST), data, mode=None, fsync=False)


def kept_ends(storage: FileStorage) -> Iterator[DayEnd]:
    """The ends on record, the oldest first; what cannot be read is passed over."""
    rows: list[Any] = []
    if storage.exists(FINISHED):
        rows += storage.read_jsonl(FINISHED, problems=[])
    with contextlib.suppress(OSError, ValueError):  # absent or torn: the next record writes it again
        rows.append(decode(atomic.read_file(storage.path(LAST))))
    seen: set[DayEnd] = set()
    for row in rows:
        try:
            end = DayEnd(day=str(row["day"]), seq=int(row["seq"]), hash=str(row["hash"]))
        except (KeyError, TypeError, ValueError):
            continue
        if end not in seen:
            seen.add(end)
            yield end
