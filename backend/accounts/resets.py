"""When an account's day begins: the midnight that resets the daily loss. Pure."""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from backend.core.clock import require_utc
from backend.core.errors import Invalid
from backend.core.timeframes import DAY_SECONDS
from backend.mt5.server_time import ServerClock


def last_reset(now: datetime, zone: str | None, server_clock: ServerClock) -> datetime:
    """The last midnight at or before `now`, aware UTC.

    A midnight that the zone's clock skips is the instant of the change, and of one that it shows twice the
    first counts, so that each day begins once.

    Args:
        now: Aware time.
        zone: IANA zone whose midnight counts; None is the broker's.
        server_clock: The broker's clock.

    Raises:
        Invalid: Code ``bad_reset_tz``: there is no such zone.
    """
    if zone is None:
        server = server_clock.server_epoch(now)
        midnight = server_clock.utc_datetime(server - server % DAY_SECONDS)
        if midnight <= now:
            return midnight
        return server_clock.utc_datetime(server - server % DAY_SECONDS - DAY_SECONDS)
    place = zone_of(zone)
    here = now.astimezone(place).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for back in range(2):
        midnight = require_utc((here - timedelta(days=back)).replace(tzinfo=place, fold=0))
        if midnight <= now:
            return midnight
    raise AssertionError(f"no midnight in {zone} before {now}")


def resets(since: datetime, until: datetime, zone: str | None, server_clock: ServerClock) -> list[datetime]:
    """Every reset after `since` and not after `until`, the oldest first."""
    found: list[datetime] = []
    moment = until
    while (reset := last_reset(moment, zone, server_clock)) > since:
        found.append(reset)
        moment = reset - timedelta(seconds=1)
    return found[::-1]


@lru_cache(maxsize=16)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name; `Invalid` with code ``bad_reset_tz`` if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid(
            "bad_reset_tz", f"{name!r} is no time zone; write an IANA name such as Europe/Prague", zone=name
        ) from error
