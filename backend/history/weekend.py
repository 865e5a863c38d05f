"""The hours in which no currency is traded: from Friday 17:00 to Sunday 17:00 in New York."""

from typing import Final

from backend.core.bars import Bars
from backend.core.timeframes import DAY_SECONDS, WEEK_SECONDS
from backend.history.formats.model import Bools
from backend.market.merging import where
from backend.mt5.server_time import ServerClock

_SUNDAY_OFFSET: Final = 4 * DAY_SECONDS
_HOUR: Final = 3_600
_FRIDAY_END: Final = 5 * DAY_SECONDS + 17 * _HOUR  # from Sunday midnight
_SUNDAY_BEGIN: Final = 17 * _HOUR


def in_weekend(bars: Bars) -> Bools:
    """Which bars, of a day or shorter, lie wholly in the weekend; shape (n,)."""
    local = ServerClock.parse("America/New_York").to_server(bars.time)
    of_week = (local + _SUNDAY_OFFSET) % WEEK_SECONDS
    # Counted from Friday's end, the weekend is the first 48 hours.
    since = (of_week - _FRIDAY_END) % WEEK_SECONDS
    length = (_SUNDAY_BEGIN - _FRIDAY_END) % WEEK_SECONDS
    inside: Bools = since + bars.timeframe.seconds <= length
    return inside


def flat_weekends(bars: Bars) -> Bools:
    """Bars in the weekend in which nothing happened: one price, no volume."""
    flat: Bools = (bars.high == bars.low) & (bars.volume == 0)
    if flat.any():
        flat[flat] = in_weekend(where(bars, flat))
    return flat
