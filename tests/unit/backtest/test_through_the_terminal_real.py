"""Fast = reference, trade by trade, on real prices with their gaps."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.backtest.model import Asks, Costs, Job, Stream
from backend.backtest.prices import learned_spreads
from backend.control.limits import LimitsInForce
from backend.core.timeframes import Timeframe
from backend.risk.limits import RiskLimits
from backend.simulator.file_history import FileHistory
from backend.strategies.model import Strategy
from backend.strategies.validation import parse_strategy
from backend.trading.conversion import conversion
from tests.fakes.desk import ROOT, SERVER
from tests.fakes.shipped import shipped
from tests.unit.backtest.test_through_the_terminal import assert_same

pytestmark = pytest.mark.market_data

H1, M1 = Timeframe.H1, Timeframe.M1
SHIPPED = LimitsInForce(ROOT / "config").limits()
WITHOUT_HALTS = SHIPPED.model_copy(
    update={
        "drawdown": SHIPPED.drawdown.model_copy(update={"limit": 1.0}),
        "daily_loss": SHIPPED.daily_loss.model_copy(update={"limit": 1.0}),
    }
)


def strategy(symbol: str, timeframe: Timeframe, order: dict[str, Any]) -> Strategy:
    """Both ways after a cross of two averages, by an order that rests, with all that management does."""
    return parse_strategy(
        {
            "id": "RESTING",
            "symbol": symbol,
            "timeframe": str(timeframe),
            "sessions": ["London", "NewYork"],
            "indicators": {"ema": {"fast": 5, "slow": 12}, "atr": {"period": 14, "multiplier": 1.5}},
            "conditions": {"entry": ["ema_fast_gt_slow", "close > open"], "exit": ["rsi_gt_70"]},
            "short": {"entry": ["ema_fast_lt_slow", "close < open"], "exit": ["rsi_lt_30"]},
            "strategy": {
                "direction": "both",
                "min_rr": 1.5,
                "on_opposite": "reverse",
                "max_risk_pct": 0.01,
                "order": order,
                "management": {
                    "breakeven_after_r": 1.0,
                    "trail_atr": 2.5,
                    "time_stop_bars": 40,
                    "close_before_weekend": True,
                },
            },
        }
    )


LIMIT = {"type": "limit", "offset_atr": 0.2, "expiry_bars": 4}
STOP = {"type": "stop", "offset_atr": 0.1, "expiry_bars": 4}


def job(folder: Path, traded: Strategy, part: slice, limits: RiskLimits = WITHOUT_HALTS) -> Job:
    """The desk's costs and files over some bars, of which the first 300 only warm up."""
    (symbol,) = traded.traded_symbols
    files = FileHistory(folder, SERVER, symbols=[symbol], timeframe=traded.timeframe)
    days = (files.end - files.begin).days + 1
    bars = files.history(symbol, traded.timeframe, days)[part]
    asks = files.asks(symbol, bars)
    assert asks is not None
    profile, instrument = shipped().profile(symbol), files.instrument(symbol)
    costs = Costs(
        commission_per_lot=Decimal(str(profile.commission_per_lot)),
        slippage_points=Decimal(str(profile.slippage_points)),
        spread_points=learned_spreads(bars),
    )
    stream = Stream(
        strategy=traded,
        profile=profile.model_copy(update={"max_spread_points": None}),  # a point of these files is finer
        instrument=instrument,
        bars=bars,
        first=300,
        costs=costs,
        conversion=conversion(instrument, "USD"),
        asks=Asks(*asks),
    )
    return Job(streams=(stream,), limits=limits)


def assert_gapped(made: Job) -> None:
    """Bars are missing inside the week as well."""
    breaks = np.diff(made.streams[0].bars.server_time)
    assert ((breaks > made.streams[0].bars.timeframe.seconds) & (breaks < 86_400)).sum() > 3
    assert (breaks > 86_400).sum() > 3


def hours(name: str, first: int, count: int) -> list[Any]:
    """A stretch of the hour files: short, and in the long form four times as long."""
    return [
        pytest.param(slice(first, first + count), id=f"{name}-{count}"),
        pytest.param(slice(first, first + 6 * count), id=f"{name}-{6 * count}", marks=pytest.mark.full),
    ]


@pytest.mark.parametrize("part", [*hours("2016", 58_000, 2_000)])
def test_shipped_strategy_on_gold(market_data: Path, part: slice) -> None:
    made = job(market_data / "lean" / "hour", shipped().get("XAUUSD_H1"), part)
    assert_gapped(made)
    assert len(assert_same(made).trades) > 20


@pytest.mark.parametrize("part", [*hours("2007", 2_500, 2_500)])
def test_shipped_strategy_and_limits_on_the_euro(market_data: Path, part: slice) -> None:
    made = job(market_data / "lean" / "hour", shipped().get("EURUSD_H1"), part, SHIPPED)
    assert len(assert_same(made).trades) > 20


@pytest.mark.parametrize("part", [*hours("2018", 70_000, 1_500)])
@pytest.mark.parametrize("order", [LIMIT, STOP], ids=["limit", "stop"])
def test_resting_orders_on_gold(market_data: Path, part: slice, order: dict[str, Any]) -> None:
    made = job(market_data / "lean" / "hour", strategy("XAUUSD", H1, order), part)
    assert_gapped(made)
    assert len(assert_same(made).trades) > 20


@pytest.mark.parametrize("symbol", ["EURUSD", "XAUUSD"])
@pytest.mark.parametrize(
    "count", [2_500, pytest.param(16_000, marks=pytest.mark.full)], ids=["days", "fortnight"]
)
def test_resting_orders_on_the_minutes_of_may_2014(market_data: Path, symbol: str, count: int) -> None:
    made = job(market_data / "lean", strategy(symbol, M1, LIMIT), slice(count))
    assert len(assert_same(made).trades) > 20
