"""The users file: who there is; never taken for empty, and never without an owner."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.core.errors import Conflict, Invalid, NotFound, Unavailable
from backend.users.directory import require_owner
from backend.users.model import Right, Role
from backend.users.passwords import Argon2Hasher
from tests.unit.users.conftest import PASSWORD, Users


def file_of(users: Users) -> Path:
    return users.root / "config" / "users.json"


def test_a_user_is_there_for_every_process_at_once(users: Users) -> None:
    other = users.other_process()
    assert other.door.directory.get("ann").role is Role.OWNER
    users.management.add("bob", Role.VIEWER, PASSWORD, actor="ann")
    assert [user.name for user in other.door.directory.all()] == ["ann", "bob"]
    users.management.set_role("bob", Role.TRADER, actor="ann")
    assert other.door.directory.get("bob").role is Role.TRADER


def test_the_file_holds_no_password_and_is_for_its_owner_alone(users: Users) -> None:
    assert PASSWORD not in file_of(users).read_text(encoding="utf-8")
    if sys.platform != "win32":
        assert stat.S_IMODE(file_of(users).stat().st_mode) == 0o600


def test_the_hash_is_argon2id_and_of_one_password_only() -> None:
    hasher = Argon2Hasher()
    kept = hasher.hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.matches(kept, PASSWORD)
    assert not hasher.matches(kept, PASSWORD + " ")
    assert not hasher.matches(None, "of nobody")  # what unknown users are compared with lets nobody in
    assert not hasher.matches("$argon2id$nonsense", PASSWORD)


@pytest.mark.parametrize(
    "name", ["", "a", "Ann", "ann smith", "../ann", "ann\n", "1ann", "a" * 33, "änn", "local", "desk", "file"]
)
def test_names_that_no_user_may_bear(users: Users, name: str) -> None:
    with pytest.raises(Invalid):
        users.management.add(name, Role.VIEWER, PASSWORD, actor="ann")
    assert len(users.door.directory.all()) == 1


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 11, "a" * 40, "abababababab", "I am bob, hello", "x" * 257]
)
def test_passwords_that_are_none(users: Users, password: str) -> None:
    with pytest.raises(Invalid) as refused:
        users.management.add("bob", Role.VIEWER, password, actor="ann")
    assert not password or password not in str(refused.value)


def test_the_first_user_is_an_owner_and_the_last_owner_stays_one(users: Users, tmp_path: Path) -> None:
    file_of(users).unlink()
    with pytest.raises(Invalid, match="owner"):
        users.management.add("bob", Role.TRADER, PASSWORD, actor="local")
    users.management.add("ann", Role.OWNER, PASSWORD, actor="local")
    with pytest.raises(Conflict, match="last owner"):
        users.management.set_role("ann", Role.TRADER, actor="ann")
    with pytest.raises(Conflict, match="last owner"):
        users.management.set_disabled("ann", disabled=True, actor="ann")
    users.management.add("bob", Role.OWNER, PASSWORD, actor="ann")
    assert users.management.set_disabled("ann", disabled=True, actor="bob").disabled
    with pytest.raises(Conflict, match="last owner"):
        users.management.set_role("bob", Role.VIEWER, actor="bob")


def test_a_user_of_that_name_is_not_replaced(users: Users) -> None:
    with pytest.raises(Conflict):
        users.management.add("ann", Role.VIEWER, "another password", actor="local")
    assert users.sign_in().__class__.__name__ == "SignedIn"
    with pytest.raises(NotFound):
        users.management.set_role("bob", Role.VIEWER, actor="ann")


GOOD: dict[str, Any] = {
    "role": "owner",
    "password": "$argon2id$x",
    "disabled": False,
    "made_at": "2026-03-02T09:00:00Z",
    "changed_at": "2026-03-02T09:00:00Z",
}


def one(changed: dict[str, Any], name: str = "ann") -> str:
    return json.dumps({"version": 1, "users": {name: {**GOOD, **changed}}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "\xff",
        '{"version": 1}',
        '{"version": 2, "users": {}}',
        '{"version": 1, "users": []}',
        '{"version": 1, "users": {"ann": null}}',
        "[" * 100_000,
        one({"role": "admin"}),
        one({"password": "correct horse battery"}),
        one({"password": None}),
        one({"disabled": "no"}),
        one({"made_at": "yesterday"}),
        one({"made_at": 5}),
        one({"owner": True}),
        one({}, "local"),
        one({}, "Ann"),
    ],
    ids=range(19),
)
def test_a_corrupt_file_keeps_the_desk_shut_and_is_left_as_it_is(users: Users, text: str) -> None:
    file_of(users).write_bytes(text.encode("latin-1"))
    for why in ("it is reached from elsewhere", None):
        with pytest.raises(
            Unavailable, match=r"config/users\.json is not in the desk's form, so the desk stays shut"
        ):
            require_owner(users.door.directory, why)
    with pytest.raises(Unavailable):
        users.sign_in()
    with pytest.raises(Unavailable):
        users.management.add("bob", Role.OWNER, PASSWORD, actor="local")
    assert file_of(users).read_bytes() == text.encode("latin-1")


def test_an_owner_is_wanted_only_where_there_is_sign_in(users: Users) -> None:
    require_owner(users.door.directory, "it is reached from elsewhere")
    file_of(users).unlink()
    require_owner(users.door.directory, None)
    with pytest.raises(Invalid, match="mt5ui user add NAME --role owner"):
        require_owner(users.door.directory, "it is reached from elsewhere")


def test_each_role_has_the_rights_of_the_one_below_and_more() -> None:
    assert Role.VIEWER.rights == {Right.OPEN, Right.SELF, Right.READ}
    assert Role.TRADER.rights == Role.VIEWER.rights | {Right.TRADE}
    assert Role.OWNER.rights == Role.TRADER.rights | {Right.OWN}
    assert Role.OWNER.at_most(Role.VIEWER) is Role.VIEWER
    assert Role.VIEWER.at_most(Role.OWNER) is Role.VIEWER
