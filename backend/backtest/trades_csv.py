"""Trades as a table for spreadsheets: exact prices and money, times UTC ISO-8601."""

import math
from typing import Any

import numpy as np

from backend.backtest.columns import Book, Trades
from backend.core.bars import Floats, Ints
from backend.trading.reasons import REASONS
from backend.trading.trade_table import TRADE_COLUMNS

_OF_BOOK = ("symbol", "strategy")
_PRICES = ("entry_price", "initial_stop", "initial_target", "exit_price")
_TIMES = ("signal_time", "entry_time", "exit_time")
_MONEY = ("gross", "spread_cost", "slippage_cost", "gap_cost", "commission", "swap", "net", "mae", "mfe")


def trades_csv(trades: Trades) -> bytes:
    """The table with its head, one trade a line, CRLF between them (RFC 4180)."""
    columns = _columns(trades)
    cells = zip(*(columns[name] for name in TRADE_COLUMNS if name not in _OF_BOOK), strict=True)
    lines = [_line(book, trades.digits) for book in trades.books]
    body = "".join(lines[stream] % row for stream, row in zip(trades.stream.tolist(), cells, strict=True))
    return (",".join(TRADE_COLUMNS) + "\r\n" + body).encode()


def iso_times(epochs: Ints) -> list[str]:
    """UTC epochs as ``2026-01-05T09:00:00Z``."""
    texts: list[str] = np.char.add(np.datetime_as_string(epochs.astype("datetime64[s]")), "Z").tolist()
    return texts


def _line(book: Book, digits: int) -> str:
    """How one line of a stream is written, by `%`."""
    exponent = book.instrument.volume_step.as_tuple().exponent
    shapes = {
        "id": "%d",
        "symbol": _quoted(book.instrument.symbol),
        "strategy": _quoted(book.strategy),
        "volume": f"%.{max(-exponent, 0) if isinstance(exponent, int) else 0}f",
        **dict.fromkeys(_PRICES, f"%.{book.instrument.digits}f"),
        **dict.fromkeys(_MONEY, f"%.{digits}f"),
    }
    return ",".join(shapes.get(name, "%s") for name in TRADE_COLUMNS) + "\r\n"


def _columns(trades: Trades) -> dict[str, list[Any]]:
    """Each column's cells as numbers or text; floats hold these prices and amounts to the last digit."""
    ticks, steps = _of_books(trades, "tick_size"), _of_books(trades, "volume_step")
    reasons = np.array([str(reason) for reason in REASONS])
    return {
        "id": [*range(1, len(trades) + 1)],
        "side": np.where(trades.side > 0, "long", "short").tolist(),
        "volume": (trades.steps * steps).tolist(),
        "exit_reason": reasons[trades.reason].tolist(),
        "ambiguous": np.where(trades.ambiguous != 0, "true", "false").tolist(),
        "r": ["" if math.isnan(value) else f"{value:.6f}" for value in trades.r.tolist()],
        **{name: (getattr(trades, name) * ticks).tolist() for name in _PRICES},
        **{name: iso_times(getattr(trades, name)) for name in _TIMES},
        **{name: trades.in_account(name).tolist() for name in _MONEY},
    }


def _of_books(trades: Trades, name: str) -> Floats:
    """A number of each trade's symbol, shape (m,)."""
    return np.array([float(getattr(book.instrument, name)) for book in trades.books])[trades.stream]


def _quoted(cell: str) -> str:
    """A cell inside a line that `%` fills."""
    quoted = '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell
    return quoted.replace("%", "%%")
