"""The bars that decisions were computed from, kept with the journal.

The market store may be corrected, parked or emptied later; a decision must still be computed again in years.
``data/decisions/bars/bars_{YYYYmmdd}.jsonl`` holds, for each desk day, every bar that a decision of that day
looked at: the whole window once, then only what is new or was changed since. So a day's file needs no other,
and a day of decisions costs one window a series and one row a bar.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.core.bars import COLUMNS, INTEGER_COLUMNS, Bars, Ints, empty_bars
from backend.core.clock import day, iso, parse_iso
from backend.core.timeframes import Timeframe
from backend.evaluation.snapshots import bars_reference
from backend.market.merging import where
from backend.storage.files import FileStorage

FOLDER = "decisions/bars"
_KEPT_DAYS = 2

_Series = tuple[str, str]
_Keys = npt.NDArray[np.uint64]


def file_of(date: str) -> str:
    """Name of the file of a desk day, ``YYYYmmdd``."""
    return f"{FOLDER}/bars_{date}.jsonl"


class BarsKeeper:
    """Writes down what decisions looked at; remembers, within this process, what it wrote today. Thread-safe.

    Two processes that write the same series write some bars twice, which does no harm.

    Args:
        storage: Files below ``data/``.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._mutex = threading.Lock()
        self._day = ""
        self._size = 0
        self._written: dict[_Series, tuple[Ints, _Keys]] = {}

    def keep(self, windows: Iterable[tuple[datetime, Bars]]) -> None:
        """Keep windows with the desk time of their decision; returns when they are written.

        They are not synced: the same bars stand in the market store, which is.
        """
        days: dict[str, list[dict[str, Any]]] = {}
        with self._mutex:
            try:
                for at, bars in windows:
                    rows = self._fresh(bars, day(at))
                    if len(rows):
                        days.setdefault(day(at), []).append(_line(rows, at))
                for date, lines in days.items():
                    self._storage.append_jsonl(file_of(date), lines)
            except BaseException:
                self._day = ""  # nobody knows how much of it was written
                raise
            if days:
                self._size = self._size_of(self._day)

    def _size_of(self, date: str) -> int:
        try:
            return self._storage.path(file_of(date)).stat().st_size
        except FileNotFoundError:
            return 0

    def _fresh(self, bars: Bars, date: str) -> Bars:
        """Those that are not written yet, or are other than written."""
        if date != self._day or self._size_of(date) < self._size:  # or somebody emptied the file
            self._day, self._size, self._written = date, 0, {}
        series = bars.symbol, str(bars.timeframe)
        keys = _keys(bars)
        before = self._written.get(series)
        if before is None:
            self._written[series] = bars.time.copy(), keys
            return bars
        times, known = before
        at = np.searchsorted(times, bars.time)
        at[at == len(times)] = 0
        same = (times[at] == bars.time) & (known[at] == keys) if len(times) else np.zeros(len(bars), np.bool_)
        if same.all():
            return bars[:0]
        kept = ~np.isin(times, bars.time)
        together = np.concatenate((times[kept], bars.time))
        order = np.argsort(together, kind="stable")
        self._written[series] = together[order], np.concatenate((known[kept], keys))[order]
        return where(bars, ~same)


@dataclass(slots=True)
class _Day:
    """One day's file: columns of all rows of a series in the order of writing, and where each line ends."""

    size: int
    rows: dict[_Series, dict[str, npt.NDArray[Any]]] = field(default_factory=dict)
    ends: dict[_Series, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was kept for a reference.

    Attributes:
        bars: The bars; those that come nearest where none agree; None where none are kept.
        agree: Whether they are the very bars, proven by the hash.
    """

    bars: Bars | None
    agree: bool


class KeptBars:
    """Reads what `BarsKeeper` wrote.

    Args:
        storage: Files below ``data/``.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._days: dict[str, _Day] = {}

    def find(self, symbol: str, reference: Mapping[str, Any], at: datetime) -> Found:
        """The bars that a decision refers to.

        Args:
            symbol: Canonical symbol.
            reference: From `bars_reference`.
            at: Desk time of the decision.
        """
        kept = self._day(day(at))
        series = symbol, str(reference["timeframe"])
        if not reference["count"]:
            none = empty_bars(symbol, Timeframe(series[1]))
            return Found(bars=none, agree=bars_reference(none) == reference)
        if series not in kept.rows:
            return Found(bars=None, agree=False)
        rows = kept.rows[series]
        first, last = (int(parse_iso(reference[name]).timestamp()) for name in ("first", "last"))
        inside = np.flatnonzero((rows["time"] >= first) & (rows["time"] <= last))
        nearest = None
        for state in _states(rows["time"], inside, kept.ends[series]):
            bars = Bars(
                symbol=symbol,
                timeframe=Timeframe(series[1]),
                **{name: rows[name][state] for name in COLUMNS},
            )
            if bars_reference(bars) == reference:
                return Found(bars=bars, agree=True)
            nearest = bars if nearest is None else nearest
        return Found(bars=nearest, agree=False)

    def _day(self, date: str) -> _Day:
        name = file_of(date)
        path = self._storage.path(name)
        size = path.stat().st_size if path.is_file() else 0
        known = self._days.get(date)
        if known is None or known.size != size:
            known = self._days[date] = self._read(name, size) if size else _Day(0)
            while len(self._days) > _KEPT_DAYS:
                del self._days[next(iter(self._days))]
        return known

    def _read(self, name: str, size: int) -> _Day:
        made = _Day(size)
        parts: dict[_Series, list[Mapping[str, Any]]] = {}
        for line in self._storage.read_jsonl(name, problems=[]):
            try:
                columns = {column: _array(column, line[column]) for column in COLUMNS}
                series = str(line["symbol"]), str(line["timeframe"])
            except (KeyError, TypeError, ValueError, OverflowError):
                continue  # a damaged line: the hash of the decision tells
            if len({len(values) for values in columns.values()}) == 1:
                parts.setdefault(series, []).append(columns)
        for series, found in parts.items():
            made.rows[series] = {name: np.concatenate([part[name] for part in found]) for name in COLUMNS}
            made.ends[series] = np.cumsum([len(part["time"]) for part in found]).tolist()
        return made


def _states(times: Ints, inside: npt.NDArray[np.intp], ends: Sequence[int]) -> Iterable[Any]:
    """Indices of the rows that stood for each time, first as all are, then as each line before left them."""
    seen = -1
    for end in reversed(ends):
        part = inside[: int(np.searchsorted(inside, end))]
        if len(part) == seen or not len(part):
            continue
        seen = len(part)
        _, newest = np.unique(times[part][::-1], return_index=True)
        yield part[len(part) - 1 - newest]


def _array(column: str, values: Any) -> npt.NDArray[Any]:
    return np.array(values, dtype=np.int64 if column in INTEGER_COLUMNS else np.float64)


def _line(bars: Bars, at: datetime) -> dict[str, Any]:
    columns = {name: getattr(bars, name).tolist() for name in COLUMNS}
    return {"symbol": bars.symbol, "timeframe": str(bars.timeframe), "at": iso(at), **columns}


def _keys(bars: Bars) -> _Keys:
    """A number for each bar that differs where any of its columns does, but for one time in 2^64."""
    mixed: _Keys = np.zeros(len(bars), np.uint64)
    for name in COLUMNS:
        mixed ^= np.ascontiguousarray(getattr(bars, name)).view(np.uint64)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed
