"""At a close: orders that are cancelled, positions that leave at the next open, stops that move."""

from decimal import ROUND_CEILING, Decimal

import numpy as np

from backend.backtest.model import Stream
from backend.evaluation.arrays import SideArrays
from backend.evaluation.conditions import compile_strategy
from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact
from backend.mt5.structures import TradePosition
from backend.strategies.model import Direction, OnOpposite
from backend.trading.management import least_distance, may_move
from backend.trading.profit import profit
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from tests.reference.terminal_rows import Notes


class Closes:
    """The strategy's rules over closed bars.

    Args:
        stream: Strategy, symbol, bars.
        notes: What was sent; is told of moved stops.

    Attributes:
        facts: Its conditions over all bars; what stands at a bar needs no later one.
        leaving: Why a position leaves at the next open, by its number.
    """

    def __init__(self, stream: Stream, notes: Notes) -> None:
        self._stream, self._notes = stream, notes
        self._rules = stream.strategy.strategy
        self.facts = compile_strategy(stream.strategy).evaluate(
            stream.bars, stream.higher, sessions=stream.profile.entry_sessions(stream.strategy)
        )
        self.leaving: dict[int, Reason] = {}

    def cancels(self, order: int, index: int) -> bool:
        """Whether a resting order ends: exit, invalidation, an opposite signal, its bars are over."""
        sent = self._notes.sent[order]
        own, other = self._sides(sent.levels.side)
        against = bool(own.exit[index] or own.invalidation[index])
        against = against or (other is not None and bool(other.signal[index]))
        expiry = sent.expiry_bars
        return against or (expiry is not None and index - sent.placed + 1 >= expiry)

    def leave(self, position: TradePosition, opened: int, index: int) -> None:
        """Note why the position leaves at the next open, if it does."""
        own, other = self._sides(_side(position))
        after = self._rules.management.time_stop_bars
        found = None
        if own.exit[index]:
            found = Reason.EXIT_RULE
        elif own.invalidation[index]:
            found = Reason.INVALIDATION
        elif other is not None and other.signal[index] and self._rules.on_opposite is not OnOpposite.IGNORE:
            found = Reason.OPPOSITE
        elif after is not None and index - opened + 1 >= after:
            found = Reason.TIME_STOP
        if found is not None:
            self.leaving.setdefault(position.identifier, found)

    def stop(self, position: TradePosition, index: int, spread: int) -> Decimal | None:
        """The stop's new price, if it moves: only towards profit, and not where the broker refuses it."""
        symbol, management, side = self._stream.instrument, self._rules.management, _side(position)
        first_stop = self._notes.sent[position.identifier].order.sl
        entry, now, standing, first = (
            side.sign * symbol.ticks(price)
            for price in (position.price_open, position.price_current, position.sl, first_stop)
        )
        least = least_distance(symbol.points_to_ticks(symbol.stops_level), spread)
        stop, why = standing, None
        after = management.breakeven_after_r
        if after is not None and now - entry >= after * (entry - first):
            level = entry + self._cost(position, side)
            if may_move(stop, level, now, least):
                stop, why = level, Reason.BREAKEVEN
        atr = float(self.facts.atr[index])
        if management.trail_atr is not None and np.isfinite(atr):
            level = now - symbol.ticks_up(management.trail_atr * atr)
            if may_move(stop, level, now, least):
                stop, why = level, Reason.TRAIL
        if why is None:
            return None
        self._notes.moved[position.identifier] = why
        self._notes.stops[position.identifier] = symbol.price(side.sign * stop)
        return symbol.price(side.sign * stop)

    def _cost(self, position: TradePosition, side: Side) -> int:
        """Ticks that pay the commission of both sides and a stop's slippage."""
        symbol, costs = self._stream.instrument, self._stream.costs
        opened = exact(position.price_open)
        better = opened + side.sign * symbol.tick_size
        tick = profit(symbol, side, Decimal(1), opened, better, self._stream.conversion)
        ticks = (2 * costs.commission_per_lot / tick).to_integral_value(ROUND_CEILING)
        return int(ticks) + symbol.ticks_up(float(costs.slippage_points * symbol.point))

    def _sides(self, side: Side) -> tuple[SideArrays, SideArrays | None]:
        own = self.facts.sides[Direction(side.direction)]
        return own, self.facts.sides.get(Direction(side.opposite.direction))


def _side(position: TradePosition) -> Side:
    return Side.BUY if position.type == mt5.POSITION_TYPE_BUY else Side.SELL
