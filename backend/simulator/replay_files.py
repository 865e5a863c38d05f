"""Finds and reads the files that a replay plays: LEAN zips and hourly or minute CSV exports of MT5.

Recognised wherever they stand below the folder:

* ``hour/SYMBOL.zip``: `yyyymmdd hh:mm,` bid O,H,L,C,size, ask O,H,L,C,size; UTC
* ``minute/SYMBOL/yyyymmdd_quote.zip``: the same with ms since midnight in place of the date; UTC
* ``tick/SYMBOL/yyyymmdd_quote.zip``: ms since midnight, bid, ask; UTC
* ``SYMBOLh1.csv``, ``SYMBOL_M1.csv``: `Date,open,high,low,close,tick_volume`; the broker's clock, bid
  only, prices plain or in points
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.core.errors import Invalid

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CSV_NAME = re.compile(r"(?P<symbol>[A-Za-z0-9#.]{3,}?)[_-]?(?P<length>H1|M1)", re.IGNORECASE)
_DAY_NAME = re.compile(r"(?P<day>\d{8})_quote", re.IGNORECASE)
_CSV_HEAD = b"date,open,high,low,close,tick_volume"
_LEAN_COLUMNS, _TICK_COLUMNS, _CSV_COLUMNS = 11, 3, 6
_DAY_MS = 86_400_000
_MONTHS, _HOURS, _MINUTES = 12, 24, 60


class Kind(StrEnum):
    """What a file holds."""

    HOURS = "hours"
    MINUTES = "minutes"
    TICKS = "ticks"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One recognised file.

    Attributes:
        path: Where it is.
        kind: What it holds.
        symbol: Of which symbol, upper case.
        day: Midnight of its day, UTC epoch in seconds; 0 for a file of many days.
        server_time: Whether its times are the broker's and not UTC.
    """

    path: Path
    kind: Kind
    symbol: str
    day: int = 0
    server_time: bool = False


@dataclass(slots=True)
class Found:
    """What a folder holds.

    Attributes:
        files: The recognised files, oldest first within a symbol and kind.
        ignored: Every other file.
    """

    files: list[DataFile] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """Bars as a file has them; all columns of shape (n,).

    Attributes:
        time: Opens, epochs in seconds on the file's own clock.
        bid: Open, high, low, close; shape (4, n).
        ask: The same; None where the file has bids only.
        volume: Ticks; 0 where the file does not know.
        decimals: Decimals of its prices.
    """

    time: Ints
    bid: Floats
    ask: Floats | None
    volume: Ints
    decimals: int


@dataclass(frozen=True, slots=True, eq=False)
class RawTicks:
    """Ticks as a file has them: UTC epochs in ms, bid, ask; shape (n,)."""

    time_ms: Ints
    bid: Floats
    ask: Floats


def find_files(folder: Path) -> Found:
    """Look through a folder and all below it.

    Raises:
        Invalid: If it is no folder or holds nothing to play.
    """
    if not folder.is_dir():
        raise Invalid(
            "no_replay_folder", f"{folder} is no folder, so it cannot be replayed", folder=str(folder)
        )
    found = Found()
    for path in sorted(path for path in folder.resolve().rglob("*") if path.is_file()):
        recognised = _recognise(path)
        if recognised is None:
            found.ignored.append(path)
        else:
            found.files.append(recognised)
    if not found.files:
        raise Invalid(
            "nothing_to_replay",
            f"{folder} holds no market data that can be replayed ({len(found.ignored)} other files); "
            "docs/simulator.md lists the layouts that are known",
            folder=str(folder),
        )
    return found


def _recognise(path: Path) -> DataFile | None:
    parent, grand = path.parent.name.lower(), path.parent.parent.name.lower()
    if path.suffix.lower() == ".zip":
        if parent == "hour":
            return DataFile(path, Kind.HOURS, path.stem.upper())
        named = _DAY_NAME.fullmatch(path.stem)
        if named and grand in {"minute", "tick"}:
            day = _midnight(named["day"])
            kind = Kind.MINUTES if grand == "minute" else Kind.TICKS
            return None if day is None else DataFile(path, kind, path.parent.name.upper(), day)
    elif path.suffix.lower() == ".csv":
        named = _CSV_NAME.fullmatch(path.stem)
        head_line = _read(path, 200).partition(b"\n")[0].strip().lower().removeprefix(b"\xef\xbb\xbf")
        if named and head_line == _CSV_HEAD:
            kind = Kind.HOURS if named["length"].upper() == "H1" else Kind.MINUTES
            return DataFile(path, kind, named["symbol"].upper(), server_time=True)
    return None


def _midnight(day: str) -> int | None:
    try:
        moment = np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}", "s")
    except ValueError:
        return None
    return int(moment.astype(np.int64))


