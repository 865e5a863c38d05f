"""What positions were worth at an instant that the desk did not see."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from backend.accounts.deals import ZERO, Holding
from backend.core.bars import Bars
from backend.core.instruments import Instrument
from backend.core.timeframes import Timeframe
from backend.mt5.account import Account
from backend.mt5.mapping import exact
from backend.trading.conversion import conversion
from backend.trading.profit import profit, to_cents
from backend.trading.sides import Side

log = logging.getLogger(__name__)

OLDEST: Final = timedelta(days=4)
"""A bar that is older tells nothing: a long weekend is shorter."""


class Market(Protocol):
    """Specifications and bars."""

    def instrument(self, symbol: str) -> Instrument:
        """A symbol's specification; raises a `DeskError` if there is none."""

    def top_up(self, symbol: str, timeframe: Timeframe, *, since: datetime | None = None) -> Bars:
        """Closed bars since then, from the terminal as well."""


class Terminal(Protocol):
    """The account."""

    def account(self) -> Account:
        """Its money now."""


class PastWorth:
    """Floating profit of holdings at an instant, from the last minute that had closed.

    A long is worth the minute's close, a short that and the minute's spread. Conversion and specification
    are those of now, and swap is left out.

    Args:
        market: Specifications and bars.
        terminal: Tells the account's currency.
    """

    def __init__(self, market: Market, terminal: Terminal) -> None:
        self._market = market
        self._terminal = terminal

    def __call__(self, held: Sequence[Holding], moment: datetime) -> Decimal | None:
        """In account currency; None where a symbol has no bar of then.

        Raises:
            DeskError: A symbol or the terminal is not there.
        """
        currency, total = self._terminal.account().currency, ZERO
        for one in held:
            bars = self._market.top_up(one.symbol, Timeframe.M1, since=moment - OLDEST)
            closed = int((bars.time + 60 <= moment.timestamp()).sum())
            if not closed:
                log.warning("no minute of %s before %s is known", one.symbol, moment)
                return None
            known = self._market.instrument(one.symbol)
            side = Side.BUY if one.buy else Side.SELL
            price = exact(float(bars.close[closed - 1]))
            if side is Side.SELL:
                price += int(bars.spread[closed - 1]) * known.point
            total += profit(known, side, one.lots, one.price, price, conversion(known, currency))
        return to_cents(total)
