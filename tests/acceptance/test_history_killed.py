"""An import that is killed leaves the history as it was or whole, and can be repeated."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.history.staging import settle
from backend.mt5.server_time import ServerClock
from backend.simulator.recorded import RecordedBars
from backend.storage.files import FileStorage
from tests.unit.history.desk import RULE, everything, import_into, stored, stored_asks
from tests.unit.history.files import save, zipped

ROOT = Path(__file__).resolve().parents[2]
FIRST = datetime(2023, 12, 28, tzinfo=UTC)

pytestmark = pytest.mark.acceptance


def lean(path: Path, hours: int) -> Path:
    """Hours of bid and ask over the turn of a year: two partitions of each side."""
    rows = []
    for hour in range(hours):
        four = [f"{(110_000 + hour + add) / 100_000:.5f}" for add in (0, 9, -9, 3)]
        asks = [f"{(110_008 + hour + add) / 100_000:.5f}" for add in (0, 9, -9, 3)]
        rows.append(",".join([f"{FIRST + timedelta(hours=hour):%Y%m%d %H:%M}", *four, "0", *asks, "0"]))
    return zipped(path, {"eurusd.csv": "\n".join(rows) + "\n"})


def killed_at(folder: Path, file: Path, step: int) -> bool:
    """Whether the import stood at that step and was killed there; else it came to its end."""
    command = [sys.executable, "-m", "tests.fakes.history_children", str(folder), str(file), str(step)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        process.kill()
        process.wait(30)
    assert said in {b"stopped", b"whole"}
    return said == b"stopped"


def times(bars: Bars) -> list[int]:
    assert (np.diff(bars.time) > 0).all()
    return [int(time) for time in bars.time]


def steps(tmp_path: Path, file: Path, before: Path) -> list[int]:
    """A few steps of all there are, with the first and the last ones among them."""
    count = 0
    for guess in (8, 16, 32, 64, 128):
        folder = tmp_path / f"guess{guess}"
        shutil.copytree(before, folder)
        count = guess
        if not killed_at(folder, file, guess):
            break
    return sorted({*range(0, count, max(1, count // 12)), 1, 2})


def test_a_killed_import_is_all_or_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    before = tmp_path / "before"
    import_into(before, lean(tmp_path / "a" / "hour" / "eurusd.zip", 60))
    file = lean(tmp_path / "b" / "hour" / "eurusd.zip", 200)
    whole = tmp_path / "whole"
    shutil.copytree(before, whole)
    import_into(whole, file)
    old, new = times(stored(before, frame=Timeframe.H1)), times(stored(whole, frame=Timeframe.H1))
    assert len(old) < len(new)
    seen = set()
    for step in steps(tmp_path, file, before):
        folder = tmp_path / f"step{step}"
        shutil.copytree(before, folder)
        if not killed_at(folder, file, step):
            break
        # whoever reads next ends what was begun: here a backtest's own reader
        read = RecordedBars(folder, ServerClock.parse(RULE)).bars("EURUSD", Timeframe.H1)
        found = times(read)
        assert found in (old, new), f"killed at step {step}: half an import"
        assert times(stored_asks(folder, frame=Timeframe.H1)) == found
        seen.add(len(found))
        import_into(folder, file)
        assert times(stored(folder, frame=Timeframe.H1)) == new
        assert times(stored_asks(folder, frame=Timeframe.H1)) == new
        assert sorted(everything(folder)) == sorted(everything(whole))
        left = [path.name for path in (folder / ".incoming").iterdir() if path.is_file()]
        assert left == []
    assert seen == {len(old), len(new)}, "no step was cut on each side of the instant that counts"


def test_an_unfinished_list_without_its_instant_is_thrown_away(tmp_path: Path) -> None:
    save(tmp_path / ".incoming" / "0", ["half a partition"])
    settle(FileStorage(tmp_path))
    assert not (tmp_path / ".incoming" / "0").exists()
