"""Specifications of the symbols that a replay finds: the broker's own, or a guess from the name."""

from dataclasses import replace

import numpy as np

from backend.history.formats.model import RawBars
from backend.history.scale import points_in_a_unit, quoted_digits
from backend.mt5 import constants as mt5
from backend.simulator.symbols import SYMBOLS, SymbolSpec

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
    digits = quoted_digits(symbol)
    if digits is not None:
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


def usual_price(symbol: str) -> float | None:
    """Where the simulated broker's symbol of that name trades, roughly; None where it has none."""
    known = _KNOWN.get(symbol)
    return None if known is None else known.price


def scale_of(symbol: str, raw: RawBars) -> int:
    """What the file's prices are to be divided by: 1, or a power of ten where they are in points."""
    if not raw.bid.size:
        return 1
    return points_in_a_unit(symbol, raw.decimals, float(np.median(raw.bid[3])), usual_price(symbol))
