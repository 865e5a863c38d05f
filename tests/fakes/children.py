"""Processes that talk with their test and may die in the midst of what they do.

They begin where the desk's modules are loaded already, on systems that can copy a process: loading them anew
for each of a hundred deaths takes longer than all that they do.
"""

import importlib
import multiprocessing
import sys
from multiprocessing.connection import Connection
from typing import Any, Final, Self

DEAD: Final = 9
"""How a process ends that dies where it was told to."""
if sys.platform == "win32":
    CONTEXT = multiprocessing.get_context("spawn")
else:
    CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.fakes.dying_api", "tests.fakes.dying_orders"])
_SECONDS: Final = 60


class Child:
    """A process that runs `main` of a module of `tests.fakes`, which is given this talk and the arguments."""

    def __init__(self, module: str, *arguments: Any) -> None:
        self._talk, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_run, args=(module, theirs, arguments))
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._talk.close()  # what it waits for does not come any more
        assert self.ended() in {0, DEAD}

    def ask(self, asked: Any) -> Any:
        """What it answers; None if it died."""
        self.tell(asked)
        return self.told()

    def tell(self, asked: Any) -> None:
        """Ask without waiting for the answer."""
        self._talk.send(asked)

    def told(self) -> Any:
        """What it says next; None if it died."""
        try:
            return self._talk.recv()
        except (EOFError, ConnectionResetError):
            assert self.died()
            return None

    def died(self) -> bool:
        """Whether it ended where it was told to die."""
        return self.ended() == DEAD

    def ended(self) -> int | None:
        """Its exit code, once it has ended."""
        self._process.join(_SECONDS)
        return self._process.exitcode


def heard(talk: Connection) -> Any:
    """What a process is asked next; None once nobody asks any more."""
    try:
        return talk.recv()
    except (EOFError, ConnectionResetError):
        return None


def _run(module: str, talk: Connection, arguments: tuple[Any, ...]) -> None:
    importlib.import_module(f"tests.fakes.{module}").main(talk, *arguments)
