"""MetaTrader 5's 21 timeframes and where their bars begin and end.

Boundaries are those of the broker's server clock, so every function here takes and gives **server
epochs**: seconds since 1970-01-01 of the server's wall clock read as if it were UTC.
"""

from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.errors import Invalid

Epochs = npt.NDArray[np.int64]

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
_SUNDAY_OFFSET = 4 * DAY_SECONDS  # 1970-01-01 was a Thursday, the first Sunday came three days later


class Timeframe(StrEnum):
    """A bar's length, named as MetaTrader 5 names it."""

    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4 = "M4"
    M5 = "M5"
    M6 = "M6"
    M10 = "M10"
    M12 = "M12"
    M15 = "M15"
    M20 = "M20"
    M30 = "M30"
    H1 = "H1"
    H2 = "H2"
    H3 = "H3"
    H4 = "H4"
    H6 = "H6"
    H8 = "H8"
    H12 = "H12"
    D1 = "D1"
    W1 = "W1"
    MN1 = "MN1"

    @property
    def seconds(self) -> int:
        """Length in seconds; of a month, its nominal 30 days."""
        return _SECONDS[self.value]

    @classmethod
    def parse(cls, text: str) -> "Timeframe":
        """The timeframe of that name; `Invalid` lists the names there are."""
        try:
            return cls(text)
        except ValueError:
            raise Invalid(
                "unknown_timeframe",
                f"{text!r} is not a timeframe; one of {', '.join(cls)}",
                allowed=[*cls],
            ) from None


_SECONDS = {
    timeframe.value: int(timeframe.value[1:]) * (60 if timeframe.value[0] == "M" else 3600)
    for timeframe in Timeframe
    if timeframe.value[1:].isdigit() and timeframe.value[0] in "MH"
} | {"D1": DAY_SECONDS, "W1": WEEK_SECONDS, "MN1": 30 * DAY_SECONDS}


def open_of(timeframe: Timeframe, server_epochs: npt.ArrayLike) -> Any:
    """Server epoch of the open of the bar that holds each server epoch; shape is kept.

    A week begins on Sunday 00:00, a month on its first day, as in MetaTrader 5.
    """
    times = np.asarray(server_epochs, dtype=np.int64)
    if timeframe is Timeframe.MN1:
        return times.astype("datetime64[s]").astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    if timeframe is Timeframe.W1:
        shifted = times + _SUNDAY_OFFSET
        return shifted - shifted % WEEK_SECONDS - _SUNDAY_OFFSET
    return times - times % timeframe.seconds


def close_of(timeframe: Timeframe, server_opens: int | npt.ArrayLike) -> Any:
    """Server epoch at which the bar opened at each server epoch ends (exclusive); shape is kept."""
    if isinstance(server_opens, int) and timeframe is not Timeframe.MN1:
        return server_opens + timeframe.seconds
    opens = np.asarray(server_opens, dtype=np.int64)
    if timeframe is Timeframe.MN1:
        months = opens.astype("datetime64[s]").astype("datetime64[M]")
        return (months + np.timedelta64(1, "M")).astype("datetime64[s]").astype(np.int64)
    return opens + timeframe.seconds
