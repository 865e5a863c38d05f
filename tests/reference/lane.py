"""A strategy on a symbol, as the desk drives it through the terminal."""

from typing import TYPE_CHECKING

from backend.backtest.model import Stream
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import compile_strategy
from tests.reference.closes import Closes
from tests.reference.prices import last_of_week
from tests.reference.terminal_rows import Notes, Path

if TYPE_CHECKING:
    from tests.reference.sending import Asked


class Lane:
    """Its bars, what it wants and how it manages.

    Args:
        stream: Strategy, symbol, bars.
        notes: What was sent, of all lanes.
    """

    def __init__(self, stream: Stream, notes: Notes) -> None:
        self.stream, self.symbol = stream, stream.instrument.symbol
        self.path = Path(stream)
        self.closes = Closes(stream, notes, self.path)
        self.wanted: Asked | None = None
        self.history = compile_strategy(stream.strategy).history[stream.bars.timeframe]
        self.day_bars = stream.bars.timeframe.seconds >= Timeframe.D1.seconds
        self._week_end = last_of_week(stream.bars)

    def opened(self, index: int) -> int:
        """Server epoch of a bar's open."""
        return int(self.stream.bars.server_time[index])

    def ends_week(self, index: int) -> bool:
        """Whether nothing may be held any more, the week ending with this bar."""
        return self.stream.strategy.strategy.management.close_before_weekend and bool(self._week_end[index])
