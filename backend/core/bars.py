"""Closed bars as columns, the one shape that storage, evaluation and backtest share."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.clock import from_epoch
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe, close_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bars:
    """Bars of one symbol and timeframe in ascending time. All columns have shape (n,).

    Attributes:
        symbol: Canonical symbol.
        timeframe: Length of each bar.
        time: UTC epoch seconds of each bar's open, int64, strictly ascending.
        server_time: The same instants on the broker's clock (server epoch), int64. Boundaries,
            hours and weekdays of the market are read from here.
        open: Bid price at the open, float64.
        high: Highest bid.
        low: Lowest bid.
        close: Last bid.
        volume: Tick volume, int64.
        spread: Spread in points, int64; 0 is unknown, as in MetaTrader 5.
    """

    symbol: str
    timeframe: Timeframe
    time: Ints
    server_time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints
    spread: Ints

    def __post_init__(self) -> None:
        length = len(self.time)
        for name in COLUMNS:
            if getattr(self, name).shape != (length,):
                raise Invalid(
                    "ragged_bars", f"{self.symbol} {self.timeframe}: column {name} has another length"
                )
        if length > 1 and not bool((np.diff(self.time) > 0).all()):
            first = int(np.argmax(np.diff(self.time) <= 0)) + 1
            raise Invalid(
                "unsorted_bars",
                f"{self.symbol} {self.timeframe}: bar {first} does not come after the one before it",
                index=first,
                time=int(self.time[first]),
            )

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, part: slice) -> "Bars":
        return Bars(
            symbol=self.symbol,
            timeframe=self.timeframe,
            **{name: getattr(self, name)[part] for name in COLUMNS},
        )

    def closes(self) -> Ints:
        """UTC epoch at which each bar ends, exclusive, shape (n,).

        Where the next bar opens at this one's end on the server's clock, it ends when that one opens: a bar
        in which that clock was set is longer or shorter than its timeframe. Else the offset at its open
        holds.
        """
        ends_server: Ints = close_of(self.timeframe, self.server_time)
        ends: Ints = ends_server - self.server_time + self.time
        follows = self.server_time[1:] == ends_server[:-1]
        ends[:-1][follows] = self.time[1:][follows]
        return ends

    def opened(self, index: int) -> datetime:
        """When the bar at `index` opened, aware UTC."""
        return from_epoch(int(self.time[index]))


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Bars) if f.name not in {"symbol", "timeframe"})

INTEGER_COLUMNS = frozenset({"time", "server_time", "volume", "spread"})


def empty_bars(symbol: str, timeframe: Timeframe) -> Bars:
    """No bars, with the right column types."""
    columns: dict[str, Any] = {
        name: np.empty(0, dtype=np.int64 if name in INTEGER_COLUMNS else np.float64) for name in COLUMNS
    }
    return Bars(symbol=symbol, timeframe=timeframe, **columns)


def join_bars(parts: Sequence[Bars]) -> Bars:
    """One after the other: bars of one symbol and timeframe, each part later than the one before.

    Raises:
        Invalid: If there are no parts, or they overlap, or are of different symbols or timeframes.
    """
    if len(parts) == 1:
        return parts[0]
    if len({(part.symbol, part.timeframe) for part in parts}) != 1:
        raise Invalid("ragged_bars", "only bars of one symbol and timeframe can be joined")
    return Bars(
        symbol=parts[0].symbol,
        timeframe=parts[0].timeframe,
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS},
    )


def plausible(opened: Any, high: Any, low: Any, close: Any, volume: Any, spread: Any) -> Any:
    """Whether a bar, or each of many, can be: finite, above zero, open and close between low and high.

    Of numbers or of arrays of shape (n,), so that the backtest's kernel compiles this very rule.
    """
    inside = (low <= opened) & (low <= close) & (high >= opened) & (high >= close)
    return inside & (low > 0) & (high < np.inf) & (spread >= 0) & (volume >= 0)


def plausible_prices(bars: Bars) -> npt.NDArray[np.bool_]:
    """Which bars can be, shape (n,)."""
    good: npt.NDArray[np.bool_] = plausible(
        bars.open, bars.high, bars.low, bars.close, bars.volume, bars.spread
    )
    return good


def check_prices(bars: Bars) -> None:
    """Refuse prices that cannot be: NaN, not above zero, high below low, open or close outside.

    Raises:
        Invalid: With the count of such bars and the index and time of the first.
    """
    good = plausible_prices(bars)
    if not bool(good.all()):
        first = int(np.argmin(good))
        raise Invalid(
            "bad_bars",
            f"{bars.symbol} {bars.timeframe}: {int((~good).sum())} bars have impossible prices, "
            f"the first opened {bars.opened(first)}",
            count=int((~good).sum()),
            index=first,
            time=int(bars.time[first]),
        )
