"""The risk gate's core: numbers in, refusal bits and measured values out.

`judge` knows no objects, so that it can be compiled. Its inputs are two arrays of floats, indexed by
`State` and `Limit`; what is unknown is NaN, and **a check that cannot measure refuses**. Which checks
run is a bit mask. A trade that reduces or closes risk is never refused.
"""

import math
from decimal import Decimal
from enum import IntEnum, auto
from typing import Protocol, TypeVar

Number = TypeVar("Number", float, Decimal)


class Numbers(Protocol):
    """A list or an array of floats."""

    def __getitem__(self, index: int, /) -> float:
        """One of them."""


class Measured(Protocol):
    """A list or an array that takes floats."""

    def __getitem__(self, index: int, /) -> float:
        """One of them."""

    def __setitem__(self, index: int, value: float, /) -> None:
        """Put one."""


class _Index(IntEnum):
    __hash__ = int.__hash__  # an Enum's own is written in Python and hashes the name

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[int]) -> int:  # noqa: ARG004
        return count


class State(_Index):
    """Index of each number of the state. Money in account currency; flags are 0 or 1."""

    REDUCES = auto()
    AI_ENABLED = auto()
    HALTED = auto()
    MODE = auto()  # 0 observe, 1 supervised, 2 autonomous
    SENDS_ITSELF = auto()
    CONFLICT = auto()
    CONFIDENCE = auto()
    COMMISSION_KNOWN = auto()
    STOP_TICKS = auto()
    TARGET_TICKS = auto()
    RR_NUMERATOR = auto()
    RR_DENOMINATOR = auto()
    STEPS = auto()
    STEP_FRACTION = auto()  # how far the volume lies from a whole step, in steps
    SYMBOL_ALLOWS = auto()
    POSITIONS = auto()
    POSITIONS_SYMBOL = auto()
    DUPLICATES = auto()
    OTHERS_ON_SYMBOL = auto()  # trades of others on it, where the account nets; 0 on a hedging account
    EXPOSURE_AFTER = auto()
    EQUITY = auto()
    OPEN_RISK = auto()
    NEW_RISK = auto()
    MARGIN = auto()
    NEW_MARGIN = auto()
    DAY_LOSS = auto()
    DAY_PROFIT = auto()
    DAY_BASE = auto()
    DRAWDOWN = auto()
    DRAWDOWN_BASE = auto()
    BARS_SINCE_CLOSE = auto()  # inf if there was no trade
    ENTRIES_STRATEGY = auto()
    ENTRIES_DAY = auto()
    IN_SESSION = auto()
    MARKET_OPEN = auto()
    EMBARGO = auto()
    CALENDAR_KNOWN = auto()
    SPREAD_POINTS = auto()
    AGE_SECONDS = auto()
    DRIFT_ATR = auto()
    ORDERS_MINUTE = auto()
    SECONDS_TO_WEEKEND = auto()


class Limit(_Index):
    """Index of each limit; one that is not configured is inf (or −inf for a floor)."""

    MIN_CONFIDENCE = auto()
    MIN_CONFIDENCE_AUTONOMOUS = auto()
    MIN_STEPS = auto()
    MAX_STEPS = auto()
    MAX_POSITIONS = auto()
    MAX_POSITIONS_SYMBOL = auto()
    EXPOSURE_CAP = auto()
    OPEN_RISK = auto()
    MARGIN = auto()
    DAILY_LOSS = auto()
    DAILY_TARGET = auto()
    DRAWDOWN = auto()
    COOLDOWN_BARS = auto()
    MAX_ENTRIES_STRATEGY = auto()
    MAX_ENTRIES_DAY = auto()
    CALENDAR_BLOCKS = auto()  # 1 if an unknown calendar refuses
    MAX_SPREAD = auto()
    MAX_AGE = auto()
    MAX_DRIFT = auto()
    MAX_ORDERS_MINUTE = auto()
    WEEKEND_SECONDS = auto()


