"""Overnight interest: how many nights a server midnight counts, and what each costs or pays."""

from datetime import date
from decimal import Decimal
from enum import Enum, auto

from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.trading.conversion import Conversion
from backend.trading.sides import Side

DISABLED, POINTS, CURRENCY_SYMBOL, CURRENCY_MARGIN, CURRENCY_DEPOSIT = range(5)
INTEREST_CURRENT, INTEREST_OPEN = 5, 6
MONEY_MODES = frozenset({CURRENCY_SYMBOL, CURRENCY_MARGIN, CURRENCY_DEPOSIT})
_SATURDAY, _SUNDAY = 5, 6  # date.weekday()
_YEAR_DAYS = 360


class MoneyUnit(Enum):
    """What a swap that is stated in money per lot is stated in."""

    ACCOUNT = auto()
    PROFIT = auto()
    BASE = auto()


def nights(instrument: Instrument, ending_day: date, *, trades_weekends: bool = False) -> int:
    """Swap nights booked at the server midnight that ends `ending_day`.

    Three on the symbol's own day, one on other weekdays, none for the nights that end Saturday and
    Sunday unless the symbol trades then.

    Args:
        instrument: The symbol; `swap_triple_day` counts Sunday 0.
        ending_day: Server date of the day that ends.
        trades_weekends: Whether the symbol trades on Saturday and Sunday.
    """
    if ending_day.weekday() in {_SATURDAY, _SUNDAY} and not trades_weekends:
        return 0
    return 3 if (ending_day.weekday() + 1) % 7 == instrument.swap_triple_day else 1


def money_unit(instrument: Instrument, account_currency: str) -> MoneyUnit:
    """In what the modes of `MONEY_MODES` pay.

    Raises:
        Invalid: Code ``unknown_swap_currency`` for one that the symbol's own price does not convert.
    """
    paid_in = {
        CURRENCY_SYMBOL: instrument.currency_base,
        CURRENCY_MARGIN: instrument.currency_margin,
        CURRENCY_DEPOSIT: account_currency,
    }[instrument.swap_mode]
    if paid_in == account_currency:
        return MoneyUnit.ACCOUNT
    if paid_in == instrument.currency_profit:
        return MoneyUnit.PROFIT
    if paid_in == instrument.currency_base:
        return MoneyUnit.BASE
    raise Invalid(
        "unknown_swap_currency",
        f"{instrument.symbol}: swap is paid in {paid_in}, which is neither its base nor its profit currency "
        f"nor the account's, {account_currency}",
        symbol=instrument.symbol,
        currency=paid_in,
    )


def swap(
    instrument: Instrument,
    side: Side,
    lots: Decimal,
    night_count: int,
    *,
    price: Decimal,
    open_price: Decimal,
    conversion: Conversion,
    account_currency: str,
) -> Decimal:
    """Swap for some nights in account currency, not rounded; negative costs, positive pays.

    Args:
        instrument: The symbol, dated as of that night.
        side: Side of the position.
        lots: Volume.
        night_count: From `nights`.
        price: Price at the midnight.
        open_price: Price at which the position opened, for the mode that uses it.
        conversion: Profit currency to the account's.
        account_currency: Currency of the account.

    Raises:
        Invalid: For the modes that reopen positions, which the desk does not compute, and for a currency
            that nothing converts.
    """
    figure = instrument.swap_long if side is Side.BUY else instrument.swap_short
    mode = instrument.swap_mode
    if mode == DISABLED or night_count == 0:
        return Decimal(0)
    if mode == POINTS:
        amount = lots * figure * instrument.point * instrument.contract_size * night_count
        return conversion.convert(amount, price)
    if mode in MONEY_MODES:
        amount, unit = lots * figure * night_count, money_unit(instrument, account_currency)
        if unit is MoneyUnit.ACCOUNT:
            return amount
        return conversion.convert(amount * price if unit is MoneyUnit.BASE else amount, price)
    if mode in {INTEREST_CURRENT, INTEREST_OPEN}:
        at = price if mode == INTEREST_CURRENT else open_price
        amount = lots * instrument.contract_size * at * figure / 100 / _YEAR_DAYS * night_count
        return conversion.convert(amount, price)
    raise Invalid(
        "unknown_swap_mode",
        f"{instrument.symbol}: swap mode {mode} reopens positions; the terminal alone computes it",
        symbol=instrument.symbol,
        swap_mode=mode,
    )
