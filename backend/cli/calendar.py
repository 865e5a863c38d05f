"""`mt5ui calendar`: events as known at any time, pauses ahead, past calendars, providers' keys.

From files, so the desk may run or not; only the currencies of a symbol may have to come from its terminal.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from backend.cli.output import console, print_json, table
from backend.config import load_settings
from backend.core.clock import iso, parse_iso
from backend.core.errors import Invalid

app = typer.Typer(help="The economic calendar, as known at any time.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Time = Annotated[str | None, typer.Option(metavar="TIME", help="Such as 2026-01-05T09:00Z.")]

_HOURS_OF_OFFSET: Final = 15.0


@app.command("import")
def import_files(
    files: Annotated[
        list[Path], typer.Argument(help="CSV of ForexFactory, a provider, MetaTrader, or your own.")
    ],
    *,
    timezone: Annotated[str, typer.Option(help="Of times without an offset in a CSV of your own.")] = "UTC",
    server_offset: Annotated[
        float | None,
        typer.Option(
            min=-_HOURS_OF_OFFSET,
            max=_HOURS_OF_OFFSET,
            help="Hours that the server was ahead of UTC when an MQL5 file was written.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put calendars of the past on record; again changes nothing. All of every file, or nothing."""
    from backend.economic_calendar.shapes import Clocks
    from backend.services import build_services

    offset = None if server_offset is None else timedelta(hours=server_offset)
    clocks = Clocks(zone=_zone(timezone), server_offset=offset)
    told = build_services(load_settings()).calendar.import_files(files, clocks)
    if as_json:
        print_json(told)
        return
    out = console()
    rows = [
        (one["file"], one["shape"], one["events"], one["from"], one["to"], " ".join(one["currencies"]))
        for one in told["files"]
    ]
    out.print(table(("file", "shape", "events", "from", "to", "currencies"), rows))
    out.print(f"{told['new']} new, {told['changed']} changed, {told['unchanged']} were there already")
    for one in told["files"]:
        for country, count in one["left_out"].items():
            text = f"{one['file']}: {count} rows of {country} left out, no currency is known for it"
            out.print(text, style="yellow", markup=False)
        if one["longest_gap"]:
            gap = one["longest_gap"]
            out.print(
                f"{one['file']}: the longest time without an event is {gap['from']} to {gap['to']}",
                markup=False,
            )


@app.command()
def show(
    *,
    as_of: Time = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Of the events.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Of the events.")] = None,
    currency: Annotated[str | None, typer.Option(help="Such as EUR.")] = None,
    as_json: Json = False,
) -> None:
    """Events as they were known at a time; now, and those around it, if nothing else is said."""
    from backend.services import build_services

    services = build_services(load_settings())
    moment = services.clock.now() if as_of is None else parse_iso(as_of)
    view = services.calendar.as_of(moment)
    page: dict[str, Any] = view.as_dict()
    if since is not None or until is not None:
        start = moment - timedelta(days=7) if since is None else parse_iso(since)
        end = start + timedelta(days=14) if until is None else parse_iso(until)
        page["events"] = [event.as_dict() for event in services.calendar.between(start, end, moment)]
    if currency is not None:
        wanted = {currency.upper(), "ALL"}
        page["events"] = [event for event in page["events"] if event["currency"] in wanted]
    page["as_of"] = iso(moment)
    if as_json:
        print_json(page)
        return
    out = console()
    if not view.known:
        out.print(f"Not known: {view.reason}", style="yellow", markup=False)
    elif view.stale:
        out.print(f"Stale: the events are those of {page['fetched_at']}", style="yellow", markup=False)
    columns = ("UTC", "currency", "impact", "event", "forecast", "previous", "actual", "")
    out.print(table(columns, [_row(event) for event in page["events"]]))


@app.command()
def embargoes(
    symbol: Annotated[
        str | None, typer.Argument(help="Canonical symbol; every enabled one if absent.")
    ] = None,
    *,
    hours: Annotated[float, typer.Option(min=0.1, max=168, help="How far ahead to look.")] = 48,
    as_json: Json = False,
) -> None:
    """When news will pause entries."""
    from backend.services import build_services

    services = build_services(load_settings())
    if symbol is not None:
        services.symbols.row(symbol)
    page = services.embargoes.ahead(services.clock.now(), symbol=symbol, reach=timedelta(hours=hours))
    if as_json:
        print_json(page)
        return
    out = console()
    if not page["known"]:
        out.print(f"Not known: {page['reason']}. Pauses may be missing.", style="yellow", markup=False)
    rows = [(each["text"], each["event"]["impact"], ", ".join(each["pauses"])) for each in page["windows"]]
    out.print(table(("pause", "impact", "for"), rows) if rows else f"No pause until {page['until']}")
    for event in page["shown"]:
        day = datetime.fromisoformat(event["at"]).strftime("%Y-%m-%d")
        out.print(
            f"{day} {event['currency']} {event['title']}: pauses nothing, it has no clock time", markup=False
        )
    for problem in page["problems"]:
        out.print(f"{problem['symbol']}: {problem['reason']}", style="red", markup=False)


@app.command()
def key(
    provider: Annotated[str, typer.Argument(help="finnhub, fmp or tradingeconomics.")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Forget it.")] = False,
    as_json: Json = False,
) -> None:
    """Keep a provider's key, encrypted. It is asked for, or read from what is piped in; never an argument."""
    from backend.economic_calendar.config import secret_name
    from backend.services import build_services
    from backend.storage.secrets import masked
    from backend.users.model import LOCAL
    from backend.users.security_log import Happened

    services = build_services(load_settings())
    name, secrets = secret_name(provider), services.secrets
    if remove:
        told = {"provider": provider, "removed": secrets.remove(name)}
        if told["removed"]:
            services.door.log.note(Happened.SECRET_REMOVED, actor=LOCAL, name=name)
        text = f"The key of {provider} is forgotten" if told["removed"] else f"No key of {provider} was kept"
    else:
        given = _asked(provider)
        secrets.put(name, given)
        services.door.log.note(Happened.SECRET_KEPT, actor=LOCAL, name=name)
        told = {"provider": provider, "key": masked(given)}
        text = f"The key of {provider} is kept: {told['key']}"
    if as_json:
        print_json(told)
    else:
        console().print(text, markup=False)


def _asked(provider: str) -> str:
    from backend.economic_calendar.config import checked_key

    piped = not sys.stdin.isatty()
    return checked_key(sys.stdin.readline() if piped else typer.prompt(f"Key of {provider}", hide_input=True))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid(
            "bad_zone", f"--timezone is {name!r}; a zone such as Europe/London is wanted"
        ) from error


def _row(event: dict[str, Any]) -> tuple[Any, ...]:
    clock = "all day" if event["all_day"] else event["at"][11:16] + ("?" if event["tentative"] else "")
    return (
        f"{event['at'][:10]} {clock}",
        event["currency"],
        event["impact"],
        event["title"],
        event["forecast"],
        event["previous"],
        event["actual"],
        "values not known then" if event.get("hindsight") else "",
    )
