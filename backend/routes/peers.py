"""Where a request comes from, as far as that can be believed."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Who is at the other end.

    Attributes:
        address: Of whoever asks; `UNKNOWN` where it cannot be believed.
        here: Whether that is this machine itself.
    """

    address: str
    here: bool


class Peers:
    """Tells where requests come from.

    Args:
        proxies: Addresses and networks of proxies that are believed; nobody else's headers count.
    """

    def __init__(self, proxies: Sequence[str] = ()) -> None:
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]

    def of(self, scope: Scope) -> Peer:
        """Where this request comes from."""
        host, port = scope.get("client") or (UNKNOWN, 0)
        # uvicorn, left to itself, puts what a header claims in place of the peer, and 0 for its port.
        address = None if port == 0 else _address(host)
        if address is None:
            return Peer(address=UNKNOWN, here=False)
        hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if hops and self._is_proxy(address):
            for hop in reversed(b",".join(hops).decode("latin-1").split(",")):
                said = _address(hop.strip())
                if said is None or not self._is_proxy(said):
                    return Peer(address=UNKNOWN if said is None else str(said), here=False)
        forwarded = any(name in FORWARDED for name, _ in scope["headers"])
        server = _address((scope.get("server") or ("",))[0] or "")
        return Peer(address=str(address), here=(address.is_loopback or address == server) and not forwarded)

    def _is_proxy(self, address: "ipaddress.IPv4Address | ipaddress.IPv6Address") -> bool:
        return any(address in network for network in self._proxies)


def _address(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
