"""The desk's words for the numbers that a terminal uses of orders and deals.

A word is its constant's name in lower case without the family: ``ORDER_TYPE_BUY_LIMIT`` is `buy_limit`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from backend.core.errors import Unavailable
from backend.mt5.constants import CONSTANTS


class TradeAction(StrEnum):
    """What a request asks for."""

    DEAL = "deal"
    PENDING = "pending"
    SLTP = "sltp"
    MODIFY = "modify"
    REMOVE = "remove"
    CLOSE_BY = "close_by"


class OrderType(StrEnum):
    """What an order is."""

    BUY = "buy"
    SELL = "sell"
    BUY_LIMIT = "buy_limit"
    SELL_LIMIT = "sell_limit"
    BUY_STOP = "buy_stop"
    SELL_STOP = "sell_stop"
    BUY_STOP_LIMIT = "buy_stop_limit"
    SELL_STOP_LIMIT = "sell_stop_limit"
    CLOSE_BY = "close_by"

    @property
    def buy(self) -> bool:
        """Whether it buys; a close by has no side and says False."""
        return self.value.startswith("buy")

    @property
    def pending(self) -> bool:
        """Whether it waits for its price."""
        return self.value.endswith(("_limit", "_stop"))


class Filling(StrEnum):
    """What happens to volume that is not there at once; never the bits of a symbol's filling mask."""

    FOK = "fok"
    IOC = "ioc"
    RETURN = "return"
    BOC = "boc"


class TimeType(StrEnum):
    """How long a pending order waits."""

    GTC = "gtc"
    DAY = "day"
    SPECIFIED = "specified"
    SPECIFIED_DAY = "specified_day"

    @property
    def has_expiry(self) -> bool:
        """Whether a time must be given with it."""
        return self in {TimeType.SPECIFIED, TimeType.SPECIFIED_DAY}


class OrderState(StrEnum):
    """Where an order stands."""

    STARTED = "started"
    PLACED = "placed"
    CANCELED = "canceled"
    PARTIAL = "partial"
    FILLED = "filled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REQUEST_ADD = "request_add"
    REQUEST_MODIFY = "request_modify"
    REQUEST_CANCEL = "request_cancel"


class DealType(StrEnum):
    """What a deal is: buy and sell are trades, the others book money."""

    BUY = "buy"
    SELL = "sell"
    BALANCE = "balance"
    CREDIT = "credit"
    CHARGE = "charge"
    CORRECTION = "correction"
    BONUS = "bonus"
    COMMISSION = "commission"
    COMMISSION_DAILY = "commission_daily"
    COMMISSION_MONTHLY = "commission_monthly"
    COMMISSION_AGENT_DAILY = "commission_agent_daily"
    COMMISSION_AGENT_MONTHLY = "commission_agent_monthly"
    INTEREST = "interest"
    BUY_CANCELED = "buy_canceled"
    SELL_CANCELED = "sell_canceled"
    DIVIDEND = "dividend"
    DIVIDEND_FRANKED = "dividend_franked"
    TAX = "tax"
    OTHER = "other"


class DealEntry(StrEnum):
    """What a deal does to its position."""

    IN = "in"
    OUT = "out"
    INOUT = "inout"
    OUT_BY = "out_by"


class Reason(StrEnum):
    """Why there is an order or a deal."""

    CLIENT = "client"
    MOBILE = "mobile"
    WEB = "web"
    EXPERT = "expert"
    SL = "sl"
    TP = "tp"
    SO = "so"
    ROLLOVER = "rollover"
    VMARGIN = "vmargin"
    SPLIT = "split"
    OTHER = "other"


Word = TypeVar("Word", bound=StrEnum)

_FAMILIES: Mapping[type[StrEnum], tuple[str, ...]] = {
    TradeAction: ("TRADE_ACTION_",),
    OrderType: ("ORDER_TYPE_",),
    Filling: ("ORDER_FILLING_",),
    TimeType: ("ORDER_TIME_",),
    OrderState: ("ORDER_STATE_",),
    DealType: ("DEAL_TYPE_", "DEAL_"),  # the last three have no TYPE in their names
    DealEntry: ("DEAL_ENTRY_",),
    Reason: ("DEAL_REASON_",),  # an order's are the first seven of them
}


def _numbers(kind: type[Word]) -> dict[Word, int]:
    found: dict[Word, int] = {}
    for word in kind:
        names = (prefix + word.name for prefix in _FAMILIES[kind])
        number = next((CONSTANTS[name] for name in names if name in CONSTANTS), None)
        if number is not None:
            found[word] = number
    return found


_NUMBERS: Mapping[type[StrEnum], dict[StrEnum, int]] = {kind: dict(_numbers(kind)) for kind in _FAMILIES}
_WORDS: Mapping[type[StrEnum], dict[int, StrEnum]] = {
    kind: {number: word for word, number in numbers.items()} for kind, numbers in _NUMBERS.items()
}


def number_of(word: StrEnum) -> int:
    """The terminal's number of a word."""
    return _NUMBERS[type(word)][word]


def word_of(kind: type[Word], number: int) -> Word:
    """The word of one of the terminal's numbers; `other` where the kind has that word.

    Raises:
        Unavailable: Code ``terminal_version``: the number is not known, and nothing may be guessed of it.
    """
    word = _WORDS[kind].get(number)
    if word is not None:
        return kind(word)
    if "OTHER" in kind.__members__:
        return kind["OTHER"]
    raise Unavailable(
        "terminal_version",
        f"the terminal says {kind.__name__} {number}, which this version does not know",
        number=number,
    )
