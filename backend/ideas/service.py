"""IdeaService: evaluates what is due, records it, and proposes trades."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from backend.control.account import DeskAccount
from backend.control.desk import Control
from backend.core.clock import Clock
from backend.core.errors import DeskError, NotFound, Unavailable
from backend.core.problems import Problem
from backend.economic_calendar.model import CalendarView
from backend.ideas.acting import IdeaDesk
from backend.ideas.book import IdeaBook
from backend.ideas.evaluating import RunInputs, Sources, SymbolOutcome, evaluate_symbol, problem_of
from backend.ideas.lifecycle import Status
from backend.ideas.lines import Filter
from backend.ideas.live import LiveJudge
from backend.ideas.recording import Recorder
from backend.ideas.result import Result
from backend.ideas.rows import cursor_key, summary_of
from backend.ideas.usual import UsualFigures
from backend.journal.journal import Journal
from backend.market.service import MarketService
from backend.market.symbols import Symbols
from backend.mt5.server_time import ServerClock
from backend.storage.files import FileStorage
from backend.strategies.files import LoadedStrategies, StrategyFiles
from backend.strategies.model import Strategy
from backend.trading.account import AccountState

log = logging.getLogger(__name__)

LOCKS = "evaluations/symbols"
_BATCH = 100  # symbols whose decisions are written together: the day's summary is written once for each batch
_WAIT_SECONDS = 30.0
_NO_WAIT_SECONDS = 0.05
_BAR_CLOSE_WAIT_SECONDS = 3.0  # whoever holds the symbol may have looked before its bar closed
_LOOK_SECONDS = 0.5  # between two looks whether a bar that has ended is closed
_MOST_LISTED = 50

_Plan = dict[str, list[Strategy]]
_Rows = list[dict[str, Any]]


class Calendar(Protocol):
    """What evaluation needs of the economic calendar."""

    def as_of(self, now: datetime) -> CalendarView:
        """What was known at `now`; never raises for want of a calendar."""


class IdeaService:
    """From closed bars to decisions and trade ideas.

    Args:
        storage: Files below ``data/``.
        clock: Desk time and wall time.
        control: Limits, mode and halts.
        strategies: Strategies and profiles.
        symbols: The symbol map.
        market: Bars, quotes, specifications.
        account: The account now.
        server_clock: The broker's clock.
        calendar: The economic calendar.
        journal: The record of decisions.
        book: Trade ideas.
        judge: Knows switches and pace.
        acts: What follows when ideas are proposed.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        *,
        storage: FileStorage,
        clock: Clock,
        control: Control,
        strategies: StrategyFiles,
        symbols: Symbols,
        market: MarketService,
        account: DeskAccount,
        server_clock: ServerClock,
        calendar: Calendar,
        journal: Journal,
        book: IdeaBook,
        judge: LiveJudge,
        acts: IdeaDesk,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._storage = storage
        self._pause = pause
        self._clock = clock
        self._strategies = strategies
        self._symbols = symbols
        self._market = market
        self._desk_account = account
        self._calendar = calendar
        self._control = control
        self._book = book
        self._judge = judge
        self._recorder = Recorder(storage, journal, book, acts.proposed)
        self._sources = Sources(
            market=market,
            server_clock=server_clock,
            clock=clock,
            usual=UsualFigures(market, server_clock),
        )

    # Evaluation

    def evaluate_symbol(self, symbol: str, *, trigger: str) -> dict[str, Any]:
        """Evaluate every enabled strategy of one symbol, waiting for an evaluation of it that runs.

        Args:
            symbol: Canonical symbol.
            trigger: Who or what asked: recorded as the actor.

        Returns:
            As `evaluate_all`, with the decisions' rows under ``evaluations``.

        Raises:
            NotFound: The symbol map has no such symbol.
            Unavailable: The terminal is down.
            Invalid: ``config/risk.json`` is wrong.
        """
        self._symbols.row(symbol)
        loaded = self._strategies.load()
        result = Result(trigger)
        result.problems += [problem.as_dict() for problem in loaded.problems]
        plan = self._plan(loaded, [symbol], result)
        if not plan[symbol]:
            result.problems.append(
                {"symbol": symbol, "code": "no_strategy", "reason": "no strategy trades it"}
            )
        rows = self._run(plan, loaded, result, wait=_WAIT_SECONDS)
        return result.as_dict() | {"symbol": symbol, "evaluations": rows}

    def evaluate_all(self, *, trigger: str) -> dict[str, Any]:
        """Evaluate every enabled strategy of every enabled symbol.

        A strategy or a symbol that fails is reported under ``problems``, and the rest goes on. A symbol
        that is being evaluated elsewhere is left to that and named under ``busy``.

        Args:
            trigger: Who or what asked: recorded as the actor.

        Returns:
            JSON values: counts of decisions, by action and by refusing check, ideas' ids, problems, which
            markets are closed since when.

        Raises:
            Unavailable: The terminal is down.
            Invalid: ``config/risk.json`` is wrong.
        """
        loaded = self._strategies.load()
        result = Result(trigger)
        result.problems += [problem.as_dict() for problem in loaded.problems]
        result.problems += self._unmapped(loaded)
        plan = self._plan(loaded, self._symbols.enabled(), result)
        self._run(plan, loaded, result, wait=_NO_WAIT_SECONDS)
        return result.as_dict()

    def evaluate_on_bar_close(self, *, trigger: str = "bar_close") -> dict[str, Any]:
        """Evaluate the strategies for which a bar can have closed since their last decision.

        A symbol whose bar has just ended is waited for until its bar is closed: a newer tick, or 10 s.

        Returns:
            As `evaluate_all`; strategies that are not due are not counted.

        Raises:
            Unavailable: The terminal is down.
            Invalid: ``config/risk.json`` is wrong.
        """
        loaded = self._strategies.load()
        result = Result(trigger)
        cursors = self._cursors(result, self._market.source())
        waiting = self._due(self._plan(loaded, self._symbols.enabled(), result), cursors)
        while waiting:
            before = self._clock.now()
            closed = {symbol: due for symbol, due in waiting.items() if self._sources.has_closed(symbol, due)}
            self._run(closed, loaded, result, wait=_BAR_CLOSE_WAIT_SECONDS)
            waiting = {symbol: due for symbol, due in waiting.items() if symbol not in closed}
            if waiting:
                self._pause(_LOOK_SECONDS)
                if self._clock.now() == before:  # a replay stands still until this is done
                    self._run(waiting, loaded, result, wait=_BAR_CLOSE_WAIT_SECONDS)
                    break
        return result.as_dict()

    # Ideas

    def page(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """The newest ideas that are wanted as their files hold them, and the next page's cursor.

        Raises:
            Invalid: Code ``bad_cursor``: there is no idea of that id.
        """
        return self._book.page(wanted, cursor=cursor, limit=limit)

    def counts(self, wanted: Filter) -> Mapping[Status, int]:
        """How many there are of each status, by the rest of the filter."""
        return self._book.counts(wanted)

    def pending(self) -> Sequence[dict[str, Any]]:
        """The ideas that wait for approval, the newest first."""
        return self._book.find(Status.PENDING_APPROVAL)

    def get(self, idea_id: str) -> dict[str, Any]:
        """One trade idea; `NotFound` if there is none of that id."""
        return self._book.get(idea_id)

    def problems(self) -> Sequence[Problem]:
        """Idea files that could not be read at the last look, and why."""
        return self._book.problems

    # Inside

    def _plan(self, loaded: LoadedStrategies, symbols: Iterable[str], result: Result) -> _Plan:
        """Enabled strategies by symbol; one that can never reach a configured threshold is refused."""
        plan: _Plan = {symbol: [] for symbol in symbols}
        for strategy in loaded.strategies:
            if not strategy.enabled:
                continue
            try:
                self._control.accept(strategy)
            except DeskError as error:
                if error.code != "unreachable_threshold":
                    raise
                result.problems.append(problem_of(error, strategy=strategy.id))
                continue
            for symbol in strategy.traded_symbols:
                if symbol in plan:
                    plan[symbol].append(strategy)
        return plan

    def _due(self, plan: _Plan, cursors: Mapping[str, Mapping[str, Any]]) -> _Plan:
        """Those for which a bar can have closed since the one that was decided last."""
        due: _Plan = {}
        for symbol, strategies in plan.items():
            for strategy in strategies:
                if self._sources.is_due(strategy, cursors.get(cursor_key(strategy.id, symbol))):
                    due.setdefault(symbol, []).append(strategy)
        return due

    def _unmapped(self, loaded: LoadedStrategies) -> _Rows:
        """Enabled strategies that name a symbol which the map does not have."""
        found = []
        for strategy in loaded.strategies:
            for symbol in strategy.traded_symbols if strategy.enabled else ():
                try:
                    self._symbols.row(symbol)
                except NotFound as error:
                    found.append(problem_of(error, strategy=strategy.id, symbol=symbol))
        return found

    def _run(self, plan: _Plan, loaded: LoadedStrategies, result: Result, *, wait: float) -> _Rows:
        """Evaluate and record; returns the decisions' rows."""
        wanted = [symbol for symbol, strategies in plan.items() if strategies]
        rows: _Rows = []
        if not wanted:
            return rows
        run = self._inputs(result)
        source = self._market.source()
        failures: list[DeskError] = []
        done = 0
        for start in range(0, len(wanted), _BATCH):
            with contextlib.ExitStack() as locks:
                held = [s for s in wanted[start : start + _BATCH] if self._hold(locks, s, wait, result)]
                cursors = self._cursors(result, source)  # after the locks: nobody moves them now
                outcomes = [
                    evaluate_symbol(symbol, plan[symbol], loaded.profile(symbol), cursors, run, self._sources)
                    for symbol in held
                ]
                rows += self._record(outcomes, result, source)
            failures += [error for outcome in outcomes for error in outcome.errors]
            done += sum(bool(outcome.payloads or outcome.unchanged) for outcome in outcomes)
        down = [error for error in failures if isinstance(error, Unavailable)]
        if down and not done:
            raise down[0]
        return rows

    def _hold(self, locks: contextlib.ExitStack, symbol: str, wait: float, result: Result) -> bool:
        name = f"{LOCKS}/{self._storage.safe_name(symbol)}"
        try:
            locks.enter_context(self._storage.lock(name, wait))
        except Unavailable as error:
            if error.code != "locked":
                raise
            result.busy.append(symbol)
            return False
        return True

    def _record(self, outcomes: Sequence[SymbolOutcome], result: Result, source: str) -> _Rows:
        payloads = [payload for outcome in outcomes for payload in outcome.payloads]
        payloads.sort(key=lambda payload: (payload["bar_close"], payload["symbol"], payload["strategy_id"]))
        snapshots: dict[str, Mapping[str, Any]] = {}
        for outcome in outcomes:
            snapshots.update(outcome.snapshots)
        windows = [window for outcome in outcomes for window in outcome.windows]
        made = self._recorder.record(payloads, snapshots, windows, actor=result.trigger, source=source)
        for outcome in outcomes:
            result.add(outcome)
        result.decided(made)
        again = [
            self._recorder.decided(known)
            for outcome in outcomes
            for known in outcome.unchanged[:_MOST_LISTED]
        ]
        return [summary_of(payload, short=True) for payload in (*again, *made)]

    def _inputs(self, result: Result) -> RunInputs:
        now = self._clock.now()
        return RunInputs(
            engine=self._control.engine(),
            account=self._account(result),
            calendar=self._calendar.as_of(now),
            desk=self._control.desk(),
            pace=self._judge.pace(),
            expires_after=self._control.limits().idea_expires_after_seconds,
        )

    def _account(self, result: Result) -> AccountState:
        def unknown(symbol: str, error: DeskError) -> None:
            result.problems.append(problem_of(error, symbol=symbol))

        return self._desk_account.state(unknown)

    def _cursors(self, result: Result, source: str) -> dict[str, dict[str, Any]]:
        return self._recorder.cursors(source, lambda error: result.problems.append(problem_of(error)))
