"""Which format a file is in, by its first lines, its name and its folders. The one list of formats.

==========================================  ===========================================================
LEAN zips                                   ``hour/SYMBOL.zip``, ``minute/SYMBOL/yyyymmdd_quote.zip``,
                                            ``tick/SYMBOL/…``: bid and ask, UTC
MetaTrader 5, bars and ticks                with or without its header; the broker's clock
MetaTrader 4 CSV                            `2024.01.02,00:00,O,H,L,C,V`; a clock that it does not state
HistData, M1 and ticks                      New York's winter time, all year
Dukascopy and JForex CSV, bi5               GMT, a named zone, or an offset in each row; bid or ask
TradingView CSV                             epochs, or times with an offset
CSV with `Date,Open,High,Low,Close,…`       a clock that it does not state
Parquet of the imported history             ``bid/SYMBOL/M1/2024-01.parquet`` with ``ask/…`` beside it
==========================================  ===========================================================
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from backend.core.errors import DeskError
from backend.core.timeframes import Timeframe
from backend.history.formats import bi5, stored
from backend.history.formats.model import DataFile, Layout, Side
from backend.history.formats.names import read_name
from backend.history.formats.rows import ASKS, PRICES
from backend.history.formats.text import read_head

EST: Final = "Etc/GMT+5"  # UTC−5: the sign of such names is the other way round
SEPARATORS: Final = "\t;,"

_LEAN_BARS: Final = (*PRICES, "skip", *ASKS, "skip")
LEAN_HOURS: Final = Layout(title="LEAN hours", roles=("stamp", *_LEAN_BARS))
LEAN_MINUTES: Final = Layout(title="LEAN minutes", roles=("ms", *_LEAN_BARS))
LEAN_TICKS: Final = Layout(title="LEAN ticks", roles=("ms", "bid", "ask"), ticks=True)
MT5_BARS: Final = Layout(
    title="MetaTrader 5 bars",
    roles=("date", "time", *PRICES, "volume", "skip", "spread"),
    separator="\t",
    clock=None,
)
MT5_TICKS: Final = Layout(
    title="MetaTrader 5 ticks",
    roles=("date", "time", "bid", "ask", "skip", "skip", "skip"),
    separator="\t",
    ticks=True,
    clock=None,
)
MT4_BARS: Final = Layout(
    title="MetaTrader 4 CSV", roles=("date", "time", *PRICES, "volume"), clock=None, states_clock=False
)
HISTDATA_BARS: Final = Layout(
    title="HistData M1", roles=("stamp", *PRICES, "volume"), separator=";", clock=EST
)
HISTDATA_TICKS: Final = Layout(
    title="HistData ticks", roles=("stamp", "bid", "ask", "skip"), ticks=True, clock=EST
)

_DAY_NAME: Final = re.compile(r"(?P<day>\d{8})_quote", re.IGNORECASE)
_ZONE: Final = re.compile(r"(?:gmt|local)? ?time(?: \((?P<zone>[a-z0-9/_+-]+)\))?")
_ZONES: Final = {"UTC": "UTC", "GMT": "UTC", "EET": "EET"}
_OFFSET: Final = re.compile(r"Z$|[+-]\d\d:\d\d$")
_EPOCH: Final = re.compile(r"-?\d{6,11}(\.0+)?")
_HEADLESS: Final = (
    (re.compile(r"\d{8} \d{6};"), HISTDATA_BARS),
    (re.compile(r"\d{8} \d{9},"), HISTDATA_TICKS),
    (re.compile(r"\d{8} \d\d:\d\d,"), LEAN_HOURS),
)
_BINARY: Final = {".bi5": bi5.recognise, ".parquet": stored.recognise}
_TEXT: Final = frozenset({".csv", ".txt", ".tsv", ".zip"})
_METATRADER: Final = re.compile(
    r"\d{4}\.\d\d\.\d\d(?P<mark>[\t,;])(?:(?P<time>\d\d:\d\d(?::\d\d(?P<ms>\.\d+)?)?)[\t,;])?"
)
_ROLES: Final = {
    "date": "date",
    "time": "time",
    **{name: name for name in PRICES},
    **dict.fromkeys(("tickvol", "tick_volume", "volume"), "volume"),
    "spread": "spread",
    "bid": "bid",
    "ask": "ask",
}


def recognise(path: Path) -> DataFile | None:
    """What a file is; None where it is no history that is known.

    A damaged file that a name or folder tells is recognised: reading it says what is wrong.
    """
    suffix = path.suffix.lower()
    if suffix in _BINARY:
        return _BINARY[suffix](path)
    if suffix not in _TEXT:
        return None
    return (_lean(path) if suffix == ".zip" else None) or _by_content(path)


def _by_content(path: Path) -> DataFile | None:
    try:
        lines, name = read_head(path)
    except DeskError:
        return None
    layout = _layout([line for line in lines if line.strip()], name)
    if layout is None:
        return None
    named = read_name(Path(name).stem)
    if not named.symbol:  # of a zip the name inside says more than that of the zip, if it says anything
        named = read_name(path.stem)
    if layout is LEAN_HOURS:
        return DataFile(path, layout, named.symbol, Timeframe.H1, Side.BOTH)
    if layout.ticks:
        return DataFile(path, layout, named.symbol, None, Side.BOTH)
    timeframe = Timeframe.M1 if layout.title == HISTDATA_BARS.title else named.timeframe
    return DataFile(path, layout, named.symbol, timeframe, named.side)


def _lean(path: Path) -> DataFile | None:
    parent, grand = path.parent.name.lower(), path.parent.parent.name.lower()
    if parent == "hour":
        return DataFile(path, LEAN_HOURS, path.stem.upper(), Timeframe.H1, Side.BOTH)
    named = _DAY_NAME.fullmatch(path.stem)
    if named is None or grand not in {"minute", "tick"}:
        return None
    try:
        day = int(
            np.datetime64(f"{named['day'][:4]}-{named['day'][4:6]}-{named['day'][6:]}", "s").astype(int)
        )
    except ValueError:
        return None
    symbol = path.parent.name.upper()
    if grand == "tick":
        return DataFile(path, LEAN_TICKS, symbol, None, Side.BOTH, day)
    return DataFile(path, LEAN_MINUTES, symbol, Timeframe.M1, Side.BOTH, day)


def _layout(lines: Sequence[str], name: str) -> Layout | None:
    if not lines:
        return None
    for shape, layout in _HEADLESS:
        if shape.match(lines[0]):
            return layout
    match = _METATRADER.match(lines[0])
    if match:
        return _headless_metatrader(lines[0], match, name)
    separator = max(SEPARATORS, key=lines[0].count)
    heads = [head.strip(' "<>').lower() for head in lines[0].split(separator)]
    return _headed(heads, separator, lines[1] if len(lines) > 1 else "")


def _headless_metatrader(line: str, match: "re.Match[str]", name: str) -> Layout | None:
    mark = match["mark"]
    columns = line.count(mark) + 1
    if match["time"] is None:
        roles = ("date", *MT5_BARS.roles[2:])
        return replace(MT5_BARS, roles=roles, separator=mark) if columns == len(roles) else None
    if columns == len(MT5_BARS.roles):
        return replace(MT5_BARS, separator=mark)
    if columns != len(MT4_BARS.roles):
        return None
    if match["ms"]:
        return replace(MT5_TICKS, separator=mark)
    if name.upper().startswith("DAT_MT"):
        return replace(HISTDATA_BARS, roles=MT4_BARS.roles, separator=mark)
    return replace(MT4_BARS, separator=mark)


def _headed(heads: Sequence[str], separator: str, first: str) -> Layout | None:
    known = [_ROLES.get(head, "skip") for head in heads]
    roles = tuple(role if known.index(role) == place else "skip" for place, role in enumerate(known))
    dukascopy = _dukascopy(heads, roles[1:], separator, first)
    if dukascopy is not None:
        return dukascopy
    if set(PRICES) <= set(roles):
        if "tickvol" in heads and "date" in roles:
            return replace(MT5_BARS, roles=_dated(roles), separator=separator, header=1)
        if heads[0] == "time":
            return _tradingview(roles, separator, first)
        if "date" in roles:
            return Layout(
                title="CSV of bars",
                roles=_dated(roles),
                separator=separator,
                header=1,
                clock=None,
                states_clock=False,
            )
    if {"date", "bid", "ask", "flags"} <= {*heads}:
        ticks = tuple("skip" if role == "volume" else role for role in _dated(roles))
        return replace(MT5_TICKS, roles=ticks, separator=separator, header=1)
    return None


def _dated(roles: tuple[str, ...]) -> tuple[str, ...]:
    """A date without a time beside it is the whole stamp."""
    return roles if "time" in roles else tuple("stamp" if role == "date" else role for role in roles)


def _dukascopy(heads: Sequence[str], roles: tuple[str, ...], separator: str, first: str) -> Layout | None:
    """A named zone, GMT, or a local time that stands with its offset in each row."""
    zone = _ZONE.fullmatch(heads[0])
    if zone is None or heads[0] == "time":
        return None
    if set(PRICES) <= set(roles):
        ticks = False
    elif {"bid", "ask"} <= set(roles):
        ticks, roles = True, tuple("skip" if role == "volume" else role for role in roles)
    else:
        return None
    clock = (zone["zone"] or "utc").upper()
    known = clock in _ZONES and (not heads[0].startswith("local") or "GMT" in first)
    return Layout(
        title="Dukascopy ticks" if ticks else "Dukascopy CSV",
        roles=("stamp", *roles),
        separator=separator,
        header=1,
        ticks=ticks,
        clock=_ZONES[clock] if known else None,
        states_clock=known,
    )


def _tradingview(roles: tuple[str, ...], separator: str, first: str) -> Layout:
    """Epochs and times with an offset are UTC; of bare times and dates nobody knows the zone."""
    cell = first.split(separator, maxsplit=1)[0].strip(' "')
    epoch = _EPOCH.fullmatch(cell) is not None
    known = epoch or not cell or _OFFSET.search(cell) is not None
    return Layout(
        title="TradingView CSV",
        roles=("epoch" if epoch else "stamp", *roles[1:]),
        separator=separator,
        header=1,
        clock="UTC" if known else None,
        states_clock=known,
    )
