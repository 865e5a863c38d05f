"""Dukascopy's bi5: LZMA of big-endian records, an hour of ticks or a day or month of candles.

``EURUSD/2014/04/02/13h_ticks.bi5`` (the month counts from 0: this is May) and, in the folder of the day,
``BID_candles_min_1.bi5``, in that of the month ``BID_candles_hour_1.bi5``. An empty file has no trades.
"""

import lzma
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from backend.core.timeframes import Timeframe
from backend.history.formats.model import (
    DataFile,
    Faults,
    Layout,
    RawBars,
    RawTicks,
    Side,
    decimals_of,
    rows_are_lines,
    unreadable,
)
from backend.history.formats.rows import NO_BAR, PRICES, implausible, together, without
from backend.history.formats.text import read_bytes
from backend.history.scale import METALS, quoted_digits

TICKS: Final = Layout(title="Dukascopy bi5 ticks", ticks=True)
CANDLES: Final = Layout(title="Dukascopy bi5 candles", roles=("time", *PRICES, "volume"))

_TICK: Final = np.dtype([("ms", ">u4"), ("ask", ">u4"), ("bid", ">u4"), ("ask_volume", ">f4"), ("v", ">f4")])
_CANDLE: Final = np.dtype(
    [("s", ">u4"), ("open", ">u4"), ("close", ">u4"), ("low", ">u4"), ("high", ">u4"), ("volume", ">f4")]
)
_TICKS_NAME: Final = re.compile(r"(?P<hour>[01]\d|2[0-3])h_ticks", re.IGNORECASE)
_CANDLES_NAME: Final = re.compile(r"(?P<side>BID|ASK)_candles_(?P<step>min_1|hour_1)", re.IGNORECASE)
_FOLDERS: Final = {"min_1": 3, "hour_1": 2}
_MOST_BYTES: Final = 1 << 28
_METAL_DIGITS: Final = 3
_HOUR_MS: Final = 3_600_000


def recognise(path: Path) -> DataFile | None:
    """The file that a path of a bi5 file means; None where the folders do not tell its time."""
    ticks, candles = _TICKS_NAME.fullmatch(path.stem), _CANDLES_NAME.fullmatch(path.stem)
    if ticks:
        start, symbol = _start(path, 3)
        if start is None:
            return None
        return DataFile(path, TICKS, symbol, None, Side.BOTH, start + int(ticks["hour"]) * 3600)
    if candles:
        step = candles["step"].lower()
        start, symbol = _start(path, _FOLDERS[step])
        if start is None:
            return None
        timeframe = Timeframe.M1 if step == "min_1" else Timeframe.H1
        return DataFile(path, CANDLES, symbol, timeframe, Side(candles["side"].lower()), start)
    return None


def read_ticks(file: DataFile) -> tuple[RawTicks, Faults | None]:
    """The ticks of an hour."""
    rows = _records(file.path, _TICK)
    factor = _factor(file)
    bid, ask = rows["bid"] / factor, rows["ask"] / factor
    ms = rows["ms"].astype(np.int64)
    problems = [
        ("", ms >= _HOUR_MS, "is outside its hour"),
        ("", ~((bid > 0) & (ask >= bid)), "is no tick: 0 < bid ≤ ask is not so"),
    ]
    faults = together(file.path, TICKS, None, problems, rows_are_lines)
    keep = np.ones(len(ms), dtype=np.bool_)
    if faults is not None:
        keep[faults.rows] = False
    decimals = decimals_of(np.stack([bid, ask]))
    return RawTicks(file.day * 1000 + ms[keep], bid[keep], ask[keep], decimals), faults


def read_bars(file: DataFile) -> tuple[RawBars, Faults | None]:
    """The candles of a day or a month."""
    rows = _records(file.path, _CANDLE)
    prices = np.stack([rows[name] / _factor(file) for name in PRICES])
    volume = rows["volume"].astype(np.float64)
    problems = implausible(prices, PRICES)
    problems.append(("volume", ~(volume >= 0), NO_BAR))
    faults = together(file.path, CANDLES, None, problems, rows_are_lines)
    bars = RawBars(
        file.day + rows["s"].astype(np.int64),
        prices,
        None,
        np.ceil(np.nan_to_num(volume)).astype(np.int64),
        decimals_of(prices),
    )
    return (bars if faults is None else without(bars, faults.rows)), faults


def _records(path: Path, kind: "np.dtype[np.void]") -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    data = read_bytes(path)
    if data:
        opened = lzma.LZMADecompressor()
        try:
            data = opened.decompress(data, max_length=_MOST_BYTES)
        except (lzma.LZMAError, EOFError) as error:
            raise unreadable(path, f"cannot be unpacked: {error}") from error
        if not opened.eof:
            raise unreadable(path, "is cut off, or unpacks to more than 256 MiB")
    if len(data) % kind.itemsize:
        raise unreadable(path, f"is no whole number of records of {kind.itemsize} bytes; is it cut off?")
    return np.frombuffer(data, dtype=kind)


def _start(path: Path, folders: int) -> tuple[int | None, str]:
    """UTC epoch of the folders' date, and the symbol above them."""
    names = [path.parents[place].name for place in range(min(folders + 1, len(path.parents)))]
    if len(names) <= folders or not all(name.isdigit() for name in names[:folders]):
        return None, ""
    year, month, day = ([int(name) for name in names[folders - 1 :: -1][:folders]] + [1])[:3]
    try:
        return int(datetime(year, month + 1, day, tzinfo=UTC).timestamp()), names[folders].upper()
    except ValueError:
        return None, ""


def _factor(file: DataFile) -> float:
    symbol = file.symbol
    digits = _METAL_DIGITS if symbol.startswith(METALS) else quoted_digits(symbol)
    return float(10 ** (5 if digits is None else digits))