def read_bars(file: DataFile) -> RawBars:
    """The bars of a file of hours or minutes.

    Raises:
        Invalid: If the file is corrupt, naming it and the line.
    """
    if file.server_time:
        return _read_csv(file.path)
    text = _unzip(file.path)
    plain = text.replace(b" ", b",").replace(b":", b",") if file.kind is Kind.HOURS else text
    dates = 2 if file.kind is Kind.HOURS else 0  # columns that the date takes more than one
    rows = _rows(file.path, text, plain, _LEAN_COLUMNS + dates)
    if file.kind is Kind.HOURS:
        date = rows[0].astype(np.int64)
        time = _epochs(file.path, 1, (date // 10_000, date // 100 % 100, date % 100), (rows[1], rows[2]))
    else:
        time = file.day + _within_day(file.path, rows[0]) // 1000
    prices = rows[1 + dates :]
    bars = RawBars(time, prices[0:4], prices[5:9], np.zeros(len(time), dtype=np.int64), _decimals(text))
    _check_bars(file.path, bars, first_line=1)
    return bars


def read_ticks(file: DataFile) -> RawTicks:
    """The ticks of a file.

    Raises:
        Invalid: If the file is corrupt, naming it and the line.
    """
    text = _unzip(file.path)
    rows = _rows(file.path, text, text, _TICK_COLUMNS)
    time = file.day * 1000 + _within_day(file.path, rows[0])
    bad = (
        (np.diff(time, prepend=time[:1]) < 0) | ~(rows[1] > 0) | ~(rows[2] >= rows[1]) | ~np.isfinite(rows[2])
    )
    _refuse(file.path, bad, 1, "no tick: times must not go back, 0 < bid ≤ ask")
    return RawTicks(time, rows[1], rows[2])


def decimals_of(file: DataFile) -> int:
    """The most decimals that the file's prices show; 0 for prices in points."""
    return read_bars(file).decimals if file.server_time else _decimals(_unzip(file.path))


def _read_csv(path: Path) -> RawBars:
    text = _read(path)
    body = text[text.index(b"\n") + 1 :] if b"\n" in text else b""
    plain = body.translate(bytes.maketrans(b"- :", b",,,"))
    rows = _rows(path, body, plain, _CSV_COLUMNS + 5, first_line=2)
    year, month, day = (column.astype(np.int64) for column in rows[:3])
    time = _epochs(path, 2, (year, month, day), (rows[3], rows[4])) + rows[5].astype(np.int64)
    prices, whole = rows[6:10], np.rint(rows[6:10])
    # Prices in points are whole numbers but for float noise; then the caller scales them.
    noisy = bool((np.abs(prices - whole) < 1e-3).all())  # noqa: PLR2004
    bars = RawBars(
        time, whole if noisy else prices, None, rows[10].astype(np.int64), 0 if noisy else _decimals(body)
    )
    _check_bars(path, bars, first_line=2)
    return bars


def _read(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise Invalid("unreadable_file", f"{path} cannot be read: {error}", file=str(path)) from error


def _unzip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(_read(path))) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise Invalid(
                    "corrupt_file", f"{path}: {len(names)} files inside, one is expected", file=str(path)
                )
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Invalid("corrupt_file", f"{path} cannot be unpacked: {error}", file=str(path)) from error


def _rows(path: Path, text: bytes, plain: bytes, columns: int, first_line: int = 1) -> Floats:
    """The numbers by column, shape (columns, n)."""
    if not plain.strip():
        return np.empty((columns, 0))
    try:
        rows = np.loadtxt(io.BytesIO(plain), delimiter=",", ndmin=2, comments=None)
    except ValueError:
        rows = np.empty((0, 0))
    if rows.shape[1] != columns or not np.isfinite(rows).all():
        line, words = next(_bad_lines(text, plain, columns), (0, b""))
        shown = words[:80].decode("ascii", "replace")
        raise Invalid(
            "corrupt_file",
            f"{path}, line {line + first_line}: {shown!r} is not a row of such a file",
            file=str(path),
            line=line + first_line,
        )
    return np.ascontiguousarray(rows.T)


def _bad_lines(text: bytes, plain: bytes, columns: int) -> Iterator[tuple[int, bytes]]:
    for number, (shown, line) in enumerate(zip(text.splitlines(), plain.splitlines(), strict=True)):
        parts = line.split(b",")
        try:
            values = [float(part) for part in parts]
        except ValueError:
            yield number, shown
            continue
        if len(values) != columns or not np.isfinite(values).all():
            yield number, shown


def _check_bars(path: Path, bars: RawBars, first_line: int) -> None:
    sides = [bars.bid] if bars.ask is None else [bars.bid, bars.ask]
    bad = np.diff(bars.time, prepend=bars.time[:1] - 1) <= 0
    for opened, high, low, close in sides:
        bad |= ~(low > 0) | ~(low <= np.minimum(opened, close)) | ~(high >= np.maximum(opened, close))
        bad |= ~np.isfinite(high)
    if bars.ask is not None:
        bad |= (bars.ask[0] < bars.bid[0]) | (bars.ask[3] < bars.bid[3])
    _refuse(path, bad, first_line, "no bar: times must rise, 0 < low ≤ open, close ≤ high, bid ≤ ask")


def _refuse(path: Path, bad: npt.NDArray[np.bool_], first_line: int, why: str) -> None:
    if bad.any():
        line = int(np.argmax(bad)) + first_line
        raise Invalid("corrupt_file", f"{path}, line {line} is {why}", file=str(path), line=line)


def _within_day(path: Path, ms: Floats) -> Ints:
    _refuse(path, ~((ms >= 0) & (ms < _DAY_MS)), 1, "outside its day")
    return ms.astype(np.int64)


def _epochs(path: Path, first_line: int, date: tuple[Ints, Ints, Ints], clock: tuple[Floats, Floats]) -> Ints:
    """Epochs of dates (year, month, day) and times (hours, minutes); one that does not exist is refused."""
    year, month, day = date
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    bad = (month < 1) | (month > _MONTHS) | (day < 1) | (day > length)
    bad |= (clock[0] >= _HOURS) | (clock[1] >= _MINUTES)
    _refuse(path, bad, first_line, "at a time that does not exist")
    midnights: Ints = (first.astype("datetime64[D]").astype(np.int64) + day - 1) * 86_400
    return midnights + (clock[0] * 3600 + clock[1] * 60).astype(np.int64)


def _decimals(text: bytes) -> int:
    """Most decimals of any number among the first and the last few lines."""
    sample = text[:20_000] + b"\n" + text[-20_000:]
    return max((len(part) - 1 for part in re.findall(rb"\.\d+", sample)), default=0)
