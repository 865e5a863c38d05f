"""Tags and notes on closed trades: append-only, beside the trades, the newest of a trade in force."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from backend.core.clock import Clock, iso
from backend.core.errors import Invalid, NotFound
from backend.orders.trade_list import TradeFilter, trades_page
from backend.storage.files import FileStorage

FILE: Final = "trades/notes.jsonl"
MOST_TAGS: Final = 20
LONGEST_TAG: Final = 32
LONGEST_NOTE: Final = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What somebody said of a trade.

    Attributes:
        id: Of the trade.
        tags: Each once, whatever its case.
        note: Free text.
        by: Who said it.
        at: Wall time, ISO-8601 UTC.
    """

    id: str
    tags: tuple[str, ...]
    note: str
    by: str
    at: str


class TradeNotes:
    """Reads and writes notes.

    Args:
        home: Files below the desk's folder, where the trades are.
        storage: Files below ``data/``.
        clock: Tells wall time.
    """

    def __init__(self, home: FileStorage, storage: FileStorage, clock: Clock) -> None:
        self._home = home
        self._storage = storage
        self._clock = clock

    def put(self, trade_id: str, *, tags: Sequence[str], note: str, actor: str) -> Note:
        """Say something of a trade in place of what was said before, which stays on record.

        Raises:
            NotFound: ``unknown_trade``: the desk has closed no such trade.
            Invalid: ``bad_note``, with the key.
        """
        kept = Note(
            id=trade_id,
            tags=_tags(tags),
            note=_text(note),
            by=actor,
            at=iso(self._clock.wall()),
        )
        self._known(trade_id)
        self._storage.append_jsonl(FILE, [asdict(kept)], sync=True)
        return kept

    def all(self) -> dict[str, Note]:
        """What is in force, by trade; lines that are no notes are left out."""
        return {note.id: note for note in self._lines()}

    def of(self, trade_id: str) -> list[Note]:
        """All that was ever said of a trade, the newest first; `NotFound` ``unknown_trade``."""
        self._known(trade_id)
        return [note for note in self._lines() if note.id == trade_id][::-1]

    def _known(self, trade_id: str) -> None:
        if not trades_page(self._home, TradeFilter(ids=frozenset({trade_id})), limit=1).rows:
            text = f"there is no closed trade {trade_id!r}; GET /api/trades lists them"
            raise NotFound("unknown_trade", text, id=trade_id)

    def _lines(self) -> list[Note]:
        try:
            rows = list(self._storage.read_jsonl(FILE, problems=[]))
        except NotFound:
            return []
        return [note for row in rows if (note := _read(row)) is not None]


def _read(row: Mapping[str, Any]) -> Note | None:
    try:
        said = {name: row[name] for name in ("id", "note", "by", "at")}
        tags = row["tags"]
    except KeyError:
        return None
    texts = [*said.values(), *tags] if isinstance(tags, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        return None
    return Note(**said, tags=tuple(tags))


def _tags(given: Sequence[str]) -> tuple[str, ...]:
    tags = {tag.casefold(): tag for each in reversed(given) if (tag := each.strip())}
    for tag in tags.values():
        if len(tag) > LONGEST_TAG or not tag.isprintable() or "," in tag:
            reason = f"a tag has at most {LONGEST_TAG} characters, no comma and no line end; nothing was kept"
            raise Invalid("bad_note", f"tags: {reason}", key="tags")
    if len(tags) > MOST_TAGS:
        raise Invalid("bad_note", f"tags: {MOST_TAGS} are the most; nothing was kept", key="tags")
    return tuple(tags.values())[::-1]


def _text(note: str) -> str:
    text = note.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_NOTE or not text.replace("\n", "").replace("\t", "").isprintable():
        reason = f"it has at most {LONGEST_NOTE} characters, none of them for control but line ends and tabs"
        raise Invalid("bad_note", f"note: {reason}; nothing was kept", key="note")
    return text
