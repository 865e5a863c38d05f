"""Fast = reference: the compiled engine's trades are those of the live code over the simulated terminal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.model import Job
from backend.backtest.running import run_backtest
from backend.risk.limits import DailyLoss, Drawdown
from backend.trading.reasons import Reason
from backend.trading.scoring import Thresholds
from tests.fakes.backtests import WIDE_OPEN, table
from tests.reference.terminal_rows import Row
from tests.reference.through_terminal import Outcome, run_through_terminal
from tests.unit.backtest.test_kernel_equals_reference import SYMBOLS, market, times

ACCOUNTS = {"EURUSD": ("USD", "EUR"), "USDJPY": ("USD", "JPY"), "XAUUSD": ("USD",)}


def random_job(seed: int, count: int = 120) -> Job:
    """Gapped bars and a strategy with any order, management and costs."""
    rng = np.random.default_rng(seed)

    def one(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    symbol = one(*sorted(SYMBOLS))
    order: dict[str, Any] = {"type": one("market", "market", "limit", "limit", "stop", "stop")}
    if order["type"] != "market":
        order |= {"offset_atr": one(0.1, 0.5, 1.0), "expiry_bars": one(None, 1, 3)}
    rules = {
        "short": one(True, True, False),
        "order": order,
        "management": {
            "breakeven_after_r": one(None, None, 0.5, 1.0),
            "trail_atr": one(None, None, 0.7, 2.0),
            "time_stop_bars": one(None, None, 1, 4),
            "close_before_weekend": one(True, False),
        },
        "on_opposite": one("ignore", "close", "reverse"),
        "cooldown_bars": one(0, 0, 3),
        "max_trades_per_day": one(None, None, 1),
        "min_rr": one(1.0, 1.3, 2.0),
        "sessions": one([], [], ["London"], ["Tokyo", "NewYork"]),
    }
    pending, opened = one((0.0, 0.0), (0.0, 60.0), (45.0, 70.0))
    limits = WIDE_OPEN.model_copy(
        update={
            "thresholds": Thresholds(pending_only=pending, open_or_scale=opened, autonomous=100),
            "max_drift_atr": one(0.25, 1.0) if order["type"] == "stop" else one(1000.0, 1000.0, 0.25),
            "margin_limit": one(0.9, 0.9, 0.05),
            "exposure_cap": one(1000.0, 1000.0, 2.0),
            "daily_loss": DailyLoss(
                limit=one(1.0, 1.0, 1.0, 0.01), reset_from=one("balance", "equity", "higher")
            ),
            "drawdown": Drawdown(
                limit=one(1.0, 1.0, 1.0, 0.02), kind=one("static", "trailing", "trailing_end_of_day")
            ),
            "no_entries_before_weekend_minutes": one(0.0, 0.0, 600.0),
        }
    )
    job = table(
        market(seed, count),
        rules=rules,
        times=times(seed, count),
        spread=rng.integers(0, 30, size=count).tolist(),
        learned=[7] * 168,
        symbol=symbol,
        commission=one("0", "3.5", "2.33"),
        slippage=one("0", "3"),
        balance=one("10000", "100000", "777.77"),
        currency=one(*ACCOUNTS[symbol]),
        limits=limits,
        profile={"commission_per_lot": 3.5, "slippage_points": 2.0},
        specification={
            "stops_level": one(0, 0, 30, 300),
            "swap_mode": one(0, 1, 4, 5, 6),
            "swap_long": Decimal("-7.3"),
            "swap_short": Decimal("2.1"),
        },
        **SYMBOLS[symbol],
    )
    # the ATR of one bar needs the close before it, so the second bar is the first that can be decided
    return replace(job, streams=(replace(job.streams[0], first=2),))


def assert_same(job: Job) -> Outcome:
    """Trade by trade: times, prices, volumes, stops, reasons, costs; and the money at the end."""
    fast, reference = run_backtest(job), run_through_terminal(job)
    assert [Row.of(trade) for trade in fast.trades] == reference.trades
    assert fast.balance == reference.balance
    return reference


@given(seed=st.integers(0, 2**32 - 1))
def test_trade_by_trade_on_gapped_bars(seed: int) -> None:
    assert_same(random_job(seed))


def test_the_walks_hold_what_is_to_be_compared() -> None:
    """Every way out, both sides, swap, unclear bars, orders that ended unfilled, halts."""
    results = [run_backtest(random_job(seed)) for seed in range(250)]
    trades = [trade for result in results for trade in result.trades]
    assert set(Reason) - {trade.exit_reason for trade in trades} <= {Reason.PARTIAL, Reason.STOP_OUT}
    assert {trade.side.sign for trade in trades} == {1, -1}
    assert any(trade.ambiguous for trade in trades)
    assert any(trade.swap for trade in trades)
    assert any(trade.gap_cost for trade in trades)
    refusals = {check for result in results for check in result.refusals}
    assert {
        "halted",
        "drift",
        "margin",
        "weekend",
        "order_cancelled",
        "order_expired",
        "order_too_close",
    } <= refusals
