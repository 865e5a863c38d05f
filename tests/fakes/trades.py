"""Closed trades and results stated directly, for tests of what is computed from them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from backend.backtest.columns import COLUMNS, Book, Trades
from backend.backtest.model import Instants, Result
from backend.core.timeframes import DAY_SECONDS
from tests.fakes.instruments import instrument

MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
HOUR = 3600
BOOK = Book(strategy="TABLE", instrument=instrument())

_TYPICAL = {
    "side": 1,
    "steps": 50,
    "signal_time": MONDAY + 8 * HOUR,
    "entry_time": MONDAY + 8 * HOUR,
    "entry_price": 110_000,
    "initial_stop": 109_800,
    "initial_target": 110_400,
    "exit_time": MONDAY + 10 * HOUR,
    "exit_price": 110_400,
    "risk": 10_000,
    "bars_held": 2,
}


def trades_of(
    rows: Sequence[Mapping[str, int]], *, books: tuple[Book, ...] = (BOOK,), digits: int = 2
) -> Trades:
    """Trades that state what matters; money in the account's smallest unit, gross so that the sum closes."""
    filled = []
    for row in rows:
        one = dict.fromkeys(COLUMNS, 0) | _TYPICAL | dict(row)
        costs = one["spread_cost"] + one["slippage_cost"] + one["gap_cost"] + one["commission"]
        one["gross"] = one["net"] + costs - one["swap"]
        filled.append([one[name] for name in COLUMNS])
    return Trades.of_rows(filled, books=books, digits=digits)


def result_of(
    equity: Sequence[float],
    *,
    worst: Sequence[float] | None = None,
    time: Sequence[int] | None = None,
    server_day: Sequence[int] | None = None,
    trades: Trades | None = None,
    initial: Decimal = Decimal(10_000),
    **more: Any,
) -> Result:
    """A result whose equity is given; a close an hour and a server day a close unless said."""
    count = len(equity)
    closed = trades if trades is not None else trades_of([])
    return Result(
        trades=closed,
        equity=np.array(equity, dtype=np.float64),
        moved=np.arange(count),
        lowest=np.array(equity if worst is None else worst, dtype=np.float64),
        when=lambda: Instants(
            np.array(
                [MONDAY + HOUR * (i + 1) for i in range(count)] if time is None else time, dtype=np.int64
            ),
            0,
            DAY_SECONDS * np.array(range(count) if server_day is None else server_day, dtype=np.int64),
        ),
        **{
            "in_position": 0,
            "balance": initial + closed.total("net"),
            "signals": 0,
            "refusals": {},
            "notes": (),
            "max_margin": 0.0,
            **more,
        },
    )
