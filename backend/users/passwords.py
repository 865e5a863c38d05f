"""Passwords as argon2id hashes, by OWASP's parameters; the library is loaded with the first of them."""

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_AT_ONCE: Final = 2
_MEMORY_KIB: Final = 19_456
_PASSES: Final = 2


class Hasher(Protocol):
    """Hashes passwords and compares with hashes."""

    def hash(self, password: str) -> str:
        """The hash to keep."""

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether the password is that of the hash; without one it takes as long and is not."""


class Argon2Hasher:
    """argon2id. Two at a time, so that many who try at once cost neither the memory nor the processors."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """The hash to keep."""
        with self._turns:
            return self._argon2.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether the password is that of the hash; without one it takes as long and is not."""
        from argon2.exceptions import Argon2Error, InvalidHashError

        compared = self._nobodys if kept is None else kept
        try:
            with self._turns:
                self._argon2.verify(compared, password)
        except (Argon2Error, InvalidHashError):
            return False
        return kept is not None

    @cached_property
    def _argon2(self) -> "PasswordHasher":
        from argon2 import PasswordHasher

        return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)

    @cached_property
    def _nobodys(self) -> str:
        return self._argon2.hash("of nobody")
