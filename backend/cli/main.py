"""The `mt5ui` command."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.cli import calendar as calendar_commands
from backend.cli import control as control_commands
from backend.cli import decisions as decision_commands
from backend.cli import history as history_commands
from backend.cli import ideas as idea_commands
from backend.cli import people as people_commands
from backend.cli import prop as prop_commands
from backend.cli import secrets as secret_commands
from backend.cli import strategies as strategy_commands
from backend.cli import tasks as tasks_commands
from backend.cli import tester as tester_commands
from backend.cli.backtest import backtest
from backend.cli.desk_client import DeskClient
from backend.cli.jobs import finish, queued
from backend.cli.journal import replay, verify_journal
from backend.cli.kill import kill
from backend.cli.news import news
from backend.cli.output import console, lasting_console, moment, print_json, show, span, table
from backend.cli.parity import parity
from backend.cli.sql import sql
from backend.cli.trades import trades
from backend.cli.trading import account, orders, positions
from backend.config import BrokerChoice, load_settings
from backend.core.clock import SystemClock
from backend.core.errors import DeskError, Invalid
from backend.core.version import VERSION

app = typer.Typer(
    name="mt5ui",
    help="A trading desk beside MetaTrader 5.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(tasks_commands.app, name="tasks")
app.add_typer(tester_commands.app, name="tester")
app.add_typer(strategy_commands.app, name="strategy")
app.add_typer(decision_commands.app, name="decisions")
app.add_typer(calendar_commands.app, name="calendar")
app.add_typer(control_commands.app, name="control")
app.add_typer(prop_commands.app, name="prop")
app.add_typer(history_commands.app, name="history")
app.add_typer(idea_commands.app, name="ideas")
app.add_typer(people_commands.users, name="user")
app.add_typer(people_commands.tokens, name="token")
app.add_typer(secret_commands.app, name="secret")
app.command()(backtest)
app.command()(kill)
app.command()(news)
app.command()(parity)
app.command()(sql)
app.command()(verify_journal)
app.command()(replay)
for command in (account, positions, orders, trades):
    app.command()(command)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer's shape of an option's callback
    if wanted:
        typer.echo(f"mt5ui {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A trading desk beside MetaTrader 5."""


@app.command()
def up(
    *,
    replay: Annotated[Path | None, typer.Option(help="Play the market data of this folder.")] = None,
    speed: Annotated[float | None, typer.Option(help="Ceiling of the replay's speed; 1 is real.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of the API.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the API.")] = None,
    broker: Annotated[BrokerChoice | None, typer.Option(help="memory needs no Redis.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the simulated market.")] = None,
    as_json: Json = False,
) -> None:
    """Start the whole desk here and keep it running until Ctrl-C."""
    from backend.supervisor.desk import run_desk

    given = {
        "replay": replay,
        "speed": speed,
        "host": host,
        "port": port,
        "broker": broker,
        "seed": seed,
    }
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    if speed is not None and settings.replay is None:
        raise Invalid("speed_of_nothing", "--speed is the speed of a replay; name its folder with --replay")
    if as_json:
        from backend.cli.announce import announce_when_ready

        announce_when_ready(settings)
    code = run_desk(settings, lasting_console(stderr=as_json))
    if as_json:
        print_json({"state": "ended", "code": code})
    raise typer.Exit(code)


@app.command()
def status(*, as_json: Json = False) -> None:
    """What the running desk is, does and knows."""
    with DeskClient(load_settings()) as desk:
        page = desk.get("/api/status")
        if as_json:
            print_json({"api": desk.url, **page})
            return
        _show_status(desk.url, page)


@app.command()
def evaluate(
    symbol: Annotated[str, typer.Argument(help="Canonical symbol, such as EURUSD.")],
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait.")] = 120.0,
    as_json: Json = False,
) -> None:
    """Evaluate every enabled strategy of one symbol now."""
    with DeskClient(load_settings()) as desk:
        answer = desk.post("/api/celery/tasks/ai/evaluate-symbol", {"symbol": symbol})
        if wait:
            finish(desk, answer["task_id"], timeout=timeout, as_json=as_json)
        else:
            queued(answer, as_json=as_json)


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Look at everything that a desk needs, and say how to mend what does not do."""
    from backend.cli import doctor as doctors

    findings = doctors.examine()
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [finding.as_dict() for finding in findings]})
    else:
        doctors.show_findings(findings)
    raise typer.Exit(int(failed))


def _show_status(url: str, page: dict[str, Any]) -> None:
    out = console()
    now = SystemClock().wall()
    ready = "[green]ready[/green]" if page["ready"] else "[red]not ready[/red]"
    out.print(f"mt5ui {page['version']} at {url}: {ready}, [bold]{page['mode'].upper()}[/bold]")
    out.print(f"Folder {page['home']}", markup=False, soft_wrap=True)
    if page["desk_time"] is not None and page["mode"] == "replay":
        out.print(f"Desk time {page['desk_time']}")
    out.print(
        table(
            ("", "", ""),
            ((one["name"], "ok" if one["ok"] else "FAILS", one["detail"]) for one in page["checks"]),
        )
    )
    jobs = page["jobs"]
    out.print(
        f"\nJobs of 24 h: {jobs['succeeded']} succeeded, {jobs['failed']} failed; now {jobs['waiting']} "
        f"waiting, {jobs['running']} running; {jobs['dead_letters']} dead letters"
    )
    ages = [
        (one["name"], span(one["age_seconds"]), moment(one["last_failure_at"], now), one["reason"] or "")
        for one in page["data"]
    ]
    out.print(table(("data", "age", "last failure", ""), ages))
    if page["processes"] is not None:
        processes = [(one["name"], one["pid"], one["alive"]) for one in page["processes"]]
        out.print("", table(("process", "pid", "alive"), processes))
    workers = [(one["name"], one["state"], one["queues"], span(one["age"])) for one in page["workers"]]
    out.print("", table(("worker", "state", "queues", "reported"), workers))
    out.print(f"\n{len(page['symbols'])} symbols, {show(page['strategies_enabled'])} strategies enabled")
    for problem in page["problems"]:
        out.print(f"Problem: {show(problem)}", style="yellow", markup=False)


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and exit code 1."""
    try:
        app(prog_name="mt5ui")
    except DeskError as error:
        if "--json" in sys.argv[1:]:
            print_json({"error": {"code": error.code, "message": error.message, "details": error.details}})
        typer.echo(error.message, err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
