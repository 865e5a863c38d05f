"""From columns of a text file to bars or ticks, with every row that cannot be named."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.core.bars import plausible
from backend.history.formats.model import (
    MOST_DECIMALS,
    Bools,
    DataFile,
    Faults,
    Floats,
    Ints,
    Layout,
    RawBars,
    RawTicks,
    decimals_of,
    is_noise,
)
from backend.history.formats.text import Table, read_table, read_text, some_cells
from backend.history.formats.times import parse_times

PRICES: Final = ("open", "high", "low", "close")
ASKS: Final = ("ask_open", "ask_high", "ask_low", "ask_close")
NO_BAR: Final = "is no bar: 0 < low ≤ open, close ≤ high is not so"
_DAY_MS: Final = 86_400_000

Problem = tuple[str, Bools, str]
"""Role of the column ("" for the row), the bad rows, and what is wrong with them."""


def text_bars(file: DataFile) -> tuple[RawBars, Faults | None]:
    """The bars of a text file whose rows can be, and the rows that cannot."""
    text = read_text(file.path)
    table = read_table(file.path, text, file.layout)
    time, problems = _times(table, file)
    bid = _stack(table, PRICES)
    ask = _stack(table, ASKS) if ASKS[0] in table.numbers else None
    problems += _not_numbers(table, PRICES if ask is None else PRICES + ASKS)
    # Who writes the spread in points writes prices to the point; others add zeros or leave them out.
    written = some_cells(text, file.layout, PRICES) if "spread" in file.layout.roles else ()
    bid, decimals, noisy = _rounded(bid, decimals_of(bid, written))
    problems += implausible(bid, PRICES)
    if ask is not None:
        ask, decimals, _ = _rounded(ask, max(decimals, decimals_of(ask)))
        problems += implausible(ask, ASKS)
    spread, volume = table.numbers.get("spread"), table.numbers.get("volume")
    if volume is not None:
        problems.append(("volume", volume < 0, "is no bar: a volume is not below zero"))
    bars = RawBars(
        time // 1000,
        bid,
        ask,
        _whole(volume, table.count),
        decimals,
        None if spread is None else _whole(spread, table.count),
        noisy,
        table.line_of,
    )
    faults = together(file.path, file.layout, table.malformed, problems, table.line_of)
    return (bars if faults is None else without(bars, faults.rows)), faults


def text_ticks(file: DataFile) -> tuple[RawTicks, Faults | None]:
    """The ticks of a text file whose rows can be, and the rows that cannot."""
    text = read_text(file.path)
    table = read_table(file.path, text, file.layout)
    time, problems = _times(table, file)
    bid, ask = carried(table.numbers["bid"]), carried(table.numbers["ask"])
    for role, side in (("bid", bid), ("ask", ask)):
        # Before its first cell a side is unknown, not wrong: those ticks are left out below.
        problems.append((role, (side <= 0) | np.isinf(side), "is no tick: a price is above zero"))
    crossed = ask < bid
    problems.append(("ask", crossed & (bid > 0) & (ask > 0), "is no tick: the ask lies below the bid"))
    faults = together(file.path, file.layout, table.malformed, problems, table.line_of)
    keep = ~(np.isnan(bid) | np.isnan(ask))
    if faults is not None:
        keep[faults.rows] = False
    ticks = RawTicks(time, bid, ask, decimals_of(np.stack([bid, ask])), table.line_of)
    return _ticks_where(ticks, keep), faults


def implausible(prices: Floats, roles: tuple[str, ...]) -> list[Problem]:
    """Bars that cannot be, by the column that makes them so; prices of shape (4, n)."""
    opened, high, low, close = prices
    good = plausible(opened, high, low, close, 0, 0)
    if good.all():
        return []
    low_bad = ~good & ~((low > 0) & (low <= np.minimum(opened, close)))
    return [(roles[2], low_bad, NO_BAR), (roles[1], ~good & ~low_bad, NO_BAR)]


def carried(values: Floats) -> Floats:
    """The values with each empty cell as the value before it; NaN until there is one."""
    known = ~np.isnan(values)
    if known.all():
        return values
    places = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    filled: Floats = values[places]
    return filled


def together(
    path: Path, layout: Layout, malformed: Faults | None, problems: Iterable[Problem], line_of: Any
) -> Faults | None:
    """All problems of a file as one, with the first of them in full."""
    found = [(role, rows, why) for role, rows, why in problems if rows.any()]
    if not found:
        return malformed
    bad = np.flatnonzero(np.logical_or.reduce([rows for _, rows, _ in found]))
    role, _, why = min(found, key=lambda one: int(np.argmax(one[1])))
    column = layout.roles.index(role) + 1 if role in layout.roles else 0
    first = Faults(path, len(bad), line_of(int(bad[0])), column, why, bad)
    if malformed is None:
        return first
    count = first.count + malformed.count
    earlier = first if first.line < malformed.line else malformed
    return replace(earlier, count=count, rows=bad)


def without(bars: RawBars, rows: Ints) -> RawBars:
    """The bars but for those of these rows."""
    if not len(rows):
        return bars
    keep = np.setdiff1d(np.arange(len(bars.time)), rows)
    line_of = bars.line_of
    return replace(
        bars,
        time=bars.time[keep],
        bid=bars.bid[:, keep],
        ask=None if bars.ask is None else bars.ask[:, keep],
        volume=bars.volume[keep],
        spread=None if bars.spread is None else bars.spread[keep],
        line_of=lambda row: line_of(int(keep[row])),
    )


def _ticks_where(ticks: RawTicks, keep: Bools) -> RawTicks:
    if keep.all():
        return ticks
    places, line_of = np.flatnonzero(keep), ticks.line_of
    return replace(
        ticks,
        time_ms=ticks.time_ms[keep],
        bid=ticks.bid[keep],
        ask=ticks.ask[keep],
        line_of=lambda row: line_of(int(places[row])),
    )


def _times(table: Table, file: DataFile) -> tuple[Ints, list[Problem]]:
    """Milliseconds on the file's clock, and the rows without a time."""
    absent = "is at a time that does not exist"
    if "ms" in table.numbers:
        ms = table.numbers["ms"]
        inside = (ms >= 0) & (ms < _DAY_MS)
        return file.day * 1000 + np.where(inside, ms, 0).astype(np.int64), [
            ("ms", ~inside, "is outside its day")
        ]
    if "epoch" in table.numbers:
        seconds = table.numbers["epoch"]
        real = (np.abs(seconds) < 1e11) & np.isfinite(seconds)  # noqa: PLR2004 - the year 5138
        return np.where(real, seconds * 1000, 0).astype(np.int64), [("epoch", ~real, absent)]
    time = np.zeros(table.count, dtype=np.int64)
    problems: list[Problem] = []
    for role, texts in table.texts.items():
        if role == "stamp":
            part, good = parse_times(texts)
        else:  # days and times of the day repeat: each is parsed once
            coded = texts.dictionary_encode()
            place = coded.indices.to_numpy(zero_copy_only=False)
            part, good = (column[place] for column in parse_times(coded.dictionary))
        time += part
        problems.append((role, ~good, absent))
    return time, problems


