"""Bars out of a folder of recorded prices, without playing it."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from backend.core.bars import Bars, empty_bars
from backend.core.errors import NotFound
from backend.core.timeframes import Timeframe, close_of
from backend.market.resample import divides, resample
from backend.mt5.server_time import ServerClock
from backend.simulator.replay_files import find_files
from backend.simulator.replay_series import Series, SymbolFiles


class RecordedBars:
    """Bars of the files that a replay plays; see `backend.simulator.replay_files` for which are known.

    Args:
        folder: Where the files are.
        server_clock: The broker's clock, on whose boundaries longer bars are made.

    Raises:
        Invalid: There is no such folder, or nothing in it is known; later, where a file is corrupt.
    """

    def __init__(self, folder: Path, server_clock: ServerClock) -> None:
        found = find_files(folder)
        self._folder = folder
        self._clock = server_clock
        self._files = {
            name: SymbolFiles(name, [file for file in found.files if file.symbol == name], server_clock)
            for name in sorted({file.symbol for file in found.files})
        }
        self.whole = lru_cache(maxsize=64)(self._whole)

    def bars(
        self, symbol: str, timeframe: Timeframe, *, count: int | None = None, until: datetime | None = None
    ) -> Bars:
        """Bars that had closed by `until` (all if absent), the latest `count`.

        Raises:
            NotFound: Code ``not_recorded``: the folder has no file of that symbol.
        """
        bars = self.whole(symbol, timeframe)
        if until is not None:
            closes = close_of(timeframe, bars.server_time)
            bars = bars[: int(np.searchsorted(closes, self._clock.server_epoch(until), side="right"))]
        return bars if count is None else bars[max(0, len(bars) - count) :]

    def _whole(self, symbol: str, timeframe: Timeframe) -> Bars:
        """Every bar, from hours where they serve, else from minutes."""
        files = self._files.get(symbol)
        if files is None:
            raise NotFound(
                "not_recorded",
                f"{self._folder} has no file of {symbol}; it has {', '.join(self._files)}",
                symbol=symbol,
                known=[*self._files],
            )
        if timeframe is Timeframe.H1 or divides(Timeframe.H1, timeframe):
            return resample(self._bars(symbol, files.hours, Timeframe.H1), timeframe, self._clock)
        if not files.has_minutes():
            return empty_bars(symbol, timeframe)
        return resample(self._bars(symbol, files.minutes, Timeframe.M1), timeframe, self._clock)

    def _bars(self, symbol: str, series: Series, timeframe: Timeframe) -> Bars:
        columns = series.bars
        return Bars(
            symbol=symbol,
            timeframe=timeframe,
            time=self._clock.to_utc(columns.time),
            server_time=columns.time,
            open=columns.open,
            high=columns.high,
            low=columns.low,
            close=columns.close,
            volume=columns.volume,
            spread=columns.spread,
        )
