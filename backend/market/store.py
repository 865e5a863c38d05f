"""The market store: closed bars per symbol and timeframe, in Parquet under ``data/history/``.

A series is a folder, ``history/{symbol}/{timeframe}/``, of partitions that are replaced whole: a month of
minutes, a year of hours, everything of days and longer. So topping up rewrites one small file.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backend.core.bars import Bars, check_prices, empty_bars, join_bars
from backend.core.clock import Clock, SystemClock, iso, stamp
from backend.core.errors import DeskError, Invalid
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.market.columns import DecodedFiles, decode, encode, state_of
from backend.market.gaps import Gap, coverage_percent, find_gaps
from backend.market.merging import merge
from backend.market.partitions import partition_range, split
from backend.mt5.server_time import ServerClock
from backend.storage import atomic
from backend.storage.files import FileStorage

FOLDER = "history"
PARKED = ".parked"
CACHE_BYTES = 96_000_000
_SERIES = "series.json"
_NOTES = "notes.jsonl"
_LOCK_SECONDS = 30.0


@dataclass(slots=True)
class Change:
    """What adding bars to a series would change.

    Attributes:
        parts: Partitions that would be replaced, by name, as they would be.
        added: Bars that are new.
        replaced: Bars that would be revised, before and after.
    """

    parts: dict[str, Bars] = field(default_factory=dict)
    added: int = 0
    replaced: list[dict[str, Any]] = field(default_factory=list)


class MarketStore:
    """Reads and writes series of closed bars; safe for threads and for processes of one machine.

    Bars that it gives share read-only columns with a cache; copy before changing.

    Args:
        storage: Files under the desk's data folder.
        server_clock: Rule of the broker's clock.
        clock: Tells wall time for notes and for names of files set aside.
        cache_bytes: How much decoded data one process may remember.
        folder: Where the series are, below the data folder.
    """

    def __init__(
        self,
        storage: FileStorage,
        server_clock: ServerClock,
        *,
        clock: Clock | None = None,
        cache_bytes: int = CACHE_BYTES,
        folder: str = FOLDER,
    ) -> None:
        self._root = folder
        self._storage = storage
        self._server_clock = server_clock
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._decoded = DecodedFiles(cache_bytes)
        self._folders: dict[tuple[str, Timeframe], Path] = {}

    # Reading

    def bars(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        until: datetime | None = None,
        count: int | None = None,
        since: datetime | None = None,
    ) -> Bars:
        """Stored bars, ascending; none if there is nothing.

        Args:
            symbol: Canonical symbol.
            timeframe: Which series.
            until: Only bars that had closed by then.
            count: At most so many, the latest.
            since: Only bars that opened then or later.

        Raises:
            Invalid: Code ``corrupt_file``: a partition could not be read; it now stands aside, is noted,
                and counts as a hole until it is filled again.
        """
        end = None
        if until is not None:
            # The bar that holds `until` is still forming then, all before it have closed.
            end = int(open_of(timeframe, self._server_clock.server_epoch(until)))
        start = -(-since.timestamp() // 1) if since is not None else None
        parts: list[Bars] = []
        found = 0
        for name in self._partitions(symbol, timeframe):
            first, last = partition_range(timeframe, name)
            if end is not None and first >= end:
                continue
            part = self._load(symbol, timeframe, name)
            if end is not None and last > end:
                part = part[: int(np.searchsorted(part.server_time, end))]
            reached = False
            if start is not None and len(part):
                cut = int(np.searchsorted(part.time, start))
                reached = cut > 0
                part = part[cut:]
            if len(part):
                parts.append(part)
                found += len(part)
            if reached or (count is not None and found >= count):
                break
        if not parts or count == 0:
            return empty_bars(symbol, timeframe)
        bars = join_bars(parts[::-1])
        return bars if count is None or len(bars) <= count else bars[len(bars) - count :]

    def last_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """When the last stored bar opened; None if there is none."""
        bars = self.bars(symbol, timeframe, count=1)
        return bars.opened(0) if len(bars) else None

    def first_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """When the first stored bar opened; None if there is none."""
        for name in reversed(self._partitions(symbol, timeframe)):
            part = self._load(symbol, timeframe, name)
            if len(part):
                return part.opened(0)
        return None

    def gaps(self, symbol: str, timeframe: Timeframe) -> list[Gap]:
        """Missing bars inside the hours at which the symbol usually trades."""
        return find_gaps(self.bars(symbol, timeframe), self._server_clock)

    def coverage(self) -> list[dict[str, Any]]:
        """Each series as JSON values: symbol, timeframe, bars, first, last, missing, gaps, percent.

        A series with a corrupt file says so under ``problem`` instead.
        """
        return [self._describe(symbol, timeframe) for symbol, timeframe in self.series()]

    def series(self) -> list[tuple[str, Timeframe]]:
        """The symbols and timeframes that are stored."""
        found = []
        for name in self._storage.names(f"{self._root}/*/*/{_SERIES}"):
            facts = self._storage.read_json(name)
            found.append((str(facts["symbol"]), Timeframe.parse(name.split("/")[-2])))
        return found

    def files(self, symbol: str, timeframe: Timeframe) -> list[Path]:
        """The partitions' files, the earliest first."""
        folder = self._folder(symbol, timeframe)
        return [folder / f"{name}.parquet" for name in reversed(self._partitions(symbol, timeframe))]

    # Writing

    def append(self, bars: Bars, *, until: datetime | None = None, revise: bool = False) -> int:
        """Add closed bars; returns how many are new. Bars that are already there stay as they are.

        Args:
            bars: In any position: before, after or between those stored.
            until: Present desk time; a bar that has not closed by then is refused.
            revise: Take these instead of stored bars of the same time, and note what stood there.

        Raises:
            Invalid: Nothing is written: impossible prices (with their count), a bar that does not begin
                on its timeframe's boundary, or one still forming.
        """
        symbol, timeframe = bars.symbol, bars.timeframe
        with self._lock(symbol, timeframe):
            change = self.prepare(bars, until=until, revise=revise)
            if not len(bars):
                return 0
            if not self._folder(symbol, timeframe).joinpath(_SERIES).exists():
                self._write_facts(symbol, timeframe, {})
            if change.replaced:
                self.note(symbol, timeframe, "revision", bars=change.replaced)
            for name, part in change.parts.items():
                self._write(symbol, timeframe, name, part)
        return change.added

    def prepare(self, bars: Bars, *, until: datetime | None = None, revise: bool = False) -> Change:
        """What `append` would change; nothing is written.

        Raises:
            Invalid: As `append`.
        """
        check_prices(bars)
        self._check_boundaries(bars, until)
        change = Change()
        for name, part in split(bars) if len(bars) else ():
            merged, new, replaced = merge(self._load(bars.symbol, bars.timeframe, name), part, revise=revise)
            if new or replaced:
                change.parts[name] = merged
            change.added += new
            change.replaced += replaced
        return change

    def note(self, symbol: str, timeframe: Timeframe, kind: str, **facts: Any) -> None:
        """Record something about a series that a person should know; kept in its ``notes.jsonl``."""
        record = {"kind": kind, "at": iso(self._clock.wall())} | facts
        self._storage.append_jsonl(f"{self.name(symbol, timeframe)}/{_NOTES}", [record])

    def notes(self, symbol: str, timeframe: Timeframe) -> list[dict[str, Any]]:
        """What was recorded about a series, oldest first."""
        name = f"{self.name(symbol, timeframe)}/{_NOTES}"
        return list(self._storage.read_jsonl(name)) if self._storage.exists(name) else []

    # Where a series comes from

    def facts(self, symbol: str, timeframe: Timeframe) -> dict[str, Any]:
        """What is known of a series besides its bars; empty if there is none."""
        facts: dict[str, Any] = self._storage.read_json_or(f"{self.name(symbol, timeframe)}/{_SERIES}", {})
        return facts

    def remember(self, symbol: str, timeframe: Timeframe, **facts: Any) -> None:
        """Keep facts of a series; None forgets one."""
        with self._lock(symbol, timeframe):
            self._write_facts(symbol, timeframe, facts)

    def use_source(self, symbol: str, timeframe: Timeframe, source: str) -> bool:
        """See to it that the series holds bars of this source only; says whether it was changed.

        Another source's bars are parked under ``history/.parked/`` and come back with their source, so
        that a replay, a simulation and a broker never stand in one series.
        """
        with self._lock(symbol, timeframe):
            present = self.facts(symbol, timeframe).get("source")
            if present == source:
                return False
            if present is None:
                self._write_facts(symbol, timeframe, {"source": source})
                return False
            self.park(symbol, timeframe)
            parked = self._storage.path(self._parked(source, symbol, timeframe))
            folder = self._folder(symbol, timeframe)
            if parked.is_dir():
                with atomic.refusals(folder):
                    atomic.while_in_use(partial(parked.rename, folder))
            self._write_facts(symbol, timeframe, {"source": source})
            return True

    def park(self, symbol: str, timeframe: Timeframe) -> Path:
        """Move a whole series away, under the name of its source; the series is then empty."""
        with self._lock(symbol, timeframe):
            folder = self._folder(symbol, timeframe)
            source = str(self.facts(symbol, timeframe).get("source", ""))
            parked = self._storage.path(self._parked(source, symbol, timeframe))
            if parked.exists():
                parked = parked.with_name(f"{parked.name}-{stamp(self._clock.wall())}")
            with atomic.refusals(parked):
                parked.parent.mkdir(parents=True, exist_ok=True)
                atomic.while_in_use(partial(folder.rename, parked))
            return parked

    def holes(self, symbol: str, timeframe: Timeframe) -> list[tuple[str, datetime, datetime]]:
        """Partitions whose file was set aside: name, first instant, and the instant after the last."""
        found = []
        for name in self.facts(symbol, timeframe).get("holes", ()):
            first, last = partition_range(timeframe, name)
            found.append(
                (name, self._server_clock.utc_datetime(first), self._server_clock.utc_datetime(last))
            )
        return found

    def close_hole(self, symbol: str, timeframe: Timeframe, name: str) -> None:
        """The hole was filled as far as it can be."""
        with self._lock(symbol, timeframe):
            left = [hole for hole in self.facts(symbol, timeframe).get("holes", ()) if hole != name]
            self._write_facts(symbol, timeframe, {"holes": left or None})

    # Inside

    def _folder(self, symbol: str, timeframe: Timeframe) -> Path:
        key = symbol, timeframe
        folder = self._folders.get(key)
        if folder is None:
            folder = self._folders[key] = self._storage.path(self.name(symbol, timeframe))
        return folder

    def _lock(self, symbol: str, timeframe: Timeframe) -> Any:
        return self._storage.lock(self.name(symbol, timeframe), _LOCK_SECONDS)

    def _partitions(self, symbol: str, timeframe: Timeframe) -> list[str]:
        """Names of the partitions there are, the latest first."""
        try:
            entries = self._folder(symbol, timeframe).iterdir()
            return sorted((path.stem for path in entries if path.suffix == ".parquet"), reverse=True)
        except FileNotFoundError:
            return []

    def _load(self, symbol: str, timeframe: Timeframe, name: str) -> Bars:
        path = self._folder(symbol, timeframe) / f"{name}.parquet"
        state = state_of(path)
        if state is None:
            return empty_bars(symbol, timeframe)
        bars = self._decoded.get(path, state)
        if bars is not None:
            return bars
        try:
            bars = decode(atomic.read_file(path), symbol=symbol, timeframe=timeframe, where=str(path))
        except FileNotFoundError:  # parked meanwhile
            return empty_bars(symbol, timeframe)
        except Invalid as error:
            raise self._set_aside(symbol, timeframe, name, path, error) from error
        self._decoded.put(path, state, bars)
        return bars

    def _set_aside(
        self, symbol: str, timeframe: Timeframe, name: str, path: Path, error: DeskError
    ) -> DeskError:
        with self._lock(symbol, timeframe):
            try:  # read again: someone may have set it aside and filled the hole meanwhile
                decode(atomic.read_file(path), symbol=symbol, timeframe=timeframe, where=str(path))
            except FileNotFoundError:
                return error
            except Invalid:
                aside = atomic.set_aside(path, stamp(self._clock.wall()))
            else:
                return error
            holes = {*self.facts(symbol, timeframe).get("holes", ()), name}
            self._write_facts(symbol, timeframe, {"holes": sorted(holes)})
            self.note(symbol, timeframe, "corrupt_file", file=path.name, aside=aside.name, said=error.message)
        return Invalid(
            "corrupt_file",
            f"{error.message}. It was set aside as {aside.name}; its bars are fetched again when the "
            "terminal is asked next",
            file=str(path),
            aside=aside.name,
        )

    def _write(self, symbol: str, timeframe: Timeframe, name: str, bars: Bars) -> None:
        self._storage.write_bytes(f"{self.name(symbol, timeframe)}/{name}.parquet", encode(bars))
        path = self._folder(symbol, timeframe) / f"{name}.parquet"
        state = state_of(path)
        if state is not None:
            self._decoded.put(path, state, bars)

    def _write_facts(self, symbol: str, timeframe: Timeframe, facts: dict[str, Any]) -> None:
        merged = {"symbol": symbol} | self.facts(symbol, timeframe) | facts
        self._storage.write_json(
            f"{self.name(symbol, timeframe)}/{_SERIES}",
            {key: value for key, value in merged.items() if value is not None},
        )

    def _check_boundaries(self, bars: Bars, until: datetime | None) -> None:
        off = bars.server_time != open_of(bars.timeframe, bars.server_time)
        if off.any():
            first = int(np.argmax(off))
            raise Invalid(
                "misaligned_bars",
                f"{bars.symbol} {bars.timeframe}: {int(off.sum())} bars do not begin on a boundary of the "
                f"broker's clock, the first at {bars.opened(first)}; is the clock rule "
                f"{self._server_clock.rule!r} right?",
                count=int(off.sum()),
                time=int(bars.time[first]),
            )
        if until is None or not len(bars):
            return
        end = int(close_of(bars.timeframe, bars.server_time[-1]))
        if end > self._server_clock.server_epoch(until):
            raise Invalid(
                "forming_bar",
                f"{bars.symbol} {bars.timeframe}: the bar opened {bars.opened(-1)} has not closed; "
                "only closed bars are stored",
                time=int(bars.time[-1]),
            )

    def _describe(self, symbol: str, timeframe: Timeframe) -> dict[str, Any]:
        about: dict[str, Any] = {"symbol": symbol, "timeframe": str(timeframe)}
        try:
            bars = self.bars(symbol, timeframe)
        except Invalid as error:
            return about | {"problem": error.as_dict()}
        gaps = find_gaps(bars, self._server_clock)
        percent = coverage_percent(bars)
        about |= {
            "bars": len(bars),
            "first": iso(bars.opened(0)) if len(bars) else None,
            "last": iso(bars.opened(-1)) if len(bars) else None,
            "missing": sum(gap.count for gap in gaps),
            "gaps": len(gaps),
            "percent": round(percent, 2) if percent is not None else None,
        }
        return about

    def name(self, symbol: str, timeframe: Timeframe) -> str:
        """The name of a series' folder below the data folder."""
        return f"{self._root}/{FileStorage.safe_name(symbol)}/{timeframe}"

    def _parked(self, source: str, symbol: str, timeframe: Timeframe) -> str:
        digest = hashlib.sha256(source.encode()).hexdigest()[:16]
        return f"{self._root}/{PARKED}/{digest}/{FileStorage.safe_name(symbol)}/{timeframe}"
