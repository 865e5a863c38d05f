"""Many files put in place as one: a process killed half-way leaves all of them or none.

New files are written beside, then a list of them, which is the instant that counts; then each is moved to
its place. Whoever comes next ends what a dead process began: with the list the rest is moved, without it
what lies there is thrown away.
"""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from backend.storage import atomic, fence
from backend.storage.files import FileStorage

INCOMING: Final = ".incoming"
LIST: Final = f"{INCOMING}/list.json"
_LOCK_SECONDS: Final = 120.0


def guard(storage: FileStorage) -> "contextlib.AbstractContextManager[None]":
    """Holds the folder against other imports; the same thread may hold it twice."""
    return storage.lock(LIST, _LOCK_SECONDS)


def put_in_place(storage: FileStorage, files: Mapping[str, bytes]) -> None:
    """Write or replace all of these files, by name below the storage's folder, or none.

    Raises:
        Unavailable: The disk refuses; nothing is changed then.
    """
    with guard(storage):
        settle(storage)
        parts = {f"{INCOMING}/{number}": name for number, name in enumerate(files)}
        atomic.make_folder(storage.path(INCOMING), fsync=storage.fsync)
        for part, name in parts.items():
            atomic.replace_file(storage.path(part), files[name], mode=None, fsync=storage.fsync)
        storage.write_json(LIST, parts)
        _move(storage, parts)


def settle(storage: FileStorage) -> None:
    """End what a process that was killed had begun."""
    if not any(_waiting(storage.path(INCOMING))):
        return
    with guard(storage):
        parts = storage.read_json_or(LIST, None)
        if parts is not None:
            _move(storage, parts)
        else:
            _clear(storage.path(INCOMING))


def settle_around(folder: Path) -> None:
    """The same for every history in a folder, or around it, that somebody is about to read."""
    found = [*folder.rglob(LIST), *(parent / LIST for parent in folder.parents)]
    for marker in found:
        if marker.is_file():
            settle(FileStorage(marker.parent.parent))


def _move(storage: FileStorage, parts: Mapping[str, str]) -> None:
    for part, name in parts.items():
        source, target = storage.path(part), storage.path(name)
        if source.exists():  # else it was moved before the process died
            atomic.make_folder(target.parent, fsync=storage.fsync)
            fence.require()
            with contextlib.suppress(FileNotFoundError), atomic.refusals(target):  # a reader moved it
                atomic.while_in_use(partial(source.replace, target))
    for folder in {storage.path(name).parent for name in parts.values()}:
        atomic.sync_folder(folder)
    storage.delete(LIST)
    _clear(storage.path(INCOMING))


def _clear(folder: Path) -> None:
    for path in _waiting(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def _waiting(folder: Path) -> Iterator[Path]:
    """What lies in the folder, lock files aside."""
    return (path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else iter(())
