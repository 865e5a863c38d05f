"""Closed trades as a table for a spreadsheet, of which no cell is a formula."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from backend.orders.trade_notes import Note
from backend.trading.trade_table import TRADE_COLUMNS

COLUMNS: Final = (*TRADE_COLUMNS, "tags", "note")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - what spreadsheets take too


def table(rows: Iterable[Mapping[str, Any]], notes: Mapping[str, Note]) -> str:
    """The CSV text; what is not known is empty.

    A text that a spreadsheet would compute is written with an apostrophe before it; numbers are numbers.

    Args:
        rows: Rows of `backend.orders.trade_list`.
        notes: By trade.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        note = notes.get(row["id"])
        said = {"tags": ", ".join(note.tags), "note": note.note} if note is not None else {}
        writer.writerow([_cell({**row, **said}.get(name)) for name in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
