"""Writes small market files in the layouts that a replay reads."""

import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

HOURS_OF_DAY = range(24 * 60)


def write_zip(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}.csv", "\n".join(lines) + "\n")


def wave(minute: int) -> int:
    """A price in points that goes up and down, never the same for long."""
    return 110_000 + (minute * 37) % 211 + abs(minute % 600 - 300)


def minute_line(start_ms: int, minute: int) -> str:
    opened, close = wave(minute), wave(minute + 1)
    bid = (opened, max(opened, close) + 3, min(opened, close) - 2, close)
    ask = [price + 8 + minute % 3 for price in bid]
    shown = [f"{price / 100_000:.5f}" for price in (*bid, *ask)]
    return ",".join([str(start_ms), *shown[:4], "0", *shown[4:], "0"])


def write_minutes(folder: Path, symbol: str, *, first: datetime, days: int) -> None:
    """Minutes of whole UTC days, Saturday and Sunday left out."""
    for day in range(days):
        moment = first + timedelta(days=day)
        if moment.weekday() >= 5:
            continue
        begin = day * 1440
        lines = [minute_line(minute * 60_000, begin + minute) for minute in HOURS_OF_DAY]
        write_zip(folder / "minute" / symbol / f"{moment:%Y%m%d}_quote.zip", lines)


def hour_line(moment: datetime, points: int) -> str:
    bid = (points, points + 20, points - 15, points + 5)
    shown = [f"{price / 100_000:.5f}" for price in (*bid, *(price + 9 for price in bid))]
    return ",".join([f"{moment:%Y%m%d %H:%M}", *shown[:4], "0", *shown[4:], "0"])


def write_hours(folder: Path, symbol: str, *, first: datetime, hours: int, weekends: bool = False) -> None:
    """Hours from `first`, their opens rising by 10 points each."""
    moments = [first + timedelta(hours=hour) for hour in range(hours)]
    lines = [
        hour_line(moment, 110_000 + 10 * place)
        for place, moment in enumerate(moments)
        if weekends or moment.weekday() < 5
    ]
    write_zip(folder / "hour" / f"{symbol}.zip", lines)


def write_ticks(folder: Path, symbol: str, day: datetime, ticks: Sequence[tuple[int, int, int]]) -> None:
    """Ticks of one UTC day: ms since midnight, bid and ask in points."""
    lines = [f"{ms},{bid / 100_000:.5f},{ask / 100_000:.5f}" for ms, bid, ask in ticks]
    write_zip(folder / "tick" / symbol / f"{day:%Y%m%d}_quote.zip", lines)
