import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import FixedClock
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.maintenance.retention import Maintenance
from backend.storage.files import FileStorage

NOW = datetime(2026, 3, 31, 2, 0, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False, clock=FixedClock(NOW))


@pytest.fixture
def upkeep(storage: FileStorage) -> Maintenance:
    return Maintenance(storage, FixedClock(NOW))


def put(storage: FileStorage, name: str, *, days: float = 4000, content: bytes = b"12345") -> None:
    """A file that was last written so many days ago."""
    storage.write_bytes(name, content)
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(storage.path(name), (at, at))


@pytest.mark.parametrize("days", [0, -1, 3651, 7.0, True, "7", None])
@pytest.mark.parametrize("task", ["cleanup_logs", "cleanup_cache", "archive_trades"])
def test_days_out_of_range_remove_nothing(
    upkeep: Maintenance, storage: FileStorage, task: str, days: Any
) -> None:
    names = ["logs/a.log", "logs/trades_20200101.csv", "data/cache/market_data/X_20200101.json"]
    for name in names:
        put(storage, name, days=4000)
    with pytest.raises(Invalid, match="1 to 3650"):
        getattr(upkeep, task)(days)
    assert all(storage.exists(name) for name in names)


def test_old_logs_go_and_the_rest_stays(upkeep: Maintenance, storage: FileStorage) -> None:
    gone = [
        "logs/app.log.1",
        "logs/app.log.2026-02-01",
        "logs/app_20260228.log",
        "logs/old.log",
        "logs/w.log.2.gz",
    ]
    kept = [
        "logs/app.log",
        "logs/app_20260301.log",  # exactly 30 days
        "logs/trades_20200101.csv",
        "logs/trades_20200101.log",
        "logs/notes.txt",
        "logs/archive/trades_20200101.csv",
        "data/old.log",
    ]
    for name in gone + kept:
        put(storage, name, days=31)
    put(storage, "logs/new.log.1", days=29.9)
    with storage.lock("logs/app.log", 1):
        result = upkeep.cleanup_logs(30)
    assert result["files"] == sorted(gone)
    assert (result["removed"], result["bytes"], result["more"]) == (5, 25, 0)
    assert [name for name in gone if storage.exists(name)] == []
    assert [name for name in [*kept, "logs/new.log.1"] if not storage.exists(name)] == []
    assert (storage.root / "logs" / ".locks" / "app.log.lock").exists()


def test_a_file_is_old_only_by_its_name_and_its_last_write(upkeep: Maintenance, storage: FileStorage) -> None:
    put(storage, "logs/app.log.2026-03-30", days=500)  # copied, with its stamps, from a wrong clock
    put(storage, "logs/app.log.2025-03-30", days=0)  # written today, whatever its name says
    put(storage, "logs/app.log.2025-03-29", days=29.9)
    put(storage, "logs/app.log.2025-03-28", days=-3000)  # a clock that was ahead: nobody knows how old
    put(storage, "logs/ahead.log", days=-3000)
    put(storage, "logs/app.log.2025-03-27", days=30.1)
    assert upkeep.cleanup_logs(30)["files"] == ["logs/app.log.2025-03-27"]


def test_task_history_has_its_own_retention(upkeep: Maintenance, storage: FileStorage) -> None:
    old, young = (
        f"data/task_runs/ledger/api-{day}-120000-0123456789ab.jsonl" for day in ("20251230", "20251231")
    )
    for name in (old, young, "data/task_runs/alerts.jsonl", "data/task_runs/schedules.json"):
        put(storage, name, days=400)
    result = upkeep.cleanup_logs(1)
    assert result["task_runs"]["files"] == [old]  # 91 days; the other is 90 days old
    assert result["task_runs"]["days_to_keep"] == 90
    assert storage.exists(young)
    assert storage.exists("data/task_runs/alerts.jsonl")


def test_health_checks_are_kept_as_long_as_the_task_history(
    upkeep: Maintenance, storage: FileStorage
) -> None:
    for name in ("health_20251230.json", "health_20251231.json", "notes.json"):
        put(storage, f"data/health_checks/{name}")
    result = upkeep.cleanup_logs(1)
    assert result["health_checks"]["files"] == ["data/health_checks/health_20251230.json"]
    assert len(storage.names("data/health_checks/*")) == 2


def test_current_state_in_the_cache_stays(upkeep: Maintenance, storage: FileStorage) -> None:
    gone = [
        "data/cache/market_data/EURUSD_20260323.json",
        "data/cache/market_data/EURUSD_20260323.jsonl",
        "data/cache/market_data/ES_20261231_20260323.json",  # a symbol that ends in a day itself
        "data/cache/market_data/stray.json",
    ]
    kept = [
        "data/cache/economic_calendar.json",
        "data/cache/rss_news.json",
        "data/cache/market_data/EURUSD_20260324.json",
        "data/symbols/EURUSD_20200101.json",
        "data/cache/http/feed.json",
    ]
    for name in gone + kept:
        put(storage, name, days=8)
    result = upkeep.cleanup_cache(7)
    assert result["files"] == sorted(gone)
    assert [name for name in kept if not storage.exists(name)] == []


def test_in_a_replay_names_follow_desk_time(storage: FileStorage) -> None:
    class Replay:
        def now(self) -> datetime:
            return datetime(2014, 5, 20, tzinfo=UTC)

        def wall(self) -> datetime:
            return NOW

    for day in ("20140512", "20140513"):
        put(storage, f"data/cache/market_data/EURUSD_{day}.json", days=0)
    result = Maintenance(storage, Replay()).cleanup_cache(7)
    assert result["files"] == ["data/cache/market_data/EURUSD_20140512.json"]


