"""`mt5ui control`: mode and halts, on the desk's files: it works also while nothing runs or answers."""

from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.output import console, print_json, table
from backend.config import load_settings
from backend.trading.desk import Mode

if TYPE_CHECKING:
    from backend.control.desk import Control

app = typer.Typer(help="Who decides, and what holds the desk back.", no_args_is_help=True)

ACTOR = "local"

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the journal.")]


@app.command("show")
def show_control(*, as_json: Json = False) -> None:
    """Mode and halts."""
    _told(_control(), as_json=as_json)


@app.command("mode")
def change_mode(
    mode: Annotated[Mode, typer.Argument(help="Who decides.")], *, reason: Reason, as_json: Json = False
) -> None:
    """Change who decides: observe, supervised or autonomous."""
    control = _control()
    control.set_mode(mode, actor=ACTOR, reason=reason)
    _told(control, as_json=as_json)


@app.command("halt")
def halt(*, reason: Reason, as_json: Json = False) -> None:
    """Send nothing new until somebody resumes. What is open stays managed, and may be closed."""
    from backend.control.state import HaltKind

    control = _control()
    control.halt(HaltKind.PERSON, reason, actor=ACTOR)
    _told(control, as_json=as_json)


@app.command("resume")
def resume(*, reason: Reason, as_json: Json = False) -> None:
    """Lift every halt."""
    control = _control()
    control.resume(reason, actor=ACTOR)
    _told(control, as_json=as_json)


def _control() -> "Control":
    from backend.services import build_services

    return build_services(load_settings()).control


def _told(control: "Control", *, as_json: bool) -> None:
    limits, state = control.limits(), control.state()
    if as_json:
        print_json({"mode": str(limits.mode), "ai_enabled": limits.ai_enabled, **state.as_dict()})
        return
    switched = "" if limits.ai_enabled else ", strategies switched off"
    console().print(f"Mode: [bold]{limits.mode}[/bold]{switched}")
    if not state.halted:
        console().print("Not halted.")
        return
    rows = [(str(each.kind), each.at, each.by, each.reason) for each in state.halts]
    console().print(table(("Halt", "Since (desk time)", "By", "Why"), rows))
