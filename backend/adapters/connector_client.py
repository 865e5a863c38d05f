"""The MetaTrader5 module as seen through the connector: the same functions, results and failures."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from backend.core import masking
from backend.core.clock import Clock, SystemClock, iso, parse_iso
from backend.core.errors import DeskError, Unavailable, from_dict
from backend.core.replay import ReplayState
from backend.core.trust import authorities
from backend.mt5 import constants, wire
from backend.mt5.api import ANSWERS_BOOL, ORDER_SEND_SECONDS, SUCCESS
from backend.mt5.forwarding import ForwardingApi

NO_CONNECTION = (constants.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
TIMED_OUT = (constants.RES_E_INTERNAL_FAIL_TIMEOUT, "IPC timeout")
_RECEIVE_FAILED = constants.RES_E_INTERNAL_FAIL_RECEIVE
_REFUSED = (
    constants.RES_E_AUTH_FAILED,
    "Terminal: Authorization failed (the connector refused the token)",
)
_CONNECT_SECONDS = 3.0
_CALL_SECONDS = 15.0  # above the connector's own deadlines, so that it is the one to say what hangs
_SLOW_SECONDS = 35.0
_SESSION_SECONDS = 75.0
_SLOW = ("copy_", "symbols_get", "history_")
_CLOCK_SECONDS = 5.0
_CACHED_SECONDS = 0.05
_CATEGORIES = {404: "not_found", 409: "conflict", 422: "invalid"}


@dataclass(frozen=True, slots=True)
class ConnectorAddress:
    """Where the connector is, and the token that it wants."""

    url: str
    token: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "ConnectorAddress":
        """Out of ``data/run/connector.json``."""
        return cls(str(record["url"]), masking.remember(str(record["token"])))


FindAddress = Callable[[], ConnectorAddress]
"""Tells the present address; raises `Unavailable` or `NotFound` if there is none."""


class ConnectorLink:
    """Requests to the connector over connections that stay open; safe for threads.

    The address is asked again when nobody answers there: a connector that was started again listens
    elsewhere.

    Args:
        find: Tells the present address.
        timeout_scale: Multiplies every timeout.
    """

    def __init__(self, find: FindAddress, *, timeout_scale: float = 1.0) -> None:
        self._find = find
        self._scale = timeout_scale
        self._address: ConnectorAddress | None = None
        self._lock = threading.Lock()
        self._clients: dict[str, httpx.Client] = {}  # by scheme

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def request(self, method: str, path: str, *, seconds: float, **given: Any) -> httpx.Response:
        """The answer, whatever its status.

        Raises:
            httpx.HTTPError: None came. A ConnectError means that the request was not sent.
            DeskError: No address is known.
        """
        address = self._known()
        try:
            response = self._send(address, method, path, seconds, given)
        except httpx.ConnectError:
            if (other := self._look_again(address)) is None:
                raise
            return self._send(other, method, path, seconds, given)
        if response.status_code == httpx.codes.UNAUTHORIZED and (other := self._look_again(address)):
            return self._send(other, method, path, seconds, given)
        return response

    def _send(
        self, address: ConnectorAddress, method: str, path: str, seconds: float, given: dict[str, Any]
    ) -> httpx.Response:
        timeout = httpx.Timeout(seconds * self._scale, connect=_CONNECT_SECONDS * self._scale)
        headers = {"authorization": f"Bearer {address.token}"}
        client = self._client(address.url)
        return client.request(method, address.url + path, headers=headers, timeout=timeout, **given)

    def _client(self, url: str) -> httpx.Client:
        scheme = url.partition(":")[0]
        with self._lock:
            if scheme not in self._clients:
                limits = httpx.Limits(max_connections=32, keepalive_expiry=60.0)
                self._clients[scheme] = httpx.Client(verify=authorities(url), trust_env=False, limits=limits)
            return self._clients[scheme]

    def _known(self) -> ConnectorAddress:
        with self._lock:
            if self._address is None:
                self._address = self._find()
            return self._address

    def _look_again(self, tried: ConnectorAddress) -> ConnectorAddress | None:
        """Another address than the one that was tried; None if there is none."""
        try:
            found = self._find()
        except DeskError:
            found = None
        with self._lock:
            self._address = found
        return found if found != tried else None


class ConnectorApi(ForwardingApi):
    """All 32 functions and all constants of the module, answered by a connector.

    As of the module: nothing answers before `initialize()`; None or False is a failure, and
    `last_error()` tells why: (-10004, 'No IPC connection') if nobody listens, (-10005, 'IPC timeout') if
    nobody answers. The last error is kept per thread, so threads may share one object. `shutdown()` ends
    this object's connection, not the terminal, which others use.

    Args:
        link: The way to the connector.
    """

    def __init__(self, link: ConnectorLink) -> None:
        self._link = link
        self._initialized = False
        self._errors = threading.local()

    def last_error(self) -> tuple[int, str]:
        """Code and text of this thread's call before."""
        error: tuple[int, str] = getattr(self._errors, "last", SUCCESS)
        return error

    def _forward(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function == "shutdown":
            self._initialized = False
            self._errors.last = SUCCESS
            return None
        if not self._initialized and function != "initialize":
            return self._failed(function, NO_CONNECTION)
        result = self._call(function, args, kwargs)
        if function == "initialize":
            self._initialized = result is True
        return result

    def _call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            response = self._link.request(
                "POST",
                f"/call/{function}",
                seconds=_timeout(function, kwargs),
                content=wire.dump_arguments(args, kwargs),
            )
        except httpx.TimeoutException as error:
            connecting = isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout))
            return self._failed(function, NO_CONNECTION if connecting else TIMED_OUT)
        except httpx.ConnectError:
            return self._failed(function, NO_CONNECTION)
        except DeskError as error:  # where it should be found nobody knows; the reason says what to do
            return self._failed(function, (NO_CONNECTION[0], f"{NO_CONNECTION[1]}: {error.message}"))
        except httpx.HTTPError as error:
            return self._failed(function, (_RECEIVE_FAILED, f"IPC receive failed: {error}"))
        if response.status_code != httpx.codes.OK:
            return self._failed(function, _error_of(response))
        return self._read(function, response)

    def _read(self, function: str, response: httpx.Response) -> Any:
        try:
            header = response.headers.get("x-mt5-answer")
            answer = json.loads(header if header is not None else response.content)
            code, text = answer["last_error"]
            raised = answer.get("raised")
            if raised is None:
                result = (
                    wire.load_array(answer["array"], response.content)
                    if header is not None
                    else wire.decode(answer["result"])
                )
        except (ValueError, KeyError, TypeError) as error:
            return self._failed(function, (_RECEIVE_FAILED, f"IPC receive failed: {error}"))
        self._errors.last = (int(code), str(text))
        if raised is not None:
            raise wire.exception_of(str(raised["type"]), str(raised["message"]))
        return result

    def _failed(self, function: str, error: tuple[int, str]) -> Any:
        self._errors.last = error
        return False if function in ANSWERS_BOOL else None


