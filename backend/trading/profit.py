"""What a price move earns or costs in account currency."""

from decimal import ROUND_HALF_UP, Decimal

from backend.core.instruments import Instrument
from backend.trading.conversion import Conversion
from backend.trading.sides import Side

_FUTURES_MODES = frozenset({1, 33, 34})  # SYMBOL_CALC_MODE_FUTURES, EXCH_FUTURES, EXCH_FUTURES_FORTS


def profit(
    instrument: Instrument,
    side: Side,
    lots: Decimal,
    open_price: Decimal,
    close_price: Decimal,
    conversion: Conversion,
) -> Decimal:
    """Profit of a closed trade in account currency, not rounded, before commission and swap.

    Args:
        instrument: The symbol.
        side: Side of the trade.
        lots: Volume.
        open_price: Price at which it opened (ask for a buy).
        close_price: Price at which it closed (bid for a buy).
        conversion: From `backend.trading.conversion.conversion`.
    """
    move = (close_price - open_price) * side.sign
    if instrument.calc_mode in _FUTURES_MODES:
        return lots * move / instrument.tick_size * instrument.tick_value
    return conversion.convert(move * instrument.contract_size * lots, close_price)


def loss_per_lot(
    instrument: Instrument, side: Side, entry: Decimal, stop: Decimal, conversion: Conversion
) -> Decimal:
    """What one lot loses from entry to stop, in account currency at the stop's price; above zero.

    Costs are not in it. A stop on the winning side gives zero.
    """
    return max(-profit(instrument, side, Decimal(1), entry, stop, conversion), Decimal(0))


def tick_value(instrument: Instrument, price: Decimal, conversion: Conversion) -> Decimal:
    """Account currency that one lot gains per tick at `price`, not rounded."""
    if instrument.calc_mode in _FUTURES_MODES:
        return instrument.tick_value
    return conversion.convert(instrument.tick_size * instrument.contract_size, price)


def to_cents(amount: Decimal, digits: int = 2) -> Decimal:
    """Money as the broker books it: rounded half up (away from zero) to the account's digits.

    What a division left behind its tenth decimal does not turn a half into less.
    """
    return amount.quantize(Decimal(1).scaleb(-digits - 10)).quantize(
        Decimal(1).scaleb(-digits), ROUND_HALF_UP
    )
