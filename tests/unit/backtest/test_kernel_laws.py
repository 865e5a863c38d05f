"""Laws that hold for every run, whatever the bars: money, fills, costs, mirrors and slices."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest import running
from backend.backtest.compiling import compiled
from backend.backtest.kernel import loop
from backend.backtest.model import Job, Reading, Result
from backend.backtest.running import run_backtest
from backend.backtest.tables import tables
from backend.trading.reasons import Reason
from tests.fakes.backtests import LONG, QUIET, SHORT, Row, table
from tests.unit.backtest.test_kernel_equals_reference import market, times

SEEDS = st.integers(0, 2**31)
D = Decimal
SPREAD = 10
FIXED = {"volume_max": D("0.01")}  # every trade is of this one volume


def job_of(seed: int, *, count: int = 120, **more: Any) -> Job:
    """A random market; by default with costs, parts, swap and both directions."""
    rules: dict[str, Any] = {
        "short": True,
        "on_opposite": ("ignore", "close", "reverse")[seed % 3],
        "management": {"partial_at_r": 1.0, "partial_fraction": 0.5},
        "order": {"type": "market"} if seed % 2 else {"type": "limit", "offset_atr": 0.3, "expiry_bars": 3},
    }
    given_parts: dict[str, Any] = {
        "rules": rules,
        "times": times(seed, count),
        "commission": "3.37",
        "slippage": "2",
        "specification": {"swap_long": D("-7.3"), "swap_short": D("2.1")},
    }
    return table(market(seed, count), **(given_parts | more))


def two(seed: int, **more: Any) -> Job:
    """Two symbols, each with a market of its own."""
    first, second = job_of(seed, **more), job_of(seed + 1, symbol="GBPUSD", **more)
    return replace(first, streams=(*first.streams, *second.streams))


def same(first: Result, second: Result) -> bool:
    columns = ("equity", "worst", "time")
    return (
        list(first.trades) == list(second.trades)
        and all(np.array_equal(getattr(first, name), getattr(second, name)) for name in columns)
        and (first.balance, first.refusals) == (second.balance, second.refusals)
    )


@given(SEEDS)
def test_the_balance_is_the_deposit_and_every_trade_to_the_cent(seed: int) -> None:
    for job in (job_of(seed), two(seed)):
        result = run_backtest(job)
        assert result.balance == job.account.balance + sum(trade.net for trade in result.trades)
        for trade in result.trades:
            costs = trade.spread_cost + trade.slippage_cost + trade.gap_cost + trade.commission
            assert trade.net == trade.gross - costs + trade.swap
        assert result.equity[-1] == pytest.approx(float(result.balance), abs=1e-6)


@given(SEEDS)
def test_no_fill_lies_outside_its_bar(seed: int) -> None:
    # without slippage; a limit or target that the open passed over is filled at its own, worse price
    job = job_of(seed, slippage="0")
    bars = job.streams[0].bars
    at = {int(moment): place for place, moment in enumerate(bars.time)}
    for trade in run_backtest(job).trades:
        sign = trade.side.sign
        if trade.exit_reason is Reason.END:
            continue
        place = at[trade.exit_time]
        above = 0.0 if sign > 0 else SPREAD * 1e-5
        low, high, opened = bars.low[place] + above, bars.high[place] + above, bars.open[place] + above
        price = float(trade.exit_price)
        if trade.exit_reason in {Reason.TARGET, Reason.PARTIAL}:
            passed = (opened - price) * sign > 0
            assert passed or low - 1e-9 <= price <= high + 1e-9
        else:
            assert low - 1e-9 <= price <= high + 1e-9
        if trade.exit_reason is Reason.GAP_STOP:
            assert price == pytest.approx(opened, abs=1e-9)


@given(SEEDS, st.sampled_from(["commission", "slippage"]))
def test_more_cost_is_never_more_profit_on_the_same_trades(seed: int, kind: str) -> None:
    rules = {"short": True, "on_opposite": "ignore"}
    plain: dict[str, Any] = {"rules": rules, "specification": FIXED}
    amounts = ("0", "1.5", "7") if kind == "commission" else ("0",)
    results = [run_backtest(job_of(seed, **(plain | {kind: amount}))) for amount in amounts]
    for cheap, dear in pairwise(results):
        assert [t.entry_time for t in cheap.trades] == [t.entry_time for t in dear.trades]
        assert all(a.net >= b.net for a, b in zip(cheap.trades, dear.trades, strict=True))
        assert cheap.balance >= dear.balance
    for trade in results[0].trades:
        assert min(trade.spread_cost, trade.slippage_cost, trade.gap_cost, trade.commission) >= 0


def mirrored(rows: list[Row]) -> list[Row]:
    """bid' = C − ask: highs become lows, longs shorts."""
    other = {LONG: SHORT, SHORT: LONG}
    about = 20_200 - SPREAD
    return [
        (about - o, about - low, about - high, about - c, other.get(code, QUIET))
        for o, high, low, c, code in rows
    ]


