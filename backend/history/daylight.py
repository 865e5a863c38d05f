"""Is the stated time zone right? The market opens each week at one time in New York, summer and winter.

Bars put into UTC by the right zone begin each week at the same New York time. By a zone with other days of
daylight saving, or none, the first bar of the week moves by an hour in summer, or in the few weeks in
which America and Europe differ.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backend.core.bars import Bars, Ints
from backend.core.timeframes import DAY_SECONDS, WEEK_SECONDS
from backend.mt5.server_time import ServerClock

CANDIDATES: Final = (
    "UTC",
    "America/New_York+7",
    "EET",
    "UTC+2",
    "UTC+3",
    "Europe/London",
    "America/New_York",
    "Etc/GMT+5",
)
_NEW_YORK: Final = "America/New_York"
_EUROPE: Final = "Europe/London"
_PAUSE: Final = 30 * 3_600  # a weekend is longer; a holiday is not
_FROM, _UNTIL = 15 * 3_600, 26 * 3_600  # of Sunday in New York; others follow a holiday or a hole
_SUNDAY_OFFSET: Final = 4 * DAY_SECONDS
_ENOUGH: Final = 2  # weeks of a season
_SAME: Final = 30 * 60
_OPENS: Final = (16 * 3_600 + 45 * 60, 18 * 3_600 + 30 * 60)  # currencies at 17:00, metals at 18:00
_NAMES: Final = {
    (False, False): "winter",
    (True, True): "summer",
    (True, False): "summer in America only",
    (False, True): "summer in Europe only",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DaylightCheck:
    """What the weekly opens say of the zone.

    Attributes:
        verdict: agrees, disagrees or unknown.
        said: In words.
        opens: New York time of the usual first bar of the week, by season.
        weeks: Weeks that were counted, by season.
        better: Zones by which the opens would not move; empty where the stated one does.
    """

    verdict: str
    said: str
    opens: dict[str, str]
    weeks: dict[str, int]
    better: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {
            "verdict": self.verdict,
            "said": self.said,
            "opens_new_york": self.opens,
            "weeks": self.weeks,
            "better": [*self.better],
        }


def check_daylight(bars: Bars, stated: str) -> DaylightCheck:
    """Look at the first bar of each week.

    Args:
        bars: Shorter than a day, in UTC by the stated zone.
        stated: Rule of the zone that the times were read in.
    """
    if bars.timeframe.seconds >= DAY_SECONDS:
        return _unknown("bars of a day and longer do not show the hour")
    firsts = _week_begins(bars)
    seasons = _by_season(firsts)
    weeks = {name: len(times) for name, times in seasons.items()}
    usual = {name: _mode(times) for name, times in seasons.items() if len(times) >= _ENOUGH}
    opens = {name: f"{time // 3600 % 24:02}:{time // 60 % 60:02}" for name, time in usual.items()}
    if len(usual) < 2:  # noqa: PLR2004 - before and after a change of the clock
        return _unknown("too few weeks on both sides of a change of the clock", opens, weeks)
    if _spread(usual) < _SAME:
        same = next(iter(opens.values()))
        said = f"weeks open at {same} in New York all year, as {stated} would have it"
        return DaylightCheck(verdict="agrees", said=said, opens=opens, weeks=weeks)
    told = ", ".join(f"{time} in {name}" for name, time in opens.items())
    better = tuple(zone for zone in CANDIDATES if zone != stated and _steady(firsts, stated, zone))
    hint = f"; {' or '.join(better)} would keep it still" if better else ""
    return DaylightCheck(
        verdict="disagrees",
        said=f"read as {stated} the week's open moves in New York: {told}{hint}",
        opens=opens,
        weeks=weeks,
        better=better,
    )


def _unknown(
    why: str, opens: dict[str, str] | None = None, weeks: dict[str, int] | None = None
) -> DaylightCheck:
    return DaylightCheck(verdict="unknown", said=why, opens=opens or {}, weeks=weeks or {})


def _week_begins(bars: Bars) -> Ints:
    """UTC epochs of the first bars after a weekend."""
    after = np.flatnonzero(np.diff(bars.time) >= _PAUSE) + 1
    return bars.time[after]


def _by_season(firsts: Ints) -> dict[str, Ints]:
    """Seconds since Sunday midnight in New York of each week's open, by who has summer time."""
    new_york, europe = ServerClock.parse(_NEW_YORK), ServerClock.parse(_EUROPE)
    local = (new_york.to_server(firsts) + _SUNDAY_OFFSET) % WEEK_SECONDS
    usable = (local >= _FROM) & (local < _UNTIL)
    america = np.asarray(new_york.offset_at_utc(firsts)) > -5 * 3600
    there = np.asarray(europe.offset_at_utc(firsts)) > 0
    return {name: local[usable & (america == key[0]) & (there == key[1])] for key, name in _NAMES.items()}


def _steady(firsts: Ints, stated: str, zone: str) -> bool:
    """Whether the opens stand still where markets open, if the file's times are read in another zone."""
    again = ServerClock.parse(zone).to_utc(ServerClock.parse(stated).to_server(firsts))
    usual = [_mode(times) for times in _by_season(again).values() if len(times) >= _ENOUGH]
    opens = bool(usual) and all(_OPENS[0] <= time < _OPENS[1] for time in usual)
    return len(usual) > 1 and opens and max(usual) - min(usual) < _SAME


def _spread(usual: dict[str, int]) -> int:
    return max(usual.values()) - min(usual.values())


def _mode(times: Ints) -> int:
    """The most frequent quarter of an hour."""
    values, counts = np.unique(times // 900 * 900, return_counts=True)
    return int(values[np.argmax(counts)])
