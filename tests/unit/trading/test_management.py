"""The numeric rules of management, each at its edge and next to it. Prices are mirrored ticks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.timeframes import DAY_SECONDS
from backend.trading.management import (
    CANCELLED,
    EXPIRED,
    NO_TARGET,
    STAYS,
    cost_ticks,
    earns_breakeven,
    leave_reason,
    may_move,
    order_ends,
    order_fits,
    part_level,
    part_steps,
    second_of_week,
    trail_level,
    week_ends,
    works_now,
)
from backend.trading.reasons import NONE, REASONS, Reason

MONDAY = 1_772_409_600  # 2026-03-02 00:00
HOUR = 3600


def reason(
    exits: bool = False, invalid: bool = False, opposite: bool = False, held: int = 1, stop: int = 0
) -> Reason | None:
    found = leave_reason(exits, invalid, opposite, held, stop)
    return None if found == NONE else REASONS[found]


def test_the_first_reason_counts() -> None:
    assert reason(True, True, True, 9, 1) is Reason.EXIT_RULE
    assert reason(False, True, True, 9, 1) is Reason.INVALIDATION
    assert reason(False, False, True, 9, 1) is Reason.OPPOSITE
    assert reason(held=3, stop=3) is Reason.TIME_STOP
    assert reason(held=2, stop=3) is None
    assert reason(held=1000, stop=0) is None


def test_what_speaks_against_an_order_counts_before_its_age() -> None:
    assert order_ends(True, 5, 3) == CANCELLED
    assert [order_ends(False, rested, 3) for rested in (1, 2, 3, 4)] == [STAYS, STAYS, EXPIRED, EXPIRED]
    assert order_ends(False, 1000, 0) == STAYS


def test_breakeven_is_earned_at_its_r_and_never_where_there_is_none() -> None:
    assert earns_breakeven(300, 100, 0, 2.0)
    assert not earns_breakeven(299, 100, 0, 2.0)
    assert not earns_breakeven(10**9, 100, 0, math.nan)


def test_costs_are_paid_in_full_ticks() -> None:
    assert cost_ticks(3.5, 1.0, 0) == 7
    assert cost_ticks(3.5000001, 1.0, 2) == 10
    assert cost_ticks(0.1 + 0.2, 0.1, 0) == 6  # 0.30000000000000004 is three tenths


def test_a_trail_is_rounded_away_from_the_price() -> None:
    assert trail_level(1000, 0.00100, 0.00001) == 900
    assert trail_level(1000, 0.001001, 0.00001) == 899


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(0, 100))
def test_a_stop_never_moves_away_nor_beyond_nor_nearer_than_the_broker_takes(
    stop: int, level: int, close: int, least: int
) -> None:
    allowed = level > stop and level < close and level <= close - least
    assert may_move(stop, level, close, NO_TARGET, least, 0) == allowed
    assert may_move(stop, level, close, close, 0, least) == allowed


def test_a_target_within_the_stated_level_keeps_the_stop_where_it_is() -> None:
    assert may_move(900, 950, 1000, 1010, 10, 2)
    assert not may_move(900, 950, 1000, 1009, 10, 2)
    assert may_move(900, 950, 1000, 1001, 0, 2), "no level is stated"


def test_an_order_keeps_a_stated_level_only() -> None:
    assert order_fits(-5, 0)
    assert order_fits(10, 10)
    assert not order_fits(9, 10)
    assert not order_fits(-9, 10)


def test_a_part_and_what_is_left_are_tradable() -> None:
    assert part_level(100, 0, 0.5) == 150
    assert part_level(100, 0, 0.333) == 134
    assert part_steps(29, 0.5, 1) == 14
    assert part_steps(10, 0.5, 5) == 5
    assert part_steps(10, 0.4, 5) == 0
    assert part_steps(10, 0.6, 5) == 0


@given(st.integers(1, 10_000), st.floats(0.01, 0.99), st.integers(1, 50))
def test_a_part_is_never_all_and_never_too_small(steps: int, share: float, smallest: int) -> None:
    part = part_steps(steps, share, smallest)
    assert part == 0 or smallest <= part <= steps - smallest


@pytest.mark.parametrize(
    ("day", "hour", "ends"),
    [(4, 22, False), (4, 23, True), (5, 12, True), (6, 23, False), (0, 0, False)],
    ids=["friday before", "friday's last hour", "saturday", "sunday", "monday"],
)
def test_the_week_ends_with_its_last_bar_and_sunday_evening_begins_one(
    day: int, hour: int, ends: bool
) -> None:
    week_end = 4 * DAY_SECONDS + 23 * HOUR
    assert week_ends(MONDAY + day * DAY_SECONDS + hour * HOUR, week_end) is ends
    assert second_of_week(MONDAY + day * DAY_SECONDS + hour * HOUR) == day * DAY_SECONDS + hour * HOUR


def test_where_no_week_ends_none_does() -> None:
    assert not any(week_ends(MONDAY + hour * HOUR, 7 * DAY_SECONDS) for hour in range(168))


def test_rules_work_at_the_closes_of_their_own_timeframe() -> None:
    assert works_now(MONDAY + 900, 60, 900)
    assert not works_now(MONDAY + 840, 60, 900)
    assert works_now(MONDAY + 840, 3600, 900)  # a longer bar closes several of them
