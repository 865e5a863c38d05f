"""What happens to one lane at a bar's open, inside it and at its close."""

import math
from typing import Any

from backend.backtest.kernel.booking import book_trade, close_part, close_position, open_position
from backend.backtest.kernel.deciding import send
from backend.backtest.kernel.fills import entry_fill, exit_after_entry, exit_at_open, exit_in_bar
from backend.backtest.kernel.money import accrue_swap, equity_with, floating, worth
from backend.backtest.kernel.prices import closing_side, entering_side
from backend.backtest.kernel.records import (
    EMBARGO,
    IGNORE,
    LIMIT,
    LONG,
    LONG_EXIT,
    LONG_INVALID,
    MARKET,
    ORDER_CANCELLED,
    ORDER_EXPIRED,
    SHORT,
    SHORT_EXIT,
    SHORT_INVALID,
)
from backend.trading.management import (
    CANCELLED,
    EXPIRED,
    cost_ticks,
    earns_breakeven,
    leave_reason,
    may_move,
    order_ends,
    trail_level,
    week_ends,
    works_now,
)
from backend.trading.reasons import (
    NONE,
    R_BREAKEVEN,
    R_END,
    R_STOP,
    R_STOP_OUT,
    R_TARGET,
    R_TRAIL,
    R_WEEKEND,
)


