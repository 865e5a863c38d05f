"""The files that a replay plays: those of `backend.history.formats`, read without mending anything.

What a replay does not play: files of other bars than H1 and M1, of asks alone, and those whose name does
not tell the symbol. Times of a file that does not state its clock are the broker's.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.core.errors import Invalid
from backend.history.formats.model import (
    DataFile,
    Faults,
    Floats,
    Ints,
    Kind,
    RawBars,
    RawTicks,
    Side,
)
from backend.history.formats.reading import read_bars as read_any_bars
from backend.history.formats.reading import read_ticks as read_any_ticks
from backend.history.formats.recognising import recognise
from backend.history.staging import settle_around

__all__ = [
    "DataFile",
    "Floats",
    "Ints",
    "Kind",
    "RawBars",
    "RawTicks",
    "decimals_of",
    "find_files",
    "read_bars",
    "read_ticks",
]


@dataclass(slots=True)
class Found:
    """What a folder holds.

    Attributes:
        files: The files that can be played, oldest first within a symbol and kind.
        ignored: Every other file.
    """

    files: list[DataFile] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)


def find_files(folder: Path) -> Found:
    """Look through a folder and all below it.

    Raises:
        Invalid: If it is no folder or holds nothing to play.
    """
    if not folder.is_dir():
        raise Invalid(
            "no_replay_folder", f"{folder} is no folder, so it cannot be replayed", folder=str(folder)
        )
    settle_around(folder.resolve())
    found = Found()
    for path in sorted(path for path in folder.resolve().rglob("*") if path.is_file()):
        file = recognise(path)
        if file is None or not _plays(file):
            found.ignored.append(path)
        else:
            found.files.append(file)
    if not found.files:
        raise Invalid(
            "nothing_to_replay",
            f"{folder} holds no market data that can be replayed ({len(found.ignored)} other files); "
            "docs/history.md lists the formats that are known",
            folder=str(folder),
        )
    return found


def _plays(file: DataFile) -> bool:
    return file.symbol != "" and file.kind is not Kind.OTHER and file.side is not Side.ASK


def read_bars(file: DataFile) -> RawBars:
    """The bars of a file of hours or minutes.

    Raises:
        Invalid: If the file is corrupt, naming it and the line.
    """
    bars, faults = read_any_bars(file)
    if faults is not None:
        raise faults.error()
    back = np.diff(bars.time, prepend=bars.time[:1] - 1) <= 0
    _refuse(file, back, bars, "is no bar: times must rise")
    if bars.ask is not None:
        crossed = (bars.ask[0] < bars.bid[0]) | (bars.ask[3] < bars.bid[3])
        _refuse(file, crossed, bars, "is no bar: the ask lies below the bid")
    return bars


def read_ticks(file: DataFile) -> RawTicks:
    """The ticks of a file.

    Raises:
        Invalid: If the file is corrupt, naming it and the line.
    """
    ticks, faults = read_any_ticks(file)
    if faults is not None:
        raise faults.error()
    _refuse(file, np.diff(ticks.time_ms, prepend=ticks.time_ms[:1]) < 0, ticks, "is no tick: times go back")
    return ticks


def decimals_of(file: DataFile) -> int:
    """The most decimals that the file's prices show; 0 for prices in points."""
    return read_ticks(file).decimals if file.kind is Kind.TICKS else read_bars(file).decimals


def _refuse(
    file: DataFile, bad: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]", rows: RawBars | RawTicks, why: str
) -> None:
    if bad.any():
        line = rows.line_of(int(np.argmax(bad)))
        raise Faults(file.path, int(bad.sum()), line, 0, why).error()
