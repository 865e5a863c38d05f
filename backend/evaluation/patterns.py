"""Shapes of candles and pivots: what named facts need beyond the condition language."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from backend.core.bars import Floats
from backend.evaluation.indicators import Columns

Bools = npt.NDArray[np.bool_]

_UNITS = 1e10
"""Price differences are compared as whole numbers of 1e-10, so that 1.1001 − 1.1000 is exactly 1 pip."""
_SIDE = 2
"""Bars on each side that a pivot must stand out from."""


def _units(distance: Floats) -> Floats:
    return np.rint(distance * _UNITS)


def _body(columns: Columns) -> Floats:
    return _units(np.abs(columns("close") - columns("open")))


def _upper(columns: Columns) -> Floats:
    return _units(columns("high") - np.maximum(columns("open"), columns("close")))


def _lower(columns: Columns) -> Floats:
    return _units(np.minimum(columns("open"), columns("close")) - columns("low"))


def _height(columns: Columns) -> Floats:
    return _units(columns("high") - columns("low"))


def _long(wick: Floats, columns: Columns) -> Bools:
    height = _height(columns)
    long: Bools = (height > 0) & (wick >= 2 * _body(columns)) & (2 * wick >= height)
    return long


def is_doji(columns: Columns) -> Bools:
    """Body at most a tenth of the range; a bar without range is one."""
    doji: Bools = 10 * _body(columns) <= _height(columns)
    return doji


def is_long_upper_wick(columns: Columns) -> Bools:
    """Upper wick ≥ 2 × body and ≥ half the range; never on a bar without range."""
    return _long(_upper(columns), columns)


def is_long_lower_wick(columns: Columns) -> Bools:
    """Lower wick ≥ 2 × body and ≥ half the range; never on a bar without range."""
    return _long(_lower(columns), columns)


def is_hammer(columns: Columns) -> Bools:
    """Long lower wick with an upper wick of at most a tenth of the range."""
    return is_long_lower_wick(columns) & (10 * _upper(columns) <= _height(columns))


def is_shooting_star(columns: Columns) -> Bools:
    """Long upper wick with a lower wick of at most a tenth of the range."""
    return is_long_upper_wick(columns) & (10 * _lower(columns) <= _height(columns))


def diverges(price: Floats, x: Floats, within: int, *, rising: bool) -> Bools:
    """Price makes a further extreme that `x` does not confirm.

    A pivot stands out strictly from the 2 bars on each side. The newest pivot is compared with the one
    before it, at most `within` bars earlier; the result is true only on the bar that completes it, two
    bars after the pivot.

    Args:
        price: Highs for the bearish reading, lows for the bullish one.
        x: The oscillator.
        within: Largest distance of the two pivots in bars.
        rising: True looks for a higher high with a lower `x`, false for a lower low with a higher `x`.
    """
    sign = 1.0 if rising else -1.0
    extreme, confirm = price * sign, x * sign
    result = np.zeros(price.shape, dtype=np.bool_)
    if price.size < 2 * _SIDE + 1:
        return result
    centre = extreme[_SIDE:-_SIDE]
    stands = np.ones(centre.shape, dtype=np.bool_)
    for shift in (0, 1, 3, 4):
        stands &= centre > extreme[shift : shift + centre.size]
    pivots = np.flatnonzero(stands) + _SIDE
    before, newest = pivots[:-1], pivots[1:]
    found = (newest - before <= within) & (extreme[newest] > extreme[before])
    found &= confirm[newest] < confirm[before]
    result[newest[found] + _SIDE] = True
    return result


SHAPES: dict[str, Callable[[Columns], Bools]] = {
    "is_doji": is_doji,
    "is_long_upper_wick": is_long_upper_wick,
    "is_long_lower_wick": is_long_lower_wick,
    "is_hammer": is_hammer,
    "is_shooting_star": is_shooting_star,
}
