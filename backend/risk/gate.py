"""The risk gate's core: numbers in, refusal bits and measured values out.

`judge` knows no objects, so that it can be compiled. Its inputs are two float64 arrays, indexed by
`State` and `Limit`; what is unknown is NaN, and **a check that cannot measure refuses**. Which checks
run is a bit mask. A trade that reduces or closes risk is never refused.
"""

import math
from collections.abc import Sequence
from enum import IntEnum, auto


class _Index(IntEnum):
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


def judge(state: Sequence[float], limits: Sequence[float], applies: int) -> tuple[int, list[float]]:
    """Run every check.

    Args:
        state: float64, shape (len(State),).
        limits: float64, shape (len(Limit),).
        applies: Mask of the checks that run; the values of the others are measured all the same.

    Returns:
        The mask of checks that refuse, and the measured values, shape (len(Bit),).
    """
    sends = state[State.SENDS_ITSELF] != 0
    equity = state[State.EQUITY]
    day_base = state[State.DAY_BASE]
    new_risk = state[State.OPEN_RISK] + state[State.NEW_RISK]
    measured = [
        state[State.AI_ENABLED],
        state[State.HALTED],
        state[State.MODE],
        state[State.CONFLICT],
        state[State.CONFIDENCE],
        state[State.CONFIDENCE],
        state[State.COMMISSION_KNOWN],
        _over(state[State.TARGET_TICKS], state[State.STOP_TICKS]),
        state[State.STEPS],
        state[State.STEPS],
        state[State.STEP_FRACTION],
        state[State.SYMBOL_ALLOWS],
        state[State.POSITIONS] + 1,
        state[State.POSITIONS_SYMBOL] + 1,
        state[State.DUPLICATES],
        _over(state[State.EXPOSURE_AFTER], equity),
        _over(new_risk, equity),
        _over(state[State.MARGIN] + state[State.NEW_MARGIN], equity),
        _over(state[State.DAY_LOSS] + new_risk, day_base),
        _over(state[State.DAY_PROFIT], day_base),
        _over(state[State.DRAWDOWN], state[State.DRAWDOWN_BASE]),
        state[State.BARS_SINCE_CLOSE],
        state[State.ENTRIES_STRATEGY] + 1,
        state[State.ENTRIES_DAY] + 1,
        state[State.IN_SESSION],
        state[State.MARKET_OPEN],
        state[State.EMBARGO],
        state[State.CALENDAR_KNOWN],
        state[State.SPREAD_POINTS],
        state[State.AGE_SECONDS],
        state[State.DRIFT_ATR],
        state[State.ORDERS_MINUTE] + 1,
        state[State.SECONDS_TO_WEEKEND],
    ]
    passes = [
        measured[Bit.AI_ENABLED] == 1,
        measured[Bit.HALTED] == 0,
        measured[Bit.MODE] >= 1,
        measured[Bit.CONFLICT] == 0,
        measured[Bit.CONFIDENCE] >= limits[Limit.MIN_CONFIDENCE],
        not sends or measured[Bit.AUTONOMOUS_CONFIDENCE] >= limits[Limit.MIN_CONFIDENCE_AUTONOMOUS],
        not sends or measured[Bit.COMMISSION_KNOWN] == 1,
        state[State.TARGET_TICKS] * state[State.RR_DENOMINATOR]
        >= state[State.STOP_TICKS] * state[State.RR_NUMERATOR],
        measured[Bit.VOLUME_MINIMUM] >= limits[Limit.MIN_STEPS],
        measured[Bit.VOLUME_MAXIMUM] <= limits[Limit.MAX_STEPS],
        measured[Bit.VOLUME_STEP] <= _STEP_NOISE,
        measured[Bit.SYMBOL_TRADING] == 1,
        measured[Bit.POSITIONS_TOTAL] <= limits[Limit.MAX_POSITIONS],
        measured[Bit.POSITIONS_SYMBOL] <= limits[Limit.MAX_POSITIONS_SYMBOL],
        measured[Bit.DUPLICATE] == 0,
        measured[Bit.EXPOSURE] <= limits[Limit.EXPOSURE_CAP] + _SHARE_NOISE,
        measured[Bit.OPEN_RISK] <= limits[Limit.OPEN_RISK] + _SHARE_NOISE,
        measured[Bit.MARGIN] <= limits[Limit.MARGIN] + _SHARE_NOISE,
        measured[Bit.DAILY_LOSS] <= limits[Limit.DAILY_LOSS] + _SHARE_NOISE,
        measured[Bit.DAILY_TARGET] < limits[Limit.DAILY_TARGET],
        measured[Bit.DRAWDOWN] < limits[Limit.DRAWDOWN] - _SHARE_NOISE,
        measured[Bit.COOLDOWN] >= limits[Limit.COOLDOWN_BARS],
        measured[Bit.TRADES_STRATEGY] <= limits[Limit.MAX_ENTRIES_STRATEGY],
        measured[Bit.TRADES_DAY] <= limits[Limit.MAX_ENTRIES_DAY],
        measured[Bit.SESSION] == 1,
        measured[Bit.MARKET_OPEN] == 1,
        measured[Bit.NEWS_EMBARGO] == 0,
        measured[Bit.CALENDAR_KNOWN] == 1 or (limits[Limit.CALENDAR_BLOCKS] == 0 and not sends),
        measured[Bit.SPREAD] <= limits[Limit.MAX_SPREAD] or limits[Limit.MAX_SPREAD] == math.inf,
        measured[Bit.AGE] <= limits[Limit.MAX_AGE],
        measured[Bit.DRIFT] <= limits[Limit.MAX_DRIFT] + _SHARE_NOISE,
        measured[Bit.ORDER_RATE] <= limits[Limit.MAX_ORDERS_MINUTE],
        measured[Bit.WEEKEND] >= limits[Limit.WEEKEND_SECONDS],
    ]
    refused = 0
    if state[State.REDUCES] == 0:
        for number, passed in enumerate(passes):
            if not passed:
                refused |= 1 << number
    return refused & applies, measured


def _over(part: float, whole: float) -> float:
    """The share, NaN where the whole is not above zero: nothing passes on no equity."""
    return part / whole if whole > 0 else math.nan
