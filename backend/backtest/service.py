"""Backtests for the desk: collects what a run needs, computes it in a child process, keeps the report."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backend.backtest.child import Order
from backend.backtest.model import AccountSettings, Costs, Job, Stream
from backend.backtest.prices import learned_spreads
from backend.backtest.process import run_in_child
from backend.core.bars import Bars
from backend.core.clock import Clock
from backend.core.errors import Conflict, DeskError, Invalid, Unavailable
from backend.core.instruments import Instrument
from backend.core.timeframes import DAY_SECONDS, Timeframe, close_of
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.statistics import ATR_DAYS, SPREAD_DAYS, spread_timeframe
from backend.ideas.settings import LimitsFile
from backend.market.gaps import Gap
from backend.mt5.account import Account
from backend.risk.limits import RiskLimits
from backend.storage.files import FileStorage
from backend.strategies.files import LoadedStrategies, require_traded
from backend.strategies.model import Profile, Strategy
from backend.trading.conversion import conversion

DEADLINE_SECONDS = 1800.0
MAX_DAYS = 3650
_WARM_UP_DAYS = 10
_TRADED_SHARE = 5 / 7  # of the calendar's days
_DEFAULT_BALANCE = Decimal(10_000)


class Strategies(Protocol):
    """Where strategies come from."""

    def load(self) -> LoadedStrategies:
        """All that are valid, and the problems of the others."""


class Symbols(Protocol):
    """The symbols that the desk knows."""

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


class Terminal(Protocol):
    """Where the account's currency and leverage come from."""

    def account(self) -> Account:
        """The account."""


def _nothing() -> None:
    return None


