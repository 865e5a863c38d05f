"""Nothing that was promised is left lying: the ledger is compared with what runs, every few seconds."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend.core.clock import day, parse_iso
from backend.core.errors import DeskError, Unavailable
from backend.jobs.index import Entry
from backend.jobs.leases import exclusive
from backend.jobs.ledger import FOLDER, segment_day
from backend.jobs.rows import Kind, deaths, written
from backend.jobs.runner import MOST_DEATHS, give_up, park
from backend.jobs.runtime import Runtime
from backend.jobs.spec import QUEUES
from backend.jobs.views import JobState

UNSENT_AFTER = timedelta(seconds=10)
MISSED_AFTER = timedelta(seconds=5)
UNSEEN_AFTER = timedelta(seconds=30)
LOOK_EVERY = timedelta(seconds=5)
ORPHANED_AFTER = timedelta(seconds=3)
MOST_PUBLISHED = 5
KEPT = timedelta(days=90)
LOCK = "housekeeping"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sweep:
    """What one pass did: job ids by what became of them."""

    published: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)


class Housekeeper:
    """Publishes what was not, runs again what died, closes what came too late. One at a time a desk.

    Args:
        runtime: Whose ledger is kept.
        forgetful: The broker forgets with its process: everything published before this process
            began is published again.
    """

    def __init__(self, runtime: Runtime, *, forgetful: bool = False) -> None:
        self._runtime = runtime
        self._forgotten_before = written(runtime.clock.wall()) if forgetful else ""
        self._look_next: datetime | None = None

    def sweep(self) -> Sweep:
        """One pass; does nothing if another process is at it."""
        done = Sweep()
        if self._runtime.stopping.is_set():
            return done  # what this process lets go of is for the next one
        try:
            with exclusive(self._runtime.locks, LOCK, 0.0):
                self._sweep(done)
        except Unavailable:
            return done  # another process is at it, or disk or broker are away: the next pass comes soon
        return done

    def prune(self) -> list[str]:
        """Delete the ledger's segments of more than 90 days ago; gives their names."""
        oldest = day(self._runtime.clock.wall() - KEPT)
        storage = self._runtime.storage
        old = [name for name in storage.names(f"{FOLDER}/*.jsonl") if segment_day(name) < oldest]
        return [name for name in old if storage.delete(name)]

    def _sweep(self, done: Sweep) -> None:
        runtime = self._runtime
        now = runtime.clock.wall()
        live = [entry for entry in runtime.ledger.entries() if not entry.state.terminal]
        lost = self._lost(live, now)
        idle_queues: set[str] | None = None
        for entry in live:
            try:
                reason = self._reason(entry, now)
                if entry.id in lost and reason in {None, "unseen"}:
                    reason = "lost"
                if reason == "unseen":
                    if idle_queues is None:
                        idle_queues = self._idle_queues()
                    reason = reason if entry.queue in idle_queues else None
                if reason is not None and not self._act(entry, reason, done):
                    break
            except DeskError as error:
                log.warning("job %s: %s", entry.id, error.message)

    def _lost(self, live: list[Entry], now: datetime) -> set[str]:
        """Jobs that were sent and not begun, and whose message the broker does not have.

        It is asked seldom, as it names every message. A message just being handed over may be
        missed: then the job is published once too often, and run once.
        """
        waiting = {
            entry.id
            for entry in live
            if entry.state is JobState.SENT
            and entry.sent_at is not None
            and entry.sent_run >= entry.run
            and not entry.cancel_requested
            and now - parse_iso(entry.sent_at) > MISSED_AFTER
        }
        if not waiting or (self._look_next is not None and now < self._look_next):
            return set()
        self._look_next = now + LOOK_EVERY
        known = self._runtime.jobs.known_to_broker(QUEUES)
        return waiting - known if known is not None else set()

    def _reason(self, entry: Entry, now: datetime) -> str | None:
        """Why something is to be done about the job now, or None."""
        text = written(now)
        if entry.state is JobState.STARTED:
            orphaned = now - parse_iso(entry.started_at or entry.queued_at) > ORPHANED_AFTER
            return "worker died" if orphaned and not self._runtime.leases.alive(entry.id) else None
        since = parse_iso(entry.sent_at or entry.queued_at)
        on_its_way = entry.sent_run >= entry.run and (entry.sent_at or "") >= (
            entry.due_at or entry.moved_at or ""
        )
        if entry.state is JobState.RETRYING:
            due = entry.due_at is not None and entry.due_at <= text
            return "next try" if due and not (on_its_way and now - since < UNSEEN_AFTER) else None
        reasons = (
            ("expired", entry.run == 0 and entry.expires_at is not None and entry.expires_at < text),
            ("cancelled", entry.cancel_requested),
            ("desk restarted", (entry.sent_at or entry.queued_at) < self._forgotten_before),
            ("released", entry.run > 0 and not on_its_way),
            ("not sent", entry.sent_at is None and now - since > UNSENT_AFTER),
            ("unseen", entry.sent_at is not None and now - since > UNSEEN_AFTER),
        )
        return next((reason for reason, holds in reasons if holds), None)

    def _act(self, entry: Entry, reason: str, done: Sweep) -> bool:
        """Do it; False if the broker takes nothing now."""
        jobs = self._runtime.jobs
        if reason in {"expired", "cancelled"}:
            kind = Kind.EXPIRED if reason == "expired" else Kind.CANCELLED
            if jobs.close_unbegun(entry.id, kind):
                done.ended.append(entry.id)
            return True
        if reason in {"lost", "unseen"} and entry.published >= MOST_PUBLISHED:
            error = Unavailable("lost", f"the broker lost it {entry.published} times").as_dict()
            if jobs.close_unbegun(entry.id, Kind.LOST, error=error):
                done.ended.append(entry.id)
            return True
        if reason == "worker died":
            once = jobs.begins_once(entry.task)
            if once or deaths(entry.rows()) >= MOST_DEATHS:
                self._put_aside(entry, done, once=once)
                return True
            if self._handed_out_lately(entry):
                return True
        published = jobs.publish_again(entry, reason)
        if published:
            done.published.append(entry.id)
        return published

    def _put_aside(self, entry: Entry, done: Sweep, *, once: bool) -> None:
        leases = self._runtime.leases
        if not leases.take(entry.id, "housekeeping"):
            return
        try:
            fresh = self._runtime.ledger.get(entry.id)
            if fresh.state.terminal:
                return
            if once:
                give_up(self._runtime, fresh)
                done.ended.append(entry.id)
            else:
                park(self._runtime, fresh, deaths(fresh.rows()))
                done.parked.append(entry.id)
        finally:
            leases.release(entry.id)

    def _handed_out_lately(self, entry: Entry) -> bool:
        """Whether it was published since it was last begun: then its message is on its way.

        Not the time decides but the run that the row names: a worker may begin the next run before
        the row of its publishing is written.
        """
        if entry.sent_at is None or entry.run == 0 or entry.sent_run < entry.run:
            return False
        return self._runtime.clock.wall() - parse_iso(entry.sent_at) < UNSEEN_AFTER

    def _idle_queues(self) -> set[str]:
        """Queues whose messages are all gone while somebody with a free slot listens: nothing waits there."""
        depths = self._runtime.jobs.queue_depths(QUEUES)
        free = {
            name
            for worker in self._runtime.jobs.workers()
            if worker.state == "alive" and len(worker.active) < worker.concurrency
            for name in worker.queues
        }
        return {name for name, depth in depths.items() if depth == 0 and name in free}
