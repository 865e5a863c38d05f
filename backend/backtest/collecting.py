"""Collects everything that a run depends on, from the files, the market and the account."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backend.backtest.model import AccountSettings, Asks, Costs, Job, Stream
from backend.backtest.prices import learned_spreads
from backend.backtest.request import CostChanges, Request
from backend.control.limits import LimitsInForce
from backend.core.bars import Bars, Floats
from backend.core.clock import Clock
from backend.core.errors import DeskError, Invalid, Unavailable
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.economic_calendar.model import CalendarView
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.statistics import ATR_DAYS, SPREAD_DAYS, spread_timeframe
from backend.market.gaps import Gap
from backend.mt5.account import Account
from backend.risk.limits import RiskLimits
from backend.risk.numbers import exact
from backend.risk.rulebook import Rulebook, rulebook_of
from backend.strategies.files import LoadedStrategies, require_traded
from backend.strategies.model import Profile, Strategy
from backend.trading.conversion import conversion

Calendar = Callable[[datetime, datetime], CalendarView]
"""The economic calendar as it was known at each moment from the first to the second."""

_WARM_UP_DAYS = 10
_MOST_DAYS_OF_MINUTES = 100
_TRADED_SHARE = 5 / 7  # of the calendar's days
_DEFAULT_BALANCE = Decimal(10_000)


class Strategies(Protocol):
    """Where strategies come from."""

    def load(self) -> LoadedStrategies:
        """All that are valid, and the problems of the others."""


class Symbols(Protocol):
    """The symbols that can be traded."""

    def broker_symbol(self, canonical: str) -> str:
        """The broker's name; `NotFound` for an unknown symbol."""


class Market(Protocol):
    """Where bars and specifications come from."""

    def history(self, symbol: str, timeframe: Timeframe, days: float) -> Bars:
        """Closed bars of the last so many days."""

    def instrument(self, symbol: str) -> Instrument:
        """The symbol's specification."""

    def gaps(self, symbol: str, timeframe: Timeframe) -> list[Gap]:
        """Missing bars."""

    def asks(self, symbol: str, bars: Bars) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Ask open, high, low and close of bars that `history` gave; None where only bids are known."""


class Terminal(Protocol):
    """Where the account's currency and leverage come from."""

    def account(self) -> Account:
        """The account."""


