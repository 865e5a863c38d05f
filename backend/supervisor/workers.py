"""Which of the supervisor's own workers are to be restarted, by what they say of themselves."""

import time
from collections.abc import Iterable, Mapping
from typing import Final

from backend.core.clock import Clock, age_seconds
from backend.jobs.leases import HOST
from backend.jobs.views import WorkerView
from backend.jobs.worker_files import SILENT_AFTER, worker_views
from backend.storage.files import FileStorage

LOOK_EVERY: Final = 5.0
LEAST_LIFE: Final = 300.0  # seconds; a worker that is over its limit from the start only says so


class WorkerWatch:
    """Reads the files of the workers; nobody is asked, and nobody else's worker is touched.

    Args:
        storage: The desk's ``data`` folder.
        clock: Tells how old a file is.
        look_every: Seconds between two looks.
        least_life: Seconds of life before a worker may be restarted for its memory.
    """

    def __init__(
        self,
        storage: FileStorage,
        clock: Clock,
        *,
        look_every: float = LOOK_EVERY,
        least_life: float = LEAST_LIFE,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._look_every = look_every
        self._least_life = least_life
        self._looked = float("-inf")

    def ailing(self, pids: Iterable[int]) -> Mapping[int, str]:
        """Why each of these processes is to be restarted; those that are not are left out."""
        now = time.monotonic()
        if now - self._looked < self._look_every:
            return {}
        self._looked = now
        ours = set(pids)
        found = {}
        for worker in worker_views(self._storage, self._clock):
            mine = worker.pid in ours and worker.host == HOST and worker.age <= SILENT_AFTER
            reason = self._reason(worker) if mine else None
            if reason is not None:
                found[worker.pid] = reason
        return found

    def _reason(self, worker: WorkerView) -> str | None:
        if worker.state == "deaf":
            return "is deaf: its test messages stay unanswered though it is not busy"
        lived = age_seconds(worker.started_at, worker.updated_at)
        if worker.state == "heavy" and not worker.active and lived >= self._least_life:
            return f"holds {worker.rss / 1e6:.0f} MB, more than MT5UI_WORKER_MEMORY_MB allows, and is idle"
        return None
