"""Files into the imported history: recognised, read, mended by rule, judged, and put in place as one."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import Clock, iso, stamp
from backend.core.errors import Invalid, NotFound
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.history import pieces as rules
from backend.history.formats.model import DataFile, Ints, Side
from backend.history.formats.recognising import recognise
from backend.history.formats.stored import ASK, BID, SERIES, STORED
from backend.history.pieces import Choices, Piece, joined, lowest_spread, read_pieces
from backend.history.quality import describe
from backend.history.reports import as_text
from backend.history.scale import least_decimals
from backend.history.staging import guard, put_in_place, settle
from backend.history.weekend import flat_weekends
from backend.market.columns import encode
from backend.market.merging import differing_times, where
from backend.market.store import Change, MarketStore
from backend.mt5.server_time import ServerClock
from backend.storage.encoding import encode as encode_json
from backend.storage.files import FileStorage

SOURCE: Final = "imported files"
SERVER: Final = "server"
REPORTS: Final = "reports"
_REMEMBERED: Final = 200
_ENCODERS: Final = 2
_ENOUGH_TO_TELL: Final = 50

Progress = Callable[[int, int, str], None]
"""Told how much is done, of how much, and what is being done."""


@dataclass(slots=True)
class Looked:
    """What was given to import.

    Attributes:
        files: The files that are known.
        ignored: Files of given folders that are none of the known formats.
    """

    files: list[DataFile] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)

    @property
    def without_symbol(self) -> list[DataFile]:
        """Files whose name does not tell the symbol."""
        return [file for file in self.files if not file.symbol]

    @property
    def without_clock(self) -> list[DataFile]:
        """Files that do not state the clock of their times."""
        return [file for file in self.files if not file.layout.states_clock]


def look(paths: Iterable[Path]) -> Looked:
    """Recognise files, and those of folders and all below them.

    Raises:
        NotFound: There is no such file.
        Invalid: A file that was named is in no known format, or nothing was found at all.
    """
    looked = Looked()
    for path in paths:
        if not path.exists():
            raise NotFound("no_such_file", f"{path} does not exist", file=str(path))
        inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in inside:
            file = recognise(one)
            if file is not None and file.layout is not STORED:
                looked.files.append(file)
            elif path.is_dir():
                looked.ignored.append(one)
            else:
                raise Invalid(
                    "unknown_format",
                    f"{one} is in none of the known formats; docs/history.md lists them",
                    file=str(one),
                )
    if not looked.files:
        raise Invalid(
            "nothing_to_import", f"no history file was found; {len(looked.ignored)} other files were"
        )
    return looked


class Importer:
    """Imports history files into a folder of its own, bids and asks apart.

    Args:
        storage: Files below the imported history.
        server_clock: Rule of the broker's clock, on which the bars of the store begin.
        clock: Wall time of reports; a bar that has not closed by then is left out.
        canonical: The desk's name of a name in a file; None where it knows none.
        usual: Where a symbol trades, roughly; None where nobody knows.
    """

    def __init__(
        self,
        storage: FileStorage,
        server_clock: ServerClock,
        clock: Clock,
        *,
        canonical: Callable[[str], str | None],
        usual: Callable[[str], float | None],
    ) -> None:
        self._storage = storage
        self._server_clock = server_clock
        self._clock = clock
        self._canonical = canonical
        self._usual = usual
        self.bids = MarketStore(storage, server_clock, clock=clock, folder=BID)
        self.asks = MarketStore(storage, server_clock, clock=clock, folder=ASK)

    def run(
        self,
        looked: Looked,
        choices: Choices,
        *,
        progress: Progress = lambda *_: None,
        dry_run: bool = False,
    ) -> list[dict[str, Any]]:
        """Import all of the files or none; a report for each symbol and timeframe.

        Importing the same files again adds nothing.

        Args:
            looked: The files.
            choices: What only a person can know.
            progress: Told how far it is.
            dry_run: Only look what would come in; nothing is written.

        Raises:
            Invalid: A file is broken, the symbol or the clock is not known, or bars contradict each other.
                Nothing was imported then.
        """
        sizes = [file.path.stat().st_size for file in looked.files]
        total, done = 2 * sum(sizes) or 1, 0
        groups: dict[tuple[str, Timeframe], list[Piece]] = {}
        for file, size in zip(looked.files, sizes, strict=True):
            progress(done, total, file.path.name)
            symbol = self._symbol(file, choices)
            for piece in read_pieces(file, self._clock_of(file, choices), choices, self._usual, symbol):
                if len(piece.time) or piece.rows:
                    groups.setdefault((symbol, piece.timeframe), []).append(piece)
            done += size
        if not groups:
            raise Invalid("nothing_to_import", "the files hold no rows")
        with guard(self._storage):
            settle(self._storage)
            written: dict[str, bytes] = {}
            pages = []
            for number, ((symbol, timeframe), found) in enumerate(groups.items()):
                progress(done + (total - done) * number // len(groups), total, f"{symbol} {timeframe}")
                page, files = self._series(symbol, timeframe, found, choices)
                pages.append(page)
                written |= files
            if not dry_run:
                progress(total - 1, total, "storing")
                put_in_place(self._storage, written)
        for page in pages:
            page["stored"] = not dry_run
        progress(total, total, "done")
        return pages

    # What the files mean

    def _symbol(self, file: DataFile, choices: Choices) -> str:
        written = choices.symbol or file.symbol
        if not written:
            raise Invalid(
                "unknown_symbol",
                f"{file.path}: its name does not tell the symbol; say it with --symbol",
                file=str(file.path),
            )
        return self._canonical(written) or written.upper()

    def _clock_of(self, file: DataFile, choices: Choices) -> str:
        """The rule of a file's clock: as the file states it, else as the person says."""
        rule = file.layout.clock
        if rule is not None:
            return rule
        said = self._server_clock.rule if choices.clock == SERVER else choices.clock
        if not said and not file.layout.states_clock:
            raise Invalid(
                "unknown_time_zone",
                f"{file.path} ({file.layout.title}) does not state its time zone; say it with --tz, "
                f"such as --tz UTC, --tz Europe/Athens, or --tz server for {self._server_clock.rule}",
                file=str(file.path),
            )
        return said or self._server_clock.rule

    # One series

    def _series(
        self, symbol: str, timeframe: Timeframe, found: Sequence[Piece], choices: Choices
    ) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The report of a series, and the files that hold it, by name."""
        digits = self._digits(symbol, timeframe, found, choices)
        mended: Counter[str] = Counter()
        sides: dict[Side, Bars] = {}
        for side in (Side.BID, Side.ASK):
            some = [piece for piece in found if piece.side is side]
            if some:
                sides[side], did = self._bars(symbol, timeframe, some, digits)
                # Both sides of one file have the same rows: they are counted once.
                both = all(piece.file.side is Side.BOTH for piece in some) and side is Side.ASK
                mended += Counter() if both else did
        bid, ask = sides.get(Side.BID), sides.get(Side.ASK)
        if bid is not None and ask is not None:
            bid = _with_spreads(bid, ask, digits)
        page: dict[str, Any] = {"symbol": symbol, "timeframe": str(timeframe), "source": SOURCE}
        files: dict[str, bytes] = {}
        for name, bars, store in ((BID, bid, self.bids), (ASK, ask, self.asks)):
            if bars is not None:
                change, page[name] = self._change(store, bars, choices)
                files |= self._files(store, bars, change, found, digits, page[name])
        main = bid if bid is not None else ask
        if main is None:  # unreachable: a piece is of one side or the other
            raise Invalid("nothing_to_import", f"{symbol}: no bars")
        # A file with both sides gave two pieces; it is named once.
        counted = [piece for piece in found if piece.side is not Side.ASK or piece.file.side is Side.ASK]
        zones = sorted({piece.clock for piece in found})
        page |= {
            "made_at": iso(self._clock.wall()),
            "files": [_file_page(piece) for piece in counted[:_REMEMBERED]],
            "file_count": len(counted),
            "duplicates": mended[rules.DOUBLED],
            "mended": dict(sorted((+mended).items())),
            "notes": [*dict.fromkeys(note for piece in found for note in piece.notes)],
            "quality": describe(main, asks=ask, digits=digits, zone=zones[0], clock=self._server_clock),
        }
        if len(zones) > 1:
            page["notes"].append(f"the files keep several clocks: {', '.join(zones)}")
        name = f"{REPORTS}/{FileStorage.safe_name(symbol)}_{timeframe}_{stamp(self._clock.wall())}"
        page["report"] = str(self._storage.path(f"{name}.json"))
        files[f"{name}.json"] = encode_json(page, where=name, pretty=True)
        files[f"{name}.txt"] = as_text(page).encode()
        return page, files

    def _digits(self, symbol: str, timeframe: Timeframe, found: Sequence[Piece], choices: Choices) -> int:
        """Decimals of the series: as said, else as the files show; spreads that are stored count in them."""
        shown = max(least_decimals(symbol), *(piece.decimals for piece in found))
        digits = shown if choices.digits is None else choices.digits
        known = self.bids.facts(symbol, timeframe).get("digits")
        if known is None or digits <= known:
            return digits if known is None else int(known)
        if not self.bids.bars(symbol, timeframe).spread.any():
            return digits
        raise Invalid(
            "finer_prices",
            f"{symbol} {timeframe}: these prices have {digits} decimals, those imported before have {known}, "
            f"and their spreads are in points of that; round these with --digits {known}, or remove "
            f"{self._storage.path(self.bids.name(symbol, timeframe))} and import all files again",
            symbol=symbol,
        )

    def _bars(
        self, symbol: str, timeframe: Timeframe, some: Sequence[Piece], digits: int
    ) -> tuple[Bars, Counter[str]]:
        """The bars of one side, mended by rule, and what was done to them."""
        for piece in some:
            piece.spread = _in_points(piece, digits)
        time, prices, volume, spread, mended = joined(some)
        rounded = all(piece.decimals <= digits for piece in some)
        opened, high, low, close = prices if rounded else np.round(prices, digits)
        bars = Bars(
            symbol=symbol,
            timeframe=timeframe,
            time=time,
            server_time=np.asarray(self._server_clock.to_server(time), dtype=np.int64),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            spread=spread,
        )
        if timeframe.seconds <= DAY_SECONDS and len(bars):
            dead = flat_weekends(bars)
            if dead.any():
                mended[rules.FLATS] += int(dead.sum())
                bars = where(bars, ~dead)
        now = self._server_clock.server_epoch(self._clock.wall())
        open_still = close_of(timeframe, bars.server_time) > now
        if open_still.any():
            mended[rules.FORMING] += int(open_still.sum())
            bars = where(bars, ~open_still)
        return bars, mended

    def _change(self, store: MarketStore, bars: Bars, choices: Choices) -> tuple[Change, dict[str, Any]]:
        change = store.prepare(bars, revise=choices.replace)
        known = store.bars(bars.symbol, bars.timeframe)
        differing = 0
        if not choices.replace:
            differing = len(differing_times(known, bars))
            self._same_market(store, known, bars)
        return change, {
            "bars": len(bars),
            "first": iso(bars.opened(0)) if len(bars) else None,
            "last": iso(bars.opened(-1)) if len(bars) else None,
            "added": change.added,
            "already_there": len(bars) - change.added - len(change.replaced) - differing,
            "kept_though_other": differing,
            "replaced": len(change.replaced),
        }

    def _same_market(self, store: MarketStore, known: Bars, bars: Bars) -> None:
        """Refuse bars of which most have other prices than those imported before."""
        _, ours, theirs = np.intersect1d(known.time, bars.time, assume_unique=True, return_indices=True)
        other = int((known.close[ours] != bars.close[theirs]).sum())
        if len(ours) >= _ENOUGH_TO_TELL and other * 2 > len(ours):
            folder = self._storage.path(store.name(bars.symbol, bars.timeframe))
            raise Invalid(
                "other_data",
                f"{bars.symbol} {bars.timeframe}: {other:,} of {len(ours):,} bars that were imported before "
                "have other prices: another time zone or another market. Take these instead with --replace, "
                f"or remove {folder} first",
                symbol=bars.symbol,
                differing=other,
                shared=len(ours),
            )

    def _files(
        self,
        store: MarketStore,
        bars: Bars,
        change: Change,
        found: Sequence[Piece],
        digits: int,
        counts: Mapping[str, Any],
    ) -> dict[str, bytes]:
        """The partitions that change and the facts of their series, by name."""
        if not change.parts:
            return {}
        folder = store.name(bars.symbol, bars.timeframe)
        with ThreadPoolExecutor(max_workers=_ENCODERS) as pool:  # Arrow works outside Python's lock
            parts = dict(zip(change.parts, pool.map(encode, change.parts.values()), strict=True))
        files = {f"{folder}/{name}.parquet": data for name, data in parts.items()}
        facts = store.facts(bars.symbol, bars.timeframe)
        past = facts.get("imports", [])[-_REMEMBERED:]
        done = {
            "at": iso(self._clock.wall()),
            "files": sorted({piece.file.path.name for piece in found})[:_REMEMBERED],
            "formats": sorted({piece.file.layout.title for piece in found}),
            "clocks": sorted({piece.clock for piece in found}),
            **{name: counts[name] for name in ("first", "last", "added", "replaced")},
        }
        facts |= {"symbol": bars.symbol, "source": SOURCE, "digits": digits, "imports": [*past, done]}
        files[f"{folder}/{SERIES}"] = encode_json(facts, where=folder, pretty=True)
        return files


def _in_points(piece: Piece, digits: int) -> Ints:
    """The piece's spreads in points of the series' digits."""
    finer = digits - piece.decimals
    return np.rint(piece.spread * 10.0**finer).astype(np.int64) if finer else piece.spread


def _with_spreads(bid: Bars, ask: Bars, digits: int) -> Bars:
    """The bids with the spread to the asks, where both have a bar."""
    _, ours, theirs = np.intersect1d(bid.time, ask.time, assume_unique=True, return_indices=True)
    four = [np.stack([one.open, one.high, one.low, one.close]) for one in (bid, ask)]
    spread = bid.spread.copy()
    measured = np.maximum(lowest_spread(four[0][:, ours], four[1][:, theirs], digits), 0)
    spread[ours] = np.where(spread[ours] > 0, spread[ours], measured)
    columns = {name: getattr(bid, name) for name in ("time", "server_time", "open", "high", "low", "close")}
    return Bars(symbol=bid.symbol, timeframe=bid.timeframe, **columns, volume=bid.volume, spread=spread)


def _file_page(piece: Piece) -> dict[str, Any]:
    return {
        "file": str(piece.file.path),
        "format": piece.file.layout.title,
        "clock": piece.clock,
        "states_clock": piece.file.layout.states_clock,
        "side": str(piece.file.side),
        "rows": piece.rows,
    }
