"""What is usual for a symbol: its spread by hour of the week, its ATR over a year.

Both are fixed at the broker's midnight from bars that had closed by then, so that they are the same
whenever the day is evaluated: live, again, or in a backtest. The spreads come from bars of at most 15
minutes where there are any, since an hourly bar gives only eight samples of an hour in 60 days.

Values are counted in bins whose width grows with them, so that a day is added and a day is dropped without
sorting what lies between: spreads below 256 points are exact and wider ones within 0.8 %; ATR values share
a bin within 0.8 %, and a rank is the middle of its bin's.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backend.core.bars import Bars, Floats, Ints
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.evaluation.decision import content_hash
from backend.evaluation.indicators import atr as average_true_range

SPREAD_DAYS = 60
ATR_DAYS = 365
HOURS_OF_WEEK = 168
SPREAD_BINS = 256 + 128 * 24
ATR_BINS = 128 * 96
_EXACT_SPREADS = 256
_SPREAD_BASE = (1023 + 8) << 7  # 2^8 = 256
_ATR_BASE = (1023 - 48) << 7
_MANTISSA = 52 - 7  # seven bits of the fraction: 128 bins for each doubling
_FLOAT, _BITS = struct.Struct("=d"), struct.Struct("=q")
_MONDAY_SHIFT = 3 * 24  # the epoch was a Thursday
_FINE = Timeframe.M15


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileStatistics:
    """Small tables of one symbol, timeframe and ATR period.

    Attributes:
        symbol: Canonical symbol.
        timeframe: Of the ATR.
        atr_period: Its period.
        midnight: Server epoch of the midnight at which the tables were fixed.
        spread_timeframe: Timeframe of the bars that the spreads came from.
        spread_medians: Median spread in points per hour of the week (server time, Monday 0 h first),
            shape (168,); NaN where no spread is known.
        spread_counts: Samples behind each, shape (168,).
        atr_first: First bin of `atr_counts`, by `atr_bins`.
        atr_counts: ATR values in each bin from the lowest to the highest that has any, shape (k,).
    """

    symbol: str
    timeframe: Timeframe
    atr_period: int
    midnight: int
    spread_timeframe: Timeframe
    spread_medians: Floats
    spread_counts: Ints
    atr_first: int
    atr_counts: Ints

    def spread(self, server_open: int) -> tuple[float | None, int]:
        """Median spread in points, and its samples, of the hour of the week in which a bar opened."""
        hour = (server_open // 3600 + _MONDAY_SHIFT) % HOURS_OF_WEEK
        count = int(self.spread_counts[hour])
        return (float(self.spread_medians[hour]) if count else None), count

    @cached_property
    def atr_count(self) -> int:
        """ATR values of the year."""
        return int(self.atr_counts.sum())

    def atr_rank(self, atr: float) -> float | None:
        """Rank of an ATR among the year's: 0 below all, 1 above all; None where nothing is known."""
        if not len(self.atr_counts) or not math.isfinite(atr):
            return None
        at = atr_bin(_BITS.unpack(_FLOAT.pack(atr))[0]) - self.atr_first
        last = len(self.atr_counts)
        below = int(self._atr_below[min(max(at, 0), last)])
        beside = int(self.atr_counts[at]) if 0 <= at < last else 0
        return (below + beside / 2) / self.atr_count

    @cached_property
    def _atr_below(self) -> Ints:
        """Values in the bins before each, and in all, shape (k + 1,)."""
        return np.concatenate(([0], np.cumsum(self.atr_counts)))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the tables."""
        return content_hash(self._stated)

    def as_dict(self) -> dict[str, Any]:
        """The tables as JSON values."""
        return dict(self._stated)

    @cached_property
    def _stated(self) -> dict[str, Any]:  # asked for by each decision of a day
        return {
            "symbol": self.symbol,
            "timeframe": str(self.timeframe),
            "atr_period": self.atr_period,
            "midnight": self.midnight,
            "spread_timeframe": str(self.spread_timeframe),
            "spread_medians": [
                float(median) if count else None
                for median, count in zip(self.spread_medians, self.spread_counts, strict=True)
            ],
            "spread_counts": [int(count) for count in self.spread_counts],
            "atr_first": self.atr_first,
            "atr_counts": [int(count) for count in self.atr_counts],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ProfileStatistics":
        """Read what `as_dict` gave, for a replay."""
        medians = [np.nan if median is None else median for median in data["spread_medians"]]
        return cls(
            symbol=data["symbol"],
            timeframe=Timeframe(data["timeframe"]),
            atr_period=data["atr_period"],
            midnight=data["midnight"],
            spread_timeframe=Timeframe(data["spread_timeframe"]),
            spread_medians=np.array(medians, dtype=np.float64),
            spread_counts=np.array(data["spread_counts"], dtype=np.int64),
            atr_first=data["atr_first"],
            atr_counts=np.array(data["atr_counts"], dtype=np.int64),
        )


def hour_of_week(server_epochs: Any) -> Any:
    """Hour of the server's week of each server epoch: Monday 00 h is 0, Sunday 23 h is 167."""
    return (np.asarray(server_epochs, dtype=np.int64) // 3600 + _MONDAY_SHIFT) % HOURS_OF_WEEK


def broker_midnight(server_epoch: int) -> int:
    """Server epoch of the midnight that began the day of a server epoch."""
    return server_epoch - server_epoch % DAY_SECONDS


def spread_timeframe(timeframe: Timeframe) -> Timeframe:
    """Timeframe of the bars whose spreads are counted: the strategy's own, at most 15 minutes."""
    return timeframe if timeframe.seconds <= _FINE.seconds else _FINE


def profile_statistics(
    bars: Bars, atr_period: int, midnight: int, spread_bars: Bars | None = None
) -> ProfileStatistics:
    """The tables as they stood at a broker's midnight.

    Args:
        bars: Closed bars of the timeframe, a year before `midnight` if there are as many, with some
            more for the ATR's warm-up. Bars that close after `midnight` are not looked at.
        atr_period: Period of the ATR.
        midnight: Server epoch of the midnight.
        spread_bars: Closed bars of `spread_timeframe`; `bars` where none are there.
    """
    known = _closed_by(bars, midnight)
    values = average_true_range(known.high, known.low, known.close, atr_period) if len(known) else known.close
    recent = (known.server_time >= midnight - ATR_DAYS * DAY_SECONDS) & np.isfinite(values)
    year = values[recent]
    source = bars if spread_bars is None or not len(spread_bars) else spread_bars
    medians, counts = _spreads(_closed_by(source, midnight), midnight)
    in_bins = np.bincount(atr_bins(year), minlength=1)
    occupied = np.flatnonzero(in_bins)
    lowest = int(occupied[0]) if len(occupied) else 0
    return ProfileStatistics(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        atr_period=atr_period,
        midnight=midnight,
        spread_timeframe=source.timeframe,
        spread_medians=medians,
        spread_counts=counts,
        atr_first=lowest,
        atr_counts=in_bins[lowest:].astype(np.int64) if len(occupied) else np.empty(0, dtype=np.int64),
    )


def _closed_by(bars: Bars, midnight: int) -> Bars:
    closes = close_of(bars.timeframe, bars.server_time)
    return bars[: int(np.searchsorted(closes, midnight, side="right"))]


def _spreads(bars: Bars, midnight: int) -> tuple[Floats, Ints]:
    """Median and samples per hour of the week; a spread of 0 is unknown and not counted."""
    bars = bars[int(np.searchsorted(bars.server_time, midnight - SPREAD_DAYS * DAY_SECONDS)) :]
    known = bars.spread > 0
    bins, hours = spread_bins(bars.spread[known]), hour_of_week(bars.server_time[known])
    order = np.lexsort((bins, hours))
    bins, hours = bins[order], hours[order]
    counts = np.bincount(hours, minlength=HOURS_OF_WEEK).astype(np.int64)
    ends = np.cumsum(counts)
    starts = ends - counts
    medians = np.full(HOURS_OF_WEEK, np.nan)
    some = counts > 0
    low, high = starts + (counts - 1) // 2, starts + counts // 2
    medians[some] = (spread_of_bins(bins[low[some]]) + spread_of_bins(bins[high[some]])) / 2
    return medians, counts


def atr_bins(values: Floats) -> Ints:
    """Bin of each finite ATR of at least zero, shape (n,): 128 for each doubling, 0 to ATR_BINS − 1."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    bins: Ints = np.clip((bits >> _MANTISSA) - _ATR_BASE, 0, ATR_BINS - 1)
    return bins


def atr_bin(bits: int) -> int:
    """The same of one ATR, by its bits as a float64."""
    return min(max((bits >> _MANTISSA) - _ATR_BASE, 0), ATR_BINS - 1)


def spread_bins(points: Ints) -> Ints:
    """Bin of each spread in points, shape (n,): itself below 256, then 128 for each doubling."""
    bits = np.ascontiguousarray(points, dtype=np.float64).view(np.int64)
    wide = (bits >> _MANTISSA) - _SPREAD_BASE + _EXACT_SPREADS
    bins: Ints = np.minimum(np.where(points < _EXACT_SPREADS, points, wide), SPREAD_BINS - 1)
    return bins


def spread_of_bins(bins: Ints) -> Floats:
    """The spread in points that a bin stands for, its lowest, shape (n,)."""
    wide = ((bins - _EXACT_SPREADS + _SPREAD_BASE) << _MANTISSA).view(np.float64)
    return np.where(bins < _EXACT_SPREADS, bins.astype(np.float64), wide)


def spread_bin(points: int) -> int:
    """The bin of one spread, as `spread_bins`."""
    if points < _EXACT_SPREADS:
        return points
    fraction, power = math.frexp(points)
    return min(_EXACT_SPREADS + (power - 9) * 128 + int((2 * fraction - 1) * 128), SPREAD_BINS - 1)


def spread_of_bin(place: int) -> float:
    """The spread in points that one bin stands for, as `spread_of_bins`."""
    if place < _EXACT_SPREADS:
        return float(place)
    wide = place - _EXACT_SPREADS
    return (1 + wide % 128 / 128) * 2.0 ** (8 + wide // 128)
