"""The account as a decision sees it, in account currency, at one instant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from backend.core.errors import Invalid
from backend.trading.sides import Side

BY_HAND: Final = "(by hand)"
"""Stands for the strategy of a trade of ours that none made; no strategy can have this id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTrade:
    """A position or a pending order.

    Attributes:
        symbol: Canonical symbol; the broker's own name where the desk does not know the symbol.
        side: Its side.
        lots: Volume.
        price: Opening or order price.
        stop: Stop price; None means it has none, so its risk is unknown.
        pending: Whether it is an order that has not filled.
        strategy: Id of the strategy that opened it; None if it is not ours.
    """

    symbol: str
    side: Side
    lots: Decimal
    price: Decimal
    stop: Decimal | None = None
    pending: bool = False
    strategy: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountState:
    """Money, positions and the day so far.

    Attributes:
        currency: Account currency.
        leverage: 100 for 1:100.
        balance: Balance.
        equity: Equity.
        margin: Margin in use.
        margin_free: Margin that is free.
        login: Account number, for the record.
        server: Broker's server, for the record.
        day_reference: Balance or equity at the day's reset from which the day's loss counts; None
            means that none is on record, and the balance stands in.
        initial_balance: What the account began with; None means unknown, and the balance stands in.
        peak: Highest equity on record for a trailing drawdown; None means unknown, and the larger of
            balance and equity stands in.
        rule_reference: As `day_reference`, as the rulebook in force counts; None without one.
        rule_peak: As `peak`, likewise.
        hedging: Whether positions of one symbol stand beside each other; else the account nets them into one.
        trades: Open positions and pending orders, ours and others'.
        exposure: Net exposure per currency or own unit (metals, indices), signed.
        open_risk: Loss of all open trades down to their stops; None where one has no stop.
    """

    currency: str
    leverage: int
    balance: Decimal
    equity: Decimal
    margin: Decimal
    margin_free: Decimal
    login: int = 0
    server: str = ""
    day_reference: Decimal | None = None
    initial_balance: Decimal | None = None
    peak: Decimal | None = None
    rule_reference: Decimal | None = None
    rule_peak: Decimal | None = None
    hedging: bool = True
    trades: tuple[OpenTrade, ...] = ()
    exposure: Mapping[str, Decimal] = field(default_factory=dict)
    open_risk: Decimal | None = Decimal(0)

    def __post_init__(self) -> None:
        for name in ("balance", "equity", "margin", "margin_free"):
            value: Decimal = getattr(self, name)
            if not value.is_finite():
                raise Invalid("bad_account", f"the account's {name} is {value}, it must be a number")

    @property
    def day_loss(self) -> Decimal:
        """Loss since the day's reset on floating equity; 0 if the day is in profit."""
        reference = self.balance if self.day_reference is None else self.day_reference
        return max(reference - self.equity, Decimal(0))

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON values, money as exact strings: what is hashed into a decision."""
        return {
            "login": self.login,
            "server": self.server,
            "currency": self.currency,
            "leverage": self.leverage,
            **{name: str(getattr(self, name)) for name in ("balance", "equity", "margin", "margin_free")},
            **{name: _text(getattr(self, name)) for name in _OPTIONAL},
            **{name: str(value) for name in _RULED if (value := getattr(self, name)) is not None},
            **({} if self.hedging else {"hedging": False}),
            "exposure": {unit: str(amount) for unit, amount in sorted(self.exposure.items())},
            "trades": [
                {
                    "symbol": trade.symbol,
                    "side": str(trade.side),
                    "lots": str(trade.lots),
                    "price": str(trade.price),
                    "stop": _text(trade.stop),
                    "pending": trade.pending,
                    "strategy": trade.strategy,
                }
                for trade in self.trades
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "AccountState":
        """Read what `as_dict` gave, for a replay."""
        return cls(
            login=data["login"],
            server=data["server"],
            currency=data["currency"],
            leverage=data["leverage"],
            balance=Decimal(data["balance"]),
            equity=Decimal(data["equity"]),
            margin=Decimal(data["margin"]),
            margin_free=Decimal(data["margin_free"]),
            day_reference=_decimal(data["day_reference"]),
            initial_balance=_decimal(data["initial_balance"]),
            peak=_decimal(data["peak"]),
            open_risk=_decimal(data["open_risk"]),
            **{name: _decimal(data.get(name)) for name in _RULED},
            hedging=data.get("hedging", True),
            exposure={unit: Decimal(amount) for unit, amount in data["exposure"].items()},
            trades=tuple(
                OpenTrade(
                    symbol=trade["symbol"],
                    side=Side(trade["side"]),
                    lots=Decimal(trade["lots"]),
                    price=Decimal(trade["price"]),
                    stop=_decimal(trade["stop"]),
                    pending=trade["pending"],
                    strategy=trade["strategy"],
                )
                for trade in data["trades"]
            ),
        )


_OPTIONAL = ("day_reference", "initial_balance", "peak", "open_risk")
_RULED = ("rule_reference", "rule_peak")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
