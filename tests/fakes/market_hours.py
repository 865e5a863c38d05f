"""A broker's clock by which its market is open now, whatever day it is here."""

from datetime import UTC, datetime

from backend.mt5.server_time import ServerClock

_RULES = (
    *(f"UTC{hours:+d}" for hours in range(-12, 15) if hours),
    *(f"Etc/GMT-14+{hours}" for hours in range(1, 15)),
    *(f"Etc/GMT+12-{hours}" for hours in range(1, 15)),
)
_OPEN = range(9, 20)  # far from midnight, where spreads are wide


def open_clock() -> str:
    """The rule of such a clock; it holds for an hour at least."""
    now = datetime.now(UTC)
    for rule in _RULES:
        shown = datetime.fromtimestamp(ServerClock.parse(rule).server_epoch(now), UTC)
        if shown.weekday() < 5 and shown.hour in _OPEN:
            return rule
    raise AssertionError("there is always one")
