"""`mt5ui trades`: closed trades with the broker's figures, out of the desk's files; no desk needs to run."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from backend.cli.output import console, print_json, show, table
from backend.config import load_settings
from backend.core.clock import parse_iso

_COLUMNS = (
    "closed",
    "symbol",
    "side",
    "volume",
    "entry",
    "exit",
    "reason",
    "gross",
    "commission",
    "swap",
    "net",
    "R",
    "strategy",
)


def trades(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Closed at or after: a UTC day or an ISO time.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Closed before.")] = None,
    symbol: str | None = None,
    strategy: Annotated[str | None, typer.Option(help="Its id; '' for trades of persons.")] = None,
    exit_reason: Annotated[str | None, typer.Option(help="target, stop, trail, exit_rule, person …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")] = False,
) -> None:
    """Closed trades, the newest first."""
    from backend.orders.trade_list import TradeFilter, trades_page
    from backend.storage.files import FileStorage

    wanted = TradeFilter(
        since=_time(since), until=_time(until), symbol=symbol, strategy=strategy, exit_reason=exit_reason
    )
    page = trades_page(FileStorage(load_settings().home), wanted, limit=limit)
    if as_json:
        print_json(
            {
                "items": page.rows,
                "next_cursor": page.cursor,
                "problems": [asdict(one) for one in page.problems],
            }
        )
        return
    out = console()
    if page.rows:
        out.print(table(_COLUMNS, [_cells(row) for row in page.rows]))
    else:
        out.print("There are no closed trades.")
    if page.cursor is not None:
        out.print(f"There are older ones than these {limit}.")
    for problem in page.problems:
        out.print(str(problem), style="yellow", markup=False)


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    prices = (
        f"{row[name]:.10g}" if row[name] is not None else None for name in ("entry_price", "exit_price")
    )
    return (
        f"{parse_iso(row['exit_time']):%Y-%m-%d %H:%M:%S}",
        row["symbol"],
        row["side"],
        f"{row['volume']:.10g}",
        *prices,
        row["exit_reason"],
        *(row[name] for name in ("gross", "commission", "swap", "net", "r")),
        show(row["strategy"]),
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    return parse_iso(f"{text}T00:00:00Z" if len(text) == len("2026-01-31") else text)
