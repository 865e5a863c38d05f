"""Closed trades: as columns, which is how they are computed with, and as rows, which is how they are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Self

import numpy as np

from backend.core.bars import Floats, Ints
from backend.core.instruments import Instrument
from backend.trading.reasons import REASONS, Reason
from backend.trading.sides import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """A closed trade. Prices are exact, money is in account currency to the cent, times UTC epochs.

    net = gross − spread_cost − slippage_cost − gap_cost − commission + swap, to the cent.

    Attributes:
        signal_time: Close of the bar that gave the signal.
        initial_stop: First stop price.
        initial_risk: Loss from the fill to the first stop, without costs, above zero.
        gross: Result at mid prices and trigger levels.
        r: net ÷ initial_risk.
        mae: Worst floating result of the trade in money, at most zero.
        mfe: Best floating result, at least zero.
        bars_held: Bars on which it was open.
    """

    id: int
    symbol: str
    strategy: str
    side: Side
    volume: Decimal
    signal_time: int
    entry_time: int
    entry_price: Decimal
    initial_stop: Decimal
    initial_target: Decimal
    exit_time: int
    exit_price: Decimal
    exit_reason: Reason
    ambiguous: bool
    gross: Decimal
    spread_cost: Decimal
    slippage_cost: Decimal
    gap_cost: Decimal
    commission: Decimal
    swap: Decimal
    net: Decimal
    initial_risk: Decimal
    r: float | None
    mae: Decimal
    mfe: Decimal
    bars_held: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """What a stream's trades are counted in.

    Attributes:
        strategy: Its strategy's id.
        instrument: Its symbol.
    """

    strategy: str
    instrument: Instrument


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trades:
    """Closed trades as int64 columns of shape (m,), in the order of their exits.

    Prices are whole ticks of the symbol, volumes whole steps, money whole units of the account's smallest
    booked amount (cents of a USD account), times UTC epochs.

    Attributes:
        books: Strategy and symbol of each stream.
        digits: Decimals of money: 2 where the unit is a cent.
        stream: Index into `books`.
        side: +1 long, −1 short.
        reason: Index into `backend.trading.reasons.REASONS`.
        ambiguous: 0 or 1.
        risk: Loss from the fill to the first stop, without costs.
        others: As the fields of `Trade`.
    """

    books: tuple[Book, ...]
    digits: int
    stream: Ints
    side: Ints
    steps: Ints
    signal_time: Ints
    entry_time: Ints
    entry_price: Ints
    initial_stop: Ints
    initial_target: Ints
    exit_time: Ints
    exit_price: Ints
    reason: Ints
    ambiguous: Ints
    gross: Ints
    spread_cost: Ints
    slippage_cost: Ints
    gap_cost: Ints
    commission: Ints
    swap: Ints
    net: Ints
    risk: Ints
    mae: Ints
    mfe: Ints
    bars_held: Ints

    def __len__(self) -> int:
        return len(self.net)

    def __iter__(self) -> Iterator[Trade]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Trade:
        """One trade as a row."""
        at = {name: int(getattr(self, name)[index]) for name in COLUMNS}
        book = self.books[at["stream"]]
        symbol = book.instrument

        def money(name: str) -> Decimal:
            return Decimal(at[name]).scaleb(-self.digits)

        return Trade(
            id=range(len(self))[index] + 1,
            symbol=symbol.symbol,
            strategy=book.strategy,
            side=Side.BUY if at["side"] > 0 else Side.SELL,
            volume=symbol.volume_step * at["steps"],
            signal_time=at["signal_time"],
            entry_time=at["entry_time"],
            entry_price=symbol.price(at["entry_price"]),
            initial_stop=symbol.price(at["initial_stop"]),
            initial_target=symbol.price(at["initial_target"]),
            exit_time=at["exit_time"],
            exit_price=symbol.price(at["exit_price"]),
            exit_reason=REASONS[at["reason"]],
            ambiguous=bool(at["ambiguous"]),
            **{name: money(name) for name in _MONEY},
            initial_risk=money("risk"),
            r=at["net"] / at["risk"] if at["risk"] > 0 else None,
            bars_held=at["bars_held"],
        )

    def in_account(self, name: str) -> Floats:
        """A column of money in account currency, shape (m,)."""
        values: Floats = getattr(self, name) / 10.0**self.digits
        return values

    def total(self, name: str) -> Decimal:
        """The exact sum of a column of money."""
        return Decimal(int(getattr(self, name).sum())).scaleb(-self.digits)

    @property
    def r(self) -> Floats:
        """Net ÷ risk, NaN where there is no risk to measure by."""
        known = self.risk > 0
        return np.where(known, self.net / np.where(known, self.risk, 1), np.nan)

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[int]], *, books: tuple[Book, ...], digits: int) -> Self:
        """Columns from rows whose cells follow `COLUMNS`."""
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(COLUMNS))
        return cls(
            books=books,
            digits=digits,
            **{name: np.ascontiguousarray(table[:, at]) for at, name in enumerate(COLUMNS)},
        )


# The kernel writes rows by these positions: a change here is a change there.
COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Trades) if f.name not in {"books", "digits"})
_MONEY: tuple[str, ...] = (
    "gross",
    "spread_cost",
    "slippage_cost",
    "gap_cost",
    "commission",
    "swap",
    "net",
    "mae",
    "mfe",
)
