"""The order of events: every bar of every lane once, closes before opens at the same instant."""

import math
from typing import Any

import numpy as np

from backend.backtest.kernel.broker import meet_inside
from backend.backtest.kernel.deciding import decide
from backend.backtest.kernel.events import at_open, finish, manage
from backend.backtest.kernel.limits import begin_day, breaches, watch_limits
from backend.backtest.kernel.money import accrue_swap, balance, equity_at_marks, worth
from backend.backtest.kernel.records import (
    LONG,
    LONG_EXIT,
    LONG_INVALID,
    SHORT,
    SHORT_EXIT,
    SHORT_INVALID,
    Curve,
    Feed,
    Signals,
    Usual,
)
from backend.backtest.kernel.usual import first_from, hour_of_week, look_up
from backend.core.timeframes import DAY_SECONDS
from backend.trading.reasons import NONE

_NEVER = 1 << 62
_TRAILING = 1
_SIGNAL = LONG | SHORT
_ANY_RULE = LONG | SHORT | LONG_EXIT | LONG_INVALID | SHORT_EXIT | SHORT_INVALID


def first_decisions(feed: Feed, sig: Signals, usual: Usual, lanes: Any, desks: Any) -> None:
    """What the bar before the first traded one of each lane decides."""
    desk = desks[0]
    atr_bits = sig.atr.view(np.int64)
    for s in range(len(lanes)):
        lane = lanes[s]
        _load(feed, sig, atr_bits, lane, lane.first - 1)
        if lane.ends != 0 and lane.flags & _SIGNAL != 0:
            look_up(usual, lane)
            decide(lanes, desk, s)


