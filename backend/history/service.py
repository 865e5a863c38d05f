"""HistoryService: what is kept of the past, where it came from, and what it is worth."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import Clock
from backend.core.errors import Conflict, DeskError, Invalid, NotFound
from backend.core.timeframes import Timeframe
from backend.history.exporting import Progress, metatrader_csv, metatrader_name
from backend.history.formats.model import decimals_of
from backend.history.formats.stored import ASK, BID
from backend.history.importing import REPORTS, Importer
from backend.history.quality import describe
from backend.history.staging import settle
from backend.history.work import in_short
from backend.market.specifications import Specifications
from backend.market.store import MarketStore
from backend.mt5.server_time import ServerClock
from backend.storage import atomic
from backend.storage.files import FileStorage

IMPORTED: Final = "history/imported"
_STAMP: Final = len("YYYYmmdd_HHMMSS.json")


class Kept(StrEnum):
    """The two places where bars are kept; they are never mixed."""

    DESK = "desk"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Series:
    """One series that is kept.

    Attributes:
        kept: Where.
        symbol: Canonical symbol.
        timeframe: Of its bars.
    """

    kept: Kept
    symbol: str
    timeframe: Timeframe


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesFiles:
    """The files of one side of a series.

    Attributes:
        series: Which.
        side: bid or ask.
        files: Its partitions, the earliest first.
    """

    series: Series
    side: str
    files: tuple[Path, ...]


class HistoryService:
    """Imports, checks and exports bars.

    Args:
        storage: Files below the data folder.
        desk: The desk's own bars, from its terminal.
        server_clock: Rule of the broker's clock.
        clock: Wall time of reports.
        canonical: The desk's name of a name in a file; None where it knows none.
        usual: Where a symbol trades, roughly; None where nobody knows.
    """

    def __init__(
        self,
        storage: FileStorage,
        desk: MarketStore,
        server_clock: ServerClock,
        clock: Clock,
        *,
        canonical: Callable[[str], str | None],
        usual: Callable[[str], float | None],
    ) -> None:
        self._desk = desk
        self._server_clock = server_clock
        self._specifications = Specifications(storage)
        self._imported = FileStorage(
            storage.path(IMPORTED), fsync=storage.fsync, clock=clock, hosts=storage.hosts
        )
        self.importer = Importer(self._imported, server_clock, clock, canonical=canonical, usual=usual)

    @property
    def folder(self) -> Path:
        """Where the imported history is; a backtest or a replay reads it from there."""
        return self._imported.root

    def series(
        self, symbol: str | None = None, timeframe: Timeframe | None = None, kept: Kept | None = None
    ) -> list[Series]:
        """What is kept, as far as it is asked for.

        Raises:
            NotFound: Nothing of that is kept.
        """
        settle(self._imported)
        found = [
            Series(place, name, frame)
            for place, store in ((Kept.DESK, self._desk), (Kept.IMPORTED, self.importer.bids))
            for name, frame in store.series()
        ]
        found += [
            Series(Kept.IMPORTED, name, frame)
            for name, frame in self.importer.asks.series()
            if Series(Kept.IMPORTED, name, frame) not in found
        ]
        wanted = [
            one
            for one in found
            if symbol in {None, one.symbol}
            and timeframe in {None, one.timeframe}
            and kept in {None, one.kept}
        ]
        if not wanted and (symbol is not None or timeframe is not None or kept is not None):
            asked = " ".join(str(part) for part in (kept, symbol, timeframe) if part is not None)
            held = ", ".join(sorted({f"{one.symbol} {one.timeframe}" for one in found})) or "nothing"
            raise NotFound("no_history", f"No bars of {asked} are kept; there is {held}")
        return wanted

    def files(self) -> list[SeriesFiles]:
        """Where the bars of every series are, bids and asks apart."""
        settle(self._imported)
        stores = (
            (Kept.DESK, BID, self._desk),
            (Kept.IMPORTED, BID, self.importer.bids),
            (Kept.IMPORTED, ASK, self.importer.asks),
        )
        return [
            SeriesFiles(series=Series(kept, name, frame), side=side, files=tuple(store.files(name, frame)))
            for kept, side, store in stores
            for name, frame in store.series()
        ]

    def reports(self, limit: int) -> list[dict[str, Any]]:
        """What the newest imports did, in short, the newest first; what cannot be read is left out."""
        names = self._imported.names(f"{REPORTS}/*.json")
        newest = sorted(names, key=lambda name: name[-_STAMP:], reverse=True)[:limit]
        found = []
        for name in newest:
            with contextlib.suppress(DeskError, KeyError, TypeError):
                found.append(in_short(self._imported.read_json(name)))
        return found

    def report(self, name: str) -> dict[str, Any]:
        """The whole report of an import.

        Raises:
            NotFound: There is none of that name.
        """
        try:
            page: dict[str, Any] = self._imported.read_json(f"{REPORTS}/{name}.json")
        except NotFound as error:
            raise NotFound("no_report", f"There is no report {name!r} of an import", report=name) from error
        return page

    def check(self, series: Series) -> dict[str, Any]:
        """The quality of a series; see `describe`. A corrupt file is told under ``problem``."""
        page: dict[str, Any] = {"kept": str(series.kept)}
        try:
            bars, asks = self._bars(series)
            page |= describe(
                bars, asks=asks, digits=self.digits(series, bars), zone=self._zone(series),
                clock=self._server_clock,
            )  # fmt: skip
        except DeskError as error:
            lost = {"symbol": series.symbol, "timeframe": str(series.timeframe), "verdict": "doubtful"}
            return page | lost | {"problem": error.as_dict(), "trust": [error.message]}
        facts = self._store(series).facts(series.symbol, series.timeframe)
        page |= {
            "source": facts.get("source"),
            "zone": self._zone(series),
            "imports": facts.get("imports", []),
        }
        noted = self._store(series).notes(series.symbol, series.timeframe)
        return page | {"notes": len(noted), "last_notes": noted[-5:]}

    def export(
        self,
        series: Series,
        path: Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        overwrite: bool = False,
        progress: Progress = lambda *_: None,
    ) -> tuple[Path, int]:
        """Write bars as MetaTrader 5's own CSV; where, and how many.

        Args:
            series: Which.
            path: A file, or a folder in which it gets the name that MetaTrader 5 gives.
            since: The first opened then or later.
            until: The last opened before.
            overwrite: Replace a file that is there.
            progress: Told how far it is.

        Raises:
            NotFound: There are no such bars.
            Conflict: The file is there.
        """
        bars, _ = self._bars(series)
        first = 0 if since is None else int(np.searchsorted(bars.time, since.timestamp()))
        last = len(bars) if until is None else int(np.searchsorted(bars.time, until.timestamp()))
        digits = self.digits(series, bars)
        bars = bars[first : max(first, last)]
        if not len(bars):
            raise NotFound(
                "no_history", f"No bars of {series.symbol} {series.timeframe} are kept for that time"
            )
        target = path / metatrader_name(bars) if path.is_dir() else path
        if target.exists() and not overwrite:
            raise Conflict("file_exists", f"{target} is there already; --force replaces it", file=str(target))
        if not target.parent.is_dir():
            raise Invalid("no_folder", f"{target.parent} is no folder", file=str(target))
        atomic.replace_file(target, metatrader_csv(bars, digits, progress), mode=None, fsync=True)
        return target, len(bars)

    def digits(self, series: Series, bars: Bars) -> int:
        """Decimals of the prices: as noted with the series or stated by the broker, else as they show."""
        noted = self._store(series).facts(series.symbol, series.timeframe).get("digits")
        if noted is not None:
            return int(noted)
        stated = self._specifications.last(series.symbol) if series.kept is Kept.DESK else None
        if stated is not None:
            return stated.instrument.digits
        return decimals_of(np.stack([bars.open, bars.high, bars.low, bars.close]))

    def _store(self, series: Series) -> MarketStore:
        """Where the bids of a series are, or the asks where there are no bids."""
        if series.kept is Kept.DESK:
            return self._desk
        bids = self.importer.bids
        return bids if (series.symbol, series.timeframe) in bids.series() else self.importer.asks

    def _bars(self, series: Series) -> tuple[Bars, Bars | None]:
        bars = self._store(series).bars(series.symbol, series.timeframe)
        if series.kept is Kept.DESK:
            return bars, None
        asks = self.importer.asks.bars(series.symbol, series.timeframe)
        return bars, asks if len(asks) else None

    def _zone(self, series: Series) -> str:
        """The rule of the clock that the bars were read in; of several imports the latest."""
        imports = self._store(series).facts(series.symbol, series.timeframe).get("imports", [])
        return str(imports[-1]["clocks"][0]) if imports else self._server_clock.rule
