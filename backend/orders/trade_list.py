"""Closed trades out of ``logs/trades_{YYYYmmdd}.csv`` and the archive: filtered, newest first, by pages."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from backend.core.clock import parse_iso
from backend.core.errors import Invalid
from backend.core.problems import Problem
from backend.storage.files import FileStorage
from backend.trading.trade_table import TRADE_COLUMNS

PATTERNS: Final = ("logs/trades_*.csv", "logs/archive/trades_*.csv")
_NAME: Final = re.compile(r".*trades_(\d{4})(\d{2})(\d{2})\.csv")
_NUMBERS: Final = (
    "volume",
    "entry_price",
    "initial_stop",
    "initial_target",
    "exit_price",
    "gross",
    "spread_cost",
    "slippage_cost",
    "gap_cost",
    "commission",
    "swap",
    "net",
    "r",
    "mae",
    "mfe",
)
_WORDS: Final = ("symbol", "strategy", "side", "exit_reason")


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeFilter:
    """Which trades; None is any.

    Attributes:
        since: Closed at or after.
        until: Closed before.
        symbol: Canonical symbol.
        strategy: Id of the strategy; empty for trades of persons.
        side: long or short.
        exit_reason: Why it ended.
        ids: Only these trades.
        but: None of these.
    """

    since: datetime | None = None
    until: datetime | None = None
    symbol: str | None = None
    strategy: str | None = None
    side: str | None = None
    exit_reason: str | None = None
    ids: frozenset[str] | None = None
    but: frozenset[str] = frozenset()

    def takes(self, row: dict[str, str]) -> bool:
        """Whether a row, as the file has it, is wanted."""
        closed = parse_iso(row["exit_time"])
        if (self.since is not None and closed < self.since) or (
            self.until is not None and closed >= self.until
        ):
            return False
        if row["id"] in self.but or (self.ids is not None and row["id"] not in self.ids):
            return False
        return all(getattr(self, name) in {None, row[name]} for name in _WORDS)

    def takes_day(self, day: date) -> bool:
        """Whether a file of that day may hold some."""
        begins = self.since is None or self.since.astimezone(UTC).date() <= day
        return begins and (self.until is None or day <= self.until.astimezone(UTC).date())


@dataclass(frozen=True, kw_only=True, slots=True)
class TradePage:
    """Some trades.

    Attributes:
        rows: `TRADE_COLUMNS`, numbers as numbers; what is not known is None.
        cursor: Gives the next page; None on the last.
        problems: Lines that are no trades.
    """

    rows: list[dict[str, Any]]
    cursor: str | None
    problems: list[Problem]


def trades_page(
    home: FileStorage, wanted: TradeFilter, *, limit: int, cursor: str | None = None
) -> TradePage:
    """The newest trades that are wanted, at most `limit`.

    A trade that stands in the day's file and in the archive, as while it is moved there, is told once.

    Raises:
        Invalid: ``bad_cursor``.
    """
    before = None if cursor is None else _read_cursor(cursor)
    problems: list[Problem] = []
    names = [name for pattern in PATTERNS for name in home.names(pattern)]
    days = sorted({day for name in names if (day := _day(name)) and wanted.takes_day(day)}, reverse=True)
    found: dict[str, dict[str, str]] = {}
    for day in days:
        of_day = [name for name in names if _day(name) == day]
        read = (row for name in of_day for row in _rows(home, name, problems) if wanted.takes(row))
        for row in sorted({row["id"]: row for row in read}.values(), key=_place, reverse=True):
            if before is None or _place(row) < before:
                found.setdefault(row["id"], row)
        if len(found) > limit:
            break
    rows = list(found.values())
    more = len(rows) > limit
    return TradePage(
        rows=[_typed(row) for row in rows[:limit]],
        cursor=_cursor(rows[limit - 1]) if more else None,
        problems=problems,
    )


def _rows(home: FileStorage, name: str, problems: list[Problem]) -> Iterator[dict[str, str]]:
    try:
        text = home.read_bytes(name).decode("utf-8-sig", errors="replace")
    except FileNotFoundError:  # it was moved to the archive meanwhile
        return
    lines = csv.reader(text.splitlines())
    head = next(lines, [])
    missing = [column for column in TRADE_COLUMNS if column not in head]
    if missing:
        problems.append(Problem(file=name, pointer="", reason=f"the head lacks {', '.join(missing)}"))
        return
    for cells in lines:
        row = dict(zip(head, cells, strict=False))
        reason = f"{len(cells)} cells instead of {len(head)}" if len(cells) != len(head) else _wrong(row)
        if reason:
            problems.append(Problem(file=name, pointer=f"line {lines.line_num}", reason=reason))
        else:
            yield row


def _wrong(row: dict[str, str]) -> str:
    for name in _NUMBERS:
        try:
            float(row[name] or 0)
        except ValueError:
            return f"{name} is {row[name]!r}, no number"
    try:
        parse_iso(row["exit_time"])
    except Invalid as error:
        return f"exit_time: {error.message}"
    return "" if row["id"] else "it has no id"


def _typed(row: dict[str, str]) -> dict[str, Any]:
    typed: dict[str, Any] = {name: row[name] or None for name in TRADE_COLUMNS}
    typed |= {name: float(row[name]) if row[name] else None for name in _NUMBERS}
    typed["ambiguous"] = {"1": True, "0": False, "True": True, "False": False}.get(row["ambiguous"])
    return typed


def _place(row: dict[str, str]) -> tuple[datetime, str]:
    return parse_iso(row["exit_time"]), row["id"]


def _cursor(row: dict[str, str]) -> str:
    return f"{row['exit_time']}|{row['id']}"


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    closed, _, name = cursor.partition("|")
    try:
        return parse_iso(closed), name
    except Invalid:
        raise Invalid("bad_cursor", "the cursor is none that a page of trades gave", cursor=cursor) from None


def _day(name: str) -> date | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
