"""A market that plays files: nothing of it is known before its time has come.

The playing range is where the finest bars are: minutes (or ticks) if any symbol has them, else hours
after a warm-up of a year or the first fifth, whichever is less. Coarser files from before the minutes
serve as history of H1 and longer. Files in UTC come to the server's clock by the desk's rule.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np

from backend.core.clock import from_epoch, require_utc
from backend.core.errors import Invalid, NotFound
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.simulator.columns import EMPTY, Columns, aggregate, joined
from backend.simulator.replay_files import Ints, find_files
from backend.simulator.replay_series import HOUR, Series, SymbolFiles
from backend.simulator.symbols import SymbolSpec
from backend.simulator.tick_paths import bar_so_far

SETTLE_SECONDS = 10
"""A bar after which no tick comes is closed that long after its end."""

_YEAR = 365 * 86_400
_WARM_UP_PARTS = 5


class ReplayMarket:
    """The symbols of a folder. Times are the server's; see `backend.simulator.ports.Market`.

    Args:
        folder: Where the files are; `backend.simulator.replay_files` tells which are known.
        server_clock: The broker's clock.

    Attributes:
        ignored: Files in the folder that are none of those known.

    Raises:
        Invalid: If nothing can be played, or a file is corrupt: then with file and line.
    """

    def __init__(self, folder: Path, server_clock: ServerClock) -> None:
        found = find_files(folder)
        self.ignored = tuple(found.ignored)
        self._clock = server_clock
        names = sorted({file.symbol for file in found.files})
        self._files = {
            name: SymbolFiles(name, [file for file in found.files if file.symbol == name], server_clock)
            for name in names
        }
        self._fine = any(files.has_minutes() for files in self._files.values())
        self._first, self._last = self._find_range(folder)
        self._closes: dict[Timeframe, Ints] = {}

    def _find_range(self, folder: Path) -> tuple[int, int]:
        """Server epochs of the first and last instant to be played."""
        if self._fine:
            played = [files.minutes for files in self._files.values() if files.has_minutes()]
        else:
            played = [files.hours for files in self._files.values()]
        played = [series for series in played if len(series)]
        if not played:
            raise Invalid("nothing_to_replay", f"the files in {folder} are empty", folder=str(folder))
        starts = [int(series.bars.time[0]) for series in played]
        last = max(int(series.bars.time[-1]) + series.length for series in played)
        if self._fine:
            return min(starts), last + SETTLE_SECONDS
        first = max(starts)  # every symbol has begun by then
        return first + min(_YEAR, (last - first) // _WARM_UP_PARTS), last + SETTLE_SECONDS

    def range(self) -> tuple[datetime, datetime]:
        """The first and the last instant to be played, aware UTC."""
        return self._clock.utc_datetime(self._first), self._clock.utc_datetime(self._last)

    def closes(self, after: datetime, timeframes: Iterable[Timeframe]) -> datetime | None:
        """The next instant after `after` at which any symbol closes a bar of these; None if none does.

        A bar is closed when the next tick comes, or 10 s after its end if none does. Stretches without
        bars, such as weekends, are passed over.
        """
        moment = int(require_utc(after).timestamp())
        following: list[int] = []
        for timeframe in timeframes:
            times = self._close_times(timeframe)
            place = int(np.searchsorted(times, moment, side="right"))
            if place < len(times):
                following.append(int(times[place]))
        return from_epoch(min(following)) if following else None

    def _close_times(self, timeframe: Timeframe) -> Ints:
        """UTC epochs of every close of that timeframe inside the playing range, ascending."""
        if timeframe not in self._closes:
            found = [np.empty(0, dtype=np.int64)]
            for files in self._files.values():
                series = _base(files, timeframe)
                if series is None:
                    continue
                opens = np.unique(open_of(timeframe, series.bars.time))
                ends: Ints = close_of(timeframe, opens)
                settled = _settled(files, series, ends)
                inside = (settled > self._first) & (settled <= self._last)
                found.append(self._clock.to_utc(settled[inside]))
            self._closes[timeframe] = np.unique(np.concatenate(found))
        return self._closes[timeframe]

    def symbols(self) -> tuple[SymbolSpec, ...]:
        """Every symbol that the folder has files of."""
        return tuple(files.spec for files in self._files.values())

    def history_start(self, symbol: str, timeframe: Timeframe, at_ms: int) -> int:
        """The open of the first bar that the files give for that length."""
        series = _base(self._of(symbol), timeframe)
        if series is None or not len(series):
            return at_ms // 1000 + 1
        return int(open_of(timeframe, series.bars.time[0]))

    def is_open(self, symbol: str, at_ms: int) -> bool:
        """Whether one of the symbol's bars covers the instant."""
        series = self._finest(self._of(symbol), at_ms // 1000)
        place = int(np.searchsorted(series.bars.time, at_ms // 1000, side="right")) - 1
        return place >= 0 and at_ms // 1000 < int(series.bars.time[place]) + series.length

    def quote(self, symbol: str, at_ms: int) -> Records:
        """The last tick at or before the present."""
        series = self._finest(self._of(symbol), at_ms // 1000)
        place = int(np.searchsorted(series.bars.time, at_ms // 1000, side="right")) - 1
        if place < 0:
            return np.zeros(0, dtype=TICKS_DTYPE)
        # A bar with real ticks is open before its first one: then the last of the bar before counts.
        start = int(series.bars.time[max(0, place - 1)])
        return self.ticks(symbol, start * 1000, at_ms, at_ms)[-1:]

    def ticks(self, symbol: str, first_ms: int, last_ms: int, at_ms: int) -> Records:
        """Ticks in [first_ms, last_ms]: real ones where there are, else what the bars tell of theirs."""
        files = self._of(symbol)
        last_ms = min(last_ms, at_ms)
        if first_ms > last_ms:
            return np.zeros(0, dtype=TICKS_DTYPE)
        low, high = np.searchsorted(files.ticks["time_msc"], (first_ms, last_ms + 1))
        real = files.ticks[int(low) : int(high)]
        parts = [real]
        for series in self._all_series(files):
            some = series.between(first_ms // 1000 - series.length, last_ms // 1000)
            made = some.ticks()
            made = made[(made["time_msc"] >= first_ms) & (made["time_msc"] <= last_ms)]
            if len(files.ticks):  # a minute with real ticks shows those alone
                made = made[~np.isin(made["time"] // 60, files.ticked_minutes)]
            parts.append(made)
        together = np.concatenate(parts)
        return together[np.argsort(together["time_msc"], kind="stable")]

    def moves(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        """Real ticks where there are, else bars: their opens, and the whole of each at its end."""
        files = self._of(symbol)
        parts = [_within(files.tick_moves, "time_ms", first_ms, last_ms)]
        for series in self._all_series(files):
            made = series.between(first_ms // 1000 - series.length, last_ms // 1000).moves()
            if len(files.ticks):
                made = made[~np.isin(made["time_ms"] // 60_000, files.ticked_minutes)]
            parts.append(_within(made, "time_ms", first_ms, last_ms))
        together = np.concatenate(parts)
        return together[np.argsort(together["time_ms"], kind="stable")]

    def spans(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        """Bounds of the bars, and of the minutes that have real ticks."""
        files = self._of(symbol)
        parts = [_within(files.tick_spans, "first_ms", first_ms - 60_000, last_ms)]
        for series in self._all_series(files):
            parts += [series.between(first_ms // 1000 - series.length, last_ms // 1000).spans()]
        together = np.concatenate(parts)
        return together[np.argsort(together["first_ms"], kind="stable")]

    def rates(self, symbol: str, timeframe: Timeframe, first: int, last: int, at_ms: int) -> Columns:
        """Bars whose open lies in [first, last]; of the forming one only what has been played."""
        files = self._of(symbol)
        series = _base(files, timeframe)
        if series is None or not len(series):
            return EMPTY
        present = at_ms // 1000
        start = max(int(open_of(timeframe, first)), int(open_of(timeframe, series.bars.time[0])))
        start = start if start >= first else int(close_of(timeframe, start))
        last = min(last, present)
        if last < start:
            return EMPTY
        end = int(close_of(timeframe, open_of(timeframe, last)))
        known = series.between(start, min(end - 1, present - series.length))
        parts = [
            known.bars,
            self._forming(files, series, max(start, present - present % series.length), end, at_ms),
        ]
        return aggregate(joined(parts), timeframe)

    def _forming(self, files: SymbolFiles, series: Series, start: int, end: int, at_ms: int) -> Columns:
        """The base bar around the present, as far as it has been played."""
        present = at_ms // 1000
        if not start <= present < min(end, start + series.length):
            return EMPTY
        if series.length == HOUR and files.has_minutes() and len(files.minutes):
            inside = files.minutes.between(start, present - 60).bars
            minute = present - present % 60
            parts = [inside, self._forming(files, files.minutes, minute, minute + 60, at_ms)]
            if any(len(part) for part in parts):
                return aggregate(joined(parts), Timeframe.H1)
        ticks = self.ticks(files.spec.name, start * 1000, at_ms, at_ms)
        return aggregate(
            bar_so_far(ticks, files.spec.point), Timeframe.H1 if series.length == HOUR else Timeframe.M1
        )

    def _finest(self, files: SymbolFiles, present: int) -> Series:
        """Minutes once they have begun, hours before."""
        if files.has_minutes() and len(files.minutes) and present >= int(files.minutes.bars.time[0]):
            return files.minutes
        return files.hours

    def _all_series(self, files: SymbolFiles) -> list[Series]:
        """Minutes, and the hours from before they begin."""
        if not files.has_minutes() or not len(files.minutes):
            return [files.hours]
        begin = int(files.minutes.bars.time[0])
        hours = files.hours
        return [hours.between(int(hours.bars.time[0]), begin - HOUR), files.minutes]

    def _of(self, symbol: str) -> SymbolFiles:
        try:
            return self._files[symbol]
        except KeyError:
            raise NotFound("unknown_symbol", f"the replay has no files of {symbol!r}") from None


def _within(rows: Records, name: str, first_ms: int, last_ms: int) -> Records:
    low, high = np.searchsorted(rows[name], (first_ms, last_ms + 1))
    return rows[int(low) : int(high)]


def _base(files: SymbolFiles, timeframe: Timeframe) -> Series | None:
    """What bars of that length are made of; None where the files are too coarse."""
    if timeframe.seconds >= HOUR:
        return files.hours
    return files.minutes if files.has_minutes() else None


def _settled(files: SymbolFiles, series: Series, ends: Ints) -> Ints:
    """Server epochs at which bars that end so are known to be closed: the next tick, or 10 s."""
    latest = ends + SETTLE_SECONDS
    settled: Ints = np.where(np.isin(ends, series.bars.time), ends, latest)
    if len(files.ticks):
        places = np.searchsorted(files.ticks["time_msc"], ends * 1000)
        following = files.ticks["time_msc"][np.minimum(places, len(files.ticks) - 1)]
        following = np.where(places < len(files.ticks), -(-following // 1000), latest)
        ticked = np.isin(ends // 60, files.ticked_minutes)
        settled = np.where(ticked, np.minimum(following, latest), settled)
    return settled
