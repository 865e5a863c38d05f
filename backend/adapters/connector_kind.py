"""What kind of terminal the connector really has: it says so itself, whatever this process's settings say."""

import threading
import time
from typing import Final

import httpx

from backend.adapters.connector_client import ConnectorLink
from backend.core.errors import DeskError

ASK_AGAIN: Final = 5.0
_PATIENCE: Final = 0.5
_NO_MONEY: Final = frozenset({"simulated", "replay"})


class ConnectorKind:
    """Asks at most every few seconds; while nobody answers, what was said last holds.

    Args:
        link: The way to the connector.
    """

    def __init__(self, link: ConnectorLink) -> None:
        self._link = link
        self._mutex = threading.Lock()
        self._said = ""
        self._asked: float | None = None

    def real(self) -> str:
        """The kind of a terminal that may hold real money; empty where none is known."""
        with self._mutex:
            now = time.monotonic()
            if self._asked is None or now - self._asked >= ASK_AGAIN:
                self._said = self._ask() or self._said
                self._asked = time.monotonic()
            return "" if self._said in _NO_MONEY else self._said

    def _ask(self) -> str:
        try:
            answer = self._link.request("GET", "/healthz", seconds=_PATIENCE)
            return str(answer.raise_for_status().json()["terminal"])
        except (httpx.HTTPError, DeskError, ValueError, KeyError, TypeError):
            return ""
