"""Opens positions and books what closes of them: one row a closed trade, money to the smallest unit."""

import math
from typing import Any

from backend.backtest.kernel.money import booked, equity_at_marks, margin_of_lot, refill_margin, worth
from backend.backtest.kernel.prices import closing_side
from backend.backtest.kernel.records import PARTIAL_TOO_SMALL
from backend.trading.management import part_level, part_steps
from backend.trading.reasons import NONE, R_PARTIAL, R_STOP


def open_position(lanes: Any, desk: Any, s: int, level: int, gap: int, slip: int) -> None:
    """The order of the lane becomes its position."""
    lane = lanes[s]
    fill = level + gap + slip
    lane.side, lane.steps, lane.ticket = lane.r_side, lane.r_steps, lane.r_ticket
    lane.entry_level, lane.entry_gap, lane.entry_slip, lane.entry_fill = level, gap, slip, fill
    lane.entry_spread = lane.spread
    lane.opened_bar, lane.signal_time, lane.entry_time = lane.bar, lane.r_time, lane.time
    lane.stop, lane.target, lane.first_stop = lane.r_stop, lane.r_target, lane.r_stop
    lane.stop_reason, lane.leave, lane.ambiguous = R_STOP, NONE, 0
    lane.low, lane.high, lane.swap = fill, fill, 0
    lots = lane.steps * lane.volume_step
    lane.entry_commission = booked(lane.commission * lots, desk.digits_scale)
    desk.balance -= lane.entry_commission
    lane.partial_at = 0
    if not math.isnan(lane.partial):
        part = part_level(fill, lane.first_stop, lane.partial)
        lane.partial_at = part if part <= lane.target else 0  # behind the target nothing is left to part
    lane.margin = lots * margin_of_lot(lane, abs(fill))
    lane.mark = closing_side(lane, lane.side)[0]
    lane.r_side = 0
    desk.touched = 1
    refill_margin(lanes, desk)


def close_part(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """Close the configured share at its level, like a target; too small a volume is left alone."""
    lane = lanes[s]
    level = lane.partial_at
    lane.partial_at = 0
    steps = part_steps(lane.steps, lane.partial_share, lane.min_steps)
    if steps == 0:
        desk.refusals[PARTIAL_TOO_SMALL] += 1
        return
    lane.high = max(lane.high, level)
    book_trade(lanes, desk, trades, s, R_PARTIAL, level, 0, 0, lane.time, steps)


def close_position(
    lanes: Any,
    desk: Any,
    trades: Any,
    s: int,
    reason: int,
    level: int,
    gap: int,
    slip: int,
    time: int,
) -> None:
    """Close what is left of the position."""
    lane = lanes[s]
    book_trade(lanes, desk, trades, s, reason, level, gap, slip, time, lane.steps)
    lane.closed_bar = lane.bar
    desk.low = min(desk.low, equity_at_marks(lanes, desk))


def book_trade(
    lanes: Any,
    desk: Any,
    trades: Any,
    s: int,
    reason: int,
    level: int,
    gap: int,
    slip: int,
    time: int,
    steps: int,
) -> None:
    """Close some steps of the position: a row of `backend.backtest.columns.COLUMNS`, and the balance.

    The costs are rounded one by one and the gross result is what then closes the sum, so that the
    waterfall holds to the smallest unit.
    """
    lane, scale = lanes[s], desk.digits_scale
    fill = level - gap - slip
    share = steps / lane.steps
    whole = steps == lane.steps
    result = booked(worth(lane, fill - lane.entry_fill, steps, fill), scale)
    spread_cost = -booked(worth(lane, -(lane.entry_spread + lane.spread) / 2, steps, fill), scale)
    slippage_cost = -booked(worth(lane, -(lane.entry_slip + slip), steps, fill), scale)
    gap_cost = -booked(worth(lane, -(lane.entry_gap + gap), steps, fill), scale)
    paid = lane.entry_commission if whole else booked(lane.entry_commission / scale * share, scale)
    pays = booked(lane.commission * steps * lane.volume_step, scale)
    swap = lane.swap if whole else booked(lane.swap / scale * share, scale)
    at_risk = -worth(lane, lane.first_stop - lane.entry_fill, steps, lane.first_stop)
    low, high = min(lane.low, fill), max(lane.high, fill)
    row = trades[desk.trades]
    row[0] = s
    row[1] = lane.side
    row[2] = steps
    row[3] = lane.signal_time
    row[4] = lane.entry_time
    row[5] = lane.side * lane.entry_fill
    row[6] = lane.side * lane.first_stop
    row[7] = lane.side * lane.target
    row[8] = time
    row[9] = lane.side * fill
    row[10] = reason
    row[11] = lane.ambiguous
    row[12] = result + spread_cost + slippage_cost + gap_cost
    row[13] = spread_cost
    row[14] = slippage_cost
    row[15] = gap_cost
    row[16] = paid + pays
    row[17] = swap
    row[18] = result - paid - pays + swap
    row[19] = booked(max(at_risk, 0.0), scale)
    row[20] = min(booked(worth(lane, low - lane.entry_fill, steps, low), scale), 0)
    row[21] = max(booked(worth(lane, high - lane.entry_fill, steps, high), scale), 0)
    row[22] = lane.bar - lane.opened_bar + 1
    desk.trades += 1
    desk.balance += result - pays + swap
    lane.entry_commission -= paid
    lane.swap -= swap
    lane.margin -= lane.margin * share
    lane.steps -= steps
    if lane.steps == 0:
        lane.side = 0
    refill_margin(lanes, desk)
