"""The shipped strategies over the simulated market: which ideas they would have made, without any files."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from backend.core.bars import Bars
from backend.core.clock import from_epoch
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe, close_of
from backend.economic_calendar.model import CalendarView
from backend.evaluation.conditions import compile_strategy
from backend.evaluation.deciding import Known
from backend.evaluation.decision import Decision
from backend.evaluation.engine import AIEngine
from backend.evaluation.statistics import (
    ProfileStatistics,
    broker_midnight,
    profile_statistics,
    spread_timeframe,
)
from backend.market.symbols import SymbolMap
from backend.mt5.client import MT5Client
from backend.risk.limits import RiskLimits
from backend.risk.rules import DeskRules
from backend.simulator.build import build_simulated_terminal
from backend.strategies.files import LoadedStrategies, StrategyFiles
from backend.strategies.model import Strategy
from backend.trading.account import AccountState
from tests.fakes.desk import ROOT, SERVER

ACCOUNT = AccountState(
    currency="USD",
    leverage=100,
    balance=Decimal(10_000),
    equity=Decimal(10_000),
    margin=Decimal(0),
    margin_free=Decimal(10_000),
    day_reference=Decimal(10_000),
    initial_balance=Decimal(10_000),
    peak=Decimal(10_000),
)


@cache
def shipped() -> LoadedStrategies:
    return StrategyFiles(ROOT / "config" / "ai").load()


@dataclass(frozen=True)
class MonthOf:
    """Thirty days of the simulated market up to `end`, with a year before them."""

    end: datetime
    seed: int = 7

    def bars(self, symbol: str, timeframe: Timeframe) -> Bars:
        return _bars(self.seed, self.end, symbol, timeframe)

    def ideas(self, strategy: Strategy) -> Iterator[Decision]:
        """Decisions that make an idea. Without a signal none can, so only bars with one are decided."""
        engine = AIEngine(DeskRules(RiskLimits()))
        compiled = compile_strategy(strategy)
        for symbol in strategy.traded_symbols:
            bars = self.bars(symbol, strategy.timeframe)
            higher = {timeframe: self.bars(symbol, timeframe) for timeframe in compiled.higher}
            arrays = compiled.evaluate(bars, higher)
            signal = np.logical_or.reduce([side.signal for side in arrays.sides.values()])
            first = int(np.searchsorted(bars.time, (self.end - timedelta(days=30)).timestamp()))
            for index in np.flatnonzero(signal[first:]) + first:
                window = bars[max(index + 1 - compiled.history[strategy.timeframe], 0) : index + 1]
                closed = int(close_of(strategy.timeframe, bars.server_time[index]))
                seen = {
                    timeframe: part[
                        : int(np.searchsorted(close_of(timeframe, part.server_time), closed, "right"))
                    ]
                    for timeframe, part in higher.items()
                }
                decision = engine.evaluate(
                    strategy=strategy,
                    profile=shipped().profile(symbol),
                    bars=window,
                    higher=seen,
                    known=self._known(symbol, strategy, bars, int(index), closed),
                ).decision
                if decision.action.makes_idea:
                    yield decision

    def _known(self, symbol: str, strategy: Strategy, bars: Bars, index: int, closed: int) -> Known:
        now = from_epoch(int(bars.time[index]) + closed - int(bars.server_time[index]))
        midnight = broker_midnight(int(bars.server_time[index]))
        return Known(
            instrument=_instrument(self.seed, self.end, symbol),
            statistics=_statistics(
                self, symbol, strategy.timeframe, strategy.indicators.atr.period, midnight
            ),
            account=ACCOUNT,
            calendar=CalendarView(
                known=True, covered_from=now - timedelta(days=1), covered_to=now + timedelta(days=1)
            ),
            now=now,
        )


@cache
def _client(seed: int, end: datetime) -> MT5Client:
    terminal: Any = build_simulated_terminal(seed=seed, replay=None, server_clock=SERVER, now=lambda: end)
    terminal.initialize()
    return MT5Client(terminal, SymbolMap.load(ROOT / "config" / "symbol_map.csv"), SERVER)


@cache
def _instrument(seed: int, end: datetime, symbol: str) -> Instrument:
    return _client(seed, end).instrument(symbol)


@cache
def _bars(seed: int, end: datetime, symbol: str, timeframe: Timeframe) -> Bars:
    since = end - timedelta(days=30 + 375)
    return _client(seed, end).closed_bars(symbol, timeframe, since=since, now=end)


@cache
def _statistics(
    month: MonthOf, symbol: str, timeframe: Timeframe, period: int, midnight: int
) -> ProfileStatistics:
    fine = spread_timeframe(timeframe)
    spreads = None if fine is timeframe else month.bars(symbol, fine)
    return profile_statistics(month.bars(symbol, timeframe), period, midnight, spreads)
