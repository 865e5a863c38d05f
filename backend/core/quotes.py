"""The latest price of a symbol."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend.core.clock import require_utc
from backend.core.errors import Invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """One tick.

    Attributes:
        symbol: Canonical symbol.
        time: When the tick came, aware UTC, to the millisecond.
        bid: Price at which one sells.
        ask: Price at which one buys.
        volume: Tick volume of the current bar or last trade; None where the terminal has none.
    """

    symbol: str
    time: datetime
    bid: Decimal
    ask: Decimal
    volume: int | None = None

    def __post_init__(self) -> None:
        require_utc(self.time)
        if not (self.bid.is_finite() and self.ask.is_finite() and 0 < self.bid <= self.ask):
            raise Invalid("bad_quote", f"{self.symbol}: bid {self.bid} and ask {self.ask} are no market")

    @property
    def spread(self) -> Decimal:
        """Ask − bid, in price."""
        return self.ask - self.bid
