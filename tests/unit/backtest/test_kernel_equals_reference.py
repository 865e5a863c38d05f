"""The compiled engine gives the reference's trades, money, curve and refusals, on random gapped bars."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.model import Job, Reading, Result
from backend.backtest.running import run_backtest
from backend.risk.limits import DailyLoss, Drawdown
from backend.trading.scoring import Thresholds
from tests.fakes.backtests import (
    EXIT_LONG,
    EXIT_SHORT,
    INVALID_LONG,
    LONG,
    MONDAY,
    QUIET,
    SHORT,
    WIDE_OPEN,
    Row,
    table,
)
from tests.reference.engine import run_backtest as run_plain

SYMBOLS: dict[str, dict[str, Any]] = {
    "EURUSD": {"base": 1.0, "point": 1e-5},
    "USDJPY": {"base": 140.0, "point": 1e-3},
    "XAUUSD": {"base": 1900.0, "point": 1e-2},
}
SATURDAY = 5
CODES = (LONG, EXIT_LONG, INVALID_LONG, SHORT, EXIT_SHORT, QUIET, QUIET, QUIET)


def market(seed: int, count: int) -> list[Row]:
    """A walk in points with gaps between close and open, and a code for the strategy on each bar."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    close = 10_000
    for code in rng.choice(CODES, size=count):
        opened = close + int(rng.choice([0, 0, 0, int(rng.integers(-150, 150))]))
        moves = np.cumsum(rng.integers(-60, 61, size=8))
        path = [opened, *(opened + moves).tolist()]
        close = int(path[-1])
        rows.append((opened, int(max(path)), int(min(path)), close, int(code)))
    return rows


def times(seed: int, count: int) -> list[datetime]:
    """Hours of the trading week with holes of up to four days."""
    rng = np.random.default_rng(seed + 1)
    found, now = [], MONDAY
    for hours in rng.choice([1, 1, 1, 1, 1, 2, 7, 60, 96], size=count):
        now += timedelta(hours=int(hours))
        if now.weekday() >= SATURDAY:
            now = (now + timedelta(days=7 - now.weekday())).replace(hour=0)
        found.append(now)
    return found


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Job, Reading]:
    seed = draw(st.integers(0, 2**31))
    count = draw(st.integers(40, 200))
    symbol = draw(st.sampled_from(sorted(SYMBOLS)))
    kind = draw(st.sampled_from(["market", "market", "limit", "stop"]))
    order: dict[str, Any] = {"type": kind}
    if kind != "market":
        order |= {
            "offset_atr": draw(st.sampled_from([0.1, 0.5, 1.0])),
            "expiry_bars": draw(st.sampled_from([None, 1, 3])),
        }
    management = {
        "breakeven_after_r": draw(st.sampled_from([None, None, 0.5, 1.0])),
        "trail_atr": draw(st.sampled_from([None, None, 0.7, 2.0])),
        "time_stop_bars": draw(st.sampled_from([None, None, 1, 4])),
        "close_before_weekend": draw(st.booleans()),
    }
    rules: dict[str, Any] = {
        "short": draw(st.booleans()),
        "order": order,
        "management": management,
        "on_opposite": draw(st.sampled_from(["ignore", "close", "reverse"])),
        "cooldown_bars": draw(st.sampled_from([0, 0, 3])),
        "max_trades_per_day": draw(st.sampled_from([None, None, 1])),
        "min_rr": draw(st.sampled_from([0.7, 1.0, 1.3, 2.0])),
        "sessions": draw(st.sampled_from([[], [], ["London"], ["Tokyo", "NewYork"]])),
    }
    pending, opened = draw(st.sampled_from([(0.0, 0.0), (0.0, 60.0), (45.0, 70.0)]))
    limits = WIDE_OPEN.model_copy(
        update={
            "thresholds": Thresholds(pending_only=pending, open_or_scale=opened, autonomous=100),
            "max_drift_atr": draw(st.sampled_from([1000.0, 1000.0, 0.25])),
            "margin_limit": draw(st.sampled_from([1.0, 1.0, 1.0, 0.05])),
            "exposure_cap": draw(st.sampled_from([1000.0, 1000.0, 1000.0, 2.0])),
            "daily_loss": DailyLoss(
                limit=1.0, reset_from=draw(st.sampled_from(["balance", "equity", "higher"]))
            ),
            "drawdown": Drawdown(
                limit=1.0, kind=draw(st.sampled_from(["static", "trailing", "trailing_end_of_day"]))
            ),
            "no_entries_before_weekend_minutes": draw(st.sampled_from([0.0, 0.0, 600.0])),
        }
    )
    rng = np.random.default_rng(seed + 2)
    job = table(
        market(seed, count),
        rules=rules,
        times=times(seed, count),
        spread=rng.integers(0, 30, size=count).tolist(),
        learned=[7] * 168,
        symbol=symbol,
        commission=draw(st.sampled_from(["0", "3.5", "2.33"])),
        slippage=draw(st.sampled_from(["0", "3"])),
        balance=draw(st.sampled_from(["10000", "100000", "777.77"])),
        currency=draw(st.sampled_from(["USD", "EUR", "JPY"])),
        limits=limits,
        profile={"commission_per_lot": 3.5, "slippage_points": 2.0},
        specification={
            "swap_mode": draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6])),
            "swap_long": Decimal("-7.3"),
            "swap_short": Decimal("2.1"),
            "stops_level": draw(st.sampled_from([0, 0, 0, 150])),
        },
        **SYMBOLS[symbol],
    )
    return job, draw(st.sampled_from(list(Reading)))


def assert_same(fast: Result, plain: Result) -> None:
    assert list(fast.trades) == list(plain.trades)
    assert (fast.balance, fast.signals, fast.refusals) == (plain.balance, plain.signals, plain.refusals)
    assert fast.in_position == plain.in_position
    np.testing.assert_allclose(fast.equity, plain.equity, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fast.worst, plain.worst, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(fast.time, plain.time)
    assert fast.max_margin == pytest.approx(plain.max_margin)


@given(jobs())
def test_the_compiled_engine_equals_the_plain_one(case: tuple[Job, Reading]) -> None:
    job, reading = case
    job = replace(job, account=replace(job.account, stop_out=0.0))
    assert_same(run_backtest(job, reading=reading), run_plain(job, reading=reading))
