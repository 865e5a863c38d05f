"""`mt5ui user`, `token`, `secret`: on the desk's files, nothing secret on the screen but a new token."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.config import load_settings
from backend.services import build_services
from backend.users.model import Role
from tests.fakes.command_line import Run, command_line
from tests.fakes.http_app import served
from tests.fakes.signed_in import PASSWORD, guarded

SECRET = "pk-live-0123456789abcdef"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Run:
    monkeypatch.setenv("MT5UI_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(exist_ok=True)

    return command_line(monkeypatch, capfd)


def test_users_from_the_first_owner_to_the_last(run: Run) -> None:
    refused = run("user", "add", "tim", "--role", "trader", piped=f"{PASSWORD}\n")
    assert (refused.code, "first user is an owner" in refused.err) == (1, True)
    assert run("user", "add", "olga", "--role", "owner", piped=f"{PASSWORD}\n").code == 0
    made = json.loads(run("user", "add", "tim", "--json", piped=f"{PASSWORD}\n").out)
    assert (made["name"], made["role"]) == ("tim", "viewer")
    assert run("user", "role", "tim", "trader").code == 0
    assert run("user", "disable", "olga").code == 1
    assert run("user", "disable", "tim").code == 0
    listed = json.loads(run("user", "list", "--json").out)["users"]
    assert [(one["name"], one["role"], one["disabled"]) for one in listed] == [
        ("olga", "owner", False),
        ("tim", "trader", True),
    ]
    assert run("user", "enable", "tim").code == 0
    assert run("user", "password", "tim", piped="another password\n").code == 0
    assert run("user", "unlock", "nobody").code == 1
    assert run("user", "password", "tim", piped="short\n").code == 1
    events = json.loads(run("user", "events", "--json").out)["events"]
    assert [event["event"] for event in events][::-1] == [
        "user_added",
        "user_added",
        "role_changed",
        "user_disabled",
        "user_enabled",
        "password_changed",
    ]
    assert {event["actor"] for event in events} == {"local"}


def test_a_token_is_alone_on_stdout_and_valid_until_it_is_revoked(run: Run) -> None:
    run("user", "add", "olga", "--role", "owner", piped=f"{PASSWORD}\n")
    made = run("token", "create", "--user", "olga", "--label", "robot", "--scope", "trader", "--days", "1")
    text = made.out.strip()
    door = build_services(load_settings()).door
    acting = door.by_token(text, here=False)
    assert acting is not None
    assert (acting.name, acting.role) == ("olga", Role.TRADER)
    assert text not in run("token", "list").out
    assert run("token", "revoke", acting.id).code == 0
    assert door.by_token(text, here=False) is None
    assert run("token", "revoke", acting.id).code == 1
    assert run("token", "create", "--user", "nobody", "--label", "x").code == 1


def test_secrets_are_kept_rotated_and_forgotten_and_never_shown(run: Run) -> None:
    kept = run("secret", "set", "terminal.password", piped=f"{SECRET}\n")
    assert (kept.code, SECRET in kept.out, "cdef" in kept.out) == (0, False, True)
    key = load_settings().config_dir / "secret.key"
    before = key.read_bytes()
    assert json.loads(run("secret", "rotate", "--json").out) == {"rotated": ["terminal.password"]}
    assert key.read_bytes() != before
    assert build_services(load_settings()).secrets.get("terminal.password") == SECRET
    assert run("secret", "set", "any.other", piped="x\n").code == 1
    assert run("secret", "set", "terminal.password", piped="\n").code == 1
    key.unlink()
    wrong = run("secret", "rotate")
    assert (wrong.code, "their key is missing" in wrong.err) == (1, True)
    assert json.loads(run("secret", "list", "--json").out) == {"secrets": ["terminal.password"]}
    assert run("secret", "remove", "terminal.password").code == 0
    assert run("secret", "remove", "terminal.password").code == 1


def test_the_command_line_speaks_to_a_desk_with_sign_in(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the desk's own file, as this machine's user; or by MT5UI_TOKEN, as whoever the token is of."""
    with guarded(tmp_path / "home") as desk, served(desk.app) as url:
        monkeypatch.setattr("backend.cli.desk_client.address", lambda _: url)
        assert json.loads(run("tasks", "list", "--json").out)
        viewer = desk.token(Role.VIEWER)["Authorization"].partition(" ")[2]
        monkeypatch.setenv("MT5UI_TOKEN", viewer)
        assert run("tasks", "list", "--json").code == 0
        refused = run("evaluate", "EURUSD", "--no-wait")
        assert (refused.code, "role does not have the right" in refused.err) == (1, True)
        monkeypatch.setenv("MT5UI_TOKEN", "nonsense")
        assert "This token is not valid" in run("tasks", "list").err
