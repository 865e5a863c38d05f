"""The bars along which fills happen: a stream's own, or finer ones inside them where there are any."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.backtest.model import Asks, Stream
from backend.core.bars import Bars, Floats, Ints
from backend.evaluation.statistics import hour_of_week


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Path:
    """Columns of shape (n,), in ascending time.

    Attributes:
        time: UTC epoch of the open.
        close_time: UTC epoch of the close; None where each lasts as long as the stream's bars.
        server: Server epoch of the open.
        open: Bid, as are high, low and close.
        spread: In points; 0 is unknown.
        asks: Ask prices; None where the spread gives them.
        owner: Index of the stream's bar that each lies in; None where it is the same bar.
        first: Index of the first that may be traded.
    """

    time: Ints
    close_time: Ints | None
    server: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    spread: Ints
    asks: Asks | None
    owner: Ints | None
    first: int

    def __len__(self) -> int:
        return len(self.time)


def path_of(stream: Stream) -> Path:
    """The path of a stream.

    A bar is walked in finer ones if those tell all of it: the same close, and its high and low to the
    tick. Where they do not, the bar itself is the step.
    """
    bars, fine = stream.bars, stream.fine
    if fine is None or not len(fine):
        return _own(stream)
    ends, fine_ends = bars.closes(), fine.closes()
    owner = np.searchsorted(bars.time, fine.time, side="right") - 1
    inside = (owner >= stream.first - 1) & (fine_ends <= ends[np.maximum(owner, 0)])
    owner = np.where(inside, owner, -1)
    told = _told(stream, fine, owner)
    picked = np.flatnonzero((owner >= 0) & told[np.maximum(owner, 0)])
    if not len(picked):
        return _own(stream)
    whole = np.flatnonzero(~told)
    order = np.argsort(np.concatenate((bars.time[whole], fine.time[picked])), kind="stable")
    asks = None
    if stream.asks is not None or stream.fine_asks is not None:
        coarse, finer = stream.asks or _made(stream, bars), stream.fine_asks or _made(stream, fine)
        asks = Asks(*(_mixed(a[whole], b[picked], order) for a, b in zip(coarse, finer, strict=True)))
    owners = _mixed(whole, owner[picked], order)
    return Path(
        time=_mixed(bars.time[whole], fine.time[picked], order),
        close_time=_mixed(ends[whole], fine_ends[picked], order),
        server=_mixed(bars.server_time[whole], fine.server_time[picked], order),
        open=_mixed(bars.open[whole], fine.open[picked], order),
        high=_mixed(bars.high[whole], fine.high[picked], order),
        low=_mixed(bars.low[whole], fine.low[picked], order),
        close=_mixed(bars.close[whole], fine.close[picked], order),
        spread=_mixed(bars.spread[whole], fine.spread[picked], order),
        asks=asks,
        owner=owners,
        first=int(np.searchsorted(owners, stream.first)),
    )


def _own(stream: Stream) -> Path:
    bars = stream.bars
    return Path(
        time=bars.time,
        close_time=None,
        server=bars.server_time,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        spread=bars.spread,
        asks=stream.asks,
        owner=None,
        first=stream.first,
    )


def _told(stream: Stream, fine: Bars, owner: Ints) -> Any:
    """Which bars of the stream the finer ones tell whole, shape (bars,)."""
    bars, half = stream.bars, float(stream.instrument.tick_size) / 2
    told = np.zeros(len(bars), dtype=np.bool_)
    rows = np.flatnonzero(owner >= 0)
    if not len(rows):
        return told
    of = owner[rows]
    begins = np.flatnonzero(np.concatenate(([True], of[1:] != of[:-1])))
    lasts = np.append(begins[1:], len(of)) - 1
    index = of[begins]
    high, low = np.maximum.reduceat(fine.high[rows], begins), np.minimum.reduceat(fine.low[rows], begins)
    told[index] = (
        (abs(high - bars.high[index]) < half)
        & (abs(low - bars.low[index]) < half)
        & (abs(fine.open[rows[begins]] - bars.open[index]) < half)
        & (abs(fine.close[rows[lasts]] - bars.close[index]) < half)
    )
    return told


def _made(stream: Stream, bars: Bars) -> Asks:
    return asks_by_spread(
        stream, bars.server_time, bars.spread, Asks(bars.open, bars.high, bars.low, bars.close)
    )


def asks_by_spread(stream: Stream, server: Ints, spread: Ints, bids: Asks) -> Asks:
    """Asks where only bids are known: the bid and the larger of the bar's spread and the learned one."""
    learned = np.array(stream.costs.spread_points, dtype=np.int64)[hour_of_week(server)]
    wide = np.maximum(spread, learned) * float(stream.instrument.point)
    return Asks(*(side + wide for side in bids))


def _mixed(coarse: Any, fine: Any, order: Ints) -> Any:
    return np.concatenate((coarse, fine))[order]
