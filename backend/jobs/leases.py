"""Who runs a job: one holder at a time, told apart from a dead one.

A lease is a small file that only one process can create. Its holder is alive while that very
process runs (on this machine) or while it renews the file (on another). Whoever wants to end a job
that nobody runs takes the lease for that moment, so that no worker begins it in between.
"""

import json
import os
import socket
import threading
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import psutil

from backend.core.clock import Clock, parse_iso
from backend.jobs.broker import process_lives
from backend.jobs.rows import written
from backend.storage.atomic import create_file, while_in_use
from backend.storage.locks import hold
from backend.storage.names import safe_name

REMOTE_SILENCE = 90.0  # seconds without renewal after which a holder on another machine is dead
TAKEOVER_WAIT = 5.0
HOST = socket.gethostname()


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who has a lease."""

    host: str
    pid: int
    started: float
    worker: str
    token: str
    renewed_at: str


class Leases:
    """The leases of one desk, in `folder`. Thread-safe."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._mine: dict[str, Holder] = {}
        self._guard = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, job_id: str, worker: str) -> bool:
        """Become the holder; False if a living one is. A dead one's lease is taken over."""
        holder = Holder(
            host=HOST,
            pid=os.getpid(),
            started=_own_start(os.getpid()),
            worker=worker,
            token=f"{os.getpid()}-{threading.get_ident()}-{os.urandom(6).hex()}",
            renewed_at=written(self._clock.wall()),
        )
        for _ in range(3):
            if create_file(self._path(job_id), _encode(holder), mode=None, fsync=False):
                with self._guard:
                    self._mine[job_id] = holder
                return True
            if self.alive(job_id):
                return False
            self._clear_away(job_id)
        return False

    def holder(self, job_id: str) -> Holder | None:
        """Who has it, living or dead; None if nobody."""
        try:
            content = json.loads(while_in_use(self._path(job_id).read_bytes))
            return Holder(**content)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            # Written whole by creation; a file that is not was damaged with its machine.
            return Holder(host="", pid=0, started=0.0, worker="", token="", renewed_at="")

    def alive(self, job_id: str) -> bool:
        """Whether somebody has it who still lives."""
        holder = self.holder(job_id)
        if holder is None or not holder.renewed_at:
            return False
        if holder.host == HOST:
            return process_lives(holder.pid, holder.started)
        silence = self._clock.wall() - parse_iso(holder.renewed_at)
        return silence.total_seconds() < REMOTE_SILENCE

    def mine(self, job_id: str) -> bool:
        """Whether this process still has it: another may have taken over from one thought dead."""
        with self._guard:
            own = self._mine.get(job_id)
        found = self.holder(job_id)
        return own is not None and found is not None and found.token == own.token

    def renew(self) -> list[str]:
        """Say of everything this process holds that it is alive; gives the jobs renewed."""
        with self._guard:
            held = dict(self._mine)
        renewed = []
        for job_id, holder in held.items():
            if not self.mine(job_id):
                continue
            fresh = Holder(
                host=holder.host,
                pid=holder.pid,
                started=holder.started,
                worker=holder.worker,
                token=holder.token,
                renewed_at=written(self._clock.wall()),
            )
            draft = self._path(job_id).with_suffix(f".{os.getpid()}.tmp")
            draft.write_bytes(_encode(fresh))
            with self._guard:
                if job_id in self._mine:
                    while_in_use(partial(draft.replace, self._path(job_id)))
                    renewed.append(job_id)
                else:
                    draft.unlink(missing_ok=True)
        return renewed

    def release(self, job_id: str) -> None:
        """Give it back, if it is still ours."""
        ours = self.mine(job_id)
        with self._guard:
            self._mine.pop(job_id, None)
            if ours:
                while_in_use(lambda: self._path(job_id).unlink(missing_ok=True))

    def _clear_away(self, job_id: str) -> None:
        """Remove a dead holder's lease; one at a time, so that nobody removes a living one's."""
        with hold(self._folder / "takeover", TAKEOVER_WAIT):
            if not self.alive(job_id):
                while_in_use(lambda: self._path(job_id).unlink(missing_ok=True))

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{safe_name(job_id)}.lease"


def _encode(holder: Holder) -> bytes:
    fields = ("host", "pid", "started", "worker", "token", "renewed_at")
    return json.dumps({name: getattr(holder, name) for name in fields}).encode()


@lru_cache(maxsize=4)
def _own_start(pid: int) -> float:
    return psutil.Process(pid).create_time()
