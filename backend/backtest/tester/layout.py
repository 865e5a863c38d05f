"""Where in a file's rows the deals stand, and which column is which.

English headers are read by name. In another language the terminal translates headers and titles but
not the words in the rows (``buy``, ``in``, ``balance``): there the rows are found by their shape and the
columns by their place, and a note says so.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from backend.backtest.tester.cells import Row, server_time
from backend.backtest.tester.model import Direction
from backend.core.errors import Invalid

KINDS: Final = frozenset(
    {
        "buy",
        "sell",
        "balance",
        "credit",
        "charge",
        "correction",
        "bonus",
        "commission",
        "daily commission",
        "monthly commission",
        "daily agent commission",
        "monthly agent commission",
        "agent",
        "interest",
        "dividend",
        "franked dividend",
        "tax",
        "buy canceled",
        "sell canceled",
    }
)
_DIRECTIONS: Final = frozenset(Direction)
NEEDED: Final = ("time", "deal", "symbol", "type", "direction", "volume", "price", "profit")
_NAMES: Final = {
    "ticket": "deal",
    "entry": "direction",
    "position id": "position",
    "position_id": "position",
}
_KNOWN: Final = frozenset({*NEEDED, "order", "commission", "fee", "swap", "balance", "comment", "position"})
_HEAD: Final = ("time", "deal", "symbol", "type", "direction", "volume", "price", "order")
_BY_LENGTH: Final = {
    13: (*_HEAD, "commission", "swap", "profit", "balance", "comment"),
    14: (*_HEAD, "commission", "fee", "swap", "profit", "balance", "comment"),
    15: (*_HEAD, "cost", "commission", "fee", "swap", "profit", "balance", "comment"),
}
_SHORTEST: Final = min(_BY_LENGTH) - 1  # a workbook leaves an empty comment out
_CURRENCY: Final = re.compile(r"[A-Z]{3,5}")
_ACCOUNT: Final = re.compile(r"\d+ ?\((?P<currency>[A-Z]{3,5}),(?P<rest>.*)\)")
_PERIOD: Final = re.compile(r"\((\d{4}\.\d{2}\.\d{2}) - (\d{4}\.\d{2}\.\d{2})\)")
_TYPE, _DIRECTION = _HEAD.index("type"), _HEAD.index("direction")


@dataclass(frozen=True, slots=True)
class Found:
    """The deals' rows.

    Attributes:
        first: Index of the first row after the header.
        columns: Column name → place.
        width: Cells of the header.
        note: How the columns were found, where not by name.
        ends: Whether the table ends before the file does, with totals, a space or the next table.
    """

    first: int
    columns: Mapping[str, int]
    width: int
    note: str = ""
    ends: bool = True


def find_deals(rows: list[Row], source: str) -> Found:
    """The Deals table.

    Raises:
        Invalid: ``optimisation_results``, ``not_a_report`` or ``missing_column``.
    """
    for index, row in enumerate(rows):
        if [cell.casefold() for cell in row.filled] == ["deals"]:
            header = _next_filled(rows, index + 1)
            if header is not None and _is_english(rows[header]):
                return _by_name(rows[header], header, source)
    shaped = next((index for index, row in enumerate(rows) if _is_deal(row)), None)
    if shaped is not None:
        return _by_place(rows, shaped, source)
    raise _refusal(rows, source)


def whole_table(header: Row, source: str) -> Found:
    """The deals of a file that is one table under its header, as a CSV is.

    Raises:
        Invalid: Code ``missing_column``.
    """
    return replace(_by_name(header, 0, source), ends=False)


def deal_cells(rows: list[Row], found: Found) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each deal stands and its cells by column name, to the totals or the end of the table.

    Raises:
        Invalid: ``ragged_row``: a row with fewer or more cells than the header; ``split_table``: deals go
            on after what ended the table.
    """
    width = found.width
    ended = ""
    for row in rows[found.first :]:
        if ended:
            if _is_deal(row):
                raise Invalid(
                    "split_table",
                    f"{row.where}: a deal stands after the end of the table at {ended}; save the file again",
                    where=row.where,
                )
            continue
        if found.ends and _is_end(row, width):
            ended = row.where
            continue
        missing = width - len(row.cells)
        if missing > 1 or any(row.cells[width:]):
            raise Invalid(
                "ragged_row",
                f"{row.where}: a deal has {len(row.cells)} cells where the header has {width}",
                where=row.where,
            )
        cells = [*row.cells, *[""] * max(missing, 0)]
        yield row.where, {name: cells[place] for name, place in found.columns.items()}


