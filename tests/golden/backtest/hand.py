"""What the tables worked by hand share: bars that mean something, and the engine under test.

The signal bar is 100.00 – 102.00 points high-low, so ATR(1) is 200 points: the stop stands 200 points
away, the target 400. 10,000 USD at 1 % over 200 USD a lot are 0.50 lots.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from backend.backtest.columns import Trade
from backend.backtest.model import Asks, Job, Reading, Result
from backend.backtest.running import run_backtest
from backend.risk.limits import RiskLimits
from tests.fakes.backtests import LONG, QUIET, SHORT, WIDE_OPEN, Row
from tests.reference import engine

D = Decimal
START: Row = (10100, 10150, 10050, 10100, QUIET)
SIGNAL: Row = (10100, 10200, 10000, 10100, LONG)
SELL_SIGNAL: Row = (10100, 10200, 10000, 10100, SHORT)
CALM: Row = (10100, 10150, 10050, 10100, QUIET)
BOTH = {"short": True}

ENGINES: dict[str, Callable[..., Result]] = {"compiled": run_backtest, "plain": engine.run_backtest}
_chosen: list[Callable[..., Result]] = []


@contextmanager
def chosen(run_job: Callable[..., Result]) -> Iterator[None]:
    """Let `run` use this engine."""
    _chosen.append(run_job)
    try:
        yield
    finally:
        _chosen.pop()


def run(job: Job, reading: Reading = Reading.WORST) -> Result:
    """Run a job by the engine under test."""
    return _chosen[-1](job, reading=reading)


def only(result: Result) -> Trade:
    """The only trade."""
    assert len(result.trades) == 1, (list(result.trades), result.refusals)
    return result.trades[0]


def money(trade: Trade) -> tuple[Decimal, ...]:
    """Its cost waterfall: gross, spread, slippage, gap, commission, swap, net."""
    return (
        trade.gross,
        trade.spread_cost,
        trade.slippage_cost,
        trade.gap_cost,
        trade.commission,
        trade.swap,
        trade.net,
    )


def at(*hours: str) -> list[datetime]:
    """Server times of bars."""
    return [datetime.fromisoformat(hour).replace(tzinfo=UTC) for hour in hours]


def limits(**changes: Any) -> RiskLimits:
    """Limits that allow everything, but for these."""
    return WIDE_OPEN.model_copy(update=changes)


def together(*jobs: Job, **account: Any) -> Job:
    """The strategies of several jobs on the account of the first; each is named after its place."""
    streams = []
    for place, job in enumerate(jobs):
        (stream,) = job.streams
        streams.append(
            replace(stream, strategy=stream.strategy.model_copy(update={"id": f"TABLE{place}"}))
            if place
            else stream
        )
    return replace(jobs[0], streams=tuple(streams), account=replace(jobs[0].account, **account))


def on_account(job: Job, **account: Any) -> Job:
    """The job on an account with other settings."""
    return replace(job, account=replace(job.account, **account))


def with_asks(job: Job, asks: list[tuple[int, int, int, int]]) -> Job:
    """The job over bars whose asks were recorded."""
    (stream,) = job.streams
    columns = (np.array([row[at] for row in asks]) * 1e-5 + 1.0 for at in range(4))
    return replace(job, streams=(replace(stream, asks=Asks(*columns)),))
