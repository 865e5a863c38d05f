"""The imported history itself: Parquet of the market store, read back with bid and ask side by side."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from backend.core.timeframes import Timeframe
from backend.history.formats.model import DataFile, Layout, RawBars, Side, decimals_of
from backend.history.formats.text import read_bytes
from backend.market.columns import decode

STORED: Final = Layout(title="imported history")
BID, ASK = "bid", "ask"
SERIES: Final = "series.json"


def recognise(path: Path) -> DataFile | None:
    """A partition of bids; its asks are read with it."""
    parts = path.parts[-4:]
    series = path.parent / SERIES
    if len(parts) < 4 or parts[0] != BID or parts[2] not in {*Timeframe} or not series.is_file():  # noqa: PLR2004 - side, symbol, timeframe, partition
        return None
    return DataFile(path, STORED, _facts(path)["symbol"], Timeframe(parts[2]), Side.BOTH)


def read_bars(file: DataFile) -> RawBars:
    """The bids in UTC, with the asks where every bar has one.

    Raises:
        Invalid: The file is corrupt.
    """
    timeframe, symbol = file.timeframe or Timeframe.M1, file.symbol
    bars = decode(read_bytes(file.path), symbol=symbol, timeframe=timeframe, where=str(file.path))
    bid = np.stack([bars.open, bars.high, bars.low, bars.close])
    beside = file.path.parents[3] / ASK / Path(*file.path.parts[-3:])
    ask = None
    if beside.is_file():
        asks = decode(read_bytes(beside), symbol=symbol, timeframe=timeframe, where=str(beside))
        places = np.searchsorted(asks.time, bars.time)
        there = places < len(asks)
        there[there] = asks.time[places[there]] == bars.time[there]
        if there.all():
            ask = np.stack([asks.open, asks.high, asks.low, asks.close])[:, places]
    digits = int(_facts(file.path).get("digits", 0))
    return RawBars(bars.time, bid, ask, bars.volume, max(digits, decimals_of(bid)), bars.spread)


def _facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = orjson.loads(read_bytes(path.parent / SERIES))
    return facts
