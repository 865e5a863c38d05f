"""Writes small history files as their makers write them, quirks and all."""

import lzma
import struct
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

MT5_HEAD = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
MT5_DAILY_HEAD = MT5_HEAD.replace("<TIME>\t", "")
MT5_TICK_HEAD = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>"
MONDAY = datetime(2024, 3, 4, tzinfo=UTC)


def save(path: Path, lines: Sequence[str], *, encoding: str = "utf-8", end: str = "\r\n") -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def mt5_line(moment: datetime, points: int = 110_000, *, volume: int = 10, spread: int = 7) -> str:
    """A bar of MetaTrader 5: open, high 5 above, low 5 below, close 2 above, in points of 1.10000."""
    prices = "\t".join(f"{(points + add) / 100_000:.5f}" for add in (0, 5, -5, 2))
    return f"{moment:%Y.%m.%d\t%H:%M:%S}\t{prices}\t{volume}\t0\t{spread}"


def mt5_minutes(first: datetime, count: int) -> list[str]:
    """Minutes one after the other, each a point above the one before."""
    return [mt5_line(first + timedelta(minutes=n), 110_000 + n) for n in range(count)]


def zipped(path: Path, members: dict[str, str]) -> Path:
    """A zip with these text files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def bi5_ticks(folder: Path, symbol: str, hour: datetime, rows: Sequence[tuple[int, int, int]]) -> Path:
    """An hour of ticks: ms, ask, bid. The folder's month counts from 0."""
    day = folder / symbol / f"{hour.year}" / f"{hour.month - 1:02}" / f"{hour.day:02}"
    day.mkdir(parents=True, exist_ok=True)
    path = day / f"{hour.hour:02}h_ticks.bi5"
    data = b"".join(struct.pack(">IIIff", *row, 1.5, 0.75) for row in rows)
    path.write_bytes(lzma.compress(data, format=lzma.FORMAT_ALONE) if rows else b"")
    return path


def bi5_candles(
    folder: Path, symbol: str, day: datetime, side: str, rows: Sequence[tuple[int, int, int, int, int, float]]
) -> Path:
    """A day of minutes: seconds, open, close, low, high, volume."""
    path = folder / symbol / f"{day.year}" / f"{day.month - 1:02}" / f"{day.day:02}"
    path.mkdir(parents=True, exist_ok=True)
    file = path / f"{side}_candles_min_1.bi5"
    data = b"".join(struct.pack(">IIIIIf", *row) for row in rows)
    file.write_bytes(lzma.compress(data, format=lzma.FORMAT_ALONE))
    return file
