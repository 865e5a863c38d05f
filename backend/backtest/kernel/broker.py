"""What the broker does with the bars that open or close now: symbol by symbol, worst first.

As `backend.simulator.matching`. At the first price of a bar: stops and targets that it lies beyond, then
orders. Inside it: stops and stop-outs on the ways to both extremes, all positions of the symbol going along;
then parts and targets, then resting orders; at the close what cannot be carried any more. The lanes that take
part are those marked `now`.
"""

import math
from typing import Any

from backend.backtest.kernel.booking import book_trade, close_part, close_position, open_position
from backend.backtest.kernel.fills import entry_fill, exit_after_entry, exit_at_open
from backend.backtest.kernel.money import equity_at_marks, floating, margin_of_lot, margin_with
from backend.backtest.kernel.prices import closing_side, entering_side
from backend.backtest.kernel.records import LIMIT, ORDER_REJECTED
from backend.trading.reasons import NONE, R_STOP, R_STOP_OUT, R_TARGET

_NOISE = 1e-12  # relative, of money that was added up in another order


def meet_open(lanes: Any, desk: Any, trades: Any) -> None:
    """The first price of the bars that open now."""
    for symbol in range(desk.symbols):
        leader = _leader(lanes, symbol)
        if leader < 0:
            continue
        _quote_open(lanes, symbol)
        s = _next_position(lanes, symbol, 0)
        while s >= 0:
            ticket = lanes[s].ticket
            _exit_at_open(lanes, desk, trades, s)
            s = _next_position(lanes, symbol, ticket)
        s = _next_order(lanes, symbol, 0)
        while s >= 0:
            ticket = lanes[s].r_ticket
            enter_at_open(lanes, desk, trades, s)
            s = _next_order(lanes, symbol, ticket)
        _stop_out(lanes, desk, trades, lanes[leader].time)


def meet_inside(lanes: Any, desk: Any, trades: Any) -> None:
    """The rest of the bars that close now, and their close."""
    for symbol in range(desk.symbols):
        leader = _leader(lanes, symbol)
        if leader < 0:
            continue
        longs, shorts = _held_sides(lanes, symbol)
        if not longs and not shorts:
            _stop_out(lanes, desk, trades, lanes[leader].time)
        else:
            _suffer(lanes, desk, trades, symbol, longs, shorts)
            s = _next_position(lanes, symbol, 0)
            while s >= 0:
                ticket = lanes[s].ticket
                _reach_inside(lanes, desk, trades, s)
                s = _next_position(lanes, symbol, ticket)
            _quote_open(lanes, symbol)
        s = _next_order(lanes, symbol, 0)
        while s >= 0:
            ticket = lanes[s].r_ticket
            _enter_inside(lanes, desk, trades, s)
            s = _next_order(lanes, symbol, ticket)
        _quote_close(lanes, symbol)
        _stop_out(lanes, desk, trades, lanes[leader].time)


def _leader(lanes: Any, symbol: int) -> int:
    """The first lane of a symbol that takes part; −1 if none does."""
    for s in range(len(lanes)):
        if lanes[s].now != 0 and lanes[s].symbol == symbol:
            return s
    return -1


def _next_position(lanes: Any, symbol: int, after: int) -> int:
    """The lane with the oldest position of a symbol that is younger than a ticket; −1 if there is none."""
    found = -1
    for s in range(len(lanes)):
        lane = lanes[s]
        younger = lane.side != 0 and lane.now != 0 and lane.symbol == symbol and lane.ticket > after
        if younger and (found < 0 or lane.ticket < lanes[found].ticket):
            found = s
    return found


def _next_order(lanes: Any, symbol: int, after: int) -> int:
    """The same of resting orders."""
    found = -1
    for s in range(len(lanes)):
        lane = lanes[s]
        younger = lane.r_side != 0 and lane.now != 0 and lane.symbol == symbol and lane.r_ticket > after
        if younger and (found < 0 or lane.r_ticket < lanes[found].r_ticket):
            found = s
    return found


def _quote_open(lanes: Any, symbol: int) -> None:
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.side != 0 and lane.now != 0 and lane.symbol == symbol:
            lane.mark = closing_side(lane, lane.side)[0]


def _quote_close(lanes: Any, symbol: int) -> None:
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.side != 0 and lane.now != 0 and lane.symbol == symbol:
            lane.mark = closing_side(lane, lane.side)[3]


# Orders.


