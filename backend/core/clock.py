"""Desk time and wall time, and how both are written.

This is the only module that reads the wall clock; the linter bans it everywhere else. Desk time is
the market's: live it is wall time, in a replay it is the time of the bar that is being played.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from backend.core.errors import Invalid


class Clock(Protocol):
    """Tells both times, always aware UTC."""

    def now(self) -> datetime:
        """Desk time: what evaluation, embargoes and expiry follow."""

    def wall(self) -> datetime:
        """Wall time: what leases, logs, health and backoff follow."""


class SystemClock:
    """Desk time equal to wall time: a live desk."""

    def now(self) -> datetime:
        """The current UTC time."""
        return self.wall()

    def wall(self) -> datetime:
        """The current UTC time."""
        return datetime.now(UTC)  # noqa: TID251 - the one place


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that stands still: for pure work at a given instant."""

    at: datetime

    def __post_init__(self) -> None:
        require_utc(self.at)

    def now(self) -> datetime:
        """The given instant."""
        return self.at

    def wall(self) -> datetime:
        """The given instant."""
        return self.at


def require_utc(moment: datetime) -> datetime:
    """The same moment in UTC; a naive time, and one beyond the calendar's ends, is refused as `Invalid`."""
    if moment.tzinfo is None:
        raise Invalid("naive_time", f"{moment!r} has no time zone; times are aware UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Invalid("bad_time", f"{moment.isoformat()} is no time that UTC has") from error


def iso(moment: datetime) -> str:
    """ISO-8601 in UTC with `Z`, to the microsecond if there is one: ``2026-01-05T09:00:00Z``."""
    return require_utc(moment).isoformat().replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """Read what `iso` wrote, or any ISO-8601 time with an offset; a naive one is `Invalid`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid("bad_time", f"{text!r} is not an ISO-8601 time") from error
    return require_utc(moment)


def day(moment: datetime) -> str:
    """The UTC day as used in file names: ``YYYYmmdd``."""
    return require_utc(moment).strftime("%Y%m%d")


def stamp(moment: datetime) -> str:
    """The UTC second as used in file names: ``YYYYmmdd_HHMMSS``."""
    return require_utc(moment).strftime("%Y%m%d_%H%M%S")


def from_epoch(seconds: float) -> datetime:
    """The aware UTC time of a UTC epoch in seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def age_seconds(then: datetime, now: datetime) -> float:
    """Seconds from `then` to `now`; negative when `then` lies ahead."""
    return (require_utc(now) - require_utc(then)) / timedelta(seconds=1)
