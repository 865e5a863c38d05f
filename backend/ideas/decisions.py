"""DecisionService: what was decided, counted, shown whole and computed again. Reads files alone.

What computes is imported when it is asked for: the API lives for weeks and seldom computes anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.core.bars import COLUMNS
from backend.core.clock import parse_iso
from backend.core.errors import Invalid
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.journal.record import Kind, Record
from backend.market.store import MarketStore
from backend.storage.files import FileStorage


class DecisionService:
    """Answers about decisions.

    Args:
        storage: Files below ``data/``.
        journal: The record of decisions.
        store: Stored bars.
    """

    def __init__(self, storage: FileStorage, journal: Journal, store: MarketStore) -> None:
        self._storage = storage
        self._journal = journal
        self._store = store

    def page(self, wanted: Wanted, *, cursor: str | None, limit: int) -> tuple[Sequence[Record], str | None]:
        """The newest decisions that are wanted, and the cursor of the next page; None on the last.

        Raises:
            Invalid: Code ``bad_cursor``.
        """
        found = self._journal.decisions(wanted, before=_place(cursor), limit=limit + 1)
        more = len(found) > limit
        return found[:limit], str(found[limit - 1].seq) if more else None

    def statistics(self, wanted: Wanted) -> Mapping[str, Any]:
        """How many there are, by what they are; see `backend.journal.counting.counts`."""
        return self._journal.count(wanted)

    def why_not(self, wanted: Wanted) -> Mapping[str, Any]:
        """Which check refused most, and what it cost or saved; see `backend.ideas.why_not.why_not`."""
        from backend.ideas.why_not import why_not

        return why_not(self._storage, self._journal, wanted)

    def get(self, decision_id: str) -> Record:
        """One decision; `NotFound` if there is none."""
        return self._journal.find(Kind.DECISION, decision_id)

    def inputs(self, decision_id: str) -> dict[str, Any]:
        """All that a decision was computed from, as JSON values, by name.

        Each input with its ``hash``, its ``content`` (None where it is gone), and ``problem``: why it is not
        what it was, else None. ``bars`` are a list, their content in columns.
        """
        from backend.ideas.inputs import NAMES, input_of
        from backend.ideas.kept_bars import KeptBars

        payload = self.get(decision_id).payload
        inputs = payload.get("inputs")
        if not isinstance(inputs, Mapping):
            raise Invalid("no_inputs", f"decision {decision_id} names nothing that it was computed from")
        found: dict[str, Any] = {}
        for name in NAMES:
            hashed = str(inputs.get(name, ""))
            content, problem = input_of(self._storage, hashed)
            found[name] = {"hash": hashed, "content": content, "problem": problem}
        kept = KeptBars(self._storage)
        found["bars"] = []
        for reference in inputs["bars"]:
            bars = kept.find(str(payload["symbol"]), reference, parse_iso(payload["decided_at"]))
            there = bars.bars is not None
            problem = None if bars.agree else "altered since" if there else "none were kept"
            columns = {name: getattr(bars.bars, name).tolist() for name in COLUMNS} if there else None
            found["bars"].append({**reference, "content": columns, "problem": problem})
        return found

    def replay(self, decision_id: str) -> dict[str, Any]:
        """Compute a decision again; see `backend.ideas.replaying.Replayer.replay`."""
        from backend.ideas.replaying import Replayer

        return Replayer(self._storage, self._journal, self._store).replay(decision_id).as_dict()


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit()):
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
    return int(cursor)
