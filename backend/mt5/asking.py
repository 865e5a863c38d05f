"""Asking a terminal: a failed call is an error with the terminal's own words, never empty data."""

from collections.abc import Callable
from typing import Any, TypeVar

from backend.core.errors import Invalid, NotFound, Unavailable
from backend.core.timeframes import Timeframe
from backend.mt5 import constants
from backend.mt5.api import Mt5Api
from backend.mt5.structures import Records

UNREACHABLE = frozenset(
    {
        constants.RES_E_INTERNAL_FAIL,
        constants.RES_E_INTERNAL_FAIL_SEND,
        constants.RES_E_INTERNAL_FAIL_RECEIVE,
        constants.RES_E_INTERNAL_FAIL_INIT,
        constants.RES_E_INTERNAL_FAIL_CONNECT,
        constants.RES_E_INTERNAL_FAIL_TIMEOUT,
    }
)
_CODES = {
    constants.RES_E_AUTH_FAILED: "terminal_authorization",
    constants.RES_E_INVALID_VERSION: "terminal_version",
    constants.RES_E_AUTO_TRADING_DISABLED: "terminal_trading_disabled",
}

T = TypeVar("T")


class Asker:
    """Calls of one terminal, connecting it once where it was not.

    Args:
        api: Any terminal.
    """

    def __init__(self, api: Mt5Api) -> None:
        self.api = api

    def answer(self, function: str, call: Callable[[], T | None]) -> T:
        """What the call gives.

        Raises:
            Unavailable: It gave None or False; with `terminal_code` and `terminal_message`.
            Invalid: The terminal could not read its arguments.
        """
        found = self._try(function, call)
        if not _given(found) and self._connected_now():
            found = self._try(function, call)
        if found is None or found is False:
            raise failure(function, self.api.last_error())
        return found

    def answer_symbol(self, function: str, symbol: str, name: str, call: Callable[[], T | None]) -> T:
        """What a call about a symbol gives; one that is hidden is put into the market watch first.

        Raises:
            NotFound: The broker has no such symbol.
            Unavailable: The terminal failed.
        """
        found = self._try(function, call)
        if found is None:
            self.select(name)
            try:
                found = self.answer(function, call)
            except Unavailable as error:
                if error.details.get("terminal_code") != constants.RES_E_NOT_FOUND or self._exists(name):
                    raise
                raise NotFound(
                    "unknown_symbol",
                    f"{symbol}: the broker has no {name!r}; correct its broker_symbol in the symbol map",
                    symbol=symbol,
                    broker_symbol=name,
                ) from error
        return found

    def select(self, name: str) -> None:
        """Put a symbol into the market watch; whether it helped, the next answer tells."""
        if not self._try("symbol_select", lambda: self.api.symbol_select(name, True)) and (
            self._connected_now()
        ):
            self._try("symbol_select", lambda: self.api.symbol_select(name, True))

    def rates(self, function: str, symbol: str, name: str, timeframe: Timeframe, *rest: int) -> Records:
        """The answer of one of the copy_rates functions; `rest` follows symbol and timeframe."""
        call: Callable[..., Records | None] = getattr(self.api, function)
        number = constants.CONSTANTS[f"TIMEFRAME_{timeframe}"]
        return self.answer_symbol(function, symbol, name, lambda: call(name, number, *rest))

    def _exists(self, name: str) -> bool:
        return self.api.symbol_info(name) is not None

    def _connected_now(self) -> bool:
        """Whether the failure was that nobody had connected, and that is mended."""
        missing = self.api.last_error()[0] == constants.RES_E_INTERNAL_FAIL_CONNECT
        return missing and bool(self._try("initialize", self.api.initialize))

    @staticmethod
    def _try(function: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except SystemError as error:
            raise Invalid(
                "terminal_arguments", f"{function}: the terminal could not read its arguments: {error}"
            ) from error


def failure(function: str, error: tuple[int, str]) -> Unavailable:
    """The error of a call that gave None or False."""
    code, text = error
    name = "terminal_unreachable" if code in UNREACHABLE else _CODES.get(code, "terminal_error")
    return Unavailable(
        name,
        f"the terminal failed in {function}: {text} ({code})",
        terminal_code=code,
        terminal_message=text,
        function=function,
    )


def _given(answer: Any) -> bool:
    return answer is not None and answer is not False
