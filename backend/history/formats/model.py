"""What a history file is and what was read of it, before any rule was applied."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_DECIMALS = 10
"""More than that is float noise: the 17 digits of a double, of which a price has a few."""


class Kind(StrEnum):
    """What a file holds."""

    HOURS = "hours"
    MINUTES = "minutes"
    TICKS = "ticks"
    OTHER = "other bars"


class Side(StrEnum):
    """Which price a file has."""

    BID = "bid"
    ASK = "ask"
    BOTH = "both"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the rows of a format are written.

    Attributes:
        title: What people call the format.
        roles: What each column is, in their order; empty for binary formats.
        separator: Between columns.
        header: Lines before the first row.
        ticks: Whether rows are ticks and not bars.
        clock: Rule of the clock of its times; None for the broker's.
        states_clock: Whether the format says which clock that is; else somebody has to.
    """

    title: str
    roles: tuple[str, ...] = ()
    separator: str = ","
    header: int = 0
    ticks: bool = False
    clock: str | None = "UTC"
    states_clock: bool = True


@dataclass(frozen=True, slots=True)
class DataFile:
    """One recognised file.

    Attributes:
        path: Where it is.
        layout: How it is written.
        symbol: Of which symbol, as its name says; "" where it does not.
        timeframe: Of its bars, as its name or layout says; None for ticks, and where neither does.
        side: Which price it has.
        day: Midnight or hour at which its times begin, UTC epoch in seconds; 0 where rows have dates.
    """

    path: Path
    layout: Layout
    symbol: str = ""
    timeframe: Timeframe | None = None
    side: Side = Side.BID
    day: int = 0

    @property
    def kind(self) -> Kind:
        """What it holds, as its name says."""
        if self.layout.ticks:
            return Kind.TICKS
        kinds = {Timeframe.H1: Kind.HOURS, Timeframe.M1: Kind.MINUTES}
        return Kind.OTHER if self.timeframe is None else kinds.get(self.timeframe, Kind.OTHER)

    @property
    def server_time(self) -> bool:
        """Whether its times are the broker's."""
        return self.layout.clock is None


LineOf = Callable[[int], int]
"""The line in the file, from 1, of a row, from 0."""


def rows_are_lines(row: int) -> int:
    """For files without a header or blank lines."""
    return row + 1


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """Bars as a file has them; all columns of shape (n,), in the file's order.

    Attributes:
        time: Opens, epochs in seconds on the file's own clock.
        bid: Open, high, low, close, shape (4, n); of an ask file its asks.
        ask: The asks of a file that has both sides; else None.
        volume: Ticks; 0 where the file does not know.
        decimals: Decimals of its prices, float noise aside.
        spread: Points, as the file says them; None where it does not.
        noisy: Rows with float noise, which is rounded away.
        line_of: Where a row stands.
    """

    time: Ints
    bid: Floats
    ask: Floats | None
    volume: Ints
    decimals: int
    spread: Ints | None = None
    noisy: int = 0
    line_of: LineOf = rows_are_lines


@dataclass(frozen=True, slots=True, eq=False)
class RawTicks:
    """Ticks as a file has them, in its order; shape (n,).

    Attributes:
        time_ms: Epochs in milliseconds on the file's own clock.
        bid: Bids; an empty cell is the bid before it.
        ask: Asks, likewise.
        decimals: Decimals of its prices, float noise aside.
        line_of: Where a row stands.
    """

    time_ms: Ints
    bid: Floats
    ask: Floats
    decimals: int
    line_of: LineOf = rows_are_lines


@dataclass(frozen=True, slots=True)
class Faults:
    """Rows of a file that cannot be.

    Attributes:
        path: The file.
        count: How many there are.
        line: Line of the first, from 1.
        column: Its column, from 1; 0 for the row as a whole.
        why: What is wrong there.
        rows: Their numbers among the rows, from 0.
    """

    path: Path
    count: int
    line: int
    column: int
    why: str
    rows: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64), compare=False)

    def error(self) -> Invalid:
        """The refusal of the whole file."""
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "")
        more = f"; {self.count:,} such rows in all" if self.count > 1 else ""
        return Invalid(
            "corrupt_file",
            f"{self.path}, {place}: {self.why}{more}",
            file=str(self.path),
            line=self.line,
            column=self.column or None,
            count=self.count,
        )


def unreadable(path: Path, why: str) -> Invalid:
    """The refusal of a file that is broken as a whole."""
    return Invalid("corrupt_file", f"{path} {why}", file=str(path))


_DECIMALS = re.compile(r"\.(\d+)$")
_SAMPLE = 20_000


def decimals_of(values: Floats, written: Iterable[str] = ()) -> int:
    """The most decimals that a few of the prices need, or are written with where that tells.

    Those written with more than ten are float noise and do not count.

    Args:
        values: Prices, any shape.
        written: Some of them as the file has them, if it writes each with all of the symbol's decimals.
    """
    found = (_DECIMALS.search(text) for text in written)
    lengths = [len(match[1]) for match in found if match]
    return max(_needed(values), max((length for length in lengths if length <= MOST_DECIMALS), default=0))


def _needed(values: Floats) -> int:
    some = values.reshape(-1)
    some = some[:: max(1, some.size // _SAMPLE)]
    some = some[np.isfinite(some)]
    decimals = 0
    while decimals < MOST_DECIMALS and not is_noise(some, np.round(some, decimals), decimals):
        decimals += 1
    return decimals


def is_noise(prices: Floats, rounded: Floats, decimals: int) -> bool:
    """Whether what rounding to so many decimals takes from finite prices is float noise alone."""
    return bool((np.abs(prices - rounded) <= np.maximum(10.0 ** (-6 - decimals), prices * 1e-12)).all())
