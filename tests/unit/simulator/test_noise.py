"""Random numbers of a key and a place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.simulator.noise import brownian, key_of, normal, uniform, value_noise, words

KEY = key_of(7, "EURUSD", "price")
PLACES = np.arange(-50_000, 50_000)


def test_keys_are_the_same_everywhere() -> None:
    # Fixed for ever: another key would be another history.
    assert key_of(7, "EURUSD", "price") == 0xCE6EEDB8A42BE063
    assert key_of(7, "EURUSD") != key_of(7, "EURUSE") != key_of(8, "EURUSD")


def test_splitmix64_gives_its_published_numbers() -> None:
    # The first three outputs of SplitMix64 seeded with 1234567: state after n steps is seed + n × golden.
    found = words(1_234_567, np.array([1, 2, 3]))
    assert found.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniform_and_normal_have_their_moments() -> None:
    even = uniform(KEY, PLACES)
    assert even.min() >= 0
    assert even.max() < 1
    assert even.mean() == pytest.approx(0.5, abs=0.01)
    bell = normal(KEY, PLACES)
    assert bell.mean() == pytest.approx(0, abs=0.02)
    assert bell.std() == pytest.approx(1, abs=0.02)
    assert abs(float(np.corrcoef(bell[1:], bell[:-1])[0, 1])) < 0.02


@given(st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=5))
def test_a_place_has_one_value_whoever_asks(at: list[float]) -> None:
    few = np.array(at)
    many = np.concatenate((few, np.linspace(few[0] - 500, few[0] + 500, 3_000)))
    for make in (brownian, lambda key, x: value_noise(key, x, 77.0)):
        np.testing.assert_array_equal(make(KEY, few), make(KEY, many)[: len(few)])


@pytest.mark.parametrize("distance", [2, 16, 64, 1024])
def test_brownian_steps_vary_with_their_distance(distance: int) -> None:
    path = brownian(KEY, np.arange(0, 3_000_000, distance, dtype=np.float64)[:200_000])
    assert float(np.diff(path).var()) / distance == pytest.approx(1, rel=0.12)


def test_brownian_is_continuous_at_its_knots() -> None:
    knots = np.arange(0, 4096, 16, dtype=np.float64)
    jump = np.abs(brownian(KEY, knots + 1e-9) - brownian(KEY, knots - 1e-9))
    assert jump.max() < 1e-6


def test_brownian_stays_within_bounds_for_ever() -> None:
    far = brownian(KEY, np.linspace(-1e9, 1e9, 20_000))
    assert np.abs(far).max() < 6 * (2**19 / 2) ** 0.5
