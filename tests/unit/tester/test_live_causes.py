"""What delay, spread and slippage of a live trade cost beside its twin, worked by hand.

The twin is that of `test_causes`: 0.10 lots of EURUSD, a point is 0.10 USD, bought at the open's ask of
1.10010 with 2 points of slippage, a spread of 10 points. Live the spread was 12 points; the ask stood at
1.10030 when it was approved and at 1.10034 when it was sent, and was filled a point above.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.tester.causes import Cause, Sent, split
from backend.backtest.tester.comparing import matched
from backend.backtest.tester.model import ExitKind, TheirTrade
from backend.backtest.tester.ours import OurTrade
from backend.trading.sides import Side
from tests.unit.tester.test_causes import (
    OUR_SELL,
    OURS,
    THEIR_SELL,
    THEIRS,
    UNKNOWN,
    WIDE,
    at,
    d,
    hours,
    our_trades,
    their_trades,
)

SENT = Sent(asked=d("1.10034"), approved=d("1.10030"), spread=d("0.00012"), by_person=True)
# both are closed by a rule at a bid of 1.10302, the twin with 2 points of slippage there too
LIVE = replace(
    THEIRS,
    entry_time=at("08:20:05"),
    entry_price=d("1.10035"),
    exit_kind=ExitKind.MARKET,
    exit_level=None,
    exit_price=d("1.10302"),
    profit=d("26.70"),
)
TWIN = replace(
    OURS,
    exit_price=d("1.10300"),
    exit_reason="exit_rule",
    gross=d("30.20"),
    slippage_cost=d("0.40"),
    net=d("28.10"),
)


def test_what_a_person_waited_is_his_delay_and_what_the_desk_took_is_latency() -> None:
    # 20 points until the approval, of which 2 are a wider spread; 4 until it was sent
    assert split(LIVE, TWIN, WIDE, SENT) == {
        Cause.SPREAD: d("-0.20"),
        Cause.FILL: d("0.30"),  # a point of slippage at the entry, where the twin has two at both ends
        Cause.LATENCY: d("-0.40"),
        Cause.HUMAN_DELAY: d("-1.80"),
    }


def test_without_a_person_all_of_it_is_latency() -> None:
    parts = split(LIVE, TWIN, WIDE, replace(SENT, by_person=False))
    assert (parts[Cause.LATENCY], Cause.HUMAN_DELAY in parts) == (d("-2.20"), False)


def test_a_target_moves_with_the_entry_and_takes_back_what_the_delay_cost() -> None:
    live = replace(
        LIVE,
        exit_kind=ExitKind.TARGET,
        exit_price=d("1.10524"),
        exit_level=d("1.10524"),
        exit_time=at("10:40:00"),
        profit=d("48.90"),
    )
    assert split(live, OURS, WIDE, SENT) == {Cause.FILL: d("0.10")}


def test_a_price_that_our_bar_never_had_is_data() -> None:
    narrow = hours(("08", 1.0999, 1.1001), ("09", 1.09, 1.12), ("10", 1.09, 1.12))
    parts = split(LIVE, TWIN, narrow, SENT)
    # the bar's highest ask is 1.10010 + 0.00012: 1.10034 lies 12 points above it
    assert parts[Cause.DATA] == d("-1.20")
    assert parts[Cause.LATENCY] + parts[Cause.HUMAN_DELAY] == d("-1.00")


def test_a_sell_pays_its_spread_when_it_leaves() -> None:
    sent = Sent(asked=d("1.09990"), approved=d("1.09995"), spread=d("0.00012"), by_person=True)
    live = replace(
        THEIR_SELL,
        entry_price=d("1.09990"),
        exit_price=d("1.10190"),
        exit_level=d("1.10190"),
        profit=d("-20.00"),
    )
    # sold 10 points lower than the twin, whose stop is 10 points higher: the delay cost nothing
    assert split(live, OUR_SELL, WIDE, sent) == {Cause.FILL: d("0.40")}


@given(
    theirs=their_trades(),
    ours=our_trades(),
    prices=st.tuples(*[st.decimals("1.05", "1.15", places=5)] * 2),
    spread=st.decimals("0", "0.00050", places=5) | st.none(),
    known=st.booleans(),
    by_person=st.booleans(),
    bars=st.sampled_from([UNKNOWN, WIDE]),
)
def test_the_parts_leave_no_cent(
    theirs: TheirTrade,
    ours: OurTrade,
    prices: tuple[Decimal, Decimal],
    spread: Decimal | None,
    known: bool,
    by_person: bool,
    bars: object,
) -> None:
    sent = Sent(asked=prices[0], approved=prices[1] if known else None, spread=spread, by_person=by_person)
    parts = split(theirs, ours, bars, sent)  # type: ignore[arg-type] # one of two kinds of bars
    assert sum(parts.values(), Decimal(0)) == theirs.net - ours.net
    assert all(part == part.quantize(Decimal("0.01")) and part for part in parts.values())


def test_a_key_pairs_what_nearness_would_not() -> None:
    near, far = replace(OURS, id="near", key="a"), replace(OURS, id="far", entry_time=at("20:00:00"), key="b")
    live = replace(LIVE, key="b")
    manual = replace(LIVE, id=2)
    own = replace(OURS, id="keyless")
    pairs = matched([live, manual], [near, far, own], {"EURUSD": "EURUSD"}, 7200)
    found = {(a.id if a else None, b.id if b else None) for a, b in pairs}
    assert found == {(1, "far"), (2, "keyless"), (None, "near")}


@pytest.mark.parametrize("side", list(Side))
def test_a_trade_that_was_not_delayed_is_its_twin(side: Side) -> None:
    twin = OURS if side is Side.BUY else OUR_SELL
    asked = d("1.10010") if side is Side.BUY else d("1.10000")
    live = replace(LIVE, side=side, entry_price=twin.entry_price, exit_price=twin.exit_price)
    live = replace(live, profit=twin.profit, entry_time=twin.entry_time, exit_time=twin.exit_time)
    level = d("1.10200") if side is Side.SELL else d("1.10500")
    live = replace(live, exit_kind=ExitKind.STOP, exit_level=level)
    assert split(live, twin, WIDE, Sent(asked=asked, approved=asked, spread=d("0.00010"))) == {}
