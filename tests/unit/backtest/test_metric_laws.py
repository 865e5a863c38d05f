"""What holds for the metrics of any result at all."""

import json
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.backtest.breakdowns import breakdowns, cost_waterfall
from backend.backtest.columns import Book
from backend.backtest.metrics import compute_metrics
from backend.backtest.model import Instants, Result
from backend.backtest.passes import equity_pass
from backend.core.timeframes import DAY_SECONDS
from tests.fakes.instruments import instrument
from tests.fakes.trades import BOOK, HOUR, MONDAY, result_of, trades_of

MONEY = st.integers(-(10**9), 10**9)
COST = st.integers(0, 10**6)


@st.composite
def trades(draw: st.DrawFn) -> Any:
    books = (BOOK, Book(strategy="OTHER", instrument=instrument("USDJPY")))
    row = st.fixed_dictionaries(
        {
            "net": MONEY,
            "spread_cost": COST,
            "slippage_cost": COST,
            "gap_cost": COST,
            "commission": COST,
            "swap": st.integers(-(10**6), 10**6),
            "risk": st.sampled_from([0, 1, 500, 10**7]),
            "mae": st.integers(-(10**8), 0),
            "mfe": st.integers(0, 10**8),
            "side": st.sampled_from([1, -1]),
            "stream": st.integers(0, 1),
            "reason": st.integers(0, 12),
            "entry_time": st.integers(MONDAY, MONDAY + 400 * 86_400),
            "ambiguous": st.integers(0, 1),
        }
    )
    rows = draw(st.lists(row, max_size=12))
    for one in rows:
        one["exit_time"] = one["entry_time"] + draw(st.integers(0, 10**6))
    return trades_of(rows, books=books, digits=draw(st.sampled_from([0, 2, 3])))


@st.composite
def results(draw: st.DrawFn) -> Result:
    amounts = st.one_of(
        st.floats(-1e7, 1e7, allow_nan=False), st.sampled_from([0.0, 10_000.0, 1e-300, 1e300, -1e300])
    )
    equity = draw(st.lists(amounts, min_size=1, max_size=30))
    falls = draw(st.lists(st.floats(0, 1e6), min_size=len(equity), max_size=len(equity)))
    steps = draw(st.lists(st.integers(0, 1), min_size=len(equity), max_size=len(equity)))
    return result_of(
        equity,
        worst=[value - fall for value, fall in zip(equity, falls, strict=True)],
        server_day=np.cumsum(steps).tolist(),
        trades=draw(trades()),
        max_margin=draw(st.floats(0, 5)),
        min_margin_level=draw(st.none() | st.floats(0, 100)),
    )


@example(result_of([5e-324], worst=[0.0], server_day=[0]))
@given(results())
def test_every_metric_is_a_finite_number_or_none_for_a_reason(result: Result) -> None:
    metrics = compute_metrics(result, Decimal(10_000))
    for key, value in metrics.values.items():
        assert (value is None) == (key in metrics.undefined), key
        if value is None:
            assert metrics.undefined[key]
        elif not isinstance(value, str):
            assert math.isfinite(value), key
    json.dumps(metrics.values, allow_nan=False)


@given(results())
def test_shares_and_probabilities_stay_within_their_bounds(result: Result) -> None:
    values = compute_metrics(result, Decimal(10_000)).values
    for key in ("psr", "p_value_mean_trade", "risk_of_ruin"):
        assert values[key] is None or 0 <= values[key] <= 1
    assert values["wins"] + values["losses"] + values["draws"] == values["trades"]
    assert (
        values["max_drawdown_pct"] is None or values["max_drawdown_pct"] >= values["max_drawdown_close_pct"]
    )
    assert (
        values["max_drawdown_abs"] is None or values["max_drawdown_abs"] >= values["max_drawdown_close_abs"]
    )


@given(trades())
def test_the_waterfall_closes_to_the_cent(closed: Any) -> None:
    fall = {
        key: Decimal(repr(value)) for key, value in cost_waterfall(closed).values.items() if value is not None
    }
    costs = fall["spread_cost"] + fall["slippage_cost"] + fall["gap_cost"] + fall["commission"]
    assert fall["gross"] - costs + fall["swap"] == fall["net"] == closed.total("net")
    if "break_even_cost_multiplier" in fall:
        left = float(fall["gross"] + fall["swap"]) - float(costs) * float(fall["break_even_cost_multiplier"])
        assert left == pytest.approx(0, abs=1e-3)


@given(trades())
def test_every_breakdown_holds_every_trade_once(closed: Any) -> None:
    for groups in breakdowns(closed).values():
        assert sum(one["trades"] for one in groups.values()) == len(closed)
        total = sum((Decimal(repr(one["net"])) for one in groups.values()), Decimal(0))
        assert total == closed.total("net")


@given(
    st.lists(
        st.tuples(
            st.floats(-2e4, 3e4) | st.sampled_from([9_000.0, 10_000.0, 11_000.0]),
            st.floats(0, 5e3) | st.just(0.0),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_one_pass_finds_what_the_definitions_say(rows: list[tuple[float, float, int]]) -> None:
    equity = np.array([row[0] for row in rows])
    worst = equity - np.array([row[1] for row in rows])
    days = np.cumsum([row[2] for row in rows])
    time = MONDAY + HOUR * np.arange(1, len(rows) + 1)
    stays = (equity[1:] == equity[:-1]) & (worst[1:] == equity[1:])
    moved = np.flatnonzero(np.concatenate(([True], ~stays)))
    passed = equity_pass(
        equity=equity,
        moved=moved,
        lowest=worst[moved],
        instants=Instants(time - 60, 60, days * DAY_SECONDS),
        start=10_000.0,
        began=MONDAY,
    )
    closes = [10_000.0, *equity.tolist()]
    lows = [max(closes[: i + 1]) - worst[i] for i in range(len(rows))]
    assert passed.fall.amount == pytest.approx(max(0.0, *lows))
    shares = [low / max(closes[: i + 1]) for i, low in enumerate(lows)]
    assert passed.share.amount == pytest.approx(max(0.0, *shares))
    below = [max(closes[: i + 2]) - equity[i] for i in range(len(rows))]
    assert passed.fall_at_closes.amount == pytest.approx(max(below))
    ends = [equity[i] for i in range(len(rows)) if i + 1 == len(rows) or days[i + 1] != days[i]]
    assert passed.daily.tolist() == ends
    longest, high_at, was_below = 0, MONDAY, False
    for moment, depth in zip(time.tolist(), below, strict=True):
        if depth > 0 or was_below:
            longest = max(longest, moment - high_at)
        if depth == 0:
            high_at = moment
        was_below = depth > 0
    assert passed.underwater == longest
