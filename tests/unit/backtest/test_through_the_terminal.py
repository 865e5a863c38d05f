"""Fast = reference: the compiled engine's trades are those of the live code over the simulated terminal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from backend.backtest.model import Job, Stream
from backend.backtest.running import run_backtest
from backend.risk.limits import DailyLoss, Drawdown
from backend.strategies.model import OrderType
from backend.trading.reasons import Reason
from backend.trading.scoring import Thresholds
from tests.fakes.backtests import WIDE_OPEN, table
from tests.golden.backtest.hand import on_account, together
from tests.reference.terminal_rows import Row
from tests.reference.through_terminal import Outcome, run_through_terminal
from tests.unit.backtest.test_kernel_equals_reference import SYMBOLS, market, times

MARKET = {"type": OrderType.MARKET, "offset_atr": None, "expiry_bars": None}
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


def with_parts(seed: int) -> Job:
    """A netting account, on which an order takes a part of the position at its level."""
    rng = np.random.default_rng(seed + 9)
    job = random_job(seed)
    (stream,) = job.streams
    rules = stream.strategy.strategy
    part = {
        "partial_at_r": float(rng.choice([0.3, 0.7, 1.0])),
        "partial_fraction": float(rng.choice([0.5, 0.33, 0.8])),
    }
    changed = rules.model_copy(
        update={
            "management": rules.management.model_copy(update=part),
            "order": rules.order.model_copy(update=MARKET),
        }
    )
    stream = replace(
        stream,
        strategy=stream.strategy.model_copy(update={"strategy": changed}),
        instrument=replace(stream.instrument, stops_level=0),
    )
    return on_account(replace(job, streams=(stream,)), hedging=False)


def near_the_stop_out(seed: int) -> Job:
    """An account so small for its trades that the broker ends some of them."""
    rng = np.random.default_rng(seed + 9)
    job = on_account(
        random_job(seed), leverage=int(rng.choice([1, 2, 5])), stop_out=float(rng.choice([0.9, 0.99, 1.0]))
    )
    (stream,) = job.streams
    return replace(
        job,
        streams=(replace(stream, instrument=replace(stream.instrument, stops_level=0)),),
        limits=job.limits.model_copy(update={"margin_limit": 1.0}),
    )


def several(seed: int, count: int = 60) -> Job:
    """Two or three strategies on one, two or three symbols, each with holes of its own."""
    rng = np.random.default_rng(seed)

    def one(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    symbols = one(
        ["EURUSD", "USDJPY"],
        ["EURUSD", "XAUUSD"],
        ["EURUSD", "EURUSD"],
        ["EURUSD", "USDJPY", "XAUUSD"],
        ["EURUSD", "XAUUSD", "XAUUSD"],
    )
    every = times(seed, count)
    costs = {"commission": one("0", "3.5", "2.33"), "slippage": one("0", "3")}
    limits = WIDE_OPEN.model_copy(
        update={
            "max_positions": one(10, 10, 2, 1),
            "max_positions_per_symbol": one(10, 10, 1),
            "max_trades_per_day": one(1000, 1000, 2),
            "exposure_cap": one(1000.0, 1000.0, 2.0),
            "margin_limit": one(0.9, 0.9, 0.05),
            "open_risk_limit": one(1.0, 1.0, 0.015),
        }
    )
    markets: dict[str, dict[str, Any]] = {}
    jobs = []
    for place, symbol in enumerate(symbols):
        if symbol not in markets:
            kept = [at for at in range(count) if at < 3 or rng.random() > 0.15]
            walk = market(seed * 7 + place, count)
            markets[symbol] = {
                "rows": [walk[at] for at in kept],
                "times": [every[at] for at in kept],
                "spread": [int(points) for points in rng.integers(0, 30, size=len(kept))],
                "specification": {
                    "swap_mode": one(0, 1, 4, 5),
                    "swap_long": Decimal("-7.3"),
                    "swap_short": Decimal("2.1"),
                },
            }
        shown = markets[symbol]
        codes = [row[4] for row in market(seed * 7 + place, len(shown["rows"]))]
        rules = {
            "short": one(True, True, False),
            "management": {
                "breakeven_after_r": one(None, 0.5, 1.0),
                "trail_atr": one(None, 0.7, 2.0),
                "time_stop_bars": one(None, 1, 4),
                "close_before_weekend": one(True, False),
            },
            "on_opposite": one("ignore", "close", "reverse"),
            "cooldown_bars": one(0, 3),
            "max_trades_per_day": one(None, 1),
            "min_rr": one(1.0, 2.0),
            "sessions": one([], [], ["London"]),
        }
        made = table(
            [(*row[:4], code) for row, code in zip(shown["rows"], codes, strict=True)],
            rules=rules,
            times=shown["times"],
            spread=shown["spread"],
            learned=[7] * 168,
            symbol=symbol,
            balance="100000",
            limits=limits,
            profile={"commission_per_lot": 3.5, "slippage_points": 2.0},
            specification=shown["specification"],
            **costs,
            **SYMBOLS[symbol],
        )
        jobs.append(made)
    job = together(*jobs)
    return replace(job, streams=tuple(replace(stream, first=2) for stream in job.streams))


def several_with_orders(seed: int) -> Job:
    """The same with orders that rest, on an account that cannot carry them all."""
    rng = np.random.default_rng(seed + 9)
    job = several(seed)

    def with_order(stream: Stream) -> Stream:
        rules = stream.strategy.strategy
        kind = OrderType(rng.choice(["market", "limit", "limit", "stop"]))
        offset = None if kind is OrderType.MARKET else float(rng.choice([0.1, 0.5, 1.0]))
        expiry = None if kind is OrderType.MARKET else [None, 1, 3][rng.integers(3)]
        order = rules.order.model_copy(update={"type": kind, "offset_atr": offset, "expiry_bars": expiry})
        changed = rules.model_copy(update={"order": order})
        return replace(
            stream,
            strategy=stream.strategy.model_copy(update={"strategy": changed}),
            instrument=replace(stream.instrument, stops_level=0),
        )

    limits = job.limits.model_copy(
        update={"margin_limit": 1.0, "open_risk_limit": 1.0, "exposure_cap": 1000.0}
    )
    return on_account(
        replace(job, streams=tuple(with_order(stream) for stream in job.streams), limits=limits),
        leverage=int(rng.choice([5, 10, 20, 30])),
        stop_out=float(rng.choice([0.5, 0.9, 0.99, 1.0])),
    )


def assert_same(job: Job) -> Outcome:
    """Trade by trade: times, prices, volumes, stops, reasons, costs; and the money at the end."""
    fast, reference = run_backtest(job), run_through_terminal(job)
    assert [Row.of(trade) for trade in fast.trades] == reference.trades
    assert fast.balance == reference.balance
    return reference


@given(seed=st.integers(0, 2**32 - 1))
def test_trade_by_trade_on_gapped_bars(seed: int) -> None:
    assert_same(random_job(seed))


@given(seed=st.integers(0, 2**32 - 1))
def test_parts_are_taken_as_an_order_at_their_level_takes_them(seed: int) -> None:
    assert_same(with_parts(seed))


@example(seed=11812)  # a stop order that the open has passed needs the margin of the open
@given(seed=st.integers(0, 2**32 - 1))
def test_the_broker_ends_the_same_positions_at_the_same_prices(seed: int) -> None:
    assert_same(near_the_stop_out(seed))


@example(seed=826)  # a bar that reaches the target of one and the stop of the other on the same symbol
@example(seed=21798578)  # one symbol's data end at the close of the bar in which another is stopped
@example(seed=3865042)  # the night ends for a symbol that has no bar at midnight, too
@given(seed=st.integers(0, 2**31 - 1))
def test_several_strategies_and_symbols_on_one_account(seed: int) -> None:
    assert_same(several(seed))


@given(seed=st.integers(0, 2**31 - 1))
def test_orders_of_several_strategies_share_the_margin_of_one_account(seed: int) -> None:
    assert_same(several_with_orders(seed))


def test_a_position_that_an_order_opened_inside_a_bar_is_stopped_out_at_its_close() -> None:
    """The close is the first price that is known to follow the fill."""
    for seed in (67, 251, 259):
        outcome = assert_same(near_the_stop_out(seed))
        assert Reason.STOP_OUT in {trade.exit_reason for trade in outcome.trades}


def test_parts_and_stop_outs_occur() -> None:
    parted = [trade.exit_reason for seed in range(40) for trade in run_backtest(with_parts(seed)).trades]
    assert parted.count(Reason.PARTIAL) > 20
    ended = [
        trade.exit_reason for seed in range(100) for trade in run_backtest(near_the_stop_out(seed)).trades
    ]
    assert ended.count(Reason.STOP_OUT) > 5


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