def advance_one(
    feed: Feed,
    sig: Signals,
    usual: Usual,
    lanes: Any,
    desks: Any,
    resets: Any,
    trades: Any,
    curve: Curve,
    start: int,
    stop: int,
) -> None:
    """Run the path bars `start` to `stop` of the only lane.

    A bar that can touch nothing is passed over in place: flat without an order, or a position whose stop
    and target lie outside the bar.
    """
    desk, lane = desks[0], lanes[0]
    lane.is_open = lane.now = 1
    atr_bits = sig.atr.view(np.int64)
    time, flags = feed.time, sig.flags
    equities = curve.equity
    last, bar_shift = lane.end - 1, lane.bar_begin - lane.begin
    plain = is_plain(feed, sig)
    managed = (
        not math.isnan(lane.breakeven)
        or not math.isnan(lane.trail)
        or not math.isnan(lane.partial)
        or lane.close_weekend != 0
        or lane.time_stop > 0
        or desk.ruled != 0  # a quiet bar asks the desk's own limits alone
    )
    skips = plain and not managed
    reset_at = _next_reset(feed, resets, desk, start)
    midnight = 0  # of the server, that ends the day of the bar before; earlier where nobody looked
    instant, i = desk.instants, start
    while i < stop:
        if i >= reset_at:
            while desk.next_reset < len(resets) and resets[desk.next_reset] <= time[i]:
                desk.next_reset += 1
                begin_day(desk)
            reset_at = _next_reset(feed, resets, desk, i)
        walked = False
        if plain and lane.r_side == 0 and lane.q_side == 0 and i < last:
            until = min(stop, last, reset_at)
            ends = i
            if lane.side == 0:
                while ends < until and flags[ends + bar_shift] & _SIGNAL == 0:
                    ends += 1
                ends = min(ends + 1, until)
                if instant == 0:
                    _note(curve, desk, 0, desk.equity)
                level = desk.equity
                for at in range(instant, instant + ends - i):
                    equities[at] = level
            elif skips and lane.leave == NONE:
                ends = _hold(feed, flags, lane, desk, curve, i, until, instant, midnight)
            if ends > i:
                instant, i = instant + ends - i, ends
                rules = flags[i - 1 + bar_shift]
                if rules & _ANY_RULE == 0:
                    continue
                _load_plain(feed, sig, atr_bits, lane, i - 1)
                walked = True
        if not walked:
            desk.low = math.inf
            desk.touched = 1 if lane.side != 0 else 0
            if plain:
                _load_plain(feed, sig, atr_bits, lane, i)
            else:
                _load(feed, sig, atr_bits, lane, i)
            accrue_swap(lane, desk, lane.server_before, lane.server)
            at_open(lanes, desk, trades)
            meet_inside(lanes, desk, trades)
            if i == last:
                finish(lanes, desk, trades, 0)
            _close_instant(lanes, desk, lane.close_time)
            equities[instant] = desk.equity
            _note(curve, desk, instant, desk.low)
            instant += 1
            midnight = (lane.server // DAY_SECONDS + 1) * DAY_SECONDS
            i += 1
        # one place for both ways: what is called twice is compiled twice
        if i <= last:
            manage(lanes, desk, trades, 0)
            if lane.ends != 0 and lane.flags & _SIGNAL != 0:
                look_up(usual, lane)
                decide(lanes, desk, 0)
    desk.instants = instant


def _next_reset(feed: Feed, resets: Any, desk: Any, i: int) -> int:
    """The path bar, not before `i`, at which the day's loss begins anew; behind the last where none does."""
    if desk.next_reset < len(resets):
        return first_from(feed.time, feed.seconds, i, resets[desk.next_reset])
    return len(feed.time)


def _hold(
    feed: Feed,
    flags: Any,
    lane: Any,
    desk: Any,
    curve: Curve,
    begin: int,
    until: int,
    instant: int,
    midnight: int,
) -> int:
    """Walk bars that touch nothing into position and equity; gives the first bar that was not walked.

    That is one at which stop, target, a limit of the desk or the stop-out is reached or the server's day
    ends, or the one after a bar on which a rule speaks.
    """
    server, lows, highs, closes, spreads = feed.server, feed.low, feed.high, feed.close, feed.spread
    equities, moved, lowest = curve.equity, curve.moved, curve.lowest
    stop, target, entry, steps = lane.stop, lane.target, lane.entry_fill, lane.steps
    per, buys, bar_shift = lane.per_tick, lane.side > 0, lane.bar_begin - lane.begin
    base = balance(desk) + lane.swap / desk.digits_scale
    stopped_out, trailing = desk.stop_out * desk.margin, desk.drawdown_kind == _TRAILING
    deepest, highest, close, equity, least = lane.low, lane.high, lane.mark, desk.equity, math.inf
    shift, moves, i = instant - begin, desk.moves, begin
    while i < until and server[i] < midnight:
        low, high, now = _ticks(lows[i], per), _ticks(highs[i], per), _ticks(closes[i], per)
        if not buys:
            spread = _spread(spreads[i], lane, server[i])
            low, high, now = -high - spread, -low - spread, -now - spread
        if low <= stop or high >= target:
            break
        worst = base + worth(lane, low - entry, steps, low)
        day, ever = breaches(desk, worst)
        if day or ever or worst <= stopped_out:
            break
        close, equity = now, base + worth(lane, now - entry, steps, now)
        equities[i + shift], moved[moves], lowest[moves] = equity, i + shift, worst
        deepest, highest, least = min(deepest, low), max(highest, high), min(least, worst)
        if trailing:
            desk.peak = max(desk.peak, equity)
        moves += 1
        i += 1
        if flags[i - 1 + bar_shift] & _ANY_RULE != 0:
            break
    desk.equity, desk.moves = equity, moves
    desk.in_position += i - begin
    lane.mark, lane.low, lane.high = close, deepest, highest
    if least < desk.min_level * desk.margin:
        desk.min_level = least / desk.margin
    return i


def advance_many(
    feed: Feed,
    sig: Signals,
    usual: Usual,
    lanes: Any,
    desks: Any,
    resets: Any,
    trades: Any,
    curve: Curve,
    instants: int,
) -> bool:
    """Run so many instants at which bars of several lanes close or open; False at the end."""
    desk = desks[0]
    atr_bits = sig.atr.view(np.int64)
    for _ in range(instants):
        now = _NEVER
        for s in range(len(lanes)):
            lane = lanes[s]
            if lane.is_open != 0:
                now = min(now, lane.close_time)
            elif lane.next_bar < lane.end:
                now = min(now, feed.time[lane.next_bar])
        if now == _NEVER:
            return False
        if _close_all(lanes, desk, trades, now):
            _close_instant(lanes, desk, now)
            curve.equity[desk.instants], curve.time[desk.instants] = desk.equity, now
            before = curve.equity[max(desk.instants - 1, 0)]
            if desk.instants == 0 or desk.equity != before or desk.low != before:
                _note(curve, desk, desk.instants, desk.low)
            desk.instants += 1
            for s in range(len(lanes)):
                lane = lanes[s]
                if lane.is_open == 0 or lane.close_time != now:
                    continue
                lane.is_open = 0
                if lane.next_bar < lane.end:
                    manage(lanes, desk, trades, s)
                    if lane.ends != 0 and lane.flags & _SIGNAL != 0:
                        look_up(usual, lane)
                        decide(lanes, desk, s)
            desk.low = math.inf
            desk.touched = 1 if desk.open_positions > 0 else 0
        while desk.next_reset < len(resets) and resets[desk.next_reset] <= now:
            desk.next_reset += 1
            begin_day(desk)
        server = desk.server
        for s in range(len(lanes)):
            lane = lanes[s]
            lane.now = 0
            if lane.is_open == 0 and lane.next_bar < lane.end and feed.time[lane.next_bar] == now:
                _load(feed, sig, atr_bits, lane, lane.next_bar)
                lane.next_bar += 1
                lane.is_open = lane.now = 1
                server = lane.server
        for s in range(len(lanes)):  # the night ends for all at once, also where no bar opens
            accrue_swap(lanes[s], desk, desk.server, server)
        desk.server = server
        at_open(lanes, desk, trades)
    return True


def _close_all(lanes: Any, desk: Any, trades: Any, now: int) -> bool:
    """What happened inside the bars that close now; whether there are any."""
    some = False
    for s in range(len(lanes)):
        lane = lanes[s]
        lane.now = 1 if lane.is_open != 0 and lane.close_time == now else 0
        some |= lane.now != 0
    if some:
        meet_inside(lanes, desk, trades)
    for s in range(len(lanes)):  # the data end at the close, after what happened inside the bars of others
        if lanes[s].now != 0 and lanes[s].next_bar == lanes[s].end:
            finish(lanes, desk, trades, s)
    return some


def _note(curve: Curve, desk: Any, instant: int, lowest: float) -> None:
    curve.moved[desk.moves], curve.lowest[desk.moves] = instant, lowest
    desk.moves += 1


def _close_instant(lanes: Any, desk: Any, at: int) -> None:
    """Equity at an instant at which bars closed and its lowest since the one before, with what they mean."""
    desk.equity = equity_at_marks(lanes, desk)
    desk.low = min(desk.low, desk.equity)
    if desk.margin > 0 and desk.low < desk.min_level * desk.margin:
        desk.min_level = desk.low / desk.margin
    desk.in_position += desk.touched
    watch_limits(lanes, desk, at)
    if desk.drawdown_kind == _TRAILING:
        desk.peak = max(desk.peak, desk.equity)
    if desk.ruled != 0 and desk.rule_drawdown_kind == _TRAILING:
        desk.rule_peak = max(desk.rule_peak, desk.equity)


def is_plain(feed: Feed, sig: Signals) -> bool:
    """Whether each bar is its own step, with a spread, one rate, and nothing but what a few columns say."""
    others = len(feed.owner) + len(feed.ask_open) + len(feed.gain) + len(feed.close_time) + len(sig.target)
    scored = len(sig.strong_long) + len(sig.strong_short) + len(sig.weak_long) + len(sig.weak_short)
    return others + scored == 0


def _load_plain(feed: Feed, sig: Signals, atr_bits: Any, lane: Any, i: int) -> None:
    """`_load` of a plain feed, without a branch: numba then counts no references to the columns."""
    per, bar = lane.per_tick, i - lane.begin + lane.bar_begin
    before = max(i - 1, lane.begin)
    spread = _spread(feed.spread[i], lane, feed.server[i])
    opened, high = _ticks(feed.open[i], per), _ticks(feed.high[i], per)
    low, close = _ticks(feed.low[i], per), _ticks(feed.close[i], per)
    lane.time, lane.close_time = feed.time[i], feed.time[i] + feed.seconds
    lane.server, lane.server_before = feed.server[i], feed.server[before]
    lane.bid_open, lane.bid_high, lane.bid_low, lane.bid_close = opened, high, low, close
    lane.ask_open, lane.ask_high = opened + spread, high + spread
    lane.ask_low, lane.ask_close = low + spread, close + spread
    lane.spread, lane.bar, lane.ends = spread, bar, 1
    lane.bar_server, lane.bar_spread, lane.flags = sig.server[bar], sig.spread[bar], sig.flags[bar]
    lane.atr, lane.atr_bits = sig.atr[bar], atr_bits[bar]


def _load(feed: Feed, sig: Signals, atr_bits: Any, lane: Any, i: int) -> None:
    """Put path bar `i` at hand, with the strategy bar that it belongs to."""
    per = lane.per_tick
    lane.time, lane.server = feed.time[i], feed.server[i]
    lane.server_before = feed.server[i - 1] if i > lane.begin else lane.server
    lane.close_time = feed.close_time[i] if len(feed.close_time) > 0 else lane.time + feed.seconds
    lane.bid_open, lane.bid_high = _ticks(feed.open[i], per), _ticks(feed.high[i], per)
    lane.bid_low, lane.bid_close = _ticks(feed.low[i], per), _ticks(feed.close[i], per)
    if len(feed.ask_open) > 0:
        lane.ask_open, lane.ask_high = _ticks(feed.ask_open[i], per), _ticks(feed.ask_high[i], per)
        lane.ask_low, lane.ask_close = _ticks(feed.ask_low[i], per), _ticks(feed.ask_close[i], per)
        lane.spread = max(lane.ask_open - lane.bid_open, 0)
    else:
        lane.spread = _spread(feed.spread[i], lane, lane.server)
        lane.ask_open, lane.ask_high = lane.bid_open + lane.spread, lane.bid_high + lane.spread
        lane.ask_low, lane.ask_close = lane.bid_low + lane.spread, lane.bid_close + lane.spread
    if len(feed.gain) > 0:
        lane.gain, lane.loss = feed.gain[i], feed.loss[i]
        lane.worth_gain, lane.worth_loss = lane.gain, lane.loss
    bar = feed.owner[i] if len(feed.owner) > 0 else i - lane.begin + lane.bar_begin
    lane.bar = bar
    lane.ends = 1
    if len(feed.owner) > 0 and i + 1 < lane.end and feed.owner[i + 1] == bar:
        lane.ends = 0
    lane.bar_server, lane.bar_spread, lane.flags = sig.server[bar], sig.spread[bar], sig.flags[bar]
    lane.atr, lane.atr_bits = sig.atr[bar], atr_bits[bar]
    lane.atr_before = sig.atr[bar - 1] if bar > lane.bar_begin else math.nan
    if len(sig.target) > 0:
        lane.target_price = sig.target[bar]
    lane.strong_long = sig.strong_long[bar] if len(sig.strong_long) > 0 else 1.0
    lane.strong_short = sig.strong_short[bar] if len(sig.strong_short) > 0 else 1.0
    lane.weak_long = sig.weak_long[bar] if len(sig.weak_long) > 0 else 0.0
    lane.weak_short = sig.weak_short[bar] if len(sig.weak_short) > 0 else 0.0


def _spread(points: int, lane: Any, server: int) -> int:
    """The larger of a bar's spread and the learned one of its hour, in ticks."""
    most = max(points, lane.learned[hour_of_week(server)])
    return math.ceil(most * lane.ticks_per_point - 1e-9)


def _ticks(price: float, per_tick: float) -> int:
    """A price in whole ticks, the nearest one."""
    return math.floor(price * per_tick + 0.5)
