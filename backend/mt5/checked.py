"""The base of every terminal of the desk: reads arguments as the module does, keeps last_error()."""

from collections.abc import Callable
from typing import Any

from backend.mt5 import arguments
from backend.mt5.api import ANSWERS_BOOL, SUCCESS, CallFailed
from backend.mt5.arguments import invalid
from backend.mt5.constants import CONSTANTS
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

_Reader = Callable[[str, Any], Any]
_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _text(name: str, units: int = arguments.SYMBOL_UNITS) -> _Reader:
    return lambda _function, value: arguments.text(name, value, units)


def _date(name: str) -> _Reader:
    return lambda _function, value: arguments.date(name, value)


def _flag(_function: str, value: Any) -> bool:
    return bool(value)


_SYMBOL = _text("symbol")
_RANGE = (_date("date_from"), _date("date_to"))

_POSITIONAL: dict[str, tuple[_Reader, ...]] = {
    "symbol_info": (_SYMBOL,),
    "symbol_info_tick": (_SYMBOL,),
    "symbol_select": (_SYMBOL, _flag),
    "market_book_add": (_SYMBOL,),
    "market_book_get": (_SYMBOL,),
    "market_book_release": (_SYMBOL,),
    "copy_rates_from": (_SYMBOL, arguments.integer, _date("date_from"), arguments.integer),
    "copy_rates_from_pos": (_SYMBOL, arguments.integer, arguments.integer, arguments.integer),
    "copy_rates_range": (_SYMBOL, arguments.integer, *_RANGE),
    "copy_ticks_from": (_SYMBOL, _date("date_from"), arguments.integer, arguments.integer),
    "copy_ticks_range": (_SYMBOL, *_RANGE, arguments.integer),
    "history_orders_total": _RANGE,
    "history_deals_total": _RANGE,
    "order_calc_margin": (arguments.integer, _SYMBOL, arguments.number, arguments.number),
    "order_calc_profit": (
        arguments.integer,
        _SYMBOL,
        arguments.number,
        arguments.number,
        arguments.number,
    ),
}
_OPTIONAL = {"symbol_select": 1}


def _positional(function: str, args: tuple[Any, ...]) -> _Arguments:
    readers = _POSITIONAL[function]
    if not len(readers) - _OPTIONAL.get(function, 0) <= len(args) <= len(readers):
        raise invalid()
    return tuple(read(function, value) for read, value in zip(readers, args, strict=False)), {}


def _session(function: str, args: tuple[Any, ...], given: dict[str, Any], first: str) -> _Arguments:
    """Of initialize and login: everything also as a keyword."""
    names = (first,) if function == "initialize" else (first, "password", "server", "timeout")
    if len(args) > len(names) or any(name in given for name in names[: len(args)]):
        raise invalid()
    values = dict(zip(names, args, strict=False)) | given
    readers: dict[str, _Reader] = {
        "path": _text("path", arguments.PATH_UNITS),
        "login": lambda name, value: arguments.ticket(name, "login", value),
        "password": _text("password", arguments.SECRET_UNITS),
        "server": _text("server", arguments.SECRET_UNITS),
        "timeout": arguments.integer,
        "portable": _flag,
    }
    if values.keys() - readers.keys() or (function == "login" and "login" not in values):
        raise invalid()
    read = {name: readers[name](function, value) for name, value in values.items() if value is not None}
    head = (read.pop(first),) if first in read else ()
    return head, read


def _filter(function: str, args: tuple[Any, ...], given: dict[str, Any]) -> _Arguments:
    """Of orders_get and positions_get: ticket, else symbol, else group."""
    if args:
        raise invalid("Unnamed arguments not allowed")
    if given.keys() - {"ticket", "symbol", "group"}:
        raise invalid()
    if "ticket" in given:
        return (), {"ticket": arguments.ticket(function, "ticket", given["ticket"])}
    for name, units in (("symbol", arguments.SYMBOL_UNITS), ("group", arguments.PATH_UNITS)):
        if name in given:
            return (), {name: arguments.text(name, given[name], units)}
    return (), {}


