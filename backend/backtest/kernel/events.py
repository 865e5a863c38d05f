"""What the desk does at a bar's open and at its close; the broker's part is `kernel.broker`."""

import math
from typing import Any

from backend.backtest.kernel.booking import close_position, open_position
from backend.backtest.kernel.broker import enter_at_open, meet_open
from backend.backtest.kernel.deciding import send
from backend.backtest.kernel.money import worth
from backend.backtest.kernel.prices import closing_side
from backend.backtest.kernel.records import (
    EMBARGO,
    IGNORE,
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
    R_TRAIL,
    R_WEEKEND,
)


def at_open(lanes: Any, desk: Any, trades: Any) -> None:
    """All that happens as bars open: the broker's part of it, then what leaves, then what was decided."""
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.now != 0 and lane.r_side != 0 and _last(lane):
            desk.refusals[ORDER_CANCELLED] += 1
            lane.r_side = 0
    meet_open(lanes, desk, trades)
    for s in range(len(lanes)):
        if lanes[s].now != 0 and lanes[s].side != 0:
            _leave_at_open(lanes, desk, trades, s)
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.now != 0 and lane.q_side != 0 and send(lanes, desk, s, _last(lane)):
            if lane.r_kind == MARKET:
                open_position(lanes, desk, s, lane.r_level, 0, lane.slip)
            else:
                enter_at_open(lanes, desk, trades, s)


def _last(lane: Any) -> bool:
    """Whether the bar at hand opens at or after the usual last of the trading week."""
    return week_ends(lane.server, lane.week_end)


def _leave_at_open(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    lane = lanes[s]
    if lane.close_weekend != 0 and lane.day_bars == 0 and lane.leave == NONE and _last(lane):
        lane.leave = R_WEEKEND
    if lane.leave != NONE:
        opened = closing_side(lane, lane.side)[0]
        close_position(lanes, desk, trades, s, lane.leave, opened, 0, lane.slip, lane.time)


def finish(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """The data end: what is open is closed at the last close."""
    lane = lanes[s]
    lane.r_side = 0
    if lane.side != 0:
        close = closing_side(lane, lane.side)[3]
        close_position(lanes, desk, trades, s, R_END, close, 0, lane.slip, lane.close_time)


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