class Bit(_Index):
    """Number of each check: its bit in the masks and its index in the measured values."""

    AI_ENABLED = auto()
    HALTED = auto()
    MODE = auto()
    CONFLICT = auto()
    CONFIDENCE = auto()
    AUTONOMOUS_CONFIDENCE = auto()
    COMMISSION_KNOWN = auto()
    REWARD_TO_RISK = auto()
    VOLUME_MINIMUM = auto()
    VOLUME_MAXIMUM = auto()
    VOLUME_STEP = auto()
    SYMBOL_TRADING = auto()
    SYMBOL_OCCUPIED = auto()
    POSITIONS_TOTAL = auto()
    POSITIONS_SYMBOL = auto()
    DUPLICATE = auto()
    EXPOSURE = auto()
    OPEN_RISK = auto()
    MARGIN = auto()
    DAILY_LOSS = auto()
    DAILY_TARGET = auto()
    DRAWDOWN = auto()
    COOLDOWN = auto()
    TRADES_STRATEGY = auto()
    TRADES_DAY = auto()
    SESSION = auto()
    MARKET_OPEN = auto()
    NEWS_EMBARGO = auto()
    CALENDAR_KNOWN = auto()
    SPREAD = auto()
    AGE = auto()
    DRIFT = auto()
    ORDER_RATE = auto()
    WEEKEND = auto()


_STEP_NOISE = 1e-6
_SHARE_NOISE = 1e-12  # a share that equals its limit passes in spite of float noise


def reaches(lost: float, of: float, limit: float) -> bool:
    """Whether a loss is at its limit, a share of something, or beyond: from there on `judge` refuses too."""
    return lost >= (limit - _SHARE_NOISE) * of


def counted_from(
    static: bool,  # noqa: FBT001 - compiled functions take positional values
    of_initial: bool,  # noqa: FBT001 - same
    locked: bool,  # noqa: FBT001 - same
    initial: Number,
    peak: Number,
    share: Number,
) -> tuple[Number, Number]:
    """The equity from which a drawdown counts, and what its share is of.

    Args:
        static: It counts from the initial balance, whatever came after.
        of_initial: A trailing one is a share of the initial balance, not of the peak.
        locked: The floor of a trailing one rises no further than the initial balance.
        initial: Balance at the beginning.
        peak: The highest that counts.
        share: That may be lost.
    """
    if static:
        return initial, initial
    if of_initial:
        return (min(peak, initial * (1 + share)) if locked else peak), initial
    if locked and peak * (1 - share) > initial:
        peak = initial / (1 - share)
    return peak, peak


