"""How likely a result is luck: the t-test, and Bailey and López de Prado's Sharpe probabilities."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from backend.core.bars import Floats
from backend.core.errors import Invalid

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_MOST_TERMS = 500
_ENOUGH = 1e-15
_TINY = 1e-300


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """What was tried before this result was chosen, from a ledger of trials.

    Attributes:
        count: Trials, at least 2.
        sharpe_variance: Variance of their daily, not annualised Sharpe ratios, at least zero.
    """

    count: int
    sharpe_variance: float

    def __post_init__(self) -> None:
        if self.count < 2 or not 0 <= self.sharpe_variance < math.inf:  # noqa: PLR2004 - one trial has no variance
            raise Invalid("bad_trials", f"at least two trials and a finite variance are needed: {self}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Moments of daily returns.

    Attributes:
        count: Days.
        sharpe: Mean ÷ standard deviation with ddof 1, not annualised.
        skewness: Third standardised moment of the sample.
        kurtosis: Fourth standardised moment, 3 for a normal distribution (not the excess).
    """

    count: int
    sharpe: float
    skewness: float
    kurtosis: float


def shape_of(returns: Floats) -> Shape:
    """The moments of at least two returns that differ."""
    mean = float(returns.mean())
    spread = float(returns.std())
    standard = (returns - mean) / spread  # before powers are taken: those of huge returns are no numbers
    squares = standard * standard
    return Shape(
        count=len(returns),
        sharpe=mean / (spread * math.sqrt(len(returns) / (len(returns) - 1))),
        skewness=float((squares * standard).mean()),
        kurtosis=float((squares * squares).mean()),
    )


def probabilistic_sharpe(shape: Shape, benchmark: float = 0.0) -> float | None:
    """Probability that the true Sharpe ratio is above the benchmark (PSR); both daily.

    None where the moments make the variance of the estimate zero or negative.
    """
    sharpe = shape.sharpe
    variance = 1.0 - shape.skewness * sharpe + (shape.kurtosis - 1.0) / 4.0 * sharpe * sharpe
    if variance <= 0:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(shape.count - 1) / math.sqrt(variance))


def expected_best_sharpe(trials: Trials) -> float:
    """The daily Sharpe ratio that the best of so many trials without skill is expected to show."""
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials.count)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials.count * math.e))
    return math.sqrt(trials.sharpe_variance) * ((1.0 - _EULER) * first + _EULER * second)


def mean_p_value(values: Floats) -> float:
    """Two-sided p-value of Student's t-test that the mean is zero; at least two values that differ."""
    count = len(values)
    t = float(values.mean()) / (float(values.std(ddof=1)) / math.sqrt(count))
    return two_sided_t(t, count - 1)


def two_sided_t(t: float, freedom: int) -> float:
    """Probability that |T| is at least |t| for Student's T with `freedom` degrees of freedom, at least 1."""
    if not math.isfinite(t):
        return 0.0
    squared = t * t
    # written so that neither a tiny nor a huge t loses the digits of the smaller part
    return _beta_share(freedom / (freedom + squared), squared / (freedom + squared), freedom / 2.0, 0.5)


def _beta_share(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b); `rest` is 1 − x."""
    if x <= 0.0:
        return 0.0
    if rest <= 0.0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(rest, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction by Lentz's method, which converges fast for x < (a + 1) / (a + b + 2)."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < _ENOUGH:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else math.copysign(_TINY, value)
