"""The base of terminals that pass every call on as it is, wrong arguments and all."""

from typing import Any

from backend.mt5.api import FUNCTIONS
from backend.mt5.constants import CONSTANTS


class ForwardingApi:
    """All 32 functions and all constants; a subclass answers `_forward` and `last_error`."""

    def _forward(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The answer of that function to these arguments."""
        raise NotImplementedError

    def last_error(self) -> tuple[int, str]:
        """Code and text of the call before."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        """One of the module's functions or constants."""
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name not in _NAMES:
            raise AttributeError(f"module 'MetaTrader5' has no attribute {name!r}")

        def function(*args: Any, **kwargs: Any) -> Any:
            return self._forward(name, args, kwargs)

        function.__name__ = name
        return function


_NAMES = frozenset(FUNCTIONS)
