"""A replayed desk's time: it stands at a closed bar until what is due there is done, then goes on.

A bar is worked off as the backtest does it: first what keeps the orders (queue `orders`: management, the
reconcile, the watch), then evaluation and the rest, then what these gave to the desk to do, such as sending.
Nothing here waits: beat calls `Conductor.step` again and again and sleeps in between as told.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from backend.core.errors import DeskError
from backend.jobs.clock_control import ClockControl
from backend.jobs.ledger import Ledger
from backend.jobs.planner import Planner
from backend.jobs.schedules import Schedule

LONGEST_WAIT = 600.0  # seconds after which time goes on although a job of this bar has not ended
STEP = 0.02
REST = 1.0
ON_EACH_BAR = "evaluate-on-bar-close"
KEEPS_ORDERS = "orders"
"""Queue of what comes first at a bar."""
FOLLOW_UP = "desk"
"""Who asks for the jobs that a bar's own jobs give to the desk."""

log = logging.getLogger(__name__)


class Conductor:
    """Plays the market bar by bar.

    Args:
        control: The desk's clock.
        planner: Queues what is due.
        ledger: Tells when it is done.
        schedules: Gives those that follow desk time.
        timeframes: Gives the timeframes whose closes are stopped at.
        speed: Desk seconds a real second, at most.
    """

    _last: dict[str, datetime]

    def __init__(
        self,
        control: ClockControl,
        planner: Planner,
        ledger: Ledger,
        schedules: Callable[[], Sequence[Schedule]],
        timeframes: Callable[[], Sequence[str]],
        speed: float,
    ) -> None:
        self._control = control
        self._planner = planner
        self._ledger = ledger
        self._schedules = schedules
        self._timeframes = timeframes
        self._speed = speed
        self._waiting: set[str] = set()
        self._waits_since = 0.0
        self._bar: datetime | None = None
        self._todo: list[Sequence[Schedule]] = []
        self._given_up: set[str] = set()
        self._goes_on_at = 0.0
        self._last = {}
        self._begun = False
        self.finished = False

    def step(self) -> float:
        """Do what can be done now and tell after how many seconds to come again."""
        now = time.monotonic()
        if self._waiting:
            self._waiting = {job_id for job_id in self._waiting if not self._ended(job_id)}
            if self._waiting and now - self._waits_since < LONGEST_WAIT:
                return STEP
            for job_id in self._waiting:
                log.warning("replay goes on although job %s has not ended", job_id)
            self._given_up |= self._waiting
            self._waiting.clear()
        if self._bar is not None and self._works_off(self._bar, now):
            return STEP
        if now < self._goes_on_at:
            return min(self._goes_on_at - now, REST)
        if self.finished:
            return REST
        try:
            return self._next_bar(now)
        except DeskError as error:
            log.warning("replay waits: %s", error.message)
            return REST

    def _next_bar(self, now: float) -> float:
        before = self._control.state()
        if not self._begun:
            self._planner.look_at_clocks()
            self._begun = True
        close = self._control.next_close(self._timeframes())
        if close is None or close > before.last:
            self.finished = True
            log.info("replay has come to the end of its data at %s", before.now)
            return REST
        self._control.advance(close)
        self._goes_on_at = now + (close - before.now).total_seconds() / self._speed
        schedules = self._schedules()
        self._bar = close
        self._todo = [
            [schedule for schedule in schedules if (schedule.queue == KEEPS_ORDERS) is first]
            for first in (True, False)
        ]
        return STEP if self._works_off(close, now) else 0.0

    def _works_off(self, close: datetime, now: float) -> bool:
        """Queue the next part of what is due at this bar; whether there is something to wait for."""
        self._waits_since = now
        while self._todo and not self._waiting:
            self._plan(self._todo.pop(0), close)
        if not self._waiting:
            follow_ups = {entry.id for entry in self._ledger.live() if entry.actor == FOLLOW_UP}
            self._waiting = follow_ups - self._given_up
        if not self._waiting:
            self._bar = None
        return self._bar is not None

    def _plan(self, schedules: Sequence[Schedule], close: datetime) -> None:
        for schedule in schedules:
            tick = close if schedule.name == ON_EACH_BAR else schedule.when.latest(close)
            last = self._last.get(schedule.name)
            if tick is None or (last is not None and tick <= last):
                continue
            self._last[schedule.name] = tick
            job_id = self._planner.plan_now(schedule.name, tick)
            if job_id is not None:
                self._waiting.add(job_id)

    def _ended(self, job_id: str) -> bool:
        entry = self._ledger.recent(job_id)
        return entry is not None and entry.state.terminal
