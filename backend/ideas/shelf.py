"""The idea files as one process has seen them: a line of each, and whole those of which more is to come.

A look lists the folder and reads what is new, or changed among those that may still change. Of the others,
which only a person's editor changes, each look asks for some in turn; whoever is given one gets its file.
"""

from typing import Any, Final

from backend.core.errors import DeskError, NotFound
from backend.core.problems import Problem
from backend.ideas.lines import Line, line_of
from backend.ideas.steps import checked
from backend.storage.files import FileState, FileStorage

FOLDER: Final = "trade_ideas"
ENDING: Final = ".json"
IN_TURN: Final = 200
"""So many files of ideas that are over are asked for changes with each look; 20,000 in 100 looks."""

Idea = dict[str, Any]


class Shelf:
    """Reads the folder. Not thread-safe: the book holds its lock around each call.

    Args:
        storage: Files below ``data/``.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._states: dict[str, FileState] = {}
        self._lines: dict[str, Line] = {}
        self._whole: dict[str, Idea] = {}
        self._names: dict[str, str] = {}
        self._sorted: list[Line] | None = None
        self._turn: list[str] = []
        self._entries: set[str] = set()
        self._unread: set[str] = set()
        self.problems: list[Problem] = []

    def look(self) -> None:
        """See what is new, changed and gone; files that cannot be read are named in `problems`."""
        entries = self._storage.entries(FOLDER)
        for gone in self._entries - entries:
            self._forget(f"{FOLDER}/{gone}")
        again = {_entry(name) for name in (*self._whole, *self._next())} | self._unread
        asked = entries - self._entries | again & entries
        self._entries = entries
        problems: list[Problem] = []
        for name, state in self._storage.states(FOLDER, ENDING, only=asked).items():
            if self._states.get(name) == state:
                continue
            try:
                self.read(name)
            except NotFound:
                self._forget(name)  # it was moved away meanwhile
            except DeskError as error:
                self._forget(name)
                problems.append(Problem(file=name, pointer="", reason=error.message))
        self._unread = {
            entry for entry in asked if _is_idea(entry) and f"{FOLDER}/{entry}" not in self._lines
        }
        self.problems = problems

    def lines(self) -> list[Line]:
        """The line of every idea, the newest first; the list is shared."""
        if self._sorted is None:
            self._sorted = sorted(
                self._lines.values(), key=lambda line: (line.created_at, line.id), reverse=True
            )
        return self._sorted

    def whole(self) -> list[Idea]:
        """Every idea of which more is to come, as its file has it."""
        return [*self._whole.values()]

    def name(self, idea_id: str) -> str | None:
        """The file of an idea, if it was seen; it may have been moved away."""
        return self._names.get(idea_id)

    def read(self, name: str) -> Idea:
        """The idea of a file as it is now.

        Raises:
            NotFound: There is no such file.
            Invalid: It is no idea.
        """
        state = self._storage.state(name)
        seen = self._states.get(name) == state
        if seen and (known := self._whole.get(name)) is not None:
            return known
        idea = checked(self._storage.read_json(name), name)
        if not seen:
            self._forget(name)
            self._keep(name, state, idea)
        return idea

    # Inside

    def _keep(self, name: str, state: FileState, idea: Idea) -> None:
        line = line_of(idea)
        self._states[name], self._lines[name], self._names[line.id] = state, line, name
        self._entries.add(_entry(name))
        if not line.over:
            self._whole[name] = idea
        self._sorted = None

    def _forget(self, name: str) -> None:
        line = self._lines.pop(name, None)
        if line is None:
            return
        self._states.pop(name, None)
        self._whole.pop(name, None)
        self._sorted = None
        if self._names.get(line.id) == name:
            del self._names[line.id]

    def _next(self) -> list[str]:
        """Those of the ideas that are over whose turn it is."""
        if not self._turn:
            self._turn = [name for name in self._lines if name not in self._whole]
        taken, self._turn = self._turn[-IN_TURN:], self._turn[:-IN_TURN]
        return [name for name in taken if name in self._lines]


def _entry(name: str) -> str:
    return name.rpartition("/")[2]


def _is_idea(entry: str) -> bool:
    return entry.endswith(ENDING) and not entry.startswith(".")
