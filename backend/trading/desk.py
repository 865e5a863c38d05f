"""What the desk may do, and what it has done lately, as the risk gate sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Mode(StrEnum):
    """Who decides."""

    OBSERVE = "observe"
    """Decisions only."""
    SUPERVISED = "supervised"
    """Ideas wait for a person."""
    AUTONOMOUS = "autonomous"
    """The desk sends by itself when every check passes."""


class Purpose(StrEnum):
    """On whose behalf the gate runs."""

    DESK = "desk"
    APPROVAL = "approval"
    MANUAL = "manual"
    BACKTEST = "backtest"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskState:
    """Switches and pace.

    Attributes:
        mode: See `Mode`.
        ai_enabled: Whether strategies may lead to ideas.
        halted: Why nothing new may be sent; empty when not halted.
        entries_today: Entries since the broker's midnight, all strategies.
        entries_today_strategy: The same of the strategy in question.
        bars_since_close: Its bars since it last closed a trade; None if it never has.
        orders_last_minute: Orders sent in the last 60 seconds.
    """

    mode: Mode = Mode.SUPERVISED
    ai_enabled: bool = True
    halted: str = ""
    entries_today: int = 0
    entries_today_strategy: int = 0
    bars_since_close: int | None = None
    orders_last_minute: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "mode": str(self.mode),
            "ai_enabled": self.ai_enabled,
            "halted": self.halted,
            "entries_today": self.entries_today,
            "entries_today_strategy": self.entries_today_strategy,
            "bars_since_close": self.bars_since_close,
            "orders_last_minute": self.orders_last_minute,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DeskState":
        """Read what `as_dict` gave, for a replay."""
        return cls(**{**data, "mode": Mode(data["mode"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What surrounds one decision: the session, the market, the news.

    Attributes:
        in_session: The strategy's sessions allow an entry.
        sessions: Their names; none means any time.
        market_open: Whether the symbol trades now; None if unknown.
        closed_since: Since when it does not, ISO; empty when open or unknown.
        embargo: Why news forbid an entry; empty when they do not.
        calendar_known: Whether the calendar speaks of the time around the decision.
        calendar_reason: Why not; empty when known.
        seconds_to_weekend: Server seconds until Saturday 00:00; below 0 at the weekend.
        conflict: Both directions signal on the same bar.
        spread_points: Spread of the bar in points; None if unknown.
        age_seconds: Of an idea that is sent, since its bar's close; 0 while it is decided, where a late bar
            is marked as missed instead.
        drift_atr: Distance of the live price from the reference in ATR; 0 where no price is compared.
    """

    in_session: bool = True
    sessions: tuple[str, ...] = ()
    market_open: bool | None = True
    closed_since: str = ""
    embargo: str = ""
    calendar_known: bool = True
    calendar_reason: str = ""
    seconds_to_weekend: float = 604_800.0
    conflict: bool = False
    spread_points: float | None = 0.0
    age_seconds: float = 0.0
    drift_atr: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The circumstances as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"sessions": list(self.sessions)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave."""
        return cls(**{**data, "sessions": tuple(data["sessions"])})
