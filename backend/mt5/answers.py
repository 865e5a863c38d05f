"""What a trade server answers, and what it means that it did not."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, ClassVar

from backend.mt5.retcodes import Retcode, is_success, retcode


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckAnswer:
    """What a request would do to the account; money in its currency."""

    retcode: int
    comment: str
    balance: Decimal
    equity: Decimal
    profit: Decimal
    margin: Decimal
    margin_free: Decimal
    margin_level: float

    @property
    def ok(self) -> bool:
        """Whether it would be accepted: 0, and nothing else."""
        return self.retcode == 0

    @property
    def row(self) -> Retcode:
        """What the code means; of a code that refuses."""
        return retcode(self.retcode)


@dataclass(frozen=True, kw_only=True, slots=True)
class SendAnswer:
    """What the trade server answered.

    Attributes:
        retcode: Its code; `row` says what it means and what follows.
        deal: Ticket of the deal; 0 for none.
        order: Ticket of the order; 0 for none.
        volume: Lots dealt or placed.
        price: Price dealt at; None if none is told.
        bid: At that moment; None if none is told.
        ask: At that moment; None if none is told.
        comment: The server's words.
        request_id: Of the terminal.
        retcode_external: Of an exchange.
    """

    outcome: ClassVar[str] = "answered"

    retcode: int
    deal: int
    order: int
    volume: Decimal
    price: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    comment: str
    request_id: int = 0
    retcode_external: int = 0

    @property
    def row(self) -> Retcode:
        """What the code means, and what follows."""
        return retcode(self.retcode)

    @property
    def success(self) -> bool:
        """Whether what was asked was done, in whole or in part."""
        return is_success(self.retcode)

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON values, its `outcome` and the code's name with it."""
        values = {
            name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(self).items()
        }
        return {"outcome": self.outcome, "name": self.row.name, **values}


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request never reached the terminal's hands, or was refused before it went on: nothing happened.

    Attributes:
        code: The terminal's last error.
        message: Its words.
    """

    outcome: ClassVar[str] = "not_sent"

    code: int
    message: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"outcome": self.outcome, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request went out and no answer came: it may have been carried out, be so yet, or not at all.

    Attributes:
        code: The terminal's last error.
        message: Its words.
    """

    outcome: ClassVar[str] = "no_answer"

    code: int
    message: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"outcome": self.outcome, "code": self.code, "message": self.message}


SendResult = SendAnswer | NotSent | NoAnswer
"""What became of a request; `outcome` is ``answered``, ``not_sent`` or ``no_answer``."""
