"""The official MetaTrader5 module in this process: Windows only, and only in the connector.

Its calls hold the interpreter until the terminal answers; nothing else of the process runs meanwhile.
"""

import importlib
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from backend.core.errors import Unavailable
from backend.mt5 import constants
from backend.mt5.forwarding import ForwardingApi
from backend.mt5.structures import STRUCTURES

_FIRST_TIMEOUT_MS = 10_000  # a terminal that runs answers at once; one that starts takes a few seconds
_SLOWER_TIMEOUT_MS = 60_000
_ATTEMPTS = 3
_PAUSE = 0.2


class NativeTerminal(ForwardingApi):
    """The module's functions, its answers as our own structures.

    `initialize()` without arguments connects as configured: first without credentials, then by `login()`
    only if another account is signed in, because initializing with credentials a terminal that is signed in
    already was seen to time out.

    Args:
        path: Of terminal64.exe; None takes the one that is installed.
        login: Account to be signed in to; None takes whatever the terminal is signed in to.
        password: Its password.
        server: Its trade server.
        portable: Whether the terminal runs with /portable.
        load: Gives the module.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        login: int | None = None,
        password: str = "",
        server: str = "",
        portable: bool = False,
        load: Callable[[], Any] | None = None,
    ) -> None:
        self._path, self._login = path, login
        self._password, self._server, self._portable = password, server, portable
        self._load: Callable[[], Any] = load if load is not None else _official
        self._module: Any = None
        self._error: tuple[int, str] | None = None

    def last_error(self) -> tuple[int, str]:
        """The module's own, or that of the sign-in that failed."""
        if self._error is not None:
            return self._error
        code, text = self._loaded().last_error()
        return int(code), str(text)

    def _forward(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._error = None
        if function == "initialize" and not args and not kwargs:
            return self._connect()
        return ours(getattr(self._loaded(), function)(*args, **kwargs))

    def _connect(self) -> bool:
        module = self._loaded()
        place = (self._path,) if self._path else ()
        options: dict[str, Any] = {"timeout": _FIRST_TIMEOUT_MS}
        if self._portable:
            options["portable"] = True
        if not module.initialize(*place, **options):
            if self._login is None or module.last_error()[0] != constants.RES_E_AUTH_FAILED:
                return False
            credentials = {"login": self._login, "password": self._password, "server": self._server}
            return bool(
                module.initialize(*place, **credentials, **(options | {"timeout": _SLOWER_TIMEOUT_MS}))
            )
        if self._login is None or self._signed_in(module):
            return True
        return bool(
            module.login(
                self._login, password=self._password, server=self._server, timeout=_SLOWER_TIMEOUT_MS
            )
        )

    def _signed_in(self, module: Any) -> bool:
        for attempt in range(_ATTEMPTS):
            account = module.account_info()
            if account is not None:
                return int(account.login) == self._login
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_PAUSE)
        return False

    def _loaded(self) -> Any:
        if self._module is None:
            self._module = self._load()
        return self._module


def ours(value: Any) -> Any:
    """The module's structure as ours of the same name and fields; anything else as it is.

    Raises:
        Unavailable: Code ``terminal_version``: it has other fields than those known.
    """
    if isinstance(value, tuple):
        kind = STRUCTURES.get(type(value).__name__)
        if kind is None:
            return tuple(ours(item) for item in value)
        fields = value._asdict()  # type: ignore[attr-defined]
        known = {name: ours(fields[name]) for name in kind._fields if name in fields}
        try:
            return kind(**known)
        except TypeError as error:
            raise Unavailable(
                "terminal_version", f"the terminal's {kind.__name__} has other fields than expected: {error}"
            ) from error
    return value


def _official() -> ModuleType:
    try:
        return importlib.import_module("MetaTrader5")
    except ImportError as error:
        raise Unavailable(
            "no_metatrader5",
            "the MetaTrader5 package is not installed here; it exists for Windows only. Elsewhere use "
            "MT5UI_TERMINAL=bridge (see the guide) or the simulated terminal",
        ) from error
