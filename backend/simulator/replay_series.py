"""One symbol of a replay: its files as bars and ticks on the server's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.mt5 import constants as mt5
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.simulator.columns import Columns, aggregate, joined
from backend.simulator.moves import MOVES_DTYPE, moves_of_ticks, spans, spans_of_ticks
from backend.simulator.replay_files import (
    DataFile,
    Floats,
    Ints,
    Kind,
    decimals_of,
    read_bars,
    read_ticks,
)
from backend.simulator.replay_specs import scale_of, spec_of
from backend.simulator.symbols import SymbolSpec

HOUR, MINUTE = 3_600, 60


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Bars of one length with the quotes at both ends of each.

    Attributes:
        bars: Bid bars; server time.
        asks: Ask open, high, low and close, each of shape (n,).
        length: Seconds of a bar.
    """

    bars: Columns
    asks: tuple[Floats, Floats, Floats, Floats]
    length: int

    def __len__(self) -> int:
        return len(self.bars)

    def __getitem__(self, part: slice) -> "Series":
        opened, high, low, close = self.asks
        return Series(self.bars[part], (opened[part], high[part], low[part], close[part]), self.length)

    def between(self, first: int, last: int) -> "Series":
        """The bars that open in [first, last]."""
        low, high = np.searchsorted(self.bars.time, (first, last + 1))
        return self[int(low) : int(high)]

    def ticks(self) -> Records:
        """What is known of a bar's ticks: the open when it opens, the rest in its last milliseconds.

        When inside the bar its extremes came nobody knows, so they are not shown before its end; a
        rising bar has its low first.
        """
        bars = self.bars
        rows = np.zeros((len(bars), 4), dtype=TICKS_DTYPE)
        ends = (bars.time + self.length) * 1000
        rising = bars.close >= bars.open
        ask_open, ask_high, ask_low, ask_close = self.asks
        low, high = (bars.low, ask_low), (bars.high, ask_high)
        sides = (
            (bars.time * 1000, bars.open, ask_open),
            (ends - 3, *(np.where(rising, first, second) for first, second in zip(low, high, strict=True))),
            (ends - 2, *(np.where(rising, second, first) for first, second in zip(low, high, strict=True))),
            (ends - 1, bars.close, ask_close),
        )
        for place, (time_ms, bid, ask) in enumerate(sides):
            rows["time_msc"][:, place] = time_ms
            rows["bid"][:, place] = bid
            rows["ask"][:, place] = ask
        rows["time"] = rows["time_msc"] // 1000
        rows["flags"] = mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK
        return rows.reshape(-1)

    def moves(self) -> Records:
        """Each bar as two moves: its open when it opens, and all of it in its last millisecond."""
        bars = self.bars
        rows = np.zeros((len(bars), 2), dtype=MOVES_DTYPE)
        rows["time_ms"][:, 0], rows["time_ms"][:, 1] = (
            bars.time * 1000,
            (bars.time + self.length) * 1000 - 1,
        )
        bids = (bars.open, bars.high, bars.low, bars.close)
        for side, prices in (("bid", bids), ("ask", self.asks)):
            for part, column in zip(("open", "high", "low", "close"), prices, strict=True):
                rows[f"{side}_{part}"][:, 0] = prices[0]
                rows[f"{side}_{part}"][:, 1] = column
        return rows.reshape(-1)

    def spans(self) -> Records:
        """The bounds of each bar."""
        bars = self.bars
        return spans(
            bars.time * 1000, self.length * 1000, (bars.low, bars.high), (self.asks[2], self.asks[1])
        )


