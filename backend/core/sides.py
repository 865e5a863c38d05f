"""The two sides of the market."""

from enum import StrEnum


class Side(StrEnum):
    """The direction of a signal, an order or a position."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """+1 for long, −1 for short."""
        return 1 if self is Side.LONG else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SHORT if self is Side.LONG else Side.LONG
