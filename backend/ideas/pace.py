"""What the desk has done lately, from idea files and the journal: entries, closes, orders."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import parse_iso
from backend.evaluation.statistics import broker_midnight
from backend.ideas.lifecycle import Status
from backend.ideas.lines import Line
from backend.journal.journal import Journal
from backend.journal.record import Kind
from backend.mt5.server_time import ServerClock
from backend.trading.desk import DeskState

_MINUTE = timedelta(seconds=60)
_OPENING = "open"  # kind of an order intent that may open a trade


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """The desk's pace at one instant.

    Attributes:
        entries: Entries since the broker's midnight by strategy; a person's tickets count under None. An
            entry is an idea that was sent, unless the broker refused it.
        orders: Entry orders of the last 60 seconds.
        closes: When a strategy last closed a trade of a symbol, by strategy and symbol.
    """

    entries: Mapping[str | None, int]
    orders: int
    closes: Mapping[tuple[str | None, str], datetime]

    def of(self, desk: DeskState, strategy: str | None, bars_since_close: int | None) -> DeskState:
        """The desk's state as it counts for one strategy."""
        return replace(
            desk,
            entries_today=sum(self.entries.values()),
            entries_today_strategy=self.entries.get(strategy, 0),
            bars_since_close=bars_since_close,
            orders_last_minute=self.orders,
        )

    def bars_since(self, strategy: str | None, symbol: str, bars: Bars, index: int) -> int | None:
        """Bars from the one in which the strategy last closed a trade to `index`; None if it never has.

        -1 where it was open at that bar's close and is closed now: what the bar says came too early for it,
        whether management was faster than the decision or not.

        Args:
            strategy: Its id.
            symbol: Canonical symbol.
            bars: Of its timeframe.
            index: Position in `bars`; their number stands for the bar that is forming.
        """
        closed = self.closes.get((strategy, symbol))
        if closed is None:
            return None
        if index < len(bars) and closed.timestamp() >= bars[index : index + 1].closes()[0]:
            return -1
        then = int(np.searchsorted(bars.time, int(closed.timestamp()), side="right")) - 1
        return index - then if then <= index else None


NO_PACE = Pace(entries={}, orders=0, closes={})
"""Of a desk that has done nothing."""


def pace(
    lines: Iterable[Line], journal: Journal, server_clock: ServerClock, now: datetime, *, besides: str = ""
) -> Pace:
    """The pace now.

    Args:
        lines: Of all ideas.
        journal: Order intents.
        server_clock: Whose midnight begins the day.
        now: Desk time.
        besides: Id of an idea that is judged: it does not count against itself.
    """
    midnight = server_clock.utc_datetime(broker_midnight(int(server_clock.server_epoch(now))))
    entries: Counter[str | None] = Counter()
    closes: dict[tuple[str | None, str], datetime] = {}
    for line in lines:
        if line.moved_at >= midnight and line.status is not Status.FAILED and line.id != besides:
            entries[line.strategy] += line.sent_at is not None and midnight <= line.sent_at <= now
        if line.closed_at is not None and line.closed_at <= now:
            key = line.strategy, line.symbol
            closes[key] = max(line.closed_at, closes.get(key, line.closed_at))
    return Pace(entries=entries, orders=_orders(journal, now), closes=closes)


def _orders(journal: Journal, now: datetime) -> int:
    count = 0
    for record in journal.newest(kind=Kind.ORDER_INTENT):
        at = parse_iso(record.at)
        if at <= now - _MINUTE:
            break
        count += at <= now and record.payload.get("kind") == _OPENING
    return count
