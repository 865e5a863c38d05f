"""`mt5ui ideas`: what the desk proposes; approving and rejecting, through the running desk."""

from typing import Annotated, Any

import typer

from backend.cli.desk_client import DeskClient
from backend.cli.output import console, lines, print_json, table
from backend.config import load_settings

app = typer.Typer(help="Trade ideas: look, approve, reject.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Idea = Annotated[str, typer.Argument(metavar="IDEA_ID", help="Such as i-0123456789ab.")]
Price = Annotated[float | None, typer.Option(help="Instead of the idea's own.")]

_PATH = "/api/trade-ideas"


@app.command("list")
def list_ideas(
    *,
    status: Annotated[
        list[str] | None, typer.Option(help="Such as pending_approval; may be repeated.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Canonical symbol.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Id of the strategy.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="So many at most.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the one before said.")] = None,
    as_json: Json = False,
) -> None:
    """Trade ideas, the newest first."""
    with DeskClient(load_settings()) as desk:
        page = desk.get(
            _PATH, status=status or None, symbol=symbol, strategy=strategy, limit=limit, cursor=cursor
        )
    if as_json:
        print_json(page)
        return
    out = console()
    head = (
        "made at",
        "id",
        "strategy",
        "symbol",
        "side",
        "status",
        "lots",
        "entry",
        "stop",
        "target",
        "score",
    )
    out.print(table(head, [_row(idea) for idea in page["items"]]))
    if page["next_cursor"] is not None:
        out.print(f"more: --cursor {page['next_cursor']}", markup=False)
    for problem in page["problems"]:
        out.print(f"{problem['file']}: {problem['reason']}", markup=False)


@app.command("show")
def show_idea(idea: Idea, *, as_json: Json = False) -> None:
    """One idea with its history."""
    with DeskClient(load_settings()) as desk:
        found = desk.get(f"{_PATH}/{idea}")
    _shown(found, as_json=as_json)


@app.command("approve")
def approve_idea(
    idea: Idea,
    *,
    entry: Price = None,
    stop: Price = None,
    target: Price = None,
    volume: Annotated[float | None, typer.Option(help="Lots, instead of the idea's own.")] = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; kept with the idea.")] = "",
    as_json: Json = False,
) -> None:
    """Approve it, judged by the whole gate at current prices; then it is sent."""
    changes = {"entry": entry, "stop": stop, "target": target, "volume": volume}
    body = {name: value for name, value in changes.items() if value is not None}
    with DeskClient(load_settings()) as desk:
        done = desk.post(f"{_PATH}/{idea}/approve", {**body, "reason": reason})
    if as_json:
        print_json(done)
        return
    told = "and given to the sender" if done["sent"] else done["notice"]
    console().print(
        f"{idea} is approved {told}: {done['side']} {done['volume']} {done['symbol']} at about "
        f"{done['entry']}, stop {done['stop']}, target {done['target']}",
        markup=False,
    )


@app.command("reject")
def reject_idea(
    idea: Idea,
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; kept with the idea.")],
    as_json: Json = False,
) -> None:
    """Say no, and why."""
    with DeskClient(load_settings()) as desk:
        done = desk.post(f"{_PATH}/{idea}/reject", {"reason": reason})
    if as_json:
        print_json(done)
        return
    console().print(f"{idea} is rejected", markup=False)


def _row(idea: dict[str, Any]) -> tuple[str, ...]:
    names = (
        "created_at",
        "id",
        "strategy_id",
        "symbol",
        "side",
        "status",
        "volume",
        "entry",
        "stop",
        "target",
    )
    return (*(_text(idea.get(name)) for name in names), _text(idea.get("confidence")))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _shown(idea: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(idea)
        return
    out = console()
    rest = {name: value for name, value in idea.items() if name not in {"history", "confidence_parts"}}
    for line in lines(rest):
        out.print(line, markup=False)
    rows = [
        (_text(step.get("at")), _text(step.get("action")), step["status"], step["by"], _text(step.get("why")))
        for step in idea["history"]
    ]
    out.print(table(("at (desk time)", "step", "status", "by", "why"), rows))
