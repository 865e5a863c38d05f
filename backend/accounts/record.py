"""What is kept of an account's money. Pure.

Figures are kept as earned: without the money that was put in, so a deposit or a withdrawal moves every
reference and peak by its amount, whenever it becomes known, and never looks like a profit or a loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from backend.accounts.deals import ZERO, Flow
from backend.core.clock import iso, parse_iso
from backend.core.errors import Invalid

MOST_DAYS = 400


class How(StrEnum):
    """How the equity at a reset is known."""

    SEEN = "seen"
    """The desk looked at it."""
    FLAT = "flat"
    """Nothing was open, so it was the balance."""
    BARS = "bars"
    """Computed from the bars of what was open, without its swap."""
    UNKNOWN = "unknown"
    """Something was open, and no bars tell its worth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """An account's day.

    Attributes:
        reset_at: When it began, aware UTC.
        balance: Earned by then.
        equity: Earned by then with what was open; None if unknown.
        how: How the equity is known.
    """

    reset_at: datetime
    balance: Decimal
    equity: Decimal | None
    how: How


@dataclass(frozen=True, kw_only=True, slots=True)
class MoneyRecord:
    """One account's record; money in account currency.

    Attributes:
        login: Account number.
        server: The broker's server.
        currency: Of the account.
        began_at: First look of the desk, aware UTC.
        base: Part of the initial balance that no known deposit explains; 0 where the deals explain all.
        flows: Deposits and withdrawals.
        last_ticket: Of the newest deal that is in the figures.
        settled_at: When deals and balance last agreed.
        money: Balance and credit then.
        open_since: Since when they do not agree; None while they do.
        peak: Highest equity, as earned.
        day_peak: Highest equity at a reset, as earned.
        zone: Whose midnight resets the day; None is the broker's.
        days: The oldest first, the present one last.
        notes: What is not known, for a person.
    """

    login: int
    server: str
    currency: str
    began_at: datetime
    base: Decimal
    flows: tuple[Flow, ...]
    last_ticket: int
    settled_at: datetime
    money: Decimal
    open_since: datetime | None = None
    peak: Decimal
    day_peak: Decimal
    zone: str | None
    days: tuple[Day, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def put_in(self) -> Decimal:
        """Deposits less withdrawals."""
        return sum((flow.amount for flow in self.flows), ZERO)

    def with_day(self, day: Day) -> "MoneyRecord":
        """With one more day; its equity counts as an end of the day before."""
        best = day.balance if day.equity is None else day.equity
        days = (*self.days, day)[-MOST_DAYS:]
        return replace(self, days=days, day_peak=max(self.day_peak, best), peak=max(self.peak, best))

    def as_dict(self) -> dict[str, Any]:
        """As JSON values: money exact as text, times ISO."""
        return {field.name: _json(getattr(self, field.name)) for field in fields(self)}


def record_of(data: Mapping[str, Any], name: str) -> MoneyRecord:
    """What `as_dict` gave.

    Raises:
        Invalid: Code ``bad_account_record``: it is something else.
    """
    try:
        return MoneyRecord(
            login=int(data["login"]),
            server=str(data["server"]),
            currency=str(data["currency"]),
            began_at=parse_iso(data["began_at"]),
            base=_money(data["base"]),
            flows=tuple(
                Flow(ticket=int(one["ticket"]), at=parse_iso(one["at"]), amount=_money(one["amount"]))
                for one in data["flows"]
            ),
            last_ticket=int(data["last_ticket"]),
            settled_at=parse_iso(data["settled_at"]),
            money=_money(data["money"]),
            open_since=None if data["open_since"] is None else parse_iso(data["open_since"]),
            peak=_money(data["peak"]),
            day_peak=_money(data["day_peak"]),
            zone=data["zone"],
            days=tuple(
                Day(
                    reset_at=parse_iso(one["reset_at"]),
                    balance=_money(one["balance"]),
                    equity=None if one["equity"] is None else _money(one["equity"]),
                    how=How(one["how"]),
                )
                for one in data["days"]
            ),
            notes=tuple(str(note) for note in data["notes"]),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, Invalid) as error:
        raise Invalid(
            "bad_account_record", f"data/{name} is no account's record: {error!r}", name=name
        ) from error


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Flow | Day):
        return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
    return [_json(each) for each in value] if isinstance(value, tuple) else value


def _money(text: Any) -> Decimal:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is not exact; money is written as text")
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"{text} is no amount")
    return value
