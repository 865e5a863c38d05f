"""A backtest in which a bar's volume says what the strategy sees, so that tables state signals directly.

Volume 1 signals long, 2 exits long, 3 invalidates long, 4 signals short, 5 exits short. ATR has period 1:
it is the true range of the signal bar. Prices are in points above 1.00000; spread 10 points unless said.
"""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from filelock import FileLock

from backend.backtest.compiling import FOLDER, prepare
from backend.backtest.model import AccountSettings, Costs, Job, Stream
from backend.core.bars import Bars
from backend.core.timeframes import Timeframe
from backend.mt5.server_time import ServerClock
from backend.risk.limits import DailyLoss, Drawdown, RiskLimits
from backend.strategies.model import Profile, Strategy
from backend.strategies.validation import parse_strategy
from backend.trading.conversion import conversion
from backend.trading.scoring import Thresholds
from tests.fakes.instruments import instrument


def _ready() -> None:
    """The engine compiled once for all test processes, by a process of its own."""
    done = prepare() / "ready for tests"  # the folder's name says what was compiled
    with FileLock(FOLDER.parent / ".pytest_cache" / "compiling.lock"):
        if not done.exists():
            subprocess.run([sys.executable, "-m", "backend.backtest.warming"], cwd=FOLDER.parent, check=True)
            done.touch()


_ready()

NEW_YORK = ServerClock.parse("America/New_York+7")
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LONG, EXIT_LONG, INVALID_LONG, SHORT, EXIT_SHORT, QUIET = 1, 2, 3, 4, 5, 9

WIDE_OPEN = RiskLimits(
    risk_fraction=0.05,
    thresholds=Thresholds(pending_only=0, open_or_scale=0, autonomous=0),
    margin_limit=1.0,
    exposure_cap=1000.0,
    open_risk_limit=1.0,
    daily_loss=DailyLoss(limit=1.0),
    drawdown=Drawdown(limit=1.0),
    max_idea_age_seconds=1e9,
    max_drift_atr=1000.0,
    no_entries_before_weekend_minutes=0.0,
    expected_slippage_points=0.0,
)

Row = tuple[int, int, int, int, int]
"""Open, high, low, close in points above 1.00000, and the volume that carries the signal."""


def strategy(**rules: Any) -> Strategy:
    """A strategy that reads the volume; `rules` go into its ``strategy`` block; ``short`` makes it both, by
    the usual volume or the one given."""
    short = rules.pop("short", False)
    data: dict[str, Any] = {
        "id": "TABLE",
        "symbol": rules.pop("symbol", "EURUSD"),
        "timeframe": str(rules.pop("timeframe", "H1")),
        "sessions": rules.pop("sessions", []),
        "indicators": {"atr": {"period": 1, "multiplier": 1}},
        "conditions": {"entry": [f"volume == {LONG}"], "exit": [f"volume == {EXIT_LONG}"]},
        "strategy": {
            "direction": "both" if short else "long",
            "min_rr": 2.0,
            "invalidations": [f"volume == {INVALID_LONG}"],
            "max_risk_pct": 0.01,
            "news_embargo_minutes": 0,
            **rules,
        },
    }
    if short:
        data["short"] = {
            "entry": [f"volume == {SHORT if short is True else short}"],
            "exit": [f"volume == {EXIT_SHORT}"],
        }
    return parse_strategy(data)


def rows_to_bars(
    rows: Sequence[Row],
    *,
    start: datetime = MONDAY,
    timeframe: Timeframe = Timeframe.H1,
    times: Sequence[datetime] | None = None,
    spread: int | Sequence[int] = 10,
    clock: ServerClock = NEW_YORK,
    symbol: str = "EURUSD",
    base: float = 1.0,
    point: float = 1e-5,
) -> Bars:
    """Bars whose **server** times follow each other from `start`, or stand at `times`."""
    count = len(rows)
    if times is None:
        server = int(start.timestamp()) + timeframe.seconds * np.arange(count, dtype=np.int64)
    else:
        server = np.array([int(moment.timestamp()) for moment in times], dtype=np.int64)
    prices = np.array([row[:4] for row in rows], dtype=np.float64) * point + base
    digits = round(-np.log10(point))
    prices = np.round(prices, digits)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        time=np.asarray(clock.to_utc(server), dtype=np.int64),
        server_time=server,
        open=prices[:, 0].copy(),
        high=prices[:, 1].copy(),
        low=prices[:, 2].copy(),
        close=prices[:, 3].copy(),
        volume=np.array([row[4] for row in rows], dtype=np.int64),
        spread=np.full(count, spread, dtype=np.int64)
        if isinstance(spread, int)
        else np.array(spread, dtype=np.int64),
    )


def table(
    rows: Sequence[Row],
    *,
    rules: dict[str, Any] | None = None,
    commission: str = "0",
    slippage: str = "0",
    balance: str = "10000",
    currency: str = "USD",
    learned: Sequence[int] | None = None,
    limits: RiskLimits = WIDE_OPEN,
    profile: dict[str, Any] | None = None,
    specification: dict[str, Any] | None = None,
    **bars: Any,
) -> Job:
    """A job over hand-made bars; the first bar only warms up."""
    made = rows_to_bars(rows, **bars)
    traded = strategy(**{"symbol": made.symbol, "timeframe": made.timeframe, **(rules or {})})
    swapless = {"swap_long": Decimal(0), "swap_short": Decimal(0)}
    symbol = instrument(made.symbol, **{**swapless, **(specification or {})})
    stream = Stream(
        strategy=traded,
        profile=Profile(symbol=made.symbol, **(profile or {})),
        instrument=symbol,
        bars=made,
        first=1,
        costs=Costs(
            commission_per_lot=Decimal(commission),
            slippage_points=Decimal(slippage),
            spread_points=tuple(learned or (0,) * 168),
        ),
        conversion=conversion(symbol, currency),
    )
    account = AccountSettings(currency=currency, balance=Decimal(balance))
    return Job(streams=(stream,), account=account, limits=limits)
