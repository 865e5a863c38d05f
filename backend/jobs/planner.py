"""From schedules to jobs: each planned tick becomes at most one, however many planners there are."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.core.errors import DeskError
from backend.jobs.book import Memory, Pages, ScheduleBook
from backend.jobs.ledger import Ledger
from backend.jobs.rows import Kind, planned_id, written
from backend.jobs.schedules import Schedule
from backend.jobs.service import Jobs
from backend.jobs.ticks import count_between, interval

SET_BACK = timedelta(seconds=60)  # a clock that goes back further than this was set, not corrected
LONGEST_SLEEP = 1.0
SEEN_EVERY = timedelta(seconds=60)
OFF = "off"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What is to be done about one schedule now.

    Attributes:
        run: The tick to run, or None.
        missed: How many ticks before it are past catching up.
        first_missed: The first of them.
        last_missed: The last of them.
        last: The tick to remember as handled.
    """

    run: datetime | None
    missed: int = 0
    first_missed: datetime | None = None
    last_missed: datetime | None = None
    last: datetime | None = None


def due(schedule: Schedule, last: datetime | None, now: datetime, *, starting: bool) -> Due:
    """What is due: of several ticks the newest is run, if it is not too late for it; the rest are missed.

    Args:
        schedule: Its ticks, and how late is too late.
        last: The last tick handled; None on a new desk, where only what runs at start is due.
        now: In the schedule's clock.
        starting: Whether the desk starts: what runs at start is due if it did not run within half
            its interval.
    """
    distance = interval(schedule.when, now)
    at_start = starting and schedule.at_start
    if last is None:
        return Due(run=_second(now), last=now) if at_start else Due(run=None, last=now)
    newest = schedule.when.latest(now)
    if newest is None or newest <= last:
        again = at_start and now - last >= distance / 2
        return Due(run=_second(now), last=now) if again else Due(run=None, last=last)
    first = schedule.when.following(last)
    limit = distance if schedule.catch_up is None else timedelta(seconds=schedule.catch_up)
    in_time = now - newest <= limit
    missed = count_between(schedule.when, last, newest) + (0 if in_time else 1)
    run = newest if in_time else _second(now) if at_start else None
    before = schedule.when.latest(newest - timedelta(microseconds=1))
    return Due(
        run=run,
        missed=missed,
        first_missed=first if missed else None,
        last_missed=(before if in_time else newest) if missed else None,
        last=newest if run == newest or run is None else now,
    )


