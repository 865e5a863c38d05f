"""Prices that an export wrote in points: what to divide them by."""

import math
from typing import Final

METALS: Final = ("XAU", "XAG", "XPT", "XPD")
_FOREX_NAME: Final = 6
_YEN_DIGITS, _FOREX_DIGITS = 3, 5


def quoted_digits(symbol: str) -> int | None:
    """How many decimals a currency pair is quoted with, by its name; None for what is none."""
    if len(symbol) != _FOREX_NAME or not symbol.isalpha():
        return None
    return _YEN_DIGITS if symbol.endswith("JPY") else _FOREX_DIGITS


def least_decimals(symbol: str) -> int:
    """Decimals that a symbol has at least, however round the prices of a file are; 0 where nobody knows."""
    return 0 if symbol.startswith(METALS) else quoted_digits(symbol) or 0


def points_in_a_unit(symbol: str, decimals: int, middle: float, usual: float | None) -> int:
    """What prices are to be divided by: 1, or a power of ten where they are in points.

    Args:
        symbol: Canonical symbol.
        decimals: Decimals that the file shows; prices with any are no points.
        middle: Their median.
        usual: Where the symbol is known to trade; None if it is not.
    """
    if decimals or not middle > 0:
        return 1
    if usual is not None:
        return int(10 ** max(0, round(math.log10(middle / usual))))
    digits = quoted_digits(symbol)
    return 1 if digits is None or middle < 10 ** (digits - 1) else int(10**digits)
