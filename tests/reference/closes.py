"""At a close: orders that are cancelled, positions that leave at the next open, stops that move.

By the desk's own rules over closed bars, `backend.orders.holding`; the bars closed by then are all they see.
"""

from dataclasses import replace
from decimal import Decimal

import numpy as np

from backend.backtest.model import Stream
from backend.core.bars import Bars
from backend.evaluation.arrays import ConditionArrays
from backend.evaluation.conditions import compile_strategy
from backend.mt5 import constants as mt5
from backend.mt5.mapping import exact
from backend.mt5.structures import TradePosition
from backend.orders.holding import Holding, Wishes, order_is_against, wishes
from backend.trading.management import cost_ticks
from backend.trading.profit import profit
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from tests.reference.terminal_rows import Notes, Path


class Closes:
    """The strategy's rules over closed bars.

    Args:
        stream: Strategy, symbol, bars.
        notes: What was sent; is told of moved stops.
        path: Its bars as the broker's.

    Attributes:
        facts: Its conditions over all bars; what stands at a bar needs no later one.
        leaving: Why a position leaves at the next open, by its number.
    """

    def __init__(self, stream: Stream, notes: Notes, path: Path) -> None:
        self._stream, self._notes, self._path = stream, notes, path
        self.facts = compile_strategy(stream.strategy).evaluate(
            stream.bars, stream.higher, sessions=stream.profile.entry_sessions(stream.strategy)
        )
        self.leaving = dict[int, Reason]()

    def cancels(self, order: int, index: int) -> bool:
        """Whether a resting order ends: exit, invalidation, an opposite signal, its bars are over."""
        sent = self._notes.sent[order]
        facts, placed = self._closed(sent.placed, index), self._path.opened(sent.placed)
        if order_is_against(sent.levels.side, facts, placed=placed, embargoed=False):
            return True
        return sent.expiry_bars is not None and index - sent.placed + 1 >= sent.expiry_bars

    def leave(self, position: TradePosition, opened: int, index: int) -> None:
        """Note why the position leaves at the next open, if it does."""
        found = self._wishes(position, opened, index).leave
        if found is not None:
            self.leaving.setdefault(position.identifier, found)

    def stop(self, position: TradePosition, opened: int, index: int) -> Decimal | None:
        """The stop's new price, if it moves."""
        asked, symbol, side = self._wishes(position, opened, index), self._stream.instrument, _side(position)
        if asked.stop is None or asked.stop_reason is None:
            return None
        price = symbol.price(side.sign * asked.stop)
        self._notes.moved[position.identifier] = asked.stop_reason
        self._notes.stops[position.identifier] = price
        return price

    def _wishes(self, position: TradePosition, opened: int, index: int) -> Wishes:
        symbol, side = self._stream.instrument, _side(position)
        first_stop = self._notes.sent[position.identifier].order.sl
        entry, first, standing, target = (
            side.sign * symbol.ticks(price)
            for price in (position.price_open, first_stop, position.sl, position.tp)
        )
        holding = Holding(
            instrument=symbol,
            side=side,
            entry=entry,
            first_stop=first,
            stop=standing,
            target=target,
            opened=self._path.opened(opened),
            moved=0,
            cost_ticks=self._cost(position, side),
            parted=True,
        )
        facts = self._closed(opened, index)
        return wishes(holding, self._stream.strategy, facts, self._fine(facts.bars, opened), spread=0)

    def _closed(self, first: int, last: int) -> ConditionArrays:
        """What the conditions say over the bars from one to another."""
        part, facts = slice(first, last + 1), self.facts
        sides = {direction: side.part(part) for direction, side in facts.sides.items()}
        return replace(
            facts,
            bars=facts.bars[part],
            sides=sides,
            conflict=facts.conflict[part],
            atr=facts.atr[part],
        )

    def _fine(self, bars: Bars, first: int) -> Bars:
        """The bars with the spreads that the broker had at their closes."""
        point = self._stream.instrument.point
        wide = [self._path.bar(first + place) for place in range(len(bars))]
        points = [int((bar.ask.close - bar.bid.close) / point) for bar in wide]
        return replace(bars, spread=np.array(points, dtype=np.int64))

    def _cost(self, position: TradePosition, side: Side) -> int:
        """Ticks that pay the commission of both sides and a stop's slippage."""
        symbol, costs = self._stream.instrument, self._stream.costs
        opened = exact(position.price_open)
        better = opened + side.sign * symbol.tick_size
        tick = profit(symbol, side, Decimal(1), opened, better, self._stream.conversion)
        slip = symbol.ticks_up(float(costs.slippage_points * symbol.point))
        return cost_ticks(float(costs.commission_per_lot), float(tick), slip)


def _side(position: TradePosition) -> Side:
    return Side.BUY if position.type == mt5.POSITION_TYPE_BUY else Side.SELL
