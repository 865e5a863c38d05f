"""Connections that are checked where they are made.

A host name is resolved once, the addresses are judged, and the connection goes to one that passed: no
second look-up can put another address in between. Every wait is cut to what is left of the deadline.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpcore

from backend.core.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})  # public by number, a cloud's own service


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock after which nothing waits any more."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        return self.at - time.monotonic()

    def cut(self, timeout: float | None) -> float:
        """A timeout of at most what is left.

        Raises:
            httpcore.ReadTimeout: If nothing is left.
        """
        left = self.left()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for the whole answer is over")
        return left if timeout is None else min(timeout, left)


def resolve(host: str, port: int) -> list[str]:
    """The host's addresses as numbers, in the system's order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def why_refused(text: str, *, allow_private: bool) -> str:
    """Why an IP address is not connected to; empty if it may be.

    Link-local (where cloud metadata lives), multicast and unspecified addresses are refused always;
    loopback and private ones unless allowed. An address that carries an IPv4 address is judged by that.
    """
    try:
        address = _inner(ipaddress.ip_address(text))
    except ValueError:
        return "it is not an IP address"
    if address.is_link_local or address in _METADATA:
        return "it is a link-local or metadata address"
    if address.is_multicast or address.is_unspecified:
        return "it is no single host's address"
    if not allow_private and (not address.is_global or address.is_private):
        return "it is a loopback, private or reserved address"
    return ""


def _inner(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class GuardedStream(httpcore.NetworkStream):
    """A connection whose every wait ends with the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Bytes as they come, at most `max_bytes`."""
        return self._stream.read(max_bytes, self._deadline.cut(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._stream.write(buffer, self._deadline.cut(timeout))

    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same connection under TLS; the certificate is checked against the host's name."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.cut(timeout))
        return GuardedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """As the wrapped connection says."""
        return self._stream.get_extra_info(info)


@dataclass(slots=True)
class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections to addresses that passed.

    Attributes:
        deadline: For everything done over these connections.
        allow_private: Whether loopback and private addresses pass.
        resolver: From host name and port to addresses.
    """

    deadline: Deadline
    allow_private: bool
    resolver: Resolver = resolve
    _backend: httpcore.SyncBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first allowed address that answers.

        Raises:
            Invalid: ``refused_address`` if the name leads nowhere else than to refused addresses.
            httpcore.ConnectError: If no address answers.
        """
        options = list(socket_options or ())
        failure: Exception | None = None
        for address in self._allowed(host, port, timeout):
            try:
                stream = self._backend.connect_tcp(
                    address, port, self.deadline.cut(timeout), local_address, options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return GuardedStream(stream, self.deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _allowed(self, host: str, port: int, timeout: float | None) -> list[str]:
        addresses = _in_time(self.resolver, host, port, self.deadline.cut(timeout))
        refused = {each: why_refused(each, allow_private=self.allow_private) for each in addresses}
        allowed = [each for each, reason in refused.items() if not reason]
        if addresses and not allowed:
            address, reason = next(iter(refused.items()))
            raise Invalid(
                "refused_address",
                f"{host} leads to {address}, and {reason}; to let providers live there, set "
                "MT5UI_ALLOW_PRIVATE_ADDRESSES=true",
                host=host,
                address=address,
                reason=reason,
            )
        return allowed


def _in_time(resolver: Resolver, host: str, port: int, timeout: float) -> list[str]:
    # The system's resolver knows no timeout, so a thread of its own waits for it, and may be left behind.
    answer: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    threading.Thread(target=look_up, name=f"resolve-{host[:40]}", daemon=True).start()
    try:
        found = answer.get(timeout=timeout)
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from None
    if isinstance(found, list):
        return found
    raise httpcore.ConnectError(f"the name {host} cannot be resolved ({found})") from found
