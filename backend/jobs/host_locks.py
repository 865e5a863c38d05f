"""What keeps the hosts of a desk out of each other's files: a lock that also stands in the Redis they share.

Locks of files hold within one machine, whose processes ask the Redis one at a time. A desk with a broker
of its own or in memory is one machine and asks nobody.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from backend.config import BrokerChoice, Settings
from backend.core.clock import SystemClock
from backend.core.errors import Unavailable
from backend.jobs.broker import KEY_PREFIX, named
from backend.jobs.context import current_job, pause
from backend.jobs.leases import Leases, exclusive
from backend.jobs.leases_redis import RedisLeases
from backend.storage.fence import Held

PREFIX: Final = f"{KEY_PREFIX}file:"
LASTS: Final = 20.0
"""Seconds after which the lock of a host that died is free; a write waits for longer than that."""
RENEW_EVERY: Final = 4.0
PATIENCE: Final = 0.5
JOB_PATIENCE: Final = 5.0
"""Seconds for which a running job waits for a Redis that is away; whoever asks the API hears at once."""
OF_ONE_PROCESS: Final = frozenset({"run", "task_runs"})
"""Folders below ``data/`` whose files have one writer each, or that `Runtime.locks` guards."""

log = logging.getLogger(__name__)


class HostLocks:
    """Locks of files of one folder between hosts: `backend.storage.locks.Hosts`. Thread-safe.

    Args:
        make: Gives the leases in which they stand; called once a process.
        root: The folder; what lies elsewhere is this host's own.
        renew_every: Seconds between two renewals.
    """

    def __init__(self, make: Callable[[], Leases], root: Path, *, renew_every: float = RENEW_EVERY) -> None:
        self._make = make
        self._root = Path(os.path.realpath(root))
        self._renew_every = renew_every
        self._guard = threading.Lock()
        self._made: Leases | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @contextlib.contextmanager
    def hold(self, path: Path, timeout: float) -> Iterator[Held]:
        """Hold the lock of a file against the other hosts; the caller holds it against this one.

        Yields:
            Tells whether it is still so.

        Raises:
            Unavailable: ``locked`` after `timeout` seconds; ``broker_unavailable``.
        """
        name = self._name(path)
        if name is None:
            yield lambda: True
            return
        with contextlib.ExitStack() as held:
            yield self._enter(held, name, timeout)

    def _enter(self, held: contextlib.ExitStack, name: str, timeout: float) -> Held:
        began = time.monotonic()
        patience = min(timeout, JOB_PATIENCE) if current_job() is not None else 0.0
        while True:
            left = max(0.0, timeout - (time.monotonic() - began))
            try:
                return held.enter_context(exclusive(self._leases(), name, left))
            except Unavailable as error:
                if error.code != "broker_unavailable" or time.monotonic() - began >= patience:
                    raise
            pause(0.2)

    def _name(self, path: Path) -> str | None:
        """The same on every host, wherever the folder is mounted there; None for what is not shared."""
        try:
            inside = path.relative_to(self._root)
        except ValueError:
            return None
        return None if not inside.parts or inside.parts[0] in OF_ONE_PROCESS else inside.as_posix()

    def _leases(self) -> Leases:
        with self._guard:
            if self._made is None:
                self._made = self._make()
                renewing = threading.Thread(
                    target=_renew, args=(self._made, self._renew_every), name="host locks", daemon=True
                )
                renewing.start()
            return self._made

    def _forget(self) -> None:
        """A child of fork has neither the thread nor the locks."""
        self._guard = threading.Lock()
        self._made = None


@lru_cache(maxsize=8)
def host_locks(settings: Settings) -> HostLocks | None:
    """What excludes the other hosts of a desk: where the settings name a broker, others may name it too.

    None where they name none. One a process, whoever asks.

    Raises:
        Invalid: ``bad_broker``.
    """
    address = None if settings.broker is BrokerChoice.MEMORY else named(settings)
    if address is None:
        return None
    return HostLocks(lambda: _locks(address.url), settings.data_dir)


def _locks(url: str) -> Leases:
    return RedisLeases(url, PREFIX, SystemClock(), patience=PATIENCE, lasts=LASTS, puts_back=False)


def _renew(leases: Leases, every: float) -> None:
    while True:
        time.sleep(every)
        try:
            leases.renew()
        except Unavailable:
            continue  # whoever holds something learns it from `held` when that lasts too long
        except Exception:
            log.exception("locks between hosts were not renewed")
