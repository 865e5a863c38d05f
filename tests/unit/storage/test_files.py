import errno
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from backend.core.clock import FixedClock
from backend.core.errors import Invalid, NotFound, Unavailable
from backend.storage import atomic
from backend.storage.files import FileStorage

AT = datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path, fsync=False, clock=FixedClock(AT))


def visible(root: Path) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    )


def test_a_value_is_read_as_it_was_written(storage: FileStorage) -> None:
    value = {"symbol": "EURUSD", "levels": [1.1, None, True], "text": "Grüße"}
    storage.write_json("a/b.json", value)
    assert storage.read_json("a/b.json") == value
    storage.write_json("a/b.json", [])
    assert storage.read_json("a/b.json") == []
    assert visible(storage.root) == ["a/b.json"]  # no temporary file stays


def test_absent_is_not_found_and_the_default_only_for_absent(storage: FileStorage) -> None:
    with pytest.raises(NotFound):
        storage.read_json("x.json")
    with pytest.raises(NotFound):
        storage.read_bytes("x.json")
    assert storage.read_json_or("x.json", {"n": 0}) == {"n": 0}
    storage.write_json("x.json", None)
    assert storage.read_json_or("x.json", 1) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1} x', b"\x00\x00", b"[NaN]", b"\xff"])
def test_a_corrupt_file_is_set_aside_and_reported(storage: FileStorage, content: bytes) -> None:
    (storage.root / "x.json").write_bytes(content)
    with pytest.raises(Invalid) as reported:
        storage.read_json_or("x.json", {})
    assert reported.value.code == "corrupt_file"
    assert "x.json" in reported.value.message
    assert reported.value.details["aside"] == "x.json.corrupt-20260105_093015"
    assert (storage.root / "x.json.corrupt-20260105_093015").read_bytes() == content
    assert visible(storage.root) == ["x.json.corrupt-20260105_093015"]


def test_an_update_of_a_corrupt_file_does_not_begin_anew(storage: FileStorage) -> None:
    called: list[object] = []
    for content in (b"{1", b"{2"):
        (storage.root / "x.json").write_bytes(content)
        with pytest.raises(Invalid):
            storage.update_json("x.json", called.append, {})
    assert called == []
    assert (storage.root / "x.json.corrupt-20260105_093015").read_bytes() == b"{1"
    assert (storage.root / "x.json.corrupt-20260105_093015_2").read_bytes() == b"{2"


def test_a_corrupt_file_that_cannot_be_moved_stays_and_is_reported(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    (storage.root / "x.json").write_bytes(b"{")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(Invalid, match="could not be moved aside"):
        storage.update_json("x.json", lambda value: value, {})
    assert (storage.root / "x.json").read_bytes() == b"{"


def test_a_byte_order_mark_is_not_corruption(storage: FileStorage) -> None:
    (storage.root / "x.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert storage.read_json("x.json") == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1.0, float("nan")]},
        {"a": float("inf")},
        [np.float64("nan")],
        [np.float32("inf")],
        {"at": AT},
        {1: 2},
        {"s": {1, 2}},
        {"text": "\ud800"},
        object(),
    ],
)
def test_what_has_no_json_form_is_refused_and_the_old_file_stays(storage: FileStorage, value: Any) -> None:
    storage.write_json("x.json", 1)
    with pytest.raises(Invalid) as refused:
        storage.write_json("x.json", value)
    assert refused.value.code == "not_json"
    with pytest.raises(Invalid):
        storage.append_jsonl("x.jsonl", [{"ok": 1}, {"v": value}])
    assert storage.read_json("x.json") == 1
    assert not storage.exists("x.jsonl")


def test_numpy_scalars_are_numbers(storage: FileStorage) -> None:
    storage.write_json("x.json", {"f": np.float64(1.5), "i": np.int64(3), "b": np.bool_(True), "n": None})
    assert storage.read_json("x.json") == {"f": 1.5, "i": 3, "b": True, "n": None}


def test_creating_is_exclusive(storage: FileStorage) -> None:
    assert storage.create_json("ideas/a.json", {"n": 1}) is True
    assert storage.create_json("ideas/a.json", {"n": 2}) is False
    assert storage.read_json("ideas/a.json") == {"n": 1}
    assert visible(storage.root) == ["ideas/a.json"]


