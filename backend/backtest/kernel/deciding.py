"""From a signal at a close to an order at the next open: score, levels, size and gate, as live."""

import math
from typing import Any

from backend.backtest.kernel.limits import day_gained, day_used, drawdown_used
from backend.backtest.kernel.money import (
    balance,
    equity_at_marks,
    exposure_of,
    margin_of_lot,
    open_risk,
    refill_exposure,
    worth,
)
from backend.backtest.kernel.prices import entering_side
from backend.backtest.kernel.records import (
    DUPLICATE,
    EMBARGO,
    EXTRA,
    IN_SESSION,
    LEVELS,
    LIMIT,
    LONG,
    LOW_SCORE,
    MARKET,
    NEWS_KNOWN,
    OPPOSITE_OPEN,
    ORDER_TOO_CLOSE,
    REVERSE,
    SHORT,
    STOP,
    STOP_TOO_CLOSE,
    TARGET_TOO_CLOSE,
    WAIT_RR,
    WEEKEND,
)
from backend.core.ticks import ticks_up, whole_steps
from backend.core.timeframes import DAY_SECONDS
from backend.evaluation.confidence import (
    PlainWeights,
    account_points,
    atr_share,
    clip,
    market_points,
    match_points,
    rounded,
    spread_share,
)
from backend.evaluation.levels import least_target, stop_distance, target_distance
from backend.risk.gate import Limit, State, judge
from backend.trading.conversion import converted
from backend.trading.management import least_distance, order_fits

_WEEK = 7 * DAY_SECONDS
_MONDAY = 3 * DAY_SECONDS  # the epoch was a Thursday
_SATURDAY = 5 * DAY_SECONDS


def seconds_to_weekend(server: int) -> float:
    """Server seconds until Saturday 00:00."""
    return float(_SATURDAY - (server + _MONDAY) % _WEEK)


def decide(lanes: Any, desk: Any, s: int) -> None:
    """Signals of the strategy bar that has closed become at most one request."""
    lane = lanes[s]
    long, short = lane.flags & LONG != 0, lane.flags & SHORT != 0
    desk.signals += 1
    refusal = _occupied(lane, long, short)
    if refusal >= 0:
        desk.refusals[refusal] += 1
        return
    side = 1 if long else -1
    points = float(lane.bar_spread) if lane.bar_spread > 0 else math.nan
    usable = (0.0 if math.isnan(lane.median) else lane.median) if math.isnan(points) else points
    spread = ticks_up(usable * lane.point, lane.tick)
    reference, stop, target = _levels(lane, side, spread)
    if stop == 0:
        desk.refusals[LEVELS] += 1
        return
    equity = equity_at_marks(lanes, desk)
    refill_exposure(lanes, desk)
    kind, offset = _order(lane, desk, side, False)
    entry = reference + offset
    steps, risk, margin = _size(lane, desk, side, entry, entry - side * stop, kind, False, equity)
    exposed = _exposed(lane, desk, side, entry, steps)
    match = 0.0
    if not (long and short):
        strong = lane.strong_long if side > 0 else lane.strong_short
        weak = lane.weak_long if side > 0 else lane.weak_short
        match = match_points(strong, weak, _weights(desk))
    wide = spread_share(points, lane.median, lane.samples)
    rare = atr_share(lane.atr_rank, lane.atr_count)
    score = rounded(
        match + market_points(wide, rare, _weights(desk)) + _comfort(desk, equity, margin, exposed)
    )
    half = desk.pending_only <= score < desk.open_or_scale
    if half:
        kind, offset = _order(lane, desk, side, True)
        entry = reference + offset
        steps, risk, margin = _size(lane, desk, side, entry, entry - side * stop, kind, True, equity)
        exposed = _exposed(lane, desk, side, entry, steps)
    server_close = lane.bar_server + lane.seconds
    lane.q_stop, lane.q_target, lane.q_atr, lane.q_score = stop, target, lane.atr, score
    lane.q_session = _as_number(lane.flags & IN_SESSION != 0)
    lane.q_embargo = _as_number(lane.flags & EMBARGO != 0)
    lane.q_calendar = _as_number(lane.flags & NEWS_KNOWN != 0)
    lane.q_weekend = seconds_to_weekend(server_close)
    _fill_state(lanes, desk, s, side, steps, risk, margin, exposed, equity)
    _fill_pace(lanes, desk, s, server_close // DAY_SECONDS)
    desk.state[State.CONFLICT] = _as_number(long and short)
    desk.state[State.SPREAD_POINTS] = points
    desk.state[State.AGE_SECONDS] = 0.0
    desk.state[State.DRIFT_ATR] = 0.0
    blocking = judge(desk.state, lane.limits, desk.applies, desk.measured) & desk.blocking
    if blocking != 0:
        desk.refusals[_first_bit(blocking)] += 1
    elif score < desk.pending_only:
        desk.refusals[LOW_SCORE] += 1
    elif not target * lane.rr_under >= stop * lane.rr_over:
        desk.refusals[WAIT_RR] += 1
    else:
        lane.q_side, lane.q_kind, lane.q_reference, lane.q_offset = side, kind, reference, offset
        lane.q_half = 1 if half else 0
        lane.q_expiry = desk.pending_expiry if half else lane.order_expiry
        lane.q_time = lane.close_time


def _weights(desk: Any) -> PlainWeights:
    w = desk.weights
    return PlainWeights(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9])


