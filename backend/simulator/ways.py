"""Price moves with exact numbers, and the ways inside them."""

from dataclasses import dataclass
from decimal import Decimal

from backend.simulator.book import Position
from backend.simulator.prices import Quote
from backend.trading.sides import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """Open, high, low and close of one side."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @classmethod
    def still(cls, price: Decimal) -> "Candle":
        """A price that does not move."""
        return cls(open=price, high=price, low=price, close=price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move of one symbol's prices; a tick is one whose candles are still."""

    symbol: str
    time_ms: int
    bid: Candle
    ask: Candle

    @property
    def is_tick(self) -> bool:
        """Whether nothing happens between open and close."""
        return self.bid.high == self.bid.low and self.ask.high == self.ask.low

    def closing(self, side: Side) -> Candle:
        """Where positions of that side close, and their stops and targets are watched."""
        return self.bid if side is Side.BUY else self.ask

    def opening(self, side: Side) -> Candle:
        """Where orders of that side are filled."""
        return self.ask if side is Side.BUY else self.bid


class Way:
    """The way of a move from its open to where positions of a side are worst off, in ticks.

    Args:
        move: The move.
        side: Of those positions: longs go to the low, shorts to the high.
        tick: Smallest step of a price.
    """

    def __init__(self, move: Move, side: Side, tick: Decimal) -> None:
        self._side = side
        self._tick = tick
        falls = side is Side.BUY
        self._from = Quote(move.bid.open, move.ask.open)
        self._to = Quote(move.bid.low, move.ask.low) if falls else Quote(move.bid.high, move.ask.high)
        self.steps = self._ticks(self._to.closing(side))

    def _ticks(self, price: Decimal) -> int:
        return int(abs(self._from.closing(self._side) - price) / self._tick)

    def quote(self, steps: int) -> Quote:
        """Both prices after so many ticks of the closing one; the other goes along in proportion."""
        if steps >= self.steps:
            return self._to
        bid, ask = (
            start + (((end - start) * steps / self.steps) / self._tick).to_integral_value() * self._tick
            for start, end in zip(self._from, self._to, strict=True)
        )
        return Quote(bid, ask)

    def reaches(self, position: Position) -> bool:
        """Whether it comes to the stop of a position of its side."""
        worst = self._to.closing(self._side)
        stop = position.stop
        return position.side is self._side and stop is not None and (worst - stop) * self._side.sign <= 0

    def steps_to(self, position: Position) -> int:
        """After how many ticks it does."""
        return self._ticks(position.stop) if position.stop is not None else self.steps