@given(SEEDS)
def test_mirrored_prices_mirror_longs_and_shorts(seed: int) -> None:
    rows = [(*row[:4], row[4] if row[4] in {LONG, SHORT} else QUIET) for row in market(seed, 120)]
    parts: dict[str, Any] = {
        "times": times(seed, 120),
        "rules": {"short": True},
        "slippage": "2",
        "specification": FIXED,
    }
    first, second = (run_backtest(table(made, **parts)) for made in (rows, mirrored(rows)))
    assert len(first.trades) == len(second.trades)
    for one, other in zip(first.trades, second.trades, strict=True):
        assert one.side.sign == -other.side.sign
        assert (one.entry_time, one.exit_time, one.exit_reason) == (
            other.entry_time,
            other.exit_time,
            other.exit_reason,
        )
        assert (one.net, one.gap_cost, one.mae, one.mfe) == (other.net, other.gap_cost, other.mae, other.mfe)
    assert first.balance == second.balance


@given(SEEDS, st.integers(1, 40))
def test_splitting_a_run_changes_nothing(seed: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = [run_backtest(job) for job in (job_of(seed), two(seed))]
        patch.setattr(running, "_SLICE", size)
        told: list[tuple[int, int]] = []
        parts = [
            run_backtest(job, progress=lambda *now: told.append(now)) for job in (job_of(seed), two(seed))
        ]
        assert told
    assert all(same(a, b) for a, b in zip(whole, parts, strict=True))


@given(SEEDS, st.sampled_from(list(Reading)))
def test_the_way_of_many_streams_is_the_way_of_one(seed: int, reading: Reading) -> None:
    job = job_of(seed)
    one = run_backtest(job, reading=reading)
    made = tables(job, reading)
    room = len(job.streams[0].bars)
    made = replace(made, curve=made.curve._replace(time=np.empty(room, dtype=np.int64)))
    compiled(loop.first_decisions)(made.feed, made.signals, made.usual, made.lanes, made.desk)
    given_parts = (
        made.feed,
        made.signals,
        made.usual,
        made.lanes,
        made.desk,
        made.resets,
        made.trades,
        made.curve,
    )
    while compiled(loop.advance_many)(*given_parts, 1000):
        pass
    account = made.desk[0]
    assert D(int(account["balance"])).scaleb(-2) == one.balance
    assert int(account["trades"]) == len(one.trades)
    assert made.trades[: len(one.trades), 18].tolist() == one.trades.net.tolist()
    np.testing.assert_allclose(made.curve.equity[: int(account["instants"])], one.equity, atol=1e-6)
    moves = int(account["moves"])
    worst = made.curve.equity[: int(account["instants"])].copy()
    worst[made.curve.moved[:moves]] = made.curve.lowest[:moves]
    np.testing.assert_allclose(worst, one.worst, atol=1e-6)


def told(trades: Any, symbol: str) -> list[Any]:
    """The trades of a symbol, numbered anew."""
    return [replace(trade, id=0) for trade in trades if trade.symbol == symbol]


@given(SEEDS)
def test_two_symbols_trade_as_each_does_alone_where_no_limit_binds(seed: int) -> None:
    plain: dict[str, Any] = {"specification": FIXED, "balance": "1000000"}
    both = run_backtest(two(seed, **plain))
    for job, symbol in (
        (job_of(seed, **plain), "EURUSD"),
        (job_of(seed + 1, symbol="GBPUSD", **plain), "GBPUSD"),
    ):
        assert told(both.trades, symbol) == told(run_backtest(job).trades, symbol)


@given(SEEDS)
def test_the_same_job_gives_the_same_bytes(seed: int) -> None:
    first, second = run_backtest(two(seed)), run_backtest(two(seed))
    assert same(first, second)
    assert first.equity.tobytes() == second.equity.tobytes()
