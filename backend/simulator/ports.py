"""What a simulated terminal asks of its market."""

from typing import Protocol

from backend.core.timeframes import Timeframe
from backend.mt5.structures import Records
from backend.simulator.columns import Columns
from backend.simulator.symbols import SymbolSpec


class Market(Protocol):
    """Prices by symbol. Every time is on the server's clock: epochs in seconds, or `_ms` in milliseconds.

    `at_ms` is the present: nothing later is ever shown, and the bar around it is shown as far as it
    has come.
    """

    def symbols(self) -> tuple[SymbolSpec, ...]:
        """Everything that is offered."""

    def history_start(self, symbol: str, timeframe: Timeframe, at_ms: int) -> int:
        """No bar of that length opens before this."""

    def quote(self, symbol: str, at_ms: int) -> Records:
        """The last tick at or before the present: shape (1,), or (0,) where there was none yet."""

    def rates(self, symbol: str, timeframe: Timeframe, first: int, last: int, at_ms: int) -> Columns:
        """Bars whose open lies in [first, last], ascending."""

    def ticks(self, symbol: str, first_ms: int, last_ms: int, at_ms: int) -> Records:
        """Ticks in [first_ms, last_ms], ascending."""

    def is_open(self, symbol: str, at_ms: int) -> bool:
        """Whether the symbol trades then."""

    def moves(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        """What orders are matched against in [first_ms, last_ms]: MOVES_DTYPE, ascending.

        The broker alone asks this and the next, and for no time after the present.
        """

    def spans(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        """Bounds of all moves in [first_ms, last_ms]: SPANS_DTYPE, ascending; may reach beyond both ends.

        They tell where looking closer is needless, so they may be wider than the moves, never narrower.
        """
