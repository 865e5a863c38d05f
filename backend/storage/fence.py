"""Whether what this thread does is still guarded by the locks that it holds.

A lock of a file holds for as long as its process lives. One that ends by itself unless it is renewed can
be lost by a holder that stood still: what changes files looks here as the last thing before it does.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.core.errors import Unavailable

Held = Callable[[], bool]
"""Whether a lock is still its holder's; asks nobody."""


class _Standing(threading.local):
    """The locks of this thread that can be lost, the innermost last."""

    def __init__(self) -> None:
        self.locks: list[tuple[Path, Held]] = []


_standing = _Standing()


@contextlib.contextmanager
def guarded(path: Path, held: Held) -> Iterator[None]:
    """While the block runs, `require` asks `held`, for the lock that stands for `path`."""
    _standing.locks.append((path, held))
    try:
        yield
    finally:
        _standing.locks.pop()


def require() -> None:
    """Nothing where this thread's locks are still its own.

    Raises:
        Unavailable: Code ``lock_lost``.
    """
    for path, held in _standing.locks:
        if not held():
            raise Unavailable(
                "lock_lost",
                f"the lock of {path} was lost: this process stood still or could not reach the desk's Redis "
                "for so long that another host may have it. Nothing was changed here; try again",
                path=str(path),
            )
