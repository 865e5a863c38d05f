"""Dealer: the trading side of a terminal, in the desk's words.

Reads answer with what there is: an empty tuple means that there is nothing, and a terminal that failed
is `Unavailable` with `terminal_code`. Sending answers always, with what is known of the request's fate.
"""

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from backend.core.clock import from_epoch
from backend.core.errors import Unavailable
from backend.mt5 import constants
from backend.mt5.answers import CheckAnswer, NoAnswer, NotSent, SendAnswer, SendResult
from backend.mt5.api import Mt5Api
from backend.mt5.asking import Asker
from backend.mt5.client import SymbolNames
from backend.mt5.mapping import exact
from backend.mt5.order_mapping import (
    check_answer_of,
    deal_of,
    order_of,
    request_fields,
    send_answer_of,
)
from backend.mt5.orders import Deal, Order, OrderRequest
from backend.mt5.server_time import ServerClock
from backend.mt5.structures import OrderSendResult, TradeDeal, TradeOrder
from backend.mt5.terms import TradingTerms, terms_of
from backend.mt5.words import OrderType, number_of

NOT_HANDED_OVER = frozenset(
    {
        constants.RES_E_INVALID_PARAMS,
        constants.RES_E_INVALID_VERSION,
        constants.RES_E_AUTH_FAILED,
        constants.RES_E_UNSUPPORTED,
        constants.RES_E_AUTO_TRADING_DISABLED,
        constants.RES_E_INTERNAL_FAIL_INIT,
        constants.RES_E_INTERNAL_FAIL_CONNECT,
    }
)
"""Last errors of order_send that prove that nothing went out. Any other leaves it open: a line that broke,
a timeout, a call that failed without saying where."""

_LATEST_DATE = 2**31 - 1  # that a terminal reads
TERMS_LAST = 30.0
"""Seconds for which a symbol's trading terms are taken to hold."""

SEEN_LASTS = 2.0
"""Seconds after order_check answered in which sending does not look first whether there is a connection."""

_END_OF_TIME = from_epoch(_LATEST_DATE)


