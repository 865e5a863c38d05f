"""Computes what refused ideas would have earned, in a child process, and keeps what is final."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from backend.backtest.process import run_in_child
from backend.backtest.running import Progress
from backend.core.clock import Clock, FixedClock
from backend.ideas.why_not import FOLDER, keep_results, known_results
from backend.journal.columns import Wanted
from backend.journal.journal import Journal
from backend.storage import fence
from backend.storage.files import FileStorage

DEADLINE_SECONDS: Final = 1800.0
LOCK: Final = f"{FOLDER}/weighing"
_KEPT_AT_ONCE: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighing:
    """What the child is to do.

    Attributes:
        root: The data folder.
        server_clock: Rule of the broker's clock.
        now: Desk time.
        since: Decisions from then on; None for all.
    """

    root: Path
    server_clock: str
    now: datetime
    since: datetime | None = None

    def run(self, progress: Progress) -> dict[str, Any]:
        """Compute what is not known; gives how many are known, new, and not known yet."""
        from backend.backtest.compiling import prepare
        from backend.backtest.what_if import what_if
        from backend.ideas.replaying import Replayer
        from backend.market.store import MarketStore
        from backend.mt5.server_time import ServerClock

        prepare(self.root / "compiled")
        clock = FixedClock(self.now)
        storage = FileStorage(self.root)
        journal = Journal(storage, clock)
        store = MarketStore(storage, ServerClock.parse(self.server_clock), clock=clock)
        source = Replayer(storage, journal, store)
        known = known_results(storage)
        refused = journal.refused(Wanted(signal="any", since=self.since))
        todo = [place for place, _ in refused if place.seq not in known]
        waiting: dict[int, str] = {}
        final: list[tuple[int, str, dict[str, Any]]] = []
        new = 0
        for number, place in enumerate(todo):
            payload = journal.at(place).payload
            found = what_if(payload, source, store, self.now)
            if found.final:
                month = str(payload["bar_time"])[:7].replace("-", "")
                final.append((place.seq, month, {"decision_id": payload["id"], **found.as_dict()}))
                new += 1
            else:
                waiting[place.seq] = found.reason
            if len(final) == _KEPT_AT_ONCE or number + 1 == len(todo):
                keep_results(storage, clock, final, waiting)
                final = []
            progress(number + 1, len(todo))
        return {"refused": len(refused), "new": new, "known": len(known) + new, "waiting": len(waiting)}


def weigh_refusals(
    storage: FileStorage,
    clock: Clock,
    server_clock: str,
    *,
    since: datetime | None = None,
    check: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compute, in a child process, what refused ideas would have earned; see `Weighing`.

    Args:
        storage: Files below ``data/``.
        clock: Desk time: bars closed by now count.
        server_clock: Rule of the broker's clock.
        since: Decisions from then on.
        check: Called between steps; what it raises ends the child.
        progress: Told ideas done and ideas in all.

    Raises:
        Unavailable: ``locked``: another process is at it.
    """
    work = Weighing(root=storage.root, server_clock=server_clock, now=clock.now(), since=since)

    def checked() -> None:
        fence.require()
        check()

    with storage.lock(LOCK, 0.0):  # here, for the child's own locks reach this machine only
        return run_in_child(work, check=checked, progress=progress, deadline=DEADLINE_SECONDS)
