"""What a person changes of an idea before it is sent: entry, stop, target, volume. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.core.errors import Conflict, DeskError, Invalid
from backend.core.instruments import Instrument
from backend.evaluation.plan import PENDING_EXPIRY_BARS
from backend.ideas.judging import Judged, Prices
from backend.strategies.model import OrderType
from backend.trading.profit import to_cents
from backend.trading.sides import Side

FIELDS = ("entry", "stop", "target", "volume")

MOST_TICKS = 10**12
"""Far beyond any price, and a float still tells one tick from the next."""

Overrides = Mapping[str, float | None]
"""Field to its new value; None gives it back to the decision. A field that is absent stays as it is."""


def changed_fields(
    idea: Mapping[str, Any], overrides: Overrides, instrument: Instrument, prices: Prices
) -> dict[str, Any]:
    """The idea's fields that overrides change, checked as far as the symbol alone says.

    An entry turns a market order into a limit order, or into a stop order where it lies beyond the price.

    Args:
        idea: From the book.
        overrides: What a person wants.
        instrument: The symbol.
        prices: The market now.

    Raises:
        Invalid: Code ``bad_override``, with field and reason: it is no price or volume of the symbol, or a
            pending order would stand on the other side of the price.
    """
    fixed = dict(idea["fixed"])
    for name, value in overrides.items():
        if name not in FIELDS:
            raise _bad(name, f"there is no {name!r} to change; there are {', '.join(FIELDS)}")
        if value is None:
            fixed.pop(name, None)
        elif name == "volume":
            fixed[name] = float(volume_of(value, instrument))
        else:
            fixed[name] = float(price_of(name, value, instrument))
    changes: dict[str, Any] = {"fixed": fixed}
    if "entry" in overrides:
        changes |= _entry(idea, fixed.get("entry"), instrument, prices)
    return changes


def figures(judged: Judged) -> dict[str, Any]:
    """An idea's prices, volume and money as they are now; volume and money None where levels give none."""
    levels, proposal = judged.levels, judged.proposal
    size = None if proposal is None else proposal.size
    targeted = levels.target != 0
    return {
        "entry": float(levels.entry_price),
        "stop": float(levels.stop_price),
        "target": float(levels.target_price) if targeted else None,
        "volume": None if size is None else float(size.lots),
        "risk_money": None if size is None else float(to_cents(size.risk_taken)),
        "margin": None if size is None else float(to_cents(size.margin)),
        "reward_to_risk": round(levels.reward_to_risk, 4) if targeted and levels.stop else None,
    }


def refuse_faults(judged: Judged, overrides: Overrides) -> None:
    """Refuse what a person set and the broker or the limits would not take.

    Raises:
        Invalid: Code ``bad_override``: a price on the wrong side or nearer than the broker takes.
        Conflict: Code ``too_much_risk``: a volume that risks more than one trade may.
    """
    given = {name for name, value in overrides.items() if value is not None}
    if "entry" in given:
        given |= {"stop", "target"}  # which the entry may have left on the wrong side
    for fault in judged.faults:
        if fault.check == "volume" and fault.check in given:
            raise Conflict("too_much_risk", fault.reason, refusals=[fault.as_dict()])
        if fault.check in given:
            raise _bad(fault.check, fault.reason)


def volume_of(value: float, instrument: Instrument) -> Decimal:
    """Lots that the symbol takes, exact; `Invalid` ``bad_override`` where it takes no such volume."""
    lots = _number("volume", value)
    least, most, step = instrument.volume_min, instrument.volume_max, instrument.volume_step
    if lots < least or lots > most:
        raise _bad("volume", f"{lots} lots: {instrument.symbol} takes {least} to {most}")
    if lots % step:
        raise _bad("volume", f"{lots} lots: {instrument.symbol} takes whole steps of {step}")
    return lots


def price_of(name: str, value: float, instrument: Instrument) -> Decimal:
    """A price of the symbol, exact; `Invalid` ``bad_override`` of the field `name` where it is none."""
    price = _number(name, value)
    if price / instrument.tick_size > MOST_TICKS:
        raise _bad(name, f"{name} {value} is no price of {instrument.symbol}")
    if price % instrument.tick_size:
        raise _bad(name, f"{name} {price}: prices of {instrument.symbol} are steps of {instrument.tick_size}")
    return price


def _number(name: str, value: float) -> Decimal:
    number = Decimal(repr(float(value)))
    if not number.is_finite() or number <= 0:
        raise _bad(name, f"{name} is {value}; it is a number above zero")
    return number


def _entry(
    idea: Mapping[str, Any], entry: float | None, instrument: Instrument, prices: Prices
) -> dict[str, Any]:
    planned = idea["planned"]
    if entry is None:
        return dict(planned)
    side = Side(idea["side"])
    ahead = (instrument.ticks(entry) - prices.opening(side)) * side.sign
    where = OrderType.STOP if ahead > 0 else OrderType.LIMIT
    own = OrderType(planned["order_type"])
    if ahead == 0 or own not in {OrderType.MARKET, where}:
        lies = "below" if (side is Side.BUY) == (own is not OrderType.STOP) else "above"
        raise _bad(
            "entry",
            f"a {side} {own if own is not OrderType.MARKET else where} order lies {lies} the price "
            f"{instrument.price(prices.opening(side))}, and {entry} does not",
        )
    bars = PENDING_EXPIRY_BARS if own is OrderType.MARKET else planned["expiry_bars"]
    return {"order_type": str(where), "expiry_bars": bars}


def _bad(field: str, reason: str) -> DeskError:
    return Invalid("bad_override", reason, field=field)
