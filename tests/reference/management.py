"""What is done at the close of a bar with what is open: leave at the next open, or move the stop."""

from decimal import ROUND_CEILING

import numpy as np

from backend.strategies.model import Direction, OnOpposite
from backend.trading.reasons import Reason
from tests.reference.fills import Exit, Quotes, quotes
from tests.reference.position import Position
from tests.reference.state import State


def manage(state: State, index: int) -> None:
    """Rules that work on closed bars: leave at the next open, or move the stop from the next bar."""
    _manage_order(state, index)
    position = state.position
    if position is None:
        return
    direction = Direction(position.side.direction)
    position.leave = position.leave or _leave_reason(state, position, direction, index)
    management, bar = state.rules.management, quotes(state.prices, index, position.side)
    if management.close_before_weekend and state.day_bars and bool(state.week_end[index]):
        leave = Exit(level=bar.close, slippage=state.slip, reason=Reason.WEEKEND)
        state.close(position, leave, index, int(state.closes[index]))
        return
    after, trail = management.breakeven_after_r, management.trail_atr
    if after is not None and bar.close - position.entry.fill >= after * position.risk_ticks:
        _move_stop(state, position, position.entry.fill + _cost_ticks(state, position), bar, Reason.BREAKEVEN)
    atr = float(state.facts.atr[index])
    if trail is not None and np.isfinite(atr):
        away = state.stream.instrument.ticks_up(trail * atr)
        _move_stop(state, position, bar.close - away, bar, Reason.TRAIL)


def _manage_order(state: State, index: int) -> None:
    order = state.resting
    if order is None:
        return
    direction = Direction(order.request.side.direction)
    side = state.facts.sides[direction]
    other = state.facts.sides.get(_opposite(direction))
    expiry = order.request.plan.order.expiry_bars
    if bool(side.exit[index] | side.invalidation[index]) or (other is not None and bool(other.signal[index])):
        state.refusals["order_cancelled"] += 1
        state.resting = None
    elif expiry is not None and index - order.placed + 1 >= expiry:
        state.refusals["order_expired"] += 1
        state.resting = None


def _leave_reason(state: State, position: Position, direction: Direction, index: int) -> Reason | None:
    side = state.facts.sides[direction]
    other = state.facts.sides.get(_opposite(direction))
    bars = state.rules.management.time_stop_bars
    if bool(side.exit[index]):
        return Reason.EXIT_RULE
    if bool(side.invalidation[index]):
        return Reason.INVALIDATION
    if other is not None and bool(other.signal[index]) and state.rules.on_opposite is not OnOpposite.IGNORE:
        return Reason.OPPOSITE
    if bars is not None and index - position.index + 1 >= bars:
        return Reason.TIME_STOP
    return None


def _move_stop(state: State, position: Position, level: int, bar: Quotes, reason: Reason) -> None:
    """Only towards profit, only below the price, and not where the broker would refuse it."""
    symbol = state.stream.instrument
    least = symbol.points_to_ticks(symbol.stops_level) if symbol.stops_level else bar.spread
    room = position.target - bar.close >= symbol.points_to_ticks(symbol.stops_level)
    if room and position.stop < level < bar.close and bar.close - level >= least:
        position.stop, position.stop_reason = level, reason


def _cost_ticks(state: State, position: Position) -> int:
    """Ticks that pay the round turn's commission and the slippage of a stop."""
    tick = state.money.tick(position.side, position.entry.fill)
    commission = 2 * state.stream.costs.commission_per_lot / tick
    return int(commission.to_integral_value(ROUND_CEILING)) + state.slip


def _opposite(direction: Direction) -> Direction:
    return Direction.SHORT if direction is Direction.LONG else Direction.LONG
