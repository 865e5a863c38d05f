"""Net exposure per currency in account currency."""

from collections.abc import Mapping
from decimal import Decimal

from backend.core.instruments import Instrument
from backend.trading.conversion import Conversion
from backend.trading.sides import Side


def units(instrument: Instrument) -> tuple[str, str]:
    """What a trade of the symbol buys and what it pays with.

    A pair gives base and profit currency; a metal is its own unit by its code (XAU); an index or
    another symbol whose base is its profit currency is its own unit by its name.
    """
    base, profit = instrument.currency_base, instrument.currency_profit
    return (instrument.symbol if base == profit or not base else base), profit


def exposure_of(
    instrument: Instrument, side: Side, lots: Decimal, mid: Decimal, conversion: Conversion
) -> dict[str, Decimal]:
    """Exposure of one trade: base ± lots × contract, quote ∓ lots × contract × price.

    Both legs are worth the same, in account currency at the mid price.

    Args:
        instrument: The symbol.
        side: Its side.
        lots: Volume.
        mid: Mid price of the symbol.
        conversion: Of the symbol's profit currency.
    """
    rate = 1 / mid if conversion.by_close else (conversion.gain + conversion.loss) / 2
    worth = lots * instrument.contract_size * mid * rate * side.sign
    bought, paid = units(instrument)
    return {bought: worth, paid: -worth}


def netted(*parts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The sum of exposures per unit."""
    total: dict[str, Decimal] = {}
    for part in parts:
        for unit, amount in part.items():
            total[unit] = total.get(unit, Decimal(0)) + amount
    return total
