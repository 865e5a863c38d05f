"""What is usual for a symbol: its spread by hour of the week, its ATR over a year.

Both are fixed at the broker's midnight from bars that had closed by then, so that they are the same
whenever the day is evaluated: live, again, or in a backtest. The spreads come from bars of at most 15
minutes where there are any, since an hourly bar gives only eight samples of an hour in 60 days. The
year of ATR values is kept as 201 quantiles; a rank between two of them is interpolated.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backend.core.bars import Bars, Floats, Ints
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.evaluation.indicators import atr as average_true_range

SPREAD_DAYS = 60
ATR_DAYS = 365
HOURS_OF_WEEK = 168
_KNOTS = np.linspace(0.0, 1.0, 201)
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
        atr_quantiles: Quantiles 0, 0.005 … 1 of the ATR values, shape (201,); empty without values.
        atr_count: Values behind them.
    """

    symbol: str
    timeframe: Timeframe
    atr_period: int
    midnight: int
    spread_timeframe: Timeframe
    spread_medians: Floats
    spread_counts: Ints
    atr_quantiles: Floats
    atr_count: int

    def spread(self, server_open: int) -> tuple[float | None, int]:
        """Median spread in points, and its samples, of the hour of the week in which a bar opened."""
        hour = int(hour_of_week(np.asarray(server_open)))
        count = int(self.spread_counts[hour])
        return (float(self.spread_medians[hour]) if count else None), count

    def atr_rank(self, atr: float) -> float | None:
        """Rank of an ATR among the year's: 0 below all, 1 above all; None where nothing is known."""
        if not self.atr_count or not np.isfinite(atr):
            return None
        table = self.atr_quantiles
        low = float(np.interp(atr, table, _KNOTS))
        # Equal values: the middle of their ranks, as interp alone would take the last.
        first, last = np.searchsorted(table, atr, "left"), np.searchsorted(table, atr, "right")
        return low if last - first <= 1 else float(_KNOTS[first] + _KNOTS[last - 1]) / 2

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the tables."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The tables as JSON values."""
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
            "atr_quantiles": [float(value) for value in self.atr_quantiles],
            "atr_count": self.atr_count,
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
            atr_quantiles=np.array(data["atr_quantiles"], dtype=np.float64),
            atr_count=data["atr_count"],
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
    return ProfileStatistics(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        atr_period=atr_period,
        midnight=midnight,
        spread_timeframe=source.timeframe,
        spread_medians=medians,
        spread_counts=counts,
        atr_quantiles=np.quantile(year, _KNOTS) if len(year) else np.empty(0),
        atr_count=len(year),
    )


def _closed_by(bars: Bars, midnight: int) -> Bars:
    closes = close_of(bars.timeframe, bars.server_time)
    return bars[: int(np.searchsorted(closes, midnight, side="right"))]


def _spreads(bars: Bars, midnight: int) -> tuple[Floats, Ints]:
    """Median and samples per hour of the week; a spread of 0 is unknown and not counted."""
    bars = bars[int(np.searchsorted(bars.server_time, midnight - SPREAD_DAYS * DAY_SECONDS)) :]
    spreads = bars.spread[bars.spread > 0]
    hours = hour_of_week(bars.server_time[bars.spread > 0])
    order = np.lexsort((spreads, hours))
    spreads, hours = spreads[order], hours[order]
    counts = np.bincount(hours, minlength=HOURS_OF_WEEK).astype(np.int64)
    ends = np.cumsum(counts)
    starts = ends - counts
    medians = np.full(HOURS_OF_WEEK, np.nan)
    some = counts > 0
    low, high = starts + (counts - 1) // 2, starts + counts // 2
    medians[some] = (spreads[low[some]] + spreads[high[some]]) / 2
    return medians, counts
