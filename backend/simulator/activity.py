"""How fast the simulated market's own time runs: quiet nights, busy overlaps, news, regimes.

Prices move with `activity`, a clock that stands still while the market is closed, runs with the hour
of the day, jumps at news and drifts between calm and busy spells. It never runs backwards.
"""

import numpy as np
import numpy.typing as npt

from backend.simulator.noise import Floats, key_of, uniform, value_noise
from backend.simulator.symbols import DAY_MINUTES, WEEK_MINUTES, WEEK_START, SymbolSpec

Ints = npt.NDArray[np.int64]

WEEK_ACTIVITY = 14_400.0
"""Activity of an ordinary week: 2 for each minute of five days."""

_NEWS_SHARE = 0.12  # of a week's activity, for each currency of the symbol
_WEEKEND_SHARE = 0.012
_SPELLS = (
    (23_000.0, 0.85),
    (5_300.0, 0.8),
    (260.0, 0.6),
)  # period in activity, depth below 1: days, a day, hours
_NEWS_MINUTES = 25
_NEWS_WIDENING = 10
_WIDE_FROM, _WIDE_UNTIL = 23 * 60 + 55, 15

# Relative activity at each whole hour of the server's day (New York + 7 h), joined by lines.
_DAY_SHAPES: dict[str, tuple[float, ...]] = {
    "europe": (
        *(0.25, 0.35, 0.45, 0.5, 0.5, 0.45, 0.45, 0.5, 0.7, 1.1, 1.6, 1.6),
        *(1.4, 1.2, 1.2, 1.7, 2.1, 2.1, 1.6, 1.1, 0.8, 0.6, 0.45, 0.3),
    ),
    "asia": (
        *(0.35, 0.6, 0.9, 1.2, 1.1, 0.9, 0.8, 0.8, 0.9, 1.1, 1.4, 1.4),
        *(1.2, 1.0, 1.1, 1.6, 1.9, 1.8, 1.4, 1.0, 0.8, 0.6, 0.5, 0.4),
    ),
    "metal": (
        *(0.3, 0.5, 0.6, 0.7, 0.7, 0.6, 0.6, 0.6, 0.7, 1.0, 1.2, 1.2),
        *(1.1, 1.1, 1.3, 2.0, 2.4, 2.3, 1.8, 1.3, 0.9, 0.7, 0.5, 0.35),
    ),
    "index": (
        *(0.2, 0.3, 0.35, 0.4, 0.4, 0.35, 0.35, 0.4, 0.5, 0.8, 1.0, 1.0),
        *(0.9, 0.9, 1.0, 1.6, 2.6, 2.9, 2.2, 1.7, 1.5, 1.6, 2.0, 0.6),
    ),
}

# Server times at which a currency's figures come out, on each weekday; 15:30 is 8:30 in New York.
_NEWS_TIMES: dict[str, tuple[int, ...]] = {
    "USD": (15 * 60 + 30, 17 * 60, 21 * 60),
    "EUR": (11 * 60, 15 * 60 + 15),
    "GBP": (9 * 60, 14 * 60),
    "JPY": (2 * 60 + 50, 6 * 60),
    "AUD": (4 * 60 + 30,),
    "NZD": (1 * 60 + 45,),
    "CAD": (15 * 60 + 30,),
    "CHF": (10 * 60 + 30,),
}