def _is_end(row: Row, width: int) -> bool:
    """Whether a row ends the deals: their totals, the space under the table, or the next one."""
    if len(row.filled) <= 1 or row.cells[0].endswith(":"):
        return True
    ticket = len(row.cells) >= width - 1 and row.cells[1].isdecimal()
    return not row.cells[0] and not ticket


def labels(rows: list[Row]) -> dict[str, str]:
    """``Label: value`` pairs of the lines above the tables, labels in lower case."""
    found: dict[str, str] = {}
    for row in rows:
        filled = row.filled
        for label, value in pairwise(filled):
            if label.endswith(":") and not value.endswith(":"):
                found.setdefault(label[:-1].strip().casefold(), value)
    return found


def stated_currency(rows: list[Row]) -> tuple[str | None, str]:
    """The account's currency and how its positions are kept, as the lines above the tables state them.

    Returns:
        Currency or None, and the rest of an account line (server, kind, ``Hedge``).
    """
    values = labels(rows)
    for value in values.values():
        match = _ACCOUNT.fullmatch(value)
        if match:
            return match["currency"], match["rest"]
    if "currency" in values:
        return values["currency"], ""
    shaped = {value for value in values.values() if re.fullmatch(r"[A-Z]{3}", value)}
    return (shaped.pop(), "") if len(shaped) == 1 else (None, "")


def stated_period(rows: list[Row]) -> tuple[int, int] | None:
    """Server epochs between which the test ran, where the report states its dates; the last is not in it."""
    for value in labels(rows).values():
        match = _PERIOD.search(value)
        if match:
            first, last = (server_time(f"{date} 00:00") for date in match.groups())
            if first is not None and last is not None:
                return first, last
    return None


def is_currency(text: str) -> bool:
    """Whether the text can be a currency's code."""
    return _CURRENCY.fullmatch(text) is not None


def _is_english(header: Row) -> bool:
    """Whether most needed columns are there; one that is missing is then missing, not translated."""
    return len(set(NEEDED) & {_name(cell) for cell in header.cells}) > len(NEEDED) / 2


def _name(cell: str) -> str:
    name = cell.casefold()
    return _NAMES.get(name, name)


def _by_name(header: Row, index: int, source: str) -> Found:
    columns: dict[str, int] = {}
    for place, cell in enumerate(header.cells):
        if _name(cell) in _KNOWN:
            columns.setdefault(_name(cell), place)
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise Invalid(
            "missing_column",
            f"{source}, {header.where}: the deals have no column {', '.join(missing)}; there are "
            f"{', '.join(filter(None, header.cells))}",
            where=header.where,
            missing=missing,
        )
    return Found(index + 1, columns, max(place for place, cell in enumerate(header.cells, 1) if cell))


def _by_place(rows: list[Row], first: int, source: str) -> Found:
    header = rows[first - 1] if first else rows[first]
    length = len(header.cells) if len(header.cells) in _BY_LENGTH else len(rows[first].cells)
    names = _BY_LENGTH.get(length)
    if names is None:
        raise Invalid(
            "missing_column",
            f"{source}, {rows[first].where}: deals with {length} columns under headers that are not English; "
            f"known by place are {', '.join(map(str, _BY_LENGTH))}: save the report in English",
            where=rows[first].where,
        )
    if header.cells[1:2] and header.cells[1].isdecimal():
        raise Invalid(
            "bad_deal",
            f"{source}, {header.where}: what stands above the first deal is no header but a broken deal",
            where=header.where,
        )
    note = (
        f"The headers of the deals are not English ({', '.join(header.filled)}): the {length} columns were "
        "taken by their place."
    )
    columns = {name: place for place, name in enumerate(names) if name in _KNOWN}
    return Found(first, columns, length, note)


def _is_deal(row: Row) -> bool:
    cells = row.cells
    if len(cells) < _SHORTEST or server_time(cells[0]) is None or not cells[1].isdecimal():
        return False
    kind = cells[_TYPE].casefold()
    traded = kind in {"buy", "sell"}
    return kind in KINDS and (cells[_DIRECTION].casefold() in _DIRECTIONS if traded else True)


def _next_filled(rows: list[Row], start: int) -> int | None:
    return next((index for index in range(start, len(rows)) if rows[index].filled), None)


def _refusal(rows: list[Row], source: str) -> Invalid:
    heads = {cell.casefold() for row in rows[:50] for cell in row.cells}
    if "pass" in heads and ("result" in heads or "profit" in heads):
        return Invalid(
            "optimisation_results",
            f"{source} lists the passes of an optimisation, not deals; run one alone and save its report",
        )
    return Invalid(
        "not_a_report",
        f"{source} has no table of deals ({len(rows)} rows read): in MetaTrader 5 right-click the tester's "
        "Backtest tab, or the terminal's History tab, and save the report as HTML or Open XML",
        rows=len(rows),
    )
