"""What a signal leads to: the same question that the desk's decisions answer."""

from dataclasses import dataclass
from typing import Protocol

from backend.evaluation.levels import Levels
from backend.strategies.model import Direction


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with a signal.

    Attributes:
        refused: Why nothing is done; empty if something is.
        half: Half risk, with a better limit instead of the market: what a lower score leads to.
    """

    refused: str = ""
    half: bool = False


class Policy(Protocol):
    """Decides about signals; told of every bar so that it may keep the account's day."""

    def answer(self, index: int, direction: Direction, levels: Levels, equity: float) -> Answer:
        """What to do with a signal on the bar at `index` whose levels pay enough."""


class EverySignal:
    """Takes every signal at whole risk."""

    def answer(self, index: int, direction: Direction, levels: Levels, equity: float) -> Answer:  # noqa: ARG002
        """Always whole risk."""
        return Answer()
