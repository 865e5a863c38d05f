"""The account as decisions see it: from what the terminal says and what the desk keeps on record."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

from backend.accounts.service import Money, MoneyRecords
from backend.core.errors import DeskError
from backend.core.instruments import Instrument
from backend.mt5.account import Account, Position
from backend.mt5.orders import Order
from backend.risk.limits import RiskLimits
from backend.trading.account import BY_HAND, AccountState, OpenTrade
from backend.trading.conversion import conversion
from backend.trading.exposure import exposure_of, netted
from backend.trading.profit import loss_per_lot, profit
from backend.trading.sides import Side

log = logging.getLogger(__name__)

ZERO: Final = Decimal(0)

Owners = Mapping[int, str]
"""Strategies by the identifiers of their positions and the tickets of their orders."""
Unknown = Callable[[str, DeskError], None]
"""Told of a trade whose worth cannot be told, and why."""


class Orders(Protocol):
    """What waits at the broker."""

    def orders(self) -> tuple[Order, ...]:
        """All pending orders, ours and others'."""


class Positions(Protocol):
    """What is open at the broker."""

    def positions(self) -> tuple[Position, ...]:
        """All open positions, ours and others'."""


@dataclass(frozen=True, kw_only=True)
class PositionRisk:
    """What a position may still lose; None where it cannot be told.

    Attributes:
        money: Account currency, from its worth now down to its stop; None also without a stop.
        in_r: The same in R, which is what its first stop would have lost.
        moved_r: How far its price has moved for it since the open, in R.
    """

    money: Decimal | None = None
    in_r: Decimal | None = None
    moved_r: Decimal | None = None


class DeskAccount:
    """The account now.

    Args:
        records: What the desk keeps of its money.
        positions: What is open.
        orders: What waits.
        instrument: Gives a symbol's specification.
        limits: The limits in force.
        magic: Number of the desk's own trades.
        owners: Tells whose the trades of ours are.
        first_stops: The stops that positions began with, by their identifiers.
    """

    def __init__(
        self,
        records: MoneyRecords,
        positions: Positions,
        orders: Orders,
        instrument: Callable[[str], Instrument],
        limits: Callable[[], RiskLimits],
        *,
        magic: int,
        owners: Callable[[], Owners] = dict,
        first_stops: Callable[[], Mapping[int, float]] = dict,
    ) -> None:
        self._records = records
        self._positions = positions
        self._orders = orders
        self._instrument = instrument
        self._limits = limits
        self._magic = magic
        self._owners = owners
        self._first_stops = first_stops

    def state(self, unknown: Unknown | None = None) -> AccountState:
        """Money, trades, exposure and risk at this instant.

        Args:
            unknown: Told of trades whose worth cannot be told; without it they are logged.

        Raises:
            Unavailable: The terminal does not answer.
            Invalid: The limits or the account's record are wrong.
        """
        limits = self._limits()
        account, money = self._records.observe(limits.reset_tz)
        positions, orders = self._positions.positions(), self._orders.orders()
        ours = self._magic in {one.magic for one in positions} | {one.magic for one in orders}
        state = account_state(
            account,
            positions,
            self._instrument,
            unknown or _logged,
            orders=orders,
            magic=self._magic,
            owners=self._owners() if ours else {},
        )
        return with_references(state, money, limits)

    def standing(self) -> tuple[AccountState, Money]:
        """Money and its references, without any trade: one question to the terminal. Raises as `state`."""
        limits = self._limits()
        account, money = self._records.observe(limits.reset_tz)
        return with_references(account_state(account, (), self._instrument, _logged), money, limits), money

    def risks(self, positions: Iterable[Position], currency: str) -> list[PositionRisk]:
        """What each of these positions may still lose, by the rule of the gate's open risk.

        Args:
            positions: From the terminal.
            currency: Of the account.
        """
        held = tuple(positions)
        first = self._first_stops() if self._magic in {one.magic for one in held} else {}
        return [self._risk(one, currency, first.get(one.identifier)) for one in held]

    def _risk(self, position: Position, currency: str, first: float | None) -> PositionRisk:
        trade, now = _of_position(position), _exact(position.price_current)
        moved = None
        if first is not None:
            distance = (trade.price - _exact(first)) * trade.side.sign
            moved = (now - trade.price) * trade.side.sign / distance if distance > 0 else None
        try:
            known = self._instrument(trade.symbol)
            money = _at_risk(trade, known, currency, now)
            unit = None
            if first is not None:
                rate = conversion(known, currency)
                unit = trade.lots * loss_per_lot(known, trade.side, trade.price, _exact(first), rate)
        except DeskError as error:
            _logged(trade.symbol, error)
            return PositionRisk(moved_r=moved)
        return PositionRisk(
            money=money, in_r=money / unit if money is not None and unit else None, moved_r=moved
        )


