"""`mt5ui doctor`: looks at what a desk needs, with or without a desk running."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from backend.cli import doctor_desk, doctor_files, doctor_hosts, doctor_machine
from backend.cli.desk_client import DeskClient
from backend.cli.findings import Finding, fail, good, looked, warn
from backend.cli.output import console, table
from backend.config import Settings, load_settings
from backend.core.errors import DeskError, Invalid

_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def examine() -> list[Finding]:
    """Every finding, from the machine upwards; takes at most some 15 s and changes nothing."""
    findings = [*doctor_machine.python(), *doctor_machine.packages()]
    try:
        settings = load_settings()
    except Invalid as error:
        mend = f"Correct {error.details.get('variable')} in .env or in the environment"
        return [*findings, fail("settings", error.message, mend)]
    findings.append(good("settings", f"the desk's folder is {settings.home}"))
    elsewhere = doctor_hosts.desk_elsewhere(settings)
    if elsewhere is not None:
        return [
            *findings,
            *_of_this_host(settings, lambda _task: ""),
            *looked("desk", lambda: doctor_hosts.joining(settings, elsewhere)),
        ]
    with DeskClient(settings) as desk:
        page: dict[str, Any] | None = None
        reason: DeskError | None = None
        try:
            page = desk.get("/api/status")
        except DeskError as error:
            reason = error
        last_error = (lambda _task: "") if page is None else partial(doctor_desk.last_error, desk)
        findings += _of_this_host(settings, last_error)
        running = None if page is None else desk.url
        findings += looked("port", lambda: doctor_machine.port(settings, running=running))
        if page is None:
            findings += _nothing_runs(settings, reason)
        else:
            findings.append(good("desk", f"answers at {desk.url}, {page['mode']}"))
            found = page
            findings += looked("desk", lambda: doctor_desk.parts(found))
            findings += looked("clocks", lambda: doctor_desk.clocks(desk))
    return findings


def show_findings(findings: list[Finding]) -> None:
    """The findings as a table, and what to do below it."""
    from rich.text import Text

    out = console()
    rows = [(Text(one.level, style=_STYLE[one.level]), one.name, one.detail) for one in findings]
    out.print(table(("", "", ""), rows))
    for one in findings:
        if one.mend:
            out.print(Text(f"\n{one.name}: {one.mend}", style=_STYLE[one.level]))
    if all(one.level == "ok" for one in findings):
        out.print("\nEverything is well.", style="green")


def _of_this_host(settings: Settings, last_error: Callable[[str], str]) -> Iterator[Finding]:
    yield from looked("folders", lambda: doctor_machine.folders(settings))
    yield from looked("disk", lambda: doctor_machine.disk(settings))
    yield from looked("configuration", lambda: doctor_files.configuration(settings))
    yield from looked("feeds", lambda: doctor_files.last_results(settings, last_error))


def _nothing_runs(settings: Settings, reason: DeskError | None) -> list[Finding]:
    said = reason.message if reason else "it does not answer"
    silent = reason is not None and reason.code != "desk_not_running"
    findings = [
        fail("desk", said, "Look at logs/app.log and logs/api.log; start it again with: mt5ui up")
        if silent
        else warn("desk", "no desk runs here", "Start it with: mt5ui up")
    ]
    findings += looked("broker", lambda: doctor_machine.broker(settings))
    findings += looked("terminal", lambda: doctor_machine.terminal(settings))
    return findings
