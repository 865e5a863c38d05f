"""From a symbol to the decisions that are due: bars, figures, account, engine. Writes nothing."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import Clock, iso, parse_iso
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.core.timeframes import Timeframe, close_of, open_of
from backend.economic_calendar.model import CalendarView
from backend.evaluation.conditions import CompiledStrategy, compile_strategy
from backend.evaluation.deciding import Known
from backend.evaluation.decision import strategy_hash
from backend.evaluation.engine import AIEngine
from backend.ideas.pace import NO_PACE, Pace
from backend.ideas.rows import cursor_key, payload_of
from backend.ideas.usual import UsualFigures
from backend.market.service import MarketService
from backend.mt5.client import CLOSED_AFTER_SECONDS
from backend.mt5.server_time import ServerClock
from backend.strategies.model import Profile, Strategy
from backend.trading.account import AccountState
from backend.trading.desk import DeskState

log = logging.getLogger(__name__)

MOST_MISSED = 500
"""Bars that are caught up at most, per strategy and symbol; older ones are reported as skipped."""
QUIET = timedelta(minutes=10)
"""A symbol without a tick for so long does not trade."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInputs:
    """What all decisions of one run share.

    Attributes:
        engine: With the limits in force.
        account: The account.
        calendar: The economic calendar.
        desk: Mode and switches.
        pace: What the desk has done lately.
        expires_after: Seconds from a bar's close after which its idea expires at the latest; None has the
            rule of the decision alone.
    """

    engine: AIEngine
    account: AccountState
    calendar: CalendarView
    desk: DeskState
    pace: Pace = NO_PACE
    expires_after: float | None = None
    _desks: dict[DeskState, DeskState] = field(default_factory=dict)

    def desk_of(self, strategy: Strategy, symbol: str, bars: Bars, index: int) -> DeskState:
        """The desk's state for a strategy at a bar; the same object where it is the same."""
        since = self.pace.bars_since(strategy.id, symbol, bars, index)
        state = self.pace.of(self.desk, strategy.id, since)
        return self._desks.setdefault(state, state)


