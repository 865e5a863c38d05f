"""Secrets: useless without their key, never shown, and never lost to a wrong or missing key."""

import json
import os
import stat
import traceback
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from backend.core.errors import Invalid, NotFound
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore, masked

KEY = "pk-live-0123456789abcdef"


def store(root: Path, key: str | None = None) -> SecretStore:
    return SecretStore(FileStorage(root / "data", fsync=False), root / "config" / "secret.key", key)


def held(root: Path) -> bytes:
    return (root / "data" / "secrets.json").read_bytes()


def test_what_was_put_is_there_for_another_process(tmp_path: Path) -> None:
    store(tmp_path).put("calendar.fmp", KEY)
    store(tmp_path).put("calendar.finnhub", "second")
    assert store(tmp_path).get("calendar.fmp") == KEY
    assert store(tmp_path).names() == ("calendar.finnhub", "calendar.fmp")
    store(tmp_path).put("calendar.fmp", "new")
    assert store(tmp_path).get("calendar.fmp") == "new"


def test_no_file_below_data_tells_the_secret_or_its_key(tmp_path: Path) -> None:
    store(tmp_path).put("calendar.fmp", KEY)
    key = (tmp_path / "config" / "secret.key").read_bytes().strip()
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes()
            assert key not in path.read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_both_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    store(tmp_path).put("calendar.fmp", KEY)
    for path in (tmp_path / "config" / "secret.key", tmp_path / "data" / "secrets.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_of_the_environment_makes_no_file(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    store(tmp_path, key).put("calendar.fmp", KEY)
    assert not (tmp_path / "config").exists()
    assert store(tmp_path, key).get("calendar.fmp") == KEY


@pytest.mark.parametrize("key", ["", "short", "x" * 44, "ä" * 32, "A" * 43])
def test_a_key_that_is_none_is_said_without_being_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(Invalid, match="MT5UI_SECRET_KEY holds no key") as caught:
        store(tmp_path, key).put("calendar.fmp", KEY)
    assert not key or key not in caught.value.message
    assert not (tmp_path / "data" / "secrets.json").exists()


def test_a_missing_key_is_said_and_never_made_anew(tmp_path: Path) -> None:
    store(tmp_path).put("calendar.fmp", KEY)
    before = held(tmp_path)
    (tmp_path / "config" / "secret.key").unlink()
    for attempt in (lambda: store(tmp_path).get("calendar.fmp"), lambda: store(tmp_path).put("other", "x")):
        with pytest.raises(Invalid, match="their key is missing"):
            attempt()
    assert held(tmp_path) == before
    assert not (tmp_path / "config" / "secret.key").exists()


def test_a_wrong_key_neither_reads_nor_adds_nor_overwrites(tmp_path: Path) -> None:
    store(tmp_path).put("calendar.fmp", KEY)
    before = held(tmp_path)
    wrong = store(tmp_path, Fernet.generate_key().decode())
    for attempt in (
        lambda: wrong.get("calendar.fmp"),
        lambda: wrong.put("other", "x"),
        lambda: wrong.put("calendar.fmp", "x"),
    ):
        with pytest.raises(Invalid, match="cannot be read with the present key") as caught:
            attempt()
        assert KEY not in "".join(traceback.format_exception(caught.value))
    assert held(tmp_path) == before


def test_a_person_can_forget_a_secret_without_its_key(tmp_path: Path) -> None:
    store(tmp_path).put("calendar.fmp", KEY)
    (tmp_path / "config" / "secret.key").unlink()
    assert store(tmp_path).remove("calendar.fmp")
    assert not store(tmp_path).remove("calendar.fmp")
    store(tmp_path).put("calendar.fmp", "given again")
    assert store(tmp_path).get("calendar.fmp") == "given again"


def test_a_value_put_under_another_name_by_hand_is_refused(tmp_path: Path) -> None:
    store(tmp_path).put("one", "first")
    store(tmp_path).put("two", "second")
    path = tmp_path / "data" / "secrets.json"
    document = json.loads(path.read_bytes())
    document["secrets"]["one"] = document["secrets"]["two"]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(Invalid):
        store(tmp_path).get("one")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"secrets": 5}', '{"secrets": {"a": 1}}'])
def test_a_file_of_another_form_is_said_and_left_where_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secrets.json").write_text(text, encoding="utf-8")
    for attempt in (lambda: store(tmp_path).get("a"), lambda: store(tmp_path).put("a", "x")):
        with pytest.raises(Invalid, match="not in the desk's form"):
            attempt()
    assert held(tmp_path).decode() == text


def test_an_unknown_name_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        store(tmp_path).get("calendar.fmp")


def test_a_mask_shows_the_end_of_a_long_secret_and_nothing_of_a_short_one() -> None:
    assert masked(KEY) == "••••cdef"
    assert masked("short-one") == "••••"