def enter_at_open(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """Fill the lane's resting order if the open has reached it, and meet the open with what it made."""
    lane = lanes[s]
    opened, low, high, _ = entering_side(lane, lane.r_side)
    _, gap, slip, first = entry_fill(opened, low, high, lane.r_kind, lane.r_level, lane.slip)
    if first and _fill(lanes, desk, s, gap, slip):
        _exit_at_open(lanes, desk, trades, s)


def _enter_inside(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """Fill the lane's resting order if the bar comes to it, and what the rest of the bar does then."""
    lane = lanes[s]
    opened, low, high, _ = entering_side(lane, lane.r_side)
    kind, best = lane.r_kind, desk.best != 0
    filled, gap, slip, _ = entry_fill(opened, low, high, kind, lane.r_level, lane.slip)
    if not filled or not _fill(lanes, desk, s, gap, slip):
        return
    _, worst, highest, close = closing_side(lane, lane.side)
    reason, at, gap, slip, ambiguous = exit_after_entry(
        worst, highest, close, lane.stop, lane.target, lane.slip, kind, best
    )
    lane.ambiguous = 1 if ambiguous else 0
    if lane.partial_at != 0 and highest >= lane.partial_at and reason != R_STOP:
        if kind != LIMIT or close >= lane.partial_at or best:
            close_part(lanes, desk, trades, s)
        else:
            lane.ambiguous = 1
    if reason == NONE:
        # only the close is known to have come after the fill
        lane.low, lane.high = min(lane.low, close), max(lane.high, close)
    else:
        close_position(lanes, desk, trades, s, reason, at, gap, slip, lane.time)


def _fill(lanes: Any, desk: Any, s: int, gap: int, slip: int) -> bool:
    """The order becomes a position, or the broker rejects it: there is no margin for it any more."""
    lane = lanes[s]
    lots, fill = lane.r_steps * lane.volume_step, lane.r_level + gap + slip
    after = margin_with(lanes, desk, s, lots, lots * margin_of_lot(lane, abs(fill)))
    if after > desk.margin and after > equity_at_marks(lanes, desk) * (1 + _NOISE):
        lane.r_side = 0
        desk.refusals[ORDER_REJECTED] += 1
        return False
    open_position(lanes, desk, s, lane.r_level, gap, slip)
    return True


# Stops and targets.


def _exit_at_open(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    lane = lanes[s]
    opened = closing_side(lane, lane.side)[0]
    if lane.partial_at != 0 and opened >= lane.partial_at:
        close_part(lanes, desk, trades, s)
    reason, level, gap, slip = exit_at_open(opened, lane.stop, lane.target, lane.slip)
    if reason != NONE:
        close_position(lanes, desk, trades, s, reason, level, gap, slip, lane.time)


def _reach_inside(lanes: Any, desk: Any, trades: Any, s: int) -> None:
    """Part and target of a position that the worst of the bar has left."""
    lane = lanes[s]
    _, worst, highest, _ = closing_side(lane, lane.side)
    reached, partly = highest >= lane.target, lane.partial_at != 0 and highest >= lane.partial_at
    if worst <= lane.stop:  # the best reading has spared it
        lane.ambiguous = 1
    if partly:
        close_part(lanes, desk, trades, s)
    lane.low = min(lane.low, max(worst, lane.stop))
    if reached:
        close_position(lanes, desk, trades, s, R_TARGET, lane.target, 0, 0, lane.time)
    else:
        lane.high = max(lane.high, highest)


def _held_sides(lanes: Any, symbol: int) -> tuple[bool, bool]:
    longs, shorts = False, False
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.side != 0 and lane.now != 0 and lane.symbol == symbol:
            longs |= lane.side > 0
            shorts |= lane.side < 0
    return longs, shorts


def _suffer(lanes: Any, desk: Any, trades: Any, symbol: int, longs: bool, shorts: bool) -> None:
    """Both ways; the account cannot be at both extremes at once, so the worse one comes first."""
    side = 1 if longs else -1
    if longs and shorts:
        _quote(lanes, desk, symbol, 1, math.inf)
        low = equity_at_marks(lanes, desk)
        _quote(lanes, desk, symbol, -1, math.inf)
        side = 1 if low <= equity_at_marks(lanes, desk) else -1
    for _ in range(2 if longs and shorts else 1):
        _go(lanes, desk, trades, symbol, side)
        side = -side


def _go(lanes: Any, desk: Any, trades: Any, symbol: int, side: int) -> None:
    """The way to where positions of a side are worst off: stops as it comes to them, stop-outs before."""
    best = desk.best != 0
    while True:
        following, away = -1, math.inf
        for s in range(len(lanes)):
            lane = lanes[s]
            if lane.side != side or lane.now == 0 or lane.symbol != symbol:
                continue
            opened, worst, highest, _ = closing_side(lane, side)
            if worst > lane.stop or (best and highest >= lane.target):
                continue
            ahead = float(opened - lane.stop)
            if ahead < away or (ahead == away and lane.ticket < lanes[following].ticket):
                following, away = s, ahead
        if _sinks(lanes, desk, trades, symbol, side, away):
            continue
        if following < 0:
            break
        lane = lanes[following]
        _, _, highest, _ = closing_side(lane, side)
        partly = lane.partial_at != 0 and highest >= lane.partial_at
        if highest >= lane.target or partly:
            lane.ambiguous = 1
        if partly and best:
            close_part(lanes, desk, trades, following)
        close_position(lanes, desk, trades, following, lane.stop_reason, lane.stop, 0, lane.slip, lane.time)
    desk.low = min(desk.low, equity_at_marks(lanes, desk))


def _quote(lanes: Any, desk: Any, symbol: int, side: int, ahead: float) -> None:
    """The symbol's prices after so many ticks of the way to where a side is worst off, at most at its end.

    The other side's price goes along in proportion.
    """
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.side == 0 or lane.now == 0 or lane.symbol != symbol:
            continue
        opened, worst, highest, _ = closing_side(lane, lane.side)
        if side > 0:
            whole, beside = lane.bid_open - lane.bid_low, lane.ask_open - lane.ask_low
        else:
            whole, beside = lane.ask_high - lane.ask_open, lane.bid_high - lane.bid_open
        if lane.side == side:
            lane.mark = worst if ahead >= whole else opened - int(ahead)
            if desk.best != 0 and highest >= lane.target:
                lane.mark = max(lane.mark, lane.stop)
        elif ahead >= whole:
            lane.mark = opened + beside
        else:
            lane.mark = opened + _nearest(beside * int(ahead), whole)


def _nearest(above: int, below: int) -> int:
    """A quotient of whole numbers as the nearest whole number, the even one of two."""
    whole, rest = above // below, above % below
    if 2 * rest > below or (2 * rest == below and whole % 2 == 1):
        return whole + 1
    return whole


# Stop-out.


def _sinks(lanes: Any, desk: Any, trades: Any, symbol: int, side: int, ahead: float) -> bool:
    """Quote a place on the way; whether the broker has stopped the account out at one before it or there."""
    _quote(lanes, desk, symbol, side, ahead)
    if not _below_stop_out(lanes, desk):
        return False
    leader = lanes[_leader(lanes, symbol)]
    whole = leader.bid_open - leader.bid_low if side > 0 else leader.ask_high - leader.ask_open
    first, last = -1, int(min(ahead, whole))
    while last - first > 1:
        middle = (first + last) // 2
        _quote(lanes, desk, symbol, side, float(middle))
        if _below_stop_out(lanes, desk):
            last = middle
        else:
            first = middle
    _quote(lanes, desk, symbol, side, float(last))
    return _stop_out(lanes, desk, trades, leader.time)


def _below_stop_out(lanes: Any, desk: Any) -> bool:
    return (
        desk.stop_out > 0 and desk.margin > 0 and equity_at_marks(lanes, desk) <= desk.stop_out * desk.margin
    )


def _stop_out(lanes: Any, desk: Any, trades: Any, time: int) -> bool:
    """At the broker's level the largest loss is closed, asking again after each; whether one was.

    A symbol that has no bar now is not traded.
    """
    closed = False
    while _below_stop_out(lanes, desk):
        victim, loss = -1, 0.0
        for s in range(len(lanes)):
            lane = lanes[s]
            if lane.side == 0 or lane.is_open == 0:
                continue
            result = floating(lane, desk, lane.mark)
            if victim < 0 or result < loss or (result == loss and lane.ticket < lanes[victim].ticket):
                victim, loss = s, result
        if victim < 0:
            break
        gone = lanes[victim]
        gone.low = min(gone.low, gone.mark)
        desk.low = min(desk.low, equity_at_marks(lanes, desk))
        book_trade(lanes, desk, trades, victim, R_STOP_OUT, gone.mark, 0, gone.slip, time, gone.steps)
        gone.closed_bar = gone.bar
        desk.low = min(desk.low, equity_at_marks(lanes, desk))
        closed = True
    return closed