def with_references(state: AccountState, money: Money, limits: RiskLimits) -> AccountState:
    """With the day's references and the peaks that the limits count from."""
    at_reset = money.balance if money.equity is None else money.equity
    references = {"balance": money.balance, "equity": at_reset, "higher": max(money.balance, at_reset)}
    counted: list[tuple[Decimal | None, Decimal | None]] = []
    for rules in limits.loss_rules:
        initial = money.initial_balance if rules.initial is None else rules.initial
        by_day = rules.drawdown is not None and rules.drawdown.kind == "trailing_end_of_day"
        counted.append(
            (
                None if rules.daily_loss is None else references[rules.daily_loss.reset_from],
                None if rules.drawdown is None else max(money.day_peak if by_day else money.peak, initial),
            )
        )
    own, ruled = counted[0], (None, None) if len(counted) == 1 else counted[1]
    return replace(
        state,
        day_reference=own[0],
        initial_balance=money.initial_balance,
        peak=own[1],
        rule_reference=ruled[0],
        rule_peak=ruled[1],
    )


def account_state(
    account: Account,
    positions: Iterable[Position],
    instrument: Callable[[str], Instrument],
    unknown: Unknown,
    *,
    orders: Iterable[Order] = (),
    magic: int | None = None,
    owners: Owners | None = None,
) -> AccountState:
    """Money, trades, net exposure and open risk, without what only records tell.

    Trades that are not ours count like ours, but one of them without a stop is left out of the open risk;
    one of ours without a stop makes it unknown.

    Args:
        account: From the terminal.
        positions: From the terminal.
        instrument: Gives a symbol's specification.
        unknown: Told of a trade whose exposure and risk cannot be told, and why.
        orders: Pending orders, from the terminal.
        magic: Number of the desk's own trades; None where none is.
        owners: Whose the trades of ours are.
    """
    trades: list[OpenTrade] = []
    exposures: list[dict[str, Decimal]] = []
    risk: Decimal | None = ZERO
    shown: list[tuple[OpenTrade, int, int, Decimal | None]] = [
        (_of_position(one), one.magic, one.identifier, _exact(one.price_current)) for one in positions
    ]
    shown += [(_of_order(one), one.magic, one.ticket, None) for one in orders]
    for seen, number, ticket, now in shown:
        ours = magic is not None and number == magic
        trade = replace(seen, strategy=(owners or {}).get(ticket, BY_HAND)) if ours else seen
        trades.append(trade)
        lost: Decimal | None = None
        try:
            known = instrument(trade.symbol)
            rate = conversion(known, account.currency)
            exposures.append(exposure_of(known, trade.side, trade.lots, now or trade.price, rate))
            lost = _at_risk(trade, known, account.currency, now)
        except DeskError as error:
            unknown(trade.symbol, error)
        if lost is not None and risk is not None:
            risk += lost
        elif ours:
            risk = None
    return AccountState(
        login=account.login,
        server=account.server,
        currency=account.currency,
        leverage=account.leverage,
        balance=_exact(account.balance),
        equity=_exact(account.equity),
        margin=_exact(account.margin),
        margin_free=_exact(account.margin_free),
        hedging=account.hedging,
        trades=tuple(trades),
        exposure=netted(*exposures),
        open_risk=risk,
    )


def _of_position(position: Position) -> OpenTrade:
    return OpenTrade(
        symbol=position.symbol,
        side=Side.BUY if position.buy else Side.SELL,
        lots=position.volume,
        price=_exact(position.price_open),
        stop=None if position.stop is None else _exact(position.stop),
    )


def _of_order(order: Order) -> OpenTrade:
    return OpenTrade(
        symbol=order.symbol,
        side=Side.BUY if order.type.buy else Side.SELL,
        lots=order.volume_left,
        price=order.stop_limit or order.price or ZERO,
        stop=order.stop,
        pending=True,
    )


def _at_risk(trade: OpenTrade, known: Instrument, currency: str, now: Decimal | None) -> Decimal | None:
    """What the trade can still lose down to its stop, from its worth now; None without a stop."""
    if trade.stop is None:
        return None
    rate = conversion(known, currency)
    if now is None:
        return trade.lots * loss_per_lot(known, trade.side, trade.price, trade.stop, rate)
    worth, stopped = (
        profit(known, trade.side, trade.lots, trade.price, price, rate) for price in (now, trade.stop)
    )
    return max(worth - stopped, ZERO)


def _logged(symbol: str, error: DeskError) -> None:
    log.warning("what %s is worth to the account cannot be told: %s", symbol, error.message)


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
