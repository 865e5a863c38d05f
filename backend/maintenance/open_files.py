"""Which files upkeep leaves alone, however old they are: those that somebody still has in hand."""

import os
import stat
import time
from pathlib import Path

import psutil

from backend.core.errors import Invalid
from backend.storage.atomic import WINDOWS
from backend.storage.files import FileStorage
from backend.storage.locks import is_held

_FRESH_SECONDS = 1.0


class OpenFiles:
    """Which files a process of this machine has open, as far as this one may know of the others.

    Windows is asked by renaming a file to its own name, which it refuses while anybody has it open;
    elsewhere the open files of all processes are read, at most once a second.

    Args:
        apart_from_us: This process does not count.
    """

    def __init__(self, *, apart_from_us: bool = False) -> None:
        self._apart = os.getpid() if apart_from_us else None
        self._opened: frozenset[str] = frozenset()
        self._until = float("-inf")

    def __contains__(self, path: Path) -> bool:
        if WINDOWS:
            return _refuses_renaming(path)
        if time.monotonic() > self._until:
            self._opened = _opened(self._apart)
            self._until = time.monotonic() + _FRESH_SECONDS
        return str(path) in self._opened


def why_left(storage: FileStorage, name: str, opened: OpenFiles) -> str | None:
    """Why upkeep does not touch a file now, or None if nothing speaks against it.

    Raises:
        FileNotFoundError: It is gone.
        Unavailable: Its lock cannot be asked for.
    """
    path = storage.root / name
    try:
        real = storage.path(name)
    except Invalid as error:
        return error.message
    if real != path:
        return "it is a link, or stands behind one"
    if not path.lstat().st_mode & stat.S_IWUSR:
        return "it is read-only"
    if is_held(path):
        return "it is being written"
    return "a program has it open" if path in opened else None


def _refuses_renaming(path: Path) -> bool:
    try:
        path.rename(path)
    except PermissionError:
        return True
    except FileNotFoundError:
        return False
    return False


def _opened(apart: int | None) -> frozenset[str]:
    found: set[str] = set()
    for process in psutil.process_iter():
        try:
            if process.pid != apart:
                found.update(file.path for file in process.open_files())
        except (psutil.Error, OSError):
            continue  # it ended, or belongs to somebody else
    return frozenset(found)
