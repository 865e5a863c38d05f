"""What upkeep does not touch, however old it is; and a dry run that tells the whole of it beforehand."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import filelock
import pytest

from backend.core.clock import FixedClock
from backend.core.errors import Unavailable
from backend.maintenance.open_files import OpenFiles
from backend.maintenance.retention import Maintenance
from backend.storage.files import FileStorage

NOW = datetime(2026, 3, 31, 2, 0, tzinfo=UTC)
UNTIDY = b"time,v\n2,b\n1,a\n"
ACTS: dict[str, Callable[..., dict[str, Any]]] = {
    "logs/old.log": Maintenance.cleanup_logs,
    "data/task_runs/ledger/api-20250101-120000-0123456789ab.jsonl": Maintenance.cleanup_logs,
    "data/health_checks/health_20250101.json": Maintenance.cleanup_logs,
    "data/cache/market_data/EURUSD_20250101.json": Maintenance.cleanup_cache,
    "logs/trades_20250101.csv": Maintenance.archive_trades,
    "data/exports/mine.csv": Maintenance.optimize_csv,
}


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False, clock=FixedClock(NOW))


@pytest.fixture
def upkeep(storage: FileStorage) -> Maintenance:
    return Maintenance(storage, FixedClock(NOW))


def age(path: Path, days: float = 500) -> None:
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))


def put(storage: FileStorage, name: str, content: bytes = UNTIDY) -> Path:
    storage.write_bytes(name, content)
    path = storage.path(name)
    age(path)
    return path


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target)
        at = (NOW - timedelta(days=500)).timestamp()
        os.utime(path, (at, at), follow_symlinks=False)
    except (OSError, NotImplementedError):
        pytest.skip("this system lets this user make no links, or no old ones")


def acted(storage: FileStorage, name: str) -> bool:
    return not storage.exists(name) or storage.read_bytes(name) != UNTIDY


def reasons(result: dict[str, Any]) -> dict[str, str]:
    parts = [result, *(part for part in result.values() if isinstance(part, dict))]
    return {one["file"]: one["reason"] for part in parts for one in part.get("skipped", ())}


@contextmanager
def holding(*paths: Path, mode: str = "a") -> Iterator[None]:
    """Another program that has the files open."""
    code = (
        "import sys; held = [open(p, sys.argv[1]) for p in sys.argv[2:]]; print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", code, mode, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "open"
        yield
        child.communicate("\n", timeout=20)


@pytest.mark.parametrize("mode", ["r", "a"])
def test_what_another_program_has_open_stays_until_it_is_closed(
    upkeep: Maintenance, storage: FileStorage, mode: str
) -> None:
    paths = [put(storage, name) for name in ACTS]
    with holding(*paths, mode=mode):
        for name, act in ACTS.items():
            assert reasons(act(upkeep))[name] == "a program has it open"
            assert storage.read_bytes(name) == UNTIDY
    for name, act in ACTS.items():
        act(upkeep)
        assert acted(storage, name), name


def test_an_archive_that_somebody_has_open_is_not_replaced(upkeep: Maintenance, storage: FileStorage) -> None:
    put(storage, "logs/trades_20250101.csv")
    with holding(put(storage, "logs/archive/trades_20250101.csv", b"time,v\n1,a\n")):
        told = reasons(upkeep.archive_trades())["logs/trades_20250101.csv"]
    assert told == "logs/archive/trades_20250101.csv: a program has it open"
    assert storage.read_bytes("logs/archive/trades_20250101.csv") == b"time,v\n1,a\n"
    assert upkeep.archive_trades()["merged"] == 1


@pytest.mark.parametrize("name", [*ACTS])
def test_what_a_writer_of_the_desk_holds_is_left(
    upkeep: Maintenance, storage: FileStorage, name: str
) -> None:
    path = put(storage, name)
    with filelock.FileLock(path.parent / ".locks" / f"{path.name}.lock"):
        assert reasons(ACTS[name](upkeep))[name] == "it is being written"
    assert not acted(storage, name)


@pytest.mark.parametrize("name", [*ACTS])
def test_a_read_only_file_is_somebodys_wish(upkeep: Maintenance, storage: FileStorage, name: str) -> None:
    path = put(storage, name)
    path.chmod(0o444)
    assert reasons(ACTS[name](upkeep))[name] == "it is read-only"
    assert not acted(storage, name)
    path.chmod(0o644)


@pytest.mark.parametrize("name", [*ACTS])
def test_a_link_leads_to_nothing_that_is_touched(
    upkeep: Maintenance, storage: FileStorage, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    inside = put(storage, "config/symbol_map.csv")
    outside = tmp_path_factory.mktemp("elsewhere") / "x.csv"
    outside.write_bytes(UNTIDY)
    age(outside)
    for target in (inside, outside):
        path = storage.root / name
        link(path, target)
        told = reasons(ACTS[name](upkeep))
        assert path.is_symlink()
        assert target.read_bytes() == UNTIDY
        assert target == outside or told[name] == "it is a link, or stands behind one"
        path.unlink()


def test_a_folder_that_is_a_link_is_not_gone_into(upkeep: Maintenance, storage: FileStorage) -> None:
    kept = put(storage, "config/EURUSD_20250101.csv")
    link(storage.root / "data" / "cache" / "market_data", kept.parent)
    link(storage.root / "data" / "mine", kept.parent)
    upkeep.cleanup_cache()
    upkeep.optimize_csv()
    assert kept.read_bytes() == UNTIDY


def test_a_second_name_of_a_csv_would_keep_the_old_rows(upkeep: Maintenance, storage: FileStorage) -> None:
    path = put(storage, "data/a.csv")
    path.with_name("b.csv").hardlink_to(path)
    assert "second name" in reasons(upkeep.optimize_csv())["data/a.csv"]


@pytest.mark.parametrize("name", [*ACTS])
def test_a_file_that_grows_young_at_the_last_moment_stays(
    upkeep: Maintenance, storage: FileStorage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = put(storage, name)

    def written_just_now(_: OpenFiles, asked: Path) -> bool:
        if asked == path:
            path.write_bytes(UNTIDY)
            age(path, 0)
        return False

    monkeypatch.setattr(OpenFiles, "__contains__", written_just_now)
    ACTS[name](upkeep)
    assert not acted(storage, name)


@pytest.mark.parametrize("name", [*ACTS])
def test_a_file_that_vanishes_meanwhile_is_no_failure_and_is_not_counted(
    upkeep: Maintenance, storage: FileStorage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    other = put(
        storage, name.replace("old", "other").replace("20250101", "20250102").replace("mine", "other")
    )
    path = put(storage, name)

    def gone(_: OpenFiles, asked: Path) -> bool:
        if asked == path:
            path.unlink()
        return False

    monkeypatch.setattr(OpenFiles, "__contains__", gone)
    told = str(ACTS[name](upkeep))
    assert name not in told
    assert other.relative_to(storage.root).as_posix() in told


def snapshot(root: Path) -> dict[str, Any]:
    return {
        path.relative_to(root).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        if path.is_file()
        else None
        for path in sorted(root.rglob("*"))
    }


@pytest.mark.parametrize("act", [*dict.fromkeys(ACTS.values())])
def test_a_dry_run_tells_what_the_run_then_does_and_leaves_no_trace(
    upkeep: Maintenance, storage: FileStorage, act: Callable[..., dict[str, Any]]
) -> None:
    for name in ACTS:
        put(storage, name)
        stem, dot, ending = name.rpartition(".")
        put(
            storage, f"{stem}.read{dot}{ending}" if "trades" not in name else "logs/trades_20250102.csv"
        ).chmod(0o444)
    put(storage, "logs/new.log").touch()
    age(storage.path("logs/new.log"), 1)
    put(storage, "data/malformed.csv", b"time,v\n1\n")
    put(storage, "logs/trades_20250103.csv", b"time,v\n2,b\n")
    put(storage, "logs/archive/trades_20250103.csv", b"time,v\n1,a\n")
    put(storage, "logs/trades_20250104.csv")
    put(storage, "logs/archive/trades_20250104.csv", b"other,columns\n1,a\n")
    dead = storage.root / "data" / "backtests" / ".trades.csv.0123456789abcdef.mt5ui-tmp"
    dead.parent.mkdir()
    dead.write_bytes(b"half")
    age(dead)
    (dead.parent / ".young.csv.0123456789abcdef.mt5ui-tmp").write_bytes(b"half")
    age(dead.parent / ".young.csv.0123456789abcdef.mt5ui-tmp", 0.04)  # under an hour
    busy = put(storage, "logs/archive/busy.csv")
    with filelock.FileLock(busy.parent / ".locks" / "busy.csv.lock"):
        before = snapshot(storage.root)
        foretold = outcome(lambda: act(upkeep, dry_run=True))
        assert snapshot(storage.root) == before
        done = outcome(lambda: act(upkeep))
    assert snapshot(storage.root) != before
    assert foretold | {"dry_run": False} == done


def outcome(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        result = act()
    except Unavailable as error:
        result = dict(error.details["done"]) | {"failed": error.details["failed"]}
    return result


def test_what_killed_writers_left_goes_after_an_hour(upkeep: Maintenance, storage: FileStorage) -> None:
    names = [f".{n}.json.{n * 16}.mt5ui-tmp" for n in "abc"]
    for folder in ("data/history/EURUSD", "config/ai", "logs"):
        for name, days in zip(names, (1, 0.05, 0.04), strict=True):
            path = storage.root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
            age(path, days)
    put(storage, "data/x.mt5ui-tmp")  # none of ours
    told = upkeep.cleanup_cache()["abandoned"]
    assert (told["removed"], told["bytes"]) == (6, 24)
    assert sorted(path.name for path in storage.root.rglob("*.mt5ui-tmp")) == [names[2]] * 3 + ["x.mt5ui-tmp"]


def test_on_windows_an_open_file_is_known_by_its_refusal(
    storage: FileStorage, upkeep: Maintenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.maintenance.open_files.WINDOWS", True)
    put(storage, "logs/old.log")
    real = Path.rename

    def in_use(self: Path, target: Path) -> Path:
        if self.name == "old.log":
            raise PermissionError(13, "used by another process")
        return real(self, target)

    with monkeypatch.context() as windows:
        windows.setattr(Path, "rename", in_use)
        assert reasons(upkeep.cleanup_logs())["logs/old.log"] == "a program has it open"
    assert upkeep.cleanup_logs()["files"] == ["logs/old.log"]
