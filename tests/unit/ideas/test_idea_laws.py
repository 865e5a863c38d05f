"""Whatever is done to ideas in whatever order, crashes included: the table holds; journal and file agree."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from backend.core.errors import Conflict, Unavailable
from backend.ideas.book import IdeaBook
from backend.ideas.lifecycle import FINAL, TABLE, Act, Status
from backend.ideas.steps import applied, replayed
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.encoding import decode
from backend.storage.files import FileStorage
from tests.fakes.desk import MovedClock

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FIELDS = st.sampled_from(["volume", "stop", "target", "order", "remark"])
VALUES = st.one_of(
    st.none(),
    st.floats(0.01, 2),
    st.text(max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(-1000, 1000)),
)


class FailingStorage(FileStorage):
    """Refuses a write of its choice, as a full disk or a killed process would leave it."""

    fails_at = 0

    def write_bytes(self, name: str, data: bytes, *, mode: int | None = None) -> None:
        self._maybe(name)
        super().write_bytes(name, data, mode=mode)

    def append_jsonl(self, name: str, records: Any, *, sync: bool = False) -> int:
        self._maybe(name)
        return super().append_jsonl(name, records, sync=sync)

    def _maybe(self, name: str) -> None:
        if name.startswith(("trade_ideas/", "decisions/decisions_")) and self.fails_at:
            self.fails_at -= 1
            if not self.fails_at:
                raise Unavailable("disk_full", "the disk is full")


class Life(RuleBasedStateMachine):
    """Two processes on one folder, and a model of what each idea is."""

    ideas = Bundle("ideas")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = MovedClock(NOW)
        self.storages = [FailingStorage(Path(self.folder.name), fsync=False) for _ in range(2)]
        self.books = [self._book(storage) for storage in self.storages]
        self.model: dict[str, list[str]] = {}

    def _book(self, storage: FileStorage) -> IdeaBook:
        return IdeaBook(storage, Journal(storage, self.clock), self.clock)

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(target=ideas, status=st.sampled_from(["pending_approval", "approved"]), who=st.integers(0, 1))
    def propose(self, status: str, who: int) -> str:
        name = f"I{len(self.model)}"
        idea = {"id": name, "symbol": "EURUSD", "status": status, "created_at": "2026-01-05T09:00:00Z"}
        self.books[who].create(idea, actor="desk")
        self.model[name] = [status]
        return name

    @rule(
        name=ideas,
        wished=st.tuples(st.sampled_from(list(Act)), st.sampled_from(list(Status))),
        pick=st.one_of(st.integers(0, 20), st.none()),
        who=st.integers(0, 1),
        changes=st.dictionaries(FIELDS, VALUES, max_size=2),
        fails_at=st.sampled_from([0, 0, 0, 1, 2]),
        intent=st.booleans(),
    )
    def step(
        self,
        name: str,
        wished: tuple[Act, Status],
        pick: int | None,
        who: int,
        changes: dict[str, Any],
        fails_at: int,
        intent: bool,
    ) -> None:
        self.clock.at += timedelta(seconds=1)
        before = self.books[1 - who].get(name)
        ways = sorted(
            (act, to) for (start, act), ends in TABLE.items() if start == before["status"] for to in ends
        )
        act, to = wished if pick is None or not ways else ways[pick % len(ways)]
        allowed = to in TABLE.get((Status(before["status"]), act), ())
        entries = [Entry(kind=Kind.ORDER_INTENT, payload={"n": name}, key=f"{name}-{self.clock.at}")]
        self.storages[who].fails_at = fails_at
        try:
            after = self.books[who].step(
                name, act, to=to, actor="ann", changes=changes, entries=entries if intent else []
            )
        except Conflict:
            assert not allowed
            assert self.books[who].get(name) == before
            return
        except Unavailable:
            # On record or not at all: the journal says which.
            seen = self.books[1 - who].get(name)
            if seen["version"] > before["version"]:
                assert allowed
                assert fails_at == 2
                self.model[name].append(str(to))
            else:
                assert seen == before
            return
        finally:
            self.storages[who].fails_at = 0
        assert allowed
        assert after["history"][-1]["changes"] == {
            field: [before.get(field), value]
            for field, value in changes.items()
            if before.get(field) != value
        }
        self.model[name].append(str(to))

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        self.storages[who] = FailingStorage(Path(self.folder.name), fsync=False)
        self.books[who] = self._book(self.storages[who])

    @rule(who=st.integers(0, 1))
    def mend(self, who: int) -> None:
        self.books[who].mend()
        for path in Path(self.folder.name, "trade_ideas").glob("*.json"):
            stored = decode(path.read_bytes())
            if stored["status"] not in FINAL:
                assert stored == self.books[who].get(stored["id"])

    @precondition(lambda self: self.model)
    @invariant()
    def journal_and_readers_agree(self) -> None:
        replays: dict[str, Any] = {}
        journal = Journal(self.storages[0], self.clock)
        for record in list(journal.newest(kind=Kind.IDEA_STEP))[::-1]:
            name = record.payload["idea_id"]
            replays[name] = applied(replays.get(name), record.payload)
        assert replays.keys() == self.model.keys()
        for book in self.books:
            listed = {idea["id"]: idea for idea in book.find()}
            assert listed.keys() == self.model.keys()
            for name, statuses in self.model.items():
                idea = book.get(name)
                assert idea == replays[name]
                assert listed[name]["status"] == idea["status"] == statuses[-1]
                assert [step["status"] for step in idea["history"]] == statuses
                assert idea["version"] == len(idea["history"])
                assert replayed(idea["history"]) == idea["status"]


Life.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase


@pytest.mark.full
@pytest.mark.timeout(900)
def test_long_lives() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Life, settings=settings(max_examples=100, stateful_step_count=40, deadline=None)
    )
