"""Bars as MetaTrader 5 itself exports them, so that its custom symbols read them, and so do we."""

from collections.abc import Callable
from typing import Final

import numpy as np

from backend.core.bars import Bars, Ints
from backend.core.clock import from_epoch
from backend.core.timeframes import DAY_SECONDS

_HEADS: Final = ("<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>", "<SPREAD>")
_LINE: Final = "\r\n"
_PIECE: Final = 50_000

Progress = Callable[[int, int, str], None]


def metatrader_csv(bars: Bars, digits: int, progress: Progress = lambda *_: None) -> bytes:
    """The bars on the broker's clock: TABs, a header, spread in points; a day and longer have no time.

    Args:
        bars: Any bars.
        digits: Decimals of a price.
        progress: Told how far it is.
    """
    daily = bars.timeframe.seconds >= DAY_SECONDS
    heads = [head for head in _HEADS if not (daily and head == "<TIME>")]
    parts = ["\t".join(heads)]
    for start in range(0, len(bars), _PIECE):
        piece = bars[start : start + _PIECE]
        moments = np.datetime_as_string(piece.server_time.astype("datetime64[s]"), unit="s")
        rows = zip(
            moments.tolist(),
            *(getattr(piece, name).tolist() for name in ("open", "high", "low", "close", "volume", "spread")),
            strict=True,
        )
        for moment, opened, high, low, close, volume, spread in rows:
            day, clock = moment[:10].replace("-", "."), moment[11:]
            when = day if daily else f"{day}\t{clock}"
            parts.append(
                f"{when}\t{opened:.{digits}f}\t{high:.{digits}f}\t{low:.{digits}f}\t{close:.{digits}f}"
                f"\t{volume}\t0\t{spread}"
            )
        progress(start + len(piece), len(bars), "writing")
    return (_LINE.join(parts) + _LINE).encode("ascii")


def metatrader_name(bars: Bars) -> str:
    """What MetaTrader 5 calls such a file: symbol, timeframe, first and last bar."""
    ends: Ints = bars.server_time[[0, -1]] if len(bars) else np.zeros(2, dtype=np.int64)
    first, end = (f"{from_epoch(int(moment)):%Y%m%d%H%M}" for moment in ends)
    return f"{bars.symbol}_{bars.timeframe}_{first}_{end}.csv"