def test_only_one_of_many_threads_creates(storage: FileStorage) -> None:
    made = []
    threads = [
        threading.Thread(target=lambda n=n: made.append((storage.create_json("a.json", n), n)))
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [n for done, n in made if done]
    assert winners == [storage.read_json("a.json")]


def test_creating_works_on_a_disk_without_links(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert storage.create_json("a.json", 1) is True
    assert storage.create_json("a.json", 2) is False
    assert storage.read_json("a.json") == 1


def test_updates_of_threads_do_not_overwrite_each_other(storage: FileStorage) -> None:
    def count() -> None:
        for _ in range(25):
            storage.update_json("n.json", lambda n: n + 1, 0)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read_json("n.json") == 200


def test_what_an_update_raises_leaves_the_file(storage: FileStorage) -> None:
    storage.write_json("n.json", 1)
    with pytest.raises(ZeroDivisionError):
        storage.update_json("n.json", lambda n: n / 0, 0)
    assert storage.read_json("n.json") == 1
    assert storage.update_json("n.json", lambda n: n + 1, 0) == 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_secret_stays_a_secret(storage: FileStorage) -> None:
    storage.write_json("run/connector.json", {"token": "x"}, mode=0o600)
    storage.update_json("run/connector.json", lambda value: value, {})
    assert stat.S_IMODE(storage.path("run/connector.json").stat().st_mode) == 0o600


def test_names_are_sorted_and_without_hidden_or_half_files(storage: FileStorage) -> None:
    for name in ("b.json", "a.json", "c.jsonl", "sub/d.json"):
        storage.write_bytes(name, b"1")
    storage.update_json("a.json", lambda _: 1, 0)
    (storage.root / ".a.json.0123456789abcdef.mt5ui-tmp").write_bytes(b"")
    assert storage.names("*.json") == ["a.json", "b.json"]
    assert storage.names("**/*") == ["a.json", "b.json", "c.jsonl", "sub/d.json"]
    assert storage.names("none/*") == []
    for pattern in ("../*", "/etc/*", "", "C:/*"):
        with pytest.raises(Invalid):
            storage.names(pattern)


def test_deleting_says_whether_there_was_a_file_and_leaves_no_lock_file(storage: FileStorage) -> None:
    storage.update_json("a.json", lambda _: 1, 0)
    assert storage.delete("a.json") is True
    assert storage.delete("a.json") is False
    if os.name != "nt":
        assert list((storage.root / ".locks").iterdir()) == []
    storage.update_json("a.json", lambda _: 2, 0)
    assert storage.read_json("a.json") == 2


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EFBIG, "disk_full"),
        (errno.EACCES, "not_permitted"),
        (errno.EIO, "disk_error"),
    ],
)
def test_a_refusing_disk_is_unavailable_and_the_old_content_stands(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    storage.write_json("x.json", "old")
    real = os.write

    def half(descriptor: int, data: Any) -> int:
        if len(data) > 10:
            return real(descriptor, bytes(data)[:10])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(Unavailable) as refused:
        storage.write_json("x.json", "n" * 100)
    monkeypatch.undo()
    assert refused.value.code == expected
    assert "x.json" in refused.value.message
    assert storage.read_json("x.json") == "old"
    assert visible(storage.root) == ["x.json"]


def test_on_windows_replacing_waits_for_readers_and_gives_up(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_json("x.json", "old")
    monkeypatch.setattr(atomic, "WINDOWS", True)
    monkeypatch.setattr(atomic, "_RETRY_DELAYS", (0.0, 0.0, 0.0))
    real, calls = Path.replace, []

    def busy(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) < 3:
            raise PermissionError(errno.EACCES, "in use")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", busy)
    storage.write_json("x.json", "new")
    assert len(calls) == 3
    assert storage.read_json("x.json") == "new"
    monkeypatch.setattr(
        Path, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "in use"))
    )
    with pytest.raises(Unavailable, match="close the program that holds the file"):
        storage.write_json("x.json", "newer")
    assert storage.read_json("x.json") == "new"
    assert visible(storage.root) == ["x.json"]


def test_only_own_old_temporary_files_are_swept(tmp_path: Path) -> None:
    now = AT.timestamp()
    kept = {
        ".x.json.0123456789abcdef.mt5ui-tmp": now - 60,  # young: its writer may be at it
        "notes.tmp": now - 1e6,  # somebody else's
        ".x.json.short.mt5ui-tmp": now - 1e6,
    }
    swept = {".x.json.fedcba9876543210.mt5ui-tmp": now - 2 * 3600}
    for name, modified in {**kept, **swept}.items():
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (modified, modified))
    FileStorage(tmp_path, fsync=False, clock=FixedClock(AT)).write_json("y.json", 1)
    assert visible(tmp_path) == sorted([*kept, "y.json"])


def test_the_same_thread_may_hold_a_lock_twice_and_others_are_told_whose(storage: FileStorage) -> None:
    said: list[str] = []

    def other() -> None:
        try:
            with storage.lock("x.json", 0.02):
                said.append("held")
        except Unavailable as error:
            said.append(error.code)

    with storage.lock("x.json", 1.0):
        storage.update_json("x.json", lambda n: n + 1, 0)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert said == ["locked", "held"]


def test_storages_with_different_roots_lock_the_same_file(tmp_path: Path) -> None:
    home, data = FileStorage(tmp_path), FileStorage(tmp_path / "data")
    refused = threading.Event()

    def other() -> None:
        try:
            with data.lock("x.json", 0.02):
                pass
        except Unavailable:
            refused.set()

    with home.lock("data/x.json", 1.0):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused.is_set()


def test_files_are_plain_enough_to_be_opened_by_hand(storage: FileStorage) -> None:
    storage.write_json("x.json", {"a": 1, "b": [2]})
    text = storage.read_bytes("x.json").decode()
    assert text == '{\n  "a": 1,\n  "b": [\n    2\n  ]\n}\n'
    assert orjson.loads(text) == {"a": 1, "b": [2]}


def test_a_corrupt_file_in_a_folder_that_cannot_be_written_is_reported_as_corrupt(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (storage.root / "x.json").write_bytes(b"{")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "read-only")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(Invalid, match="could not be moved aside"):
        storage.read_json_or("x.json", {})
    assert (storage.root / "x.json").read_bytes() == b"{"
