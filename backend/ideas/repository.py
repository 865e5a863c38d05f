"""Trade ideas as files: ``data/trade_ideas/{symbol}_{YYYYmmdd_HHMMSS}.json``."""

import threading
from collections.abc import Mapping
from typing import Any

from backend.core.clock import parse_iso, stamp
from backend.core.errors import DeskError, NotFound
from backend.core.problems import Problem
from backend.storage.files import FileStorage

FOLDER = "trade_ideas"
MOST_PER_SECOND = 100


class IdeaFiles:
    """Creates and reads idea files. Thread-safe, and safe between processes.

    An idea is a JSON object with at least ``id``, ``symbol``, ``status`` and ``created_at``
    (ISO-8601, desk time).

    Args:
        storage: Files below ``data/``.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._mutex = threading.Lock()
        self._seen: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}
        self.problems: list[Problem] = []

    def create(self, idea: Mapping[str, Any]) -> str:
        """Write a new idea and return its file's name; an idea that is there already is left alone.

        A second idea of the same symbol and second gets ``_2`` and so on.
        """
        symbol = self._storage.safe_name(str(idea["symbol"]))
        base = f"{FOLDER}/{symbol}_{stamp(parse_iso(str(idea['created_at'])))}"
        for number in range(1, MOST_PER_SECOND + 1):
            name = f"{base}.json" if number == 1 else f"{base}_{number}.json"
            if self._storage.create_json(name, dict(idea)):
                return name
            if self._storage.read_json(name).get("id") == idea["id"]:
                return name
        raise AssertionError(f"{MOST_PER_SECOND} ideas of {symbol} in one second")

    def all(self) -> list[dict[str, Any]]:
        """Every idea, the newest first. A file that cannot be read is named in `problems`."""
        with self._mutex:
            problems: list[Problem] = []
            present = self._storage.names(f"{FOLDER}/*.json")
            for name in present:
                try:
                    self._read(name)
                except DeskError as error:
                    problems.append(Problem(file=name, pointer="", reason=error.message))
            for gone in self._seen.keys() - set(present):
                del self._seen[gone]
            self.problems = problems
            ideas = [idea for _, idea in self._seen.values()]
        return sorted(ideas, key=lambda idea: (str(idea["created_at"]), str(idea["id"])), reverse=True)

    def get(self, idea_id: str) -> dict[str, Any]:
        """The idea of that id; `NotFound` if there is none."""
        for idea in self.all():
            if idea["id"] == idea_id:
                return idea
        raise NotFound("unknown_idea", f"there is no trade idea {idea_id!r}", id=idea_id)

    def _read(self, name: str) -> None:
        status = self._storage.path(name).stat()
        version = (status.st_mtime_ns, status.st_size)
        if name not in self._seen or self._seen[name][0] != version:
            self._seen[name] = (version, self._storage.read_json(name))
