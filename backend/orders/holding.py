"""What closed bars ask of a position or a waiting order: the rules of `backend.trading.management`. Pure.

Prices are whole ticks and mirrored: negated for a short, so that up is always towards the target.
"""

import math
from dataclasses import dataclass

import numpy as np

from backend.core.bars import Bars
from backend.core.instruments import Instrument
from backend.evaluation.arrays import ConditionArrays
from backend.strategies.model import Direction, OnOpposite, Strategy
from backend.trading.management import (
    earns_breakeven,
    leave_reason,
    may_move,
    order_ends,
    part_level,
    trail_level,
)
from backend.trading.reasons import NONE, REASONS, Reason
from backend.trading.sides import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A position.

    Attributes:
        instrument: Its symbol.
        side: Its side.
        entry: Fill, mirrored ticks.
        first_stop: Stop with which it was opened, mirrored ticks.
        stop: Stop now, mirrored ticks.
        target: Target now, mirrored ticks; `NO_TARGET` if there is none.
        opened: UTC epoch at which it was opened.
        moved: UTC epoch at which a person moved its stop; bars before that ask nothing of it. 0 is never.
        cost_ticks: Ticks that pay the costs of the round turn, for breakeven.
        parted: Whether its part was closed, or is left alone.
    """

    instrument: Instrument
    side: Side
    entry: int
    first_stop: int
    stop: int
    target: int
    opened: int
    moved: int
    cost_ticks: int
    parted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the bars closed since the last look ask for.

    Attributes:
        leave: Why the position shall be closed; None if it stays.
        stop: Where its stop shall stand, mirrored ticks; None if it stays.
        stop_reason: What a touch of that stop is called.
        part: Whether its part is due.
    """

    leave: Reason | None = None
    stop: int | None = None
    stop_reason: Reason | None = None
    part: bool = False


def wishes(
    holding: Holding, strategy: Strategy, facts: ConditionArrays, fine: Bars, *, spread: int
) -> Wishes:
    """What the strategy asks for a position, by all bars that closed since it was opened.

    Asking again gives the same until it is done, so nothing is lost where it could not be done at once.

    Args:
        holding: The position.
        strategy: Its strategy.
        facts: The strategy's conditions over its closed bars.
        fine: Closed bars of the management timeframe.
        spread: Ticks, for bars that do not say theirs.
    """
    stop, why = _stop(holding, strategy, facts, fine, spread=spread)
    return Wishes(
        leave=_leaves(holding, strategy, facts),
        stop=stop,
        stop_reason=why,
        part=_part_due(holding, strategy, fine, spread=spread),
    )


def order_is_against(side: Side, facts: ConditionArrays, *, placed: int, embargoed: bool) -> bool:
    """Whether a bar that closed since it was placed asks to take a waiting order back.

    Args:
        side: Of the order.
        facts: The strategy's conditions over its closed bars.
        placed: UTC epoch at which it was placed.
        embargoed: Whether an embargo for its currencies is in force.
    """
    ends = facts.bars.closes()
    own, other = facts.sides[Direction(side.direction)], facts.sides.get(Direction(side.opposite.direction))
    against = embargoed
    for at in np.flatnonzero(ends > placed).tolist():
        opposite = other is not None and bool(other.signal[at])
        against = against or bool(own.exit[at] or own.invalidation[at]) or opposite
    return order_ends(against, 1, 0) != 0


def _leaves(holding: Holding, strategy: Strategy, facts: ConditionArrays) -> Reason | None:
    rules, ends = strategy.strategy, facts.bars.closes()
    own = facts.sides[Direction(holding.side.direction)]
    other = facts.sides.get(Direction(holding.side.opposite.direction))
    first = int(np.searchsorted(ends, holding.opened, side="right"))  # the bar in which it was opened
    for at in np.flatnonzero(ends > holding.opened).tolist():
        opposite = other is not None and bool(other.signal[at]) and rules.on_opposite is not OnOpposite.IGNORE
        found = leave_reason(
            bool(own.exit[at]),
            bool(own.invalidation[at]),
            opposite,
            at - first + 1,
            rules.management.time_stop_bars or 0,
        )
        if found != NONE:
            return REASONS[found]
    return None


def _stop(
    holding: Holding, strategy: Strategy, facts: ConditionArrays, fine: Bars, *, spread: int
) -> tuple[int | None, Reason | None]:
    management, instrument = strategy.strategy.management, holding.instrument
    if management.breakeven_after_r is None and management.trail_atr is None:
        return None, None
    breakeven = math.nan if management.breakeven_after_r is None else management.breakeven_after_r
    stated = instrument.points_to_ticks(instrument.stops_level) if instrument.stops_level else 0
    coarse, ends = facts.bars.closes(), fine.closes()
    stop, why = holding.stop, None
    for at in np.flatnonzero(ends > max(holding.opened, holding.moved)).tolist():
        wide = _spread(fine, at, instrument, spread)
        close = _mirrored(float(fine.close[at]), holding, wide)
        if earns_breakeven(close, holding.entry, holding.first_stop, breakeven):
            level = holding.entry + holding.cost_ticks
            if may_move(stop, level, close, holding.target, stated, wide):
                stop, why = level, Reason.BREAKEVEN
        bar = int(np.searchsorted(coarse, ends[at], side="right")) - 1
        atr = float(facts.atr[bar]) if bar >= 0 else math.nan
        if management.trail_atr is not None and math.isfinite(atr):
            level = trail_level(close, management.trail_atr * atr, float(instrument.tick_size))
            if may_move(stop, level, close, holding.target, stated, wide):
                stop, why = level, Reason.TRAIL
    return (None, None) if why is None else (stop, why)


def _part_due(holding: Holding, strategy: Strategy, fine: Bars, *, spread: int) -> bool:
    at_r = strategy.strategy.management.partial_at_r
    if at_r is None or holding.parted:
        return False
    level = part_level(holding.entry, holding.first_stop, at_r)
    ends = fine.closes()
    for at in np.flatnonzero(ends > holding.opened).tolist():
        wide = _spread(fine, at, holding.instrument, spread)
        # of the bar in which it was opened only the close is known to have come after
        whole = int(fine.time[at]) >= holding.opened
        best = fine.close[at] if not whole else fine.high[at] if holding.side is Side.BUY else fine.low[at]
        if _mirrored(float(best), holding, wide) >= level:
            return True
    return False


def _spread(fine: Bars, at: int, instrument: Instrument, otherwise: int) -> int:
    points = int(fine.spread[at])
    return instrument.points_to_ticks(points) if points > 0 else otherwise


def _mirrored(bid: float, holding: Holding, spread: int) -> int:
    """A bid as mirrored ticks of the side that closes the position."""
    ticks = holding.instrument.ticks(bid)
    return ticks if holding.side is Side.BUY else -(ticks + spread)
