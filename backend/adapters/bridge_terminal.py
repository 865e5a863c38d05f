"""A terminal under Wine, in a container or in a virtual machine, through an RPyC classic server.

Serves mt5linux, pymt5linux, MetaTrader5-Docker and siliconmetatrader5 alike. RPyC classic lets whoever
connects run anything there, without a password: so only loopback is spoken to, unless allowed.
"""

import ipaddress
import json
import socket
from contextlib import suppress
from typing import Any

from backend.adapters.bridge_helper import HELPER
from backend.core.errors import Invalid
from backend.mt5 import constants, wire
from backend.mt5.api import ANSWERS_BOOL
from backend.mt5.forwarding import ForwardingApi
from backend.mt5.structures import RATES_DTYPE, TICKS_DTYPE

_CONNECT_SECONDS = 5.0
_CALL_SECONDS = 9.0  # below the connector's deadlines, so that the bridge is the one to say what hangs
_SLOW_SECONDS = 28.0
_SESSION_SECONDS = 60.0
_SLOW = ("copy_", "symbols_get", "history_", "order_send")
_OTHER_VERSION = "invalid message type"
NO_CONNECTION = (constants.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
TIMED_OUT = (constants.RES_E_INTERNAL_FAIL_TIMEOUT, "IPC timeout")
_RECEIVE_FAILED = constants.RES_E_INTERNAL_FAIL_RECEIVE
_LOST = (_RECEIVE_FAILED, "IPC receive failed: the bridge's connection was lost")


class BridgeTerminal(ForwardingApi):
    """The functions of a MetaTrader5 module on another Python, its answers as our own structures.

    Connects on the first `initialize()` and again on the next one after the connection was lost.

    Args:
        host: Where the RPyC classic server listens.
        port: Its port, usually 18812 or 8001.
        allow_remote: Also speak to a host that is not this computer; use an SSH tunnel instead.
        login: Account to be signed in to; None takes whatever the terminal is signed in to.
        password: Its password; it travels in clear text.
        server: Its trade server.
        path: Of terminal64.exe over there; None takes the one that is installed.

    Raises:
        Invalid: Code ``remote_bridge``: the host is not this computer and `allow_remote` is not set.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 18812,
        *,
        allow_remote: bool = False,
        login: int | None = None,
        password: str = "",
        server: str = "",
        path: str | None = None,
        timeout_scale: float = 1.0,
    ) -> None:
        if not allow_remote and not _is_loopback(host):
            raise Invalid(
                "remote_bridge",
                f"the bridge at {host}:{port} is not on this computer, and RPyC has neither password nor "
                f"encryption: whoever reaches it rules that machine. Tunnel it: "
                f"ssh -L {port}:127.0.0.1:{port} {host}, and use 127.0.0.1; "
                "or set MT5UI_BRIDGE_ALLOW_REMOTE=true on a network you trust",
                host=host,
            )
        self._host, self._port = host, port
        self._login, self._password, self._server, self._path = login, password, server, path
        self._scale = timeout_scale
        self._connection: Any = None
        self._remote: Any = None
        self._error: tuple[int, str] = NO_CONNECTION

    def last_error(self) -> tuple[int, str]:
        """Code and text of the call before."""
        return self._error

    def close(self) -> None:
        """End the connection, not the terminal."""
        connection, self._connection, self._remote = self._connection, None, None
        if connection is not None:
            with suppress(Exception):  # the other side may be gone already
                connection.close()

    def _forward(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function == "initialize":
            if self._connection is None and not self._connect():
                return False
            if not args and not kwargs:
                return self._sign_in()
        elif function == "shutdown" and self._connection is None:
            return None
        return self._call(function, args, kwargs)

    def _sign_in(self) -> bool:
        place = (self._path,) if self._path else ()
        if not self._call("initialize", place, {}):
            return False
        if self._login is None:
            return True
        account = self._call("account_info", (), {})
        if account is not None and account.login == self._login:
            return True
        return bool(self._call("login", (self._login, self._password, self._server), {}))

    def _call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._connection is None:
            return self._failed(function, NO_CONNECTION)
        self._connection._config["sync_request_timeout"] = self._seconds(function, kwargs)  # noqa: SLF001 - rpyc has no other way
        try:
            text, raw = self._remote(function, wire.dump_arguments(args, kwargs).decode())
            return self._read(function, str(text), bytes(raw))
        except TimeoutError:
            self.close()  # a late answer would be taken for that of the next call
            return self._failed(function, TIMED_OUT)
        except (EOFError, OSError, ReferenceError):
            self.close()
            # The request may be with the terminal already, which "no connection" would deny.
            return self._failed(function, _LOST if function == "order_send" else NO_CONNECTION)

    def _read(self, function: str, text: str, raw: bytes) -> Any:
        try:
            answer = json.loads(text)
            code, said = answer["last_error"]
            self._error = (int(code), str(said))
            raised = answer.get("raised")
            if raised is None:
                return _array(answer, raw) if "array" in answer else wire.decode(answer["result"])
        except (ValueError, KeyError, TypeError) as error:
            return self._failed(function, (_RECEIVE_FAILED, f"IPC receive failed: {error}"))
        raise wire.exception_of(str(raised["type"]), str(raised["message"]))

    def _connect(self) -> bool:
        import rpyc
        from rpyc.core.service import MasterService
        from rpyc.core.stream import SocketStream

        seconds = _CONNECT_SECONDS * self._scale
        try:  # not by rpyc, which leaves the socket open when nobody answers
            plain = socket.create_connection((self._host, self._port), seconds)
        except OSError as error:
            text = f"{NO_CONNECTION[1]}: nothing answers at {self._host}:{self._port} ({error})"
            self._error = (NO_CONNECTION[0], text)
            return False
        plain.settimeout(None)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it a call takes 44 ms
        stream = SocketStream(plain)
        config = {"sync_request_timeout": seconds, "allow_public_attrs": False}
        try:
            self._connection = rpyc.connect_stream(stream, MasterService, config=config)
            self._connection.execute(HELPER)
            self._remote = self._connection.namespace["_mt5ui_call"]
        except Exception as error:  # noqa: BLE001 - rpyc raises whatever the other side raised
            self.close()
            with suppress(Exception):
                stream.close()
            self._error = _why(error, f"{self._host}:{self._port}", rpyc.__version__)
            return False
        return True

    def _seconds(self, function: str, kwargs: dict[str, Any]) -> float:
        if function in {"initialize", "login"}:
            asked = kwargs.get("timeout")
            if isinstance(asked, int) and 0 < asked < 10**6:
                return (asked / 1000 + 3.0) * self._scale
            return _SESSION_SECONDS * self._scale
        return (_SLOW_SECONDS if function.startswith(_SLOW) else _CALL_SECONDS) * self._scale

    def _failed(self, function: str, error: tuple[int, str]) -> Any:
        self._error = error
        return False if function in ANSWERS_BOOL else None


def _array(answer: dict[str, Any], raw: bytes) -> Any:
    for kind, dtype in (("rates", RATES_DTYPE), ("ticks", TICKS_DTYPE)):
        if answer["array"] == list(dtype.names or ()) and answer["itemsize"] == dtype.itemsize:
            return wire.load_array(kind, raw)
    raise ValueError(f"the bridge's array has other columns: {answer['array']}")


def _why(error: Exception, where: str, version: str) -> tuple[int, str]:
    said = str(error).split("\n", 1)[0]  # rpyc adds the other side's traceback
    if isinstance(error, ValueError) and _OTHER_VERSION in said:
        text = (
            f"Terminal: Incompatible versions: RPyC at {where} is older than {version} here ({said}). "
            'Run there: python -m pip install "rpyc>=6,<7", and start the bridge again'
        )
        return constants.RES_E_INVALID_VERSION, text
    if isinstance(error, ImportError):
        text = (
            f"IPC initialize failed: the Python at {where} has no MetaTrader5 package ({said}). "
            "Run there: python -m pip install MetaTrader5"
        )
        return constants.RES_E_INTERNAL_FAIL_INIT, text
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    return NO_CONNECTION[
        0
    ], f"{NO_CONNECTION[1]}: {where} is no RPyC classic server ({type(error).__name__}: {said})"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