def test_names_in_a_result_are_bounded(upkeep: Maintenance, storage: FileStorage) -> None:
    for number in range(60):
        put(storage, f"logs/{number:03}.log", days=40)
    result = upkeep.cleanup_logs()
    assert (result["removed"], len(result["files"]), result["more"]) == (60, 50, 10)


def test_a_log_that_cannot_be_removed_is_a_failure_and_the_others_go(
    upkeep: Maintenance, storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("logs/a.log", "logs/b.log", "logs/c.log"):
        put(storage, name, days=40)
    real = Path.unlink

    def held(self: Path, missing_ok: bool = False) -> None:
        if self.name == "b.log":
            raise PermissionError(errno.EACCES, "in use")
        real(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    with pytest.raises(Unavailable, match=r"logs/b\.log") as failure:
        upkeep.cleanup_logs()
    assert failure.value.details["done"]["files"] == ["logs/a.log", "logs/c.log"]
    assert storage.names("logs/*.log") == ["logs/b.log"]


HEAD = b"time,ticket,profit\n"


def test_old_trades_move_unchanged(upkeep: Maintenance, storage: FileStorage) -> None:
    old = HEAD + b'1,7,"a\nb"\r\n1,7,"torn'
    put(storage, "logs/trades_20251230.csv", content=old)
    put(storage, "logs/trades_20251231.csv", content=HEAD)  # 90 days old today
    put(storage, "logs/trades_99999999.csv", days=500)
    result = upkeep.archive_trades(90)
    assert (result["archived"], result["merged"], result["files"]) == (1, 0, ["logs/trades_20251230.csv"])
    assert storage.read_bytes("logs/archive/trades_20251230.csv") == old
    assert storage.names("logs/*") == ["logs/trades_20251231.csv", "logs/trades_99999999.csv"]
    assert upkeep.archive_trades(90)["archived"] == 0


@pytest.mark.parametrize(
    ("archived", "left", "expected"),
    [
        (b"1,1,5\n", b"1,1,5\n2,2,6\n", b"1,1,5\n2,2,6\n"),  # a crash between copy and delete, then a new row
        (b"1,1,5\n2,2,6\n", b"1,1,5\n2,2,6\n", b"1,1,5\n2,2,6\n"),
        (b"1,1,5\n", b"3,3,7", b"1,1,5\n3,3,7\n"),
        (b"1,1,5\r\n", b"1,1,5\n", b"1,1,5\n"),
        (b"", b"", b""),
    ],
)
def test_an_archive_that_is_there_takes_what_it_lacks(
    upkeep: Maintenance, storage: FileStorage, archived: bytes, left: bytes, expected: bytes
) -> None:
    put(storage, "logs/archive/trades_20250101.csv", content=HEAD + archived)
    put(storage, "logs/trades_20250101.csv", content=HEAD + left)
    assert upkeep.archive_trades()["merged"] == 1
    assert storage.read_bytes("logs/archive/trades_20250101.csv") == HEAD + expected
    assert not storage.exists("logs/trades_20250101.csv")


def test_other_columns_are_not_merged(upkeep: Maintenance, storage: FileStorage) -> None:
    put(storage, "logs/archive/trades_20250101.csv", content=b"x\n1\n")
    put(storage, "logs/trades_20250101.csv", content=HEAD)
    put(storage, "logs/trades_20250102.csv", content=HEAD)
    with pytest.raises(Unavailable, match="other columns"):
        upkeep.archive_trades()
    assert storage.read_bytes("logs/archive/trades_20250101.csv") == b"x\n1\n"
    assert storage.read_bytes("logs/trades_20250101.csv") == HEAD
    assert storage.exists("logs/archive/trades_20250102.csv")


@pytest.mark.parametrize("step", ["write_bytes", "delete"])
def test_a_crash_at_either_step_loses_and_doubles_nothing(
    upkeep: Maintenance, storage: FileStorage, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    content = HEAD + b"1,1,5\n2,2,6\n"
    put(storage, "logs/trades_20250101.csv", content=content)

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(storage, step, crash)
        with pytest.raises(KeyboardInterrupt):
            upkeep.archive_trades()
    assert storage.read_bytes("logs/trades_20250101.csv") == content
    upkeep.archive_trades()
    assert storage.read_bytes("logs/archive/trades_20250101.csv") == content
    assert storage.names("logs/*") == []


def test_a_desk_without_folders_has_nothing_to_do(upkeep: Maintenance) -> None:
    assert upkeep.cleanup_logs()["removed"] == 0
    assert upkeep.cleanup_cache()["removed"] == 0
    assert upkeep.archive_trades()["archived"] == 0
    assert upkeep.optimize_csv()["checked"] == 0


def test_a_wrong_retention_of_the_history_is_refused_at_start(storage: FileStorage) -> None:
    with pytest.raises(DeskError):
        Maintenance(storage, FixedClock(NOW), history_days=0)


def test_logs_of_running_processes_stay_however_quiet_they_are(storage: FileStorage) -> None:
    for name in (
        "logs/worker-main.log",
        "logs/worker-main.log.1",
        "logs/worker_20250101.log",
        "logs/old.log",
    ):
        put(storage, name, days=40)
    upkeep = Maintenance(storage, FixedClock(NOW), current_logs=("app.log", "worker*.log"))
    assert upkeep.cleanup_logs()["files"] == [
        "logs/old.log",
        "logs/worker-main.log.1",
        "logs/worker_20250101.log",
    ]
    assert storage.names("logs/*") == ["logs/worker-main.log"]
