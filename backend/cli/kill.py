"""`mt5ui kill`: the kill switch, worked by this very process: it needs neither API nor worker nor broker."""

from typing import Annotated, Any

import typer

from backend.cli.output import console, print_json
from backend.config import load_settings

ACTOR = "local"

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]


def kill(
    *,
    close: Annotated[bool, typer.Option("--close", help="Also close the positions.")] = False,
    everyones: Annotated[
        bool, typer.Option("--all", help="Also orders and positions that are not this desk's.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the journal.")] = "kill switch",
    as_json: Json = False,
) -> None:
    """Halt the desk at once and cancel every pending order; ends with 1 if anything is left."""
    from backend.services import build_services

    orders = build_services(load_settings()).orders
    report = orders.kill.pull(close=close, all_=everyones, actor=ACTOR, reason=reason)
    if as_json:
        print_json(report)
    else:
        _tell(report)
    left = report["orders_left"], report["positions_left"] if close else []
    if not report["halted"] or any(rows is None or rows for rows in left):
        raise typer.Exit(1)


def _tell(report: dict[str, Any]) -> None:
    out = console()
    out.print("The desk is halted." if report["halted"] else "The halt is NOT on record.", style="bold")
    out.print(f"{len(report['cancelled'])} orders cancelled, {len(report['closed'])} positions closed.")
    for name, rows in (("orders", report["orders_left"]), ("positions", report["positions_left"])):
        if rows is None:
            out.print(f"The terminal does not say which {name} are left.", style="red")
        for row in rows or ():
            told = " ".join(str(row[key]) for key in row if key not in {"ours", "profit"})
            out.print(f"left: {told}", markup=False)
    for problem in report["problems"]:
        out.print(problem, style="yellow", markup=False)
