"""Faults of a broker and its line, injected into order_send by seed or by script; none by default."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.mt5 import constants as mt5


class Fault(StrEnum):
    """What goes wrong."""

    REQUOTE = "requote"
    """A deal is answered with a new price: 10004."""
    REJECT = "reject"
    """10006."""
    OFF_QUOTES = "off_quotes"
    """10021."""
    NO_MONEY = "no_money"
    """10019."""
    NO_ANSWER_EXECUTED = "no_answer_executed"
    """The request is carried out, but None comes back: (-10005, 'IPC timeout')."""
    NO_ANSWER = "no_answer"
    """None comes back, and nothing was done."""
    SLOW = "slow"
    """The answer takes `Faults.slow_seconds` of real time."""
    DISCONNECT = "disconnect"
    """The terminal loses the broker for `Faults.disconnect_seconds`: 10031, and `connected` is False."""
    PARTIAL = "partial"
    """Half of the volume is there: 10010, or 10006 for fill or kill. A pending order fills half at first."""
    BLANK_COMMENT = "blank_comment"
    """Order, deal and position stand without their comment."""
    REWRITE_COMMENT = "rewrite_comment"
    """They stand with one of the broker's own."""


REFUSALS: Mapping[Fault, tuple[int, str]] = {
    Fault.REQUOTE: (mt5.TRADE_RETCODE_REQUOTE, "Requote"),
    Fault.REJECT: (mt5.TRADE_RETCODE_REJECT, "Request rejected"),
    Fault.OFF_QUOTES: (mt5.TRADE_RETCODE_PRICE_OFF, "Off quotes"),
    Fault.NO_MONEY: (mt5.TRADE_RETCODE_NO_MONEY, "No money"),
}
REWRITTEN = "broker"


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Which requests go wrong; requests are counted from 1 over the life of the account.

    Attributes:
        seed: Of the chances.
        chances: Probability of each fault, together at most 1.
        script: Faults of certain requests by their number; these go before chance.
        slow_seconds: How long a slow answer takes, real time.
        disconnect_seconds: How long the broker is lost, desk time.
    """

    seed: int = 0
    chances: Mapping[Fault, float] = field(default_factory=dict)
    script: Mapping[int, Fault] = field(default_factory=dict)
    slow_seconds: float = 2.0
    disconnect_seconds: float = 30.0

    def of(self, number: int) -> Fault | None:
        """What goes wrong with a request; the same for the same seed and number."""
        if number in self.script:
            return self.script[number]
        if not self.chances:
            return None
        digest = hashlib.sha256(f"{self.seed}:{number}".encode()).digest()
        drawn = int.from_bytes(digest[:8]) / 2**64
        for fault, chance in self.chances.items():
            if drawn < chance:
                return fault
            drawn -= chance
        return None