def judge(state: Numbers, limits: Numbers, applies: int, measured: Measured) -> int:
    """Run every check.

    Plain statements over numbers, so that the backtest's kernel compiles this very function.

    Args:
        state: float64, shape (len(State),).
        limits: float64, shape (len(Limit),).
        applies: Mask of the checks that run; the values of the others are measured all the same.
        measured: Takes the measured values, shape (len(Bit),).

    Returns:
        The mask of checks that refuse.
    """
    sends = state[State.SENDS_ITSELF] != 0
    equity = state[State.EQUITY]
    day_base = state[State.DAY_BASE]
    new_risk = state[State.OPEN_RISK] + state[State.NEW_RISK]
    measured[Bit.AI_ENABLED] = state[State.AI_ENABLED]
    measured[Bit.HALTED] = state[State.HALTED]
    measured[Bit.MODE] = state[State.MODE]
    measured[Bit.CONFLICT] = state[State.CONFLICT]
    measured[Bit.CONFIDENCE] = state[State.CONFIDENCE]
    measured[Bit.AUTONOMOUS_CONFIDENCE] = state[State.CONFIDENCE]
    measured[Bit.COMMISSION_KNOWN] = state[State.COMMISSION_KNOWN]
    measured[Bit.REWARD_TO_RISK] = _over(state[State.TARGET_TICKS], state[State.STOP_TICKS])
    measured[Bit.VOLUME_MINIMUM] = state[State.STEPS]
    measured[Bit.VOLUME_MAXIMUM] = state[State.STEPS]
    measured[Bit.VOLUME_STEP] = state[State.STEP_FRACTION]
    measured[Bit.SYMBOL_TRADING] = state[State.SYMBOL_ALLOWS]
    measured[Bit.SYMBOL_OCCUPIED] = state[State.OTHERS_ON_SYMBOL]
    measured[Bit.POSITIONS_TOTAL] = state[State.POSITIONS] + 1
    measured[Bit.POSITIONS_SYMBOL] = state[State.POSITIONS_SYMBOL] + 1
    measured[Bit.DUPLICATE] = state[State.DUPLICATES]
    measured[Bit.EXPOSURE] = _over(state[State.EXPOSURE_AFTER], equity)
    measured[Bit.OPEN_RISK] = _over(new_risk, equity)
    measured[Bit.MARGIN] = _over(state[State.MARGIN] + state[State.NEW_MARGIN], equity)
    measured[Bit.DAILY_LOSS] = _over(state[State.DAY_LOSS] + new_risk, day_base)
    measured[Bit.DAILY_TARGET] = _over(state[State.DAY_PROFIT], day_base)
    measured[Bit.DRAWDOWN] = _over(state[State.DRAWDOWN], state[State.DRAWDOWN_BASE])
    measured[Bit.COOLDOWN] = state[State.BARS_SINCE_CLOSE]
    measured[Bit.TRADES_STRATEGY] = state[State.ENTRIES_STRATEGY] + 1
    measured[Bit.TRADES_DAY] = state[State.ENTRIES_DAY] + 1
    measured[Bit.SESSION] = state[State.IN_SESSION]
    measured[Bit.MARKET_OPEN] = state[State.MARKET_OPEN]
    measured[Bit.NEWS_EMBARGO] = state[State.EMBARGO]
    measured[Bit.CALENDAR_KNOWN] = state[State.CALENDAR_KNOWN]
    measured[Bit.SPREAD] = state[State.SPREAD_POINTS]
    measured[Bit.AGE] = state[State.AGE_SECONDS]
    measured[Bit.DRIFT] = state[State.DRIFT_ATR]
    measured[Bit.ORDER_RATE] = state[State.ORDERS_MINUTE] + 1
    measured[Bit.WEEKEND] = state[State.SECONDS_TO_WEEKEND]
    if state[State.REDUCES] != 0:
        return 0
    refused = (
        _unless(measured[Bit.AI_ENABLED] == 1, Bit.AI_ENABLED)
        | _unless(measured[Bit.HALTED] == 0, Bit.HALTED)
        | _unless(measured[Bit.MODE] >= 1, Bit.MODE)
        | _unless(measured[Bit.CONFLICT] == 0, Bit.CONFLICT)
        | _unless(measured[Bit.CONFIDENCE] >= limits[Limit.MIN_CONFIDENCE], Bit.CONFIDENCE)
        | _unless(
            not sends or measured[Bit.AUTONOMOUS_CONFIDENCE] >= limits[Limit.MIN_CONFIDENCE_AUTONOMOUS],
            Bit.AUTONOMOUS_CONFIDENCE,
        )
        | _unless(not sends or measured[Bit.COMMISSION_KNOWN] == 1, Bit.COMMISSION_KNOWN)
        | _unless(
            state[State.TARGET_TICKS] * state[State.RR_DENOMINATOR]
            >= state[State.STOP_TICKS] * state[State.RR_NUMERATOR],
            Bit.REWARD_TO_RISK,
        )
        | _unless(measured[Bit.VOLUME_MINIMUM] >= limits[Limit.MIN_STEPS], Bit.VOLUME_MINIMUM)
        | _unless(measured[Bit.VOLUME_MAXIMUM] <= limits[Limit.MAX_STEPS], Bit.VOLUME_MAXIMUM)
        | _unless(measured[Bit.VOLUME_STEP] <= _STEP_NOISE, Bit.VOLUME_STEP)
        | _unless(measured[Bit.SYMBOL_TRADING] == 1, Bit.SYMBOL_TRADING)
        | _unless(measured[Bit.SYMBOL_OCCUPIED] == 0, Bit.SYMBOL_OCCUPIED)
        | _unless(measured[Bit.POSITIONS_TOTAL] <= limits[Limit.MAX_POSITIONS], Bit.POSITIONS_TOTAL)
        | _unless(measured[Bit.POSITIONS_SYMBOL] <= limits[Limit.MAX_POSITIONS_SYMBOL], Bit.POSITIONS_SYMBOL)
        | _unless(measured[Bit.DUPLICATE] == 0, Bit.DUPLICATE)
        | _unless(measured[Bit.EXPOSURE] <= limits[Limit.EXPOSURE_CAP] + _SHARE_NOISE, Bit.EXPOSURE)
        | _unless(measured[Bit.OPEN_RISK] <= limits[Limit.OPEN_RISK] + _SHARE_NOISE, Bit.OPEN_RISK)
        | _unless(measured[Bit.MARGIN] <= limits[Limit.MARGIN] + _SHARE_NOISE, Bit.MARGIN)
        | _unless(measured[Bit.DAILY_LOSS] <= limits[Limit.DAILY_LOSS] + _SHARE_NOISE, Bit.DAILY_LOSS)
        | _unless(measured[Bit.DAILY_TARGET] < limits[Limit.DAILY_TARGET], Bit.DAILY_TARGET)
        | _unless(measured[Bit.DRAWDOWN] < limits[Limit.DRAWDOWN] - _SHARE_NOISE, Bit.DRAWDOWN)
        | _unless(measured[Bit.COOLDOWN] >= limits[Limit.COOLDOWN_BARS], Bit.COOLDOWN)
        | _unless(measured[Bit.TRADES_STRATEGY] <= limits[Limit.MAX_ENTRIES_STRATEGY], Bit.TRADES_STRATEGY)
        | _unless(measured[Bit.TRADES_DAY] <= limits[Limit.MAX_ENTRIES_DAY], Bit.TRADES_DAY)
        | _unless(measured[Bit.SESSION] == 1, Bit.SESSION)
        | _unless(measured[Bit.MARKET_OPEN] == 1, Bit.MARKET_OPEN)
        | _unless(measured[Bit.NEWS_EMBARGO] == 0, Bit.NEWS_EMBARGO)
        | _unless(
            measured[Bit.CALENDAR_KNOWN] == 1 or (limits[Limit.CALENDAR_BLOCKS] == 0 and not sends),
            Bit.CALENDAR_KNOWN,
        )
        | _unless(
            measured[Bit.SPREAD] <= limits[Limit.MAX_SPREAD] or limits[Limit.MAX_SPREAD] == math.inf,
            Bit.SPREAD,
        )
        | _unless(measured[Bit.AGE] <= limits[Limit.MAX_AGE], Bit.AGE)
        | _unless(measured[Bit.DRIFT] <= limits[Limit.MAX_DRIFT] + _SHARE_NOISE, Bit.DRIFT)
        | _unless(measured[Bit.ORDER_RATE] <= limits[Limit.MAX_ORDERS_MINUTE], Bit.ORDER_RATE)
        | _unless(measured[Bit.WEEKEND] >= limits[Limit.WEEKEND_SECONDS], Bit.WEEKEND)
    )
    return refused & applies


def _unless(passes: bool, bit: int) -> int:  # noqa: FBT001 - it is the sentence
    """The bit of a check that does not pass; what is NaN never does."""
    return 0 if passes else 1 << bit


def _over(part: float, whole: float) -> float:
    """The share, NaN where the whole is not above zero: nothing passes on no equity."""
    return part / whole if whole > 0 else math.nan
