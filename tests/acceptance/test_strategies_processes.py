"""Several processes that save strategies of one desk: nothing is lost, and no reader sees half a file."""

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest

from backend.core.clock import SystemClock
from backend.core.errors import Conflict
from backend.journal.journal import Journal
from backend.storage.files import FileStorage
from backend.strategies.files import StrategyFiles
from backend.strategies.repository import StrategyRepository

ROOT = Path(__file__).resolve().parents[2]
SAVES = 12
WRITERS = 3

pytestmark = pytest.mark.acceptance


def repository(home: Path) -> StrategyRepository:
    storage = FileStorage(home / "data", fsync=False)
    clock = SystemClock()
    return StrategyRepository(home / "ai", storage, Journal(storage, clock), clock)


def save_in_turn(home: str, name: str) -> None:
    """Add this writer's mark to whatever is there, again and again, each time from what was read."""
    mine = repository(Path(home))
    for number in range(SAVES):
        while True:
            data, etag = mine.source("EURUSD_H1")
            document = json.loads(data)
            document["description"] += f" {name}{number}"
            try:
                mine.replace("EURUSD_H1", json.dumps(document).encode(), if_match=etag, actor=name)
            except Conflict:
                continue
            break


def test_no_save_of_any_process_is_lost(tmp_path: Path) -> None:
    (tmp_path / "ai").mkdir()
    shutil.copytree(ROOT / "config" / "ai" / "strategies", tmp_path / "ai" / "strategies")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=save_in_turn, args=(str(tmp_path), name)) for name in "abc"[:WRITERS]]
    for writer in writers:
        writer.start()
    reader = StrategyFiles(tmp_path / "ai")
    looks = 0
    while any(writer.is_alive() for writer in writers):
        loaded = reader.load()
        assert loaded.problems == ()
        assert "EURUSD_H1" in {strategy.id for strategy in loaded.strategies}
        looks += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert looks > 1
    marks = reader.load().get("EURUSD_H1").description.split()
    for name in "abc"[:WRITERS]:
        assert [mark for mark in marks if mark.startswith(name) and mark[1:].isdigit()] == [
            f"{name}{number}" for number in range(SAVES)
        ]
    mine = repository(tmp_path)
    versions = mine.versions("EURUSD_H1")
    assert [one.version for one in versions] == [*range(WRITERS * SAVES + 1, 0, -1)]
    assert versions[0].etag == mine.source("EURUSD_H1")[1]
    for one in versions:
        assert json.loads(mine.version("EURUSD_H1", one.version)[1])["id"] == "EURUSD_H1"
