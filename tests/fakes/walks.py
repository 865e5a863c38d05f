"""Random walks as bars on a broker's clock, with weekends, holes and hours that the clock repeats."""

from datetime import UTC, datetime

import numpy as np

from backend.core.bars import COLUMNS, Bars
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.mt5.server_time import ServerClock
from backend.strategies.model import Strategy

NEW_YORK = ServerClock.parse("America/New_York+7")
ATHENS = ServerClock.parse("Europe/Athens")
JANUARY = datetime(2026, 1, 4, 22, tzinfo=UTC)
"""Monday 00:00 on the clock of `NEW_YORK`."""
_DAY = 86_400


def walk(
    count: int,
    *,
    timeframe: Timeframe = Timeframe.M30,
    start: datetime = JANUARY,
    clock: ServerClock = NEW_YORK,
    seed: int = 1,
    missing: float = 0.0,
    weekends: bool = True,
    price: float = 1.1,
) -> Bars:
    """At most `count` bars; with `weekends` none opens on a Saturday or Sunday of the server."""
    random = np.random.default_rng(seed)
    server_first = open_of(timeframe, clock.server_epoch(start))
    first = clock.to_utc(int(server_first))
    time = first + timeframe.seconds * np.arange(count, dtype=np.int64)
    server = np.asarray(clock.to_server(time))
    kept = random.random(count) >= missing
    if weekends:
        kept &= (server // _DAY + 3) % 7 < 5
    close = price * np.exp(np.cumsum(random.normal(0, 0.001, count)))
    opened = np.concatenate(([price], close[:-1]))
    bars = Bars(
        symbol="EURUSD",
        timeframe=timeframe,
        time=time,
        server_time=server,
        open=opened,
        high=np.maximum(opened, close) * (1 + 0.0005 * random.random(count)),
        low=np.minimum(opened, close) * (1 - 0.0005 * random.random(count)),
        close=close,
        volume=random.integers(1, 500, count),
        spread=random.integers(0, 30, count),
    )
    return picked(bars, np.flatnonzero(kept))


def picked(bars: Bars, rows: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Bars:
    return Bars(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        **{name: getattr(bars, name)[rows] for name in COLUMNS},
    )


def longer(bars: Bars, timeframe: Timeframe) -> Bars:
    """Bars of a longer timeframe out of short ones, one at a time, the last one perhaps unfinished."""
    groups: dict[int, list[int]] = {}
    for index, server in enumerate(bars.server_time.tolist()):
        groups.setdefault(int(open_of(timeframe, server)), []).append(index)
    rows = list(groups.values())
    return Bars(
        symbol=bars.symbol,
        timeframe=timeframe,
        time=np.array([int(bars.time[r[0]]) - _late(bars, r[0], opened) for opened, r in groups.items()]),
        server_time=np.array(list(groups), dtype=np.int64),
        open=np.array([bars.open[r[0]] for r in rows]),
        high=np.array([bars.high[r].max() for r in rows]),
        low=np.array([bars.low[r].min() for r in rows]),
        close=np.array([bars.close[r[-1]] for r in rows]),
        volume=np.array([bars.volume[r].sum() for r in rows]),
        spread=np.array([bars.spread[r].min() for r in rows]),
    )


def _late(bars: Bars, index: int, opened: int) -> int:
    return int(bars.server_time[index]) - opened


def changed_after(bars: Bars, index: int, seed: int) -> Bars:
    """The same times, other prices after bar `index`."""
    random = np.random.default_rng(seed)
    columns = {name: getattr(bars, name).copy() for name in COLUMNS}
    factor = np.exp(random.normal(0, 0.05, len(bars) - index - 1))
    for name in ("open", "high", "low", "close"):
        columns[name][index + 1 :] *= factor
    for name in ("volume", "spread"):
        columns[name][index + 1 :] = random.integers(0, 900, len(bars) - index - 1)
    return Bars(symbol=bars.symbol, timeframe=bars.timeframe, **columns)


def closes(bars: Bars) -> list[int]:
    return [int(close) for close in close_of(bars.timeframe, bars.server_time)]


def strategy(*entry: str, timeframe: Timeframe = Timeframe.M30, **changes: object) -> Strategy:
    """A strategy of these entries; its own ATR needs two bars."""
    return Strategy.model_validate(
        {
            "id": "TEST",
            "symbol": "EURUSD",
            "timeframe": str(timeframe),
            "indicators": {"atr": {"period": 1}},
            "conditions": {"entry": list(entry)},
            "strategy": {"direction": "long"},
            **changes,
        }
    )