class _News:
    """A currency's figures: when in the week, and how much of the week's news each one is."""

    def __init__(self, seed: int, currency: str) -> None:
        self._key = key_of(seed, currency, "news")
        starts = sorted(day * DAY_MINUTES + at for day in range(1, 6) for at in _NEWS_TIMES[currency])
        self._count = len(starts)
        minutes = np.arange(WEEK_MINUTES + 1)
        # The figure that came last before each minute, 0 being none yet, and how far it has spent itself.
        self._latest = np.searchsorted(starts, minutes, side="right")
        since = minutes - np.array([-WEEK_MINUTES, *starts])[self._latest]
        left = np.clip(1 - since / _NEWS_MINUTES, 0, 1)
        self._spent = 1 - left**3
        self._heat = np.clip(1 - since / _NEWS_WIDENING, 0, 1)

    def _shares(self, weeks: Ints) -> tuple[Ints, Floats]:
        """Which row belongs to each week, and shares by row: column 0 is nothing, the rest add up to 1."""
        first = int(weeks.min()) if weeks.size else 0
        span = int(weeks.max()) - first + 1 if weeks.size else 0
        places = (first + np.arange(span))[:, None] * self._count + np.arange(self._count)
        sizes = uniform(self._key, places) ** 6 + 0.002  # few matter, most do not
        shares = np.zeros((span, self._count + 1))
        shares[:, 1:] = sizes / sizes.sum(axis=1, keepdims=True)
        return weeks - first, shares

    def spent(self, weeks: Ints, minutes: Ints) -> Floats:
        """How much news there was before each minute of each week, in weeks' worth."""
        rows, shares = self._shares(weeks)
        before = np.cumsum(shares, axis=1) - shares
        latest = self._latest[minutes]
        total: Floats = weeks + before[rows, latest] + shares[rows, latest] * self._spent[minutes]
        return total

    def heat(self, weeks: Ints, minutes: Ints) -> Floats:
        """From 0 to 1: how much the latest figure unsettles the spread."""
        rows, shares = self._shares(weeks)
        heat: Floats = np.minimum(shares[rows, self._latest[minutes]] * 4, 1) * self._heat[minutes]
        return heat


class Activity:
    """The activity clock of one symbol, and what else follows from the hour."""

    def __init__(self, seed: int, spec: SymbolSpec) -> None:
        self._news = [_News(seed, currency) for currency in spec.currencies]
        self._spell_keys = [key_of(seed, spec.name, "spell", n) for n in range(len(_SPELLS))]
        day = np.arange(WEEK_MINUTES) % DAY_MINUTES
        shape = _DAY_SHAPES[spec.activity]
        weight = np.interp(day / 60, np.arange(25), [*shape, shape[0]])
        weight = np.where(spec.open_minutes, weight, 0.02)
        weekend = np.ones(WEEK_MINUTES, dtype=np.bool_)
        weekend[spec.hours[0][0] : spec.hours[-1][1]] = False
        weight[weekend] = 0
        weight *= (1 - _WEEKEND_SHARE - _NEWS_SHARE * len(self._news)) * WEEK_ACTIVITY / weight.sum()
        # What happens over a weekend stands at its first minute: Friday's close to Monday's open.
        weight[spec.hours[-1][1]] += _WEEKEND_SHARE * WEEK_ACTIVITY
        self._before = np.concatenate(([0.0], np.cumsum(weight)))
        wide = (day >= _WIDE_FROM) | (day < _WIDE_UNTIL)
        self._wide = wide

    def at(self, minutes: Ints) -> Floats:
        """Activity at the beginning of each minute, counted from 1970 on the server's clock; shape (n,)."""
        weeks, inside = np.divmod(minutes + WEEK_START, WEEK_MINUTES)
        total: Floats = weeks * self._before[-1] + self._before[inside]
        for news in self._news:
            total += _NEWS_SHARE * WEEK_ACTIVITY * news.spent(weeks, inside)
        # Each spell stretches and squeezes what came before it; its slope stays above −1, so time goes on.
        for key, (period, depth) in zip(self._spell_keys, _SPELLS, strict=True):
            total += depth * period * value_noise(key, total, period, contrast=True)
        return total

    def unrest(self, minutes: Ints) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Whether each minute lies around the server's midnight, and the heat of news, 0 to 1; shape (n,)."""
        weeks, inside = np.divmod(minutes + WEEK_START, WEEK_MINUTES)
        heat = np.zeros(len(minutes))
        for news in self._news:
            heat = np.maximum(heat, news.heat(weeks, inside))
        return self._wide[inside], heat
