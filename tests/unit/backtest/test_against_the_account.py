"""The backtest against the simulated broker's account: the same orders end alike, to the cent.

The backtest decides; each of its entries is then sent to an account that is driven through the same bars,
with the same stop and target, and left alone. Entry, exit, time, swap and result must be the same.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.columns import Trade
from backend.backtest.model import Job
from backend.backtest.running import run_backtest
from backend.mt5.arguments import EMPTY_REQUEST
from backend.simulator.account import SimulatedAccount
from backend.simulator.driven import DrivenAccount, DrivenBar
from backend.simulator.symbols import SYMBOLS, SymbolSpec
from backend.simulator.ways import Candle
from backend.trading.reasons import Reason
from tests.fakes.backtests import LONG, QUIET, SHORT, table

EURUSD: SymbolSpec = SYMBOLS[0]
SPREAD, SLIPPAGE = 10, 2
START = datetime(2025, 10, 27, tzinfo=UTC)  # a Monday; the server's offset changes the Sunday after
SWAPS: dict[str, Any] = {
    "swap_long": Decimal(str(EURUSD.swap_long)),
    "swap_short": Decimal(str(EURUSD.swap_short)),
    "swap_triple_day": EURUSD.triple_day,
}


def random_job(seed: int, count: int = 160) -> Job:
    """A walk with gaps in price and time, weekends among them, and a signal now and then."""
    random = np.random.default_rng(seed)
    rows, times = [], []
    price, moment = 10_000, START
    for _ in range(count):
        price += int(random.integers(-60, 61)) if random.random() < 0.2 else 0
        opened = price
        close = opened + int(random.integers(-40, 41))
        high = max(opened, close) + int(random.integers(0, 30))
        low = min(opened, close) - int(random.integers(0, 30))
        rows.append((opened, high, low, close, int(random.choice([LONG, SHORT, QUIET], p=[0.2, 0.2, 0.6]))))
        times.append(moment)
        price = close
        moment += timedelta(hours=int(random.choice([1, 1, 1, 5, 30])))
        while moment.weekday() > 4:
            moment += timedelta(hours=1)
    rules = {"short": True, "target_rr": 2.0}
    return table(
        rows,
        rules=rules,
        times=times,
        spread=SPREAD,
        commission="3.5",
        slippage=str(SLIPPAGE),
        specification=SWAPS,
    )


def driven(job: Job, trades: list[Trade]) -> DrivenAccount:
    """The account after the same bars and entries."""
    bars = job.streams[0].bars
    terms = SimulatedAccount(commission=Decimal("3.5"), slippage=SLIPPAGE, leverage=500)
    account = DrivenAccount(SYMBOLS, terms, start=int(bars.server_time[0]) - 1)
    entries = {trade.entry_time: trade for trade in trades}
    for place in range(len(bars)):
        sides = []
        for above in (0, SPREAD):
            row = (bars.open[place], bars.high[place], bars.low[place], bars.close[place])
            opened, high, low, close = (Decimal(f"{x:.5f}") + above * Decimal("0.00001") for x in row)
            sides.append(Candle(open=opened, high=high, low=low, close=close))
        bar = DrivenBar(time=int(bars.server_time[place]), bid=sides[0], ask=sides[1])
        account.begin({"EURUSD": bar})
        trade = entries.get(int(bars.time[place]))
        if trade is not None:
            request = EMPTY_REQUEST._replace(
                action=1,
                symbol="EURUSD",
                volume=float(trade.volume),
                type=0 if trade.side.sign > 0 else 1,
                type_filling=1,
                sl=float(trade.initial_stop),
                tp=float(trade.initial_target),
            )
            assert account.send(request).retcode == 10_009
        account.end()
    return account


@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_orders_end_alike(seed: int) -> None:
    job = random_job(seed)
    trades = [trade for trade in run_backtest(job).trades if trade.exit_reason is not Reason.END]
    if not trades:
        return
    account = driven(job, trades)
    server = dict(zip(job.streams[0].bars.time, job.streams[0].bars.server_time, strict=True))
    deals = account.book.deals[1:]
    for trade in trades:
        opened = next(d for d in deals if d.entry == 0 and d.time_ms == server[trade.entry_time] * 1000)
        (closed,) = [d for d in deals if d.entry == 1 and d.position == opened.position]
        theirs = (opened.price, closed.price, closed.time_ms, closed.swap, closed.profit, closed.ambiguous)
        booked = trade.net - trade.swap + trade.commission
        ours = (trade.entry_price, trade.exit_price, server[trade.exit_time] * 1000, trade.swap)
        assert theirs == (*ours, booked, trade.ambiguous)
        assert opened.commission + closed.commission == -trade.commission
        reasons = {4: {Reason.STOP, Reason.GAP_STOP}, 5: {Reason.TARGET}}
        assert trade.exit_reason in reasons[closed.reason]
    assert account.book.balance == Decimal(10_000) + sum(trade.net for trade in trades)


def test_the_walks_hold_what_is_to_be_compared() -> None:
    """Stops, gaps, targets, ambiguous bars, shorts and swap: each occurs."""
    trades = [trade for seed in range(30) for trade in run_backtest(random_job(seed)).trades]
    reasons = {trade.exit_reason for trade in trades}
    assert {Reason.STOP, Reason.GAP_STOP, Reason.TARGET} <= reasons
    assert {trade.side.sign for trade in trades} == {1, -1}
    assert any(trade.ambiguous for trade in trades)
    assert any(trade.swap for trade in trades)
    assert sum(trade.net for trade in trades) != pytest.approx(0)
