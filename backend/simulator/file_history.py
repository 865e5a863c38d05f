"""Recorded prices as history: the bars and specifications of a folder, all known at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import numpy as np

from backend.core.bars import Bars, Floats, empty_bars
from backend.core.clock import from_epoch
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe, close_of
from backend.market.gaps import Gap, find_gaps
from backend.mt5 import constants as mt5
from backend.mt5.account import Account
from backend.mt5.mapping import exact
from backend.mt5.server_time import ServerClock
from backend.simulator.columns import Columns, aggregate
from backend.simulator.replay_files import find_files
from backend.simulator.replay_series import HOUR, SymbolFiles
from backend.trading.conversion import Rates, conversion

CURRENCY = "USD"


class FileHistory:
    """The symbols of a folder, their bars in UTC and their specifications.

    Args:
        folder: Where the files are; `backend.simulator.replay_files` tells which are known.
        server_clock: The broker's clock.
        symbols: Whose bars say when it begins and ends.
        timeframe: Of those bars.

    Attributes:
        folder: That folder.

    Raises:
        Invalid: If nothing is there that is known, or a file is corrupt: then with file and line.
        NotFound: If there are no files of a symbol that is named.
    """

    def __init__(
        self, folder: Path, server_clock: ServerClock, *, symbols: Sequence[str], timeframe: Timeframe
    ) -> None:
        files = find_files(folder).files
        self.folder = folder
        self._clock = server_clock
        self._files = {
            name: SymbolFiles(name, [file for file in files if file.symbol == name], server_clock)
            for name in sorted({file.symbol for file in files})
        }
        self._known: dict[tuple[str, Timeframe], Bars] = {}
        self._ranged = tuple(symbols)
        self._timeframe = timeframe

    @property
    def begin(self) -> datetime:
        """When the first bar opened, aware UTC."""
        return self._range[0]

    @property
    def end(self) -> datetime:
        """When the last bar closed, aware UTC."""
        return self._range[1]

    @cached_property
    def _range(self) -> tuple[datetime, datetime]:
        found = [self._bars(name, self._timeframe) for name in self._ranged]
        filled = [bars for bars in found if len(bars)]
        if not filled:
            raise Invalid(
                "nothing_to_replay",
                f"{self.folder} has no {self._timeframe} bars of {', '.join(self._ranged)}, "
                "and none that they could be made of",
            )
        ends = [bars.server_time[-1:] for bars in filled]
        closes = [int(self._clock.to_utc(close_of(self._timeframe, end))[0]) for end in ends]
        return min(bars.opened(0) for bars in filled), from_epoch(max(closes))

    def broker_symbol(self, canonical: str) -> str:
        """The name itself; `NotFound` for a symbol without files."""
        self._of(canonical)
        return canonical

    def account(self) -> Account:
        """Files hold no account: always `Unavailable`."""
        raise Unavailable("no_account", "files of prices hold no account")

    def history(self, symbol: str, timeframe: Timeframe, days: float) -> Bars:
        """Bars of the last so many days before `end`; none where the files are too coarse."""
        bars = self._bars(symbol, timeframe)
        since = (self.end - timedelta(days=days)).timestamp()
        return bars[int(np.searchsorted(bars.time, since)) :]

    def gaps(self, symbol: str, timeframe: Timeframe) -> list[Gap]:
        """Missing bars inside the hours at which the symbol usually trades."""
        return find_gaps(self._bars(symbol, timeframe), self._clock)

    def asks(self, symbol: str, bars: Bars) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Ask open, high, low and close of bars that `history` gave; None where the files have only bids."""
        files = self._of(symbol)
        if bars.timeframe is Timeframe.M1 and files.has_minutes():
            series = files.minutes
        elif bars.timeframe is Timeframe.H1:
            series = files.all_hours
        else:
            return None
        if not len(bars) or not series.bars.spread.any():
            return None  # what a series of bids has as asks is a typical spread
        at = np.searchsorted(series.bars.time, bars.server_time)
        opened, high, low, close = (side[at] for side in series.asks)
        return opened, high, low, close

    def instrument(self, symbol: str) -> Instrument:
        """The simulated broker's specification, or a guess from the name; ticks worth US dollars.

        Raises:
            Invalid: Code ``no_rate``: its profit arises in a currency that no file converts.
        """
        made = self._of(symbol).spec.instrument
        if CURRENCY in {made.currency_profit, made.currency_base}:
            return made
        try:
            how = conversion(made, CURRENCY, self._rates())
        except Unavailable as error:
            raise Invalid(
                "no_rate",
                f"{symbol}: {error.message}; put files of a pair that does into {self.folder}",
                symbol=symbol,
            ) from error
        tick = made.tick_size * made.contract_size
        return replace(made, tick_value=tick * how.gain, tick_value_loss=tick * how.loss)

    def _rates(self) -> Rates:
        """The last close of every currency pair, as bid and ask."""
        quotes = {}
        for name, files in self._files.items():
            spec, bars = files.spec, self._bars(name, Timeframe.H1)
            if spec.calc_mode == mt5.SYMBOL_CALC_MODE_FOREX and len(bars):
                bid = Decimal(repr(float(bars.close[-1])))
                wide = max(int(bars.spread[-1]), spec.spread)
                quotes[spec.base, spec.profit] = (bid, bid + wide * exact(spec.point))
        return Rates(quotes=quotes)

    def _bars(self, symbol: str, timeframe: Timeframe) -> Bars:
        key = symbol, timeframe
        if key not in self._known:
            self._known[key] = self._read(symbol, timeframe)
        return self._known[key]

    def _read(self, symbol: str, timeframe: Timeframe) -> Bars:
        files = self._of(symbol)
        if timeframe.seconds >= HOUR:
            source, length = files.all_hours.bars, HOUR
        elif files.has_minutes():
            source, length = files.minutes.bars, 60
        else:
            return empty_bars(symbol, timeframe)
        bars = source if timeframe.seconds == length else aggregate(source, timeframe)
        # a bar that goes on behind the last short one is not closed
        whole = int(
            np.searchsorted(
                close_of(timeframe, bars.time),
                int(source.time[-1]) + length if len(source) else 0,
                side="right",
            )
        )
        return _in_utc(symbol, timeframe, bars[:whole], self._clock)

    def _of(self, symbol: str) -> SymbolFiles:
        try:
            return self._files[symbol]
        except KeyError:
            raise NotFound(
                "unknown_symbol",
                f"{self.folder} has no files of {symbol}; it has {', '.join(self._files)}",
                symbol=symbol,
                known=[*self._files],
            ) from None


def _in_utc(symbol: str, timeframe: Timeframe, bars: Columns, clock: ServerClock) -> Bars:
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        time=np.asarray(clock.to_utc(bars.time), dtype=np.int64),
        server_time=bars.time,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        spread=bars.spread,
    )
