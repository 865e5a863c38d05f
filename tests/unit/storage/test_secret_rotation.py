"""The key of the secrets: where it stands, and how it is changed without losing one, killed at any point."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from backend.core.errors import Invalid
from backend.storage import atomic
from backend.storage.files import FileStorage
from backend.storage.secrets import SecretStore, new_key

SECRETS = {"calendar.fmp": "pk-live-0123456789abcdef", "terminal.password": "s3cret"}


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.text: str | None = None

    def read(self) -> str | None:
        return self.text

    def write(self, text: str) -> None:
        self.text = text


def store(root: Path, key: str | None = None, ring: Ring | None = None) -> SecretStore:
    return SecretStore(FileStorage(root / "data", fsync=False), root / "config" / "secret.key", key, ring)


def filled(root: Path, key: str | None = None, ring: Ring | None = None) -> SecretStore:
    made = store(root, key, ring)
    for name, value in SECRETS.items():
        made.put(name, value)
    return made


def everything(kept: SecretStore) -> dict[str, str]:
    return {name: kept.get(name) for name in kept.names()}


def test_the_key_is_made_at_the_first_start_for_its_owner_alone(tmp_path: Path) -> None:
    store(tmp_path).make_key()
    path = tmp_path / "config" / "secret.key"
    before = path.read_bytes()
    Fernet(before.strip())
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store(tmp_path).make_key()
    assert path.read_bytes() == before


def test_a_lost_key_is_not_made_anew_at_a_start(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "config" / "secret.key").unlink()
    store(tmp_path).make_key()
    assert not (tmp_path / "config" / "secret.key").exists()


def test_after_a_change_the_old_key_opens_nothing_and_all_is_there(tmp_path: Path) -> None:
    kept = filled(tmp_path)
    old = (tmp_path / "config" / "secret.key").read_text().strip()
    assert kept.rotate() == tuple(sorted(SECRETS))
    assert everything(store(tmp_path)) == SECRETS
    with pytest.raises(Invalid, match="cannot be read with the present key"):
        store(tmp_path, old).get("calendar.fmp")
    assert old not in (tmp_path / "config" / "secret.key").read_text()


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_killed_at_any_write_of_a_change_everything_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    kept = filled(tmp_path)
    real: Any = atomic.replace_file
    writes = 0

    class Killed(BaseException):
        pass

    def dying(path: Path, data: bytes, *, mode: int | None, fsync: bool) -> None:
        nonlocal writes
        writes += 1
        if writes == killed_at:
            raise Killed
        real(path, data, mode=mode, fsync=fsync)

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "replace_file", dying)
        with pytest.raises(Killed):
            kept.rotate()
    assert writes == killed_at
    assert everything(store(tmp_path)) == SECRETS
    store(tmp_path).rotate()
    assert everything(store(tmp_path)) == SECRETS
    assert (tmp_path / "config" / "secret.key").read_text().count(",") == 0


def test_a_key_of_the_environment_is_changed_by_giving_both(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    filled(tmp_path, old)
    with pytest.raises(Invalid, match="put a new one before it"):
        store(tmp_path, old).rotate()
    assert everything(store(tmp_path, f"{new},{old}")) == SECRETS
    store(tmp_path, f"{new}, {old}").rotate()
    assert everything(store(tmp_path, new)) == SECRETS
    with pytest.raises(Invalid):
        store(tmp_path, old).get("calendar.fmp")
    assert not (tmp_path / "config").exists()


def test_a_key_in_the_systems_keyring_makes_no_file(tmp_path: Path) -> None:
    ring = Ring()
    kept = filled(tmp_path, ring=ring)
    before = ring.text
    kept.rotate()
    assert ring.text not in {None, before}
    assert everything(store(tmp_path, ring=ring)) == SECRETS
    assert not (tmp_path / "config").exists()
    ring.text = None
    with pytest.raises(Invalid, match="the system's keyring does not have it"):
        store(tmp_path, ring=ring).get("calendar.fmp")


def test_a_change_with_the_wrong_key_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    held = (tmp_path / "data" / "secrets.json").read_bytes()
    key = tmp_path / "config" / "secret.key"
    key.write_text(new_key())
    wrong = key.read_bytes()
    with pytest.raises(Invalid, match="cannot be read with the present key"):
        store(tmp_path).rotate()
    assert (key.read_bytes(), (tmp_path / "data" / "secrets.json").read_bytes()) == (wrong, held)


def test_two_who_want_the_same_new_secret_get_one(tmp_path: Path) -> None:
    assert store(tmp_path).get_or_put("sessions", lambda: "first") == "first"
    assert store(tmp_path).get_or_put("sessions", lambda: "second") == "first"
