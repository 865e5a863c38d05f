"""What a score is made of and what it leads to: weights and thresholds, as configuration states them."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Weights(BaseModel):
    """Points of each part of the confidence; what a part can reach is stated beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    entry: Points = 30
    """Given when the entry conditions hold."""
    strong: Points = 20
    """Times the fraction of strong conditions that hold."""
    weak: Points = 10
    """Taken times the fraction of weak conditions that hold."""
    market: Points = 25
    """Market risk before its penalties."""
    spread: Points = 10
    """Largest penalty for a wide spread."""
    atr: Points = 15
    """Largest penalty for an unusual ATR."""
    account: Points = 25
    """Account comfort before its penalties."""
    margin: Points = 10
    """Largest penalty for margin in use."""
    exposure: Points = 10
    """Largest penalty for net exposure."""
    day_loss: Points = 5
    """Largest penalty for the day's loss."""

    @property
    def highest(self) -> float:
        """The highest score that there is."""
        return self.entry + self.strong + self.market + self.account

    @model_validator(mode="after")
    def _hundred(self) -> Self:
        if self.highest > 100:  # noqa: PLR2004 - the scale
            raise ValueError(f"entry + strong + market + account is {self.highest:g}; the scale ends at 100")
        return self


class Thresholds(BaseModel):
    """Scores from which something is done."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    pending_only: Points = 60
    """From here an idea with half risk and a better entry; below it is only observed."""
    open_or_scale: Points = 75
    """From here an idea with whole risk."""
    autonomous: Points = 80
    """From here the desk may send by itself in autonomous mode."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.pending_only <= self.open_or_scale <= self.autonomous:
            raise ValueError(
                f"pending_only ({self.pending_only:g}) ≤ open_or_scale ({self.open_or_scale:g}) ≤ "
                f"autonomous ({self.autonomous:g}) must hold"
            )
        return self

    def named(self) -> Mapping[str, float]:
        """Each threshold by its key."""
        values: dict[str, Any] = self.model_dump()
        return values