class Dealer:
    """Orders, deals and requests of one terminal: UTC, canonical symbols, exact numbers.

    Args:
        api: Any terminal.
        symbols: The symbol map.
        server_clock: Rule of the broker's clock.
    """

    def __init__(self, api: Mt5Api, symbols: SymbolNames, server_clock: ServerClock) -> None:
        self._asker = Asker(api)
        self._symbols = symbols
        self._server_clock = server_clock
        self._seen_at = float("-inf")
        self._terms: dict[str, tuple[float, TradingTerms]] = {}

    # What there is

    def orders(self) -> tuple[Order, ...]:
        """All pending orders, ours and others'."""
        return self._orders("orders_get", self._api.orders_get)

    def order(self, ticket: int) -> Order | None:
        """The pending order of a ticket; None if there is none, whatever became of it."""
        found = self._orders("orders_get", lambda: self._api.orders_get(ticket=ticket))
        return found[0] if found else None

    def history_orders(self, since: datetime, until: datetime | None = None) -> tuple[Order, ...]:
        """Orders that were done in [since, until]; aware times, and without `until` all since.

        The server's clock need not keep step with the desk's, so what just happened is asked for without
        `until`. Where the server's clock is put back in between, orders of that hour before `since` or
        after `until` may be among them; none is missing.
        """
        first, last = self._range(since, until)
        return self._orders("history_orders_get", lambda: self._api.history_orders_get(first, last))

    def history_order(self, ticket: int) -> Order | None:
        """The order of a ticket that was done, filled or not; None if there is none."""
        found = self._orders("history_orders_get", lambda: self._api.history_orders_get(ticket=ticket))
        return found[0] if found else None

    def deals(self, since: datetime, until: datetime | None = None) -> tuple[Deal, ...]:
        """Deals of [since, until], as made, bookings of money among them; times as in `history_orders`."""
        first, last = self._range(since, until)
        return self._deals(lambda: self._api.history_deals_get(first, last))

    def deals_of_position(self, position_id: int) -> tuple[Deal, ...]:
        """All deals of a position, open or closed, by its identifier."""
        return self._deals(lambda: self._api.history_deals_get(position=position_id))

    def deals_of_order(self, ticket: int) -> tuple[Deal, ...]:
        """All deals that an order led to."""
        return self._deals(lambda: self._api.history_deals_get(ticket=ticket))

    # What is asked

    def margin(self, side: OrderType, symbol: str, volume: Decimal, price: Decimal) -> Decimal:
        """Margin that a new position would take by itself, in account currency.

        Args:
            side: `OrderType.BUY` or `OrderType.SELL`.
            symbol: Canonical symbol.
            volume: Lots.
            price: It would be opened at.
        """
        name = self._symbols.broker_symbol(symbol)
        number, lots, at = number_of(side), float(volume), float(price)
        found = self._asker.answer_symbol(
            "order_calc_margin", symbol, name, lambda: self._api.order_calc_margin(number, name, lots, at)
        )
        return exact(found)

    def terms(self, symbol: str, broker_symbol: str = "") -> TradingTerms:
        """How a symbol may be traded, as the broker stated it within the last `TERMS_LAST` seconds.

        They choose what is asked for; whether it may be done, order_check and the server say each time.

        Args:
            symbol: Canonical symbol.
            broker_symbol: The broker's name, for a symbol that the map does not have.
        """
        name = broker_symbol or self._symbols.broker_symbol(symbol)
        kept = self._terms.get(name)
        if kept is None or time.monotonic() - kept[0] > TERMS_LAST:
            found = self._asker.answer_symbol(
                "symbol_info", symbol, name, lambda: self._api.symbol_info(name)
            )
            kept = self._terms[name] = (time.monotonic(), terms_of(found))
        return kept[1]

    def check(self, request: OrderRequest) -> CheckAnswer:
        """What the request would do to the account; a refusal is an answer."""
        fields = request_fields(request, self._name(request), self._server_clock)
        found = check_answer_of(self._asker.answer("order_check", lambda: self._api.order_check(fields)))
        self._seen_at = time.monotonic()
        return found

    def send(self, request: OrderRequest) -> SendResult:
        """Hand the request over, once; it is never sent again here, whatever came of it.

        Whoever calls has its intent on disk already. A terminal that is not there is `NotSent`, so that
        the caller can tell it from `NoAnswer`, of which only looking at orders, deals and positions tells
        more. A refusal by the server is a `SendAnswer`.

        Raises:
            NotFound: The symbol map has no such symbol; nothing was sent.
        """
        fields = request_fields(request, self._name(request), self._server_clock)
        try:  # a connection that nobody has made yet is made here, and not by sending twice
            if time.monotonic() - self._seen_at > SEEN_LASTS:
                self._asker.answer("version", self._api.version)
        except Unavailable as error:
            return NotSent(int(error.details.get("terminal_code", constants.RES_E_FAIL)), error.message)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent yet
            return NotSent(constants.RES_E_FAIL, f"{type(error).__name__}: {error}")
        return _sent(self._api, lambda: self._api.order_send(fields))

    # Inside

    @property
    def _api(self) -> Mt5Api:
        return self._asker.api

    def _name(self, request: OrderRequest) -> str:
        if request.broker_symbol or not request.symbol:
            return request.broker_symbol
        return self._symbols.broker_symbol(request.symbol)

    def _range(self, since: datetime, until: datetime | None) -> tuple[int, int]:
        first, last = self._server_clock.server_range(since, _END_OF_TIME if until is None else until)
        return max(first, 1), min(max(last, 1), _LATEST_DATE)

    def _orders(self, function: str, call: Callable[[], tuple[TradeOrder, ...] | None]) -> tuple[Order, ...]:
        found = self._asker.answer(function, call)
        return tuple(order_of(one, self._symbols.canonical, self._server_clock) for one in found)

    def _deals(self, call: Callable[[], tuple[TradeDeal, ...] | None]) -> tuple[Deal, ...]:
        found = self._asker.answer("history_deals_get", call)
        return tuple(deal_of(one, self._symbols.canonical, self._server_clock) for one in found)


def _sent(api: Mt5Api, send: Callable[[], OrderSendResult | None]) -> SendResult:
    try:
        result = send()
    except SystemError as error:  # what CPython makes of arguments that the module could not read
        return NotSent(constants.RES_E_INVALID_PARAMS, str(error))
    except Exception as error:  # noqa: BLE001 - whatever broke on the way, the request may have gone out
        return NoAnswer(constants.RES_E_FAIL, f"{type(error).__name__}: {error}")
    if result is not None:
        return _read(result)
    code, text = api.last_error()
    return NotSent(code, text) if code in NOT_HANDED_OVER else NoAnswer(code, text)


def _read(result: OrderSendResult) -> SendAnswer | NoAnswer:
    try:
        return send_answer_of(result)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        return NoAnswer(constants.RES_E_FAIL, f"the answer cannot be read: {error}")
