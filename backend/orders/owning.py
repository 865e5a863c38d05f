"""What is ours at the broker, and the intents that change it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any

from backend.core.clock import Clock
from backend.core.errors import Conflict, Invalid
from backend.core.instruments import Instrument
from backend.mt5.orders import OrderRequest
from backend.orders.intents import Intent, IntentKind, fresh_id


class Keep(Enum):
    """Says that a level stays as it is; None takes it away."""

    AS_IT_IS = "as_it_is"


KEEP = Keep.AS_IT_IS
Level = Decimal | None | Keep


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose positions and orders ours are. Those of others are left alone unless all are meant.

    Attributes:
        magic: Number of the desk.
        idea_of: The trade idea of a position's identifier or an order's ticket; None if it has none.
        clock: Desk time.
    """

    magic: int
    idea_of: Callable[[int], str | None]
    clock: Clock

    def intent(
        self, kind: IntentKind, request: OrderRequest, number: int, *, why: str, attempt: int
    ) -> Intent:
        """An intent to change the position or order of that number."""
        name = fresh_id()
        return Intent(
            id=name,
            kind=kind,
            at=self.clock.now(),
            request=replace(request, magic=self.magic, comment=name),
            idea=self.idea_of(number),
            attempt=attempt,
            why=why,
        )

    def require(self, magic: int, what: str, ticket: int) -> None:
        """Refuse what is not ours, as `Conflict` ``not_ours``."""
        if magic != self.magic:
            raise Conflict(
                "not_ours",
                f"{what} {ticket} was not opened by this desk (its magic number is {magic}); it is left "
                "alone unless all are meant",
                ticket=ticket,
                magic=magic,
            )


def check_level(name: str, level: Decimal, base: Decimal, way: int, instrument: Instrument) -> None:
    """Refuse a price that the broker would: no price of the symbol, on the wrong side, or too near.

    Args:
        name: price, stop or target.
        level: The price.
        base: The price that it is measured from.
        way: 1 where it lies above that, -1 below.
        instrument: The symbol.

    Raises:
        Invalid: ``bad_price``, ``bad_stop`` or ``bad_target``.
    """
    details: dict[str, Any] = {"field": name, "price": str(level), "measured_from": str(base)}
    if not level.is_finite() or level <= 0 or level % instrument.tick_size:
        why = f"it is no price of {instrument.symbol}, whose ticks are {instrument.tick_size}"
        raise Invalid(f"bad_{name}", f"{name} {level}: {why}", **details)
    distance, least = (level - base) * way, instrument.point * instrument.stops_level
    if distance <= 0 or distance < least:
        side = "above" if way > 0 else "below"
        near = f" by at least {least}" if least else ""
        raise Invalid(
            f"bad_{name}", f"{name} {level}: it must lie {side} {base}{near}", minimum=str(least), **details
        )


def exact_price(price: float | None) -> Decimal | None:
    """A price that the terminal gave as a float, exactly; None for none."""
    return Decimal(repr(float(price))) if price else None
