"""`mt5ui parity`: a live day beside the same day as a backtest."""

from typing import Annotated, Any

import typer

from backend.cli.output import console, print_json, table
from backend.config import load_settings


def parity(
    *,
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The broker's day; else its last whole one.")
    ] = None,
    kept: Annotated[
        bool, typer.Option("--kept", help="Show what was found before, without asking the terminal.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")] = False,
) -> None:
    """Put each live trade of a day beside its twin of a backtest, and split the gap by cause."""
    from backend.backtest.parity.kept import audited_day, audited_days
    from backend.services import build_services

    services = build_services(load_settings())
    if kept and day is None:
        days = audited_days(services.storage)
        if as_json:
            print_json({"days": days})
        else:
            rows = [(one["day"], one["live_net"], one["twin_net"], one["gap"]) for one in days]
            console().print(table(("day", "live", "twin", "gap"), rows))
        return
    page = audited_day(services.storage, str(day)) if kept else services.parity.audit(day)
    if as_json:
        print_json(page)
    else:
        _show(page)


def _show(page: dict[str, Any]) -> None:
    out = console()
    over = "" if page["complete"] else " (not over yet)"
    out.print(
        f"{page['day']}{over}: {page['live_trades']} live trades, {page['twin_trades']} of the backtest, "
        f"{page['paired']} in both",
        markup=False,
    )
    out.print(
        f"live {page['live_net']}, twin {page['twin_net']}, gap {page['gap']} {page['currency']}\n",
        markup=False,
    )
    out.print(table(("cause", page["currency"]), list(page["causes"].items())))
    rows = []
    for pair in page["pairs"]:
        nets = [pair[side]["net"] if pair[side] else None for side in ("live", "twin")]
        causes = ", ".join(f"{name} {money}" for name, money in pair["causes"].items())
        rows.append(
            (pair["signal_time"], pair["strategy"], pair["symbol"], *nets, pair["gap"], causes, pair["why"])
        )
    out.print("", table(("signal", "strategy", "symbol", "live", "twin", "gap", "causes", ""), rows))
    for row in page["excluded"]:
        out.print(
            f"Not compared: {row['side']} {row['symbol']} of {row['entry_time']}: {row['why']}", markup=False
        )
    for note in page["notes"]:
        out.print(note, style="yellow", markup=False)
