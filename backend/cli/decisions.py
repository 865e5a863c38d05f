"""`mt5ui decisions`: what was decided and why, from files alone; the desk may run or not."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.output import console, lines, print_json, show, table
from backend.config import load_settings
from backend.core.clock import parse_iso

if TYPE_CHECKING:
    from backend.ideas.decisions import DecisionService
    from backend.journal.columns import Wanted
    from backend.journal.record import Record

app = typer.Typer(help="What was decided, and why.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Symbol = Annotated[str | None, typer.Option(help="Canonical symbol.")]
Strategy = Annotated[str | None, typer.Option(help="Id of the strategy.")]
Timeframe = Annotated[str | None, typer.Option(help="Such as H1.")]
Action = Annotated[str | None, typer.Option(help="Such as blocked or observe.")]
Signal = Annotated[str | None, typer.Option(help="long, short, conflict or none.")]
RefusedBy = Annotated[str | None, typer.Option(help="A check that refused, such as news_embargo.")]
MinConfidence = Annotated[float | None, typer.Option(min=0, max=100, help="The least score.")]
MaxConfidence = Annotated[float | None, typer.Option(min=0, max=100, help="The highest score.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Desk time, such as 2026-01-05T09:00Z.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Desk time, itself excluded.")]
Missed = Annotated[bool | None, typer.Option("--missed/--not-missed", help="Too late for an idea, or not.")]


@app.command("list")
def list_decisions(
    *,
    symbol: Symbol = None,
    strategy: Strategy = None,
    timeframe: Timeframe = None,
    action: Action = None,
    signal: Signal = None,
    refused_by: RefusedBy = None,
    min_confidence: MinConfidence = None,
    max_confidence: MaxConfidence = None,
    since: Since = None,
    until: Until = None,
    missed: Missed = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the one before said.")] = None,
    stats: Annotated[bool, typer.Option("--stats", help="Count them instead.")] = False,
    as_json: Json = False,
) -> None:
    """Decisions, the newest first, or how many there are by what they are."""
    from backend.journal.columns import Wanted

    wanted = Wanted(
        symbol=symbol,
        strategy=strategy,
        timeframe=timeframe,
        action=action,
        signal=signal,
        refused_by=refused_by,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        since=_time(since),
        until=_time(until),
        missed=missed,
    )
    if stats:
        _count(_service(), wanted, as_json=as_json)
        return
    found, following = _service().page(wanted, cursor=cursor, limit=limit)
    if as_json:
        print_json({"items": [record.as_dict() for record in found], "next_cursor": following})
        return
    out = console()
    head = ("decided at", "id", "strategy", "symbol", "", "signal", "action", "score", "refused by")
    out.print(table(head, [_row(record) for record in found]))
    if following is not None:
        out.print(f"more: --cursor {following}", markup=False)


@app.command("show")
def show_decision(
    decision: Annotated[str, typer.Argument(metavar="DECISION_ID", help="Such as d-0123456789ab.")],
    *,
    inputs: Annotated[bool, typer.Option("--inputs", help="With what it was computed from.")] = False,
    as_json: Json = False,
) -> None:
    """One decision with everything that it saw."""
    service = _service()
    record = service.get(decision)
    given = service.inputs(decision) if inputs else None
    if as_json:
        print_json(record.as_dict() | {"inputs": given})
        return
    out = console()
    out.print(f"Record {record.seq} by {record.actor}, hash {record.hash}", markup=False)
    for line in lines(record.payload):
        out.print(line, markup=False)
    for name, each in (given or {}).items():
        for part in each if isinstance(each, list) else [each]:
            said = part["problem"] or "as it was"
            out.print(f"{name} {part.get('timeframe', '')} {part['hash']}: {said}", markup=False)
            if part["content"] is not None and name != "bars":
                for line in lines(part["content"]):
                    out.print(line, markup=False)


@app.command("why-not")
def why_not(
    *,
    symbol: Symbol = None,
    strategy: Strategy = None,
    since: Since = None,
    until: Until = None,
    compute: Annotated[
        bool, typer.Option("--compute", help="Compute first what refused ideas would have earned.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Which check refused most, and what the refused ideas would have cost or saved."""
    from backend.journal.columns import Wanted
    from backend.services import build_services

    services = build_services(load_settings())
    begin, end = _time(since), _time(until)
    computed = services.weigh_refusals(since=begin) if compute else None
    wanted = Wanted(symbol=symbol, strategy=strategy, since=begin, until=end)
    page = services.decisions.why_not(wanted)
    if as_json:
        print_json({**page, "computed": computed})
        return
    out = console()
    out.print(f"{page['total']:,} decisions; money in {page['currency'] or 'no currency yet'}", markup=False)
    head = ("check", "refused", "alone", "ideas", "known", "won", "lost", "cost", "saved", "net")
    rows = []
    for one in page["checks"]:
        ideas = one["together"]
        worth = [ideas[name] for name in ("ideas", "known", "wins", "losses", "cost", "saved", "net")]
        rows.append((one["check"], one["decisions"], one["alone"], *worth))
    out.print(table(head, rows))
    reasons = {why: count for one in page["checks"] for why, count in one["together"]["unknown"].items()}
    for why in reasons:
        out.print(f"Not known: {why}", style="yellow", markup=False)


def _count(service: "DecisionService", wanted: "Wanted", *, as_json: bool) -> None:
    page = service.statistics(wanted)
    if as_json:
        print_json(page)
        return
    out = console()
    span = f", {page['first']} to {page['last']}" if page["total"] else ""
    out.print(f"{page['total']:,} decisions{span}; {page['ideas']:,} ideas, {page['missed']:,} missed")
    for name in ("action", "signal", "strategy", "symbol", "timeframe"):
        out.print("", table((name, "decisions"), page[f"by_{name}"].items()))
    checks = [(name, each["decisions"], each["alone"]) for name, each in page["by_check"].items()]
    out.print("", table(("refused by", "decisions", "alone"), checks))


def _row(record: "Record") -> tuple[Any, ...]:
    payload = record.payload
    score = None if payload["confidence"] is None else f"{payload['confidence']['score']:g}"
    return (
        payload["decided_at"],
        payload["id"],
        payload["strategy_id"],
        payload["symbol"],
        payload["timeframe"],
        payload["signal"],
        payload["action"] + (" (missed)" if payload["missed"] else ""),
        score,
        show([refusal["check"] for refusal in payload["refusals"]]),
    )


def _service() -> "DecisionService":
    from backend.services import build_services

    return build_services(load_settings()).decisions


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_iso(text.replace(" ", "T", 1))