class SymbolFiles:
    """The files of one symbol, read when first asked for and then kept as arrays."""

    def __init__(self, symbol: str, files: Sequence[DataFile], clock: ServerClock) -> None:
        self._symbol = symbol
        self._clock = clock
        self._files = {kind: [file for file in files if file.kind is kind] for kind in Kind}

    def has_minutes(self) -> bool:
        """Whether anything finer than hours is there."""
        return bool(self._files[Kind.MINUTES] or self._files[Kind.TICKS])

    @cached_property
    def spec(self) -> SymbolSpec:
        """The symbol's specification, with as many digits as its files show."""
        kinds = (Kind.MINUTES, Kind.TICKS, Kind.HOURS)
        files = next(self._files[kind] for kind in kinds if self._files[kind])
        return spec_of(self._symbol, max(decimals_of(file) for file in files))

    @cached_property
    def ticks(self) -> Records:
        """Every tick of the tick files, server time."""
        rows = [self._tick_rows(file) for file in self._files[Kind.TICKS]]
        return np.concatenate(rows) if rows else np.zeros(0, dtype=TICKS_DTYPE)

    @cached_property
    def ticked_minutes(self) -> Ints:
        """Server minutes since 1970 that have ticks, ascending."""
        return np.unique(self.ticks["time"] // MINUTE)

    @cached_property
    def tick_moves(self) -> Records:
        """Each tick as a move."""
        return moves_of_ticks(self.ticks)

    @cached_property
    def tick_spans(self) -> Records:
        """Bounds of each minute with ticks."""
        return spans_of_ticks(self.ticks)

    def _tick_rows(self, file: DataFile) -> Records:
        raw = read_ticks(file)
        rows = np.zeros(len(raw.time_ms), dtype=TICKS_DTYPE)
        rows["time"] = self._on_server(file, raw.time_ms // 1000)
        rows["time_msc"] = rows["time"] * 1000 + raw.time_ms % 1000
        rows["bid"], rows["ask"] = raw.bid, raw.ask
        rows["flags"] = mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK
        return rows

    @cached_property
    def minutes(self) -> Series:
        """M1: from minute files, and from ticks where there are none of those."""
        parts = [self._series(file, MINUTE) for file in self._files[Kind.MINUTES]]
        bars = _one_after_another(self._symbol, parts, MINUTE)
        made = _minutes_of(self.ticks, self.spec.point) if self._files[Kind.TICKS] else None
        if made is None or not len(made):
            return bars
        missing = ~np.isin(made.bars.time, bars.bars.time)
        return _merged(bars, _picked(made, missing))

    @cached_property
    def hours(self) -> Series:
        """H1: from minutes where there are whole hours of them, before that from hour files."""
        coarse = self._coarse
        if not self.has_minutes() or not len(self.minutes):
            return coarse
        minutes = self.minutes
        first = int(minutes.bars.time[0])
        cut = -(-first // HOUR) * HOUR
        if len(coarse) == 0 or int(coarse.bars.time[0]) >= cut:
            cut = first - first % HOUR  # no hour file tells of the hour in which the minutes begin
        made = _hours_of(minutes.between(cut, int(minutes.bars.time[-1])))
        earlier = coarse.between(int(coarse.bars.time[0]), cut - 1) if len(coarse) else coarse
        return _merged(earlier, made)

    @cached_property
    def all_hours(self) -> Series:
        """All of H1 as history: the hour files as they are, and hours of minutes where they have none."""
        coarse = self._coarse
        if not self.has_minutes() or not len(self.minutes):
            return coarse
        made = _hours_of(self.minutes)
        return _merged(coarse, _picked(made, ~np.isin(made.bars.time, coarse.bars.time)))

    @cached_property
    def _coarse(self) -> Series:
        """The hour files alone."""
        parts = [self._series(file, HOUR) for file in self._files[Kind.HOURS]]
        return _one_after_another(self._symbol, parts, HOUR)

    def _on_server(self, file: DataFile, times: Ints) -> Ints:
        """Server epochs of a file's times, in seconds."""
        clock = file.layout.clock
        if clock is None:
            return times
        utc = times if clock == "UTC" else ServerClock.parse(clock).to_utc(times)
        return self._clock.to_server(utc)

    def _series(self, file: DataFile, length: int) -> Series:
        raw = read_bars(file)
        digits, point = self.spec.digits, self.spec.point
        time = self._on_server(file, raw.time)
        scale = scale_of(self._symbol, raw) if raw.ask is None else 1
        opened, high, low, close = (np.round(side / scale, digits) for side in raw.bid)
        if raw.ask is None:
            typical = self.spec.spread * point
            # 0 is unknown, as MetaTrader 5 says it; then the symbol's typical spread stands in.
            spread = np.zeros(len(time), dtype=np.int64) if raw.spread is None else np.maximum(raw.spread, 0)
            wide = np.where(spread > 0, spread * point, typical)
            sides = np.stack((opened, high, low, close)) + wide
        else:
            sides = raw.ask
            least = np.minimum(np.round(sides[0], digits) - opened, np.round(sides[3], digits) - close)
            spread = np.rint(least / point).astype(np.int64)
        asks = _four([np.round(side, digits) for side in sides])
        return Series(Columns(time, opened, high, low, close, raw.volume, spread), asks, length)


_NO: Floats = np.empty(0)


def _one_after_another(symbol: str, parts: Sequence[Series], length: int) -> Series:
    parts = sorted((part for part in parts if len(part)), key=lambda part: int(part.bars.time[0]))
    for before, after in pairwise(parts):
        if int(after.bars.time[0]) <= int(before.bars.time[-1]):
            raise Invalid(
                "overlapping_files",
                f"{symbol}: two files hold bars of the same time; play one folder at a time",
                symbol=symbol,
            )
    if not parts:
        return Series(joined([]), (_NO, _NO, _NO, _NO), length)
    return _put_together(parts)


def _put_together(parts: Sequence[Series]) -> Series:
    """The bars of each part after those of the one before."""
    asks = _four([np.concatenate(sides) for sides in zip(*(part.asks for part in parts), strict=True)])
    return Series(joined([part.bars for part in parts]), asks, parts[0].length)


def _four(sides: Sequence[Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    opened, high, low, close = sides
    return opened, high, low, close


def _picked(series: Series, rows: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> Series:
    bars = series.bars
    names = ("time", "open", "high", "low", "close", "volume", "spread")
    return Series(
        Columns(*(getattr(bars, name)[rows] for name in names)),
        _four([side[rows] for side in series.asks]),
        series.length,
    )


def _merged(first: Series, second: Series) -> Series:
    """Both in the order of time; they share no bar."""
    if not len(first) or not len(second):
        return second if not len(first) else first
    together = _put_together([first, second])
    order = np.argsort(together.bars.time, kind="stable")
    return _picked(together, order)  # type: ignore[arg-type]  # rows by number pick as well


def _hours_of(minutes: Series) -> Series:
    bars = aggregate(minutes.bars, Timeframe.H1)
    return _ends(minutes, bars, HOUR)


def _minutes_of(ticks: Records, point: float) -> Series:
    bid, ask = ticks["bid"], ticks["ask"]
    spread = np.rint((ask - bid) / point).astype(np.int64)
    each = Columns(ticks["time"], bid, bid, bid, bid, np.ones(len(ticks), dtype=np.int64), spread)
    return _ends(Series(each, (ask, ask, ask, ask), 0), aggregate(each, Timeframe.M1), MINUTE)


def _ends(source: Series, bars: Columns, length: int) -> Series:
    """The longer bars with the asks of the short ones in each."""
    firsts = np.searchsorted(source.bars.time, bars.time, side="left")
    lasts = np.searchsorted(source.bars.time, bars.time + length, side="left") - 1
    opened, high, low, close = source.asks
    if not len(bars):
        return Series(bars, source.asks, length)
    highs, lows = np.maximum.reduceat(high, firsts), np.minimum.reduceat(low, firsts)
    return Series(bars, (opened[firsts], highs, lows, close[lasts]), length)
