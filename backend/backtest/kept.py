"""The backtests that are kept: found, listed, told whether they still hold, read in parts, removed."""

import contextlib
import csv
import io
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from backend.backtest.report_files import FILES, FOLDER, report_name
from backend.backtest.staleness import Present, Traded, traded_as
from backend.backtest.thinning import thinned
from backend.core.clock import iso
from backend.core.errors import DeskError, Invalid, NotFound
from backend.storage.encoding import decode
from backend.storage.files import FileState, FileStorage
from backend.storage.locks import sweep
from backend.strategies.files import LoadedStrategies

SHOWN: Final = (
    "trades",
    "win_rate_pct",
    "net_profit",
    "total_return_pct",
    "max_drawdown_pct",
    "profit_factor",
    "expectancy_r",
    "sharpe",
)
_ID: Final = re.compile(r"[0-9a-f]{16}")
_CURSOR: Final = re.compile(r"([0-9]{1,20})\.([0-9a-f]{16})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which backtests are wanted; None lets all pass.

    Attributes:
        strategy: Id of a strategy of theirs.
        symbol: A symbol of theirs.
        since: Computed then or later.
        until: Computed before.
    """

    strategy: str | None = None
    symbol: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """What is remembered of a report."""

    id: str
    at: int
    values: Mapping[str, Any]
    traded: tuple[Traded, ...]

    @property
    def cursor(self) -> str:
        return f"{self.at}.{self.id}"


class KeptBacktests:
    """The reports below ``data/backtests``; each is read once while it stays as it is. Thread-safe.

    Args:
        storage: The desk's data folder.
    """

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage
        self._rows: dict[str, tuple[FileState, _Row | str]] = {}
        self._mutex = threading.Lock()

    def page(
        self, wanted: Wanted, present: LoadedStrategies, *, limit: int, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], int, str | None, list[dict[str, str]]]:
        """The last computed first: rows, how many are wanted in all, the next cursor, and damaged ones.

        Raises:
            Invalid: ``bad_cursor``.
        """
        place = _place(cursor)
        rows, problems = self._look()
        found = sorted(
            (row for row in rows if _passes(row, wanted)), key=lambda row: (row.at, row.id), reverse=True
        )
        rest = found if place is None else [row for row in found if (row.at, row.id) < place]
        rules = Present(present)
        page = [self._told(row, rules) for row in rest[:limit]]
        following = rest[limit - 1].cursor if len(rest) > limit else None
        return page, len(found), following, problems

    def one(self, run_id: str, present: LoadedStrategies) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its row and its whole report.

        Raises:
            NotFound: ``unknown_backtest``.
            Invalid: ``bad_backtest``: its report is damaged.
        """
        data = self._bytes(run_id, "report.json")
        try:
            report = decode(data)
            row = _row(run_id, self._storage.state(report_name(run_id)), report)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(run_id, "report.json", error) from error
        return self._told(row, Present(present)), report

    def page_html(self, run_id: str) -> bytes:
        """The report to look at; errors as of `one`."""
        return self._bytes(run_id, "report.html")

    def equity(
        self, run_id: str, *, most: int, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Any]:
        """Equity at closes as columns, at most so many points: each part's highest, lowest and worst stay.

        Raises:
            NotFound: ``unknown_backtest``.
            Invalid: ``bad_backtest``: its file is damaged.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = self._bytes(run_id, "equity.parquet")
        try:
            table = pq.read_table(io.BytesIO(data), columns=["time", "equity", "worst"])
            time = table["time"].to_numpy().astype("datetime64[s]").astype(np.int64)
            equity, worst = table["equity"].to_numpy(), table["worst"].to_numpy()
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            raise _damaged(run_id, "equity.parquet", error) from error
        begin = 0 if since is None else int(np.searchsorted(time, since.timestamp(), side="left"))
        end = len(time) if until is None else int(np.searchsorted(time, until.timestamp(), side="right"))
        time, equity, worst = time[begin:end], equity[begin:end], worst[begin:end]
        kept = thinned(equity, worst, most=most)
        return {
            "count": len(time),
            "time": time[kept].tolist(),
            "equity": equity[kept].tolist(),
            "worst": worst[kept].tolist(),
        }

    def trades(self, run_id: str, *, start: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Rows of its trades from number `start`, and how many there are.

        Raises:
            NotFound: ``unknown_backtest``.
            Invalid: ``bad_backtest``: its file is damaged.
        """
        data = self._bytes(run_id, "trades.csv")
        try:
            lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
            head = next(lines)
            before = sum(1 for _ in islice(lines, start))
            rows = [dict(zip(head, cells, strict=True)) for cells in islice(lines, limit)]
            return rows, before + len(rows) + sum(1 for _ in lines)
        except (ValueError, StopIteration, csv.Error) as error:
            raise _damaged(run_id, "trades.csv", error) from error

    def remove(self, run_id: str) -> None:
        """Remove its files, the report first, so that no half of it is taken for a whole one.

        Raises:
            NotFound: ``unknown_backtest``.
            Unavailable: The disk refuses.
        """
        _require_id(run_id)
        gone = [self._storage.delete(f"{FOLDER}/{run_id}/{name}") for name in FILES]
        if not any(gone):
            raise _unknown(run_id)
        folder = self._storage.path(f"{FOLDER}/{run_id}")
        sweep(folder)
        with contextlib.suppress(OSError):  # what somebody else put there stays
            folder.rmdir()

    def _look(self) -> tuple[list[_Row], list[dict[str, str]]]:
        with self._mutex:
            there: dict[str, tuple[FileState, _Row | str]] = {}
            for run_id in filter(_ID.fullmatch, self._storage.entries(FOLDER)):
                with contextlib.suppress(NotFound):  # being written, or being removed
                    state = self._storage.state(report_name(run_id))
                    known = self._rows.get(run_id)
                    there[run_id] = (
                        known if known and known[0] == state else (state, self._read(run_id, state))
                    )
            self._rows = there
        rows = [row for _, row in there.values() if isinstance(row, _Row)]
        reasons = {run_id: row for run_id, (_, row) in sorted(there.items()) if isinstance(row, str)}
        return rows, [{"id": run_id, "reason": reason} for run_id, reason in reasons.items()]

    def _read(self, run_id: str, state: FileState) -> _Row | str:
        try:
            return _row(run_id, state, decode(self._storage.read_bytes(report_name(run_id))))
        except NotFound:
            raise
        except DeskError as error:
            return error.message
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return f"{report_name(run_id)} is not a report of this version: {error!r}"

    def _bytes(self, run_id: str, name: str) -> bytes:
        _require_id(run_id)
        try:
            self._storage.state(report_name(run_id))  # without it the others are not whole yet
            return self._storage.read_bytes(f"{FOLDER}/{run_id}/{name}")
        except NotFound as error:
            raise _unknown(run_id) from error

    def _told(self, row: _Row, present: Present) -> dict[str, Any]:
        return {**row.values, "stale": present.stale(row.values["provenance"], row.traded)}


def _row(run_id: str, state: FileState, report: Mapping[str, Any]) -> _Row:
    at = state[1]
    metrics, undefined = report["metrics"], report["undefined"]
    chosen = report["limits"]["risk_fraction"]
    traded = tuple(traded_as(stream, risk_of_run=chosen) for stream in report["streams"])
    values = {
        "id": run_id,
        "computed_at": iso(datetime.fromtimestamp(at // 1_000_000_000, UTC)),
        "strategies": [*dict.fromkeys(one.strategy for one in traded)],
        "symbols": [*dict.fromkeys(str(stream["symbol"]) for stream in report["streams"])],
        "timeframe": report["timeframe"],
        "period": report["period"],
        "account": report["account"],
        "metrics": {name: metrics[name] for name in SHOWN},
        "undefined": {name: undefined[name] for name in SHOWN if name in undefined},
        "provenance": dict(report["provenance"]),
    }
    return _Row(id=run_id, at=at, values=values, traded=traded)


def _passes(row: _Row, wanted: Wanted) -> bool:
    return (
        (wanted.strategy is None or wanted.strategy in row.values["strategies"])
        and (wanted.symbol is None or wanted.symbol in row.values["symbols"])
        and (wanted.since is None or row.at >= wanted.since.timestamp() * 1e9)
        and (wanted.until is None or row.at < wanted.until.timestamp() * 1e9)
    )


def _place(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Invalid("bad_cursor", f"{cursor!r} is not a cursor of this list")
    return int(found[1]), found[2]


def _require_id(run_id: str) -> None:
    if not _ID.fullmatch(run_id):
        raise _unknown(run_id)


def _unknown(run_id: str) -> NotFound:
    return NotFound("unknown_backtest", f"there is no backtest {run_id!r}", id=run_id)


def _damaged(run_id: str, name: str, error: Exception) -> Invalid:
    message = f"data/{FOLDER}/{run_id}/{name} is damaged ({error!r}); delete the backtest and run it again"
    return Invalid("bad_backtest", message, id=run_id)
