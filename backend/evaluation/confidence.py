"""The confidence score, 0 to 100: three parts, each with what it was made of."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from backend.core.errors import Invalid
from backend.strategies.model import Strategy
from backend.strategies.validation import match_bounds
from backend.trading.scoring import Thresholds, Weights

MIN_SPREAD_SAMPLES = 20
MIN_ATR_SAMPLES = 200
_NOISE = 5e-9
_SPREAD_REACH = 2.0  # a spread of three times its median takes the whole penalty
_RANK_CALM = 0.4  # ranks from 0.1 to 0.9 cost nothing
_RANK_REACH = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Confidence:
    """A score and its parts.

    Attributes:
        score: The sum, rounded half up to 0.1: what thresholds are compared with.
        strategy: Strategy match, not rounded.
        market: Market risk, not rounded.
        account: Account comfort, not rounded.
        parts: Each contribution by name, and what it was computed from.
        notes: What was not known, in sentences.
    """

    score: float
    strategy: float
    market: float
    account: float
    parts: dict[str, Any]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The score as JSON values."""
        return {
            "score": self.score,
            "strategy": round(self.strategy, 4),
            "market": round(self.market, 4),
            "account": round(self.account, 4),
            "parts": self.parts,
            "notes": list(self.notes),
        }


class PlainWeights(NamedTuple):
    """`Weights` as plain floats, for functions that are compiled."""

    entry: float
    strong: float
    weak: float
    market: float
    spread: float
    atr: float
    account: float
    margin: float
    exposure: float
    day_loss: float


def plain_weights(weights: Weights) -> PlainWeights:
    """The same points."""
    return PlainWeights(*(float(getattr(weights, name)) for name in PlainWeights._fields))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def clip(value: float) -> float:
    """The value within 0 to 1; anything that is no number counts as 1, the full penalty."""
    return min(max(value, 0.0), 1.0) if value == value else 1.0  # noqa: PLR0124 - NaN differs from itself


def rounded(score: float) -> float:
    """Half up to one decimal; float noise below half a billionth does not decide."""
    return math.floor(score * 10 + 0.5 + _NOISE) / 10


def match_points(strong: float, weak: float, weights: PlainWeights) -> float:
    """Points of a signal: entry + strong × fraction − weak × fraction, not below 0."""
    return max(weights.entry + weights.strong * strong - weights.weak * weak, 0.0)


def market_points(wide: float, rare: float, weights: PlainWeights) -> float:
    """Points of the market: the part less the shares, 0 to 1, of its two penalties."""
    return max(weights.market - weights.spread * wide - weights.atr * rare, 0.0)


def account_points(margin: float, exposure: float, loss: float, weights: PlainWeights) -> float:
    """Points of the account: the part less the shares, 0 to 1, of its three penalties."""
    used = weights.margin * margin + weights.exposure * exposure + weights.day_loss * loss
    return max(weights.account - used, 0.0)


def spread_share(spread: float, median: float, samples: int) -> float:
    """Share of the spread's penalty; half where too little is known (NaN, 0, few samples)."""
    if not (spread >= 0 and median > 0 and samples >= MIN_SPREAD_SAMPLES):
        return 0.5
    return clip((spread / median - 1) / _SPREAD_REACH)


def atr_share(rank: float, samples: int) -> float:
    """Share of the penalty for an ATR that is rare, low or high; half where too little is known."""
    if not (rank >= 0 and samples >= MIN_ATR_SAMPLES):
        return 0.5
    return clip((abs(rank - 0.5) - _RANK_CALM) / _RANK_REACH)


