"""The work that every engine is given, and the market it is done on; needs nothing but numpy.

Long only, one position: EMA 20 crosses above EMA 50 while RSI 14 is 40 to 60; stop 1.5 × ATR 14 below the
close of the signal, target twice that above it; out when RSI is above 70. Orders of a bar's close are
filled at the next open. Ours sizes by risk, the others trade a fixed volume.
"""

from pathlib import Path
from typing import Any

import numpy as np

FAST, SLOW, RSI, ATR = 20, 50, 14, 14
RSI_LOW, RSI_HIGH, RSI_EXIT = 40, 60, 70
STOP_ATR, REWARD = 1.5, 2.0
SPREAD_POINTS, POINT = 10, 1e-5
PRICE = 1.2
"""About the price throughout: where an engine takes costs as shares only."""
COMMISSION_PER_LOT, LOT = 3.5, 100_000
SWAP_LONG_POINTS = -7.0
CASH, UNITS = 1_000_000.0, 10_000.0

HALF_SPREAD_SHARE = SPREAD_POINTS * POINT / 2 / PRICE
COMMISSION_SHARE = COMMISSION_PER_LOT / LOT / PRICE

FIRST_MONDAY = 1_262_563_200
"""2010-01-04 00:00 on the broker's clock, which is two hours ahead of UTC here."""
SERVER_AHEAD = 7200

_SEED = 20
_CHUNK = 50_000
_WEEK_BARS, _WEEK = 5 * 1440, 7 * 86_400
_MIDDLE, _RANGE = 120_000, 10_000  # points
_STEP, _WICK = 25.0, 8.0  # points

Columns = dict[str, Any]


def market(count: int) -> Columns:
    """M1 bars, Monday 00:00 to Friday 23:59: a random walk in points between two walls, ATR about 4 pips.

    The first n bars are the same whatever `count` is. Filled in pieces, so that no more memory is taken than
    the columns have.
    """
    columns: Columns = {name: np.empty(count) for name in ("open", "high", "low", "close")}
    columns |= {name: np.empty(count, dtype=np.int64) for name in ("time", "server_time", "volume", "spread")}
    columns["spread"][:] = SPREAD_POINTS
    walked, last = 0, _MIDDLE
    for piece, start in enumerate(range(0, count, _CHUNK)):
        random = np.random.default_rng([_SEED, piece])
        walk = walked + np.cumsum(np.rint(random.normal(0, _STEP, _CHUNK)).astype(np.int64))
        walked = int(walk[-1])
        closes = _MIDDLE + np.abs((walk + _RANGE) % (4 * _RANGE) - 2 * _RANGE) - _RANGE
        opens = np.concatenate(([last], closes[:-1]))
        last = int(closes[-1])
        up = np.rint(random.exponential(_WICK, _CHUNK)).astype(np.int64)
        down = np.rint(random.exponential(_WICK, _CHUNK)).astype(np.int64)
        volume = random.integers(1, 200, _CHUNK)
        rows = slice(start, min(start + _CHUNK, count))
        length = rows.stop - start
        index = np.arange(start, rows.stop)
        for name, points in (
            ("open", opens),
            ("high", np.maximum(opens, closes) + up),
            ("low", np.minimum(opens, closes) - down),
            ("close", closes),
        ):
            columns[name][rows] = points[:length] / 100_000
        columns["server_time"][rows] = FIRST_MONDAY + index // _WEEK_BARS * _WEEK + index % _WEEK_BARS * 60
        columns["volume"][rows] = volume[:length]
    columns["time"][:] = columns["server_time"] - SERVER_AHEAD
    return columns


def save(columns: Columns, folder: Path) -> None:
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values)


def load(folder: Path, count: int) -> Columns:
    """Fresh copies of the first `count` rows."""
    return {file.stem: np.load(file)[:count].copy() for file in sorted(folder.glob("*.npy"))}


def without_gaps(columns: Columns) -> Columns:
    """The same prices on minutes without weekends, for engines of markets that never close."""
    return columns | {"time": FIRST_MONDAY + 60 * np.arange(len(columns["time"]), dtype=np.int64)}