class Planner:
    """Turns due ticks into jobs. Any number of planners may share a desk's folder.

    Args:
        book: The schedules and what is remembered of them.
        jobs: Where jobs are queued.
        ledger: Where missed ticks are recorded.
        claim: Asks the broker for a tick's key, for planners on other machines; True if it is ours.
        clock: desk or wall plans only the schedules that follow that clock; both plans all.
    """

    def __init__(
        self,
        book: ScheduleBook,
        jobs: Jobs,
        ledger: Ledger,
        claim: Callable[[str], bool] | None = None,
        *,
        clock: str = "both",
    ) -> None:
        self._book = book
        self._jobs = jobs
        self._ledger = ledger
        self._claim = claim or (lambda _key: True)
        self._clock = clock
        self._next: datetime | None = None
        self._seen_change: object = None

    def run(self, *, starting: bool = False) -> float:
        """Queue what is due and tell how many seconds one may sleep, at most one.

        Args:
            starting: Whether the desk starts.
        """
        wall = self._ledger.clock.wall()
        change = self._book.changed_at()
        ahead = self._next is not None and wall < self._next
        set_back = self._next is not None and self._next - wall > timedelta(minutes=2)
        if ahead and not set_back and not starting and change == self._seen_change and self._next is not None:
            return min(LONGEST_SLEEP, max(0.0, (self._next - wall).total_seconds()))
        wanted = [s for s in self._book.schedules.values() if self._clock in {"both", s.clock}]
        with self._book.open() as pages:
            self._notice_clocks(pages)
            for schedule in wanted:
                memory = pages.of(schedule.name)
                _notice_change(schedule, memory)
                if schedule.enabled and not memory.paused:
                    self._plan(schedule, pages, starting=starting)
        self._seen_change = self._book.changed_at()
        self._next = self._soonest(wanted, wall)
        return min(LONGEST_SLEEP, max(0.0, (self._next - wall).total_seconds()))

    def look_at_clocks(self) -> None:
        """Notice whether a clock was set back since anybody planned, as by a replay begun anew."""
        with self._book.open() as pages:
            self._notice_clocks(pages)

    def plan_now(self, name: str, planned_at: datetime) -> str | None:
        """Queue one tick of a schedule, as a replay does at a closed bar; gives the job, or None."""
        schedule = self._book.schedule(name)
        with self._book.open() as pages:
            self._notice_clocks(pages)
            memory = pages.of(name)
            if not schedule.enabled or memory.paused:
                return None
            memory.last = planned_at
            return self._queue(schedule, memory, planned_at, pages)

    def _plan(self, schedule: Schedule, pages: Pages, *, starting: bool) -> None:
        memory = pages.of(schedule.name)
        now = self._book.now(schedule)
        what = due(schedule, memory.last, now, starting=starting)
        if what.missed:
            memory.missed += what.missed
            self._record_missed(schedule, what, "outage")
        memory.last = what.last
        if what.run is not None:
            self._queue(schedule, memory, what.run, pages)

    def _queue(self, schedule: Schedule, memory: Memory, tick: datetime, pages: Pages) -> str | None:
        if schedule.overlap == "skip" and self._still_runs(memory):
            memory.skipped += 1
            self._record_missed(
                schedule, Due(run=None, missed=1, first_missed=tick, last_missed=tick), "overlap"
            )
            return None
        job_id = planned_id(schedule.name, tick, f"{schedule.clock}{pages.eras[schedule.clock]}")
        if self._ledger.recent(job_id) is not None or not self._claim(job_id):
            memory.job = job_id
            return None
        wall = self._ledger.clock.wall()
        try:
            self._jobs.submit_planned(
                schedule,
                job_id=job_id,
                planned_at=tick,
                expires_at=wall + interval(schedule.when, self._book.now(schedule)),
            )
        except DeskError as error:
            log.error("schedule %s: %s", schedule.name, error.message)  # noqa: TRY400 - its sentence is enough
            return None
        log.info("Scheduler: Sending due task %s (%s)", schedule.name, schedule.task)
        memory.job = job_id
        return job_id

    def _still_runs(self, memory: Memory) -> bool:
        entry = self._ledger.recent(memory.job) if memory.job is not None else None
        if entry is None or entry.state.terminal:
            return False
        expired = entry.expires_at is not None and entry.expires_at < written(self._ledger.clock.wall())
        return entry.run > 0 or not expired

    def _record_missed(self, schedule: Schedule, what: Due, reason: str) -> None:
        if what.first_missed is None or what.last_missed is None:
            return
        self._ledger.append(
            Kind.MISSED,
            planned_id(schedule.name, what.last_missed, f"missed-{reason}-{what.missed}"),
            task=schedule.task,
            queue=schedule.queue or self._jobs.queue_of(schedule.task),
            kwargs=dict(schedule.kwargs),
            actor="schedule",
            schedule=schedule.name,
            planned_at=written(what.last_missed),
            reason=reason,
            count=what.missed,
            first=written(what.first_missed),
        )

    def _notice_clocks(self, pages: Pages) -> None:
        clock = self._ledger.clock
        for name, now in (("wall", clock.wall()), ("desk", clock.now())):
            seen = pages.seen.get(name)
            if seen is not None and now < seen - SET_BACK:
                # The hour comes again: its ticks are new ones, and nothing waits for the old future.
                pages.eras[name] += 1
                pages.seen[name] = now
                for schedule in self._book.schedules.values():
                    memory = pages.of(schedule.name)
                    if schedule.clock == name and memory.last is not None and memory.last > now:
                        memory.last = None if schedule.at_start else now
            elif seen is None or now - seen >= SEEN_EVERY:
                pages.seen[name] = now

    def _soonest(self, wanted: list[Schedule], wall: datetime) -> datetime:
        soonest = wall + timedelta(seconds=60)
        for schedule in wanted:
            now = self._book.now(schedule)
            following = schedule.when.following(now) if schedule.enabled else None
            if following is not None:
                soonest = min(soonest, wall + (following - now))
        return soonest


def _notice_change(schedule: Schedule, memory: Memory) -> None:
    """Begin anew where it ticks otherwise than before: its new ticks of the past were never planned."""
    stated = str(schedule.when) if schedule.enabled else OFF
    if memory.planned_as not in {None, stated}:
        memory.last = None
    memory.planned_as = stated


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
