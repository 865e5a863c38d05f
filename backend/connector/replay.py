"""The clock of a replay: kept on disk, so that a connector that starts again goes on where it was."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from backend.core.clock import Clock, SystemClock, iso
from backend.core.errors import Conflict, Invalid
from backend.core.timeframes import Timeframe
from backend.simulator.replay_clock import ReplayClock
from backend.storage.files import FileStorage

REPLAY_FILE = "replay.json"


class PlayedMarket(Protocol):
    """What a replayed market tells of itself."""

    def range(self) -> tuple[datetime, datetime]:
        """The first and the last instant to be played."""

    def closes(self, after: datetime, timeframes: Iterable[Timeframe]) -> datetime | None:
        """The next close of a bar of any of these."""


class DeskClock:
    """Desk time of a connector: wall time, or, once `play` was called, the replay's.

    Args:
        wall: Tells the wall time.
    """

    def __init__(self, wall: Clock | None = None) -> None:
        self._wall: Clock = wall if wall is not None else SystemClock()
        self._played: ReplayClock | None = None
        self._market: PlayedMarket | None = None
        self._storage: FileStorage | None = None
        self._identity = ""
        self.speed = 1.0

    def now(self) -> datetime:
        """Desk time, aware UTC."""
        return self._played.now() if self._played is not None else self._wall.now()

    def wall(self) -> datetime:
        """Wall time, aware UTC."""
        return self._wall.wall()

    def play(self, market: PlayedMarket, run_files: FileStorage, *, identity: str, speed: float) -> None:
        """Follow a replay from now on, from where it was left if it is the same one.

        Args:
            market: What is played.
            run_files: Where ``replay.json`` is kept.
            identity: Names what is played; another replay begins at its beginning.
            speed: Ceiling of the replay's speed, for those who ask.
        """
        kept = run_files.read_json_or(REPLAY_FILE, None)
        same = isinstance(kept, dict) and kept.get("played") == identity and "now" in kept
        self._played = ReplayClock(*market.range(), kept if same else None)
        self._market, self._storage, self._identity, self.speed = market, run_files, identity, speed
        self._keep(self._played.state())

    @property
    def playing(self) -> bool:
        """Whether desk time is a replay's."""
        return self._played is not None

    def next_close(self, timeframes: Iterable[str]) -> datetime | None:
        """The next close, after now, of a bar of any of these timeframes; None at the end of the data."""
        _, market = self._replay()
        return market.closes(self.now(), [Timeframe.parse(name) for name in timeframes])

    def advance(self, to: datetime) -> datetime:
        """Go on to an instant, at most to the end, and keep that; gives desk time.

        Raises:
            Conflict: This desk is live.
            Invalid: The instant lies behind desk time.
        """
        played, _ = self._replay()
        if to < played.now():
            raise Invalid(
                "clock_backwards",
                f"desk time is {iso(played.now())} and only goes forward, not to {iso(to)}",
                now=iso(played.now()),
            )
        # On the disk first: what the account does at an instant must not lie ahead of a kept clock.
        self._keep(played.state_at(to))
        return played.advance(to)

    def as_dict(self) -> dict[str, Any]:
        """Both times and, of a replay, its range; JSON values."""
        described: dict[str, Any] = {"desk_now": iso(self.now()), "wall_now": iso(self.wall())}
        if self._played is None:
            return described | {"mode": "live", "speed": 1.0, "range": None, "finished": False}
        state = self._played.state()
        return described | {
            "desk_now": state["now"],
            "mode": "replay",
            "speed": self.speed,
            "range": [state["first"], state["last"]],
            "finished": state["finished"],
        }

    def _replay(self) -> tuple[ReplayClock, PlayedMarket]:
        if self._played is None or self._market is None:
            raise Conflict("live_desk", "this desk is live: its clock is the world's and cannot be moved")
        return self._played, self._market

    def _keep(self, state: dict[str, Any]) -> None:
        if self._storage is not None:
            self._storage.write_json(REPLAY_FILE, state | {"played": self._identity})
