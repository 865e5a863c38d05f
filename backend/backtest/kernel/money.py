"""Money, margin and exposure of the kernel; the rules themselves are those of `backend.trading`."""

import math
from typing import Any

from backend.backtest.kernel.records import (
    INTEREST_CURRENT,
    NO_SWAP,
    PER_LOT_ACCOUNT,
    PER_LOT_BASE,
    PER_LOT_PROFIT,
)
from backend.trading.conversion import converted
from backend.trading.margin import netted_margin

_DAY = 86_400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0
_SATURDAY = 5
_YEAR_DAYS = 360
_TIE = 1e-9  # a half that float noise made a little less
_DRIFT = 1e-13  # relative noise of a product of a few floats


def booked(amount: float, scale: float) -> int:
    """Money in smallest units, half away from zero, as `backend.trading.profit.to_cents`."""
    size = abs(amount) * scale
    units = math.floor(size + 0.5 + _TIE + size * _DRIFT)
    return units if amount >= 0 else -units


def worth(lane: Any, ticks: float, steps: float, price: int) -> float:
    """Account currency of a move of some ticks (signed) for a volume that closes at a price in ticks."""
    amount = ticks * steps * (lane.tick_worth * lane.volume_step)
    close = abs(price) * lane.tick
    result: float = converted(amount, close, lane.worth_by_close != 0, lane.worth_gain, lane.worth_loss)
    return result


def floating(lane: Any, desk: Any, price: int) -> float:
    """Unrealised result of a position at a mirrored price, with accrued swap."""
    return worth(lane, price - lane.entry_fill, lane.steps, price) + float(lane.swap / desk.digits_scale)


def balance(desk: Any) -> float:
    """Balance in account currency."""
    return float(desk.balance / desk.digits_scale)


def equity_at_marks(lanes: Any, desk: Any) -> float:
    """Equity with each position at the price at which it could last be closed."""
    total = balance(desk)
    for s in range(len(lanes)):
        if lanes[s].side != 0:
            total += floating(lanes[s], desk, lanes[s].mark)
    return total


def margin_of_lot(lane: Any, price: int) -> float:
    """Margin of one lot at a price in ticks."""
    return float(lane.margin_unit * (price * lane.tick) ** lane.margin_power)


def refill_margin(lanes: Any, desk: Any) -> None:
    """Margin of all open positions; where one symbol is held both ways the smaller side is hedged."""
    total, open_positions = 0.0, 0
    for s in range(len(lanes)):
        if lanes[s].side != 0:
            open_positions += 1
            if _is_first(lanes, s):
                total += _netted(lanes, s, 0, 0.0, 0.0)
    desk.margin = total
    desk.open_positions = open_positions


def margin_with(lanes: Any, desk: Any, s: int, lots: float, margin: float) -> float:
    """Margin in use once the resting order of a lane is filled, which takes so much by itself."""
    own = _netted(lanes, s, 0, 0.0, 0.0)
    return float(desk.margin - own + _netted(lanes, s, lanes[s].r_side, lots, margin))


def _is_first(lanes: Any, s: int) -> bool:
    """Whether no lane before this one has a position of its symbol."""
    first = True
    for t in range(s):
        first &= lanes[t].side == 0 or lanes[t].symbol != lanes[s].symbol
    return first


def _netted(lanes: Any, s: int, side: int, lots: float, margin: float) -> float:
    """Margin of all positions of a lane's symbol, and of so much more on a side."""
    long_lots, longs = (lots, margin) if side > 0 else (0.0, 0.0)
    short_lots, shorts = (lots, margin) if side < 0 else (0.0, 0.0)
    for t in range(len(lanes)):
        beside = lanes[t]
        if beside.side == 0 or beside.symbol != lanes[s].symbol:
            continue
        if beside.side > 0:
            long_lots += beside.steps * beside.volume_step
            longs += beside.margin
        else:
            short_lots += beside.steps * beside.volume_step
            shorts += beside.margin
    taken: float = netted_margin(long_lots, longs, short_lots, shorts, float(lanes[s].hedged_share))
    return taken


def open_risk(lanes: Any, desk: Any) -> float:
    """Loss of all open trades and resting orders down to their stops."""
    total = 0.0
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.side != 0:
            total += max(floating(lane, desk, lane.mark) - floating(lane, desk, lane.stop), 0.0)
        if lane.r_side != 0:
            total += max(-worth(lane, lane.r_stop - lane.r_level, lane.r_steps, lane.r_stop), 0.0)
    return total


def exposure_of(lane: Any, side: int, steps: int, price: int) -> float:
    """Worth of a volume in account currency at a price in ticks, signed by its side."""
    units = steps * lane.volume_step * lane.contract * side
    if lane.by_close != 0:
        return float(units)
    return float(units * (price * lane.tick) * (lane.gain + lane.loss) / 2)


def refill_exposure(lanes: Any, desk: Any) -> float:
    """Net exposure per unit of all positions and resting orders; gives the worth of the positions."""
    desk.exposure[: desk.units] = 0.0
    gross = 0.0
    for s in range(len(lanes)):
        lane = lanes[s]
        if lane.side != 0:
            value = exposure_of(lane, lane.side, lane.steps, abs(lane.mark))
            desk.exposure[lane.base_unit] += value
            desk.exposure[lane.profit_unit] -= value
            gross += abs(value)
        if lane.r_side != 0:
            value = exposure_of(lane, lane.r_side, lane.r_steps, abs(lane.r_level))
            desk.exposure[lane.base_unit] += value
            desk.exposure[lane.profit_unit] -= value
    return gross


def accrue_swap(lane: Any, desk: Any, before: int, server: int) -> None:
    """Book an open position's swap of every server midnight after `before` until `server`."""
    first, last = before // _DAY + 1, server // _DAY
    if first > last or lane.side == 0 or lane.swap_kind == NO_SWAP:
        return
    figure = lane.swap_long if lane.side > 0 else lane.swap_short
    lots = lane.steps * lane.volume_step
    price = abs(lane.mark) * lane.tick
    opened = abs(lane.entry_fill) * lane.tick
    for day in range(first, last + 1):
        weekday = (day - 1 + _EPOCH_WEEKDAY) % 7
        if weekday >= _SATURDAY and lane.weekends == 0:
            continue
        nights = 3 if (weekday + 1) % 7 == lane.triple_day else 1
        if lane.swap_kind == PER_LOT_ACCOUNT:
            amount = lots * figure * nights
        elif lane.swap_kind == PER_LOT_PROFIT:
            amount = _from_profit(lane, lots * figure * nights, price)
        elif lane.swap_kind == PER_LOT_BASE:
            amount = _from_profit(lane, lots * figure * nights * price, price)
        else:
            at = price if lane.swap_kind == INTEREST_CURRENT else opened
            year = lots * lane.contract * at * figure / 100
            amount = _from_profit(lane, year / _YEAR_DAYS * nights, price)
        lane.swap += booked(amount, desk.digits_scale)


def _from_profit(lane: Any, amount: float, price: float) -> float:
    result: float = converted(amount, price, lane.by_close != 0, lane.gain, lane.loss)
    return result
