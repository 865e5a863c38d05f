"""What a symbol is: digits, ticks, contract, volume steps, currencies, costs."""

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from backend.core.errors import Invalid
from backend.core.ticks import ticks_nearest, ticks_up


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """A symbol's specification as the broker states it, dated by whoever stores it.

    Attributes:
        symbol: Canonical name, as in strategies and files.
        broker_symbol: The broker's name for it.
        description: The broker's words.
        digits: Decimals of a price.
        point: Size of one point in price.
        tick_size: Smallest price step; prices in the engine are integers of it.
        tick_value: Account currency that one lot gains per tick size, at present prices, profit side.
        tick_value_loss: The same on the losing side.
        contract_size: Units of base currency in one lot.
        volume_min: Smallest volume in lots.
        volume_step: Step between volumes in lots.
        volume_max: Largest volume in lots.
        currency_base: Base currency, such as EUR of EURUSD.
        currency_profit: Currency in which profit arises, such as USD of EURUSD.
        currency_margin: Currency in which margin is taken.
        calc_mode: MetaTrader's SYMBOL_CALC_MODE number.
        stops_level: Smallest distance of stop and target in points; 0 means none is stated.
        freeze_level: Distance in points within which orders are frozen.
        swap_mode: MetaTrader's SYMBOL_SWAP_MODE number.
        swap_long: Swap per lot and night for longs, in the unit of swap_mode.
        swap_short: The same for shorts.
        swap_triple_day: Server weekday whose night counts three times, Sunday 0.
        trade_mode: MetaTrader's SYMBOL_TRADE_MODE number; 4 is full.
        margin_initial: Margin currency that a lot takes where the broker fixes it; 0 means it follows from
            contract and price.
        margin_hedged: Units that take margin for each hedged lot (margin currency where `margin_initial`
            is fixed); None for those of the contract.
        margin_larger_leg: Opposite positions take the margin of the larger side alone.
    """

    symbol: str
    broker_symbol: str
    description: str = ""
    digits: int
    point: Decimal
    tick_size: Decimal
    tick_value: Decimal
    tick_value_loss: Decimal
    contract_size: Decimal
    volume_min: Decimal
    volume_step: Decimal
    volume_max: Decimal
    currency_base: str
    currency_profit: str
    currency_margin: str
    calc_mode: int = 0
    stops_level: int = 0
    freeze_level: int = 0
    swap_mode: int = 0
    swap_long: Decimal = Decimal(0)
    swap_short: Decimal = Decimal(0)
    swap_triple_day: int = 3
    trade_mode: int = 4
    margin_initial: Decimal = Decimal(0)
    margin_hedged: Decimal | None = None
    margin_larger_leg: bool = False

    def __post_init__(self) -> None:
        for name in ("point", "tick_size", "contract_size", "volume_min", "volume_step", "volume_max"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise Invalid("bad_instrument", f"{self.symbol}: {name} is {value}, it must be above zero")

    def ticks(self, price: float) -> int:
        """The price in whole ticks, the nearest one, half up.

        Raises:
            Invalid: If the price is not a finite number.
        """
        return ticks_nearest(self._finite(price), float(self.tick_size))

    def ticks_up(self, distance: float) -> int:
        """A price distance in whole ticks, rounded up: away from the entry; errors as in `ticks`."""
        return ticks_up(self._finite(distance), float(self.tick_size))

    def price(self, ticks: int) -> Decimal:
        """The exact price of a number of ticks, with the symbol's digits."""
        return (self.tick_size * ticks).quantize(Decimal(1).scaleb(-self.digits))

    def points_to_ticks(self, points: int) -> int:
        """A number of points in whole ticks, rounded up."""
        return math.ceil(self.point * points / self.tick_size)

    def floor_volume(self, volume: Decimal) -> Decimal:
        """The largest allowed step not above `volume`, in lots; may be below volume_min.

        Steps are counted in integers, so 0.29 lots at a step of 0.01 are 29 steps.
        """
        steps = int((volume / self.volume_step).to_integral_value(ROUND_FLOOR))
        return self.volume_step * steps

    def _finite(self, number: float) -> float:
        if not math.isfinite(number):
            raise Invalid("bad_price", f"{self.symbol}: {number} is not a price")
        return number
