"""Random numbers that depend on nothing but a key and a place, and the paths made of them.

No generator is stepped and nothing is remembered: the value at any place costs the same, and every
process finds the same one.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

FINEST_OCTAVE = 1
COARSEST_OCTAVE = 19
_FINE_OCTAVES = 4
_KNOT = 2**_FINE_OCTAVES  # the octave above the fine ones turns at these
_MASK = np.uint64(0xFFFF)
_U = np.uint64
_MANY = 512  # below so many places a table of lattice values costs more than it saves


def key_of(*parts: object) -> int:
    """A 64-bit key of seed, symbol and purpose; the same in every process and on every platform."""
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def words(key: int, places: npt.ArrayLike) -> Words:
    """64 random bits at each integer place (SplitMix64); shape is kept."""
    x = np.asarray(places, dtype=np.int64).astype(np.uint64)
    x = x * _U(0x9E3779B97F4A7C15) + _U(key)
    x ^= x >> _U(30)
    x *= _U(0xBF58476D1CE4E5B9)
    x ^= x >> _U(27)
    x *= _U(0x94D049BB133111EB)
    x ^= x >> _U(31)
    return x


def sixteenth(bits: Words, part: int) -> Floats:
    """A uniform number in (0, 1) from one of the four 16-bit parts of each word; shape is kept."""
    chosen: Floats = (((bits >> _U(16 * part)) & _MASK).astype(np.float64) + 0.5) / 65_536
    return chosen


def uniform(key: int, places: npt.ArrayLike) -> Floats:
    """A uniform number in [0, 1) at each place; shape is kept."""
    numbers: Floats = (words(key, places) >> _U(11)).astype(np.float64) / 2.0**53
    return numbers


def normal(key: int, places: npt.ArrayLike) -> Floats:
    """Nearly normal (sum of four uniforms), mean 0, variance 1, within ±3.5; shape is kept."""
    bits = words(key, places)
    total = (bits & _MASK) + ((bits >> _U(16)) & _MASK) + ((bits >> _U(32)) & _MASK) + (bits >> _U(48))
    numbers: Floats = (total.astype(np.float64) / 65_535 - 2.0) * 1.7320508075688772
    return numbers


def value_noise(key: int, at: Floats, period: float, *, contrast: bool = False) -> Floats:
    """Values on a lattice of `period`, joined by straight lines; in [0, 1], shape is kept.

    The values are uniform or, with `contrast`, drawn towards both ends.
    """
    scaled = at / period
    cell = np.floor(scaled)
    make = _contrasting if contrast else uniform
    left, right = _at_cells(make, key, cell.astype(np.int64), ends=True)
    return left + (right - left) * (scaled - cell)


def _contrasting(key: int, places: npt.ArrayLike) -> Floats:
    even = uniform(key, places)
    return even * even * (3 - 2 * even)


def brownian(key: int, at: Floats) -> Floats:
    """A path whose change over a distance d has variance d, at each place; shape (n,).

    Lévy's construction: on each octave every interval carries a hat of random height, so that the sum
    is Brownian motion down to the finest octave. Beyond the coarsest the path joins independent values
    and so stays within bounds for ever.
    """
    # All but the finest octaves are straight between knots: they are summed at the knots only.
    scaled = at * (1 / _KNOT)
    cell = np.floor(scaled)
    scaled -= cell
    left, right = _at_cells(_coarse, key, cell.astype(np.int64), ends=True)
    total: Floats = (right - left) * scaled
    total += left
    for octave in range(_FINE_OCTAVES, FINEST_OCTAVE - 1, -1):
        _add_hats(total, key, at, octave)
    return total


def _coarse(key: int, knots: npt.NDArray[np.int64]) -> Floats:
    """The octaves above the fine ones, at whole multiples of the knots' distance."""
    at: Floats = knots.astype(np.float64) * float(_KNOT)
    period = float(2**COARSEST_OCTAVE)
    scaled = at / period
    cell = np.floor(scaled)
    left, right = _at_cells(normal, key, cell.astype(np.int64), ends=True)
    total: Floats = (left + (right - left) * (scaled - cell)) * (period / 2) ** 0.5
    for octave in range(COARSEST_OCTAVE, _FINE_OCTAVES, -1):
        _add_hats(total, key, at, octave)
    return total


def _add_hats(total: Floats, key: int, at: Floats, octave: int) -> None:
    period = float(2**octave)
    scaled = at * (1 / period)
    cell = np.floor(scaled)
    scaled -= cell
    scaled *= 2
    scaled -= 1
    np.abs(scaled, out=scaled)
    np.subtract(1, scaled, out=scaled)  # the hat: 0 at both ends, 1 in the middle
    scaled *= _at_cells(normal, key ^ (octave << 56), cell.astype(np.int64), ends=False)[0]
    scaled *= period**0.5 / 2
    total += scaled


def _at_cells(make: Any, key: int, cells: npt.NDArray[np.int64], *, ends: bool) -> tuple[Floats, ...]:
    """Values at each cell (and the next, if `ends`), each lattice value made once where that is less."""
    if cells.size > _MANY:
        low, high = int(cells.min()), int(cells.max())
        if high - low < cells.size:
            table = make(key, np.arange(low, high + 2))
            places = cells - low
            return (table[places], table[places + 1]) if ends else (table[places],)
    return (make(key, cells), make(key, cells + 1)) if ends else (make(key, cells),)
