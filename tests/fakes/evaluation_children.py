"""A desk in a process of its own that evaluates when told to, and dies at a write if told so.

Is asked ``{"at": instant, "prefix": name, "nth": number, "torn": bool}``; answers each with the result of
`evaluate_all`. With `nth` it ends, without a word or any cleaning up, before the write of that number
among those whose name begins with `prefix`; a torn append leaves half of its bytes.
"""

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from backend.storage.files import FileStorage
from tests.fakes.children import DEAD, heard
from tests.fakes.desk import simulated_desk


class DyingStorage(FileStorage):
    """Counts writes and ends the process at one of them."""

    prefix = ""
    nth = 0
    torn = False

    def write_bytes(self, name: str, data: bytes, *, mode: int | None = None) -> None:
        self._die_here(name)
        super().write_bytes(name, data, mode=mode)

    def create_json(self, name: str, value: Any, *, mode: int | None = None) -> bool:
        self._die_here(name)
        return super().create_json(name, value, mode=mode)

    def _append(
        self, name: str, data: bytes, *, sync: bool, whole: Callable[[bytes], bool], header: bytes = b""
    ) -> None:
        def half() -> None:
            if self.torn:
                super(DyingStorage, self)._append(name, data[: len(data) // 2], sync=sync, whole=whole)

        self._die_here(name, half)
        super()._append(name, data, sync=sync, whole=whole, header=header)

    def _die_here(self, name: str, first: Callable[[], None] = lambda: None) -> None:
        if not name.startswith(self.prefix):
            return
        self.nth -= 1
        if self.nth == 0:
            first()
            os._exit(DEAD)


def main(talk: Connection, data: Path, config: Path) -> None:
    """Evaluate whenever it is asked to."""
    storage = DyingStorage(data, fsync=False)
    desk = None
    while asked := heard(talk):
        at = asked["at"]
        desk = desk or simulated_desk(data, at, config=config, storage=storage)
        desk.clock.at = at
        storage.prefix, storage.nth = asked.get("prefix", ""), asked.get("nth", 0)
        storage.torn = asked.get("torn", False)
        talk.send(desk.ideas.evaluate_all(trigger="test"))
