"""`mt5ui tester`: what MetaTrader's own tester or account made, alone and beside a run of ours."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backend.cli.output import console, print_json, table
from backend.config import Settings, load_settings
from backend.core.errors import Invalid

if TYPE_CHECKING:
    from backend.backtest.tester.comparing import KnownBars
    from backend.backtest.tester.model import Imported
    from backend.backtest.tester.ours import OurRun
    from backend.mt5.server_time import ServerClock

app = typer.Typer(help="MetaTrader's own tester beside ours.", no_args_is_help=True)

RUNS: Final = "backtests"

File = Annotated[
    Path, typer.Argument(help="Report saved by MetaTrader 5 (HTML, XML, .xlsx), or a CSV of deals.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Currency = Annotated[str | None, typer.Option(help="Of the account, where the file does not state it.")]
Clock = Annotated[str | None, typer.Option(help="Rule of the clock of the file's times; else the desk's.")]
Account = Annotated[str | None, typer.Option(help="hedging or netting, where the file does not state it.")]


@app.command("import")
def import_file(
    file: File,
    *,
    currency: Currency = None,
    clock: Clock = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Read a report or a CSV of deals: its trades, and whether its balance adds up."""
    from backend.backtest.tester.described import import_as_dict

    settings = load_settings()
    page = import_as_dict(_read(file, settings, currency, clock, account))
    if as_json:
        print_json(page)
        return
    out = console()
    out.print(
        f"{page['source']}: {page['kind']}, {page['accounting']}, {page['currency']}, "
        f"{page['from']} to {page['to']}",
        markup=False,
    )
    out.print(table(("", ""), list(page["settings"].items())))
    totals = page["totals"]
    out.print(
        f"\n{page['deals']} deals, {len(page['trades'])} closed trades ({totals['wins']} won, "
        f"{totals['losses']} lost), {len(page['still_open'])} still open"
    )
    out.print(table(("net", "profit", "commission", "swap"), [_amounts(totals)]))
    _show_balance(page["balance"])
    columns = ("#", "symbol", "side", "lots", "entry UTC", "at", "exit UTC", "at", "by", "net")
    out.print("", table(columns, [_row(trade) for trade in page["trades"]]))
    _show_notes(page["notes"])


@app.command()
def compare(
    file: File,
    run: Annotated[str, typer.Argument(help="Id of a run of ours, or its folder.")],
    *,
    currency: Currency = None,
    clock: Clock = None,
    account: Account = None,
    symbol: Annotated[
        list[str] | None, typer.Option(help="Broker's name and ours: EURUSD.raw=EURUSD.")
    ] = None,
    window: Annotated[int, typer.Option(min=0, max=1000, help="Bars between the entries of one trade.")] = 2,
    as_json: Json = False,
) -> None:
    """Put their trades beside those of a run, and split the difference by cause."""
    from backend.backtest.tester.comparing import compare as put_beside
    from backend.backtest.tester.described import comparison_as_dict
    from backend.backtest.tester.ours import read_run

    settings = load_settings()
    folder = Path(run) if Path(run).is_dir() else settings.data_dir / RUNS / run
    ours = read_run(folder)
    page = comparison_as_dict(
        put_beside(
            _read(file, settings, currency, clock, account),
            ours,
            _bars(ours, settings),
            symbols=dict(_names(one) for one in symbol or ()),
            window_bars=window,
        )
    )
    if as_json:
        print_json(page)
        return
    out = console()
    out.print(
        f"{page['source']} beside run {page['run']}: {page['paired']} trades in both, {page['only_theirs']} "
        f"only in theirs, {page['only_ours']} only in ours, {len(page['excluded'])} not compared",
        markup=False,
    )
    nets = f"theirs {page['their_net']}, ours {page['our_net']}"
    out.print(f"{nets}, difference {page['difference']} {page['currency']}\n")
    out.print(table(("cause", page["currency"]), list(page["causes"].items())))
    rows = [_pair(pair) for pair in page["pairs"]]
    out.print("", table(("entry UTC", "side", "lots", "theirs", "ours", "difference", "causes"), rows))
    if page["balance_agrees"] is False:
        out.print("The balance of their file does not add up; see `mt5ui tester import`.", style="yellow")
    _show_notes(page["notes"])


def _read(
    file: Path, settings: Settings, currency: str | None, clock: str | None, account: str | None
) -> "Imported":
    from backend.backtest.tester.model import Accounting
    from backend.backtest.tester.reading import read_file

    if account is not None and account not in set(Accounting):
        raise Invalid("bad_account", f"--account is {account!r}; it is one of {', '.join(Accounting)}")
    return read_file(
        file,
        _clock(settings, clock),
        currency=currency,
        accounting=None if account is None else Accounting(account),
    )


def _clock(settings: Settings, rule: str | None = None) -> "ServerClock":
    from backend.mt5.server_time import ServerClock

    return ServerClock.parse(rule or settings.server_clock)


def _bars(run: "OurRun", settings: Settings) -> "KnownBars":
    """The run's bars as far as the desk's store has them."""
    from backend.backtest.tester.comparing import KnownBars
    from backend.core.clock import from_epoch
    from backend.market.store import MarketStore
    from backend.storage.files import FileStorage

    clock = _clock(settings)
    store = MarketStore(FileStorage(settings.data_dir), clock)
    found = {}
    for name in sorted(run.symbols):
        bars = store.bars(name, run.timeframe, since=from_epoch(run.start))
        if len(bars):
            found[name] = bars
    return KnownBars(run.timeframe, clock, found)


def _names(text: str) -> tuple[str, str]:
    theirs, sign, ours = text.partition("=")
    if not (theirs and sign and ours):
        raise Invalid("bad_symbol", f"--symbol {text!r} is not THEIRS=OURS, such as EURUSD.raw=EURUSD")
    return theirs, ours


def _amounts(totals: dict[str, Any]) -> tuple[str, ...]:
    return tuple(totals[name] for name in ("net", "profit", "commission", "swap"))


def _row(trade: dict[str, Any]) -> tuple[Any, ...]:
    return (
        trade["id"],
        trade["symbol"],
        trade["side"],
        trade["volume"],
        trade["entry_time"],
        trade["entry_price"],
        trade["exit_time"],
        trade["exit_price"],
        trade["exit_kind"] + (" (assumed)" if trade["assumed"] else ""),
        trade["net"],
    )


def _pair(pair: dict[str, Any]) -> tuple[Any, ...]:
    theirs, ours = pair["theirs"], pair["ours"]
    first = theirs or ours
    causes = ", ".join(f"{name} {amount}" for name, amount in pair["causes"].items() if Decimal(amount))
    return (
        first["entry_time"],
        first["side"],
        first["volume"],
        theirs and theirs["net"],
        ours and ours["net"],
        pair["difference"],
        causes,
    )


def _show_balance(balance: dict[str, Any]) -> None:
    first = balance["first_difference"]
    if first is not None:
        text = f"Balance: {first['where']} states {first['stated']}, its deals make {first['expected']}"
        console().print(text, style="red", markup=False)
    elif balance["checked"]:
        console().print(f"Balance: all {balance['checked']} rows follow from their deals")
    else:
        console().print("Balance: the file states none")


def _show_notes(notes: list[str]) -> None:
    for note in notes:
        console().print(f"Note: {note}", style="yellow", markup=False)
