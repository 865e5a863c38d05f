"""A strategy's live decisions over a replay are the backtest's signals and scores, bar for bar."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.backtest.compiling import compiled
from backend.backtest.kernel import loop, records
from backend.backtest.model import Costs, Job, Reading, Stream
from backend.backtest.tables import tables
from backend.control.limits import LimitsInForce
from backend.core.clock import iso
from backend.evaluation.statistics import spread_timeframe
from backend.journal.record import Kind
from backend.simulator.replay import ReplayMarket
from backend.simulator.terminal import SimulatedTerminal
from backend.strategies.model import Strategy
from backend.trading.conversion import conversion
from tests.fakes.backtests import NEW_YORK
from tests.fakes.desk import ROOT, MovedClock, SimulatedDesk, simulated_desk

WORDS = {0: None, records.LONG: "long", records.SHORT: "short", records.LONG | records.SHORT: "conflict"}
YEAR, MONTHS = 400, 70  # days: more than the usual figures look back


def live(desk: SimulatedDesk, symbol: str, hours: int) -> list[dict[str, Any]]:
    """The journal's decisions after so many hours, the desk looking a moment after every quarter."""
    for _ in range(4 * hours):
        desk.clock.move(minutes=15)
        desk.ideas.evaluate_symbol(symbol, trigger="replay")
    found = [dict(record.payload) for record in desk.journal.newest(kind=Kind.DECISION)]
    return sorted(found, key=lambda payload: payload["bar_time"])


def job(desk: SimulatedDesk, strategy: Strategy, symbol: str) -> Job:
    """What a backtest runs on, of the same market."""
    bars = desk.market.history(symbol, strategy.timeframe, YEAR)
    fine = spread_timeframe(strategy.timeframe)
    instrument = desk.market.instrument(symbol)
    stream = Stream(
        strategy=strategy,
        profile=desk.strategies.load().profile(symbol),
        instrument=instrument,
        bars=bars,
        costs=Costs(spread_points=(1,) * 168),
        conversion=conversion(instrument, "USD"),
        spread_bars=None if fine is strategy.timeframe else desk.market.history(symbol, fine, MONTHS),
    )
    return Job(streams=(stream,), limits=LimitsInForce(ROOT / "config").limits())


def backtested(whole: Job, begin: int) -> Iterator[tuple[str, str | None, float | None]]:
    """Open, signal and, where there is one, score of each bar from `begin` on, as the engine decides it."""
    (stream,) = whole.streams
    flags = tables(replace(whole, streams=(replace(stream, first=1),)), Reading.WORST).signals.flags
    for index in range(begin, len(stream.bars) - 1):
        signal = WORDS[int(flags[index]) & (records.LONG | records.SHORT)]
        score = None
        if signal is not None:
            made = tables(replace(whole, streams=(replace(stream, first=index + 1),)), Reading.WORST)
            compiled(loop.first_decisions)(made.feed, made.signals, made.usual, made.lanes, made.desk)
            score = float(made.lanes[0]["q_score"])
        yield iso(stream.bars.opened(index)), signal, score


def assert_equal(desk: SimulatedDesk, symbol: str, hours: int, wanted: int) -> None:
    made = live(desk, symbol, hours)
    signalled = 0
    for strategy in desk.strategies.load().strategies:
        if symbol not in strategy.traded_symbols:
            continue
        mine = {one["bar_time"]: one for one in made if one["strategy_id"] == strategy.id}
        whole = job(desk, strategy, symbol)
        begin = int(
            np.searchsorted(whole.streams[0].bars.time, datetime.fromisoformat(min(mine)).timestamp())
        )
        told = {opened: rest for opened, *rest in backtested(whole, begin)}
        # the newest bar has none after it that a backtest could trade
        assert list(told) == list(mine)[:-1]
        for opened, (signal, score) in told.items():
            assert mine[opened]["signal"] == signal, opened
            if signal is not None:
                signalled += 1
                assert mine[opened]["confidence"]["score"] == score, opened
    assert signalled >= wanted


def test_on_the_simulated_market(tmp_path: Path) -> None:
    desk = simulated_desk(tmp_path / "data", datetime(2026, 6, 9, 7, 0, 11, tzinfo=UTC))
    assert_equal(desk, "EURUSD", 10, 3)


@pytest.mark.market_data
def test_on_real_prices(tmp_path: Path, market_data: Path) -> None:
    clock = MovedClock(datetime(2014, 5, 12, 7, 0, 11, tzinfo=UTC))
    market = ReplayMarket(market_data / "lean", NEW_YORK)
    terminal = SimulatedTerminal(market, server_clock=NEW_YORK, now=clock.now)
    desk = simulated_desk(tmp_path / "data", clock.at, clock=clock, api=terminal)
    assert_equal(desk, "EURUSD", 24, 4)
