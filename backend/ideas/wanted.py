"""What an idea's file says, as the judging takes it. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.core.clock import parse_iso
from backend.core.errors import Conflict
from backend.core.instruments import Instrument
from backend.evaluation.levels import Levels
from backend.ideas.judging import Fixed, Wanted
from backend.strategies.model import OrderType
from backend.trading.desk import Circumstances
from backend.trading.sides import Side
from backend.trading.terms import Terms


def wanted_of(idea: Mapping[str, Any], instrument: Instrument) -> Wanted:
    """The trade that an idea proposes.

    Args:
        idea: From the book.
        instrument: The symbol's specification now.

    Raises:
        Conflict: Code ``specification_changed``: the broker's tick is another one than when the idea was
            made; or ``old_idea``: it was made by a version that did not keep what judging needs.
    """
    if "terms" not in idea:
        raise Conflict("old_idea", f"{idea['id']} was made by an earlier version and cannot be judged again")
    if Decimal(repr(idea["tick_size"])) != instrument.tick_size:
        raise Conflict(
            "specification_changed",
            f"the tick of {instrument.symbol} was {idea['tick_size']} when the idea was made and is "
            f"{instrument.tick_size} now",
            symbol=instrument.symbol,
        )
    levels = Levels(
        side=Side(idea["side"]),
        reference=instrument.ticks(idea["reference"]),
        spread=idea["spread_ticks"],
        offset=idea["offset_ticks"],
        stop=idea["stop_ticks"],
        target=idea["target_ticks"],
        widened=False,
        minimum=0,
        instrument=instrument,
    )
    return Wanted(
        levels=levels,
        type=OrderType(idea["order_type"]),
        atr=idea["atr"],
        half=idea["half_risk"],
        score=idea["confidence"],
        around=Circumstances.from_dict(idea["circumstances"]),
        closed=parse_iso(idea["bar_close"]),
        terms=Terms.from_dict(idea["terms"]),
        fixed=fixed_of(idea["fixed"]),
    )


def fixed_of(stated: Mapping[str, Any]) -> Fixed:
    """What a person set; numbers as they were written."""
    return Fixed(**{name: Decimal(repr(value)) for name, value in stated.items()})
