"""What is done at a close with what is open: plain rules of numbers, live and in the backtest's kernel.

Prices are whole ticks of the symbol and *mirrored*: negated for a short, so that up is always towards the
target. Volumes are whole steps, times server epochs in seconds. `backend.trading.reasons` has the reasons.
"""

import math
from typing import Final

from backend.core.ticks import ticks_up, whole_steps
from backend.core.timeframes import DAY_SECONDS
from backend.trading.reasons import NONE, R_EXIT_RULE, R_INVALIDATION, R_OPPOSITE, R_TIME_STOP

STAYS: Final = 0
CANCELLED: Final = 1
EXPIRED: Final = 2
NO_TARGET: Final = 1 << 62

_NOISE: Final = 1e-9
_MONDAY: Final = 3 * DAY_SECONDS  # the epoch was a Thursday
_WEEK: Final = 7 * DAY_SECONDS
_SATURDAY_ENDS: Final = 6 * DAY_SECONDS


def second_of_week(server: int) -> int:
    """Seconds since the week's Monday 00:00."""
    return (server + _MONDAY) % _WEEK


def week_ends(server: int, week_end: int) -> bool:
    """Whether a moment lies at or after the open of the usual last bar of the trading week.

    Args:
        server: The moment.
        week_end: Second of the week at which that bar opens; seven days where there is none.
    """
    # a week of the market may begin late on Sunday: only the days up to Saturday count as its end
    return week_end <= second_of_week(server) < _SATURDAY_ENDS


def works_now(server_close: int, lasted: int, every: int) -> bool:
    """Whether the rules over closed bars of the management timeframe work at this close.

    Args:
        server_close: When the bar closed.
        lasted: Its seconds.
        every: Seconds of the management timeframe.
    """
    return lasted >= every or server_close % every == 0


def leave_reason(exits: bool, invalid: bool, opposite: bool, held: int, time_stop: int) -> int:  # noqa: FBT001
    """Why a position leaves at the next price, the first of these that holds.

    Args:
        exits: Whether an exit condition holds at the strategy bar's close.
        invalid: Whether an invalidation does.
        opposite: Whether the other side signals, and the strategy heeds it.
        held: Strategy bars on which the position has been open, that of its entry included.
        time_stop: After how many it leaves; 0 is never.
    """
    if exits:
        return R_EXIT_RULE
    if invalid:
        return R_INVALIDATION
    if opposite:
        return R_OPPOSITE
    if 0 < time_stop <= held:
        return R_TIME_STOP
    return NONE


def order_ends(against: bool, rested: int, expiry: int) -> int:  # noqa: FBT001
    """Whether a resting order is taken back at a strategy bar's close.

    Args:
        against: Whether an exit, an invalidation, an opposite signal or an embargo speaks against it.
        rested: Strategy bars on which it has stood, that of its placing included.
        expiry: After how many it ends; 0 is never.
    """
    if against:
        return CANCELLED
    return EXPIRED if 0 < expiry <= rested else STAYS


def earns_breakeven(close: int, entry: int, first_stop: int, after: float) -> bool:
    """Whether the close is `after` times the first risk above the entry; never where that is NaN."""
    return close - entry >= after * (entry - first_stop)


def cost_ticks(commission: float, tick: float, slip: int) -> int:
    """Ticks above the entry that pay the commission of both sides and the slippage of a stop.

    Args:
        commission: Per lot and side.
        tick: What a tick of a lot is worth, in the same currency.
        slip: Ticks of slippage.
    """
    return math.ceil(2 * commission / tick - _NOISE) + slip


def trail_level(close: int, away: float, tick: float) -> int:
    """Where the trailing stop stands: a finite price distance below the close, rounded away."""
    return close - ticks_up(away, tick)


def least_distance(level: int, spread: int) -> int:
    """Ticks that a stop keeps from the closing side: the broker's level, or the spread if it states none."""
    return level if level > 0 else spread


def may_move(stop: int, level: int, close: int, target: int, stated: int, spread: int) -> bool:
    """Whether a stop is moved: towards the target, below the price, and not nearer than the broker takes.

    A broker that states a level judges both levels of a position with each change of one of them. A move that
    it would not take is not sent; the rule tries again at the next close.

    Args:
        stop: Where it stands.
        level: Where it shall stand.
        close: The price that would close the position.
        target: The position's target; `NO_TARGET` if it has none.
        stated: Ticks of the broker's stops level; 0 where it states none.
        spread: Ticks between bid and ask.
    """
    near = close - level < least_distance(stated, spread) or target - close < stated
    return stop < level < close and not near


def order_fits(away: int, level: int) -> bool:
    """Whether a broker that states a level takes a pending order so many ticks from the entering side.

    Args:
        away: Ticks between the price and the order, on the order's own side of the price.
        level: The broker's level in ticks; 0 where it states none.
    """
    return level <= 0 or away >= level


def part_level(entry: int, first_stop: int, at_r: float) -> int:
    """Where a part of the position is closed: so many times the first risk above the entry, rounded up."""
    return entry + math.ceil(at_r * (entry - first_stop) - _NOISE)


def part_steps(steps: int, share: float, smallest: float) -> int:
    """Steps of the part, floored; 0 where it, or what would be left, is below the smallest volume."""
    part = whole_steps(steps * share)
    if part < smallest or steps - part < smallest:
        return 0
    return part
