"""`mt5ui secret`: credentials of providers and the broker, encrypted; none is ever shown or an argument."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.output import console, print_json
from backend.config import load_settings
from backend.core.errors import Invalid, NotFound
from backend.users.model import LOCAL

if TYPE_CHECKING:
    from backend.services import Services

app = typer.Typer(help="Keys and passwords, encrypted.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Name = Annotated[str, typer.Argument(help="terminal.password, or calendar.PROVIDER.")]


@app.command("list")
def list_secrets(*, as_json: Json = False) -> None:
    """Which secrets are kept; needs no key."""
    names = _services().secrets.names()
    if as_json:
        print_json({"secrets": names})
    else:
        console().print("\n".join(names) or "None.", markup=False)


@app.command("set")
def set_secret(name: Name, *, as_json: Json = False) -> None:
    """Keep a secret. It is asked for, or read from what is piped in."""
    from backend.services import SECRET_NAMES
    from backend.storage.secrets import masked
    from backend.users.security_log import Happened

    services = _services()
    if name not in SECRET_NAMES:
        raise Invalid("unknown_secret", f"{name} is none of {', '.join(SECRET_NAMES)}", allowed=SECRET_NAMES)
    piped = not sys.stdin.isatty()
    given = sys.stdin.readline() if piped else typer.prompt(name, hide_input=True)
    value = given.strip()
    if not value:
        raise Invalid("no_value", "nothing was given; nothing was kept")
    services.secrets.put(name, value)
    services.door.log.note(Happened.SECRET_KEPT, actor=LOCAL, name=name)
    if as_json:
        print_json({"name": name, "value": masked(value)})
    else:
        console().print(f"{name} is kept: {masked(value)}", markup=False)


@app.command("remove")
def remove_secret(name: Name, *, as_json: Json = False) -> None:
    """Forget a secret; needs no key."""
    from backend.users.security_log import Happened

    services = _services()
    if not services.secrets.remove(name):
        raise NotFound("no_secret", f"no secret is kept under {name}", name=name)
    services.door.log.note(Happened.SECRET_REMOVED, actor=LOCAL, name=name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        console().print(f"{name} is forgotten", markup=False)


@app.command("rotate")
def rotate(*, as_json: Json = False) -> None:
    """Encrypt everything with a new key."""
    from backend.users.security_log import Happened

    services = _services()
    names = services.secrets.rotate()
    services.door.log.note(Happened.SECRETS_ROTATED, actor=LOCAL, names=list(names))
    if as_json:
        print_json({"rotated": names})
    else:
        console().print(f"{len(names)} secrets are encrypted with a new key", markup=False)


@app.command("new-key")
def print_new_key() -> None:
    """Print a key for MT5UI_SECRET_KEY; nothing is changed."""
    from backend.storage.secrets import new_key

    typer.echo(new_key())


def _services() -> "Services":
    from backend.services import build_services

    return build_services(load_settings())
