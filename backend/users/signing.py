"""Signed notes that a browser keeps: who signed in (JWT), and which browser somebody knows."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

ALGORITHM: Final = "HS256"
ISSUER: Final = "mt5ui"


class Use(StrEnum):
    """What a note is for; one made for something else is none."""

    ACCESS = "access"
    DEVICE = "device"


class Signer:
    """Makes and reads the notes.

    Args:
        key: Gives the key; asked for with the first note.
    """

    def __init__(self, key: Callable[[], str]) -> None:
        self._ask = key

    def check(self) -> None:
        """Fail now if there is no key."""
        _ = self._key

    @cached_property
    def _key(self) -> bytes:
        return hashlib.sha256(self._ask().encode()).digest()

    def sign(self, use: Use, user: str, note_id: str, *, expires_at: datetime) -> str:
        """A note about a user."""
        import jwt

        claims = {
            "iss": ISSUER,
            "aud": str(use),
            "sub": user,
            "jti": note_id,
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def read(self, use: Use, note: str, now: datetime) -> tuple[str, str] | None:
        """User and id of a note, if it is ours, whole, for this use and not expired; None otherwise."""
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                note,
                self._key,
                algorithms=[ALGORITHM],
                audience=str(use),
                issuer=ISSUER,
                options={"require": ["exp", "sub", "jti", "aud", "iss"], "verify_exp": False},
            )
        except (jwt.InvalidTokenError, RecursionError):
            return None
        expires = claims["exp"]  # by our clock, which is an argument, not by the library's
        if not isinstance(expires, int) or expires <= now.timestamp():
            return None
        return str(claims["sub"]), str(claims["jti"])


def fingerprint(secret: str) -> str:
    """What is kept of a random secret: it cannot be guessed, so a plain SHA-256 tells nothing of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same(kept: str, secret: str) -> bool:
    """Whether a secret has that fingerprint, in constant time."""
    return hmac.compare_digest(kept, fingerprint(secret))
