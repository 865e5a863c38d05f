"""How a replayed desk's clock is moved: the port that the MT5 connector's client implements."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from backend.core.replay import ReplayState

__all__ = ["ClockControl", "ReplayState"]


class ClockControl(Protocol):
    """Moves the desk's clock; the MT5 connector implements it over its replayed market."""

    def state(self) -> ReplayState:
        """Where the replay stands."""

    def next_close(self, timeframes: Sequence[str]) -> datetime | None:
        """The next close, after now, of a bar of any of these timeframes; None at the end of the data."""

    def advance(self, to: datetime) -> ReplayState:
        """Let the desk's time be `to`, which is not before now."""
