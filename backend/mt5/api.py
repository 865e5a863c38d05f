"""The 32 functions of the MetaTrader5 module, as every terminal of the desk offers them.

Implementations: simulated terminal, native module, bridge, connector client. Dates may be an int or
float server epoch or a datetime, which goes through `.timestamp()` as in the module: **a naive
datetime is read in the computer's local zone**. Names before `/` are positional only.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from backend.mt5.structures import (
    AccountInfo,
    BookInfo,
    OrderCheckResult,
    OrderSendResult,
    Records,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeDeal,
    TradeOrder,
    TradePosition,
)

When = int | float | datetime

SUCCESS = (1, "Success")
"""What last_error() says after a call that went well."""


ORDER_SEND_SECONDS = 30.0
"""Within so long of being asked, a terminal is handed a trade request or never is; the deadline of the answer
too. Until then, that a request left no trace proves nothing."""


class CallFailed(Exception):  # noqa: N818 - reads as what happened
    """Inside an implementation: the call gives None or False, and last_error() this.

    Args:
        code: One of RES_E_*.
        text: What the terminal says.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class Mt5Api(Protocol):
    """What a terminal answers. None or False is a failure whose reason `last_error()` tells."""

    def initialize(
        self,
        path: str | None = None,
        *,
        login: int = 0,
        password: str = "",
        server: str = "",
        timeout: int = 60_000,
        portable: bool = False,
    ) -> bool:
        """Connect to the terminal; timeout in milliseconds."""

    def login(self, login: int, password: str = "", server: str = "", timeout: int = 60_000) -> bool:
        """Switch the account of the whole terminal."""

    def shutdown(self) -> None:
        """Disconnect."""

    def version(self) -> tuple[int, int, str] | None:
        """(500, build, 'DD Mon YYYY')."""

    def last_error(self) -> tuple[int, str]:
        """Code and text of the call before; (1, 'Success')."""

    def terminal_info(self) -> TerminalInfo | None:
        """The terminal."""

    def account_info(self) -> AccountInfo | None:
        """The account."""

    def symbols_total(self) -> int | None:
        """How many symbols there are."""

    def symbols_get(self, group: str = "*") -> tuple[SymbolInfo, ...] | None:
        """Symbols of a group such as ``"*,!*EUR*"``: masks of inclusion first, then of exclusion."""

    def symbol_info(self, symbol: str, /) -> SymbolInfo | None:
        """One symbol's specification."""

    def symbol_info_tick(self, symbol: str, /) -> Tick | None:
        """Its latest tick."""

    def symbol_select(self, symbol: str, enable: bool = True, /) -> bool:  # noqa: FBT001, FBT002 - MetaTrader's own shape
        """Show or hide it in the market watch."""

    def market_book_add(self, symbol: str, /) -> bool:
        """Subscribe to the depth of market."""

    def market_book_get(self, symbol: str, /) -> tuple[BookInfo, ...] | None:
        """The depth of market."""

    def market_book_release(self, symbol: str, /) -> bool:
        """End the subscription."""

    def copy_rates_from(self, symbol: str, timeframe: int, date_from: When, count: int, /) -> Records | None:
        """The last `count` bars whose open is at or before `date_from`, ascending."""

    def copy_rates_from_pos(
        self, symbol: str, timeframe: int, start_pos: int, count: int, /
    ) -> Records | None:
        """`count` bars back from position `start_pos`; 0 is the forming bar. Ascending."""

    def copy_rates_range(
        self, symbol: str, timeframe: int, date_from: When, date_to: When, /
    ) -> Records | None:
        """Bars whose open lies in [date_from, date_to], ascending."""

    def copy_ticks_from(self, symbol: str, date_from: When, count: int, flags: int, /) -> Records | None:
        """The first `count` ticks from `date_from` on."""

    def copy_ticks_range(self, symbol: str, date_from: When, date_to: When, flags: int, /) -> Records | None:
        """Ticks in [date_from, date_to]."""

    def orders_total(self) -> int | None:
        """How many orders are pending."""

    def orders_get(
        self, *, symbol: str = "", group: str = "", ticket: int = 0
    ) -> tuple[TradeOrder, ...] | None:
        """Pending orders; ticket wins over symbol wins over group."""

    def positions_total(self) -> int | None:
        """How many positions are open."""

    def positions_get(
        self, *, symbol: str = "", group: str = "", ticket: int = 0
    ) -> tuple[TradePosition, ...] | None:
        """Open positions; ticket wins over symbol wins over group."""

    def history_orders_total(self, date_from: When, date_to: When, /) -> int | None:
        """How many orders were done in the interval."""

    def history_orders_get(
        self,
        date_from: When = 0,
        date_to: When = 0,
        *,
        group: str = "",
        ticket: int = 0,
        position: int = 0,
    ) -> tuple[TradeOrder, ...] | None:
        """Orders done in the interval, or of a ticket, or of a position."""

    def history_deals_total(self, date_from: When, date_to: When, /) -> int | None:
        """How many deals there were in the interval."""

    def history_deals_get(
        self,
        date_from: When = 0,
        date_to: When = 0,
        *,
        group: str = "",
        ticket: int = 0,
        position: int = 0,
    ) -> tuple[TradeDeal, ...] | None:
        """Deals in the interval, or of an order's ticket, or of a position."""

    def order_calc_margin(self, action: int, symbol: str, volume: float, price: float, /) -> float | None:
        """Margin in account currency."""

    def order_calc_profit(
        self, action: int, symbol: str, volume: float, price_open: float, price_close: float, /
    ) -> float | None:
        """Profit in account currency."""

    def order_check(
        self, request: Mapping[str, Any] | None = None, /, **fields: Any
    ) -> OrderCheckResult | None:
        """What the request would do to the account; retcode 0 is success."""

    def order_send(
        self, request: Mapping[str, Any] | None = None, /, **fields: Any
    ) -> OrderSendResult | None:
        """Send the request. None means that its outcome is unknown, unless last_error() is -2."""


FUNCTIONS: tuple[str, ...] = tuple(
    name for name, value in vars(Mt5Api).items() if callable(value) and not name.startswith("_")
)
"""The names of the 32 functions."""

ANSWERS_BOOL = frozenset({"initialize", "login", "symbol_select", "market_book_add", "market_book_release"})
"""Functions whose failure is False; that of the others is None."""
