"""Their trades beside ours: pairs, what only one side has, and the whole difference by cause."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import numpy as np

from backend.backtest.tester.causes import OF_TESTERS, Band, Cause, Parts, split
from backend.backtest.tester.model import Imported, TheirTrade
from backend.backtest.tester.ours import OurRun, OurTrade
from backend.core.bars import Bars
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe, open_of
from backend.mt5.server_time import ServerClock

WINDOW_BARS: Final = 2


@dataclass(frozen=True, slots=True)
class KnownBars:
    """Our bars by canonical symbol; a symbol without bars is one of which nothing is known.

    Args:
        timeframe: The run's.
        clock: Rule of the broker's clock, which cuts the bars.
        bars: Closed bars of the run, bid.
    """

    timeframe: Timeframe
    clock: ServerClock
    bars: Mapping[str, Bars] = field(default_factory=dict)

    def bar_of(self, time: int) -> int:
        """UTC epoch at which the bar that holds a time opened."""
        return self.clock.to_utc(int(open_of(self.timeframe, self.clock.to_server(time))))

    def band(self, symbol: str, time: int) -> Band | None:
        """The bid range of our bar of that time; None where there is none."""
        bars = self.bars.get(symbol)
        if bars is None:
            return None
        opened = self.bar_of(time)
        index = int(np.searchsorted(bars.time, opened))
        if index == len(bars) or int(bars.time[index]) != opened:
            return None
        return Band(Decimal(repr(float(bars.low[index]))), Decimal(repr(float(bars.high[index]))))

    def known(self, symbol: str, time: int) -> bool:
        """Whether the time lies within our bars of the symbol."""
        bars = self.bars.get(symbol)
        if bars is None or not len(bars):
            return False
        return int(bars.time[0]) <= self.bar_of(time) <= int(bars.time[-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A trade of one side or both, and why the results differ.

    Attributes:
        parts: Cause → account currency; they add up to `difference`. None is zero.
    """

    theirs: TheirTrade | None
    ours: OurTrade | None
    parts: Parts

    @property
    def difference(self) -> Decimal:
        """Their result minus ours; a trade that is missing earned nothing."""
        return (self.theirs.net if self.theirs else Decimal(0)) - (self.ours.net if self.ours else Decimal(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The whole comparison.

    Attributes:
        pairs: In the order of their entries.
        causes: Cause → sum over the pairs, zeros included.
        excluded: Trades of either side that are not compared, with the reason.
        bars: Whether our bars were there to tell data from spread and fill.
    """

    imported: Imported
    run: OurRun
    pairs: tuple[Pair, ...]
    causes: Parts
    excluded: tuple[tuple[TheirTrade | OurTrade, str], ...]
    bars: bool
    notes: tuple[str, ...]

    @property
    def difference(self) -> Decimal:
        """Their result minus ours over the compared trades: the sum of the causes."""
        return sum((pair.difference for pair in self.pairs), Decimal(0))


def compare(
    imported: Imported,
    run: OurRun,
    bars: KnownBars,
    *,
    symbols: Mapping[str, str] | None = None,
    window_bars: int = WINDOW_BARS,
) -> Comparison:
    """Put each of their trades beside the one of ours that it should be.

    Args:
        imported: Their file.
        run: Our run.
        bars: Our bars, as far as they are known.
        symbols: Broker's name → our symbol, where one does not begin with the other.
        window_bars: How many bars apart two entries may lie to be the same trade.

    Raises:
        Invalid: ``other_currency``, or ``no_common_symbol`` if their file trades none of our symbols.
    """
    if imported.tables.currency != run.currency:
        raise Invalid(
            "other_currency",
            f"{imported.tables.source} is in {imported.tables.currency}, the run {run.id} in {run.currency}: "
            "run both in one currency",
        )
    names = _names(imported, run, symbols or {})
    excluded: list[tuple[TheirTrade | OurTrade, str]] = []
    theirs, ours = [], []
    for trade in imported.trades:
        if trade.symbol not in names:
            excluded.append((trade, "the run does not trade the symbol"))
        elif not run.start <= trade.entry_time < run.end:
            excluded.append((trade, "entered outside the run's period"))
        else:
            theirs.append(trade)
    start, end = imported.tables.start, imported.tables.end
    for own in run.trades:
        if own.entry_time < start or (end is not None and own.entry_time >= end):
            excluded.append((own, "entered outside the period of their file"))
        else:
            ours.append(own)
    pairs = tuple(
        Pair(theirs=a, ours=b, parts=_parts(a, b, bars))
        for a, b in matched(theirs, ours, names, window_bars * run.timeframe.seconds)
    )
    causes: Parts = {
        cause: sum((pair.parts.get(cause, Decimal(0)) for pair in pairs), Decimal(0)) for cause in OF_TESTERS
    }
    there = bool(bars.bars)
    notes = list(imported.notes)
    if not there:
        notes.append(
            "Our bars are not at hand: where only the data differ, the difference counts as spread or fill."
        )
    return Comparison(
        imported=imported,
        run=run,
        pairs=pairs,
        causes=causes,
        excluded=tuple(excluded),
        bars=there,
        notes=tuple(notes),
    )


def _names(imported: Imported, run: OurRun, given: Mapping[str, str]) -> dict[str, str]:
    """Broker's symbol → ours: as given, the same, or ours with the broker's suffix."""
    own = sorted(run.symbols, key=len, reverse=True)
    found = {}
    for theirs in sorted({trade.symbol for trade in imported.trades}):
        name = given.get(theirs) or next((one for one in own if _suffixed(theirs, one)), None)
        if name is not None:
            found[theirs] = name
    if imported.trades and own and not found:
        traded = ", ".join(sorted({trade.symbol for trade in imported.trades}))
        raise Invalid(
            "no_common_symbol",
            f"{imported.tables.source} trades {traded} and the run {', '.join(sorted(own))}; say which is "
            "which with --symbol THEIRS=OURS",
        )
    return found


def _suffixed(theirs: str, ours: str) -> bool:
    """``EURUSD.m`` and ``EURUSDm`` are EURUSD, ``EURUSDT`` is not."""
    return theirs.startswith(ours) and not theirs[len(ours) :][:1].isupper()


def matched(
    theirs: Sequence[TheirTrade], ours: Sequence[OurTrade], names: Mapping[str, str], window: int
) -> list[tuple[TheirTrade | None, OurTrade | None]]:
    """Pairs of one symbol and side, the nearest entries first, then the nearest exits; each trade once.

    A trade with a key pairs with one of the same key alone, however far apart their entries lie.

    Args:
        theirs: Their trades.
        ours: Our trades.
        names: Their symbol → ours.
        window: Seconds between the entries of one trade without a key.
    """
    lanes: defaultdict[tuple[str, str, str | None], list[tuple[int, int]]] = defaultdict(list)
    for j, own in enumerate(ours):
        lanes[own.symbol, own.side, own.key].append((own.entry_time, j))
    for lane in lanes.values():
        lane.sort()
    near = []
    for i, trade in enumerate(theirs):
        lane = lanes[names[trade.symbol], trade.side, trade.key]
        first = 0 if trade.key is not None else bisect_left(lane, (trade.entry_time - window, -1))
        for entered, j in lane[first:]:
            if trade.key is None and entered > trade.entry_time + window:
                break
            apart = abs(entered - trade.entry_time), abs(ours[j].exit_time - trade.exit_time)
            near.append((*apart, i, j))
    near.sort()
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, i, j in near:
        if i not in partner and j not in taken:
            partner[i] = j
            taken.add(j)
    rows: list[tuple[TheirTrade | None, OurTrade | None]] = [
        (trade, ours[partner[i]] if i in partner else None) for i, trade in enumerate(theirs)
    ]
    rows += [(None, trade) for j, trade in enumerate(ours) if j not in taken]
    return sorted(rows, key=_order)


def _order(row: tuple[TheirTrade | None, OurTrade | None]) -> tuple[int, int]:
    first = row[0] or row[1]
    return (first.entry_time, first.exit_time) if first is not None else (0, 0)


def _parts(theirs: TheirTrade | None, ours: OurTrade | None, bars: KnownBars) -> Parts:
    if theirs is not None and ours is not None:
        return split(theirs, ours, bars)
    net = theirs.net if theirs is not None else -ours.net if ours is not None else Decimal(0)
    return {Cause.SIGNAL: net} if net else {}
