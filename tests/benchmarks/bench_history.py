"""How long do 1,000,000 M1 rows of CSV take to import? ``python -m tests.benchmarks.bench_history``.

Writes a file as MetaTrader 5 exports it and one as HistData has it, three years of minutes with weekends
between them, and imports each into a new folder: reading, mending, judging with gaps and outliers, and
storing, all synced to the disk. At most 3 s each; the median of the rounds counts. Prints what the whole
command takes as well, with the start of Python.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from backend.core.clock import SystemClock
from backend.history.importing import Importer, look
from backend.history.pieces import Choices
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1_000_000
ROUNDS = 5
MOST = 3.0
RULE = "America/New_York+7"


def minutes() -> np.ndarray:
    """Server epochs of minutes from 2021 on, Monday to Friday."""
    first = int(datetime(2021, 1, 4, tzinfo=UTC).timestamp())
    weeks = -(-ROWS // 7200)
    starts = first + np.arange(weeks)[:, None] * 604_800
    return (starts + np.arange(7200) * 60).reshape(-1)[:ROWS]


def write(path: Path, *, histdata: bool) -> None:
    """A file of random bars."""
    source = np.random.default_rng(7)
    close = 110_000 + np.cumsum(source.integers(-9, 10, ROWS)) % 20_000
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) + source.integers(0, 6, ROWS)
    low = np.minimum(opened, close) - source.integers(0, 6, ROWS)
    volume, spread = source.integers(1, 400, ROWS), source.integers(1, 30, ROWS)
    prices = np.stack((opened, high, low, close), axis=1) / 100_000
    when = minutes().astype("datetime64[s]").astype(datetime)
    with path.open("w", encoding="ascii", newline="") as file:
        if not histdata:
            file.write("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n")
        for moment, (o, h, low_, c), ticks, points in zip(when, prices, volume, spread, strict=True):
            if histdata:
                file.write(f"{moment:%Y%m%d %H%M%S};{o:.6f};{h:.6f};{low_:.6f};{c:.6f};0\n")
            else:
                file.write(
                    f"{moment:%Y.%m.%d\t%H:%M:%S}\t{o:.5f}\t{h:.5f}\t{low_:.5f}\t{c:.5f}"
                    f"\t{ticks}\t0\t{points}\r\n"
                )


def import_once(file: Path, folder: Path) -> float:
    """Seconds that an import into an empty folder takes."""
    began = time.perf_counter()
    importer = Importer(
        FileStorage(folder),
        ServerClock.parse(RULE),
        SystemClock(),
        canonical=lambda _: None,
        usual=lambda _: None,
    )
    (page,) = importer.run(look([file]), Choices())
    taken = time.perf_counter() - began
    if page["bid"]["added"] + page["mended"].get("weekend_flats", 0) != ROWS:
        raise AssertionError(f"{page['bid']} is not what the file has")
    return taken


def command(file: Path, home: Path) -> float:
    """Seconds that `mt5ui history import` takes in a process of its own."""
    shutil.copytree(ROOT / "config", home / "config")
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "backend.cli", "history", "import", str(file), "--json"],
        cwd=ROOT,
        env={**os.environ, "MT5UI_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def main() -> None:
    """Print what was measured, on which machine; fails if it takes longer than it may."""
    print(f"machine: {platform.machine()}, Python {platform.python_version()}, {platform.system()}")
    slow = []
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        for name, histdata in (("EURUSD_M1_2021.csv", False), ("DAT_ASCII_EURUSD_M1_2021.csv", True)):
            write(folder / name, histdata=histdata)
            size = (folder / name).stat().st_size / 1e6
            taken = [import_once(folder / name, folder / f"{name}_{count}") for count in range(ROUNDS)]
            median = statistics.median(taken)
            print(
                f"{name}: {ROWS:,} rows, {size:.0f} MB in {median:.2f} s (fastest {min(taken):.2f}); "
                f"at most {MOST} s"
            )
            print(f"  the whole command: {command(folder / name, folder / f'home {name}'):.2f} s")
            slow += [median] if median > MOST else []
    if slow:
        raise SystemExit("an import takes too long")


if __name__ == "__main__":
    main()
