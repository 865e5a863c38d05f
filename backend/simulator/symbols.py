"""What the simulated broker offers: ten symbols with their specification and hours of trading."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np
import numpy.typing as npt

from backend.core.instruments import Instrument
from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact

DAY_MINUTES = 1_440
WEEK_MINUTES = 7 * DAY_MINUTES
WEEK_START = 4 * DAY_MINUTES  # 1970-01-01 was a Thursday; the week begins on the Sunday before

Span = tuple[int, int]


def _week(weekdays: Sequence[Span], friday: Sequence[Span]) -> tuple[Span, ...]:
    """Half-open spans in minutes of a week that begins on Sunday."""
    spans: list[Span] = []
    for day in range(1, 6):
        for start, end in friday if day == mt5.DAY_OF_WEEK_FRIDAY else weekdays:
            spans.append((day * DAY_MINUTES + start, day * DAY_MINUTES + end))
    return tuple(spans)


def _at(hours: int, minutes: int = 0) -> int:
    return hours * 60 + minutes


FOREX_HOURS = _week([(_at(0, 5), _at(24))], [(_at(0, 5), _at(23, 55))])
METAL_HOURS = _week([(_at(1), _at(24))], [(_at(1), _at(23, 50))])
INDEX_HOURS = _week(
    [(_at(1), _at(23, 15)), (_at(23, 30), _at(24))], [(_at(1), _at(23, 15)), (_at(23, 30), _at(23, 55))]
)


@dataclass(frozen=True, kw_only=True)
class SymbolSpec:
    """One symbol of the simulated broker.

    Attributes:
        name: Its name.
        description: The broker's words.
        path: Its place in the tree of symbols.
        digits: Decimals of a price; the point and the tick are one in the last.
        contract: Units in a lot.
        base: Base currency.
        profit: Currency of profit.
        margin: Currency of margin.
        calc_mode: SYMBOL_CALC_MODE_*.
        volume_min: Smallest volume and step, lots.
        volume_max: Largest volume, lots.
        volume_limit: Most lots in one direction, positions and pending orders together; 0 is no limit.
        trade_mode: SYMBOL_TRADE_MODE_*.
        execution: SYMBOL_TRADE_EXECUTION_*.
        fillings: Mask of SYMBOL_FILLING_*.
        expirations: Mask of SYMBOL_EXPIRATION_*.
        orders: Mask: market 1, limit 2, stop 4, stop limit 8, stop loss 16, take profit 32, close by 64.
        stops_level: Points that stops and pending prices keep from the price; 0 is none.
        freeze_level: Points from the price within which nothing can be changed; 0 is none.
        margin_hedged: Units that take margin for each hedged lot; None for those of the contract.
        spread: Typical spread in points.
        swap_mode: SYMBOL_SWAP_MODE_*.
        swap_long: Per lot and night, in the unit of the mode: points by default.
        swap_short: The same for shorts.
        triple_day: Weekday whose night counts three times.
        hours: Half-open spans of trading in minutes of the server's week, which begins on Sunday.
        price: Level around which the simulated price wanders; 0 where prices come from files.
        volatility: Of a year, as a fraction.
        currencies: Whose news move it.
        activity: Name of its day's shape: europe, asia, metal, index.
    """

    name: str
    description: str
    path: str = "Forex"
    digits: int = 5
    contract: float = 100_000.0
    base: str
    profit: str
    margin: str
    calc_mode: int = mt5.SYMBOL_CALC_MODE_FOREX
    volume_min: float = 0.01
    volume_max: float = 100.0
    volume_limit: float = 0.0
    trade_mode: int = mt5.SYMBOL_TRADE_MODE_FULL
    execution: int = mt5.SYMBOL_TRADE_EXECUTION_MARKET
    fillings: int = mt5.SYMBOL_FILLING_FOK | mt5.SYMBOL_FILLING_IOC
    expirations: int = 15
    orders: int = 127
    stops_level: int = 0
    freeze_level: int = 0
    margin_hedged: float | None = None
    spread: int
    swap_mode: int = mt5.SYMBOL_SWAP_MODE_POINTS
    swap_long: float
    swap_short: float
    triple_day: int = mt5.DAY_OF_WEEK_WEDNESDAY
    hours: tuple[Span, ...] = FOREX_HOURS
    price: float = 0.0
    volatility: float = 0.0
    currencies: tuple[str, ...] = ()
    activity: str = "europe"

    @property
    def point(self) -> float:
        """One point in price, which is also the tick."""
        return float(10.0**-self.digits) if self.digits <= 0 else 1 / 10**self.digits

    @cached_property
    def instrument(self) -> Instrument:
        """The specification in the desk's vocabulary; its tick values are those of a price of 1."""
        point = Decimal(1).scaleb(-self.digits)
        contract = Decimal(str(self.contract))
        return Instrument(
            symbol=self.name,
            broker_symbol=self.name,
            description=self.description,
            digits=self.digits,
            point=point,
            tick_size=point,
            tick_value=point * contract,
            tick_value_loss=point * contract,
            contract_size=contract,
            volume_min=Decimal(str(self.volume_min)),
            volume_step=Decimal(str(self.volume_min)),
            volume_max=Decimal(str(self.volume_max)),
            currency_base=self.base,
            currency_profit=self.profit,
            currency_margin=self.margin,
            calc_mode=self.calc_mode,
            stops_level=self.stops_level,
            freeze_level=self.freeze_level,
            swap_mode=self.swap_mode,
            swap_long=exact(self.swap_long),
            swap_short=exact(self.swap_short),
            swap_triple_day=self.triple_day,
            trade_mode=self.trade_mode,
            margin_hedged=None if self.margin_hedged is None else exact(self.margin_hedged),
        )

    @property
    def trades_weekends(self) -> bool:
        """Whether it is open at any minute of Saturday or Sunday."""
        return bool(self.open_minutes[:DAY_MINUTES].any() or self.open_minutes[-DAY_MINUTES:].any())

    @cached_property
    def open_minutes(self) -> npt.NDArray[np.bool_]:
        """Whether each of the 10,080 minutes of the server's week is open."""
        table = np.zeros(WEEK_MINUTES, dtype=np.bool_)
        for start, end in self.hours:
            table[start:end] = True
        table.setflags(write=False)
        return table

    def is_open(self, server_second: int) -> bool:
        """Whether the market is open at a server epoch in seconds."""
        return bool(self.open_minutes[(server_second // 60 + WEEK_START) % WEEK_MINUTES])


def _forex(name: str, words: str, spread: int, swaps: tuple[float, float], **more: object) -> SymbolSpec:
    base, profit = name[:3], name[3:]
    return SymbolSpec(
        name=name,
        description=words,
        base=base,
        profit=profit,
        margin=base,
        spread=spread,
        swap_long=swaps[0],
        swap_short=swaps[1],
        currencies=(base, profit),
        **more,  # type: ignore[arg-type]  # the keywords of SymbolSpec
    )


def _index(
    name: str, words: str, spread: int, swaps: tuple[float, float], price: float, volatility: float
) -> SymbolSpec:
    return SymbolSpec(
        name=name,
        description=words,
        path="Indices",
        digits=1,
        contract=1.0,
        base="USD",
        profit="USD",
        margin="USD",
        calc_mode=mt5.SYMBOL_CALC_MODE_CFDLEVERAGE,
        volume_min=0.1,
        spread=spread,
        swap_long=swaps[0],
        swap_short=swaps[1],
        triple_day=mt5.DAY_OF_WEEK_FRIDAY,
        hours=INDEX_HOURS,
        price=price,
        volatility=volatility,
        currencies=("USD",),
        activity="index",
    )


SYMBOLS: tuple[SymbolSpec, ...] = (
    _forex("EURUSD", "Euro vs US Dollar", 10, (-7.0, 2.0), price=1.1, volatility=0.068),
    _forex("GBPUSD", "Great Britain Pound vs US Dollar", 14, (-4.0, -1.0), price=1.27, volatility=0.08),
    _forex(
        "USDJPY",
        "US Dollar vs Japanese Yen",
        12,
        (10.0, -20.0),
        digits=3,
        price=150.0,
        volatility=0.09,
        activity="asia",
    ),
    _forex(
        "AUDUSD",
        "Australian Dollar vs US Dollar",
        12,
        (-3.0, -1.0),
        price=0.66,
        volatility=0.1,
        activity="asia",
    ),
    _forex("USDCHF", "US Dollar vs Swiss Franc", 14, (6.0, -12.0), price=0.89, volatility=0.075),
    _forex("USDCAD", "US Dollar vs Canadian Dollar", 15, (1.0, -6.0), price=1.36, volatility=0.065),
    _forex(
        "NZDUSD",
        "New Zealand Dollar vs US Dollar",
        16,
        (-2.0, -2.0),
        price=0.61,
        volatility=0.1,
        activity="asia",
    ),
    SymbolSpec(
        name="XAUUSD",
        description="Gold vs US Dollar",
        path="Metals",
        digits=2,
        contract=100.0,
        base="XAU",
        profit="USD",
        margin="USD",
        calc_mode=mt5.SYMBOL_CALC_MODE_CFDLEVERAGE,
        spread=25,
        swap_long=-42.0,
        swap_short=22.0,
        hours=METAL_HOURS,
        price=2_450.0,
        volatility=0.14,
        currencies=("USD",),
        activity="metal",
    ),
    _index("US30", "Dow Jones 30 Index", 20, (-500.0, 100.0), 40_000.0, 0.15),
    _index("NAS100", "Nasdaq 100 Index", 15, (-300.0, 60.0), 18_500.0, 0.21),
)