def _history(function: str, args: tuple[Any, ...], given: dict[str, Any]) -> _Arguments:
    """Of history_*_get: a ticket, else a position, else an interval with or without a group."""
    names = ("date_from", "date_to")
    if len(args) > len(names) or given.keys() - {*names[len(args) :], "group", "ticket", "position"}:
        raise invalid()
    for name in ("ticket", "position"):
        if name in given:
            return (), {name: arguments.ticket(function, name, given[name])}
    values = dict(zip(names, args, strict=False)) | given
    if not all(name in values for name in names):
        raise invalid()
    dates = tuple(arguments.date(name, values[name]) for name in names)
    group = (
        {"group": arguments.text("group", given["group"], arguments.PATH_UNITS)} if "group" in given else {}
    )
    return dates, group


class CheckedApi:
    """All 32 functions and all constants; a subclass answers `_call` with arguments that were read.

    Dates arrive as int server epochs, volumes and prices as float, requests as `TradeRequest`, symbols
    within their length. A script written for the module runs on a subclass unchanged.
    """

    def __init__(self) -> None:
        self._error: tuple[int, str] = SUCCESS

    def _call(self, function: str, *args: Any, **given: Any) -> Any:
        """Do it.

        Raises:
            CallFailed: The function gives None (or False), last_error() its code and text.
        """
        raise NotImplementedError

    def _run(self, function: str, read: Callable[[], _Arguments]) -> Any:
        self._error = SUCCESS
        try:
            args, given = read()
            return self._call(function, *args, **given)
        except CallFailed as failed:
            self._error = (failed.code, failed.text)
            return False if function in ANSWERS_BOOL else None

    def _plain(self, function: str, args: tuple[Any, ...] = ()) -> Any:
        if function not in _POSITIONAL:
            return self._run(function, lambda: ((), {}))
        return self._run(function, lambda: _positional(function, args))

    def initialize(self, *args: Any, **given: Any) -> bool:  # noqa: D102
        return bool(self._run("initialize", lambda: _session("initialize", args, given, "path")))

    def login(self, *args: Any, **given: Any) -> bool:  # noqa: D102
        return bool(self._run("login", lambda: _session("login", args, given, "login")))

    def shutdown(self) -> None:  # noqa: D102
        self._plain("shutdown")

    def version(self) -> tuple[int, int, str] | None:  # noqa: D102
        answer: tuple[int, int, str] | None = self._plain("version")
        return answer

    def last_error(self) -> tuple[int, str]:  # noqa: D102
        return self._error

    def terminal_info(self) -> TerminalInfo | None:  # noqa: D102
        answer: TerminalInfo | None = self._plain("terminal_info")
        return answer

    def account_info(self) -> AccountInfo | None:  # noqa: D102
        answer: AccountInfo | None = self._plain("account_info")
        return answer

    def symbols_total(self) -> int | None:  # noqa: D102
        answer: int | None = self._plain("symbols_total")
        return answer

    def symbols_get(self, *args: Any, **given: Any) -> tuple[SymbolInfo, ...] | None:  # noqa: D102
        def read() -> _Arguments:
            if len(args) + len(given) > 1 or given.keys() - {"group"}:
                raise invalid()
            groups = (*args, *given.values())
            return (), {"group": arguments.text("group", groups[0], arguments.PATH_UNITS)} if groups else {}

        answer: tuple[SymbolInfo, ...] | None = self._run("symbols_get", read)
        return answer

    def symbol_info(self, *args: Any) -> SymbolInfo | None:  # noqa: D102
        answer: SymbolInfo | None = self._plain("symbol_info", args)
        return answer

    def symbol_info_tick(self, *args: Any) -> Tick | None:  # noqa: D102
        answer: Tick | None = self._plain("symbol_info_tick", args)
        return answer

    def symbol_select(self, *args: Any) -> bool:  # noqa: D102
        return bool(self._plain("symbol_select", args))

    def market_book_add(self, *args: Any) -> bool:  # noqa: D102
        return bool(self._plain("market_book_add", args))

    def market_book_get(self, *args: Any) -> tuple[BookInfo, ...] | None:  # noqa: D102
        answer: tuple[BookInfo, ...] | None = self._plain("market_book_get", args)
        return answer

    def market_book_release(self, *args: Any) -> bool:  # noqa: D102
        return bool(self._plain("market_book_release", args))

    def _records(self, function: str, args: tuple[Any, ...]) -> Records | None:
        answer: Records | None = self._plain(function, args)
        return answer

    def copy_rates_from(self, *args: Any) -> Records | None:  # noqa: D102
        return self._records("copy_rates_from", args)

    def copy_rates_from_pos(self, *args: Any) -> Records | None:  # noqa: D102
        return self._records("copy_rates_from_pos", args)

    def copy_rates_range(self, *args: Any) -> Records | None:  # noqa: D102
        return self._records("copy_rates_range", args)

    def copy_ticks_from(self, *args: Any) -> Records | None:  # noqa: D102
        return self._records("copy_ticks_from", args)

    def copy_ticks_range(self, *args: Any) -> Records | None:  # noqa: D102
        return self._records("copy_ticks_range", args)

    def orders_total(self) -> int | None:  # noqa: D102
        answer: int | None = self._plain("orders_total")
        return answer

    def orders_get(self, *args: Any, **given: Any) -> tuple[TradeOrder, ...] | None:  # noqa: D102
        answer: tuple[TradeOrder, ...] | None = self._run(
            "orders_get", lambda: _filter("orders_get", args, given)
        )
        return answer

    def positions_total(self) -> int | None:  # noqa: D102
        answer: int | None = self._plain("positions_total")
        return answer

    def positions_get(self, *args: Any, **given: Any) -> tuple[TradePosition, ...] | None:  # noqa: D102
        answer: tuple[TradePosition, ...] | None = self._run(
            "positions_get", lambda: _filter("positions_get", args, given)
        )
        return answer

    def history_orders_total(self, *args: Any) -> int | None:  # noqa: D102
        answer: int | None = self._plain("history_orders_total", args)
        return answer

    def history_orders_get(self, *args: Any, **given: Any) -> tuple[TradeOrder, ...] | None:  # noqa: D102
        answer: tuple[TradeOrder, ...] | None = self._run(
            "history_orders_get", lambda: _history("history_orders_get", args, given)
        )
        return answer

    def history_deals_total(self, *args: Any) -> int | None:  # noqa: D102
        answer: int | None = self._plain("history_deals_total", args)
        return answer

    def history_deals_get(self, *args: Any, **given: Any) -> tuple[TradeDeal, ...] | None:  # noqa: D102
        answer: tuple[TradeDeal, ...] | None = self._run(
            "history_deals_get", lambda: _history("history_deals_get", args, given)
        )
        return answer

    def order_calc_margin(self, *args: Any) -> float | None:  # noqa: D102
        answer: float | None = self._plain("order_calc_margin", args)
        return answer

    def order_calc_profit(self, *args: Any) -> float | None:  # noqa: D102
        answer: float | None = self._plain("order_calc_profit", args)
        return answer

    def order_check(self, *args: Any, **fields: Any) -> OrderCheckResult | None:  # noqa: D102
        answer: OrderCheckResult | None = self._run(
            "order_check", lambda: ((arguments.trade_request("order_check", args, fields),), {})
        )
        return answer

    def order_send(self, *args: Any, **fields: Any) -> OrderSendResult | None:  # noqa: D102
        answer: OrderSendResult | None = self._run(
            "order_send", lambda: ((arguments.trade_request("order_send", args, fields),), {})
        )
        return answer


for _name, _value in CONSTANTS.items():
    setattr(CheckedApi, _name, _value)
