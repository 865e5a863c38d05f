"""Why a trade ended: one list for the desk, the backtest and their files."""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a trade ended."""

    TARGET = "target"
    STOP = "stop"
    GAP_STOP = "gap_stop"
    EXIT_RULE = "exit_rule"
    INVALIDATION = "invalidation"
    TIME_STOP = "time_stop"
    TRAIL = "trail"
    BREAKEVEN = "breakeven"
    PARTIAL = "partial"
    WEEKEND = "weekend"
    OPPOSITE = "opposite"
    STOP_OUT = "stop_out"
    END = "end"


REASONS: Final[tuple[Reason, ...]] = tuple(Reason)
"""Where reasons are numbers, they are indices into this."""

NONE: Final = -1
"""No reason, where reasons are numbers."""

# as numbers, for the rules that are compiled
R_TARGET: Final = REASONS.index(Reason.TARGET)
R_STOP: Final = REASONS.index(Reason.STOP)
R_GAP_STOP: Final = REASONS.index(Reason.GAP_STOP)
R_EXIT_RULE: Final = REASONS.index(Reason.EXIT_RULE)
R_INVALIDATION: Final = REASONS.index(Reason.INVALIDATION)
R_TIME_STOP: Final = REASONS.index(Reason.TIME_STOP)
R_TRAIL: Final = REASONS.index(Reason.TRAIL)
R_BREAKEVEN: Final = REASONS.index(Reason.BREAKEVEN)
R_PARTIAL: Final = REASONS.index(Reason.PARTIAL)
R_WEEKEND: Final = REASONS.index(Reason.WEEKEND)
R_OPPOSITE: Final = REASONS.index(Reason.OPPOSITE)
R_STOP_OUT: Final = REASONS.index(Reason.STOP_OUT)
R_END: Final = REASONS.index(Reason.END)
