"""Who runs a job, or changes what several may change: one holder at a time, told apart from a dead one.

Where the broker is a Redis the leases are there too (`leases_redis`): several machines share it, and
locks of files on network drives are not trusted. A desk in memory is one process and keeps them as
files. Whoever wants to end a job that nobody runs takes the lease for that moment, so that no worker
begins it in between.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol, Self

import psutil

from backend.core.clock import Clock, parse_iso
from backend.core.errors import Unavailable
from backend.jobs.broker import process_lives
from backend.jobs.rows import written
from backend.storage.atomic import create_file, while_in_use
from backend.storage.locks import hold
from backend.storage.names import safe_name

REMOTE_SILENCE = 90.0  # seconds without renewal after which a holder on another machine is dead
TAKEOVER_WAIT = 5.0
HOST = socket.gethostname()


class Leases(Protocol):
    """The leases of one desk. Thread-safe.

    Every method but `held` raises `Unavailable` ``broker_unavailable`` where the leases are in a
    Redis that does not answer, unless it says otherwise.
    """

    def take(self, job_id: str, worker: str) -> int:
        """Become the holder; gives a number that grows with each holder of the job, 0 if a living one
        has it. A dead one's lease is taken over.
        """  # noqa: D205 - one sentence

    def holder(self, job_id: str) -> "Holder | None":
        """Who has it, living or dead; None if nobody."""

    def alive(self, job_id: str) -> bool:
        """Whether somebody has it who still lives, or may have it: in doubt it is so."""

    def held(self, job_id: str) -> bool:
        """Whether this process may go on with the job, by what it knew last; asks nobody."""

    def mine(self, job_id: str) -> bool:
        """Whether this process took it and no other is known to have taken over. Raises nothing."""

    def renew(self) -> list[str]:
        """Say of everything this process holds that it is alive; gives the jobs renewed."""

    def release(self, job_id: str) -> None:
        """Give it back, if it is still ours. Raises nothing."""

    def close(self) -> None:
        """Let go of connections; what is held stays held."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who has a lease.

    Attributes:
        host: The machine within which `pid` means something, as `machine` names it.
        pid: Process id.
        started: When that process began, which tells it from a later one of that id.
        worker: Celery's node name, or what else took it.
        token: Different for each taking.
        renewed_at: When it last said that it lives; a Redis keeps that itself.
    """

    host: str
    pid: int
    started: float
    worker: str
    token: str
    renewed_at: str

    @classmethod
    def of_this_process(cls, worker: str, at: str) -> Self:
        """A new holder in this process."""
        pid = os.getpid()
        token = f"{pid}-{threading.get_ident()}-{os.urandom(6).hex()}"
        return cls(
            host=machine(), pid=pid, started=_own_start(pid), worker=worker, token=token, renewed_at=at
        )

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """As `encode` wrote it; what is not that belongs to nobody who lives."""
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError):
            return cls(host="", pid=0, started=0.0, worker="", token="", renewed_at="")

    def encode(self) -> bytes:
        """As it is kept."""
        return json.dumps(asdict(self)).encode()


class FileLeases:
    """Leases as small files in `folder`, each of which only one process can create."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._mine: dict[str, Holder] = {}
        self._guard = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, job_id: str, worker: str) -> int:
        """Become the holder; the number is the time in microseconds."""
        now = self._clock.wall()
        holder = Holder.of_this_process(worker, written(now))
        for _ in range(3):
            if create_file(self._path(job_id), holder.encode(), mode=None, fsync=False):
                with self._guard:
                    self._mine[job_id] = holder
                return int(now.timestamp() * 1e6)
            if self.alive(job_id):
                return 0
            self._clear_away(job_id)
        return 0

    def holder(self, job_id: str) -> Holder | None:
        """Who has it, living or dead."""
        try:
            return Holder.decode(while_in_use(self._path(job_id).read_bytes))
        except FileNotFoundError:
            return None

    def alive(self, job_id: str) -> bool:
        """Whether its process runs (on this machine) or has renewed it lately (on another)."""
        holder = self.holder(job_id)
        if holder is None or not holder.renewed_at:
            return False
        if holder.host == machine():
            return process_lives(holder.pid, holder.started)
        silence = self._clock.wall() - parse_iso(holder.renewed_at)
        return silence.total_seconds() < REMOTE_SILENCE

    def held(self, job_id: str) -> bool:
        """Whether it was taken here and not given back."""
        with self._guard:
            return job_id in self._mine

    def mine(self, job_id: str) -> bool:
        """Whether the file names this process's taking of it."""
        with self._guard:
            own = self._mine.get(job_id)
        found = self.holder(job_id)
        return own is not None and found is not None and found.token == own.token

    def renew(self) -> list[str]:
        """Write each file anew with the time."""
        with self._guard:
            held = dict(self._mine)
        renewed = []
        for job_id, holder in held.items():
            if not self.mine(job_id):
                continue
            fresh = replace(holder, renewed_at=written(self._clock.wall()))
            draft = self._path(job_id).with_suffix(f".{os.getpid()}.tmp")
            draft.write_bytes(fresh.encode())
            with self._guard:
                if job_id in self._mine:
                    while_in_use(partial(draft.replace, self._path(job_id)))
                    renewed.append(job_id)
                else:
                    draft.unlink(missing_ok=True)
        return renewed

    def release(self, job_id: str) -> None:
        """Remove the file, if it is still ours."""
        ours = self.mine(job_id)
        with self._guard:
            self._mine.pop(job_id, None)
            if ours:
                while_in_use(lambda: self._path(job_id).unlink(missing_ok=True))

    def close(self) -> None:
        """There are none."""

    def _clear_away(self, job_id: str) -> None:
        """Remove a dead holder's lease; one at a time, so that nobody removes a living one's."""
        with hold(self._folder / "takeover", TAKEOVER_WAIT):
            if not self.alive(job_id):
                while_in_use(lambda: self._path(job_id).unlink(missing_ok=True))

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{safe_name(job_id)}.lease"


@contextmanager
def exclusive(locks: Leases, name: str, wait: float) -> Iterator[Callable[[], bool]]:
    """Be the only one, of all processes of the desk on all its hosts, for as long as the block runs.

    Args:
        locks: Leases for this purpose, which somebody renews. A thread does not take one twice.
        name: What is locked.
        wait: Seconds to wait for the one who has it.

    Yields:
        Tells whether it is still so: a process that stood still for long may have been replaced.

    Raises:
        Unavailable: ``locked`` after `wait` seconds, or as `Leases.take`.
    """
    deadline = time.monotonic() + wait
    pause = 0.002
    while not locks.take(name, "lock"):
        if time.monotonic() >= deadline:
            raise Unavailable("locked", f"{name} is held by another; waited {wait:g} s for it", name=name)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    try:
        yield lambda: locks.held(name)
    finally:
        locks.release(name)


@lru_cache(maxsize=1)
def machine() -> str:
    """This machine, as far as process ids reach: containers of one name on one host are two."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{HOST}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{HOST}/{uuid.getnode():x}"


@lru_cache(maxsize=4)
def _own_start(pid: int) -> float:
    return psutil.Process(pid).create_time()