class ConnectorClock:
    """The clock of a replayed desk: desk time is the connector's, wall time this computer's.

    Also moves it (`backend.jobs.clock_control.ClockControl`).

    Args:
        link: The way to the connector.
        wall: Tells the wall time.
    """

    def __init__(self, link: ConnectorLink, *, wall: Clock | None = None) -> None:
        self._link = link
        self._wall: Clock = wall if wall is not None else SystemClock()
        self._seen: tuple[float, datetime] | None = None

    def now(self) -> datetime:
        """Desk time, at most 50 ms old.

        Raises:
            Unavailable: The connector does not answer: then nobody knows the time.
        """
        seen = self._seen
        if seen is not None and time.monotonic() - seen[0] <= _CACHED_SECONDS:
            return seen[1]
        return self.state().now

    def wall(self) -> datetime:
        """Wall time."""
        return self._wall.wall()

    def describe(self) -> dict[str, Any]:
        """Both times, mode, range and speed as the connector tells them; JSON values."""
        return self._ask("GET", "/clock")

    def state(self) -> ReplayState:
        """Where the replay stands.

        Raises:
            Conflict: The connector's desk is live.
            Unavailable: It does not answer.
        """
        return self._state(self.describe())

    def next_close(self, timeframes: Sequence[str]) -> datetime | None:
        """The next close, after now, of a bar of any of these timeframes; None at the end of the data."""
        found = self._ask("GET", "/clock/next-close", params={"timeframes": list(timeframes)})["next_close"]
        return parse_iso(found) if found is not None else None

    def advance(self, to: datetime) -> ReplayState:
        """Let desk time be `to`, which is not before now; at most the end of the data.

        Raises:
            Conflict: The connector's desk is live.
            Invalid: `to` lies behind.
            Unavailable: It does not answer; asking again with the same time does no harm.
        """
        return self._state(self._ask("POST", "/clock/advance", json={"to": iso(to)}))

    def _state(self, described: dict[str, Any]) -> ReplayState:
        if described.get("range") is None:
            raise from_dict(
                {
                    "category": "conflict",
                    "code": "live_desk",
                    "message": "this desk is live; nothing is replayed",
                }
            )
        first, last = described["range"]
        now = parse_iso(described["desk_now"])
        self._seen = (time.monotonic(), now)
        return ReplayState(now=now, first=parse_iso(first), last=parse_iso(last))

    def _ask(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        try:
            response = self._link.request(method, path, seconds=_CLOCK_SECONDS, **given)
        except httpx.HTTPError as error:
            raise Unavailable(
                "connector_down", f"the MT5 connector does not answer: {str(error) or type(error).__name__}"
            ) from error
        if response.status_code != httpx.codes.OK:
            raise _desk_error(response)
        answer: dict[str, Any] = response.json()
        return answer


def _timeout(function: str, kwargs: Mapping[str, Any]) -> float:
    if function in {"initialize", "login"}:
        asked = kwargs.get("timeout")
        return _SESSION_SECONDS + (asked / 1000 if isinstance(asked, int) and 0 < asked < 10**6 else 0)
    if function == "order_send":
        return ORDER_SEND_SECONDS + 5
    return _SLOW_SECONDS if function.startswith(_SLOW) else _CALL_SECONDS


def _error_of(response: httpx.Response) -> tuple[int, str]:
    """The terminal's kind of last error for an answer that is none of the terminal's."""
    error = _desk_error(response)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return _REFUSED
    if error.code in {"terminal_stuck", "terminal_busy"}:
        return TIMED_OUT[0], f"{TIMED_OUT[1]} ({error.message})"
    return _RECEIVE_FAILED, f"IPC receive failed: {error.message}"


def _desk_error(response: httpx.Response) -> DeskError:
    try:
        error = response.json()["error"]
        code, message, details = str(error["code"]), str(error["message"]), dict(error.get("details") or {})
    except (ValueError, KeyError, TypeError):
        code, details = "connector_answer", {}
        message = f"the connector answered {response.status_code} without saying why"
    category = _CATEGORIES.get(response.status_code, "unavailable")
    return from_dict({"category": category, "code": code, "message": message, "details": details})
