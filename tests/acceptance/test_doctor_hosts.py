"""`mt5ui doctor` on a second host: a home of its own, the first one's data folder, broker and connector."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.cli.doctor_hosts import desk_elsewhere, joining
from backend.cli.findings import Finding
from backend.config import Settings, load_settings
from backend.jobs.leases import machine
from backend.storage.files import FileStorage
from tests.acceptance.clones import ROOT
from tests.acceptance.hands import unused_port
from tests.fakes.jobs_desk import JobsDesk

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(110)]


@dataclass(frozen=True)
class FirstHost:
    desk: JobsDesk
    connector: dict[str, Any]

    @property
    def broker(self) -> str:
        assert self.desk.redis is not None
        return self.desk.redis.address.url


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstHost]:
    home = tmp_path_factory.mktemp("first")
    shutil.copytree(ROOT / "config", home / "config")
    with JobsDesk(home, "redis") as desk:
        assert desk.redis is not None
        desk.environment["REDIS_URL"] = desk.redis.address.url
        desk.start_worker(name="w1")
        connector = desk.start_connector()
        left = {"pid": 1, "host": "first", "machine": machine(), "home": str(home), "broker": "redis://…"}
        (home / "data/run/desk.json").write_text(json.dumps(left | {"api": "http://127.0.0.1:1"}))
        yield FirstHost(desk, connector)


def second(first: FirstHost, home: Path, *, shared: bool = True, **other: Any) -> Settings:
    """The settings of a second host as the guide has it set up, but for what is said otherwise."""
    shutil.copytree(ROOT / "config", home / "config")
    if shared:
        (home / "data").symlink_to(first.desk.home / "data", target_is_directory=True)
    else:
        run = home / "data/run"
        run.mkdir(parents=True)
        shutil.copy(first.desk.home / "data/run/desk.json", run)
    named = {
        "redis_url": first.broker,
        "connector_url": first.connector["url"],
        "connector_token": first.connector["token"],
    }
    return load_settings(home=home, **(named | other))


def looked_at(settings: Settings) -> dict[str, Finding]:
    desk = desk_elsewhere(settings)
    assert desk is not None
    return {finding.name: finding for finding in joining(settings, desk)}


def test_a_host_set_up_as_the_guide_says_is_proven_well(first: FirstHost, tmp_path: Path) -> None:
    found = looked_at(second(first, tmp_path))
    assert {name: one.level for name, one in found.items()} == dict.fromkeys(
        (
            *("desk", "broker", "shared folder", "locks", "connector"),
            *("clock of first", "clock of the broker", "clock of the connector", "clock of the terminal"),
        ),
        "ok",
    ), found
    assert "w1@" in found["broker"].detail
    assert "***" in found["broker"].detail, "the password is not shown"
    left = [path.name for path in (first.desk.home / "data/run").glob("doctor-*")]
    assert left == [], "the doctor cleans up"
    assert "what is locked here, first may not change" in found["locks"].detail


def test_on_the_first_host_the_desk_is_not_elsewhere(first: FirstHost, tmp_path: Path) -> None:
    assert desk_elsewhere(load_settings(home=first.desk.home)) is None
    assert desk_elsewhere(load_settings(home=tmp_path)) is None, "nor where no desk runs"


def test_a_folder_that_is_not_the_desks_is_found_in_both_directions(first: FirstHost, tmp_path: Path) -> None:
    found = looked_at(second(first, tmp_path, shared=False))
    assert found["broker"].level == "ok"
    assert found["shared folder"].level == "fail"
    assert "first does not read what is written here" in found["shared folder"].detail
    assert "this host does not read what first writes" in found["shared folder"].detail


def test_a_folder_that_shows_changes_late_is_found(
    first: FirstHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = FileStorage.state
    kept: dict[str, Any] = {}  # as a network drive keeps them for some seconds
    monkeypatch.setattr(FileStorage, "state", lambda self, name: kept.setdefault(name, state(self, name)))
    found = looked_at(second(first, tmp_path))
    assert found["shared folder"].level == "fail"
    assert "is not seen here at once" in found["shared folder"].detail
    assert found["locks"].level == "ok"


def test_a_desk_that_changes_files_without_asking_the_shared_redis_is_found(
    first: FirstHost, tmp_path: Path
) -> None:
    named = first.desk.environment.pop("REDIS_URL")  # it finds the broker as that of the running desk
    worker = first.desk.start_worker(name="alone")
    try:
        found = looked_at(second(first, tmp_path))
    finally:
        first.desk.environment["REDIS_URL"] = named
        worker.terminate()
        worker.wait(20)
    assert found["broker"].level == "ok"
    assert found["shared folder"].level == "ok"
    assert found["locks"].level == "fail"
    assert "first changes all the same" in found["locks"].detail
    assert "REDIS_URL" in found["locks"].mend


def test_a_broker_that_is_not_the_desks_is_found(first: FirstHost, tmp_path: Path) -> None:
    with JobsDesk(tmp_path / "other", "redis") as other:
        assert other.redis is not None
        found = looked_at(second(first, tmp_path / "second", redis_url=other.redis.address.url))
    assert found["broker"].level == "fail"
    assert "no worker on first answers over it" in found["broker"].detail
    assert "shared folder" not in found, "who answers is unknown, so nothing is said of the folder"
    assert found["connector"].level == "ok", "and the other looks go on"


def test_a_broker_that_nobody_reaches_and_none_at_all_say_what_to_set(
    first: FirstHost, tmp_path: Path
) -> None:
    away = looked_at(second(first, tmp_path / "a", redis_url=f"redis://127.0.0.1:{unused_port()}/0"))
    none = looked_at(second(first, tmp_path / "b", shared=False, redis_url=None))
    assert "does not answer PING" in away["broker"].detail
    assert "none is named here" in none["broker"].detail
    for found in (away, none):
        assert (found["broker"].level, "REDIS_URL" in found["broker"].mend) == ("fail", True)
        assert "the desk on first uses" in found["broker"].detail


@pytest.mark.parametrize("wrong", ["connector_token", "connector_url"])
def test_a_connector_that_refuses_or_does_not_answer_is_named(
    first: FirstHost, tmp_path: Path, wrong: str
) -> None:
    value: Any = "guessed" if wrong == "connector_token" else f"http://127.0.0.1:{unused_port()}"
    found = looked_at(second(first, tmp_path, **{wrong: value}))
    assert found["connector"].level == "fail"
    assert "MT5UI_CONNECTOR_URL" in found["connector"].mend
    assert found["shared folder"].level == "ok"


@pytest.mark.parametrize("off", [-3.0, 3.0])
def test_a_desk_whose_clock_is_off_by_more_than_2_s_is_named(
    first: FirstHost, tmp_path: Path, off: float
) -> None:
    first.desk.environment["PROBE_CLOCK"] = str(off)
    worker = first.desk.start_worker(name="late" if off < 0 else "early")
    try:
        found = looked_at(second(first, tmp_path))
    finally:
        del first.desk.environment["PROBE_CLOCK"]
        worker.terminate()
        worker.wait(20)
    clock = found["clock of first"]
    assert clock.level == "fail"
    assert ("behind" if off < 0 else "ahead of") in clock.detail
    assert "NTP" in clock.mend
