"""The desk time of a replay."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from backend.core.clock import iso, parse_iso, require_utc


class ReplayClock:
    """Holds the instant that is being played; it moves when told to, forward only, and stops at the end.

    Safe between threads. Whoever owns it keeps `state()` on disk and gives it back after a restart.

    Args:
        first: Where the replay begins, aware.
        last: Where it ends, aware.
        state: What `state()` gave before; outside [first, last] it is brought inside.
    """

    def __init__(self, first: datetime, last: datetime, state: Mapping[str, Any] | None = None) -> None:
        self._first, self._last = require_utc(first), require_utc(last)
        self._lock = threading.Lock()
        played = parse_iso(str(state.get("now"))) if state is not None else self._first
        self._now = min(max(played, self._first), self._last)

    def now(self) -> datetime:
        """The instant being played, aware UTC."""
        with self._lock:
            return self._now

    @property
    def finished(self) -> bool:
        """Whether the end has been reached."""
        return self.now() >= self._last

    def advance(self, to: datetime) -> datetime:
        """Go on to an instant, at most to the end; one that lies behind changes nothing. Gives desk time."""
        target = min(require_utc(to), self._last)
        with self._lock:
            self._now = max(self._now, target)
            return self._now

    def advance_by(self, step: timedelta) -> datetime:
        """Go on by a time, at most to the end; not backwards. Gives desk time."""
        with self._lock:
            self._now = max(self._now, min(self._now + step, self._last))
            return self._now

    def state(self) -> dict[str, Any]:
        """Where it stands, as JSON values: now, first and last (ISO-8601), finished."""
        return self.state_at(self.now())

    def state_at(self, moment: datetime) -> dict[str, Any]:
        """What `state()` gives once the clock has been advanced to an instant."""
        now = min(max(self.now(), require_utc(moment)), self._last)
        return {
            "now": iso(now),
            "first": iso(self._first),
            "last": iso(self._last),
            "finished": now >= self._last,
        }
