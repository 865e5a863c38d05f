"""A process that leads one idea through its life, from where the record ends, and dies at a write if told so.

Called with the data folder and a number: it ends, without a word or any cleaning up, before its write of that
number; a torn append leaves half of its bytes.
"""

from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from backend.core.clock import FixedClock
from backend.core.errors import NotFound
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import Act, Status
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.files import FileStorage
from tests.fakes.evaluation_children import DyingStorage

AT = datetime(2026, 1, 5, 9, 1, tzinfo=UTC)
INTENT = Entry(kind=Kind.ORDER_INTENT, payload={"lots": 0.1}, key="o-1")
NEXT: dict[str, tuple[Act, Status | None, tuple[Entry, ...]]] = {
    "modify": (Act.APPROVE, Status.APPROVED, ()),
    "approve": (Act.SEND, None, (INTENT,)),
    "send": (Act.DEALT, None, ()),
    "dealt": (Act.CLOSE, None, ()),
}


def live(storage: FileStorage) -> None:
    """Go on to the end."""
    clock = FixedClock(AT)
    book = IdeaBook(storage, Journal(storage, clock), clock)
    born = {
        "id": "I1",
        "symbol": "EURUSD",
        "status": "pending_approval",
        "created_at": "2026-01-05T09:00:01Z",
    }
    try:
        idea = book.get("I1")
    except NotFound:
        idea = book.create(born, actor="desk")
    book.mend()
    while idea["status"] != Status.CLOSED:
        last = idea["history"][-1]["action"]
        if last == Act.PROPOSE:
            idea = book.step("I1", Act.MODIFY, actor="ann", changes={"volume": 0.2})
            continue
        act, to, entries = NEXT[last]
        idea = book.step("I1", act, to=to, actor="desk", entries=entries)


def main(_: Connection, data: Path, nth: int, torn: bool) -> None:
    """Go on, and die on the way."""
    storage = DyingStorage(data, fsync=False)
    storage.nth, storage.torn = nth, torn
    live(storage)
