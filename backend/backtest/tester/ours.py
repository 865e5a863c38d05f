"""A run of our own as its folder tells it: report.json and trades.csv, nothing else."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from backend.backtest.tester.cells import number
from backend.core.clock import parse_iso
from backend.core.errors import DeskError, Invalid, NotFound
from backend.core.timeframes import Timeframe
from backend.trading.sides import Side

_MONEY: Final = ("gross", "spread_cost", "slippage_cost", "gap_cost", "commission", "swap", "net")
_NEEDED: Final = (
    "id",
    "symbol",
    "side",
    "volume",
    "entry_time",
    "entry_price",
    "exit_time",
    "exit_price",
    "exit_reason",
    *_MONEY,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OurTrade:
    """A row of trades.csv: times UTC epochs, money exact in account currency.

    net = gross − spread_cost − slippage_cost − gap_cost − commission + swap.

    Attributes:
        key: Names the trade of theirs that it is, where that is known; see `TheirTrade`.
    """

    id: str
    symbol: str
    side: Side
    volume: Decimal
    entry_time: int
    entry_price: Decimal
    exit_time: int
    exit_price: Decimal
    exit_reason: str
    gross: Decimal
    spread_cost: Decimal
    slippage_cost: Decimal
    gap_cost: Decimal
    commission: Decimal
    swap: Decimal
    net: Decimal
    key: str | None = None

    @property
    def profit(self) -> Decimal:
        """What the fills alone earned: gross − spread − slippage − gap."""
        return self.gross - self.spread_cost - self.slippage_cost - self.gap_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class OurRun:
    """A run.

    Attributes:
        start: UTC epoch of the first bar that could be traded.
        end: UTC epoch of the last bar's close.
        symbols: What it could trade, as far as the report tells; what it did trade at least.
    """

    id: str
    currency: str
    timeframe: Timeframe
    start: int
    end: int
    symbols: frozenset[str]
    trades: tuple[OurTrade, ...]


def read_run(folder: Path) -> OurRun:
    """The run of a folder that holds report.json and trades.csv.

    Raises:
        NotFound: Code ``no_such_run``.
        Invalid: ``bad_report`` or ``bad_trades``, with the key or the line.
    """
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        text = (folder / "trades.csv").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(
            "no_such_run",
            f"{folder} holds no run: a run's folder has report.json and trades.csv",
            path=str(folder),
        ) from error
    except (OSError, ValueError) as error:
        raise Invalid(
            "bad_report", f"{folder}: report.json or trades.csv cannot be read ({error})"
        ) from error
    trades = _trades(text, folder / "trades.csv")
    stated = report.get("symbol") if isinstance(report, dict) else None
    return OurRun(
        id=_text(report, folder, "id"),
        currency=_text(report, folder, "account", "currency"),
        timeframe=Timeframe.parse(_text(report, folder, "timeframe")),
        start=_epoch(_text(report, folder, "period", "from")),
        end=_epoch(_text(report, folder, "period", "to")),
        symbols=frozenset(
            {trade.symbol for trade in trades} | ({stated} if isinstance(stated, str) else set())
        ),
        trades=trades,
    )


def _text(report: Any, folder: Path, *keys: str) -> str:
    value = report
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(value, str):
        raise Invalid(
            "bad_report", f"{folder / 'report.json'}: {'.'.join(keys)} is {value!r}; the comparison needs it"
        )
    return value


def _trades(text: str, path: Path) -> tuple[OurTrade, ...]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise Invalid("bad_trades", f"{path}, line 1: no column {', '.join(missing)}", missing=missing)
    found = []
    for row in _rows(reader, path):
        where = f"{path}, line {reader.line_num}"
        try:
            trade = _trade(row, where)
        except (DeskError, TypeError, ValueError) as error:
            raise Invalid("bad_trades", f"{where}: {error}", where=where) from error
        if trade.net != trade.profit - trade.commission + trade.swap or trade.volume <= 0:
            raise Invalid(
                "bad_trades", f"{where}: net is not gross − costs + swap, or no volume", where=where
            )
        found.append(trade)
    return tuple(found)


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise Invalid("bad_trades", f"{path}, line {reader.line_num}: {error}") from error


def _trade(row: Mapping[str, str], where: str) -> OurTrade:
    money = {name: number(row[name], where, name) for name in _MONEY}
    return OurTrade(
        id=row["id"],
        symbol=row["symbol"],
        side=Side.BUY
        if row["side"] == "long"
        else Side.SELL
        if row["side"] == "short"
        else Side(row["side"]),
        volume=number(row["volume"], where, "volume"),
        entry_time=_epoch(row["entry_time"]),
        entry_price=number(row["entry_price"], where, "entry_price"),
        exit_time=_epoch(row["exit_time"]),
        exit_price=number(row["exit_price"], where, "exit_price"),
        exit_reason=row["exit_reason"],
        key=None,
        **money,
    )


def _epoch(text: str) -> int:
    return int(parse_iso(text).timestamp())
