"""`mt5ui history`: bars out of files and from the terminal, what they are worth, and out again."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backend.cli.backtest import parse_day
from backend.cli.output import console, print_json, table
from backend.config import load_settings
from backend.core.errors import Invalid

if TYPE_CHECKING:
    from rich.console import Console

    from backend.core.timeframes import Timeframe
    from backend.history.importing import Looked
    from backend.history.service import HistoryService, Series

app = typer.Typer(
    help="Bars out of files and from the terminal, and what they are worth.", no_args_is_help=True
)

Progress = Callable[[int, int, str], None]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Begin = Annotated[str | None, typer.Option("--from", help="First day, such as 2024-01-31 (UTC).")]
End = Annotated[str | None, typer.Option("--to", help="Last day, included; else the last there is.")]
Source = Annotated[
    str | None, typer.Option(help="desk (from its terminal) or imported; needed where both have it.")
]
_VERDICTS: Final = {"good": "green", "usable": "yellow", "doubtful": "red"}
_OTHERS: Final = {
    "replaced": "took the place of other ones",
    "kept_though_other": "were other ones before and stayed so; --replace takes these",
}
_LISTED: Final = 5


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    *,
    symbol: Annotated[
        str, typer.Option(help="Canonical symbol of all these files; else as they are named.")
    ] = "",
    tz: Annotated[
        str,
        typer.Option(help="Clock of files that do not state theirs: server, UTC, UTC+2, Europe/Athens …"),
    ] = "",
    digits: Annotated[int | None, typer.Option(min=0, max=10, help="Decimals; else as they show.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that cannot be, instead of refusing the file.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take these where other bars were imported before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look; nothing is written.")] = False,
    as_json: Json = False,
) -> None:
    """Import files of MetaTrader, HistData, Dukascopy, TradingView or LEAN. Needs no running desk."""
    from backend.history.importing import look
    from backend.history.pieces import Choices

    history = _history()
    looked = look(files)
    asks = not as_json and sys.stdin.isatty()
    choices = Choices(
        symbol=_symbol(looked, symbol, asks=asks),
        clock=_clock(looked, tz, asks=asks),
        digits=digits,
        skip_bad=skip_bad,
        replace=replace,
    )
    out = console(stderr=True)
    with _bar(out, "import", quiet=as_json) as progress:
        pages = history.importer.run(looked, choices, progress=progress, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "stored": not dry_run,
                "folder": str(history.folder),
                "ignored": [str(path) for path in looked.ignored],
                "series": pages,
            }
        )
        return
    _show_import(console(), pages, looked, history.folder, dry_run=dry_run)


@app.command()
def fetch(
    symbol: Annotated[str, typer.Argument(help="Canonical symbol, such as EURUSD.")],
    timeframe: Annotated[list[str] | None, typer.Argument(help="Such as M1 H1; else H1.")] = None,
    *,
    begin: Annotated[str, typer.Option("--from", help="How far back, such as 2015-01-01 (UTC).")],
    as_json: Json = False,
) -> None:
    """Fill the desk's bars from its terminal; a run that was cut off goes on where it stopped."""
    from backend.market.topping import toward
    from backend.services import build_services

    since = parse_day(begin, last=False)
    frames = [_timeframe(name) for name in timeframe or ["H1"]]
    market = build_services(load_settings()).market
    market.symbols.broker_symbol(symbol)  # an unknown one is told before the terminal is asked
    rows = []
    for frame in frames:
        with _bar(console(stderr=True), f"{symbol} {frame}", quiet=as_json) as progress:
            rows.append(market.filled(symbol, frame, since=since, progress=toward(since, progress)))
    if as_json:
        print_json(rows)
    else:
        columns = ("symbol", "length", "new bars", "first", "last")
        console().print(table(columns, [[*row.values()] for row in rows]))


