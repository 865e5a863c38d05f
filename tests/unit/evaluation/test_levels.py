from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.evaluation.levels import Levels, better_by, broker_minimum, levels, spread_ticks
from backend.trading.sides import Side
from tests.fakes.instruments import instrument

D = Decimal
EURUSD = instrument("EURUSD")


def found(side: Side = Side.BUY, **changes: Any) -> Levels:
    given_: dict[str, Any] = {"close": 1.1, "spread": 10, "atr": 0.001, "multiplier": 1.5, "reward": 2.0}
    symbol = changes.pop("symbol", EURUSD)
    got = levels(symbol, side, **(given_ | changes))
    assert got is not None
    return got


def test_a_buy_refers_to_the_ask_and_a_sell_to_the_bid() -> None:
    buy, sell = found(), found(Side.SELL)
    assert (buy.reference_price, buy.stop_price, buy.target_price) == (
        D("1.10010"),
        D("1.09860"),
        D("1.10310"),
    )
    assert (sell.reference_price, sell.stop_price, sell.target_price) == (
        D("1.10000"),
        D("1.10150"),
        D("1.09700"),
    )
    assert (buy.stop, buy.target, buy.widened) == (150, 300, False)


def test_distances_round_away_from_the_entry() -> None:
    got = found(atr=0.001003, reward=1.5)  # 150.45 → 151; 226.5 → 227
    assert (got.stop, got.target) == (151, 227)
    exact = found(atr=0.0011, multiplier=1.5)  # 0.0011 × 1.5 is 0.00165 with float noise
    assert exact.stop == 165


def test_a_narrow_stop_is_widened_to_the_brokers_minimum() -> None:
    # No stops level: m is the spread; bid − stop ≥ 10 and the entry lies 10 above the bid → 20.
    got = found(atr=0.0001, multiplier=1.0)
    assert (got.stop, got.minimum, got.widened) == (20, 20, True)
    assert got.target == 40  # from the widened stop
    assert EURUSD.ticks(float(got.reference_price)) - got.spread - EURUSD.ticks(float(got.stop_price)) == 10
    stated = instrument(stops_level=50)
    assert broker_minimum(stated, 10) == 60
    assert found(Side.SELL, symbol=stated, atr=0.0001).stop == 60
    boundary = found(atr=0.0002, multiplier=1.0)
    assert (boundary.stop, boundary.widened) == (20, False)


def test_reward_to_risk_is_compared_in_integers() -> None:
    # stop 151, reward 1.1: 166.1 → 167. As floats 1.1 × 151 would do as well; as integers it is exact.
    got = found(atr=0.001003, reward=1.1)
    assert got.target == 167
    assert got.pays(1.1)
    assert not got.pays(1.2)
    assert found(reward=2.0).pays(2.0)


@given(
    atr=st.floats(1e-6, 0.05),
    multiplier=st.floats(0.1, 10),
    reward=st.floats(0.1, 20),
    spread=st.integers(0, 90),
)
def test_rounding_never_refuses(atr: float, multiplier: float, reward: float, spread: int) -> None:
    for side in Side:
        got = found(side, atr=atr, multiplier=multiplier, reward=reward, spread=spread)
        assert got.pays(reward)
        assert got.stop >= broker_minimum(EURUSD, spread)


def test_a_target_price_stays_where_it_is_and_may_pay_too_little() -> None:
    buy = found(target=1.1020)  # 190 ticks from the ask of 1.10010
    assert (buy.target, buy.target_price, buy.pays(1.0), buy.pays(2.0)) == (190, D("1.10200"), True, False)
    sell = found(Side.SELL, target=1.097004)  # 299.6 → 300, away
    assert sell.target == 300


def test_a_target_on_the_wrong_side_or_none_gives_no_levels() -> None:
    for target in (1.1001, 1.09, float("nan")):
        assert (
            levels(EURUSD, Side.BUY, close=1.1, spread=10, atr=0.001, multiplier=1, reward=2, target=target)
            is None
        )


def test_gold_ticks() -> None:
    gold = instrument("XAUUSD")
    got = found(symbol=gold, close=2000.0, spread=25, atr=4.0, multiplier=2.0)
    assert (got.stop, got.stop_price, got.target_price) == (800, D("1992.25"), D("2016.25"))


def test_points_become_whole_ticks() -> None:
    coarse = instrument(tick_size=D("0.00005"))
    assert spread_ticks(coarse, 12) == 3  # 12 points are 2.4 ticks
    assert spread_ticks(EURUSD, 12) == 12


def test_a_better_price_is_below_for_a_buy() -> None:
    assert better_by(EURUSD, Side.BUY, 0.00101, 0.25) == -26  # 25.25 → 26 away
    assert better_by(EURUSD, Side.SELL, 0.00101, 0.25) == 26


def test_an_atr_that_is_no_number_is_refused() -> None:
    with pytest.raises(Invalid):
        found(atr=float("nan"))
