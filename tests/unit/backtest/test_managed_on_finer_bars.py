"""The live rules over closed minutes give the backtest's exits, where it walks the same finer bars."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.columns import Trade
from backend.backtest.model import Job, Stream
from backend.backtest.running import run_backtest
from backend.core.timeframes import Timeframe
from backend.evaluation.arrays import ConditionArrays
from backend.evaluation.conditions import compile_strategy
from backend.orders.holding import Holding, wishes
from backend.trading.reasons import Reason
from backend.trading.sides import Side
from tests.fakes.backtests import EXIT_LONG, INVALID_LONG, LONG, QUIET, Row, rows_to_bars, table

QUARTERS, SPREAD = 4, 10


def walk(seed: int, hours: int = 60) -> Job:
    """Hours made of quarters, and a long strategy with every rule that works on closed bars."""
    rng = np.random.default_rng(seed)
    fine: list[Row] = []
    coarse: list[Row] = []
    price = 10_000
    for _ in range(hours):
        signal = int(
            rng.choice(
                [LONG, QUIET, QUIET, QUIET, EXIT_LONG, INVALID_LONG], p=[0.3, 0.2, 0.2, 0.2, 0.05, 0.05]
            )
        )
        quarters = []
        for _ in range(QUARTERS):
            opened, close = price, price + int(rng.integers(-80, 81))
            high = max(opened, close) + int(rng.integers(0, 40))
            low = min(opened, close) - int(rng.integers(0, 40))
            quarters.append((opened, high, low, close, signal))
            price = close + int(rng.integers(-5, 6))
        fine += quarters
        highs, lows = [row[1] for row in quarters], [row[2] for row in quarters]
        coarse.append((quarters[0][0], max(highs), min(lows), quarters[-1][3], signal))
    management = {
        "timeframe": "M15",
        "breakeven_after_r": [None, 0.5, 1.0][int(rng.integers(3))],
        "trail_atr": [None, 0.6, 1.5][int(rng.integers(3))],
        "time_stop_bars": [None, 2, 6][int(rng.integers(3))],
    }
    level = {"stops_level": int(rng.choice([0, 60]))}
    job = table(coarse, rules={"management": management}, spread=SPREAD, specification=level)
    (stream,) = job.streams
    bars = rows_to_bars(fine, timeframe=Timeframe.M15, spread=SPREAD)
    # the ATR of one bar needs the close before it
    return replace(job, streams=(replace(stream, fine=bars, first=2),))


def closed_by(facts: ConditionArrays, until: int) -> ConditionArrays:
    """What the conditions say over the bars that had closed by a moment."""
    part = slice(0, int(np.searchsorted(facts.bars.closes(), until, side="right")))
    return replace(
        facts,
        bars=facts.bars[part],
        sides={direction: side.part(part) for direction, side in facts.sides.items()},
        conflict=facts.conflict[part],
        atr=facts.atr[part],
    )


def managed(stream: Stream, trade: Trade) -> tuple[int, int, Reason]:
    """When, at how many ticks and why a long position leaves that is managed after each closed quarter."""
    symbol, bars = stream.instrument, stream.fine
    assert bars is not None
    facts = compile_strategy(stream.strategy).evaluate(stream.bars)
    entry, stop, target = (
        symbol.ticks(float(price)) for price in (trade.entry_price, trade.initial_stop, trade.initial_target)
    )
    holding = Holding(
        instrument=symbol,
        side=Side.BUY,
        entry=entry,
        first_stop=stop,
        stop=stop,
        target=target,
        opened=trade.entry_time,
        moved=0,
        cost_ticks=0,
        parted=True,
    )
    why, leave = Reason.STOP, None
    first = int(np.searchsorted(bars.time, trade.entry_time))
    for at in range(first, len(bars)):
        opened, high, low, close = (
            symbol.ticks(float(column[at])) for column in (bars.open, bars.high, bars.low, bars.close)
        )
        time = int(bars.time[at])
        if at > first and opened <= holding.stop:
            return time, opened, Reason.GAP_STOP
        if at > first and opened >= target:
            return time, target, Reason.TARGET
        if at > first and leave is not None:
            return time, opened, leave
        if low <= holding.stop:
            return time, holding.stop, why
        if high >= target:
            return time, target, Reason.TARGET
        ends = int(bars.closes()[at])
        if at == len(bars) - 1:
            return ends, close, Reason.END
        asked = wishes(holding, stream.strategy, closed_by(facts, ends), bars[: at + 1], spread=0)
        leave = asked.leave
        if asked.stop is not None and asked.stop_reason is not None:
            holding, why = replace(holding, stop=asked.stop), asked.stop_reason
    raise AssertionError("it never leaves")


def compared(seed: int) -> list[Reason]:
    job = walk(seed)
    (stream,) = job.streams
    trades = list(run_backtest(job).trades)
    for trade in trades:
        found = (trade.exit_time, stream.instrument.ticks(float(trade.exit_price)), trade.exit_reason)
        assert managed(stream, trade) == found
    return [trade.exit_reason for trade in trades]


@given(seed=st.integers(0, 2**32 - 1))
def test_exits_are_the_backtests(seed: int) -> None:
    compared(seed)


def test_the_walks_hold_what_is_to_be_compared() -> None:
    seen: set[Any] = {reason for seed in range(60) for reason in compared(seed)}
    assert seen >= {
        Reason.STOP,
        Reason.TARGET,
        Reason.TRAIL,
        Reason.BREAKEVEN,
        Reason.TIME_STOP,
        Reason.EXIT_RULE,
        Reason.INVALIDATION,
    }
