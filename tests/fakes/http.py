"""Starlette's test client, which warns at import that a successor of httpx would suit it better."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

__all__ = ["TestClient"]
