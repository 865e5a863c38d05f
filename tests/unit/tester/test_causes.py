"""Why a trade of theirs and ours differ: every cause alone, worked by hand; together they leave no cent.

The trade: 0.10 lots of EURUSD (1 point is 0.10 USD) bought at 08:00 UTC at the ask, 1.10012: a bid of
1.10000, a spread of 10 points and 2 points of slippage; the target at 1.10500 ended it in the hour from
10:00. The fills earned 48.80: 50.00 gross - 1.00 spread - 0.20 slippage. With 0.70 commission, net 48.10.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.tester.causes import Cause, split
from backend.backtest.tester.comparing import KnownBars, compare
from backend.backtest.tester.model import Accounting, BalanceCheck, ExitKind, Imported, Tables, TheirTrade
from backend.backtest.tester.ours import OurRun, OurTrade
from backend.core.bars import Bars
from backend.core.clock import parse_iso
from backend.core.errors import Invalid
from backend.core.timeframes import Timeframe
from backend.trading.sides import Side
from tests.unit.tester.conftest import CLOCK


def at(text: str) -> int:
    return int(parse_iso(f"2024-01-02T{text}Z").timestamp())


def d(text: str) -> Decimal:
    return Decimal(text)


OURS = OurTrade(
    id="1",
    symbol="EURUSD",
    side=Side.BUY,
    volume=d("0.1"),
    entry_time=at("08:00:00"),
    entry_price=d("1.10012"),
    exit_time=at("10:00:00"),
    exit_price=d("1.10500"),
    exit_reason="target",
    gross=d("50.00"),
    spread_cost=d("1.00"),
    slippage_cost=d("0.20"),
    gap_cost=d("0.00"),
    commission=d("0.70"),
    swap=d("0.00"),
    net=d("48.10"),
)
THEIRS = TheirTrade(
    id=1,
    symbol="EURUSD",
    side=Side.BUY,
    volume=d("0.1"),
    entry_time=at("08:00:02"),
    entry_price=d("1.10010"),
    entry_level=None,
    entry_limit=False,
    exit_time=at("10:37:10"),
    exit_price=d("1.10500"),
    exit_kind=ExitKind.TARGET,
    exit_level=d("1.10500"),
    profit=d("49.00"),
    commission=d("0.70"),
    swap=d("0.00"),
    rows=("line 1", "line 2"),
    assumed=False,
)
# a sell at the bid of 1.10000 with 2 points of slippage, stopped out at 1.10200: -20.20
OUR_SELL = replace(
    OURS,
    side=Side.SELL,
    entry_price=d("1.09998"),
    exit_price=d("1.10202"),
    exit_reason="stop",
    gross=d("-19.00"),
    slippage_cost=d("0.40"),
    net=d("-21.10"),
)
THEIR_SELL = replace(
    THEIRS,
    side=Side.SELL,
    entry_price=d("1.10000"),
    exit_kind=ExitKind.STOP,
    exit_price=d("1.10200"),
    exit_level=d("1.10200"),
    profit=d("-20.00"),
)
UNKNOWN = KnownBars(Timeframe.H1, CLOCK)


def hours(*ranges: tuple[str, float, float]) -> KnownBars:
    """Our hourly bars: hour of the day in UTC, low, high."""
    time = np.array([at(f"{hour}:00:00") for hour, _, _ in ranges], dtype=np.int64)
    low = np.array([low for _, low, _ in ranges])
    high = np.array([high for _, _, high in ranges])
    zero = np.zeros(len(ranges), dtype=np.int64)
    server_time = np.asarray(CLOCK.to_server(time))
    bars = Bars(
        symbol="EURUSD",
        timeframe=Timeframe.H1,
        time=time,
        server_time=server_time,
        open=low,
        high=high,
        low=low,
        close=high,
        volume=zero,
        spread=zero,
    )
    return KnownBars(Timeframe.H1, CLOCK, {"EURUSD": bars})


WIDE = hours(("08", 1.09, 1.12), ("09", 1.09, 1.12), ("10", 1.09, 1.12), ("11", 1.09, 1.12))


def parts(theirs: TheirTrade, ours: OurTrade = OURS, bars: KnownBars = WIDE) -> Mapping[str, str]:
    found = split(theirs, ours, bars)
    assert sum(found.values(), Decimal(0)) == theirs.net - ours.net
    return {cause.value: str(amount) for cause, amount in found.items()}


def test_they_fill_at_the_same_bid_and_spread_so_only_our_slippage_differs() -> None:
    assert parts(THEIRS) == {"fill": "0.20"}


def test_a_spread_of_fifteen_points_costs_fifty_cents_more() -> None:
    wider = replace(THEIRS, entry_price=d("1.10015"), profit=d("48.50"))
    assert parts(wider) == {"spread": "-0.50", "fill": "0.20"}


def test_a_sell_pays_the_spread_at_its_end() -> None:
    ours = replace(OUR_SELL, exit_reason="exit_rule")
    dearer = replace(THEIR_SELL, exit_kind=ExitKind.MARKET, exit_level=None, exit_time=at("10:00:01"))
    dearer = replace(dearer, exit_price=d("1.10204"), profit=d("-20.40"))
    assert parts(dearer, ours) == {"spread": "-0.40", "fill": "0.40"}


def test_a_bid_fill_at_the_bars_first_tick_shows_another_bar() -> None:
    higher = replace(THEIR_SELL, entry_price=d("1.10003"), profit=d("-19.70"))
    assert parts(higher, OUR_SELL) == {"data": "0.30", "fill": "0.40"}


def test_a_bid_fill_later_in_the_bar_is_a_fill() -> None:
    later = replace(THEIR_SELL, entry_time=at("08:20:00"), entry_price=d("1.10003"), profit=d("-19.70"))
    assert parts(later, OUR_SELL) == {"fill": "0.70"}


def test_a_stop_that_slips_is_a_fill() -> None:
    slipped = replace(THEIR_SELL, exit_price=d("1.10207"), profit=d("-20.70"))
    assert parts(slipped, OUR_SELL) == {"fill": "-0.30"}


def test_another_target_in_the_same_bar_is_a_fill() -> None:
    farther = replace(THEIRS, exit_price=d("1.10510"), exit_level=d("1.10510"), profit=d("50.00"))
    assert parts(farther) == {"fill": "1.20"}


def test_a_fill_above_our_bar_is_data_as_far_as_it_lies_above() -> None:
    # our bar ended at 1.10506: 6 of the 10 points further could have been filled with our data, 4 not
    bars = hours(("08", 1.09, 1.12), ("09", 1.09, 1.12), ("10", 1.09, 1.10506), ("11", 1.09, 1.12))
    farther = replace(THEIRS, exit_price=d("1.10510"), exit_level=d("1.10510"), profit=d("50.00"))
    assert parts(farther, bars=bars) == {"data": "0.40", "fill": "0.80"}


def test_an_ask_fill_is_measured_on_the_ask() -> None:
    # the bid went to 1.10003, so with our 10 points the ask to 1.10013: two of their 15 points lie above
    bars = hours(("08", 1.09, 1.10003), ("09", 1.09, 1.12), ("10", 1.09, 1.12), ("11", 1.09, 1.12))
    wider = replace(THEIRS, entry_price=d("1.10015"), profit=d("48.50"))
    assert parts(wider, bars=bars) == {"data": "-0.20", "spread": "-0.30", "fill": "0.20"}


def test_an_entry_in_another_bar_is_a_signal() -> None:
    # 1.10110 instead of 1.10010: 100 points
    late = replace(THEIRS, entry_time=at("09:00:01"), entry_price=d("1.10110"), profit=d("39.00"))
    assert parts(late) == {"signal": "-10.00", "fill": "0.20"}


def test_an_exit_in_another_bar_at_a_level_we_reached_is_a_signal() -> None:
    early = replace(THEIRS, exit_time=at("09:30:00"), exit_price=d("1.10400"), exit_level=d("1.10400"))
    assert parts(replace(early, profit=d("39.00"))) == {"signal": "-10.00", "fill": "0.20"}


def test_an_exit_in_another_bar_at_a_level_we_never_reached_is_data() -> None:
    bars = hours(("08", 1.09, 1.12), ("09", 1.09, 1.10398), ("10", 1.09, 1.12), ("11", 1.09, 1.12))
    early = replace(THEIRS, exit_time=at("09:30:00"), exit_price=d("1.10400"), exit_level=d("1.10400"))
    assert parts(replace(early, profit=d("39.00")), bars=bars) == {"data": "-10.00", "fill": "0.20"}


def test_a_bar_that_we_do_not_have_is_data() -> None:
    bars = hours(("08", 1.09, 1.12), ("10", 1.09, 1.12), ("11", 1.09, 1.12))
    early = replace(THEIRS, exit_time=at("09:30:00"), exit_price=d("1.10400"), exit_level=d("1.10400"))
    assert parts(replace(early, profit=d("39.00")), bars=bars) == {"data": "-10.00", "fill": "0.20"}


def test_without_our_bars_nothing_is_said_of_them() -> None:
    early = replace(THEIRS, exit_time=at("09:30:00"), exit_price=d("1.10400"), exit_level=d("1.10400"))
    assert parts(replace(early, profit=d("39.00")), bars=UNKNOWN) == {"signal": "-10.00", "fill": "0.20"}


def test_our_gap_through_the_stop_is_a_fill() -> None:
    # opened 30 points beyond the stop of 1.10200 and slipped 2: the gap cost 3.00
    gapped = replace(
        OUR_SELL, exit_price=d("1.10232"), exit_reason="gap_stop", gap_cost=d("3.00"), net=d("-24.10")
    )
    assert parts(THEIR_SELL, gapped) == {"fill": "3.40"}


def test_a_limit_entry_cannot_slip_so_our_slippage_was_the_exits() -> None:
    ours = replace(OUR_SELL, entry_price=d("1.10000"), exit_reason="exit_rule", gross=d("-19.00"))
    ours = replace(ours, slippage_cost=d("0.20"), net=d("-20.90"))
    limit = replace(THEIR_SELL, entry_level=d("1.10000"), entry_limit=True, exit_time=at("10:00:01"))
    assert parts(replace(limit, exit_kind=ExitKind.MARKET, exit_level=None), ours) == {"fill": "0.20"}


def test_the_end_of_the_data_is_the_end_of_its_last_bar() -> None:
    # our end at 11:00 is the close of the hour from 10:00, in which theirs ended 10 points lower
    ours = replace(
        OURS, exit_reason="end", exit_time=at("11:00:00"), slippage_cost=d("0.00"), gross=d("49.80")
    )
    last = replace(THEIRS, exit_time=at("10:59:59"), exit_kind=ExitKind.MARKET, exit_level=None)
    last = replace(last, entry_price=d("1.10012"), exit_price=d("1.10490"), profit=d("47.80"))
    assert parts(last, ours) == {"fill": "-1.00"}


def test_a_stop_out_is_a_fill_of_the_brokers() -> None:
    # 5 points worse than ours without its slippage of 2: on the ask, yet no matter of the spread
    ours = replace(OUR_SELL, exit_reason="stop_out")
    out = replace(THEIR_SELL, exit_kind=ExitKind.STOP_OUT, exit_level=None, exit_time=at("10:00:01"))
    assert parts(replace(out, exit_price=d("1.10205"), profit=d("-20.50")), ours) == {"fill": "-0.10"}


def test_a_market_entry_in_another_bar_is_a_signal_even_outside_ours() -> None:
    bars = hours(("08", 1.09, 1.12), ("09", 1.09, 1.10050), ("10", 1.09, 1.12), ("11", 1.09, 1.12))
    late = replace(THEIRS, entry_time=at("09:00:01"), entry_price=d("1.10110"), profit=d("39.00"))
    assert parts(late, bars=bars) == {"signal": "-10.00", "fill": "0.20"}


def test_data_is_never_more_than_the_difference_and_never_against_it() -> None:
    # our own fill lies above our bar too: 1.09985 and 10 points of spread are an ask of 1.09995
    bars = hours(("08", 1.09, 1.09985), ("09", 1.09, 1.12), ("10", 1.09, 1.12), ("11", 1.09, 1.12))
    dearer = replace(THEIRS, entry_price=d("1.10015"), profit=d("48.50"))
    assert parts(dearer, bars=bars) == {"data": "-0.50", "fill": "0.20"}
    cheaper = replace(THEIRS, entry_price=d("1.10008"), profit=d("49.20"))
    assert parts(cheaper, bars=bars) == {"spread": "0.20", "fill": "0.20"}


def test_a_level_on_one_side_alone_is_a_fill() -> None:
    # both on the bid in the first seconds of the hour from 10:00, theirs 10 points lower
    market = replace(THEIRS, exit_time=at("10:00:02"), exit_kind=ExitKind.MARKET, exit_level=None)
    market = replace(market, exit_price=d("1.10490"), profit=d("48.00"))
    assert parts(market) == {"fill": "-0.80"}
    ruled = replace(OURS, exit_reason="exit_rule", slippage_cost=d("0.00"), gross=d("49.80"))
    stop = replace(THEIRS, entry_price=d("1.10012"), exit_time=at("10:00:02"), exit_kind=ExitKind.STOP)
    stop = replace(stop, exit_price=d("1.10490"), exit_level=d("1.10490"), profit=d("47.80"))
    assert parts(stop, ruled) == {"fill": "-1.00"}


def test_swap_and_commission_are_their_own() -> None:
    assert parts(replace(THEIRS, swap=d("-0.52"), commission=d("1.00"))) == {
        "fill": "0.20",
        "swap": "-0.52",
        "commission": "-0.30",
    }


def test_twice_the_volume_is_volume_and_the_rest_is_measured_at_their_size() -> None:
    double = replace(THEIRS, volume=d("0.2"), profit=d("98.00"), commission=d("1.40"))
    assert parts(double) == {"fill": "0.40", "volume": "48.10"}


def test_the_same_prices_worth_something_else_is_conversion() -> None:
    assert parts(replace(THEIRS, profit=d("50.40"))) == {"fill": "0.21", "conversion": "1.39"}


def test_the_same_trade_differs_in_nothing() -> None:
    twin = replace(THEIRS, entry_price=OURS.entry_price, profit=OURS.profit)
    still = replace(OURS, spread_cost=d("1.20"), slippage_cost=d("0.00"))
    assert parts(twin, still) == {}


PRICE = st.integers(109_000, 111_000).map(lambda ticks: Decimal(ticks) / 100_000)
CENTS = st.integers(0, 500).map(lambda cents: Decimal(cents) / 100)
SIGNED = st.integers(-500, 500).map(lambda cents: Decimal(cents) / 100)
RESULT = st.integers(-50_000, 50_000).map(lambda cents: Decimal(cents) / 100)
LOTS = st.integers(1, 300).map(lambda steps: Decimal(steps) / 100)
TIMES = st.integers(at("07:00:00"), at("13:00:00"))
REASONS = ("target", "stop", "gap_stop", "exit_rule", "trail", "partial", "stop_out", "end", "weekend")


@st.composite
def our_trades(draw: st.DrawFn) -> OurTrade:
    costs = {name: draw(CENTS) for name in ("spread_cost", "slippage_cost", "gap_cost", "commission")}
    gross, swap = draw(RESULT), draw(SIGNED)
    entry = draw(TIMES)
    return OurTrade(
        id="1",
        symbol="EURUSD",
        side=draw(st.sampled_from(Side)),
        volume=draw(LOTS),
        entry_time=entry,
        entry_price=draw(PRICE),
        exit_time=entry + draw(st.integers(0, 20_000)),
        exit_price=draw(PRICE),
        exit_reason=draw(st.sampled_from(REASONS)),
        gross=gross,
        swap=swap,
        net=gross - sum(costs.values(), Decimal(0)) + swap,
        key=None,
        **costs,
    )


@st.composite
def their_trades(draw: st.DrawFn) -> TheirTrade:
    entry = draw(TIMES)
    return TheirTrade(
        id=draw(st.integers(1, 9)),
        symbol="EURUSD.raw",
        side=draw(st.sampled_from(Side)),
        volume=draw(LOTS),
        entry_time=entry,
        entry_price=draw(PRICE),
        entry_level=draw(st.none() | PRICE),
        entry_limit=draw(st.booleans()),
        exit_time=entry + draw(st.integers(0, 20_000)),
        exit_price=draw(PRICE),
        exit_kind=draw(st.sampled_from(ExitKind)),
        exit_level=draw(st.none() | PRICE),
        profit=draw(RESULT),
        commission=draw(CENTS),
        swap=draw(SIGNED),
        rows=("line 1", "line 2"),
        assumed=False,
    )


NARROW = hours(("08", 1.097, 1.101), ("09", 1.099, 1.1), ("11", 1.1, 1.105), ("12", 1.09, 1.1))


@given(their_trades(), our_trades(), st.sampled_from((UNKNOWN, WIDE, NARROW)))
def test_the_parts_add_up_to_the_cent_whatever_the_trades(
    theirs: TheirTrade, ours: OurTrade, bars: KnownBars
) -> None:
    found = split(replace(theirs, side=ours.side), ours, bars)
    assert sum(found.values(), Decimal(0)) == theirs.net - ours.net
    assert all(amount == round(amount, 2) and amount for amount in found.values())


@given(their_trades(), our_trades(), SIGNED, CENTS)
def test_swap_and_commission_never_move_another_cause(
    theirs: TheirTrade, ours: OurTrade, swap: Decimal, commission: Decimal
) -> None:
    theirs = replace(theirs, side=ours.side)
    others = set(Cause) - {Cause.SWAP, Cause.COMMISSION}
    before = split(theirs, ours, NARROW)
    after = split(replace(theirs, swap=swap, commission=commission), ours, NARROW)
    assert all(before.get(cause) == after.get(cause) for cause in others)


def imported(trades: list[TheirTrade], **changed: Any) -> Imported:
    tables = Tables(source="report.html", kind="deals", currency="USD", deals=(), start=0)
    return Imported(
        tables=replace(tables, **changed),
        accounting=Accounting.HEDGING,
        trades=tuple(trades),
        still_open=(),
        balance=BalanceCheck(checked=0),
        notes=(),
    )


def run(trades: list[OurTrade], **changed: Any) -> OurRun:
    made = OurRun(
        id="r1",
        currency="USD",
        timeframe=Timeframe.H1,
        start=at("00:00:00"),
        end=at("00:00:00") + 86_400,
        symbols=frozenset({"EURUSD"}),
        trades=tuple(trades),
    )
    return replace(made, **changed)


@given(st.lists(their_trades(), max_size=8), st.lists(our_trades(), max_size=8))
def test_all_causes_add_up_to_the_whole_difference_and_no_trade_is_lost(
    theirs: list[TheirTrade], ours: list[OurTrade]
) -> None:
    found = compare(imported(theirs), run(ours), NARROW)
    whole = sum((t.net for t in theirs), Decimal(0)) - sum((t.net for t in ours), Decimal(0))
    assert found.difference == whole
    assert sum(found.causes.values(), Decimal(0)) == whole
    assert sorted(id(pair.theirs) for pair in found.pairs if pair.theirs) == sorted(
        map(id, found.imported.trades)
    )
    assert sorted(id(pair.ours) for pair in found.pairs if pair.ours) == sorted(map(id, found.run.trades))
    for pair in found.pairs:
        if pair.theirs and pair.ours:
            assert pair.theirs.side is pair.ours.side
            assert abs(pair.theirs.entry_time - pair.ours.entry_time) <= 7200


def test_the_nearest_entries_make_a_pair_and_what_is_left_is_signal() -> None:
    near = replace(THEIRS, id=2, entry_time=at("09:59:50"))
    far = replace(THEIRS, id=1, entry_time=at("09:00:00"))
    ours = [replace(OURS, entry_time=at("10:00:00"), exit_time=at("11:00:00"))]
    found = compare(imported([far, near]), run(ours), WIDE)
    assert [(p.theirs and p.theirs.id, p.ours and p.ours.id) for p in found.pairs] == [(1, None), (2, "1")]
    assert found.pairs[0].parts == {Cause.SIGNAL: d("48.30")}


def test_a_trade_of_ours_alone_is_signal_against_us() -> None:
    found = compare(imported([THEIR_SELL]), run([OURS]), WIDE)
    assert [dict(pair.parts) for pair in found.pairs] == [
        {Cause.SIGNAL: d("-48.10")},
        {Cause.SIGNAL: d("-20.70")},
    ]
    assert found.difference == d("-68.80")


def test_a_run_without_a_trade_differs_by_all_of_theirs() -> None:
    found = compare(imported([THEIRS]), run([]), WIDE)
    assert (found.difference, found.causes[Cause.SIGNAL], found.excluded) == (d("48.30"), d("48.30"), ())


def test_parts_of_one_position_pair_by_their_exits() -> None:
    theirs = [
        replace(THEIRS, id=1, exit_time=at("12:00:00")),
        replace(THEIRS, id=2, exit_time=at("09:00:00")),
    ]
    ours = [
        replace(OURS, id="a", exit_time=at("09:00:00"), exit_reason="partial"),
        replace(OURS, id="b", exit_time=at("12:00:00")),
    ]
    found = compare(imported(theirs), run(ours), WIDE)
    assert {(p.theirs.id, p.ours.id) for p in found.pairs if p.theirs and p.ours} == {(1, "b"), (2, "a")}


def test_what_lies_outside_either_period_is_not_compared() -> None:
    before = replace(THEIRS, entry_time=at("00:00:00") - 1)
    alien = replace(THEIRS, symbol="GBPUSD")
    mine = replace(OURS, entry_time=at("05:00:00"))
    after = replace(THEIRS, entry_time=at("12:00:00"))
    later = replace(OURS, entry_time=at("11:00:00"))
    file = imported([before, alien, THEIRS, after], start=at("06:00:00"), end=at("11:00:00"))
    found = compare(file, run([OURS, mine, later], end=at("12:00:00")), WIDE)
    assert [reason for _, reason in found.excluded] == [
        "entered outside the run's period",
        "the run does not trade the symbol",
        "entered outside the run's period",
        "entered outside the period of their file",
        "entered outside the period of their file",
    ]
    assert len(found.pairs) == 1


@pytest.mark.parametrize("name", ["EURUSD", "EURUSDm", "EURUSD.raw", "EURUSD_i", "EURUSD#"])
def test_a_brokers_suffix_does_not_hide_the_symbol(name: str) -> None:
    found = compare(imported([replace(THEIRS, symbol=name)]), run([OURS]), WIDE)
    assert found.pairs[0].ours is not None
    assert found.pairs[0].theirs is not None


def test_the_longest_of_our_symbols_is_meant() -> None:
    ours = [replace(OURS, symbol="US500"), replace(OURS, symbol="US50", entry_time=at("09:00:00"))]
    found = compare(
        imported([replace(THEIRS, symbol="US500.cash")]),
        run(ours, symbols=frozenset({"US50", "US500"})),
        WIDE,
    )
    assert [pair.ours.symbol for pair in found.pairs if pair.ours and pair.theirs] == ["US500"]


def test_another_symbol_and_another_currency_are_refused() -> None:
    with pytest.raises(Invalid, match="--symbol THEIRS=OURS"):
        compare(imported([replace(THEIRS, symbol="EURUSDT")]), run([OURS]), WIDE)
    found = compare(
        imported([replace(THEIRS, symbol="EUROPE")]), run([OURS]), WIDE, symbols={"EUROPE": "EURUSD"}
    )
    assert found.pairs[0].ours is not None
    with pytest.raises(Invalid, match="in EUR, the run r1 in USD"):
        compare(imported([THEIRS], currency="EUR"), run([OURS]), WIDE)


def test_without_bars_the_comparison_says_so() -> None:
    assert not compare(imported([THEIRS]), run([OURS]), UNKNOWN).bars
    assert any(
        "bars are not at hand" in note for note in compare(imported([THEIRS]), run([OURS]), UNKNOWN).notes
    )
    assert compare(imported([THEIRS]), run([OURS]), WIDE).notes == ()
