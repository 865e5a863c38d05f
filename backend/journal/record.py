"""One line of the journal, and the hash that ties it to the line before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

GENESIS = "0" * 64


class Kind(StrEnum):
    """What a record tells of."""

    DECISION = "decision"
    IDEA_STEP = "idea_step"
    ORDER_INTENT = "order_intent"
    ORDER_OUTCOME = "order_outcome"
    HALT = "halt"
    RESUME = "resume"
    MODE_CHANGE = "mode_change"
    SETTINGS_CHANGE = "settings_change"
    SECURITY = "security"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What somebody wants recorded.

    Attributes:
        kind: What it tells of.
        payload: JSON values.
        key: Idempotency key: an entry with the kind and key of an earlier record is that record.
    """

    kind: Kind
    payload: Mapping[str, Any]
    key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """An entry as it stands in the journal.

    Attributes:
        seq: Position, from 1, without gaps over all days.
        kind: What it tells of.
        at: Desk time, ISO-8601 UTC.
        at_wall: Wall time, ISO-8601 UTC; its day names the file.
        actor: Who caused it.
        key: Idempotency key, or None.
        payload: JSON values.
        prev: Hash of the record before; `GENESIS` for the first.
        hash: SHA-256, in hex, over all of the above.
    """

    seq: int
    kind: Kind
    at: str
    at_wall: str
    actor: str
    key: str | None
    payload: Mapping[str, Any]
    prev: str
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """The record as it is written."""
        return {name: getattr(self, name) for name in _HASHED} | {"hash": self.hash}


_HASHED = ("seq", "kind", "at", "at_wall", "actor", "key", "payload", "prev")


def digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (sorted keys, no spaces) of the hashed fields, in hex."""
    canonical = orjson.dumps({name: fields[name] for name in _HASHED}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def read(line: Mapping[str, Any]) -> Record:
    """The record of a parsed line; `KeyError` or `ValueError` if it is none."""
    return Record(
        **{name: line[name] for name in _HASHED if name != "kind"},
        kind=Kind(line["kind"]),
        hash=line["hash"],
    )
