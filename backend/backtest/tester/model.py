"""What an import from MetaTrader 5 holds: deals, the trades they close, and whether the balance adds up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from backend.trading.sides import Side


class Direction(StrEnum):
    """What a deal does to a position, in MetaTrader's words."""

    IN = "in"
    OUT = "out"
    IN_OUT = "in/out"
    OUT_BY = "out by"


class Accounting(StrEnum):
    """How an account keeps positions."""

    HEDGING = "hedging"
    NETTING = "netting"


class ExitKind(StrEnum):
    """What closed a trade, as the deal's comment tells it."""

    TARGET = "target"
    STOP = "stop"
    STOP_OUT = "stop_out"
    CLOSE_BY = "close_by"
    MARKET = "market"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deal:
    """One deal. Money is in account currency and signed as MetaTrader signs it: a cost is negative.

    Attributes:
        where: Line or row of the file, for messages.
        time: UTC epoch in seconds.
        kind: ``buy``, ``sell``, ``balance``, ``credit`` and so on.
        direction: None for deals that are no trade.
        order: Ticket of the order that made it; None where there is none.
        balance: Balance after it as the file states it; None where it does not.
        position: Position id; None where the file does not state it, as no report does.
    """

    where: str
    ticket: int
    time: int
    symbol: str
    kind: str
    direction: Direction | None
    volume: Decimal
    price: Decimal
    order: int | None
    commission: Decimal
    fee: Decimal
    swap: Decimal
    profit: Decimal
    balance: Decimal | None
    comment: str
    position: int | None = None

    @property
    def side(self) -> Side | None:
        """Side of the deal; None for deals that are no trade."""
        return Side(self.kind) if self.direction is not None else None

    @property
    def money(self) -> Decimal:
        """What the deal changes the balance by; credit is not balance."""
        return Decimal(0) if self.kind == "credit" else self.profit + self.swap + self.commission + self.fee


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingOrder:
    """A stop or limit order of the report's Orders table.

    Attributes:
        kind: ``buy stop``, ``sell limit`` and so on.
        price: Where it stood.
    """

    kind: str
    price: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionRow:
    """A row of an account history's Positions table: says which position a closing deal belongs to."""

    position: int
    symbol: str
    side: Side
    volume: Decimal
    closed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TheirTrade:
    """A trade of MetaTrader that a closing deal ended; part of a position where that was closed in parts.

    net = profit − commission + swap, to the cent.

    Attributes:
        entry_time: UTC epoch of the position's first deal.
        entry_price: Average price of the deals that opened the position.
        entry_level: Price of the pending order that opened it; None for a market order.
        entry_limit: Whether that order was a limit.
        exit_level: Stop or target that the comment names; None where it names none.
        profit: From the prices alone.
        commission: Commission and fees, a cost above zero.
        rows: Where the opening and the closing deal stand in the file.
        assumed: Whether the file leaves open which of several positions the deal closed.
        key: Names the one trade of ours that it is, where that is known; None is found by nearness.
    """

    id: int
    symbol: str
    side: Side
    volume: Decimal
    entry_time: int
    entry_price: Decimal
    entry_level: Decimal | None
    entry_limit: bool
    exit_time: int
    exit_price: Decimal
    exit_kind: ExitKind
    exit_level: Decimal | None
    profit: Decimal
    commission: Decimal
    swap: Decimal
    rows: tuple[str, str]
    assumed: bool
    key: str | None = None

    @property
    def net(self) -> Decimal:
        """Result after costs."""
        return self.profit - self.commission + self.swap


@dataclass(frozen=True, kw_only=True, slots=True)
class StillOpen:
    """A position that the deals leave open."""

    symbol: str
    side: Side
    volume: Decimal
    entry_time: int
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceCheck:
    """Whether each row's balance is the one before plus the row's money.

    Attributes:
        checked: Rows that state a balance.
        where: First row that differs; None where all agree.
        expected: What that row should state.
        stated: What it states.
    """

    checked: int
    where: str | None = None
    expected: Decimal | None = None
    stated: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """A file's tables before deals become trades.

    Attributes:
        source: File name.
        kind: ``strategy tester report``, ``account history`` or ``deals``.
        currency: Account currency.
        accounting: As the file states it; None where it does not.
        start: UTC epoch from which the file covers; where it states no period, its first deal's.
        end: UTC epoch to which it covers; None where it states no period.
        settings: Label and value of the lines above the tables, as far as they are known.
        notes: What was assumed in reading, one sentence each.
    """

    source: str
    kind: str
    currency: str
    deals: tuple[Deal, ...]
    start: int
    end: int | None = None
    orders: Mapping[int, PendingOrder] = field(default_factory=dict)
    positions: tuple[PositionRow, ...] = ()
    accounting: Accounting | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """A file, read whole.

    Attributes:
        accounting: How positions were kept, stated or found.
        trades: In the order of their exits.
        notes: What was assumed, one sentence each.
    """

    tables: Tables
    accounting: Accounting
    trades: tuple[TheirTrade, ...]
    still_open: tuple[StillOpen, ...]
    balance: BalanceCheck
    notes: tuple[str, ...]
