"""From a signal at a close to an order at the next open."""

from dataclasses import replace
from decimal import Decimal

import numpy as np

from backend.backtest.fills import Entry, quotes
from backend.backtest.position import Position
from backend.backtest.state import Request, Resting, State
from backend.evaluation.levels import PENDING_BETTER_ATR, better_by, broker_minimum, levels, spread_ticks
from backend.risk.sizing import size_position
from backend.strategies.model import Direction, OnOpposite, OrderType
from backend.trading.margin import margin
from backend.trading.profit import to_cents
from backend.trading.sides import Side
from backend.trading.verdict import Size

MAX_DRIFT_ATR = 0.25
PENDING_BARS = 3


def decide(state: State, index: int) -> None:
    """Signals of a closed bar become at most one request."""
    signalling = [d for d, side in state.facts.sides.items() if bool(side.signal[index])]
    if not signalling:
        return
    state.signals += 1
    if len(signalling) > 1:
        state.refusals["conflict"] += 1
        return
    direction = signalling[0]
    refusal = _refused(state, direction, index)
    if refusal:
        state.refusals[refusal] += 1
        return
    _request(state, direction, index)


def _refused(state: State, direction: Direction, index: int) -> str:
    if not bool(state.facts.in_session[index]):
        return "session"
    position = state.position
    held = None if position is None else Direction(position.side.direction)
    if held is direction or state.resting is not None:
        return "duplicate"
    if held is not None and state.rules.on_opposite is not OnOpposite.REVERSE:
        return "opposite_open"
    if index < state.quiet_until:
        return "cooldown"
    if not bool(np.isfinite(state.facts.atr[index])) or state.facts.atr[index] <= 0:
        return "no_atr"
    return ""


def _request(state: State, direction: Direction, index: int) -> None:
    job, atr = state.job, float(state.facts.atr[index])
    side = Side.of_direction(direction)
    target = None if state.facts.target is None else float(state.facts.target[index])
    planned = levels(
        job.instrument,
        side,
        close=float(job.bars.close[index]),
        spread=int(state.prices.spread[index]),
        atr=atr,
        multiplier=job.strategy.indicators.atr.multiplier,
        reward=state.rules.reward,
        target=target,
    )
    if planned is None:
        state.refusals["no_target"] += 1
        return
    if not planned.pays(state.rules.min_rr):
        state.refusals["reward_to_risk"] += 1
        return
    answer = state.policy.answer(index, direction, planned, float(state.balance))
    if answer.refused:
        state.refusals[answer.refused] += 1
        return
    kind, expiry, offset = _order(state, side, atr, half=answer.half)
    state.requested = Request(
        levels=replace(planned, offset=offset),
        atr=atr,
        time=int(state.closes[index]),
        kind=kind,
        expiry=expiry,
        half=answer.half,
    )


def _order(state: State, side: Side, atr: float, *, half: bool) -> tuple[OrderType, int | None, int]:
    """Kind, expiry in bars and signed offset from the reference in ticks."""
    if half:
        return (
            OrderType.LIMIT,
            PENDING_BARS,
            better_by(state.job.instrument, side, atr, PENDING_BETTER_ATR),
        )
    order = state.rules.order
    if order.offset_atr is None:
        return OrderType.MARKET, None, 0
    better = better_by(state.job.instrument, side, atr, order.offset_atr)
    return order.type, order.expiry_bars, better if order.type is OrderType.LIMIT else -better


def send(state: State, request: Request, index: int) -> None:
    """Send an order at the open of a bar, after every check that the live path makes then."""
    planned, side = request.levels, request.side
    if state.position is not None:
        state.refusals["duplicate"] += 1
        return
    bar = quotes(state.prices, index, side)
    live = bar.open + bar.spread
    reference = side.sign * planned.reference
    refusal = _refused_at_open(state, request, index, live - reference)
    if refusal:
        state.refusals[refusal] += 1
        return
    market = request.kind is OrderType.MARKET
    entry = live if market else reference + side.sign * planned.offset
    size = _size(state, side, entry, entry - planned.stop, half=request.half)
    if size.refusal:
        state.refusals[f"size_{size.limited_by}"] += 1
        return
    state.max_margin = max(state.max_margin, float(size.margin / max(state.balance, Decimal(1))))
    order = Resting(
        request=request,
        level=entry,
        stop=entry - planned.stop,
        target=entry + planned.target,
        lots=size.lots,
        placed=index,
    )
    state.entries_on[state.day(index)] += 1
    if market:
        open_position(state, order, Entry(level=entry, slippage=state.slip, at_open=True), index)
    else:
        state.resting = order


def _refused_at_open(state: State, request: Request, index: int, drift: int) -> str:
    instrument, cap = state.job.instrument, state.job.profile.max_spread_points
    spread = int(state.prices.spread[index])
    most = state.rules.max_trades_per_day
    if abs(drift) * float(instrument.tick_size) > MAX_DRIFT_ATR * request.atr:
        return "drift"
    if cap is not None and spread > spread_ticks(instrument, cap):
        return "spread"
    if request.levels.stop < broker_minimum(instrument, spread):
        return "stop_too_close"
    if most is not None and state.entries_on[state.day(index)] >= most:
        return "trades_per_day"
    if state.rules.management.close_before_weekend and bool(state.week_end[index]):
        return "weekend"
    return ""


def _size(state: State, side: Side, entry: int, stop: int, *, half: bool) -> Size:
    job, price = state.job, state.money.price(side, entry)
    return size_position(
        instrument=job.instrument,
        side=side,
        entry=price,
        stop=state.money.price(side, stop),
        balance=state.balance,
        equity=state.balance,
        margin_free=state.balance,
        margin_per_lot=margin(job.instrument, Decimal(1), price, job.account.leverage, job.account.currency),
        risk_fraction=Decimal(repr(job.profile.risk_fraction(job.strategy))),
        conversion=job.conversion,
        commission_per_lot=job.costs.commission_per_lot,
        slippage=2 * state.slip * job.instrument.tick_size,
        half=half,
    )


def open_position(state: State, order: Resting, entry: Entry, index: int) -> Position:
    """The position that an order becomes at its fill."""
    position = Position(
        side=order.request.side,
        lots=order.lots,
        index=index,
        entry=entry,
        spread=int(state.prices.spread[index]),
        signal_time=order.request.time,
        entry_time=state.opened(index),
        stop=order.stop,
        target=order.target,
        first_stop=order.stop,
        commission=to_cents(state.job.costs.commission_per_lot * order.lots),
        low=entry.fill,
        high=entry.fill,
    )
    state.position, state.touched = position, True
    return position
