"""The two sides of a trade."""

from enum import StrEnum


class Side(StrEnum):
    """Which way a trade stands."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell: profit is sign × (close − open)."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The side that closes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def direction(self) -> str:
        """The word that strategies use: ``long`` or ``short``."""
        return "long" if self is Side.BUY else "short"

    @classmethod
    def of_direction(cls, direction: str) -> "Side":
        """The side of a strategy's ``long`` or ``short``."""
        return cls.BUY if direction == "long" else cls.SELL