@app.command()
def export(
    symbol: Annotated[str, typer.Argument(help="Canonical symbol, such as EURUSD.")],
    timeframe: Annotated[str, typer.Argument(help="Such as M1 or D1.")],
    file: Annotated[Path, typer.Argument(help="A file, or a folder to put it in.")],
    *,
    begin: Begin = None,
    end: End = None,
    source: Source = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write bars as MetaTrader 5's own CSV, on the broker's clock. Needs no running desk."""
    history = _history()
    series = _series(history, symbol, _timeframe(timeframe), source)
    with _bar(console(stderr=True), "export", quiet=as_json) as progress:
        path, count = history.export(
            series,
            file,
            since=None if begin is None else parse_day(begin, last=False),
            until=None if end is None else parse_day(end, last=True),
            overwrite=force,
            progress=progress,
        )
    if as_json:
        print_json({"file": str(path), "bars": count, "source": str(series.kept)})
    else:
        console().print(f"{count:,} bars ({series.kept}) in {path}", markup=False, soft_wrap=True)


@app.command()
def check(
    symbol: Annotated[str | None, typer.Argument(help="Canonical symbol; else all.")] = None,
    timeframe: Annotated[str | None, typer.Argument(help="Such as M1; else all.")] = None,
    *,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Say what a backtest may trust: coverage, gaps, outliers, weekend bars, daylight saving, costs."""
    from backend.history.reports import quality_lines

    history = _history()
    frame = None if timeframe is None else _timeframe(timeframe)
    pages = [history.check(one) for one in history.series(symbol, frame, _kept(source))]
    if as_json:
        print_json(pages)
        return
    out = console()
    if not pages:
        out.print("No bars are kept yet: `mt5ui history import FILE`, or start the desk.")
    for page in pages:
        title = f"{page['symbol']} {page['timeframe']}, {page['kept']}"
        out.print(f"[bold]{title}[/bold]: {_verdict(page)}")
        if "bars" in page:
            out.print(f"{page['bars']:,} bars, {page['first']} to {page['last']}; {page['source'] or ''}")
        if len(pages) == 1 and "problem" not in page:
            lines = [*quality_lines(page)]
        else:
            lines = [f"- {line}" for line in page["trust"]]
        out.print("\n".join(lines), markup=False)
        out.print()


def _history() -> "HistoryService":
    from backend.services import build_services

    return build_services(load_settings()).history


def _timeframe(name: str) -> "Timeframe":
    from backend.core.timeframes import Timeframe  # loads numpy, which no other command needs

    return Timeframe.parse(name)


def _kept(text: str | None) -> Any:
    from backend.history.service import Kept

    if text is None:
        return None
    try:
        return Kept(text)
    except ValueError:
        raise Invalid("bad_argument", f"--source is {text!r}; it may be {', '.join(Kept)}") from None


def _series(history: "HistoryService", symbol: str, frame: "Timeframe", source: str | None) -> "Series":
    found = history.series(symbol, frame, _kept(source))
    if len(found) > 1:
        raise Invalid(
            "which_source",
            f"{symbol} {frame} is kept from the terminal and imported; say --source desk or imported",
        )
    return found[0]


def _symbol(looked: "Looked", given: str, *, asks: bool) -> str:
    """The symbol as given, or asked for where no file's name tells it."""
    if given or not looked.without_symbol or not asks:
        return given
    names = ", ".join(file.path.name for file in looked.without_symbol[:_LISTED])
    answer: str = typer.prompt(f"Symbol of {names}", err=True)
    return answer.strip()


def _clock(looked: "Looked", given: str, *, asks: bool) -> str:
    """The clock as given, or asked for where files do not state it."""
    from backend.history.importing import SERVER
    from backend.mt5.server_time import ServerClock

    clock = given
    if not clock and looked.without_clock and asks:
        file = looked.without_clock[0]
        rule = load_settings().server_clock
        question = f"Time zone of {file.path.name} ({file.layout.title}); {SERVER} is {rule}"
        clock = str(typer.prompt(question, default=SERVER, err=True)).strip()
    if clock and clock != SERVER:
        ServerClock.parse(clock)  # refuses what is no rule, before any file is read
    return clock


@contextmanager
def _bar(out: "Console", title: str, *, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal; nothing elsewhere."""
    if quiet or not out.is_terminal:
        yield lambda *_: None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=out, transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total, what: shown.update(task, completed=done, total=total, description=what)


def _verdict(page: dict[str, Any]) -> str:
    return f"[{_VERDICTS[page['verdict']]}]{page['verdict']}[/]"


def _show_import(
    out: "Console", pages: Sequence[dict[str, Any]], looked: "Looked", folder: Path, *, dry_run: bool
) -> None:
    from backend.history.reports import WORDS

    columns = ("symbol", "length", "side", "first UTC", "last", "bars", "new", "there")
    sides = [(page, side) for page in pages for side in ("bid", "ask") if side in page]
    out.print(table(columns, [_import_row(page, side) for page, side in sides]))
    for page in pages:
        out.print(f"\n[bold]{page['symbol']} {page['timeframe']}[/bold]: {_verdict(page['quality'])}")
        lines = [f"{count:,} {WORDS[name]}" for name, count in page["mended"].items()]
        for side in ("bid", "ask"):
            counts = page.get(side, {})
            lines += [
                f"{counts[key]:,} {side} bars {what}" for key, what in _OTHERS.items() if counts.get(key)
            ]
        lines += [*page["notes"], *page["quality"]["trust"]]
        out.print("\n".join(f"• {line}" for line in lines), markup=False)
        if not dry_run:
            out.print(page["report"], style="cyan", markup=False, soft_wrap=True)
    if looked.ignored:
        out.print(f"\n{len(looked.ignored)} other files were passed over", style="dim")
    if dry_run:
        out.print("\nNothing was written: a dry run.", style="yellow")
    else:
        out.print(f"\nTest over it: mt5ui backtest STRATEGY --data {folder}", markup=False, soft_wrap=True)


def _import_row(page: dict[str, Any], side: str) -> tuple[str, ...]:
    counts = page[side]
    ends = [(counts[key] or "-")[:16].replace("T", " ") for key in ("first", "last")]
    numbers = [f"{counts[key]:,}" for key in ("bars", "added", "already_there")]
    return page["symbol"], page["timeframe"], side, *ends, *numbers
