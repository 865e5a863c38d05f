"""Entry, stop and target of an idea, as distances in whole ticks."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from backend.core.instruments import Instrument
from backend.trading.sides import Side

PENDING_BETTER_ATR = 0.25
"""An idea that is only pending enters this many ATR better than the reference price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """Where a trade would stand.

    Attributes:
        side: Its side.
        reference: Reference price in ticks: the close for a sell, close + spread for a buy.
        spread: Spread in ticks that this was computed with.
        offset: Ticks from the reference to the entry, signed: above zero lies a buy's entry higher.
        stop: Ticks from entry to stop, above zero.
        target: Ticks from entry to target, above zero.
        widened: Whether the broker's minimum widened the stop.
        minimum: Smallest stop distance in ticks that the broker takes.
        instrument: The symbol.
    """

    side: Side
    reference: int
    spread: int
    offset: int = 0
    stop: int
    target: int
    widened: bool
    minimum: int
    instrument: Instrument

    @property
    def entry_price(self) -> Decimal:
        """Reference price and offset."""
        return self.instrument.price(self.reference + self.offset)

    @property
    def reference_price(self) -> Decimal:
        """Price that the decision was made at."""
        return self.instrument.price(self.reference)

    @property
    def stop_price(self) -> Decimal:
        """Stop for an entry at `entry_price`."""
        return self.instrument.price(self.reference + self.offset - self.side.sign * self.stop)

    @property
    def target_price(self) -> Decimal:
        """Target for an entry at `entry_price`."""
        return self.instrument.price(self.reference + self.offset + self.side.sign * self.target)

    @property
    def reward_to_risk(self) -> float:
        """Target ÷ stop, for showing; decide with `pays`."""
        return self.target / self.stop

    def pays(self, min_rr: float) -> bool:
        """Whether reward to risk reaches `min_rr`, in integers."""
        wanted = ratio(min_rr)
        return self.target * wanted.denominator >= self.stop * wanted.numerator

    def as_dict(self) -> dict[str, Any]:
        """Distances in ticks and prices as JSON values."""
        return {
            "side": str(self.side),
            "reference": float(self.reference_price),
            "entry": float(self.entry_price),
            "stop": float(self.stop_price),
            "target": float(self.target_price),
            "tick_size": float(self.instrument.tick_size),
            "spread_ticks": self.spread,
            "offset_ticks": self.offset,
            "stop_ticks": self.stop,
            "target_ticks": self.target,
            "minimum_ticks": self.minimum,
            "widened": self.widened,
            "reward_to_risk": round(self.reward_to_risk, 4),
        }


@lru_cache(maxsize=256)
def ratio(number: float) -> Fraction:
    """A configured decimal as the fraction that was written: 1.1 is 11/10."""
    return Fraction(Decimal(repr(float(number))))


def spread_ticks(instrument: Instrument, points: float) -> int:
    """A spread in points as whole ticks, rounded up."""
    return instrument.ticks_up(float(points) * float(instrument.point))


def broker_minimum(instrument: Instrument, spread: int) -> int:
    """Smallest distance in ticks from entry to stop that the broker takes.

    A buy needs bid − stop ≥ m and a sell stop − ask ≥ m, and both enter a spread away from that
    side: m + spread. m is the stops level, or the spread where the broker states none.
    """
    return _level(instrument, spread) + spread


def target_minimum(instrument: Instrument, spread: int) -> int:
    """Smallest distance in ticks from an entry at the market to the target that the broker takes.

    The side that triggers the target lies a spread beyond the entry in the trade's favour.
    """
    return least_target(instrument.points_to_ticks(instrument.stops_level), spread)


def least_target(stated: int, beyond: int) -> int:
    """Smallest distance in ticks from entry to target that the broker takes.

    Args:
        stated: Its stops level; 0 where it states none.
        beyond: Ticks that the price from which it measures lies beyond the entry, away from the target: 0 for
            a pending order; the spread at the market, less what a stop order sent there was passed by.
    """
    return max(max(stated, 1) - beyond, 1)


def stop_distance(wanted: int, spread: int, level: int) -> int:
    """Ticks from entry to stop: what is wanted, widened to what the broker takes, at least one.

    Args:
        wanted: ATR × multiplier in ticks, rounded up.
        spread: Spread in ticks.
        level: The broker's smallest distance of a stop from the closing side, in ticks.
    """
    return max(wanted, level + spread, 1)


def target_distance(stop: int, spread: int, level: int, numerator: int, denominator: int) -> int:
    """Ticks from entry to target: stop × numerator ÷ denominator, rounded up.

    Never nearer than the broker takes: entry and the side that triggers the target are a spread apart in
    the trade's favour.
    """
    return max(-(-stop * numerator // denominator), level - spread, 1)


def levels(
    instrument: Instrument,
    side: Side,
    *,
    close: float,
    spread: int,
    atr: float,
    multiplier: float,
    reward: float,
    target: float | None = None,
) -> Levels | None:
    """Levels from a closed bar.

    The stop is ATR × multiplier, widened to the broker's minimum and rounded away from the entry. The
    target is `reward` times the rounded stop, or the price `target`, rounded away too.

    Args:
        instrument: The symbol.
        side: Side of the trade.
        close: Bid close of the bar.
        spread: Spread in ticks.
        atr: ATR in price, above zero.
        multiplier: Of the ATR.
        reward: Reward to risk aimed at; not used when `target` is given.
        target: Price of the target.

    Returns:
        None where the target's price is no number or lies on the wrong side of the entry.

    Raises:
        Invalid: If close or ATR is not a number.
    """
    reference = instrument.ticks(close) + (spread if side is Side.BUY else 0)
    level = _level(instrument, spread)
    wanted = instrument.ticks_up(atr * multiplier)
    stop = stop_distance(wanted, spread, level)
    if target is None:
        wished = ratio(reward)
        away = target_distance(stop, spread, level, wished.numerator, wished.denominator)
    else:
        if not math.isfinite(target):
            return None
        above = target - float(instrument.price(reference))
        away = instrument.ticks_up(above * side.sign)
        if away <= 0:
            return None
    return Levels(
        side=side,
        reference=reference,
        spread=spread,
        stop=stop,
        target=away,
        widened=stop > max(wanted, 1),
        minimum=max(level + spread, 1),
        instrument=instrument,
    )


def better_by(instrument: Instrument, side: Side, atr: float, share: float) -> int:
    """Signed ticks of an entry `share` ATR better than the reference, rounded away from it."""
    return -side.sign * instrument.ticks_up(atr * share)


def _level(instrument: Instrument, spread: int) -> int:
    return instrument.points_to_ticks(instrument.stops_level) if instrument.stops_level else spread
