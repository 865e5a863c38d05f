"""The functions of the condition language: what each takes, gives and how far it looks back.

The computation itself is `backend.evaluation`; this table is what the parser checks against, so a
strategy can be validated without loading an indicator library.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from backend.strategies.sessions import SESSIONS

Params = tuple[float | int | str, ...]

MAX_PERIOD = 2000
SEED_WEIGHT = 1e-9
"""Share of a recursive indicator's starting value that is small enough to be forgotten."""

SERIES: dict[str, str] = {
    "open": "bid at the bar's open",
    "high": "highest bid of the bar",
    "low": "lowest bid of the bar",
    "close": "last bid of the bar",
    "volume": "tick volume of the bar",
    "spread": "spread of the bar in points",
    "hour": "server hour of the bar's open, 0 to 23",
    "weekday": "server weekday of the bar's open, Monday 1 to Sunday 7",
}


class Kind(StrEnum):
    """What an expression is."""

    NUMBER = "number"
    BOOLEAN = "condition"


@dataclass(frozen=True, slots=True)
class Param:
    """A constant that a function takes: a whole number unless `whole` is false.

    Attributes:
        name: As shown in the usage.
        default: Taken when it is left out; None means it must be given.
        low: Smallest value allowed.
        whole: Only whole numbers.
        choices: For text: the words allowed.
    """

    name: str
    default: float | int | None = None
    low: float = 1
    whole: bool = True
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of the language.

    Attributes:
        name: Its name.
        meaning: One line for a person.
        series: How many series come first; -1 means two or more.
        source: Series used when the single leading series is left out; None means none is taken.
        params: Constants that follow.
        gives: Number or condition.
        lookback: Bars before the current one that must exist for a value, from the constants.
        memory: Further bars until the starting point is forgotten (`SEED_WEIGHT`), for recursive ones.
        ordered: The first constant must be less than the second.
        internal: Only named facts may use it.
        columns: Bar columns that it reads by itself.
    """

    name: str
    meaning: str
    series: int = 0
    source: str | None = None
    params: tuple[Param, ...] = ()
    gives: Kind = Kind.NUMBER
    lookback: Callable[[Params], int]
    memory: Callable[[Params], int] = field(default=lambda _: 0)
    ordered: bool = False
    internal: bool = False
    columns: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is written, such as ``ema([x,] n)``."""
        parts = ["x", "y", "…"] if self.series < 0 else [*"xy"[: self.series]]
        parts += [
            f'"{p.name}"' if p.choices else p.name if p.default is None else f"{p.name}={p.default:g}"
            for p in self.params
        ]
        optional = "[x,] " if self.source is not None else ""
        return f"{self.name}({optional}{', '.join(parts)})"


def _n(params: Params, index: int = 0) -> int:
    return int(params[index])


def _settle(alpha: float) -> int:
    """Bars until a recursive average with weight `alpha` has forgotten its seed."""
    return 0 if alpha >= 1 else math.ceil(math.log(SEED_WEIGHT) / math.log(1 - alpha))


def _ema(period: int) -> int:
    return _settle(2 / (period + 1))


def _wilder(period: int) -> int:
    return _settle(1 / period)


_PERIOD = Param("n")
_PERIOD2 = Param("n", low=2)
_MACD = (Param("fast", 12, 2), Param("slow", 26, 2), Param("signal", 9, 1))
_STOCH = (Param("k", 14), Param("slowing", 3), Param("d", 3))
_BANDS = (Param("n", 20, 2), Param("width", 2.0, 0, whole=False))
_KELTNER = (Param("n", 20), Param("width", 2.0, 0, whole=False), Param("atr", 10))


def _window(params: Params) -> int:
    return _n(params) - 1


def _same(params: Params) -> int:
    return _n(params)


def _macd_memory(params: Params) -> int:
    return _ema(_n(params, 1)) + _ema(_n(params, 2))


def _macd_lookback(params: Params) -> int:
    return _n(params, 1) - 1 + _n(params, 2) - 1


_HLC = ("high", "low", "close")

