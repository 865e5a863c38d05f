"""An account's day begins once, at midnight of the broker or of the zone that the rules name."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from backend.accounts.resets import last_reset, resets
from backend.core.errors import Invalid
from backend.mt5.server_time import ServerClock

NEW_YORK = ServerClock.parse("America/New_York+7")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "reset"),
    [
        (None, "2026-01-15 21:59:59", "2026-01-14 22:00"),  # winter: the server is at UTC+2
        (None, "2026-01-15 22:00", "2026-01-15 22:00"),
        (None, "2026-07-15 21:00", "2026-07-15 21:00"),  # summer: UTC+3
        (None, "2026-03-08 12:00", "2026-03-07 22:00"),  # the day the American clock is put on
        (None, "2026-03-09 12:00", "2026-03-08 21:00"),
        ("Europe/Prague", "2026-03-29 12:00", "2026-03-28 23:00"),  # put on at 01:00 UTC that day
        ("Europe/Prague", "2026-03-30 12:00", "2026-03-29 22:00"),
        ("Europe/Prague", "2026-10-25 23:30", "2026-10-25 23:00"),  # put back that day
        ("UTC", "2026-10-25 00:00", "2026-10-25 00:00"),
        # Beirut's clock is put on at midnight: the day begins at 01:00, the instant of the change.
        ("Asia/Beirut", "2025-03-30 12:00", "2025-03-29 22:00"),
        # Havana's is put back at 01:00: midnight comes twice, and the first counts.
        ("America/Havana", "2025-11-02 05:30", "2025-11-02 04:00"),
        ("America/Havana", "2025-11-02 04:30", "2025-11-02 04:00"),
    ],
)
def test_the_last_midnight(zone: str | None, now: str, reset: str) -> None:
    assert last_reset(at(now), zone, NEW_YORK) == at(reset)


@pytest.mark.parametrize("zone", [None, "Europe/Prague", "Asia/Beirut", "America/Havana", "Africa/Cairo"])
def test_a_year_has_a_reset_each_day_whatever_the_clocks_do(zone: str | None) -> None:
    first = last_reset(at("2025-01-01 12:00"), zone, NEW_YORK)
    found = resets(first, first + timedelta(days=365, hours=12), zone, NEW_YORK)
    assert len(found) == 365
    gaps = {after - before for before, after in pairwise(found)}
    assert gaps <= {timedelta(hours=hours) for hours in (23, 24, 25)}
    assert all(last_reset(moment - timedelta(microseconds=1), zone, NEW_YORK) < moment for moment in found)


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(Invalid, match="Mars/Base"):
        last_reset(at("2026-01-01 00:00"), "Mars/Base", NEW_YORK)
