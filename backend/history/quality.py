"""What bars are worth: coverage, gaps, outliers, spread, and the sentences that a backtest's user reads."""

from typing import Any, Final

import numpy as np

from backend.core.bars import Bars, Floats
from backend.core.clock import iso
from backend.core.timeframes import DAY_SECONDS
from backend.history.daylight import DaylightCheck, check_daylight
from backend.history.weekend import in_weekend
from backend.market.gaps import coverage_percent, find_gaps
from backend.mt5.server_time import ServerClock

LISTED: Final = 20
_BLOCK: Final = 2_000  # bars whose median range is one measure
_MANY_RANGES: Final = 25.0
_BACK: Final = 5.0  # ranges within which the price is where it was
_WHOLE, _USABLE = 99.0, 95.0


def describe(bars: Bars, *, asks: Bars | None, digits: int, zone: str, clock: ServerClock) -> dict[str, Any]:
    """The quality of a series as JSON values.

    Args:
        bars: Bids.
        asks: Asks of the same series, as far as there are any.
        digits: Decimals of its prices.
        zone: Rule of the clock that its times were read in.
        clock: Of the broker, on which the bars begin.
    """
    gaps = sorted(find_gaps(bars, clock), key=lambda gap: -gap.count)
    percent = coverage_percent(bars)
    daylight = check_daylight(bars, zone)
    outliers = find_outliers(bars)
    weekend = np.flatnonzero(in_weekend(bars)) if bars.timeframe.seconds <= DAY_SECONDS else np.empty(0, int)
    with_ask = int(np.isin(bars.time, asks.time).sum()) if asks is not None else 0
    page: dict[str, Any] = {
        "symbol": bars.symbol,
        "timeframe": str(bars.timeframe),
        "bars": len(bars),
        "first": iso(bars.opened(0)) if len(bars) else None,
        "last": iso(bars.opened(-1)) if len(bars) else None,
        "digits": digits,
        "coverage_percent": None if percent is None else round(percent, 3),
        "missing": sum(gap.count for gap in gaps),
        "gaps": len(gaps),
        "longest_gaps": [gap.as_dict() for gap in gaps[:LISTED]],
        "weekend_bars": len(weekend),
        "first_weekend_bar": iso(bars.opened(int(weekend[0]))) if len(weekend) else None,
        "outliers": len(outliers),
        "largest_outliers": outliers[:LISTED],
        "spread_known_percent": _share(bars.spread > 0),
        "median_spread_points": float(np.median(bars.spread[bars.spread > 0]))
        if (bars.spread > 0).any()
        else None,
        "volume_known_percent": _share(bars.volume > 0),
        "ask_percent": round(100.0 * with_ask / len(bars), 3) if len(bars) else None,
        "daylight": daylight.as_dict(),
    }
    page["verdict"], page["trust"] = judge(page, daylight)
    return page


def judge(page: dict[str, Any], daylight: DaylightCheck) -> tuple[str, list[str]]:
    """good, usable or doubtful; and what a backtest may trust, line by line."""
    covered = page["coverage_percent"]
    doubts, lacks, said = [], [], []
    if covered is None:
        return "doubtful", ["There are no bars."]
    if daylight.verdict == "disagrees":
        doubts.append(f"Times are not to be trusted: {daylight.said}.")
    elif daylight.verdict == "agrees":
        said.append(f"Times: {daylight.said}.")
    else:
        lacks.append(f"Whether the time zone is right cannot be seen: {daylight.said}.")
    gaps = f"{covered:.2f} % of the bars expected; {page['missing']:,} missing in {page['gaps']:,} gaps"
    (said if covered >= _WHOLE else lacks if covered >= _USABLE else doubts).append(f"Coverage: {gaps}.")
    if page["weekend_bars"]:
        lacks.append(
            f"{page['weekend_bars']:,} bars lie in the weekend, the first {page['first_weekend_bar']}."
        )
    if page["outliers"]:
        lacks.append(f"{page['outliers']:,} bars stand out by 25 usual ranges and more; look at the largest.")
    if page["ask_percent"]:
        said.append(f"Asks: known for {page['ask_percent']:.1f} % of the bars.")
    elif page["spread_known_percent"]:
        said.append(f"Spread: known for {page['spread_known_percent']:.1f} % of the bars, asks are not.")
    else:
        lacks.append("Costs: neither asks nor spreads are known; a backtest takes a typical spread.")
    if not page["volume_known_percent"]:
        lacks.append("Volume is unknown: conditions on volume have no meaning.")
    verdict = "doubtful" if doubts else "usable" if lacks else "good"
    return verdict, [*doubts, *lacks, *said]


def find_outliers(bars: Bars) -> list[dict[str, Any]]:
    """Bars that stand out, the largest first; none of them is changed or left out.

    ``spike``: the price went 25 usual ranges beyond open and close and was back at the next open. ``jump``:
    it opened that far from the close of the bar right before. A usual range is the median of 2,000 bars.
    """
    if len(bars) < 3:  # noqa: PLR2004 - a bar between two
        return []
    usual = _usual_range(bars)
    body_top, body_low = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    beyond = np.maximum(bars.high - body_top, body_low - bars.low) / usual
    beside = np.zeros(len(bars), dtype=np.bool_)
    beside[1:] = np.diff(bars.time) == bars.timeframe.seconds
    jump = np.zeros(len(bars))
    jump[1:] = np.abs(bars.open[1:] - bars.close[:-1]) / usual[1:]
    back = np.zeros(len(bars), dtype=np.bool_)
    back[1:-1] = np.abs(bars.open[2:] - bars.close[:-2]) <= _BACK * usual[1:-1]
    spikes = np.flatnonzero((beyond >= _MANY_RANGES) & back)
    jumps = np.flatnonzero((jump >= _MANY_RANGES) & beside)
    found = [("spike", int(at), float(beyond[at])) for at in spikes]
    found += [("jump", int(at), float(jump[at])) for at in jumps]
    found.sort(key=lambda one: -one[2])
    return [
        {"time": iso(bars.opened(at)), "kind": kind, "ranges": round(size, 1)} for kind, at, size in found
    ]


def _usual_range(bars: Bars) -> Floats:
    ranges = bars.high - bars.low
    usual = np.empty(len(ranges))
    whole = float(np.median(ranges)) or float(ranges.mean()) or 1.0
    for start in range(0, len(ranges), _BLOCK):
        usual[start : start + _BLOCK] = float(np.median(ranges[start : start + _BLOCK])) or whole
    return usual


def _share(known: Any) -> float | None:
    return round(100.0 * float(known.mean()), 3) if len(known) else None
