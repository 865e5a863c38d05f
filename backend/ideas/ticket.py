"""Stop and target of a person's ticket as exact prices, however they were stated. Pure.

A stop is a price, points or ATR away from the entry, a target also a multiple of the stop's distance (R).
Distances are rounded away from the entry, as those of a strategy are; prices are taken as they are or
refused, never moved.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from backend.core.errors import Invalid
from backend.core.instruments import Instrument
from backend.evaluation.levels import broker_minimum, ratio, target_minimum
from backend.ideas.overrides import MOST_TICKS, price_of
from backend.trading.sides import Side


class Unit(StrEnum):
    """How a level is stated."""

    PRICE = "price"
    POINTS = "points"
    ATR = "atr"
    R = "r"


@dataclass(frozen=True, slots=True)
class Level:
    """A stop or a target as stated: a price, or a distance from the entry above zero."""

    unit: Unit
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A ticket's levels in ticks.

    Attributes:
        instrument: The symbol.
        entry: Price it is entered at.
        stop: Stop price.
        target: Target price; None for none.
    """

    instrument: Instrument
    entry: int
    stop: int
    target: int | None

    @property
    def stop_price(self) -> Decimal:
        """Stop price with the symbol's digits."""
        return self.instrument.price(self.stop)

    @property
    def target_price(self) -> Decimal | None:
        """Target price with the symbol's digits; None for none."""
        return None if self.target is None else self.instrument.price(self.target)


def resolve_levels(
    instrument: Instrument,
    side: Side,
    *,
    entry: int,
    spread: int,
    stop: Level,
    target: Level | None = None,
    atr: float | None = None,
) -> Resolved:
    """The prices that stop and target mean for an entry.

    Args:
        instrument: The symbol.
        side: Side of the trade.
        entry: Price it is entered at, in ticks: the live side price or a pending order's own.
        spread: Ask − bid now, in ticks.
        stop: As stated.
        target: As stated; None for none.
        atr: ATR in price, where a level is stated in it; None if none is known.

    Raises:
        Invalid: Codes ``bad_ticket`` and ``bad_override``, with `field`: it is no number above zero, no
            price of the symbol, on the wrong side, nearer than the broker takes, or cannot be worked out.
    """
    away = _distance("stop", stop, -side.sign, instrument, entry, atr, None)
    _far_enough("stop", away, max(broker_minimum(instrument, spread), 1))
    reach = None
    if target is not None:
        reach = _distance("target", target, side.sign, instrument, entry, atr, away)
        _far_enough("target", reach, target_minimum(instrument, spread))
    found = Resolved(
        instrument=instrument,
        entry=entry,
        stop=entry - side.sign * away,
        target=None if reach is None else entry + side.sign * reach,
    )
    for name, ticks in (("stop", found.stop), ("target", found.target)):
        if ticks is not None and ticks <= 0:
            raise _bad(name, f"it would lie at {instrument.price(ticks)}, which is no price")
    return found


def _distance(
    name: str,
    level: Level,
    sign: int,
    instrument: Instrument,
    entry: int,
    atr: float | None,
    stop: int | None,
) -> int:
    """Ticks from the entry, below 1 on the wrong side; `sign` is the direction in which the level lies."""
    if level.unit is Unit.PRICE:
        price = price_of(name, level.value, instrument)
        return (int(price / instrument.tick_size) - entry) * sign
    if not math.isfinite(level.value) or level.value <= 0:
        raise _bad(name, f"{level.value} {level.unit} is no distance; it is a number above zero")
    if level.unit is Unit.R:
        if stop is None:
            raise _bad(name, "R is the distance of the stop, which cannot be stated in itself")
        wanted = ratio(level.value)
        ticks = -(-stop * wanted.numerator // wanted.denominator)
    else:
        size = float(instrument.point) if level.unit is Unit.POINTS else _atr(name, atr)
        length = size * level.value
        if not length < MOST_TICKS * float(instrument.tick_size):
            raise _bad(name, f"{level.value} {level.unit} is farther than any price")
        ticks = instrument.ticks_up(length)
    if ticks > MOST_TICKS:
        raise _bad(name, f"{level.value} {level.unit} is farther than any price")
    return ticks


def _atr(name: str, atr: float | None) -> float:
    if atr is None or not math.isfinite(atr) or atr <= 0:
        raise _bad(name, "no ATR is known for it; state it in points or as a price")
    return atr


def _far_enough(name: str, ticks: int, least: int) -> None:
    if ticks <= 0:
        raise _bad(name, f"the {name} is on the wrong side of the entry")
    if ticks < least:
        raise _bad(name, f"the {name} is {ticks} ticks from the entry, the broker takes {least}")


def _bad(field: str, why: str) -> Invalid:
    return Invalid("bad_ticket", f"{field}: {why}", field=field)