def _comfort(desk: Any, equity: float, margin: float, exposed: float) -> float:
    """Points of the account after a trade."""
    if not equity > 0:
        return account_points(1.0, 1.0, 1.0, _weights(desk))
    lost, base, limit = day_used(desk, equity)
    return account_points(
        clip((desk.margin + margin) / equity / desk.margin_limit),
        clip(exposed / equity / desk.exposure_cap),
        clip(max(lost, 0.0) / base / limit if base > 0 else 1.0),
        _weights(desk),
    )


def send(lanes: Any, desk: Any, s: int, week_ends: bool) -> bool:
    """Send what was decided at the open of the bar at hand: re-anchored, size and gate computed again.

    Returns:
        Whether it passed: the lane's resting order then holds its numbers, also those of a market order.
    """
    lane = lanes[s]
    side, kind, stop = lane.q_side, lane.q_kind, lane.q_stop
    lane.q_side = 0
    live = side * entering_side(lane, side)[0]
    drift = abs(live - lane.q_reference) * lane.tick / lane.q_atr
    entry = live if kind == MARKET else lane.q_reference + lane.q_offset
    equity = equity_at_marks(lanes, desk)
    refill_exposure(lanes, desk)
    half = lane.q_half != 0
    ahead = side * (entry - live)
    waits = kind == LIMIT or (kind == STOP and ahead > 0)  # a passed stop is sent as a market order
    dealt = entry if waits else live
    steps, risk, margin = _size(lane, desk, side, dealt, entry - side * stop, kind, half, equity)
    exposed = _exposed(lane, desk, side, dealt, steps)
    _fill_state(lanes, desk, s, side, steps, risk, margin, exposed, equity)
    _fill_pace(lanes, desk, s, lane.server // DAY_SECONDS)
    desk.state[State.CONFLICT] = 0.0
    desk.state[State.SPREAD_POINTS] = lane.spread / lane.ticks_per_point
    desk.state[State.AGE_SECONDS] = max(lane.time - lane.q_time, 0)
    desk.state[State.DRIFT_ATR] = drift
    blocking = judge(desk.state, lane.limits, desk.applies, desk.measured) & desk.blocking
    refusal = -1
    if blocking != 0:
        refusal = _first_bit(blocking)
    elif stop < stop_distance(0, lane.spread, least_distance(lane.level_ticks, lane.spread)):
        refusal = STOP_TOO_CLOSE
    elif waits and not order_fits(-ahead if kind == LIMIT else ahead, lane.level_ticks):
        refusal = ORDER_TOO_CLOSE
    elif lane.q_target < least_target(lane.level_ticks, 0 if waits else lane.spread + ahead):
        refusal = TARGET_TOO_CLOSE
    elif lane.close_weekend != 0 and week_ends:
        refusal = WEEKEND
    if refusal >= 0:
        desk.refusals[refusal] += 1
        return False
    desk.max_margin = max(desk.max_margin, (desk.margin + margin) / equity)
    worths = refill_exposure(lanes, desk) + abs(exposure_of(lane, side, steps, dealt))
    desk.max_leverage = max(desk.max_leverage, worths / equity)
    day = lane.server // DAY_SECONDS
    lane.entries = lane.entries + 1 if lane.entries_day == day else 1
    lane.entries_day = day
    desk.tickets += 1
    lane.r_ticket = desk.tickets
    lane.r_side, lane.r_kind, lane.r_level, lane.r_steps = side, kind, side * entry, steps
    lane.r_stop, lane.r_target = side * entry - stop, side * entry + lane.q_target
    lane.r_bar, lane.r_expiry, lane.r_time = lane.bar, lane.q_expiry, lane.q_time
    return True


def _occupied(lane: Any, long: bool, short: bool) -> int:
    """Why an open trade of the lane leaves no room for the signal; −1 if nothing does."""
    if lane.r_side != 0:
        return DUPLICATE
    if lane.side != 0 and not (long and short):
        if (lane.side > 0) == long:
            return DUPLICATE
        if lane.on_opposite != REVERSE:
            return OPPOSITE_OPEN
    return -1


def _levels(lane: Any, side: int, spread: int) -> tuple[int, int, int]:
    """Reference price, stop and target distance in ticks; a stop of 0 where they cannot be placed."""
    if not math.isfinite(lane.atr):
        return 0, 0, 0
    reference = lane.bid_close + (spread if side > 0 else 0)
    level = least_distance(lane.level_ticks, spread)
    stop = stop_distance(ticks_up(lane.atr * lane.stop_multiplier, lane.tick), spread, level)
    target = 0
    if lane.has_target == 0:
        target = target_distance(stop, spread, level, lane.reward_over, lane.reward_under)
    elif math.isfinite(lane.target_price):
        target = ticks_up((lane.target_price - reference * lane.tick) * side, lane.tick)
    if target <= 0 or min(reference - side * stop, reference + side * target) <= 0:
        return 0, 0, 0
    return reference, stop, target


def _order(lane: Any, desk: Any, side: int, half: bool) -> tuple[int, int]:
    """Kind of the order, and signed ticks from the reference to its price."""
    kind, own = lane.order_kind, lane.order_offset
    if half:
        better = max(desk.pending_better, own if kind == LIMIT else 0.0)
        return LIMIT, -side * ticks_up(lane.atr * better, lane.tick)
    if kind == LIMIT:
        return LIMIT, -side * ticks_up(lane.atr * own, lane.tick)
    if kind == STOP:
        return STOP, side * ticks_up(lane.atr * own, lane.tick)
    return MARKET, 0


def _size(
    lane: Any,
    desk: Any,
    side: int,
    entry: int,
    stop: int,
    kind: int,
    half: bool,
    equity: float,
) -> tuple[int, float, float]:
    """Volume in steps, its risk and its margin; 0 steps where the smallest volume is too much."""
    fraction = lane.risk / 2 if half else lane.risk
    money = fraction * max(min(balance(desk), equity), 0.0)
    at_stop = -worth(lane, side * (stop - entry), 1 / lane.volume_step, stop)
    slipped = lane.size_slippage * (1 if kind == LIMIT else 2) * lane.contract
    cost = -converted(-slipped, stop * lane.tick, lane.by_close != 0, lane.gain, lane.loss)
    per_lot = at_stop + 2 * lane.size_commission + cost
    if not per_lot > 0:
        return 0, 0.0, 0.0
    limit = min(money / per_lot, lane.max_lots)
    each = margin_of_lot(lane, entry)
    free = equity - desk.margin
    if each > 0 and free < limit * each:
        limit = max(free, 0.0) / each
    steps = whole_steps(limit / lane.volume_step)
    if steps < lane.min_steps:
        return 0, 0.0, 0.0
    lots = steps * lane.volume_step
    return steps, lots * per_lot, lots * each


def _exposed(lane: Any, desk: Any, side: int, entry: int, steps: int) -> float:
    """The largest net exposure after the trade among the units that it adds to."""
    value = exposure_of(lane, side, steps, entry)
    found = 0.0
    before = desk.exposure[lane.base_unit]
    if lane.base_counts != 0 and abs(before + value) > max(abs(before), found):
        found = abs(before + value)
    before = desk.exposure[lane.profit_unit]
    if lane.profit_counts != 0 and abs(before - value) > max(abs(before), found):
        found = abs(before - value)
    return found


def _fill_pace(lanes: Any, desk: Any, s: int, day: int) -> None:
    lane, state = lanes[s], desk.state
    mine, everyone = 0, 0
    for other in range(len(lanes)):
        beside = lanes[other]
        if beside.entries_day == day:
            everyone += beside.entries
            if beside.strategy == lane.strategy:
                mine += beside.entries
    state[State.ENTRIES_STRATEGY] = mine
    state[State.ENTRIES_DAY] = everyone
    state[State.BARS_SINCE_CLOSE] = math.inf if lane.closed_bar < 0 else float(lane.bar - lane.closed_bar)


def _fill_state(
    lanes: Any,
    desk: Any,
    s: int,
    side: int,
    steps: int,
    risk: float,
    margin: float,
    exposed: float,
    equity: float,
) -> None:
    """The gate's numbers, but for the pace and what differs between deciding and sending."""
    lane, state = lanes[s], desk.state
    positions, on_symbol, others = 0, 0, 0
    for other in range(len(lanes)):
        beside = lanes[other]
        held = (1 if beside.side != 0 else 0) + (1 if beside.r_side != 0 else 0)
        positions += held
        if beside.symbol == lane.symbol:
            on_symbol += held
            if desk.netting != 0 and other != s:
                others += held
    day_lost, day_base, lane.limits[Limit.DAILY_LOSS] = day_used(desk, equity)
    lost, lost_of, lane.limits[Limit.DRAWDOWN] = drawdown_used(desk, equity)
    state[State.REDUCES] = 0.0
    state[State.AI_ENABLED] = desk.ai_enabled
    state[State.HALTED] = _as_number(desk.halted != 0 or desk.halted_day != 0)
    state[State.MODE] = desk.mode
    state[State.SENDS_ITSELF] = desk.sends_itself
    state[State.CONFIDENCE] = lane.q_score
    state[State.COMMISSION_KNOWN] = lane.commission_known
    state[State.STOP_TICKS] = lane.q_stop
    state[State.TARGET_TICKS] = lane.q_target
    state[State.RR_NUMERATOR] = lane.rr_over
    state[State.RR_DENOMINATOR] = lane.rr_under
    state[State.STEPS] = steps
    state[State.STEP_FRACTION] = 0.0
    state[State.SYMBOL_ALLOWS] = lane.allows_long if side > 0 else lane.allows_short
    state[State.POSITIONS] = positions
    state[State.POSITIONS_SYMBOL] = on_symbol
    state[State.DUPLICATES] = _as_number(lane.side == side or lane.r_side == side)
    state[State.OTHERS_ON_SYMBOL] = others
    state[State.EXPOSURE_AFTER] = exposed
    state[State.EQUITY] = equity
    state[State.OPEN_RISK] = open_risk(lanes, desk)
    state[State.NEW_RISK] = risk
    state[State.MARGIN] = desk.margin
    state[State.NEW_MARGIN] = margin
    state[State.DAY_LOSS] = max(day_lost, 0.0)
    state[State.DAY_PROFIT] = day_gained(desk, equity, day_base)
    state[State.DAY_BASE] = day_base
    state[State.DRAWDOWN] = lost
    state[State.DRAWDOWN_BASE] = lost_of
    state[State.IN_SESSION] = lane.q_session
    state[State.MARKET_OPEN] = 1.0
    state[State.EMBARGO] = lane.q_embargo
    state[State.CALENDAR_KNOWN] = lane.q_calendar
    state[State.ORDERS_MINUTE] = 0.0
    state[State.SECONDS_TO_WEEKEND] = lane.q_weekend


def _as_number(true: bool) -> float:
    return 1.0 if true else 0.0


def _first_bit(bits: int) -> int:
    for bit in range(EXTRA):
        if bits >> bit & 1:
            return bit
    return EXTRA
