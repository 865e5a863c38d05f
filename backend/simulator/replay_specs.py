"""Specifications of the symbols that a replay finds: the broker's own, or a guess from the name."""

from dataclasses import replace

import numpy as np

from backend.mt5 import constants as mt5
from backend.simulator.replay_files import RawBars
from backend.simulator.symbols import SYMBOLS, SymbolSpec

_FOREX_NAME = 6
_JPY_DIGITS, _FOREX_DIGITS = 3, 5
_GUESSED_SPREAD = 20
_KNOWN = {spec.name: spec for spec in SYMBOLS}


def spec_of(symbol: str, decimals: int) -> SymbolSpec:
    """The specification for files whose prices show so many decimals.

    More digits than the broker's own make the point finer; spread and swaps keep their worth.
    """
    spec = _KNOWN.get(symbol) or _guessed(symbol, decimals)
    if decimals <= spec.digits:
        return spec
    finer = 10 ** (decimals - spec.digits)
    return replace(
        spec,
        digits=decimals,
        spread=spec.spread * finer,
        swap_long=spec.swap_long * finer,
        swap_short=spec.swap_short * finer,
    )


def _guessed(symbol: str, decimals: int) -> SymbolSpec:
    """A specification for a symbol that the simulated broker does not have."""
    forex = len(symbol) == _FOREX_NAME and symbol.isalpha()
    if forex:
        digits = _JPY_DIGITS if symbol.endswith("JPY") else _FOREX_DIGITS
        return SymbolSpec(
            name=symbol,
            description=f"{symbol} from files",
            digits=digits,
            base=symbol[:3],
            profit=symbol[3:],
            margin=symbol[:3],
            spread=_GUESSED_SPREAD,
            swap_long=0.0,
            swap_short=0.0,
        )
    return SymbolSpec(
        name=symbol,
        description=f"{symbol} from files",
        path="Files",
        digits=decimals,
        contract=1.0,
        base="USD",
        profit="USD",
        margin="USD",
        calc_mode=mt5.SYMBOL_CALC_MODE_CFDLEVERAGE,
        spread=_GUESSED_SPREAD,
        swap_long=0.0,
        swap_short=0.0,
    )


def scale_of(symbol: str, raw: RawBars) -> int:
    """What the file's prices are to be divided by: 1, or a power of ten where they are in points."""
    if raw.decimals or not raw.bid.size:
        return 1
    middle = float(np.median(raw.bid[3]))
    known = _KNOWN.get(symbol)
    if known is not None:
        return int(10 ** max(0, round(float(np.log10(middle / known.price)))))
    guessed = _guessed(symbol, 0)
    forex = guessed.calc_mode == mt5.SYMBOL_CALC_MODE_FOREX
    return int(10**guessed.digits) if forex and middle >= 10 ** (guessed.digits - 1) else 1
