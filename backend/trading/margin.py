"""Margin that a position takes, by MetaTrader's calculation modes."""

from decimal import Decimal
from typing import Final, TypeVar

from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.trading.conversion import Rates

FOREX, FUTURES, CFD, CFD_INDEX, CFD_LEVERAGE, FOREX_NO_LEVERAGE = range(6)
_EXCHANGE_STOCKS = 32
LARGER_LEG: Final = Decimal(-1)

Amount = TypeVar("Amount", Decimal, float)


def margin(
    instrument: Instrument,
    lots: Decimal,
    price: Decimal,
    leverage: int,
    account_currency: str,
    rates: Rates | None = None,
) -> Decimal:
    """Margin for a volume at a price, in account currency, not rounded.

    FOREX: lots × contract ÷ leverage, in margin currency. FOREX without leverage: not divided.
    CFD and stocks: lots × contract × price. CFD with leverage: that ÷ leverage. CFD on an index:
    CFD × tick value ÷ tick size. Where the broker fixes an initial margin, as for futures: lots × that,
    ÷ leverage in the two modes with leverage. Margin currency becomes the account's at the symbol's own
    price where that converts, else by `rates`.

    Args:
        instrument: The symbol.
        lots: Volume.
        price: Opening price.
        leverage: Of the account: 100 for 1:100.
        account_currency: Currency of the account.
        rates: Quotes for symbols that do not convert themselves.

    Raises:
        Invalid: For a calculation mode that the desk does not know; ask the terminal then.
        Unavailable: If no rate converts the margin currency.
    """
    if leverage <= 0:
        raise Invalid("bad_leverage", f"leverage is {leverage}, it must be above zero")
    units = lots * instrument.contract_size
    mode = instrument.calc_mode
    if instrument.margin_initial > 0:
        amount = lots * instrument.margin_initial / (leverage if mode in {FOREX, CFD_LEVERAGE} else 1)
    elif mode == FOREX:
        amount = units / leverage
    elif mode == FOREX_NO_LEVERAGE:
        amount = units
    elif mode in {CFD, _EXCHANGE_STOCKS}:
        amount = units * price
    elif mode == CFD_LEVERAGE:
        amount = units * price / leverage
    elif mode == CFD_INDEX:
        amount = units * price * instrument.tick_value / instrument.tick_size
    else:
        raise Invalid(
            "unknown_margin_mode",
            f"{instrument.symbol}: the broker states no initial margin, and that of calculation mode {mode} "
            "is known to the terminal only",
            symbol=instrument.symbol,
            calc_mode=mode,
        )
    return amount * _margin_rate(instrument, price, account_currency, rates)


def hedged_share(instrument: Instrument) -> Decimal:
    """Margin of a hedged lot as a fraction of a lot's; `LARGER_LEG` where the larger side alone counts."""
    if instrument.margin_larger_leg:
        return LARGER_LEG
    if instrument.margin_hedged is None:
        return Decimal(1)
    return instrument.margin_hedged / (instrument.margin_initial or instrument.contract_size)


def netted_margin(
    long_lots: Amount, longs: Amount, short_lots: Amount, shorts: Amount, share: Amount
) -> Amount:
    """Margin of all positions of one symbol together, not rounded.

    The volume that no opposite one covers takes the margin of its side, at the weighted price of that
    side; the covered volume, counted once, takes `share` of it at the weighted price of both. Plain
    arithmetic, so that the backtest's kernel compiles it.

    Args:
        long_lots: Lots of the longs.
        longs: Margin that they would take alone.
        short_lots: Lots of the shorts.
        shorts: Margin that they would take alone.
        share: From `hedged_share`.
    """
    if long_lots == 0 or short_lots == 0:
        return longs + shorts
    if share < 0:
        return max(longs, shorts)
    if long_lots >= short_lots:
        covered, open_part = short_lots, longs * (long_lots - short_lots) / long_lots
    else:
        covered, open_part = long_lots, shorts * (short_lots - long_lots) / short_lots
    return open_part + share * covered * (longs + shorts) / (long_lots + short_lots)


def _margin_rate(
    instrument: Instrument, price: Decimal, account_currency: str, rates: Rates | None
) -> Decimal:
    have = instrument.currency_margin
    if have == account_currency:
        return Decimal(1)
    if have == instrument.currency_base and instrument.currency_profit == account_currency:
        return price
    if have == instrument.currency_profit and instrument.currency_base == account_currency:
        return 1 / price
    if rates is not None:
        return rates.rate(have, account_currency, "ask")
    # The broker's tick value says what profit currency is worth; base is worth `price` of those.
    profit_rate = instrument.tick_value / (instrument.tick_size * instrument.contract_size)
    return profit_rate if have == instrument.currency_profit else price * profit_rate
