"""Specifications as the simulated broker states them, for tests that need a symbol."""

from decimal import Decimal
from typing import Any

from backend.core.instruments import Instrument

_D = Decimal


def instrument(symbol: str = "EURUSD", **changes: Any) -> Instrument:
    """A typical specification of one of four symbols (or of a EURUSD-like one of another name)."""
    base: dict[str, Any] = {
        "symbol": symbol,
        "broker_symbol": symbol,
        "digits": 5,
        "point": _D("0.00001"),
        "tick_size": _D("0.00001"),
        "tick_value": _D(1),
        "tick_value_loss": _D(1),
        "contract_size": _D(100_000),
        "volume_min": _D("0.01"),
        "volume_step": _D("0.01"),
        "volume_max": _D(100),
        "currency_base": symbol[:3],
        "currency_profit": symbol[3:6],
        "currency_margin": symbol[:3],
        "calc_mode": 0,
        "swap_mode": 1,
        "swap_long": _D(-7),
        "swap_short": _D(2),
    }
    if symbol.endswith("JPY"):
        base |= {
            "digits": 3,
            "point": _D("0.001"),
            "tick_size": _D("0.001"),
            "tick_value": _D("0.6667"),
            "tick_value_loss": _D("0.6667"),
        }
    if symbol.startswith("XAU"):
        base |= {
            "digits": 2,
            "point": _D("0.01"),
            "tick_size": _D("0.01"),
            "contract_size": _D(100),
            "currency_margin": "USD",
            "calc_mode": 4,
        }
    return Instrument(**(base | changes))
