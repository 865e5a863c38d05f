"""Where a replayed desk stands."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayState:
    """Where a replay stands. Times are desk times, aware UTC.

    Attributes:
        now: The desk's time.
        first: The first moment that can be played.
        last: The last one.
    """

    now: datetime
    first: datetime
    last: datetime

    @property
    def finished(self) -> bool:
        """Whether the end has been reached."""
        return self.now >= self.last