def confidence(
    *,
    signal: bool,
    strong: float,
    weak: float,
    spread: float | None,
    spread_median: float | None,
    spread_samples: int,
    atr_rank: float | None,
    atr_samples: int,
    margin_share: float,
    exposure_share: float,
    loss_share: float,
    weights: Weights,
) -> Confidence:
    """The score.

    Args:
        signal: Every entry condition holds and no exit or invalidation does.
        strong: Fraction of strong conditions that hold, 1 if none are listed.
        weak: Fraction of weak conditions that hold, 0 if none are listed.
        spread: Spread of the bar in points; None if unknown.
        spread_median: Its median in that hour of the week.
        spread_samples: Bars behind the median.
        atr_rank: Rank of the bar's ATR, 0 to 1.
        atr_samples: Values behind the rank.
        margin_share: Margin used after the trade ÷ its limit.
        exposure_share: Net exposure after the trade that it adds to ÷ its cap.
        loss_share: The day's loss ÷ its limit.
        weights: Points of each part.
    """
    plain = plain_weights(weights)
    wide = spread_share(_number(spread), _number(spread_median), spread_samples)
    rare = atr_share(_number(atr_rank), atr_samples)
    used, exposed, lost = clip(margin_share), clip(exposure_share), clip(loss_share)
    match = match_points(strong, weak, plain) if signal else 0.0
    market = market_points(wide, rare, plain)
    account = account_points(used, exposed, lost, plain)
    notes = []
    if spread is None:
        notes.append("the bar's spread is unknown: half the spread penalty")
    elif spread_median is None or spread_samples < MIN_SPREAD_SAMPLES:
        notes.append(
            f"{spread_samples} spreads of this hour of the week are known, {MIN_SPREAD_SAMPLES} are needed: "
            "half the spread penalty"
        )
    if atr_rank is None or atr_samples < MIN_ATR_SAMPLES:
        notes.append(
            f"{atr_samples} ATR values of the year before are known, {MIN_ATR_SAMPLES} are needed: "
            "half the ATR penalty"
        )
    return Confidence(
        score=rounded(match + market + account),
        strategy=match,
        market=market,
        account=account,
        parts={
            "signal": signal,
            "strong_fraction": round(strong, 6),
            "weak_fraction": round(weak, 6),
            "spread_points": spread,
            "spread_median_points": spread_median,
            "spread_samples": spread_samples,
            "spread_penalty": round(weights.spread * wide, 6),
            "atr_rank": None if atr_rank is None else round(atr_rank, 6),
            "atr_samples": atr_samples,
            "atr_penalty": round(weights.atr * rare, 6),
            "margin_share": round(used, 6),
            "margin_penalty": round(weights.margin * used, 6),
            "exposure_share": round(exposed, 6),
            "exposure_penalty": round(weights.exposure * exposed, 6),
            "day_loss_share": round(lost, 6),
            "day_loss_penalty": round(weights.day_loss * lost, 6),
        },
        notes=tuple(notes),
    )


def best_score(strategy: Strategy, weights: Weights) -> float:
    """The highest score that a strategy's own condition lists leave possible.

    Market and account at their best. Strong conditions that exclude each other or an entry lower it, and
    so do weak ones that are entries too; of two directions the lower counts, each must be able to trade.
    """
    matches = []
    for direction in strategy.directions:
        strong, weak = match_bounds(strategy, direction)
        matches.append(match_points(strong, weak, plain_weights(weights)))
    return rounded(min(matches) + weights.market + weights.account)


def reachable(strategy: Strategy, weights: Weights, thresholds: Thresholds) -> None:
    """Refuse a strategy for which some configured threshold cannot be reached.

    Raises:
        Invalid: Code ``unreachable_threshold``, saying which thresholds, and what can be reached.
    """
    best = best_score(strategy, weights)
    short = {name: threshold for name, threshold in thresholds.named().items() if threshold > best}
    if short:
        wanted = " and ".join(f"{name} ({threshold:g})" for name, threshold in short.items())
        raise Invalid(
            "unreachable_threshold",
            f"{strategy.id} can score at most {best:g}, and {wanted} lies above: "
            "its conditions exclude each other, or weights and thresholds do not fit",
            strategy=strategy.id,
            best=best,
            thresholds=short,
        )
