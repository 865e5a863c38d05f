"""The book of trade ideas: ``data/trade_ideas/{symbol}_{YYYYmmdd_HHMMSS}.json``, from proposal to close.

A step is on record in the journal before the file changes, so a file may be behind the journal after a crash.
Whoever reads sees the journal's steps; whoever writes next makes up for them in the file. A file that was
never written comes with the next `mend`.
"""

import contextlib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, takewhile
from typing import Any

from backend.core.clock import Clock, iso, parse_iso, stamp
from backend.core.errors import Conflict, DeskError, NotFound
from backend.core.problems import Problem
from backend.ideas.lifecycle import FINAL, Act, Status, target
from backend.ideas.lines import Filter, Line, counted, line_of, page_of
from backend.ideas.shelf import FOLDER, Idea, Shelf
from backend.ideas.steps import applied, changed, checked, proposed, step_key
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage

MOST_PER_SECOND = 100
LOCK_SECONDS = 30.0
BORN_UPTO = "control/ideas_born.json"
"""Up to which record of the journal every proposal has its file."""


class IdeaBook:
    """Owns every change of every idea. Thread-safe, and safe between processes.

    An idea is a JSON object with at least ``id``, ``symbol``, ``status``, ``created_at`` (ISO-8601, desk
    time), ``version`` (its number of steps) and ``history`` (the steps, see `backend.ideas.steps`). What
    is given out is shared: nobody changes it in place.

    Args:
        storage: Files below ``data/``.
        journal: Takes every step before the file does.
        clock: Desk time.
    """

    def __init__(self, storage: FileStorage, journal: Journal, clock: Clock) -> None:
        self._storage = storage
        self._journal = journal
        self._clock = clock
        self._mutex = threading.Lock()
        self._shelf = Shelf(storage)

    # Reading

    @property
    def problems(self) -> list[Problem]:
        """Files that could not be read at the last look, and why."""
        return self._shelf.problems

    def lines(self) -> list[Line]:
        """What is known of every idea without its file, the newest first."""
        lines, _ = self._looked()
        return lines

    def page(self, wanted: Filter, *, cursor: str | None, limit: int) -> tuple[list[Idea], str | None]:
        """The newest ideas that are wanted behind the one of an id, and the next page's cursor.

        Raises:
            Invalid: Code ``bad_cursor``.
        """
        lines, alive = self._looked()
        ids, after = page_of(lines, wanted, cursor=cursor, limit=limit)
        return self._whole(ids, alive), after

    def counts(self, wanted: Filter) -> dict[Status, int]:
        """How many there are of each status, whichever of them are wanted; the rest of the filter counts."""
        return counted(self._looked()[0], wanted)

    def find(self, *statuses: Status, symbol: str | None = None, strategy: str | None = None) -> list[Idea]:
        """Ideas of any of these statuses (all if none is named), the newest first.

        Those that are over are read from their files: ask for `lines` or a `page` of them.
        """
        wanted = Filter(statuses=frozenset(statuses), symbol=symbol, strategy=strategy)
        lines, alive = self._looked()
        if statuses and FINAL.isdisjoint(statuses):
            lines = [line for line in lines if not line.over]
        return self._whole([line.id for line in lines if wanted.takes(line)], alive)

    def besides(self, idea_id: str, statuses: Collection[Status]) -> tuple[list[Line], list[Idea]]:
        """Every line, and by the same look the other ideas of any of these statuses, the newest first."""
        lines, alive = self._looked()
        ids = [line.id for line in lines if line.status in statuses and line.id != idea_id]
        return lines, self._whole(ids, alive)

    def unlogged(self) -> list[Idea]:
        """Closed trades that the trade log has not yet, the newest first."""
        lines, alive = self._looked()
        ids = [line.id for line in lines if line.status is Status.CLOSED and not line.over]
        return self._whole(ids, alive)

    def owners(self) -> dict[int, str]:
        """Strategies by the identifiers of their positions and the tickets of their orders."""
        found: dict[int, str] = {}
        for idea in self.find(Status.OPEN, Status.PLACED):
            numbers = (idea.get("position") or {}).get("id"), (idea.get("order") or {}).get("ticket")
            if idea.get("strategy_id") is not None:
                found.update({int(number): str(idea["strategy_id"]) for number in numbers if number})
        return found

    def first_stops(self) -> dict[int, float]:
        """The stops that open positions began with, by the identifiers of the positions."""
        began = [idea.get("position") or {} for idea in self.find(Status.OPEN)]
        return {int(one["id"]): one["initial_stop"] for one in began if one.get("initial_stop") is not None}

    def get(self, idea_id: str) -> Idea:
        """The idea of that id; `NotFound` if there is none."""
        name = self._name(idea_id)
        with self._mutex:
            idea = self._shelf.read(name)
        return self._rolled(idea)

    def approver(self, idea_id: str) -> str:
        """Who approved the idea of that id last, else who proposed it."""
        history = self.get(idea_id)["history"]
        approvals = [step for step in history if step["action"] == Act.APPROVE]
        return str((approvals or history)[-1]["by"])

    # Changing

    def create(
        self, idea: Mapping[str, Any], *, actor: str, why: str = "", entries: Sequence[Entry] = ()
    ) -> Idea:
        """Propose an idea; one that is on record already is left alone and given back.

        Args:
            idea: With ``id``, ``symbol``, ``created_at`` and ``status`` (one of `BORN`).
            actor: Who proposes it.
            why: Why.
            entries: What else the journal takes with it.
        """
        return self.create_many([idea], actor=actor, why=why, entries=entries)[0]

    def create_many(
        self, ideas: Sequence[Mapping[str, Any]], *, actor: str, why: str = "", entries: Sequence[Entry] = ()
    ) -> list[Idea]:
        """Propose several ideas with one record; see `create`."""
        if not ideas:
            return []
        steps = [_entry(proposed(idea, actor=actor, why=why)) for idea in ideas]
        records = self._journal.append_many([*entries, *steps], actor=actor)[len(entries) :]
        made = []
        for record in records:
            idea = applied(None, record.payload)
            name = self._create_file(idea)
            with self._mutex:
                made.append(self._shelf.read(name))
        return [self._rolled(idea) for idea in made]

    def step(
        self,
        idea_id: str,
        act: Act,
        *,
        actor: str,
        to: Status | None = None,
        why: str = "",
        changes: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        entries: Sequence[Entry] = (),
        version: int | None = None,
    ) -> Idea:
        """Record a step and change the file; returns the idea after it.

        Args:
            idea_id: The idea.
            act: What happens.
            actor: Who does it.
            to: Which of several ways the act leads.
            why: Why.
            changes: Fields that get new values (JSON); the history keeps those before.
            details: What else the history shall keep, JSON.
            entries: Journal entries that belong to the step, such as an order intent. They stand before
                it: a step on record means that they are.
            version: The version that the step was judged on; None takes any.

        Raises:
            NotFound: There is no such idea.
            Conflict: Code ``illegal_step``, or ``changed_meanwhile`` if it has another version by now.
            Unavailable: The disk or a lock refuses. A step that is on record by then is in force.
        """
        name = self._name(idea_id)
        with self._storage.lock(name, LOCK_SECONDS):
            before = self._load(name)
            idea = self._rolled(before)
            try:
                _unchanged(idea, version)
                status = target(Status(idea["status"]), act, to)
            except Conflict:
                if idea is not before:
                    self._storage.write_json(name, idea)
                raise
            stated = changed(
                idea,
                act,
                status,
                at=iso(self._clock.now()),
                by=actor,
                why=why,
                changes=changes or {},
                details=details or {},
            )
            record = self._journal.append_many([*entries, _entry(stated)], actor=actor)[-1]
            idea = applied(idea, record.payload)
            self._storage.write_json(name, idea)
        return idea

    def mend(self) -> list[str]:
        """Bring files that are behind the journal, or missing, up to it; returns the ids of those ideas."""
        mended = self._born_late()
        with self._mutex:
            self._shelf.look()
            on_disk = self._shelf.whole()
        for idea, then in zip(self._caught_up(on_disk), on_disk, strict=True):
            if idea["version"] > then["version"]:
                name = self._name(str(idea["id"]))
                with self._storage.lock(name, LOCK_SECONDS):
                    self._storage.write_json(name, self._rolled(self._load(name)))
                mended.append(str(idea["id"]))
        return mended

    # Inside

    def _born_late(self) -> list[str]:
        """Write the files of ideas whose maker was killed between the record and the file; gives their ids.

        Such an idea has its proposal on record and no other step: every other one needs the file.
        """
        upto = int(self._storage.read_json_or(BORN_UPTO, {"seq": 0})["seq"])
        records = self._journal.newest(kind=Kind.IDEA_STEP)
        newest = next(records, None)
        if newest is None or newest.seq == upto:
            return []
        known = upto if upto < newest.seq else 0  # the journal begins anew where its files were moved away
        late = takewhile(lambda record: record.seq > known, chain([newest], records))
        born = {str(each.payload["idea_id"]): each for each in late if each.payload["version"] == 1}
        second = {step_key(idea_id, 2): idea_id for idea_id in born}
        went_on = {second[key] for key in self._journal.find_many(Kind.IDEA_STEP, list(second))}
        made = [idea_id for idea_id in born if idea_id not in went_on and not self._has_file(idea_id)]
        for idea_id in made:
            self._create_file(applied(None, born[idea_id].payload))
        self._storage.write_json(BORN_UPTO, {"seq": newest.seq})
        return made

    def _has_file(self, idea_id: str) -> bool:
        try:
            self._name(idea_id)
        except NotFound:
            return False
        return True

    def _looked(self) -> tuple[list[Line], dict[str, Idea]]:
        """Every line, and by id the ideas of which more is to come, the journal's steps included."""
        with self._mutex:
            self._shelf.look()
            lines, whole = self._shelf.lines(), self._shelf.whole()
        alive = {str(idea["id"]): idea for idea in self._caught_up(whole)}
        late = {str(idea["id"]) for idea in whole if alive[str(idea["id"])] is not idea}
        if late:
            lines = [line_of(alive[line.id]) if line.id in late else line for line in lines]
        return lines, alive

    def _whole(self, ids: Iterable[str], alive: Mapping[str, Idea]) -> list[Idea]:
        """The ideas of these ids; one whose file was taken away meanwhile is left out."""
        found = []
        for idea_id in ids:
            if (idea := alive.get(idea_id)) is None:
                with self._mutex, contextlib.suppress(DeskError):
                    name = self._shelf.name(idea_id)
                    idea = None if name is None else self._shelf.read(name)
            if idea is not None:
                found.append(idea)
        return found

    def _caught_up(self, ideas: Sequence[Idea]) -> list[Idea]:
        """With the steps that only the journal has; nothing follows a final status but figures."""
        alive = [step_key(idea["id"], idea["version"] + 1) for idea in ideas if idea["status"] not in FINAL]
        behind = self._journal.find_many(Kind.IDEA_STEP, alive)
        late = {str(record.payload["idea_id"]) for record in behind.values()}
        return [self._rolled(idea) if idea["id"] in late else idea for idea in ideas]

    def _rolled(self, idea: Idea) -> Idea:
        """The idea with every step that the journal has after its version."""
        while True:
            key = step_key(idea["id"], idea["version"] + 1)
            record = self._journal.find_many(Kind.IDEA_STEP, [key]).get(key)
            if record is None:
                return idea
            idea = applied(idea, record.payload)

    def _load(self, name: str) -> Idea:
        return checked(self._storage.read_json(name), name)

    def _create_file(self, idea: Idea) -> str:
        for name in self._possible(str(idea["symbol"]), str(idea["created_at"])):
            if self._storage.create_json(name, idea) or self._storage.read_json(name).get("id") == idea["id"]:
                return name
        raise AssertionError(f"{MOST_PER_SECOND} ideas of {idea['symbol']} in one second")

    def _possible(self, symbol: str, created_at: str) -> Iterable[str]:
        """Names that an idea of that symbol and second may have, in order."""
        base = f"{FOLDER}/{self._storage.safe_name(symbol)}_{stamp(parse_iso(created_at))}"
        yield f"{base}.json"
        for number in range(2, MOST_PER_SECOND + 1):
            yield f"{base}_{number}.json"

    def _name(self, idea_id: str) -> str:
        """The file of an idea: as seen before, as its proposal's record says, or by reading what is new."""
        with self._mutex:
            if (name := self._shelf.name(idea_id)) is not None and self._storage.exists(name):
                return name
            key = step_key(idea_id, 1)
            born = self._journal.find_many(Kind.IDEA_STEP, [key]).get(key)
            if born is not None:
                idea = born.payload["idea"]
                for name in self._possible(str(idea["symbol"]), str(idea["created_at"])):
                    if not self._storage.exists(name):
                        break
                    with contextlib.suppress(
                        DeskError
                    ):  # a damaged one is another idea's, or looked for below
                        if self._shelf.read(name)["id"] == idea_id:
                            return name
            self._shelf.look()
            if (name := self._shelf.name(idea_id)) is not None:
                return name
        raise NotFound("unknown_idea", f"there is no trade idea {idea_id!r}", id=idea_id)


def _unchanged(idea: Idea, version: int | None) -> None:
    if version is not None and idea["version"] != version:
        raise Conflict(
            "changed_meanwhile",
            f"the idea {idea['id']} was changed meanwhile; look at it again",
            version=idea["version"],
            expected=version,
        )


def _entry(stated: Mapping[str, Any]) -> Entry:
    """The journal's entry; its payload is what reading it back gives, tuples being lists."""
    key = step_key(str(stated["idea_id"]), int(stated["version"]))
    payload = decode(encode(stated, where=f"idea {stated['idea_id']}"))
    return Entry(kind=Kind.IDEA_STEP, payload=payload, key=key)
