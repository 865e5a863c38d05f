"""Drawn days against a rulebook: laws, worked cases, and chances that are known in closed form."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.backtest.account_days import AccountDays
from backend.backtest.monte_carlo import (
    DAILY_LOSS,
    DRAWDOWN,
    MAX_DAYS,
    PASSED,
    RUNNING,
    Draws,
    play,
    simulate,
    wilson,
)
from backend.core.errors import Invalid
from backend.risk.rulebook import Rulebook, parse_rulebook

INITIAL = 10_000.0


def book(**rules: Any) -> Rulebook:
    return parse_rulebook({"name": "test", **rules})


def days(*moves: tuple[float, float], highs: list[float] | None = None) -> AccountDays:
    """Days without anything held over night: what each ends with, and its low; money in units of 1."""
    count = len(moves)
    change = np.array([move[0] for move in moves])
    low = np.array([min(move[1], 0.0, move[0]) for move in moves])
    zeros = np.zeros(count)
    high = zeros if highs is None else np.array(highs, dtype=np.float64)
    return AccountDays(
        number=np.arange(count) + 20_000,
        first=np.arange(count),
        booked=change,
        opened=np.ones(count, dtype=np.int64),
        change=change,
        floating=zeros,
        left=zeros,
        highest=np.maximum(np.maximum(change, high), 0.0),
        rises=high[:, None],
        falls=low[:, None],
    )


def one_path(rulebook: Rulebook, made: AccountDays) -> tuple[int, int]:
    played = play(rulebook, made, np.arange(len(made))[None, :], INITIAL)
    return int(played.outcome[0]), int(played.day[0])


# --- one path, worked by hand


@pytest.mark.parametrize(
    ("rules", "moves", "expected"),
    [
        ({"profit_target": 0.02}, [(100, 0), (100, 0)], (PASSED, 2)),
        ({"profit_target": 0.0201}, [(100, 0), (100, 0)], (RUNNING, 0)),
        ({"profit_target": 0.01, "min_trading_days": 2}, [(100, 0), (0, 0)], (PASSED, 2)),
        ({"profit_target": 0.01, "consistency": 0.5}, [(100, 0), (99, 0), (1, 0)], (PASSED, 3)),
        ({"profit_target": 0.03, "max_days": 2}, [(100, 0), (100, 0), (100, 0)], (MAX_DAYS, 2)),
        ({"profit_target": 0.02, "max_days": 2}, [(100, 0), (100, 0)], (PASSED, 2)),
        # what floats counts, though the day ends well
        ({"daily_loss": {"limit": 0.01, "of": "initial"}}, [(50, -100)], (DAILY_LOSS, 1)),
        ({"daily_loss": {"limit": 0.01, "of": "initial"}}, [(50, -99.99)], (RUNNING, 0)),
        ({"drawdown": {"limit": 0.02, "kind": "static"}}, [(-150, -150), (0, -50)], (DRAWDOWN, 2)),
        ({"drawdown": {"limit": 0.02, "kind": "static"}}, [(300, 0), (-200, -200)], (RUNNING, 0)),
        (
            {"drawdown": {"limit": 0.02, "kind": "trailing_end_of_day", "of": "initial"}},
            [(300, 0), (-200, -200)],
            (DRAWDOWN, 2),
        ),
        (
            {"drawdown": {"limit": 0.02, "kind": "trailing_end_of_day", "lock_at_initial": True}},
            [(300, 0), (-299, -299)],
            (RUNNING, 0),
        ),
        (
            {"drawdown": {"limit": 0.02, "kind": "trailing_end_of_day", "lock_at_initial": True}},
            [(300, 0), (-300, -300)],
            (DRAWDOWN, 2),
        ),
    ],
)
def test_one_path(rules: dict[str, Any], moves: list[tuple[float, float]], expected: tuple[int, int]) -> None:
    assert one_path(book(**rules), days(*moves)) == expected


def test_a_trailing_floor_follows_the_high_inside_a_day() -> None:
    rules = book(drawdown={"limit": 0.02, "kind": "trailing", "of": "initial"})
    # up 150, then down to −50: 200 from the high, though only 50 from the day's beginning
    assert one_path(rules, days((0, -50), highs=[150])) == (DRAWDOWN, 1)
    assert one_path(rules, days((0, -49), highs=[150])) == (RUNNING, 0)


def test_what_is_carried_over_night_moves_a_reference_from_the_balance() -> None:
    made = days((0, -60))
    made = AccountDays(**{**vars(made), "floating": np.array([-50.0]), "left": np.array([-50.0])})
    loss = {"limit": 0.01, "of": "initial"}
    assert one_path(book(daily_loss={**loss, "reset_from": "balance"}), made) == (DAILY_LOSS, 1)  # 50 + 60
    assert one_path(book(daily_loss={**loss, "reset_from": "higher"}), made) == (DAILY_LOSS, 1)
    assert one_path(book(daily_loss={**loss, "reset_from": "equity"}), made) == (RUNNING, 0)


def test_days_without_bars_count_for_the_last_day() -> None:
    made = days((50, 0), (50, 0))
    friday, monday = 20_000, 20_003
    made = AccountDays(**{**vars(made), "number": np.array([friday, monday])})
    assert one_path(book(profit_target=0.01, max_days=4), made) == (PASSED, 2)
    assert one_path(book(profit_target=0.01, max_days=3), made) == (MAX_DAYS, 1)


# --- chances in closed form


@pytest.mark.parametrize(("target", "drawdown"), [(3, 5), (5, 3), (4, 4), (1, 9)])
def test_a_fair_coin_passes_as_the_gambler_does(target: int, drawdown: int) -> None:
    # ±1 a day: the target a is reached before the drawdown b with b ÷ (a + b)
    made = days((100, 0), (-100, -100))
    rules = book(
        profit_target=target / 100,
        drawdown={"limit": drawdown / 100, "kind": "static"},
    )
    found = simulate(rules, made, INITIAL, Draws(paths=20_000, horizon=1_000, block=1, seed=11))
    known = drawdown / (target + drawdown)
    assert found["p_running"]["value"] < 1e-3
    assert found["p_pass"]["low"] <= known <= found["p_pass"]["high"]
    assert found["p_breach"]["low"] <= 1 - known <= found["p_breach"]["high"]
    assert found["p_breach_by_rule"]["drawdown"] == found["p_breach"]


def test_wilson_s_interval() -> None:
    # Brown, Cai and DasGupta's formula by hand: 5 of 10 at 95 % are 0.2366 to 0.7634
    assert wilson(5, 10) == {"value": 0.5, "low": 0.236593, "high": 0.763407}
    assert wilson(0, 100)["low"] == 0.0
    assert 0.036 < wilson(0, 100)["high"] < 0.038


# --- laws

MOVES = st.lists(
    st.tuples(st.integers(-300, 300), st.integers(-400, 0)).map(lambda m: (float(m[0]), float(m[1]))),
    min_size=3,
    max_size=30,
)
SHARES = st.integers(1, 20).map(lambda n: n / 200)


@st.composite
def rulebooks(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "profit_target": draw(st.none() | SHARES),
        "daily_loss": {
            "limit": draw(SHARES),
            "of": draw(st.sampled_from(["initial", "reference"])),
            "reset_from": draw(st.sampled_from(["balance", "equity", "higher"])),
        },
        "drawdown": {
            "limit": draw(SHARES),
            "kind": draw(st.sampled_from(["static", "trailing", "trailing_end_of_day"])),
            "of": draw(st.sampled_from(["high", "initial"])),
            "lock_at_initial": draw(st.booleans()),
        },
        "max_days": draw(st.none() | st.integers(5, 60)),
        "consistency": draw(st.none() | SHARES.map(lambda share: min(1.0, share * 8))),
    }


@given(moves=MOVES, rules=rulebooks(), seed=st.integers(0, 1000), block=st.integers(1, 7))
def test_every_path_ends_in_one_way(
    moves: list[tuple[float, float]], rules: dict[str, Any], seed: int, block: int
) -> None:
    draws = Draws(paths=300, horizon=40, block=block, seed=seed)
    found = simulate(book(**rules), days(*moves), INITIAL, draws)
    passed = 0.0 if found["p_pass"] is None else found["p_pass"]["value"]
    assert (found["p_pass"] is None) == (rules["profit_target"] is None)
    assert passed + found["p_breach"]["value"] + found["p_running"]["value"] == pytest.approx(1, abs=3e-6)
    by_rule = sum(one["value"] for one in found["p_breach_by_rule"].values())
    assert by_rule == pytest.approx(found["p_breach"]["value"], abs=3e-6)
    for name in ("p_breach", "p_running"):
        assert 0 <= found[name]["low"] <= found[name]["value"] <= found[name]["high"] <= 1
    assert simulate(book(**rules), days(*moves), INITIAL, draws) == found  # same seed, same values


@given(
    moves=MOVES,
    rules=rulebooks(),
    seed=st.integers(0, 1000),
    wider_day=st.integers(0, 10),
    wider_drawdown=st.integers(0, 10),
)
def test_wider_limits_never_break_more_on_the_same_draws(
    moves: list[tuple[float, float]],
    rules: dict[str, Any],
    seed: int,
    wider_day: int,
    wider_drawdown: int,
) -> None:
    made, drawn = days(*moves), Draws(paths=200, horizon=40, seed=seed).of(len(moves))
    looser = {
        **rules,
        "daily_loss": {**rules["daily_loss"], "limit": rules["daily_loss"]["limit"] + wider_day / 200},
        "drawdown": {**rules["drawdown"], "limit": rules["drawdown"]["limit"] + wider_drawdown / 200},
    }
    tight = play(book(**rules), made, drawn, INITIAL).outcome
    wide = play(book(**looser), made, drawn, INITIAL).outcome
    assert not ((wide >= DAILY_LOSS) & (tight < DAILY_LOSS)).any()
    assert not ((tight == PASSED) & (wide != PASSED)).any()


@given(
    gains=st.lists(st.integers(0, 300), min_size=2, max_size=20), rules=rulebooks(), seed=st.integers(0, 999)
)
def test_days_that_never_lose_break_no_limit(gains: list[int], rules: dict[str, Any], seed: int) -> None:
    made = days(*((float(gain), 0.0) for gain in gains))
    outcome = play(
        book(**rules), made, Draws(paths=200, horizon=40, seed=seed).of(len(gains)), INITIAL
    ).outcome
    assert not np.isin(outcome, (DAILY_LOSS, DRAWDOWN)).any()


def test_blocks_keep_days_on_end_together() -> None:
    drawn = Draws(paths=50, horizon=23, block=5, seed=1).of(7)
    assert drawn.shape == (50, 23)
    steps = np.diff(drawn, axis=1) % 7
    inside = np.arange(22) % 5 != 4
    assert (steps[:, inside] == 1).all()
    assert (steps[:, ~inside] != 1).any()
    assert set(drawn.ravel().tolist()) == set(range(7))


# --- what is refused


@pytest.mark.parametrize("wrong", [{"paths": 0}, {"paths": 50_001}, {"horizon": 0}, {"block": 0}])
def test_draws_out_of_range_are_refused_by_name(wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid, match=next(iter(wrong))):
        Draws(**wrong)


def test_nothing_is_drawn_from_nothing() -> None:
    with pytest.raises(Invalid) as refused:
        simulate(book(), days((100, 0)), INITIAL)
    assert refused.value.code == "too_few_days"
    idle = days((0, 0), (0, 0))
    idle = AccountDays(**{**vars(idle), "opened": np.zeros(2, dtype=np.int64)})
    with pytest.raises(Invalid, match="0 entries"):
        simulate(book(), idle, INITIAL)
