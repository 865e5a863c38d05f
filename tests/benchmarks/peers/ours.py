"""Ours: from `Bars` in memory through the shipped `run_backtest`, its defaults on."""

from decimal import Decimal

from backend.backtest.compiling import prepare
from backend.backtest.metrics import compute_metrics
from backend.backtest.model import AccountSettings, Costs, Job, Result, Stream
from backend.backtest.running import run_backtest
from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.evaluation.conditions import compile_strategy
from backend.risk.limits import DailyLoss, Drawdown, RiskLimits
from backend.strategies.model import Profile
from backend.strategies.validation import parse_strategy
from backend.trading.conversion import conversion
from tests.benchmarks.peers import work
from tests.benchmarks.peers.serving import Prepared, serve
from tests.fakes.instruments import instrument

STRATEGY = parse_strategy(
    {
        "id": "BENCHMARK",
        "symbol": "EURUSD",
        "timeframe": "M1",
        "sessions": [],
        "indicators": {
            "ema": {"fast": work.FAST, "slow": work.SLOW},
            "rsi": {"period": work.RSI},
            "atr": {"period": work.ATR, "multiplier": work.STOP_ATR},
        },
        "conditions": {
            "entry": [
                f"crosses_above(ema({work.FAST}), ema({work.SLOW}))",
                f"{work.RSI_LOW} <= rsi({work.RSI}) <= {work.RSI_HIGH}",
            ],
            "exit": [f"rsi({work.RSI}) > {work.RSI_EXIT}"],
        },
        "strategy": {
            "direction": "long",
            "min_rr": work.REWARD,
            "max_risk_pct": 0.001,
            "news_embargo_minutes": 0,
        },
    }
)
WARM_UP = compile_strategy(STRATEGY).requirements[Timeframe.M1]
LIMITS = RiskLimits(daily_loss=DailyLoss(limit=1.0), drawdown=Drawdown(limit=1.0))
"""The defaults, but that no loss ends the trading: else there would be nothing left to compute."""
ACCOUNT = AccountSettings(balance=Decimal(int(work.CASH)))
SYMBOL = instrument("EURUSD", swap_long=Decimal(repr(work.SWAP_LONG_POINTS)))


def bars_of(columns: work.Columns) -> Bars:
    return Bars(symbol="EURUSD", timeframe=Timeframe.M1, **columns)


def job_of(bars: Bars) -> Job:
    stream = Stream(
        strategy=STRATEGY,
        profile=Profile(symbol="EURUSD"),
        instrument=SYMBOL,
        bars=bars,
        first=WARM_UP,
        costs=Costs(
            commission_per_lot=Decimal(repr(work.COMMISSION_PER_LOT)),
            spread_points=(work.SPREAD_POINTS,) * 168,
        ),
        conversion=conversion(SYMBOL, "USD"),
    )
    return Job(streams=(stream,), account=ACCOUNT, limits=LIMITS)


def _told(result: Result) -> dict[str, float]:
    return {"trades": len(result.trades), "end": float(result.equity[-1])}


def plain(columns: work.Columns) -> Prepared:
    bars = bars_of(columns)
    return lambda: _told(run_backtest(job_of(bars)))


def with_metrics(columns: work.Columns) -> Prepared:
    bars = bars_of(columns)

    def run() -> dict[str, float]:
        result = run_backtest(job_of(bars))
        measures = compute_metrics(result, ACCOUNT.balance)
        return _told(result) | {"metrics": len(measures.values)}

    return run


if __name__ == "__main__":
    prepare()
    serve(("numba", "numpy", "TA-Lib"), {"ours": plain, "ours with metrics": with_metrics})
