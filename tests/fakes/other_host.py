"""A process that believes to be on another machine, with the desk's folder on a network drive."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from backend.core.clock import SystemClock
from backend.jobs import leases, leases_redis
from backend.storage import locks


def another_host(name: str) -> None:
    """From here on this process is on a machine of that name, where no lock of a file locks anything."""
    leases.HOST = name
    for module in (leases, leases_redis):
        module.machine = lambda: name  # type: ignore[attr-defined]
    leases.create_file = lambda *_, **__: True  # type: ignore[attr-defined]
    locks._between_processes = _nothing


def host_apart(name: str) -> None:
    """From here on this process is on a machine of that name, whose locks of files reach itself alone."""
    leases.HOST = name
    for module in (leases, leases_redis):
        module.machine = lambda: name  # type: ignore[attr-defined]
    locks.LOCKS = f".locks-{name}"


class ClockOff(SystemClock):
    """The clock of a machine that is wrong by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._off = timedelta(seconds=seconds)

    def wall(self) -> datetime:
        return super().wall() + self._off


@contextlib.contextmanager
def _nothing(file: Path, path: Path, deadline: float, timeout: float) -> Iterator[None]:
    yield
