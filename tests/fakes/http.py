"""Starlette's test client, which warns at import that a successor of httpx would suit it better.

It speaks from this machine, as a peer with an address, since a desk without sign-in listens to nobody else.
"""

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient as StarlettesClient


class TestClient(StarlettesClient):
    """At 127.0.0.1, unless a test says otherwise."""

    __test__ = False

    def __init__(self, app: Any, *, client: tuple[str, int] = ("127.0.0.1", 50_000), **given: Any) -> None:
        super().__init__(app, client=client, **given)


__all__ = ["TestClient"]