def at_open(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """All that happens to the only lane at a bar's open."""
    accrue_swap(lanes[s], desk, lanes[s].server_before, lanes[s].server)
    held_at_open(lanes, desk, trades, s)
    sent_at_open(lanes, desk, s)


def held_at_open(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """What the open does to the position."""
    if lanes[s].side != 0:
        _position_at_open(lanes, desk, trades, s)


def sent_at_open(lanes: Any, desk: Any, s: int) -> None:
    """What was decided is sent, when every position has met the open."""
    lane = lanes[s]
    last = _last(lane)
    if last and lane.r_side != 0:
        desk.refusals[ORDER_CANCELLED] += 1
        lane.r_side = 0
    if lane.q_side != 0 and send(lanes, desk, s, last) and lane.r_kind == MARKET:
        open_position(lanes, desk, s, lane.r_level, 0, lane.slip)


def _last(lane: Any) -> bool:
    """Whether the bar at hand opens at or after the usual last of the trading week."""
    return week_ends(lane.server, lane.week_end)


def _position_at_open(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    lane = lanes[s]
    opened = closing_side(lane, lane.side)[0]
    lane.mark = opened
    if lane.partial_at != 0 and opened >= lane.partial_at:
        close_part(lanes, desk, trades, s)
    reason, level, gap, slip = exit_at_open(opened, lane.stop, lane.target, lane.slip)
    if reason == NONE:
        if lane.close_weekend != 0 and lane.day_bars == 0 and lane.leave == NONE and _last(lane):
            lane.leave = R_WEEKEND
        if lane.leave == NONE or _stopped_out(lanes, desk, trades, s, opened, opened):
            return
        reason, level, gap, slip = lane.leave, opened, 0, lane.slip
    close_position(lanes, desk, trades, s, reason, level, gap, slip, lane.time)


def inside(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """What the rest of the bar does to a resting order or to the position."""
    lane = lanes[s]
    if lane.r_side != 0:
        _rest(lanes, desk, trades, s)
    elif lane.side != 0:
        _position_inside(lanes, desk, trades, s)


def _position_inside(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    lane = lanes[s]
    opened, worst, highest, _ = closing_side(lane, lane.side)
    if _stopped_out(lanes, desk, trades, s, opened, max(worst, lane.stop)):
        return
    best, stopped = desk.best != 0, worst <= lane.stop
    partly = lane.partial_at != 0 and highest >= lane.partial_at
    if stopped and (highest >= lane.target or partly):
        lane.ambiguous = 1
    if partly and (not stopped or best):
        close_part(lanes, desk, trades, s)
    reason, level, gap, slip = exit_in_bar(
        worst, highest, lane.stop, lane.target, lane.slip, lane.stop_reason, best
    )
    _after(lanes, desk, trades, s, reason, level, gap, slip, False)


def _after(
    lanes: Any,
    desk: Any,
    trades: Any,
    s: int,
    reason: int,
    level: int,
    gap: int,
    slip: int,
    entered: bool,
) -> None:
    """Take the bar into the position's record, then end it if it ends here."""
    lane = lanes[s]
    _, worst, highest, close = closing_side(lane, lane.side)
    if reason == NONE:
        # on the bar of an entry only its close is known to have come after the fill
        low, high = (close, close) if entered else (worst, highest)
        lane.low, lane.high = min(lane.low, low), max(lane.high, high)
        _note_low(lanes, desk, s, low)
        if entered:
            _stopped_out(lanes, desk, trades, s, close, close)
        return
    if reason == R_TARGET and not entered:
        low = max(worst, lane.stop)
        lane.low = min(lane.low, low)
        _note_low(lanes, desk, s, low)
    close_position(lanes, desk, trades, s, reason, level, gap, slip, lane.time)


def _note_low(lanes: Any, desk: Any, s: int, price: int) -> None:
    desk.low = min(desk.low, equity_with(lanes, desk, s, price))


def _rest(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """A resting order on a bar: filled or not, and what the rest of the bar does then."""
    lane = lanes[s]
    opened, low, high, _ = entering_side(lane, lane.r_side)
    kind, level = lane.r_kind, lane.r_level
    filled, gap, slip, first = entry_fill(opened, low, high, kind, level, lane.slip)
    if not filled:
        return
    open_position(lanes, desk, s, level, gap, slip)
    opened, worst, highest, close = closing_side(lane, lane.side)
    if first:
        reason, at, gap, slip = exit_at_open(opened, lane.stop, lane.target, lane.slip)
        if reason == NONE:
            _position_inside(lanes, desk, trades, s)
        else:
            close_position(lanes, desk, trades, s, reason, at, gap, slip, lane.time)
        return
    best = desk.best != 0
    reason, at, gap, slip, ambiguous = exit_after_entry(
        worst, highest, close, lane.stop, lane.target, lane.slip, kind, best
    )
    lane.ambiguous = 1 if ambiguous else 0
    if lane.partial_at != 0 and highest >= lane.partial_at and reason != R_STOP:
        if kind != LIMIT or close >= lane.partial_at or best:
            close_part(lanes, desk, trades, s)
        else:
            lane.ambiguous = 1
    _after(lanes, desk, trades, s, reason, at, gap, slip, True)


def _stopped_out(lanes: Any, desk: Any, trades: Any, s: int, opened: int, lowest: int) -> bool:
    """Close by the broker's stop-out, the largest loss first; whether the lane's own position is gone.

    The price at which it happens is the first on the way from the open to the lowest at which equity
    falls to the level.
    """
    lane = lanes[s]
    while (
        desk.stop_out > 0
        and desk.margin > 0
        and equity_with(lanes, desk, s, lowest) <= desk.stop_out * desk.margin
    ):
        lane.mark = _falls_to(lanes, desk, s, desk.stop_out * desk.margin, opened, lowest)
        lane.low = min(lane.low, lane.mark)
        victim = s
        for other in range(len(lanes)):
            beside = lanes[other]
            if beside.side != 0 and floating(beside, desk, beside.mark) < floating(
                lanes[victim], desk, lanes[victim].mark
            ):
                victim = other
        _note_low(lanes, desk, s, lane.mark)
        gone = lanes[victim]
        book_trade(lanes, desk, trades, victim, R_STOP_OUT, gone.mark, 0, gone.slip, lane.time, gone.steps)
        gone.closed_bar = gone.bar
        _note_low(lanes, desk, s, lane.mark)
        if victim == s:
            return True
    return False


def _falls_to(lanes: Any, desk: Any, s: int, level: float, above: int, below: int) -> int:
    """The first price from `above` down to `below` at which equity is at a level or under it."""
    if equity_with(lanes, desk, s, above) <= level:
        return above
    while above - below > 1:
        middle = (above + below) // 2
        if equity_with(lanes, desk, s, middle) <= level:
            below = middle
        else:
            above = middle
    return below


def finish(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """The data end: what is open is closed at the last close."""
    lane = lanes[s]
    lane.r_side = 0
    if lane.side != 0:
        close = closing_side(lane, lane.side)[3]
        close_position(lanes, desk, trades, s, R_END, close, 0, lane.slip, lane.close_time)


def mark(lane: Any) -> None:
    """The position is worth its close now."""
    if lane.side != 0:
        lane.mark = closing_side(lane, lane.side)[3]


def manage(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """Rules that work on closed bars: leave at the next open, or move the stop from the next bar."""
    lane = lanes[s]
    if lane.r_side != 0 and lane.ends != 0:
        _manage_order(lane, desk)
    if lane.side == 0:
        return
    if lane.ends != 0 and lane.leave == NONE:
        lane.leave = _leave_reason(lane)
    close = closing_side(lane, lane.side)[3]
    if lane.close_weekend != 0 and lane.day_bars != 0 and lane.ends != 0 and _last(lane):
        close_position(lanes, desk, trades, s, R_WEEKEND, close, 0, lane.slip, lane.close_time)
        return
    lasted = lane.close_time - lane.time
    if not works_now(lane.server + lasted, lasted, lane.manage_seconds):
        return
    if earns_breakeven(close, lane.entry_fill, lane.first_stop, lane.breakeven):
        _move_stop(lane, lane.entry_fill + _cost_ticks(lane), close, R_BREAKEVEN)
    atr = lane.atr if lane.ends != 0 else lane.atr_before
    if math.isfinite(lane.trail * atr):
        _move_stop(lane, trail_level(close, lane.trail * atr, lane.tick), close, R_TRAIL)


def _manage_order(lane: Any, desk: Any) -> None:
    if lane.r_side > 0:
        against = LONG_EXIT | LONG_INVALID | SHORT | EMBARGO
    else:
        against = SHORT_EXIT | SHORT_INVALID | LONG | EMBARGO
    ends = order_ends(lane.flags & against != 0, lane.bar - lane.r_bar + 1, lane.r_expiry)
    if ends == CANCELLED:
        desk.refusals[ORDER_CANCELLED] += 1
        lane.r_side = 0
    elif ends == EXPIRED:
        desk.refusals[ORDER_EXPIRED] += 1
        lane.r_side = 0


def _leave_reason(lane: Any) -> int:
    long = lane.side > 0
    exits = lane.flags & (LONG_EXIT if long else SHORT_EXIT) != 0
    invalid = lane.flags & (LONG_INVALID if long else SHORT_INVALID) != 0
    opposite = lane.flags & (SHORT if long else LONG) != 0 and lane.on_opposite != IGNORE
    return leave_reason(exits, invalid, opposite, lane.bar - lane.opened_bar + 1, lane.time_stop)


def _move_stop(lane: Any, level: int, close: int, reason: int) -> None:
    spread = lane.ask_close - lane.bid_close
    if may_move(lane.stop, level, close, lane.target, lane.level_ticks, spread):
        lane.stop, lane.stop_reason = level, reason


def _cost_ticks(lane: Any) -> int:
    """Ticks that pay the round turn's commission and the slippage of a stop."""
    tick = worth(lane, 1.0, 1 / lane.volume_step, lane.entry_fill + 1)
    return cost_ticks(lane.commission, tick, int(lane.slip))
