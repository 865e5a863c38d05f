"""The views over bars: one part a series, so that a question about one symbol opens its files alone."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from backend.history.service import Kept, SeriesFiles
from backend.queries.model import REAL, TEXT, TIME, WHOLE, Column, View, literal, no_rows, path_list

_SERIES: Final = (
    Column(name="symbol", type=TEXT, meaning="Canonical symbol"),
    Column(name="timeframe", type=TEXT, meaning="M1 … MN1; each is a series of its own"),
)
_SIDE: Final = (Column(name="side", type=TEXT, meaning="bid or ask"),)
_BARS: Final = (
    Column(name="time", type=TIME, meaning="Open of the bar, UTC"),
    Column(name="server_time", type="TIMESTAMP", meaning="The same on the broker's clock"),
    Column(name="open", type=REAL, unit="price", meaning=""),
    Column(name="high", type=REAL, unit="price", meaning=""),
    Column(name="low", type=REAL, unit="price", meaning=""),
    Column(name="close", type=REAL, unit="price", meaning=""),
    Column(name="volume", type=WHOLE, unit="ticks", meaning=""),
    Column(name="spread", type=WHOLE, unit="points", meaning="0 is unknown"),
)

BARS_VIEW: Final = View(
    name="bars", meaning="The desk's closed bars, from its terminal: bids", columns=(*_SERIES, *_BARS)
)
IMPORTED_VIEW: Final = View(
    name="imported_bars",
    meaning="Bars out of imported files; never mixed with the desk's",
    columns=(*_SERIES, *_SIDE, *_BARS),
)
MARKET: Final = {BARS_VIEW: Kept.DESK, IMPORTED_VIEW: Kept.IMPORTED}


def select_bars(view: View, series: Iterable[SeriesFiles], usable: Callable[[Path], Path | None]) -> str:
    """The SELECT of a view of `MARKET` over these series.

    Args:
        view: Which.
        series: Every series that is kept.
        usable: The file to read instead of a file; None where it cannot be read.
    """
    parts = []
    for one in series:
        files = [file for path in one.files if (file := usable(path)) is not None]
        if one.series.kept is MARKET[view] and files:
            parts.append(_part(view, one, files))
    return "\nUNION ALL ".join(parts) or no_rows(view.columns)


def _part(view: View, one: SeriesFiles, files: Sequence[Path]) -> str:
    named = {"symbol": one.series.symbol, "timeframe": str(one.series.timeframe), "side": one.side}
    columns = [
        f"{literal(named[column.name])} AS {column.name}"
        if column.name in named
        else f"CAST({column.name} AS {column.type}) AS {column.name}"
        for column in view.columns
    ]
    return f"SELECT {', '.join(columns)} FROM read_parquet({path_list(files)})"  # noqa: S608 - no user's text
