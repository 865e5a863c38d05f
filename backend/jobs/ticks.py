"""When a schedule ticks: crontab fields in UTC, or a fixed distance counted from the epoch.

Both know their ticks without remembering anything, so a restart neither shifts nor repeats one, and
daylight saving does not exist here.
"""

import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from celery.schedules import ParseException, crontab
from celery.schedules import schedule as celery_interval

from backend.core.clock import from_epoch, require_utc
from backend.core.errors import Invalid

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_FAR_DAYS = 8 * 366 + 1  # the 29th of February may be eight years away
_COUNT_LIMIT = 100_000


class Ticks(Protocol):
    """An endless row of moments, aware UTC."""

    def latest(self, at: datetime) -> datetime | None:
        """The newest tick not after `at`; None if there was none for years."""

    def following(self, at: datetime) -> datetime | None:
        """The first tick after `at`; None if there is none for years."""


@dataclass(frozen=True, slots=True)
class Every:
    """A tick each `seconds`, `offset` seconds after the multiples of it since the epoch."""

    seconds: int
    offset: int = 0

    def latest(self, at: datetime) -> datetime | None:
        """The newest tick not after `at`."""
        epoch = require_utc(at).timestamp() - self.offset
        return from_epoch(epoch // self.seconds * self.seconds + self.offset)

    def following(self, at: datetime) -> datetime | None:
        """The first tick after `at`."""
        latest = self.latest(at)
        return None if latest is None else latest + timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        shift = f" + {self.offset} s" if self.offset else ""
        return f"every {self.seconds} s{shift}"


class Cron:
    """Ticks at the minutes that all five fields of a crontab allow, in UTC.

    Args:
        fields: Any of minute, hour, day_of_month, month_of_year, day_of_week, as Celery's `crontab`
            takes them; those not given are ``*``. A day must satisfy both day fields.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        unknown = [name for name in fields if name not in FIELDS]
        if unknown:
            raise Invalid("bad_crontab", f"{unknown[0]!r} is no crontab field", allowed=[*FIELDS])
        self.fields = {name: str(value) for name, value in fields.items()}
        try:
            self.celery = crontab(**self.fields)
        except (ParseException, ValueError, KeyError, TypeError) as error:
            raise Invalid("bad_crontab", f"{self}: {error}", allowed="as in crontab(5)") from error
        parsed: Any = self.celery
        self._minutes: list[int] = sorted(parsed.minute)
        self._hours: list[int] = sorted(parsed.hour)
        self._months: set[int] = set(parsed.month_of_year)
        self._month_days: set[int] = set(parsed.day_of_month)
        self._weekdays: set[int] = set(parsed.day_of_week)

    def latest(self, at: datetime) -> datetime | None:
        """The newest tick not after `at`."""
        moment = require_utc(at)
        for day in self._days(moment, step=-1):
            times = self._times(day)
            place = bisect.bisect_right(times, moment)
            if place:
                return times[place - 1]
        return None

    def following(self, at: datetime) -> datetime | None:
        """The first tick after `at`."""
        moment = require_utc(at)
        for day in self._days(moment, step=1):
            times = self._times(day)
            place = bisect.bisect_right(times, moment)
            if place < len(times):
                return times[place]
        return None

    def _days(self, moment: datetime, *, step: int) -> Iterator[datetime]:
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(_FAR_DAYS):
            fits = (
                day.month in self._months
                and day.day in self._month_days
                and day.isoweekday() % 7 in self._weekdays
            )
            if fits:
                yield day
            day += timedelta(days=step)

    def _times(self, day: datetime) -> list[datetime]:
        return [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
            for hour in self._hours
            for minute in self._minutes
        ]

    def __str__(self) -> str:
        inner = ", ".join(f'{name}="{value}"' for name, value in self.fields.items())
        return f"crontab({inner})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cron) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.fields.items())))


def count_between(ticks: Ticks, after: datetime, before: datetime) -> int:
    """How many ticks lie strictly between the two moments, counted up to 100,000."""
    if isinstance(ticks, Every):
        first = ticks.following(after)
        if first is None or first >= before:
            return 0
        return int(((before - first).total_seconds() - 1e-9) // ticks.seconds) + 1
    count = 0
    tick = ticks.following(after)
    while tick is not None and tick < before and count < _COUNT_LIMIT:
        count += 1
        tick = ticks.following(tick)
    return count


def interval(ticks: Ticks, at: datetime) -> timedelta:
    """The distance between the ticks around `at`; a day where there is none."""
    latest, following = ticks.latest(at), ticks.following(at)
    if latest is None or following is None:
        return timedelta(days=1)
    return following - latest


def celery_schedule(ticks: Ticks) -> Any:
    """The same as Celery's own kind of schedule, for those who look at the app's configuration."""
    if isinstance(ticks, Cron):
        return ticks.celery
    return celery_interval(timedelta(seconds=ticks.seconds if isinstance(ticks, Every) else 3600))
