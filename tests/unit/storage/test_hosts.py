"""Files of a desk on several hosts: asked for before a change, and nothing is changed once that is lost."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import DeskError, Invalid, Unavailable
from backend.storage.files import FileStorage
from tests.fakes.hosts import FakeHosts

CHANGES: dict[str, Callable[[FileStorage], Any]] = {
    "write_json": lambda desk: desk.write_json("a.json", "new"),
    "write_bytes": lambda desk: desk.write_bytes("a.json", b'"new"'),
    "create_json": lambda desk: desk.create_json("new.json", 1),
    "update_json": lambda desk: desk.update_json("a.json", lambda _: "new", None),
    "append_jsonl": lambda desk: desk.append_jsonl("a.jsonl", [{"n": 2}], sync=True),
    "append_csv": lambda desk: desk.append_csv("a.csv", ["n"], [[2]]),
    "delete": lambda desk: desk.delete("a.json"),
}


@pytest.fixture
def hosts() -> FakeHosts:
    return FakeHosts()


@pytest.fixture
def desk(tmp_path: Path, hosts: FakeHosts) -> FileStorage:
    made = FileStorage(tmp_path / "data", hosts=hosts)
    made.write_json("a.json", "old")
    made.append_jsonl("a.jsonl", [{"n": 1}])
    made.append_csv("a.csv", ["n"], [[1]])
    hosts.asked.clear()
    return made


def everything(desk: FileStorage) -> dict[str, bytes]:
    return {name: desk.read_bytes(name) for name in desk.names("*")}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_changed_once_the_lock_was_lost(desk: FileStorage, hosts: FakeHosts, change: str) -> None:
    before = everything(desk)
    with desk.lock("ideas/one", 1.0):
        hosts.lost = True  # also of the lock that guards what the change belongs to
        with pytest.raises(Unavailable) as refused:
            CHANGES[change](desk)
    assert refused.value.code == "lock_lost"
    assert everything(desk) == before
    assert not list(desk.root.rglob("*.mt5ui-tmp")), "nor is a draft left"
    hosts.lost = False
    CHANGES[change](desk)
    assert everything(desk) != before, "whoever has a lock of its own goes on"


def test_a_corrupt_file_stays_where_it_is_once_the_lock_was_lost(desk: FileStorage, hosts: FakeHosts) -> None:
    desk.path("a.json").write_bytes(b"{half")
    hosts.lost = True
    with pytest.raises(Unavailable, match="lost"):
        desk.read_json("a.json")
    hosts.lost = False
    with pytest.raises(Invalid, match="set aside"):
        desk.read_json("a.json")


def test_what_is_lost_by_one_thread_stops_no_other(desk: FileStorage, hosts: FakeHosts) -> None:
    said: list[DeskError] = []

    def work() -> None:
        try:
            desk.write_json("b.json", 1)
        except DeskError as error:
            said.append(error)

    other = FileStorage(desk.root, hosts=FakeHosts())
    with desk.lock("ideas/one", 1.0):
        hosts.lost = True
        thread = threading.Thread(target=lambda: other.write_json("b.json", 2))
        thread.start()
        thread.join(10)
        work()
    assert other.read_json("b.json") == 2
    assert [error.code for error in said] == ["lock_lost"]


def test_without_their_locks_reading_goes_on_and_changing_is_refused(
    desk: FileStorage, hosts: FakeHosts
) -> None:
    hosts.away = True
    before = everything(desk)
    for change in CHANGES.values():
        with pytest.raises(Unavailable, match="keeps no locks"):
            change(desk)
    assert everything(desk) == before
    assert desk.read_json("a.json") == "old"
    assert list(desk.read_jsonl("a.jsonl")) == [{"n": 1}]
    hosts.away = False
    desk.write_json("a.json", "new")


def test_a_lock_held_twice_by_a_thread_is_asked_for_once(desk: FileStorage, hosts: FakeHosts) -> None:
    with desk.lock("a.json", 1.0), desk.lock("a.json", 1.0):
        desk.write_json("a.json", 1)
    assert hosts.asked == [desk.path("a.json")]
