"""Every content that a strategy's file had, numbered, under ``data/strategies/versions/{id}/``."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

from backend.core.clock import Clock, iso
from backend.storage.files import FileStorage

FOLDER: Final = "strategies/versions"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One content that a strategy's file had.

    Attributes:
        version: Its number, from 1.
        at: When it was saved or, for an edit by hand, found; wall time, ISO.
        by: Who saved it; ``file`` for an edit by hand.
        action: create, replace, enable, disable, duplicate, edit (by hand), delete.
        etag: Of the content; None for a deletion, which has none.
    """

    version: int
    at: str
    by: str
    action: str
    etag: str | None


class Versions:
    """Keeps and finds versions. The caller holds the lock of the strategies while it keeps one.

    Args:
        storage: Files below ``data/``.
        clock: Tells wall time.
    """

    def __init__(self, storage: FileStorage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def of(self, strategy_id: str) -> list[Version]:
        """All of a strategy, the oldest first; none if it never was saved here."""
        name = _index(strategy_id)
        if not self._storage.exists(name):
            return []
        return [Version(**row) for row in self._storage.read_jsonl(name)]

    def content(self, strategy_id: str, number: int) -> bytes:
        """What stood in the file, byte for byte; `NotFound` if there is no such version."""
        return self._storage.read_bytes(_content(strategy_id, number))

    def keep(self, strategy_id: str, data: bytes | None, *, by: str, action: str) -> Version:
        """Keep a content as the next version; without one, note that the file was deleted."""
        known = self.of(strategy_id)
        version = Version(
            version=known[-1].version + 1 if known else 1,
            at=iso(self._clock.wall()),
            by=by,
            action=action,
            etag=None if data is None else etag_of(data),
        )
        if data is not None:
            self._storage.write_bytes(_content(strategy_id, version.version), data)
        self._storage.append_jsonl(_index(strategy_id), [asdict(version)], sync=self._storage.fsync)
        return version


def etag_of(data: bytes) -> str:
    """The tag of a content: it changes with every byte."""
    return hashlib.sha256(data).hexdigest()[:32]


def names_content(if_match: str, etag: str) -> bool:
    """Whether an If-Match header takes a content of that tag."""
    given = [tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")]
    return "*" in given or etag in given


def _index(strategy_id: str) -> str:
    return f"{FOLDER}/{strategy_id}/index.jsonl"


def _content(strategy_id: str, number: int) -> str:
    return f"{FOLDER}/{strategy_id}/{number:06d}.json"