@dataclass(kw_only=True, slots=True)
class SymbolOutcome:
    """What evaluating one symbol gave.

    Attributes:
        symbol: Canonical symbol.
        payloads: Decisions to record, in order of time per strategy.
        snapshots: Their inputs by hash.
        windows: The bars that each looked at, with its desk time.
        unchanged: Ids of decisions on record for bars that are still the newest.
        skipped: Bars too long ago to be caught up.
        problems: What went wrong, a JSON object each.
        errors: The same as raised.
        market_open: Whether the symbol trades; None if not looked at.
        closed_since: Since when it does not, ISO.
    """

    symbol: str
    payloads: list[dict[str, Any]] = field(default_factory=list)
    snapshots: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    windows: list[tuple[datetime, Bars]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    skipped: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    errors: list[DeskError] = field(default_factory=list)
    market_open: bool | None = None
    closed_since: str = ""

    def fail(self, error: DeskError, strategy: str | None = None) -> None:
        """Report an error of this symbol, or of one strategy on it."""
        self.errors.append(error)
        self.problems.append(problem_of(error, symbol=self.symbol, strategy=strategy))


def problem_of(error: DeskError, **where: str | None) -> dict[str, Any]:
    """An error as a row of a result's problems."""
    return {
        **{name: value for name, value in where.items() if value is not None},
        "category": error.category,
        "code": error.code,
        "reason": error.message,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where evaluation reads from.

    Attributes:
        market: Bars, quotes, specifications.
        server_clock: Rule of the broker's clock.
        clock: Desk time.
        usual: Profile statistics.
    """

    market: MarketService
    server_clock: ServerClock
    clock: Clock
    usual: UsualFigures

    def is_due(self, strategy: Strategy, cursor: Mapping[str, Any] | None) -> bool:
        """Whether a bar can have closed since the one that was decided last."""
        return (
            cursor is None or _version(cursor) != strategy_hash(strategy) or self.behind(strategy, cursor) > 0
        )

    def has_closed(self, symbol: str, strategies: Iterable[Strategy]) -> bool:
        """Whether the newest bar that ended is closed: a tick came after its end, or 10 s have passed.

        True also where the terminal does not say: evaluating reports why.
        """
        now = self.server_clock.server_epoch(self.clock.now())
        ended = max(int(open_of(strategy.timeframe, now)) for strategy in strategies)
        if now >= ended + CLOSED_AFTER_SECONDS:
            return True
        try:
            return self.server_clock.server_epoch(self.market.quote(symbol).time) >= ended
        except DeskError:
            return True

    def behind(self, strategy: Strategy, cursor: Mapping[str, Any]) -> int:
        """Bars that can have closed since the one that was decided last."""
        decided = self.server_clock.server_epoch(parse_iso(cursor["bar"]))
        forming = int(open_of(strategy.timeframe, self.server_clock.server_epoch(self.clock.now())))
        return max((forming - decided) // strategy.timeframe.seconds - 1, 0)


def evaluate_symbol(
    symbol: str,
    strategies: Sequence[Strategy],
    profile: Profile,
    cursors: Mapping[str, Mapping[str, Any]],
    run: RunInputs,
    sources: Sources,
) -> SymbolOutcome:
    """Every decision of the symbol that is due; a strategy that fails is reported and the others go on.

    Args:
        symbol: Canonical symbol.
        strategies: Enabled strategies that trade it.
        profile: Its profile.
        cursors: Which bar was decided last, by `cursor_key`.
        run: What the run shares.
        sources: Where to read from.
    """
    outcome = SymbolOutcome(symbol=symbol)
    try:
        work = _Symbol(outcome, profile, run, sources)
    except DeskError as error:
        outcome.fail(error)
        return outcome
    for strategy in strategies:
        try:
            work.decide(strategy, cursors.get(cursor_key(strategy.id, symbol)))
        except DeskError as error:
            outcome.fail(error, strategy.id)
        except Exception as error:
            log.exception("%s %s: evaluation failed", symbol, strategy.id)
            outcome.fail(Invalid("evaluation_failed", f"{type(error).__name__}: {error}"), strategy.id)
    return outcome


class _Symbol:
    """One symbol of one run; bars are topped up once per timeframe and need."""

    def __init__(self, outcome: SymbolOutcome, profile: Profile, run: RunInputs, sources: Sources) -> None:
        self._outcome = outcome
        self._symbol = outcome.symbol
        self._profile = profile
        self._run = run
        self._sources = sources
        self._bars: dict[Timeframe, tuple[int, Bars]] = {}
        self._instrument = sources.market.instrument(outcome.symbol)
        last = sources.market.quote(outcome.symbol).time
        outcome.market_open = sources.clock.now() - last <= QUIET
        outcome.closed_since = "" if outcome.market_open else iso(last.replace(microsecond=0))

    def decide(self, strategy: Strategy, cursor: Mapping[str, Any] | None) -> None:
        """Decide every bar since the cursor; without one, or for a changed strategy, the newest."""
        compiled = compile_strategy(strategy)
        timeframe = strategy.timeframe
        if cursor is not None and _version(cursor) != strategy_hash(strategy):
            cursor = None
        behind = 1 if cursor is None else min(self._sources.behind(strategy, cursor), MOST_MISSED)
        needed = max(compiled.history[timeframe], strategy.strategy.cooldown_bars)
        bars = self._top_up(timeframe, needed + behind)
        if not len(bars):
            raise Unavailable(
                "no_bars",
                f"the terminal has no closed bar of {self._symbol} {timeframe} yet",
                symbol=self._symbol,
                timeframe=str(timeframe),
            )
        first = len(bars) - 1
        if cursor is not None:
            decided = int(parse_iso(cursor["bar"]).timestamp())
            first = int(np.searchsorted(bars.time, decided, side="right"))
        if cursor is not None and first == len(bars):
            self._outcome.unchanged.append(str(cursor["decision"]))
            return
        oldest = max(first, len(bars) - MOST_MISSED)
        self._outcome.skipped += oldest - first
        for index in range(oldest, len(bars)):
            self._decide_bar(compiled, bars, index)

    def _decide_bar(self, compiled: CompiledStrategy, bars: Bars, index: int) -> None:
        strategy = compiled.strategy
        timeframe = strategy.timeframe
        newest = index == len(bars) - 1
        window = bars[max(index + 1 - compiled.history[timeframe], 0) : index + 1]
        server_open = int(window.server_time[-1])
        closed = int(close_of(timeframe, server_open))
        now = self._sources.clock.now()
        period = strategy.indicators.atr.period
        known = Known(
            instrument=self._instrument,
            statistics=self._sources.usual.of(self._symbol, timeframe, period, server_open),
            account=self._run.account,
            calendar=self._run.calendar,
            desk=self._run.desk_of(strategy, self._symbol, bars, index),
            market_open=self._outcome.market_open if newest else True,
            closed_since=self._outcome.closed_since if newest else "",
            now=now,
        )
        higher = {other: self._higher(other, compiled, closed) for other in compiled.higher}
        evaluation = self._run.engine.evaluate(
            strategy=strategy, profile=self._profile, bars=window, higher=higher, known=known
        )
        self._outcome.payloads.append(
            payload_of(
                evaluation.decision,
                newest=newest,
                now=now,
                mode=self._run.desk.mode,
                expires_after=self._run.expires_after,
            )
        )
        self._outcome.snapshots.update(evaluation.snapshots)
        self._outcome.windows += [(now, part) for part in (window, *higher.values())]

    def _higher(self, timeframe: Timeframe, compiled: CompiledStrategy, closed: int) -> Bars:
        """The last bars of another timeframe that had closed by a server epoch."""
        count = compiled.history[timeframe]
        bars = self._top_up(timeframe, count)
        end = int(np.searchsorted(close_of(timeframe, bars.server_time), closed, side="right"))
        later = len(bars) - end
        if later:  # for a bar that is caught up as many must come before
            bars = self._top_up(timeframe, count + later)
            end = int(np.searchsorted(close_of(timeframe, bars.server_time), closed, side="right"))
        return bars[max(end - count, 0) : end]

    def _top_up(self, timeframe: Timeframe, count: int) -> Bars:
        held = self._bars.get(timeframe)
        if held is None or held[0] < count:
            bars = self._sources.market.top_up(self._symbol, timeframe, min_bars=count)
            held = self._bars[timeframe] = (count, bars)
        return held[1]


def _version(cursor: Mapping[str, Any]) -> str:
    return str(cursor["version"])
