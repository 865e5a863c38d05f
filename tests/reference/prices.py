"""Bars in ticks, with the spread that costs take."""

from dataclasses import dataclass

import numpy as np

from backend.backtest.model import Costs
from backend.backtest.prices import hours_of_week
from backend.core.bars import Bars, Ints
from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.trading.week import last_of_week_second, weekdays

_DAY = 86_400
_SATURDAY = 5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prices:
    """Bars in ticks, all of shape (n,), int64.

    Attributes:
        open: Bid.
        high: Bid.
        low: Bid.
        close: Bid.
        spread: Ask − bid over the whole bar.
    """

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    spread: Ints


def prices(bars: Bars, instrument: Instrument, costs: Costs) -> Prices:
    """The bars in ticks; the spread is the larger of the bar's and the learned one of its hour.

    Raises:
        Invalid: Code ``unknown_spread`` if some bar has neither.
    """
    points = np.maximum(bars.spread, np.asarray(costs.spread_points, dtype=np.int64)[hours_of_week(bars)])
    if bool((points <= 0).any()):
        first = int(np.argmax(points <= 0))
        raise Invalid(
            "unknown_spread",
            f"{bars.symbol}: {int((points <= 0).sum())} bars have no spread and none was learned for their "
            f"hour, the first opened {bars.opened(first)}; give a spread in the costs",
            count=int((points <= 0).sum()),
            index=first,
        )
    per_tick = float(instrument.tick_size)
    ratio = float(instrument.point) / per_tick

    def ticks(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Ints:
        return np.rint(column / per_tick).astype(np.int64)

    return Prices(
        open=ticks(bars.open),
        high=ticks(bars.high),
        low=ticks(bars.low),
        close=ticks(bars.close),
        spread=np.ceil(points * ratio - 1e-9).astype(np.int64),
    )


def last_of_week(bars: Bars) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Bars at or after the usual last bar of the trading week, shape (n,)."""
    of_week = weekdays(bars) * _DAY + bars.server_time % _DAY
    # a week of the market may begin late on Sunday: only the days up to Saturday count as its end
    return (of_week >= last_of_week_second(bars, 7 * _DAY)) & (weekdays(bars) <= _SATURDAY)
