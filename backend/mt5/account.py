"""What the desk knows of an account, a position and a terminal; times are UTC, volumes exact."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class AccountKind(StrEnum):
    """Whose money it is."""

    DEMO = "demo"
    CONTEST = "contest"
    REAL = "real"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The account that the terminal is signed in to. Money is in `currency`.

    Attributes:
        login: Account number.
        name: Its holder.
        server: The broker's trade server.
        company: The broker.
        kind: Demo, contest or real.
        currency: Deposit currency.
        currency_digits: Decimals to which money is booked.
        leverage: 100 means 1:100.
        hedging: Whether several positions of one symbol may stand beside each other.
        balance: Without open positions.
        equity: With them.
        credit: Given by the broker.
        profit: Of the open positions.
        margin: In use.
        margin_free: Left.
        margin_level: Equity ÷ margin in percent; None while no margin is in use.
        margin_call: Level at which the broker warns, in percent or money as its mode says.
        margin_stop_out: Level at which the broker closes positions.
        trade_allowed: False for an investor's password.
        trade_expert: Whether the server lets programs trade.
    """

    login: int
    name: str
    server: str
    company: str
    kind: AccountKind
    currency: str
    currency_digits: int
    leverage: int
    hedging: bool
    balance: float
    equity: float
    credit: float
    profit: float
    margin: float
    margin_free: float
    margin_level: float | None
    margin_call: float
    margin_stop_out: float
    trade_allowed: bool
    trade_expert: bool

    def as_dict(self) -> dict[str, Any]:
        """The account as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """An open position at the broker.

    Attributes:
        ticket: The broker's number.
        identifier: The number by which its orders and deals name it, all its life long.
        symbol: Canonical symbol, or the broker's name where the map has none.
        broker_symbol: The broker's name.
        buy: True for a long position.
        volume: Lots.
        price_open: Price it was opened at.
        stop: Stop price; None if it has none.
        target: Target price; None if it has none.
        price_current: Price at which it would be closed now.
        swap: Swap so far, account currency.
        profit: Floating profit, account currency.
        magic: Number of the program that opened it; 0 for a person.
        comment: As the broker keeps it.
        opened_at: Aware UTC.
        updated_at: Aware UTC.
    """

    ticket: int
    identifier: int
    symbol: str
    broker_symbol: str
    buy: bool
    volume: Decimal
    price_open: float
    stop: float | None
    target: float | None
    price_current: float
    swap: float
    profit: float
    magic: int
    comment: str
    opened_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TerminalStatus:
    """The terminal, and what it lets programs do.

    Attributes:
        name: Its name.
        company: Who made it out.
        build: Its build.
        connected: To the trade server.
        trade_allowed: The button for automatic trading.
        python_trade_allowed: False if trading from Python is switched off in its options.
        ping_ms: To the trade server, as last measured.
        max_bars: How many bars of history it shows.
        path: Where it is installed.
    """

    name: str
    company: str
    build: int
    connected: bool
    trade_allowed: bool
    python_trade_allowed: bool
    ping_ms: float
    max_bars: int
    path: str

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)