_TABLE = (
    Function(name="sma", meaning="simple average", source="close", params=(_PERIOD,), lookback=_window),
    Function(
        name="ema",
        meaning="exponential average, seeded by the simple one",
        source="close",
        params=(_PERIOD,),
        lookback=_window,
        memory=lambda p: _ema(_n(p)),
    ),
    Function(
        name="wma", meaning="linearly weighted average", source="close", params=(_PERIOD,), lookback=_window
    ),
    Function(
        name="rsi",
        meaning="relative strength index (Wilder), 0 to 100",
        source="close",
        params=(Param("n", 14, 2),),
        lookback=_same,
        memory=lambda p: _wilder(_n(p)),
    ),
    *(
        Function(
            name=name,
            meaning=meaning,
            source="close",
            params=_MACD,
            lookback=_macd_lookback,
            memory=_macd_memory,
            ordered=True,
        )
        for name, meaning in (
            ("macd", "fast minus slow exponential average"),
            ("macd_signal", "exponential average of the MACD line"),
            ("macd_hist", "MACD line minus its signal"),
        )
    ),
    Function(
        name="atr",
        meaning="average true range (Wilder), in price",
        params=(Param("n", 14),),
        lookback=_same,
        memory=lambda p: _wilder(_n(p)),
        columns=_HLC,
    ),
    Function(
        name="adx",
        meaning="average directional index (Wilder), 0 to 100",
        params=(Param("n", 14, 2),),
        lookback=lambda p: 2 * _n(p) - 1,
        memory=lambda p: 2 * _wilder(_n(p)),
        columns=_HLC,
    ),
    *(
        Function(
            name=name,
            meaning=meaning,
            params=(Param("n", 14),),
            lookback=_same,
            memory=lambda p: _wilder(_n(p)),
            columns=_HLC,
        )
        for name, meaning in (
            ("plus_di", "positive directional indicator (Wilder)"),
            ("minus_di", "negative directional indicator (Wilder)"),
        )
    ),
    Function(
        name="stoch_k",
        meaning="slow stochastic %K, 0 to 100",
        params=_STOCH,
        lookback=lambda p: _n(p) + _n(p, 1) - 2,
        columns=_HLC,
    ),
    Function(
        name="stoch_d",
        meaning="slow stochastic %D, 0 to 100",
        params=_STOCH,
        lookback=lambda p: _n(p) + _n(p, 1) + _n(p, 2) - 3,
        columns=_HLC,
    ),
    Function(
        name="cci",
        meaning="commodity channel index",
        params=(Param("n", 20, 2),),
        lookback=_window,
        columns=_HLC,
    ),
    *(
        Function(name=name, meaning=meaning, source="close", params=_BANDS, lookback=_window)
        for name, meaning in (
            ("bb_upper", "upper Bollinger band"),
            ("bb_mid", "middle Bollinger band"),
            ("bb_lower", "lower Bollinger band"),
        )
    ),
    *(
        Function(name=name, meaning=meaning, params=(Param("n", 20),), lookback=_window, columns=(name[9:],))
        for name, meaning in (
            ("donchian_high", "highest high of n bars, this one included"),
            ("donchian_low", "lowest low of n bars, this one included"),
        )
    ),
    *(
        Function(
            name=name,
            meaning=meaning,
            params=_KELTNER,
            lookback=lambda p: max(_n(p) - 1, _n(p, 2)),
            memory=lambda p: max(_ema(_n(p)), _wilder(_n(p, 2))),
            columns=_HLC,
        )
        for name, meaning in (
            ("keltner_upper", "exponential average plus width × average true range"),
            ("keltner_lower", "exponential average minus width × average true range"),
        )
    ),
    Function(
        name="highest",
        meaning="largest of n bars, this one included",
        series=1,
        params=(_PERIOD,),
        lookback=_window,
    ),
    Function(
        name="lowest",
        meaning="smallest of n bars, this one included",
        series=1,
        params=(_PERIOD,),
        lookback=_window,
    ),
    Function(
        name="stdev",
        meaning="population standard deviation",
        source="close",
        params=(_PERIOD2,),
        lookback=_window,
    ),
    Function(
        name="roc",
        meaning="change over n bars in percent",
        source="close",
        params=(Param("n", 10),),
        lookback=_same,
    ),
    Function(
        name="obv",
        meaning="on-balance volume; its level depends on where history begins, its changes do not",
        lookback=lambda _: 0,
        columns=("close", "volume"),
    ),
    *(
        Function(name=name, meaning=meaning, series=2, gives=Kind.BOOLEAN, lookback=lambda _: 1)
        for name, meaning in (
            ("crosses_above", "x is above y and was not one bar ago"),
            ("crosses_below", "x is below y and was not one bar ago"),
        )
    ),
    *(
        Function(
            name=name,
            meaning=meaning,
            series=1,
            params=(Param("n", 1),),
            gives=Kind.BOOLEAN,
            lookback=_same,
        )
        for name, meaning in (
            ("rising", "each of the last n bars is above the one before it"),
            ("falling", "each of the last n bars is below the one before it"),
        )
    ),
    Function(name="abs", meaning="size without sign", series=1, lookback=lambda _: 0),
    Function(name="min", meaning="smallest of the operands", series=-1, lookback=lambda _: 0),
    Function(name="max", meaning="largest of the operands", series=-1, lookback=lambda _: 0),
    Function(
        name="session",
        meaning="the bar closes within the session's hours in its own city",
        params=(Param("name", choices=tuple(SESSIONS)),),
        gives=Kind.BOOLEAN,
        lookback=lambda _: 0,
    ),
    Function(
        name="median_before",
        meaning="median of the n bars before this one",
        series=1,
        params=(_PERIOD,),
        lookback=_same,
        internal=True,
    ),
    *(
        Function(
            name=name,
            meaning=meaning,
            gives=Kind.BOOLEAN,
            lookback=lambda _: 0,
            internal=True,
            columns=("open", "high", "low", "close"),
        )
        for name, meaning in (
            ("is_doji", "body ≤ 10 % of the range"),
            ("is_long_upper_wick", "upper wick ≥ 2 × body and ≥ half the range"),
            ("is_long_lower_wick", "lower wick ≥ 2 × body and ≥ half the range"),
            ("is_hammer", "long lower wick with an upper wick ≤ 10 % of the range"),
            ("is_shooting_star", "long upper wick with a lower wick ≤ 10 % of the range"),
        )
    ),
    *(
        Function(
            name=name,
            meaning=meaning,
            series=1,
            params=(Param("within", 60, 3),),
            gives=Kind.BOOLEAN,
            lookback=lambda p: _n(p) + 6,
            internal=True,
            columns=(column,),
        )
        for name, meaning, column in (
            ("diverges_bullish", "a lower pivot low in price with a higher x", "low"),
            ("diverges_bearish", "a higher pivot high in price with a lower x", "high"),
        )
    ),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in _TABLE}
