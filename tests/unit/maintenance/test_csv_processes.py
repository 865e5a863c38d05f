"""CSV files put in order beside real processes that write them, and by processes that are killed."""

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.maintenance.csv_files import optimise
from backend.maintenance.retention import Maintenance
from backend.storage.atomic import WINDOWS
from backend.storage.files import FileStorage
from tests.conftest import ROOT
from tests.fakes.csv_children import COLUMNS, Ahead

NAME = "logs/trades_20260105.csv"
UNTIDY = b"time,v\n2,b\n1,a\n2,b\n"
TIDY = b"time,v\n1,a\n2,b\n"


def child(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.fakes.csv_children", *map(str, words)], cwd=ROOT)


def run(storage: FileStorage) -> dict[str, Any]:
    return optimise(storage, Ahead(), dry_run=False, check=lambda: None)


def rows_of(path: Path) -> Sequence[Sequence[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("how", "rows"),
    [
        ("storage", 400),
        pytest.param(
            "hand", 400, marks=pytest.mark.skipif(WINDOWS, reason="refused there, not carried over")
        ),
    ],
)
def test_no_row_is_lost_of_those_who_append_meanwhile(tmp_path: Path, how: str, rows: int) -> None:
    storage = FileStorage(tmp_path, fsync=False)
    storage.append_csv(NAME, COLUMNS, [])
    storage.write_bytes(NAME, ",".join(COLUMNS).encode() + b"\n")
    writers = [child(how, tmp_path, NAME, f"w{n}", rows) for n in range(2)]
    rewritten = 0
    while any(writer.poll() is None for writer in writers):
        rewritten += run(storage)["rewritten"]
    run(storage)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert rewritten > 0  # it did come in between
    head, *found = rows_of(tmp_path / NAME)
    assert tuple(head) == COLUMNS
    assert sorted((row[1], int(row[2])) for row in found) == [
        (f"w{w}", n) for w in range(2) for n in range(rows)
    ]
    assert [row[0] for row in found] == sorted(row[0] for row in found)


@pytest.mark.parametrize(("moment", "content"), [("before", UNTIDY), ("after", TIDY)])
def test_killed_at_the_worst_moment_it_leaves_a_whole_file_and_no_lasting_rubbish(
    tmp_path: Path, moment: str, content: bytes
) -> None:
    storage = FileStorage(tmp_path, fsync=False)
    storage.write_bytes(NAME, UNTIDY)
    with child("die", moment, tmp_path) as killed:
        assert killed.wait(60) == 9
    assert storage.read_bytes(NAME) == content
    run(storage)  # another process, at once: nothing of the dead one is in its way
    assert storage.read_bytes(NAME) == TIDY
    left = [path.name for path in tmp_path.rglob("*.mt5ui-tmp")]
    assert len(left) == (1 if moment == "before" else 0)
    Maintenance(storage, Ahead()).cleanup_cache()
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [".locks", "trades_20260105.csv"]
