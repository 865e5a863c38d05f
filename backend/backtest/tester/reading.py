"""A file saved by MetaTrader 5, read whole or refused: HTML, XML, .xlsx, or a CSV of deals."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from backend.backtest.tester.balance import check_balance
from backend.backtest.tester.cells import Row, tidy
from backend.backtest.tester.closing import closed_trades
from backend.backtest.tester.deals import connector_deals, deals_of, positions_of, stops_and_limits
from backend.backtest.tester.html_rows import html_rows
from backend.backtest.tester.layout import (
    deal_cells,
    find_deals,
    is_currency,
    labels,
    stated_currency,
    stated_period,
    whole_table,
)
from backend.backtest.tester.model import Accounting, Deal, Imported, Tables
from backend.backtest.tester.workbook_rows import LARGEST_BYTES, spreadsheetml_rows, xlsx_rows
from backend.core.errors import Invalid, NotFound
from backend.mt5.server_time import ServerClock

_SHOWN: Final = ("expert", "symbol", "period", "company", "initial deposit", "leverage", "account", "name")
_START = 4096


def read_file(
    path: Path, clock: ServerClock, *, currency: str | None = None, accounting: Accounting | None = None
) -> Imported:
    """Import a report or a CSV of deals.

    Args:
        path: The file.
        clock: Rule of the clock that the file's times are on.
        currency: Account currency where the file states none; a CSV never does.
        accounting: Overrides what the file states or what is found from its deals.

    Raises:
        NotFound: There is no such file.
        Invalid: By name, with line or row: not a report, cut, a deal that does not pair, no currency.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST_BYTES else b""
    except FileNotFoundError as error:
        raise NotFound("no_such_file", f"There is no file {path}", path=str(path)) from error
    except OSError as error:
        raise Invalid("unreadable_file", f"{path} cannot be read: {error.strerror or error}") from error
    if not data:
        raise Invalid("bad_file", f"{path} is empty or larger than {LARGEST_BYTES:,} bytes: not a report")
    tables = read_tables(data, path.name, clock, currency=currency)
    return imported(tables, accounting)


def imported(tables: Tables, accounting: Accounting | None = None) -> Imported:
    """The trades of a file's deals, and whether its balance adds up."""
    closed = closed_trades(tables, accounting or tables.accounting)
    return Imported(
        tables=tables,
        accounting=closed.accounting,
        trades=closed.trades,
        still_open=closed.still_open,
        balance=check_balance(tables.deals),
        notes=(*tables.notes, *closed.notes),
    )


def from_connector(
    rows: Iterable[Mapping[str, Any]],
    clock: ServerClock,
    *,
    currency: str,
    accounting: Accounting | None = None,
    source: str = "connector",
) -> Imported:
    """Import what ``history_deals_get`` answered, each deal as a mapping of its fields."""
    deals = connector_deals(rows, clock, source)
    return imported(_only_deals(deals, source, currency), accounting)


def read_tables(data: bytes, source: str, clock: ServerClock, *, currency: str | None = None) -> Tables:
    """The tables of a file's bytes; raises as `read_file`."""
    if data.startswith(b"PK"):
        return _report(xlsx_rows(data, source), source, clock, currency)
    text = _text(data, source)
    start = text[:_START].lstrip().casefold()
    if start.startswith("<?xml") and "<workbook" in start:
        # the declaration may name the encoding that the text no longer has
        body = text.lstrip().partition("?>")[2]
        return _report(spreadsheetml_rows(body.encode(), source), source, clock, currency)
    if start.startswith("<"):
        return _report(html_rows(text, source), source, clock, currency)
    return _csv(text, source, clock, currency)


def _report(rows: list[Row], source: str, clock: ServerClock, currency: str | None) -> Tables:
    found = find_deals(rows, source)
    above = rows[: found.first]
    stated, rest = stated_currency(above)
    deals = _some(deals_of(deal_cells(rows, found), clock), source)
    heads = {cell.casefold() for row in above for cell in row.cells}
    history = bool(rest) or "positions" in heads or "trade history report" in heads
    values = labels(above)
    period = stated_period(above)
    return Tables(
        source=source,
        kind="account history" if history else "strategy tester report",
        currency=_currency(stated, currency, source),
        deals=deals,
        start=clock.to_utc(period[0]) if period else deals[0].time,
        end=clock.to_utc(period[1]) if period else None,
        orders=stops_and_limits(above),
        positions=positions_of(above, clock),
        accounting=_accounting(rest),
        settings={name: values[name] for name in _SHOWN if name in values},
        notes=(found.note,) if found.note else (),
    )


def _csv(text: str, source: str, clock: ServerClock, currency: str | None) -> Tables:
    first = text.partition("\n")[0]
    separator = max((first.count(mark), mark) for mark in ";\t,")[1]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [Row(f"line {reader.line_num}", tuple(map(tidy, cells))) for cells in reader if any(cells)]
    except csv.Error as error:
        raise Invalid("bad_file", f"{source}, line {reader.line_num}: {error}") from error
    if separator not in first or not rows:
        raise Invalid("not_a_report", f"{source} is neither a report of MetaTrader 5 nor a CSV of deals")
    names = [cell.casefold() for cell in rows[0].cells]
    if "position_id" in names and "entry" in names:
        mappings = [dict(zip(names, row.cells, strict=False)) for row in rows[1:]]
        deals = connector_deals(mappings, clock, source)
    else:
        deals = deals_of(deal_cells(rows, whole_table(rows[0], source)), clock)
    return _only_deals(deals, source, currency)


def _only_deals(deals: tuple[Deal, ...], source: str, currency: str | None) -> Tables:
    start = _some(deals, source)[0].time
    return Tables(
        source=source, kind="deals", currency=_currency(None, currency, source), deals=deals, start=start
    )


def _text(data: bytes, source: str) -> str:
    """Text of the bytes: UTF-16 as the terminal writes it, else UTF-8."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not wide and data[1:2] == b"\0":
        data, wide = b"\xff\xfe" + data, True
    try:
        return data.decode("utf-16") if wide else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if wide and error.end >= len(data) - 1:
            raise Invalid(
                "cut_file", f"{source} ends inside a character: the file was cut; save it again"
            ) from error
        raise Invalid(
            "bad_encoding", f"{source} is neither UTF-16 nor UTF-8: byte {error.start} fits neither"
        ) from error


def _currency(stated: str | None, given: str | None, source: str) -> str:
    if stated is not None and given is not None and is_currency(stated) and stated != given:
        raise Invalid("other_currency", f"{source} is in {stated}; leave --currency {given} out")
    text = given or stated
    if text is None:
        raise Invalid(
            "unknown_currency", f"{source} does not state the account's currency; give it with --currency USD"
        )
    if not is_currency(text):
        raise Invalid("unknown_currency", f"{source}: {text!r} is not the code of a currency, such as USD")
    return text


def _some(deals: tuple[Deal, ...], source: str) -> tuple[Deal, ...]:
    if not deals:
        raise Invalid("no_deals", f"{source} has a table of deals without a deal")
    return deals


def _accounting(rest: str) -> Accounting | None:
    words = rest.casefold()
    if "hedg" in words:
        return Accounting.HEDGING
    return Accounting.NETTING if "netting" in words else None