class BacktestService:
    """Backtests one strategy on one symbol over the last days of its history.

    Args:
        storage: Files under the desk's data folder.
        clock: Desk time: history ends there.
        config_dir: Where ``risk.json`` stands.
        strategies: Strategy and profile files.
        symbols: The symbol map.
        market: Bars and specifications.
        terminal: The account; while it is down, 10,000 USD at 1:100 are taken, and the report says so.
        check: Called between steps and ten times a second while the child works; what it raises
            (a cancelled job, a passed deadline) ends the child.
    """

    def __init__(
        self,
        *,
        storage: FileStorage,
        clock: Clock,
        config_dir: Path,
        strategies: Strategies,
        symbols: Symbols,
        market: Market,
        terminal: Terminal,
        check: Callable[[], None] = _nothing,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._limits = LimitsFile(config_dir / "risk.json")
        self._strategies = strategies
        self._symbols = symbols
        self._market = market
        self._terminal = terminal
        self._check = check

    def run(
        self,
        *,
        symbol: str,
        strategy_name: str,
        days: int = 30,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        deadline: float = DEADLINE_SECONDS,
    ) -> dict[str, Any]:
        """Run a backtest and write its report under ``data/backtests/{id}/``.

        Args:
            symbol: Canonical symbol that the strategy trades.
            strategy_name: The strategy's id.
            days: Calendar days up to desk time, 1 to 3650.
            progress: Told bars done and bars in all.
            cancelled: Asked ten times a second; true ends the child.
            deadline: Seconds that the computation may take.

        Returns:
            Summary with ``id``, ``path`` of report.json and the main figures.

        Raises:
            NotFound: Unknown strategy or symbol, or a strategy that does not trade the symbol.
            Invalid: Too few bars, days out of range, a broken strategy file.
            Conflict: Code ``cancelled``.
            Unavailable: The terminal failed and nothing is stored, or the deadline passed.
        """
        job = self.job(symbol=symbol, strategy_name=strategy_name, days=days)

        def check() -> None:
            self._check()
            if cancelled is not None and cancelled():
                raise Conflict("cancelled", f"the backtest of {strategy_name} on {symbol} was cancelled")

        return run_in_child(
            Order(job=job, root=self._storage.root), check=check, progress=progress, deadline=deadline
        )

    def job(self, *, symbol: str, strategy_name: str, days: int = 30) -> Job:
        """Everything that a run depends on, collected; errors as in `run`."""
        if isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
            raise Invalid("bad_days", f"days is {days}; it may be 1 to {MAX_DAYS}", allowed=[1, MAX_DAYS])
        loaded = self._strategies.load()
        strategy = loaded.get(strategy_name)
        self._symbols.broker_symbol(symbol)
        require_traded(strategy, symbol)
        profile, limits = loaded.profile(symbol), self._limits.limits()
        self._check()
        bars = self._market.history(symbol, strategy.timeframe, days + ATR_DAYS + _WARM_UP_DAYS)
        first = self._first(bars, strategy, days)
        instrument = self._market.instrument(symbol)
        account, warning = self._account()
        fine = spread_timeframe(strategy.timeframe)
        stream = Stream(
            strategy=strategy,
            profile=profile,
            instrument=instrument,
            bars=bars,
            higher=self._higher(symbol, strategy, days),
            first=first,
            costs=_costs(profile, limits, bars, warning),
            conversion=conversion(instrument, account.currency),
            source="market store",
            facts=self._facts(bars, first),
            spread_bars=None if fine is strategy.timeframe else self._fine(symbol, fine, days),
        )
        return Job(streams=(stream,), account=account, limits=limits)

    def _first(self, bars: Bars, strategy: Strategy, days: int) -> int:
        """Index of the first traded bar: the first that opened within the days, after the warm-up.

        Raises:
            Invalid: Code ``too_few_bars``.
        """
        needed = compile_strategy(strategy).requirements[strategy.timeframe]
        begin = int((self._clock.now() - timedelta(days=days)).timestamp())
        first = max(int(np.searchsorted(bars.time, begin)), needed)
        if first >= len(bars):
            raise Invalid(
                "too_few_bars",
                f"{strategy.id} needs {needed} closed bars of {strategy.timeframe} of {bars.symbol} before "
                f"the first it may trade on, and within {days} days there are too few: {len(bars)} in all",
                strategy=strategy.id,
                symbol=bars.symbol,
                timeframe=str(strategy.timeframe),
                needed=needed + 1,
                available=len(bars),
            )
        return first

    def _higher(self, symbol: str, strategy: Strategy, days: int) -> dict[Timeframe, Bars]:
        compiled = compile_strategy(strategy)
        found = {}
        for timeframe in compiled.higher:
            self._check()
            span = compiled.history[timeframe] * timeframe.seconds / DAY_SECONDS / _TRADED_SHARE
            found[timeframe] = self._market.history(symbol, timeframe, days + span + _WARM_UP_DAYS)
        return found

    def _fine(self, symbol: str, timeframe: Timeframe, days: int) -> Bars | None:
        try:
            bars = self._market.history(symbol, timeframe, days + SPREAD_DAYS + 1)
        except Unavailable:
            return None  # the statistics then take the spreads of the bars themselves, as live
        return bars if len(bars) else None

    def _account(self) -> tuple[AccountSettings, str]:
        try:
            account = self._terminal.account()
        except DeskError as error:
            return (
                AccountSettings(balance=_DEFAULT_BALANCE),
                f"The account is not known ({error.message}): {_DEFAULT_BALANCE} USD at 1:100 are taken.",
            )
        balance = Decimal(repr(float(account.balance)))
        if balance <= 0:
            return (
                AccountSettings(
                    currency=account.currency,
                    balance=_DEFAULT_BALANCE,
                    leverage=account.leverage,
                    digits=account.currency_digits,
                ),
                f"The account holds {balance} {account.currency}: {_DEFAULT_BALANCE} are taken.",
            )
        settings = AccountSettings(
            currency=account.currency,
            balance=balance,
            leverage=account.leverage,
            digits=account.currency_digits,
        )
        return settings, ""

    def _facts(self, bars: Bars, first: int) -> dict[str, Any]:
        """Gaps within the traded bars."""
        begin: datetime = bars.opened(first)
        end = int(bars.time[-1] + close_of(bars.timeframe, bars.server_time[-1]) - bars.server_time[-1])
        gaps = [
            gap
            for gap in self._market.gaps(bars.symbol, bars.timeframe)
            if gap.start >= begin and int(gap.start.timestamp()) < end
        ]
        return {"gaps": len(gaps), "missing_bars": sum(gap.count for gap in gaps)}


def _costs(profile: Profile, limits: RiskLimits, bars: Bars, warning: str) -> Costs:
    """Costs as the profile states them, else the desk's limits; what neither knows is said."""
    warnings = [warning] if warning else []
    commission = profile.commission_per_lot
    if commission is None:
        commission = limits.commission_per_lot
    if commission is None:
        warnings.append("The commission is not known and taken as 0; state it in the symbol's profile.")
    slippage = profile.slippage_points
    if slippage is None:
        slippage = limits.expected_slippage_points
    return Costs(
        commission_per_lot=Decimal(repr(float(commission or 0.0))),
        slippage_points=Decimal(repr(float(slippage))),
        spread_points=learned_spreads(bars),
        warnings=tuple(warnings),
    )
