"""The book of trade ideas: ``data/trade_ideas/{symbol}_{YYYYmmdd_HHMMSS}.json``, from proposal to close.

A step is on record in the journal before the file changes, so a file may be behind the journal after a crash.
Whoever reads sees the journal's steps; whoever writes next makes up for them in the file. A file that was
never written comes with the next `mend`.
"""

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, takewhile
from typing import Any

from backend.core.clock import Clock, iso, parse_iso, stamp
from backend.core.errors import Conflict, DeskError, NotFound
from backend.core.problems import Problem
from backend.ideas.lifecycle import FINAL, Act, Status, target
from backend.ideas.steps import applied, changed, checked, proposed, step_key
from backend.journal.journal import Journal
from backend.journal.record import Entry, Kind
from backend.storage.encoding import decode, encode
from backend.storage.files import FileStorage

FOLDER = "trade_ideas"
MOST_PER_SECOND = 100
LOCK_SECONDS = 30.0
BORN_UPTO = "control/ideas_born.json"
"""Up to which record of the journal every proposal has its file."""

Idea = dict[str, Any]
_Seen = tuple[tuple[int, int, int], Idea]


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
        self._seen: dict[str, _Seen] = {}
        self._names: dict[str, str] = {}
        self._sorted: list[Idea] | None = None
        self.problems: list[Problem] = []

    # Reading

    def all(self) -> list[Idea]:
        """Every idea, the newest first. A file that cannot be read is named in `problems`."""
        with self._mutex:
            self._look()
            if self._sorted is None:
                found = (idea for _, idea in self._seen.values())
                self._sorted = sorted(found, key=lambda each: (each["created_at"], each["id"]), reverse=True)
            ideas = self._sorted
        return self._caught_up(ideas)

    def find(self, *statuses: Status, symbol: str | None = None, strategy: str | None = None) -> list[Idea]:
        """Ideas of any of these statuses (all if none is named), the newest first."""
        wanted = set(statuses or Status)
        return [
            idea
            for idea in self.all()
            if idea["status"] in wanted
            and (symbol is None or idea["symbol"] == symbol)
            and (strategy is None or idea.get("strategy_id") == strategy)
        ]

    def owners(self) -> dict[int, str]:
        """Strategies by the identifiers of their positions and the tickets of their orders."""
        found: dict[int, str] = {}
        for idea in self.find(Status.OPEN, Status.PLACED):
            numbers = (idea.get("position") or {}).get("id"), (idea.get("order") or {}).get("ticket")
            if idea.get("strategy_id") is not None:
                found.update({int(number): str(idea["strategy_id"]) for number in numbers if number})
        return found

    def get(self, idea_id: str) -> Idea:
        """The idea of that id; `NotFound` if there is none."""
        name = self._name(idea_id)
        with self._mutex:
            idea = self._read(name)
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
                made.append(self._read(name))
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
            self._look()
            on_disk = {name: idea["version"] for name, (_, idea) in self._seen.items()}
        for idea in self.all():
            name = self._name(str(idea["id"]))
            if idea["version"] > on_disk.get(name, idea["version"]):
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

    def _caught_up(self, ideas: Sequence[Idea]) -> list[Idea]:
        """With the steps that only the journal has; nothing follows a final status but figures."""
        alive = [step_key(idea["id"], idea["version"] + 1) for idea in ideas if idea["status"] not in FINAL]
        behind = self._journal.find_many(Kind.IDEA_STEP, alive)
        if not behind:
            return list(ideas)
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
            if (name := self._names.get(idea_id)) is not None and self._storage.exists(name):
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
                        if self._read(name)["id"] == idea_id:
                            return name
            self._look()
            if (name := self._names.get(idea_id)) is not None:
                return name
        raise NotFound("unknown_idea", f"there is no trade idea {idea_id!r}", id=idea_id)

    def _look(self) -> None:
        """Read the files that are new or changed."""
        problems: list[Problem] = []
        present = self._storage.states(FOLDER, ".json")
        for name, state in present.items():
            seen = self._seen.get(name)
            if seen is None or seen[0] != state:
                try:
                    self._read(name)
                except DeskError as error:
                    self._forget(name)
                    problems.append(Problem(file=name, pointer="", reason=error.message))
        for gone in self._seen.keys() - present.keys():
            self._forget(gone)
        self.problems = problems

    def _read(self, name: str) -> Idea:
        state = self._storage.state(name)
        seen = self._seen.get(name)
        if seen is not None and seen[0] == state:
            return seen[1]
        idea = self._load(name)
        self._forget(name)
        self._seen[name] = (state, idea)
        self._names[str(idea["id"])] = name
        return idea

    def _forget(self, name: str) -> None:
        self._sorted = None
        seen = self._seen.pop(name, None)
        if seen is not None:
            self._names.pop(str(seen[1]["id"]), None)


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
