"""Bars made for tests: plain prices, server time by a rule."""

from datetime import datetime

import numpy as np

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock

UTC_CLOCK = ServerClock.parse("UTC")


def bars_at(
    opens: list[datetime],
    *,
    symbol: str = "EURUSD",
    timeframe: Timeframe = Timeframe.H1,
    clock: ServerClock = UTC_CLOCK,
    price: float = 1.1,
) -> Bars:
    """Bars that opened at these UTC times, each a little above the one before."""
    time = np.array([int(moment.timestamp()) for moment in opens], dtype=np.int64)
    close = np.asarray(price + 0.0001 * np.arange(len(opens)), dtype=np.float64)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        time=time,
        server_time=np.asarray(clock.to_server(time)),
        open=close - 0.00005,
        high=close + 0.0002,
        low=close - 0.0002,
        close=close,
        volume=np.full(len(opens), 10, dtype=np.int64),
        spread=np.full(len(opens), 3, dtype=np.int64),
    )
