"""The timeframes by the numbers that MetaTrader 5 gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from backend.core.timeframes import Timeframe
from backend.mt5.constants import CONSTANTS

CODES: Mapping[Timeframe, int] = MappingProxyType({t: CONSTANTS[f"TIMEFRAME_{t}"] for t in Timeframe})
"""TIMEFRAME_* of each timeframe; H1 is 16385."""

_BY_CODE = {code: timeframe for timeframe, code in CODES.items()}


def timeframe_of(code: int) -> Timeframe | None:
    """The timeframe of a number; None if there is none."""
    return _BY_CODE.get(code)
