from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import NotFound
from backend.ideas.repository import IdeaFiles
from backend.storage.files import FileStorage


def idea(number: int, *, symbol: str = "EURUSD", at: str = "2026-01-05T09:00:01Z") -> dict[str, Any]:
    return {"id": f"I{number}", "symbol": symbol, "status": "pending_approval", "created_at": at}


def ideas(folder: Path) -> IdeaFiles:
    return IdeaFiles(FileStorage(folder, fsync=False))


def test_a_file_is_named_after_symbol_and_second(tmp_path: Path) -> None:
    assert ideas(tmp_path).create(idea(1)) == "trade_ideas/EURUSD_20260105_090001.json"


def test_a_second_idea_in_the_same_second_gets_a_number(tmp_path: Path) -> None:
    files = ideas(tmp_path)
    names = [files.create(idea(number)) for number in (1, 2, 3)]
    assert [Path(name).name for name in names] == [
        "EURUSD_20260105_090001.json",
        "EURUSD_20260105_090001_2.json",
        "EURUSD_20260105_090001_3.json",
    ]


def test_the_same_idea_is_written_once(tmp_path: Path) -> None:
    first = ideas(tmp_path).create(idea(1))
    assert ideas(tmp_path).create(idea(1) | {"status": "rejected"}) == first
    assert ideas(tmp_path).get("I1")["status"] == "pending_approval"


def test_no_symbol_leads_out_of_the_folder(tmp_path: Path) -> None:
    ideas(tmp_path / "data").create(idea(1, symbol="../../evil"))
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / "data" / "trade_ideas"]


def test_newest_first(tmp_path: Path) -> None:
    files = ideas(tmp_path)
    files.create(idea(1, at="2026-01-05T09:00:01Z"))
    files.create(idea(2, at="2026-01-06T09:00:01Z", symbol="XAUUSD"))
    assert [one["id"] for one in files.all()] == ["I2", "I1"]


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    files = ideas(tmp_path)
    files.create(idea(1))
    (tmp_path / "trade_ideas" / "GBPUSD_20260105_090001.json").write_text("{", encoding="utf-8")
    assert [one["id"] for one in files.all()] == ["I1"]
    assert [problem.file for problem in files.problems] == ["trade_ideas/GBPUSD_20260105_090001.json"]


def test_a_change_by_another_process_is_seen(tmp_path: Path) -> None:
    files = ideas(tmp_path)
    name = files.create(idea(1))
    assert files.get("I1")["status"] == "pending_approval"
    FileStorage(tmp_path).update_json(name, lambda value: value | {"status": "rejected"}, None)
    assert files.get("I1")["status"] == "rejected"


def test_an_unknown_idea_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no trade idea 'I9'"):
        ideas(tmp_path).get("I9")