class Collector:
    """Makes the job of a request.

    Args:
        clock: Desk time: history ends there.
        config_dir: Where limits and rulebook stand.
        strategies: Strategy and profile files.
        symbols: The symbols there are.
        market: Bars and specifications.
        terminal: The account; while it is down, 10,000 USD at 1:100 are taken, and the report says so.
        source: Where the bars come from, for the report.
        warnings: What is to be known about this source, for the report.
        check: Called between steps; what it raises ends the work.
        calendar: The economic calendar as it was known over a time; None where there is none.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        config_dir: Path,
        strategies: Strategies,
        symbols: Symbols,
        market: Market,
        terminal: Terminal,
        source: str,
        warnings: tuple[str, ...],
        check: Callable[[], None],
        calendar: Calendar | None = None,
    ) -> None:
        self._clock = clock
        self._limits = LimitsInForce(config_dir)
        self._strategies = strategies
        self._symbols = symbols
        self._market = market
        self._terminal = terminal
        self._source = source
        self._warnings = warnings
        self._check = check
        self._calendar = calendar

    def job(self, request: Request) -> Job:
        """Everything that a run of the request depends on.

        Raises:
            NotFound: Unknown strategy or symbol, or a strategy that does not trade the symbol.
            Invalid: Too few bars, a period, cost or risk that cannot be, a broken file.
            Unavailable: The terminal failed and nothing is stored.
        """
        loaded = self._strategies.load()
        strategy = request.strategy_of(loaded.get(request.strategy))
        limits = request.limits(self._limits.own.value(), self._limits.rulebook.value())
        account, warning = self._account(_with_balance(request, rulebook_of(limits)))
        streams: list[Stream] = []
        for symbol in request.symbols or strategy.traded_symbols:
            self._symbols.broker_symbol(symbol)
            require_traded(strategy, symbol)
            stream = self._stream(request, strategy, loaded.profile(symbol), limits, account)
            if warning and not streams:
                costs = replace(stream.costs, warnings=(warning, *stream.costs.warnings))
                stream = replace(stream, costs=costs)
            streams.append(stream)
        known = request.calendar
        if not known.known and self._calendar is not None:
            known = self._calendar(*request.period(self._clock.now()))
        return Job(streams=tuple(streams), account=account, limits=limits, calendar=known)

    def _stream(
        self,
        request: Request,
        strategy: Strategy,
        profile: Profile,
        limits: RiskLimits,
        account: AccountSettings,
    ) -> Stream:
        symbol = profile.symbol
        begin, end = request.period(self._clock.now())
        bars = self._bars(symbol, strategy.timeframe, begin - timedelta(days=ATR_DAYS + _WARM_UP_DAYS), end)
        first = _first(bars, strategy, begin, end)
        instrument = self._market.instrument(symbol)
        steps = self._steps(symbol, strategy.timeframe, bars.opened(first), end)
        return Stream(
            strategy=strategy,
            profile=profile,
            instrument=instrument,
            bars=bars,
            higher=self._higher(symbol, strategy, begin, end),
            first=first,
            costs=costs_of(profile, limits, bars, request.costs, self._warnings),
            conversion=conversion(instrument, account.currency),
            source=self._source,
            facts=self._facts(bars, first, begin, end),
            spread_bars=self._fine(symbol, strategy.timeframe, begin, end),
            asks=self._asks(symbol, bars),
            fine=steps,
            fine_asks=None if steps is None else self._asks(symbol, steps),
        )

    def _asks(self, symbol: str, bars: Bars) -> Asks | None:
        found = self._market.asks(symbol, bars)
        return None if found is None else Asks(*found)

    def _steps(self, symbol: str, timeframe: Timeframe, begin: datetime, end: datetime) -> Bars | None:
        """Minutes along which fills and management happen, for a period that is not too long for them."""
        if timeframe is Timeframe.M1 or (end - begin).days > _MOST_DAYS_OF_MINUTES:
            return None
        try:
            bars = self._bars(symbol, Timeframe.M1, begin, end)
        except Unavailable:
            return None
        return bars if len(bars) else None

    def _bars(self, symbol: str, timeframe: Timeframe, since: datetime, end: datetime) -> Bars:
        """Bars from `since` that had closed by `end`."""
        self._check()
        now = self._clock.now()
        bars = self._market.history(symbol, timeframe, (now - since).total_seconds() / DAY_SECONDS)
        if end >= now or not len(bars):
            return bars
        return bars[: int(np.searchsorted(bars.closes(), int(end.timestamp()), side="right"))]

    def _higher(
        self, symbol: str, strategy: Strategy, begin: datetime, end: datetime
    ) -> dict[Timeframe, Bars]:
        compiled = compile_strategy(strategy)
        found = {}
        for timeframe in compiled.higher:
            span = compiled.history[timeframe] * timeframe.seconds / DAY_SECONDS / _TRADED_SHARE
            since = begin - timedelta(days=span + _WARM_UP_DAYS)
            found[timeframe] = self._bars(symbol, timeframe, since, end)
        return found

    def _fine(self, symbol: str, timeframe: Timeframe, begin: datetime, end: datetime) -> Bars | None:
        """The shorter bars from which live statistics know the usual spread, if there are any."""
        fine = spread_timeframe(timeframe)
        if fine is timeframe:
            return None
        try:
            bars = self._bars(symbol, fine, begin - timedelta(days=SPREAD_DAYS + 1), end)
        except Unavailable:
            return None  # the statistics then take the spreads of the bars themselves, as live
        # those that do not reach back to the beginning would know nothing of the first days
        return bars if len(bars) and bars.opened(0) <= begin else None

    def _account(self, request: Request) -> tuple[AccountSettings, str]:
        """The account, and what is to be said about it."""
        try:
            account = self._terminal.account()
        except DeskError as error:
            if request.balance is not None:
                return AccountSettings(balance=request.balance), ""
            return (
                AccountSettings(balance=_DEFAULT_BALANCE),
                f"The account is not known ({error.message}): {_DEFAULT_BALANCE} USD at 1:100 are taken.",
            )
        balance = request.balance
        warning = ""
        if balance is None:
            balance = Decimal(repr(float(account.balance)))
            if balance <= 0:
                warning = f"The account holds {balance} {account.currency}: {_DEFAULT_BALANCE} are taken."
                balance = _DEFAULT_BALANCE
        settings = AccountSettings(
            currency=account.currency,
            balance=balance,
            leverage=account.leverage,
            digits=account.currency_digits,
            hedging=account.hedging,
        )
        return settings, warning

    def _facts(self, bars: Bars, first: int, begin: datetime, end: datetime) -> dict[str, Any]:
        """Gaps within the traded bars, and whole days of the period before and behind them."""
        opened: datetime = bars.opened(first)
        length = int(close_of(bars.timeframe, bars.server_time[-1]) - bars.server_time[-1])
        closed = bars.opened(-1) + timedelta(seconds=length)
        gaps = [
            gap
            for gap in self._market.gaps(bars.symbol, bars.timeframe)
            if gap.start >= opened and gap.start < closed
        ]
        return {
            "gaps": len(gaps),
            "missing_bars": sum(gap.count for gap in gaps),
            "days_missing_at_start": max((opened - begin).days, 0),
            "days_missing_at_end": max((end - closed).days, 0),
        }


def _with_balance(request: Request, rulebook: Rulebook | None) -> Request:
    """With the balance that a rulebook begins with; `Invalid` where another one is asked for."""
    if rulebook is None or rulebook.initial_balance is None:
        return request
    begins = exact(rulebook.initial_balance)
    if request.balance not in {None, begins}:
        raise Invalid(
            "bad_balance",
            f"the rulebook {rulebook.name} begins with {begins:f}, and {request.balance:f} is asked for; "
            "leave one of them out",
        )
    return replace(request, balance=begins)


def _first(bars: Bars, strategy: Strategy, begin: datetime, end: datetime) -> int:
    """Index of the first traded bar: the first that opened within the period, after the warm-up.

    Raises:
        Invalid: Code ``too_few_bars``.
    """
    needed = compile_strategy(strategy).requirements[strategy.timeframe]
    first = max(int(np.searchsorted(bars.time, int(begin.timestamp()))), needed)
    if first >= len(bars):
        inside = int((bars.time >= int(begin.timestamp())).sum())
        raise Invalid(
            "too_few_bars",
            f"{strategy.id} needs {needed} closed bars of {bars.symbol} {strategy.timeframe} and one more to "
            f"trade on between {begin:%Y-%m-%d %H:%M} and {end:%Y-%m-%d %H:%M} UTC; there are "
            f"{len(bars) - inside} before that and {inside} within",
            strategy=strategy.id,
            symbol=bars.symbol,
            timeframe=str(strategy.timeframe),
            needed=needed + 1,
            available=len(bars),
        )
    return first


def costs_of(
    profile: Profile,
    limits: RiskLimits,
    bars: Bars,
    changes: CostChanges,
    warnings: tuple[str, ...] = (),
) -> Costs:
    """Costs as asked for, else as the profile states them, else the desk's limits; the unknown is said."""
    said = [*warnings]
    expected = limits.expected_costs(
        commission_per_lot=profile.commission_per_lot, slippage_points=profile.slippage_points
    )
    commission, slippage = changes.commission_per_lot, changes.slippage_points
    if commission is None:
        if not expected.commission_known:
            said.append("The commission is not known and taken as 0; state it in the symbol's profile.")
        commission = exact(expected.commission_per_lot)
    if slippage is None:
        slippage = exact(expected.slippage_points)
    return Costs(
        commission_per_lot=commission,
        slippage_points=slippage,
        spread_points=learned_spreads(bars) if changes.spread_points is None else changes.spread_points,
        warnings=tuple(said),
    )
