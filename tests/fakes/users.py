"""Who may come in, for tests: quick hashes, secrets that can be told apart, a clock that moves."""

import hashlib
from collections.abc import Callable
from itertools import count

from backend.core.clock import Clock
from backend.journal.journal import Journal
from backend.storage.files import FileStorage
from backend.users.directory import Directory
from backend.users.management import Management
from backend.users.security_log import SecurityLog
from backend.users.service import Door
from backend.users.signing import Signer


class QuickHasher:
    """Of the form of argon2id, and worth nothing."""

    def __init__(self) -> None:
        self.compared: list[str | None] = []

    def hash(self, password: str) -> str:
        return f"$argon2id${hashlib.sha256(password.encode()).hexdigest()}"

    def matches(self, kept: str | None, password: str) -> bool:
        self.compared.append(kept)
        return kept == self.hash(password)


def counted(start: int = 1) -> Callable[[], str]:
    numbers = count(start)
    return lambda: f"{next(numbers):064x}"


def users_of(
    config: FileStorage,
    data: FileStorage,
    journal: Journal,
    clock: Clock,
    *,
    start: int = 1,
    hasher: QuickHasher | None = None,
) -> tuple[Door, Management]:
    hasher = hasher or QuickHasher()
    door = Door(
        directory=Directory(config),
        data=data,
        log=SecurityLog(journal, clock),
        clock=clock,
        hasher=hasher,
        signer=Signer(lambda: "a key of the tests"),
        random=counted(start),
    )
    return door, Management(door, hasher, clock)
