"""A market of which the test says every tick, and a terminal over it. The server's clock is UTC."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import TICKS_DTYPE, Records
from backend.simulator.account import SimulatedAccount
from backend.simulator.columns import EMPTY, Columns
from backend.simulator.faults import Faults
from backend.simulator.moves import moves_of_ticks, spans
from backend.simulator.replay_specs import spec_of
from backend.simulator.statefile import BookFile
from backend.simulator.symbols import SymbolSpec
from backend.simulator.terminal import SimulatedTerminal
from backend.simulator.terms import BrokerTerms

NAMES = ("EURUSD", "USDJPY", "EURJPY")
START = datetime(2025, 11, 17, 10, 0, tzinfo=UTC)  # a Monday
QUOTES = {"EURUSD": (1.1000, 1.1002), "USDJPY": (150.000, 150.020), "EURJPY": (165.000, 165.040)}


class ScriptedMarket:
    """Ticks as they were told; a symbol is open unless it was said to be closed."""

    def __init__(self, **changes: Any) -> None:
        self._specs = tuple(
            replace(spec_of(name, 3 if name.endswith("JPY") else 5), **changes) for name in NAMES
        )
        self._ticks: dict[str, list[tuple[int, float, float]]] = {name: [] for name in NAMES}
        self.closed: set[str] = set()

    def tick(self, symbol: str, moment: datetime, bid: float, ask: float) -> None:
        self._ticks[symbol].append((int(moment.timestamp() * 1000), bid, ask))

    def symbols(self) -> tuple[SymbolSpec, ...]:
        return self._specs

    def history_start(self, symbol: str, timeframe: Timeframe, at_ms: int) -> int:
        return at_ms // 1000

    def is_open(self, symbol: str, at_ms: int) -> bool:
        return symbol not in self.closed

    def quote(self, symbol: str, at_ms: int) -> Records:
        return self.ticks(symbol, 0, at_ms, at_ms)[-1:]

    def ticks(self, symbol: str, first_ms: int, last_ms: int, at_ms: int) -> Records:
        found = [tick for tick in self._ticks[symbol] if first_ms <= tick[0] <= min(last_ms, at_ms)]
        rows = np.zeros(len(found), dtype=TICKS_DTYPE)
        for place, (time_ms, bid, ask) in enumerate(found):
            rows[place]["time_msc"], rows[place]["time"] = time_ms, time_ms // 1000
            rows[place]["bid"], rows[place]["ask"] = bid, ask
        rows["flags"] = 6
        return rows

    def rates(self, symbol: str, timeframe: Timeframe, first: int, last: int, at_ms: int) -> Columns:
        return EMPTY

    def moves(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        return moves_of_ticks(self.ticks(symbol, first_ms, last_ms, last_ms))

    def spans(self, symbol: str, first_ms: int, last_ms: int) -> Records:
        # Ticks are still to come, so the bounds hold for whatever the test will say.
        everything = (np.array([0.0001]), np.array([1e6]))
        return spans(np.array([first_ms]), last_ms - first_ms + 1, everything, everything)


class Stage:
    """A terminal whose time and prices the test sets. It begins with `QUOTES` on a Monday at 10:00."""

    def __init__(
        self,
        account: SimulatedAccount | None = None,
        *,
        file: BookFile | None = None,
        faults: Faults | None = None,
        symbols: Mapping[str, Mapping[str, Any]] | None = None,
        replays: bool = False,
    ) -> None:
        self.market = ScriptedMarket()
        self.now = START
        self.terms = BrokerTerms(
            account=account or SimulatedAccount(), symbols=symbols or {}, faults=faults or Faults()
        )
        for name, (bid, ask) in QUOTES.items():
            self.market.tick(name, START - timedelta(seconds=1), bid, ask)
        self.replays = replays
        self.api: Any = self.terminal(file)

    def terminal(self, file: BookFile | None = None) -> Any:
        """Another terminal over the same market and time."""
        api = SimulatedTerminal(
            self.market,
            server_clock=ServerClock.parse("UTC"),
            now=lambda: self.now,
            terms=self.terms,
            file=file,
            replays=self.replays,
        )
        assert api.initialize()
        return api

    def go(self, **after: float) -> None:
        """Time passes: arguments of timedelta."""
        self.now += timedelta(**after)

    def price(self, bid: float, ask: float | None = None, symbol: str = "EURUSD", **after: float) -> None:
        """Time passes, a second by default, and then there is a tick; the ask is 2 pips above."""
        self.go(**(after or {"seconds": 1}))
        pips = 0.02 if symbol.endswith("JPY") else 0.0002
        self.market.tick(symbol, self.now, bid, round(bid + pips, 5) if ask is None else ask)

    def deal(self, kind: int, volume: float = 1.0, symbol: str = "EURUSD", **more: Any) -> Any:
        """A market order that must succeed; its answer."""
        fields = {"action": 1, "symbol": symbol, "volume": volume, "type": kind, "type_filling": 1}
        return self.done(fields | more)

    def pend(self, kind: int, price: float, volume: float = 1.0, **more: Any) -> Any:
        """A pending order that must be placed; its answer."""
        fields = {"action": 5, "symbol": "EURUSD", "volume": volume, "type": kind, "price": price}
        return self.done(fields | {"type_filling": 2} | more)

    def done(self, fields: dict[str, Any]) -> Any:
        """A request that must succeed; its answer."""
        result = self.api.order_send(fields)
        assert result is not None, self.api.last_error()
        assert result.retcode in {10_008, 10_009, 10_010}, result
        return result

    def refused(self, **fields: Any) -> int:
        """Return code of a request that is refused."""
        result = self.api.order_send(fields)
        assert result is not None, self.api.last_error()
        assert result.retcode not in {10_008, 10_009, 10_010}, result
        return int(result.retcode)

    def deals(self) -> tuple[Any, ...]:
        """Every deal but the deposit."""
        found = self.api.history_deals_get(1, int(self.now.timestamp()) + 86_400)
        return tuple(deal for deal in found if deal.type != 2)
