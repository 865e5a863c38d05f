import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backend.core.clock import FixedClock
from backend.core.errors import Invalid, Unavailable
from backend.maintenance.health import HealthCheck, Limits, forex_open
from backend.storage.files import FileStorage

MONDAY = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
QUOTES = "data/cache/market_data/EURUSD_20260105.json"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def _roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 50 << 30, 50 << 30))


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False, clock=FixedClock(MONDAY))


def desk(
    storage: FileStorage, *, now: datetime = MONDAY, data_age: float | None = 120, **changed: Any
) -> HealthCheck:
    """A healthy desk, but for what is changed."""
    if data_age is not None:
        storage.write_json(QUOTES, [])
        at = now.timestamp() - data_age
        os.utime(storage.path(QUOTES), (at, at))
    parts: dict[str, Any] = {
        "terminal": lambda: {"connected": True},
        "broker": lambda: None,
        "workers": lambda: {"main": now - timedelta(seconds=3), "orders": now - timedelta(seconds=5)},
        "beat": lambda: now - timedelta(seconds=1),
        "storage": storage,
        "clock": FixedClock(now),
        **changed,
    }
    return HealthCheck(**parts)


def fail(error: Exception) -> Any:
    def probe() -> Any:
        raise error

    return probe


def test_a_healthy_desk_is_ok_and_the_row_is_kept(storage: FileStorage) -> None:
    check = desk(storage)
    row = check.check()
    assert row["status"] == "ok"
    assert row["summary"] == "all parts are well"
    assert list(row["components"]) == [
        "terminal",
        "broker",
        "workers",
        "beat",
        "disk",
        "logs",
        "cache",
        "data_freshness",
    ]
    for part in row["components"].values():
        assert set(part) == {"status", "detail", "measured", "limit"}
        assert part["status"] == "ok"
    assert row["at"] == row["desk_time"] == "2026-01-05T12:00:00Z"
    second = check.check()
    assert storage.read_json("data/health_checks/health_20260105.json") == [row, second]


@pytest.mark.parametrize(
    ("part", "changed", "status", "says"),
    [
        ("terminal", {"terminal": fail(Unavailable("terminal", "IPC timeout (-10005)"))}, "fail", "-10005"),
        ("terminal", {"terminal": fail(RuntimeError("odd"))}, "unknown", "RuntimeError: odd"),
        ("broker", {"broker": fail(Unavailable("broker", "refused on 127.0.0.1:6379"))}, "fail", "6379"),
        ("workers", {"workers": dict}, "fail", "no worker"),
        (
            "workers",
            {"workers": lambda: {"main": MONDAY, "orders": MONDAY - timedelta(seconds=61)}},
            "warn",
            "silent for more than 60 s: orders",
        ),
        ("workers", {"workers": lambda: {"main": MONDAY - timedelta(seconds=61)}}, "fail", "main"),
        ("workers", {"deaf": lambda: ["main"]}, "warn", "deaf, so that its jobs wait for others: main"),
        ("workers", {"deaf": lambda: ["main", "orders"]}, "fail", "main, orders"),
        ("beat", {"beat": lambda: None}, "fail", "start beat"),
        ("beat", {"beat": lambda: MONDAY - timedelta(seconds=61)}, "fail", "silent for 61 s"),
        ("data_freshness", {"data_age": 16 * 60}, "warn", "EURUSD_20260105.json"),
        ("data_freshness", {"data_age": 61 * 60}, "fail", "while the market is open"),
        ("data_freshness", {"data_age": None}, "unknown", "no market data"),
        ("logs", {"limits": Limits(log_bytes=(10, 1000))}, "warn", "logs holds 100 bytes"),
        ("logs", {"limits": Limits(log_bytes=(10, 99))}, "fail", "clean up"),
        ("cache", {"limits": Limits(cache_bytes=(1, 1000))}, "warn", "data/cache holds"),
        ("disk", {"limits": Limits(free_bytes=(60 << 30, 1))}, "warn", "50.0 GiB free"),
        ("disk", {"limits": Limits(free_bytes=(60 << 30, 55 << 30))}, "fail", "free some"),
        ("terminal", {"limits": Limits(answer_seconds=-1.0), "broker": lambda: None}, "warn", "slower"),
    ],
)
def test_what_is_wrong_is_named(
    storage: FileStorage, part: str, changed: dict[str, Any], status: str, says: str
) -> None:
    storage.write_bytes("logs/app.log", b"x" * 100)
    row = desk(storage, **changed).check()
    assert row["components"][part]["status"] == status
    assert says in row["components"][part]["detail"]
    assert row["status"] == status
    assert f"{part}: " in row["summary"]


def test_the_worst_part_decides(storage: FileStorage) -> None:
    row = desk(storage, data_age=16 * 60, beat=lambda: None, terminal=fail(ValueError("x"))).check()
    assert row["status"] == "fail"
    assert [row["components"][name]["status"] for name in ("terminal", "beat", "data_freshness")] == [
        "unknown",
        "fail",
        "warn",
    ]


def test_old_data_at_the_weekend_is_no_fault(storage: FileStorage) -> None:
    row = desk(storage, now=SATURDAY, data_age=14 * 3600).check()
    assert row["status"] == "ok"
    assert "market closed" in row["components"]["data_freshness"]["detail"]


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-01-09T21:59:00+00:00", True),  # Friday 16:59 in New York
        ("2026-01-09T22:00:00+00:00", False),
        ("2026-01-10T12:00:00+00:00", False),
        ("2026-01-11T21:59:00+00:00", False),
        ("2026-01-11T22:00:00+00:00", True),
        ("2026-07-10T20:59:00+00:00", True),  # summer time: an hour earlier
        ("2026-07-10T21:00:00+00:00", False),
        ("2026-07-12T21:00:00+00:00", True),
    ],
)
def test_the_currency_week(at: str, is_open: bool) -> None:
    assert forex_open(datetime.fromisoformat(at)) is is_open


def test_just_after_the_opening_old_data_is_no_fault_yet(storage: FileStorage) -> None:
    opening = datetime(2026, 1, 11, 22, 4, tzinfo=UTC)
    assert desk(storage, now=opening, data_age=48 * 3600).check()["status"] == "ok"
    later = desk(storage, now=opening + timedelta(minutes=30), data_age=48 * 3600)
    assert later.check()["status"] == "fail"


def test_a_day_keeps_at_most_2000_rows(storage: FileStorage) -> None:
    name = "data/health_checks/health_20260105.json"
    storage.write_json(name, [{"n": n} for n in range(2000)])
    desk(storage).check()
    rows = storage.read_json(name)
    assert len(rows) == 2000
    assert rows[0] == {"n": 1}
    assert rows[-1]["status"] == "ok"


def test_a_corrupt_day_is_set_aside_and_the_check_kept(storage: FileStorage) -> None:
    name = "data/health_checks/health_20260105.json"
    storage.write_bytes(name, b"[{")
    row = desk(storage).check()
    assert "set aside" in row["note"]
    assert storage.read_json(name) == [row]
    assert storage.read_bytes(f"{name}.corrupt-20260105_120000") == b"[{"
    storage.write_json(name, {"not": "a list"})
    with pytest.raises(Invalid, match="move it away"):
        desk(storage).check()
