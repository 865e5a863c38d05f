"""However a ticket states its levels, they become exact prices on the right side, or a reason."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.ideas.ticket import Level, Resolved, Unit, resolve_levels
from backend.trading.sides import Side
from tests.fakes.instruments import instrument

EURUSD = instrument("EURUSD", stops_level=10)
ENTRY = 110_000
SPREAD = 3


def resolved(side: Side = Side.BUY, **changes: Any) -> Resolved:
    given_: dict[str, Any] = {
        "entry": ENTRY,
        "spread": SPREAD,
        "stop": Level(Unit.POINTS, 200),
        "target": Level(Unit.R, 2),
        "atr": 0.001,
    }
    return resolve_levels(EURUSD, side, **(given_ | changes))


def refused(side: Side = Side.BUY, **changes: Any) -> str:
    with pytest.raises(Invalid) as refusal:
        resolved(side, **changes)
    return str(refusal.value.details["field"])


@pytest.mark.parametrize(
    ("side", "stop", "target", "prices"),
    [
        (Side.BUY, Level(Unit.POINTS, 200), Level(Unit.R, 2), ("1.09800", "1.10400")),
        (Side.SELL, Level(Unit.POINTS, 200), Level(Unit.R, 2), ("1.10200", "1.09600")),
        (Side.BUY, Level(Unit.ATR, 1.5), Level(Unit.ATR, 3), ("1.09850", "1.10300")),
        (Side.SELL, Level(Unit.PRICE, 1.105), Level(Unit.POINTS, 100), ("1.10500", "1.09900")),
        (Side.BUY, Level(Unit.PRICE, 1.09), Level(Unit.PRICE, 1.12), ("1.09000", "1.12000")),
        (Side.BUY, Level(Unit.POINTS, 33), Level(Unit.R, 1.1), ("1.09967", "1.10037")),  # 36.3 is 37
        (Side.BUY, Level(Unit.POINTS, 100), Level(Unit.R, 1.1), ("1.09900", "1.10110")),  # not 111
        (Side.SELL, Level(Unit.ATR, 0.2001), None, ("1.10021", None)),  # 20.01 is 21
    ],
)
def test_each_way_to_state_a_level(
    side: Side, stop: Level, target: Level | None, prices: tuple[str, str | None]
) -> None:
    found = resolved(side, stop=stop, target=target)
    shown = None if found.target_price is None else str(found.target_price)
    assert (str(found.stop_price), shown) == prices


def test_points_of_a_symbol_whose_tick_is_larger_are_whole_ticks() -> None:
    index = instrument("USAIDX", digits=1, point=Decimal("0.1"), tick_size=Decimal("0.5"))
    found = resolve_levels(index, Side.BUY, entry=80_000, spread=2, stop=Level(Unit.POINTS, 101))
    assert (found.stop, str(found.stop_price)) == (80_000 - 21, "39989.5")


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e300, -0.0])
def test_what_is_no_number_above_zero_is_refused(unit: Unit, value: float) -> None:
    assert refused(stop=Level(unit, value)) == "stop"
    assert refused(target=Level(unit, value)) == "target"


@pytest.mark.parametrize(
    ("side", "changes", "field"),
    [
        (Side.BUY, {"stop": Level(Unit.PRICE, 1.101)}, "stop"),
        (Side.SELL, {"stop": Level(Unit.PRICE, 1.099)}, "stop"),
        (Side.BUY, {"stop": Level(Unit.PRICE, 1.1)}, "stop"),
        (Side.BUY, {"target": Level(Unit.PRICE, 1.099)}, "target"),
        (Side.SELL, {"target": Level(Unit.PRICE, 1.101)}, "target"),
        (Side.BUY, {"stop": Level(Unit.PRICE, 1.0900001)}, "stop"),
        (Side.BUY, {"target": Level(Unit.PRICE, 1.1200001)}, "target"),
        (Side.BUY, {"stop": Level(Unit.R, 1)}, "stop"),
        (Side.BUY, {"stop": Level(Unit.ATR, 1), "atr": None}, "stop"),
        (Side.BUY, {"stop": Level(Unit.ATR, 1), "atr": float("nan")}, "stop"),
        (Side.BUY, {"target": Level(Unit.ATR, 1), "atr": 0.0}, "target"),
        (Side.BUY, {"stop": Level(Unit.POINTS, 12)}, "stop"),  # level 10 and spread 3
        (Side.SELL, {"target": Level(Unit.POINTS, 6)}, "target"),  # level 10 less spread 3
        (Side.BUY, {"stop": Level(Unit.POINTS, ENTRY)}, "stop"),  # a stop at 0
        (Side.SELL, {"target": Level(Unit.POINTS, ENTRY + 1)}, "target"),
    ],
)
def test_what_the_broker_would_not_take_is_refused(side: Side, changes: dict[str, Any], field: str) -> None:
    assert refused(side, **changes) == field


def test_the_nearest_that_the_broker_takes_is_taken() -> None:
    found = resolved(stop=Level(Unit.POINTS, 13), target=Level(Unit.POINTS, 7))
    assert (found.stop, found.target) == (ENTRY - 13, ENTRY + 7)


DISTANCES = st.one_of(
    st.builds(Level, st.just(Unit.POINTS), st.floats(13, 2_000)),
    st.builds(Level, st.just(Unit.ATR), st.floats(0.2, 10)),
)


@given(
    side=st.sampled_from(Side),
    entry=st.integers(50_000, 300_000),
    stop=DISTANCES,
    reward=st.integers(10, 100),
)
def test_levels_keep_their_side_their_distance_and_their_reward(
    side: Side, entry: int, stop: Level, reward: int
) -> None:
    found = resolved(side, entry=entry, stop=stop, target=Level(Unit.R, reward / 10))
    away = (entry - found.stop) * side.sign
    size = 1 if stop.unit is Unit.POINTS else 100
    assert stop.value * size - 1e-5 <= away < stop.value * size + 1, "rounded away from the entry, once"
    assert found.target is not None
    reach = (found.target - entry) * side.sign
    assert reach * 10 >= away * reward > (reach - 1) * 10, "at least the reward asked for, in integers"
    again = resolved(
        side,
        entry=entry,
        stop=Level(Unit.PRICE, float(found.stop_price)),
        target=Level(Unit.PRICE, float(found.target_price or 0)),
    )
    assert again == found, "stated as prices it is the same ticket"


@given(
    side=st.sampled_from(Side),
    stop=st.builds(Level, st.sampled_from(Unit), st.floats()),
    target=st.none() | st.builds(Level, st.sampled_from(Unit), st.floats()),
    atr=st.none() | st.floats(),
)
def test_whatever_is_stated_is_right_or_refused(
    side: Side, stop: Level, target: Level | None, atr: float | None
) -> None:
    try:
        found = resolved(side, stop=stop, target=target, atr=atr)
    except Invalid:
        return
    assert found.stop > 0
    assert (ENTRY - found.stop) * side.sign >= EURUSD.stops_level + SPREAD
    assert (found.target is None) is (target is None)
    assert found.target is None or (found.target - ENTRY) * side.sign >= EURUSD.stops_level - SPREAD
