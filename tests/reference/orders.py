"""From a signal at a close to an order at the next open, by the same deciding as live."""

from dataclasses import replace
from datetime import timedelta

from backend.core.clock import from_epoch
from backend.core.timeframes import DAY_SECONDS
from backend.economic_calendar.model import CalendarView
from backend.evaluation.deciding import Deciding, Known, Outcome, bar_of
from backend.evaluation.decision import Action
from backend.evaluation.levels import broker_minimum
from backend.evaluation.plan import plan, propose
from backend.strategies.model import Direction, OnOpposite, OrderType
from backend.trading.desk import DeskState, Purpose
from backend.trading.profit import to_cents
from tests.reference.fills import Entry, quotes
from tests.reference.position import Position
from tests.reference.state import Request, Resting, State

_NO_CALENDAR = CalendarView.unknown("there is no calendar of the past")


def decide(state: State, index: int) -> None:
    """Signals of a closed bar become at most one request."""
    signalling = [d for d, side in state.facts.sides.items() if bool(side.signal[index])]
    if not signalling:
        return
    state.signals += 1
    refusal = _occupied(state, signalling)
    if refusal:
        state.refusals[refusal] += 1
        return
    outcome = _decided(state, index)
    if not outcome.action.makes_idea or outcome.plan is None or outcome.around is None:
        state.refusals[_why(outcome)] += 1
        return
    state.requested = Request(
        plan=outcome.plan,
        atr=float(state.facts.atr[index]),
        time=int(state.closes[index]),
        half=outcome.action is Action.PENDING_ONLY,
        score=0.0 if outcome.confidence is None else outcome.confidence.score,
        around=outcome.around,
    )


def _occupied(state: State, signalling: list[Direction]) -> str:
    """Why a position or an order of this strategy leaves no room for the signal."""
    if state.resting is not None:
        return "duplicate"
    position = state.position
    if position is None or len(signalling) > 1:
        return ""
    if position.side.direction == signalling[0]:
        return "duplicate"
    return "" if state.rules.on_opposite is OnOpposite.REVERSE else "opposite_open"


def _decided(state: State, index: int) -> Outcome:
    job, position = state.stream, state.position
    bar = bar_of(job.bars[index : index + 1])
    price = 0 if position is None else quotes(state.prices, index, position.side).close
    known = Known(
        instrument=job.instrument,
        statistics=state.usual(index),
        account=state.account.state(position, price),
        calendar=_NO_CALENDAR,
        desk=_desk(state, index, bar.server_close // DAY_SECONDS),
        now=bar.closed,
    )
    work = Deciding(state.desk_rules, job.strategy, job.profile, known, bar, Purpose.BACKTEST)
    return work.decide(state.facts.at(index))


def _desk(state: State, index: int, day: int) -> DeskState:
    entries = state.entries_on[day]
    closed = state.closed_on
    return DeskState(
        entries_today=entries,
        entries_today_strategy=entries,
        bars_since_close=None if closed is None else index - closed,
    )


def _why(outcome: Outcome) -> str:
    blocking = [refusal.check for refusal in outcome.refusals if refusal.blocks]
    if blocking:
        return blocking[0]
    return "reward_to_risk" if outcome.action is Action.WAIT_RR else "confidence"


def send(state: State, request: Request, index: int) -> None:
    """Send an order at the open of a bar: distances re-anchored, size and gate computed again."""
    job, side = state.stream, request.side
    bar = quotes(state.prices, index, side)
    live = bar.open + bar.spread
    planned = request.plan.levels
    drift = abs(live - side.sign * planned.reference) * float(job.instrument.tick_size) / request.atr
    market = request.kind is OrderType.MARKET
    anchored = replace(planned, offset=0)
    if market:
        anchored = replace(anchored, reference=side.sign * live, spread=bar.spread)
    account = state.account.state(state.position, bar.open)
    now = plan(
        job.strategy,
        job.profile,
        anchored,
        request.atr,
        account,
        state.desk_rules,
        job.conversion,
        half=request.half,
    )
    around = replace(
        request.around,
        drift_atr=drift,
        spread_points=bar.spread * float(job.instrument.tick_size / job.instrument.point),
        age_seconds=max(
            (from_epoch(state.opened(index)) - from_epoch(request.time)) / timedelta(seconds=1), 0.0
        ),
    )
    proposal = now.proposal
    if request.kind is OrderType.STOP and live >= side.sign * (planned.reference + planned.offset):
        proposal = propose(
            now.levels,
            now.terms,
            request.atr,
            account,
            state.desk_rules,
            job.conversion,
            slips=True,
            half=request.half,
            dealt=side.sign * live,
        )
    verdict = state.desk_rules.judge(
        replace(proposal, confidence=request.score),
        account,
        _desk(state, index, state.day(index)),
        around,
        purpose=Purpose.BACKTEST,
    )
    refusal = next((refusal.check for refusal in verdict.refusals if refusal.blocks), "")
    if not refusal and planned.stop < broker_minimum(job.instrument, bar.spread):
        refusal = "stop_too_close"
    if not refusal and _inside_the_level(
        state, request, side.sign * (planned.reference + planned.offset) - live
    ):
        refusal = "order_too_close"
    if not refusal and _target_inside_the_level(
        state, request, side.sign * (planned.reference + planned.offset) - live, bar.spread
    ):
        refusal = "target_too_close"
    if not refusal and state.rules.management.close_before_weekend and bool(state.week_end[index]):
        refusal = "weekend"
    if refusal:
        state.refusals[refusal] += 1
        return
    entry = side.sign * (now.levels.reference + now.levels.offset)
    state.max_margin = max(state.max_margin, float(proposal.size.margin / account.equity))
    state.entries_on[state.day(index)] += 1
    order = Resting(
        request=request,
        level=entry,
        stop=entry - planned.stop,
        target=entry + planned.target,
        lots=proposal.size.lots,
        placed=index,
    )
    if market:
        open_position(state, order, Entry(level=entry, slippage=state.slip, at_open=True), index)
    else:
        state.resting = order


def _inside_the_level(state: State, request: Request, ahead: int) -> bool:
    """Whether the broker states a level, and a pending order so far ahead of the price is nearer than that.

    A limit that the price has passed is nearer, too; a stop that it has passed is a market order.
    """
    symbol = state.stream.instrument
    level = symbol.points_to_ticks(symbol.stops_level) if symbol.stops_level else 0
    if request.kind is OrderType.LIMIT:
        return level > 0 and -ahead < level
    return request.kind is OrderType.STOP and 0 < ahead < level


def _target_inside_the_level(state: State, request: Request, ahead: int, spread: int) -> bool:
    """Whether the target is nearer than the level to a pending order, else to the price that closes."""
    level = state.stream.instrument.points_to_ticks(state.stream.instrument.stops_level)
    target = request.plan.levels.target
    if request.kind is OrderType.LIMIT or (request.kind is OrderType.STOP and ahead > 0):
        return target < level
    passed = -ahead if request.kind is OrderType.STOP else 0
    return target - passed + spread < max(level, 1)


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
        commission=to_cents(state.stream.costs.commission_per_lot * order.lots),
        low=entry.fill,
        high=entry.fill,
    )
    state.account.balance -= position.commission
    state.position, state.touched = position, True
    return position
