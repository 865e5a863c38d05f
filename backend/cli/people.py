"""`mt5ui user` and `mt5ui token`: who may come in, on the desk's files: it works also while nothing runs."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.output import console, print_json, table
from backend.config import load_settings
from backend.users.model import LOCAL, Role

if TYPE_CHECKING:
    from backend.services import Services

users = typer.Typer(help="Who may sign in, and what they may do.", no_args_is_help=True)
tokens = typer.Typer(help="Ways in for programs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Name = Annotated[str, typer.Argument(help="The user's name.")]


@users.command("add")
def add_user(
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="viewer reads, trader acts, owner decides.")] = Role.VIEWER,
    as_json: Json = False,
) -> None:
    """Add a user. The password is asked for, or read from what is piped in; never an argument."""
    made = _services().management.add(name, role, _password(name), actor=LOCAL)
    _say(made.shown(), f"{name} may sign in as {role}", as_json=as_json)


@users.command("list")
def list_users(*, as_json: Json = False) -> None:
    """Everybody, and how many sessions they have."""
    door = _services().door
    sessions = [one.user for one in door.sessions.all(door.now())]
    shown = [{**user.shown(), "sessions": sessions.count(user.name)} for user in door.directory.all()]
    if as_json:
        print_json({"users": shown})
        return
    rows = [(one["name"], one["role"], one["disabled"], one["sessions"], one["made_at"]) for one in shown]
    console().print(table(("user", "role", "disabled", "sessions", "since"), rows) if rows else "No users.")


@users.command("password")
def set_password(name: Name, *, as_json: Json = False) -> None:
    """Give a user another password, and end their sessions."""
    management = _services().management
    management.set_password(name, _password(name), actor=LOCAL)
    _say(
        {"name": name, "changed": True}, f"{name} has another password; their sessions ended", as_json=as_json
    )


@users.command("role")
def set_role(name: Name, role: Annotated[Role, typer.Argument()], *, as_json: Json = False) -> None:
    """Give a user another role."""
    changed = _services().management.set_role(name, role, actor=LOCAL)
    _say(changed.shown(), f"{name} is {role}", as_json=as_json)


@users.command("disable")
def disable(name: Name, *, as_json: Json = False) -> None:
    """Keep a user out, and end their sessions and tokens."""
    changed = _services().management.set_disabled(name, disabled=True, actor=LOCAL)
    _say(changed.shown(), f"{name} is kept out; sessions and tokens ended", as_json=as_json)


@users.command("enable")
def enable(name: Name, *, as_json: Json = False) -> None:
    """Let a user in again."""
    changed = _services().management.set_disabled(name, disabled=False, actor=LOCAL)
    _say(changed.shown(), f"{name} may sign in again", as_json=as_json)


@users.command("unlock")
def unlock(name: Name, *, as_json: Json = False) -> None:
    """Let a user try again at once after too many failures."""
    _services().management.unlock(name, actor=LOCAL)
    _say({"name": name, "unlocked": True}, f"{name} may try again at once", as_json=as_json)


@users.command("sign-out")
def sign_out(name: Name, *, as_json: Json = False) -> None:
    """End every session of a user."""
    door = _services().door
    ended = door.end_sessions(door.directory.get(name).name, actor=LOCAL)
    _say({"name": name, "ended": ended}, f"{ended} sessions of {name} ended", as_json=as_json)


@users.command("events")
def events(*, limit: Annotated[int, typer.Option(min=1, max=500)] = 50, as_json: Json = False) -> None:
    """Sign-ins, refusals, and changes of users, tokens and secrets, the newest first."""
    found = _services().door.log.newest(before=None, limit=limit)
    if as_json:
        print_json({"events": found})
        return
    plain = {"seq", "at", "actor", "event"}
    rows = [
        (one["at"], one["actor"], one["event"], {key: one[key] for key in one if key not in plain})
        for one in found
    ]
    console().print(table(("at", "by", "what", ""), rows) if rows else "Nothing on record.")


@tokens.command("create")
def create_token(
    user: Annotated[str, typer.Option(help="As whom the program acts.")],
    label: Annotated[str, typer.Option(help="What it is for.")],
    *,
    scope: Annotated[Role, typer.Option(help="The most it may.")] = Role.VIEWER,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is valid.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a token. Its text is shown this once; the desk keeps only its fingerprint."""
    token, text = _services().management.make_token(
        user, scope, label=label, lasts=timedelta(days=days), actor=LOCAL
    )
    if as_json:
        print_json({**token.shown(), "token": text})
        return
    console(stderr=True).print(f"Valid until {token.expires_at:%Y-%m-%d}, and shown this once:")
    typer.echo(text)


@tokens.command("list")
def list_tokens(*, as_json: Json = False) -> None:
    """The tokens that are valid."""
    door = _services().door
    found = [token.shown() for token in door.tokens.all(door.now())]
    if as_json:
        print_json({"tokens": found})
        return
    heads = ("token", "user", "scope", "for", "until")
    rows = [(one["id"], one["user"], one["scope"], one["label"], one["expires_at"]) for one in found]
    console().print(table(heads, rows) if rows else "No tokens.")


@tokens.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="Its id, as listed.")], *, as_json: Json = False
) -> None:
    """End a token at once."""
    _services().management.revoke_token(token, actor=LOCAL)
    _say({"revoked": token}, f"{token} is not valid any more", as_json=as_json)


def _services() -> "Services":
    from backend.services import build_services

    return build_services(load_settings())


def _password(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    text: str = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    return text


def _say(answer: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        console().print(text, markup=False)
