"""Writes decisions down: once each, in an order that a crash between any two writes does not spoil.

Inputs and bars, journal, the day's full rows, idea files, the day's summary, cursors. Each write looks
whether it was made already; the cursor comes last, so that whatever is missing is made up for at the next
run.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from backend.core.bars import Bars
from backend.core.clock import day, parse_iso
from backend.core.errors import Invalid
from backend.ideas.book import IdeaBook
from backend.ideas.inputs import input_file
from backend.ideas.kept_bars import BarsKeeper
from backend.ideas.rows import DESK, cursor_key, cursor_of, idea_of, summary_of
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.encoding import decode
from backend.storage.files import FileStorage

FOLDER = "evaluations"
CURSORS = f"{FOLDER}/cursors.json"
MOST_ROWS = 2000


class Recorder:
    """Keeps decisions in the journal and beside it.

    Args:
        storage: Files below ``data/``.
        journal: The record of decisions.
        ideas: The book of trade ideas.
        proposed: Told of decisions whose ideas are in the book, the same ones again after a crash.
    """

    def __init__(
        self,
        storage: FileStorage,
        journal: Journal,
        ideas: IdeaBook,
        proposed: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> None:
        self._storage = storage
        self._proposed = proposed
        self._journal = journal
        self._ideas = ideas
        self._inputs: set[str] = set()
        self._bars = BarsKeeper(storage)
        self._rows = _RowIds(storage)

    def record(
        self,
        payloads: Sequence[Mapping[str, Any]],
        snapshots: Mapping[str, Mapping[str, Any]],
        windows: Sequence[tuple[datetime, Bars]],
        *,
        actor: str,
        source: str,
    ) -> list[Mapping[str, Any]]:
        """Write decisions; returns them as the journal has them.

        A decision that the journal has already is not written again: what was recorded first counts, also
        for its idea and its row.

        Args:
            payloads: From `backend.ideas.rows.payload_of`, in order of time per strategy and symbol.
            snapshots: Inputs by hash.
            windows: Bars that were looked at, with the desk time of the decision.
            actor: Who caused the evaluation.
            source: Name of the market whose bars were decided.

        Raises:
            Unavailable: The disk refuses; doing it again completes what is missing.
        """
        if not payloads:
            return []
        self._keep_inputs(snapshots)
        self._bars.keep(windows)
        entries = [Entry(kind=Kind.DECISION, payload=each, key=str(each["id"])) for each in payloads]
        made = [record.payload for record in self._journal.append_many(entries, actor=actor)]
        days: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for payload in made:
            days[day(parse_iso(payload["decided_at"]))].append(payload)
        for date, rows in days.items():
            self._append_rows(date, rows)
        proposals = [idea_of(payload) for payload in made if payload["idea_id"] is not None]
        self._ideas.create_many(proposals, actor=DESK)
        self._proposed(made)
        for date, rows in days.items():
            self._summarise(date, rows)
        self._advance(made, source)
        return made

    def cursors(self, source: str, problem: Callable[[Invalid], None]) -> dict[str, dict[str, Any]]:
        """Which bar of each strategy and symbol was decided last.

        They only save work: where they are lost, or are those of another market (a replay after a live
        desk), the newest bar is looked at again.

        Args:
            source: Name of the market that is evaluated.
            problem: Told when the file could not be read.
        """
        try:
            cursors: dict[str, dict[str, Any]] = self._storage.read_json_or(CURSORS, {})
        except Invalid as error:
            problem(error)
            return {}
        return {key: cursor for key, cursor in cursors.items() if cursor.get("source") == source}

    def decided(self, decision_id: str) -> Mapping[str, Any]:
        """A decision as the journal has it; `NotFound` if it has not."""
        return self._journal.find(Kind.DECISION, decision_id).payload

    def _keep_inputs(self, snapshots: Mapping[str, Mapping[str, Any]]) -> None:
        for hashed, content in snapshots.items():
            if hashed not in self._inputs:
                self._storage.create_json(input_file(hashed), dict(content))
                self._inputs.add(hashed)

    def _append_rows(self, date: str, payloads: Sequence[Mapping[str, Any]]) -> None:
        name = f"{FOLDER}/evaluation_{date}.jsonl"
        there = self._rows.of(name)
        fresh = [summary_of(payload, short=False) for payload in payloads if payload["id"] not in there]
        self._storage.append_jsonl(name, fresh)

    def _summarise(self, date: str, payloads: Sequence[Mapping[str, Any]]) -> None:
        rows = [summary_of(payload, short=True) for payload in payloads]

        def add(present: Any) -> Any:
            kept, total = present["rows"], present["total"]
            there = {row["id"] for row in kept}
            fresh = [row for row in rows if row["id"] not in there]
            return {"date": date, "total": total + len(fresh), "rows": (kept + fresh)[-MOST_ROWS:]}

        name = f"{FOLDER}/evaluation_{date}.json"
        self._storage.update_json(name, add, {"date": date, "total": 0, "rows": []})

    def _advance(self, payloads: Sequence[Mapping[str, Any]], source: str) -> None:
        moved: dict[str, dict[str, Any]] = {}
        for payload in payloads:
            moved[cursor_key(payload["strategy_id"], payload["symbol"])] = cursor_of(payload, source)

        def merge(present: Any) -> Any:
            later = {
                key: cursor
                for key, cursor in moved.items()
                if key not in present
                or present[key].get("source") != source
                or present[key]["bar"] <= cursor["bar"]
            }
            return present | later

        self._storage.update_json(CURSORS, merge, {})


class _RowIds:
    """Ids of the decisions in the days' .jsonl files, by reading only what is new."""

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._known: dict[str, tuple[int, set[str]]] = {}

    def of(self, name: str) -> set[str]:
        begin, ids = self._known.get(name, (0, set()))
        try:
            with self._storage.path(name).open("rb") as file:
                file.seek(begin)
                data = file.read()
        except FileNotFoundError:
            return set()
        end = data.rfind(b"\n") + 1
        # The last line may lack only its newline: whoever appends next completes it.
        for line in data.splitlines():
            try:
                ids.add(str(decode(line)["id"]))
            except (ValueError, KeyError, TypeError):
                continue  # a damaged row is no row of ours; the journal is what counts
        self._known = {name: (begin + end, ids)}
        return ids
