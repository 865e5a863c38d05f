"""Figures by name: a finite number, or none and why."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backend.core.bars import Floats
from backend.core.clock import from_epoch, iso

_DECIMALS = 10
_NOISE = 1e-12  # of the largest value: what rounding alone makes of equal numbers


@dataclass(slots=True)
class Measures:
    """Values by key, and for each that is None the reason.

    Attributes:
        values: JSON values.
        undefined: Reason of each None.
    """

    values: dict[str, Any] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, value: float | None, reason: str = "") -> None:
        """A number, or why there is none."""
        if value is None or not math.isfinite(value):
            self.absent((key,), reason or "the figures give no finite number")
        else:
            # adding zero makes a zero without a sign
            self.values[key] = value if isinstance(value, int) else round(float(value), _DECIMALS) + 0.0

    def ratio(self, key: str, over: float, under: float, reason: str, *, scale: float = 1.0) -> None:
        """A quotient; None with the reason where the divisor is zero."""
        self.put(key, None if under == 0 else scale * (over / under), reason)

    def moment(self, key: str, epoch: int | None, reason: str = "") -> None:
        """A UTC epoch as ISO-8601, or why there is none."""
        if epoch is None:
            self.absent((key,), reason)
        else:
            self.values[key] = iso(from_epoch(epoch))

    def absent(self, keys: tuple[str, ...], reason: str) -> None:
        """Keys without a value, all for one reason."""
        for key in keys:
            self.values[key] = None
            self.undefined[key] = reason


def varies(values: Floats) -> bool:
    """Whether the values, at least one, differ by more than rounding."""
    return bool(np.ptp(values) > _NOISE * np.abs(values).max())
