"""`mt5ui account`, `positions`, `orders`: what stands at the broker, asked of the running desk."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from backend.cli.desk_client import DeskClient
from backend.cli.output import ago, console, print_json, show, table
from backend.config import load_settings
from backend.core.clock import parse_iso

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]

_OFFLINE: Final = "The terminal has lost its trade server: this is what it knew, and may be old."
_MONEY: Final = ("balance", "equity", "profit", "margin", "margin_free", "credit")


def account(*, as_json: Json = False) -> None:
    """The account: balance, equity, margin."""
    page = _ask("/api/account", as_json=as_json)
    if page is None:
        return
    out = console()
    out.print(
        f"{page['login']} {page['name']}, {page['server']}, {page['kind'].upper()}, 1:{page['leverage']}, "
        f"{'hedging' if page['hedging'] else 'netting'}",
        markup=False,
    )
    rows: list[tuple[str, str]] = [(name, f"{page[name]:,.2f} {page['currency']}") for name in _MONEY]
    level = page["margin_level"]
    rows.append(("margin_level", "-" if level is None else f"{level:,.1f} %"))
    out.print(table(("", ""), rows))
    for name, means in (
        ("trade_allowed", "This login may look, not trade."),
        ("trade_expert", "The server forbids automated trading."),
    ):
        if not page[name]:
            out.print(means, style="yellow")


def positions(*, as_json: Json = False) -> None:
    """Open positions, ours and others'."""
    columns = ("ticket", "symbol", "side", "volume", "open", "stop", "target", "now", "profit", "swap")
    names = ("ticket", "symbol", "side", "volume", "price_open", "stop", "target", "price_current")
    _show(
        "/api/positions",
        "There are no open positions.",
        (*columns, "opened", "by"),
        lambda row, now: (
            *(_exact(row[name]) for name in names),
            f"{row['profit']:,.2f}",
            f"{row['swap']:,.2f}",
            ago(row["opened_at"], now),
            _by(row),
        ),
        as_json=as_json,
    )


def orders(*, as_json: Json = False) -> None:
    """Pending orders, ours and others'."""
    names = ("ticket", "symbol", "type", "volume_left", "price", "stop", "target", "price_current")
    _show(
        "/api/orders",
        "There are no pending orders.",
        ("ticket", "symbol", "type", "volume", "at", "stop", "target", "now", "placed", "expires", "by"),
        lambda row, now: (
            *(_exact(row[name]) for name in names),
            ago(row["placed_at"], now),
            ago(row["expires_at"], now),
            _by(row),
        ),
        as_json=as_json,
    )


def _ask(path: str, *, as_json: bool) -> Any:
    """The page; None if it went out as JSON."""
    with DeskClient(load_settings()) as desk:
        page = desk.get(path)
    if as_json:
        print_json(page)
        return None
    if not page["connected"]:
        console().print(_OFFLINE, style="yellow")
    return page


def _show(path: str, none: str, columns: Sequence[str], cells: Any, *, as_json: bool) -> None:
    page = _ask(path, as_json=as_json)
    if page is None:
        return
    if not page["items"]:
        console().print(none)
        return
    now = parse_iso(page["at"])
    rows: Iterable[Sequence[Any]] = [cells(row, now) for row in page["items"]]
    console().print(table(columns, rows, cut=columns))


def _exact(value: Any) -> str:
    """A price or volume with all its digits, where other numbers have two."""
    return f"{value:.10g}" if isinstance(value, float) else show(value)


def _by(row: Mapping[str, Any]) -> str:
    """Who it belongs to."""
    if row["ours"]:
        return "this desk"
    return "a person" if row["magic"] == 0 else f"magic {row['magic']}"
