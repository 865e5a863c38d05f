"""Locks between threads and processes of one machine; the system frees those of the dead.

A desk on several hosts hands in what excludes those, which is asked after the file: by one process a host.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import filelock

from backend.core.errors import Unavailable
from backend.storage import fence
from backend.storage.atomic import WINDOWS, refusals

LOCKS = ".locks"  # folder of lock files beside the files they guard
_POLL_SECONDS = 0.002
_NO_HOSTS: contextlib.nullcontext[None] = contextlib.nullcontext()


class Hosts(Protocol):
    """What excludes the other hosts that share a folder. Thread-safe."""

    def hold(self, path: Path, timeout: float) -> contextlib.AbstractContextManager[fence.Held]:
        """Hold the lock that stands for `path` against them; tells whether it still does.

        `Unavailable`: ``locked`` after `timeout` seconds, or what keeps the locks does not answer.
        """


@dataclass(slots=True)
class _Hold:
    """What the threads of this process share about one lock file."""

    gate: threading.RLock = field(default_factory=threading.RLock)
    users: int = 0
    depth: int = 0


_holds: dict[str, _Hold] = {}
_holds_guard = threading.Lock()


@contextlib.contextmanager
def hold(path: Path, timeout: float, hosts: Hosts | None = None) -> Iterator[None]:
    """Hold the lock that stands for the file at `path`; the same thread may hold it again.

    Threads queue in memory and one of them speaks for the process, so only processes poll.

    Raises:
        Unavailable: Code ``locked`` after `timeout` seconds, or as `Hosts.hold`.
    """
    file = lock_file(path)
    key = str(file)
    deadline = time.monotonic() + timeout
    with _holds_guard:
        mine = _holds.setdefault(key, _Hold())
        mine.users += 1
    try:
        if not mine.gate.acquire(timeout=max(0.0, timeout)):
            raise _held(path, timeout)
        try:
            if mine.depth:
                mine.depth += 1
                try:
                    yield
                finally:
                    mine.depth -= 1
                return
            with _between_processes(file, path, deadline, timeout), _between_hosts(hosts, path, deadline):
                mine.depth = 1
                try:
                    yield
                finally:
                    mine.depth = 0
        finally:
            mine.gate.release()
    finally:
        with _holds_guard:
            mine.users -= 1
            if not mine.users:
                _holds.pop(key, None)


def is_held(path: Path) -> bool:
    """Whether another thread or process holds the lock of the file at `path`; makes no lock file."""
    if not lock_file(path).exists():
        return False
    try:
        with hold(path, 0.0):
            return False
    except Unavailable as error:
        if error.code != "locked":
            raise
        return True


def retire(path: Path) -> None:
    """Remove the lock file of a file that was deleted; call it holding the lock.

    Those who wait for it see that it is gone and make a new one. Where an open file cannot be removed
    (Windows), or the thread holds the lock for longer than this, it stays.
    """
    file = lock_file(path)
    with _holds_guard:
        mine = _holds.get(str(file))
    if not WINDOWS and mine is not None and mine.depth == 1:
        with contextlib.suppress(OSError):
            file.unlink()


def sweep(root: Path) -> None:
    """Remove the lock files below a folder that nobody holds, and the folders this leaves empty.

    For the end of a desk; those that another process holds stay, and so do all on a disk that refuses.
    """
    for folder in [*root.rglob(LOCKS)]:
        for file in folder.glob("*.lock"):
            lock = filelock.FileLock(file, fallback_to_soft=False)
            with contextlib.suppress(filelock.Timeout, OSError):
                lock.acquire(timeout=0)
                if not WINDOWS:
                    file.unlink()
                lock.release()
                if WINDOWS:  # where only a closed file can be removed
                    file.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()


def lock_file(path: Path) -> Path:
    """The file whose lock stands for `path`."""
    return path.parent / LOCKS / f"{path.name}.lock"


@contextlib.contextmanager
def _between_processes(file: Path, path: Path, deadline: float, timeout: float) -> Iterator[None]:
    with refusals(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(
            file, poll_interval=_POLL_SECONDS, thread_local=False, fallback_to_soft=False
        )
        try:
            lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        except filelock.Timeout:
            raise _held(path, timeout) from None
    try:
        yield
    finally:
        lock.release()


def _between_hosts(
    hosts: Hosts | None, path: Path, deadline: float
) -> contextlib.AbstractContextManager[None]:
    return _NO_HOSTS if hosts is None else _against(hosts, path, deadline)


@contextlib.contextmanager
def _against(hosts: Hosts, path: Path, deadline: float) -> Iterator[None]:
    with (
        hosts.hold(path, max(0.0, deadline - time.monotonic())) as held,
        fence.guarded(path, held),
    ):
        yield


def _held(path: Path, timeout: float) -> Unavailable:
    return Unavailable(
        "locked", f"{path} is held by another process or thread; waited {timeout:g} s for it", path=str(path)
    )


def _forget() -> None:
    global _holds_guard  # noqa: PLW0603 - a child of fork inherits locks that nobody will release
    _holds.clear()
    _holds_guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
