"""Where a request comes from: the peer, or what a named proxy says of it, and nobody else's word."""

from typing import Any

import pytest

from backend.routes.peers import UNKNOWN, Peers


def scope(client: Any, *forwarded: str, server: Any = ("127.0.0.1", 5001), **headers: str) -> dict[str, Any]:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    given += [(b"x-forwarded-for", hop.encode()) for hop in forwarded]
    return {"type": "http", "client": client, "server": server, "headers": given}


HERE, THERE = ("127.0.0.1", 40_000), ("192.0.2.1", 40_000)


@pytest.mark.parametrize(
    ("asked", "address", "here"),
    [
        (scope(HERE), "127.0.0.1", True),
        (scope(("::1", 40_000)), "::1", True),
        (scope(("::ffff:127.0.0.1", 40_000)), "127.0.0.1", True),
        (scope(THERE), "192.0.2.1", False),
        (scope(THERE, server=("192.0.2.1", 5001)), "192.0.2.1", True),
        (scope(None), UNKNOWN, False),
        (scope(("", 0)), UNKNOWN, False),
        (scope(("192.0.2.9", 0), "192.0.2.9"), UNKNOWN, False),
        (scope(HERE, "192.0.2.9"), "127.0.0.1", False),
        (scope(HERE, x_real_ip="192.0.2.9"), "127.0.0.1", False),
        (scope(THERE, "127.0.0.1"), "192.0.2.1", False),
    ],
)
def test_without_a_named_proxy_the_peer_counts(asked: Any, address: str, here: bool) -> None:
    peer = Peers().of(asked)
    assert (peer.address, peer.here) == (address, here)


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (scope(HERE, "192.0.2.9"), "192.0.2.9"),
        (scope(HERE, "127.0.0.1, 192.0.2.9"), "192.0.2.9"),
        (scope(HERE, "6.6.6.6, 192.0.2.9, 10.0.0.3"), "192.0.2.9"),
        (scope(HERE, "6.6.6.6", "192.0.2.9"), "192.0.2.9"),
        (scope(HERE, "nonsense"), UNKNOWN),
        (scope(HERE, "192.0.2.9, nonsense"), UNKNOWN),
        (scope(THERE, "192.0.2.9"), "192.0.2.1"),
        (scope(HERE, "10.0.0.3, 10.0.0.4"), "127.0.0.1"),
    ],
)
def test_a_named_proxy_is_believed_up_to_the_first_that_is_none(asked: Any, address: str) -> None:
    peer = Peers(("127.0.0.1", "10.0.0.0/8")).of(asked)
    assert (peer.address, peer.here) == (address, False)