def _not_numbers(table: Table, roles: tuple[str, ...]) -> list[Problem]:
    return [
        (role, ~np.isfinite(table.numbers[role]), f"has no {role} and is not a row of such a file")
        for role in roles
    ]


def _stack(table: Table, roles: tuple[str, ...]) -> Floats:
    return np.stack([table.numbers[role] for role in roles])


def _rounded(prices: Floats, decimals: int) -> tuple[Floats, int, int]:
    """The prices without float noise, the decimals that hold them all, and how many bars had noise."""
    finite = np.isfinite(prices)
    known = prices if finite.all() else np.where(finite, prices, 0.0)
    rounded = np.round(known, decimals)
    while decimals < MOST_DECIMALS and not is_noise(known, rounded, decimals):
        decimals += 1
        rounded = np.round(known, decimals)
    other = rounded != known
    noisy = int(other.any(axis=0).sum()) if other.any() else 0
    return np.where(finite, rounded, prices) if known is not prices else rounded, decimals, noisy


def _whole(values: Floats | None, count: int) -> Ints:
    """The nearest whole numbers, 1 for less than one; 0 where there is none."""
    if values is None:
        return np.zeros(count, dtype=np.int64)
    finite = np.where(np.isfinite(values), values, 0.0)
    return np.where((finite > 0) & (finite < 1), 1, np.rint(finite)).astype(np.int64)
