"""How a symbol may be traded: what the masks and numbers of its specification allow."""

from dataclasses import dataclass

from backend.mt5 import constants
from backend.mt5.structures import SymbolInfo

BY_PRICE = frozenset({constants.SYMBOL_TRADE_EXECUTION_REQUEST, constants.SYMBOL_TRADE_EXECUTION_INSTANT})
"""Executions in which an order names its price and how far it may miss it; else the server's counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TradingTerms:
    """What a broker lets be done with a symbol; the numbers are MetaTrader's.

    Attributes:
        mode: SYMBOL_TRADE_MODE: which sides may be opened.
        execution: SYMBOL_TRADE_EXECUTION.
        fillings: Mask of SYMBOL_FILLING bits, which are not the numbers of the filling modes.
        expirations: Mask of SYMBOL_EXPIRATION bits.
        orders: Mask of the types of order.
        stops_level: Smallest distance of stop, target and pending price, in points.
        freeze_level: Distance in points within which nothing may be changed.
    """

    mode: int
    execution: int
    fillings: int
    expirations: int
    orders: int
    stops_level: int
    freeze_level: int

    @property
    def by_price(self) -> bool:
        """Whether a market order names its price."""
        return self.execution in BY_PRICE


def terms_of(info: SymbolInfo) -> TradingTerms:
    """Out of the terminal's own words."""
    return TradingTerms(
        mode=info.trade_mode,
        execution=info.trade_exemode,
        fillings=info.filling_mode,
        expirations=info.expiration_mode,
        orders=info.order_mode,
        stops_level=info.trade_stops_level,
        freeze_level=info.trade_freeze_level,
    )
